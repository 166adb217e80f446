"""Declarations: PARAM, DESCRIPTION, TABLE, CREATE INDEX, SET SCHEDULE, WEBHOOK."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import cast

from actors.basic import nodes
from actors.basic.lexer import EOF, NEWLINE, NUMBER, REST, STRING, WORD, Token
from actors.basic.nodes import Expr, Span
from actors.basic.parser.operands import Operands

__all__ = ["Declarations"]


class Declarations(Operands):
    """Reads what is declared, not done."""

    @abstractmethod
    def recovering(self, read: Callable[[], None]) -> None:
        """Do *read*; if it fails note the problem and go on at the end of a line."""

    def plain_text(self, what: str) -> str:
        """Take a text without ``${…}``."""
        if self.tok.kind != STRING:
            self.fail(f"expected {what} in quotes, not {self.described()}")
        text = self._key()
        if text is None:
            self.fail(f"{what} cannot have ${{…}} in it")
        self.advance()
        return text

    def param(self) -> nodes.Statement:
        at = self.advance().at
        name = self.folded("the name of a parameter")
        self.expect_word("as", f"after PARAM {name}")
        if self.tok.kind == STRING:
            return self._enumerated(at, name)
        if self.tok.kind != WORD:
            self.fail(f"expected a type after AS, not {self.described()}", hint="for example STRING")
        kind = cast(str, self.advance().value)
        description, optional = "", False
        example: Expr | None = None
        default: Expr | None = None
        choices: tuple[nodes.Literal_, ...] = ()
        while not self.at_end():
            if self.take_word("like"):
                example = self._unary()
            elif self.take_word("description"):
                description = self.plain_text("the description")
            elif self.take_word("optional"):
                optional = True
            elif self.take_word("required"):
                optional = False
            elif self.take_word("default"):
                default = self.additive()
            elif self.take_word("enum"):
                listed = self.postfix()
                if not isinstance(listed, nodes.List_) or not listed.items:
                    self.fail("expected a list of choices after ENUM", listed.at, 'for example ENUM ["small", "large"]')
                choices = tuple(map(self._choice, listed.items))
            else:
                hint = "LIKE, DESCRIPTION, OPTIONAL, REQUIRED, DEFAULT or ENUM may stand here"
                self.fail(f"{self.described()} means nothing after PARAM {name}", hint=hint)
        return nodes.Param(at, name, kind, description, example, default, optional, choices)

    def _choice(self, item: Expr) -> nodes.Literal_:
        match item:
            case nodes.Unary(operator="-", operand=nodes.Literal_(value=int() | float() as number)):
                return nodes.Literal_(item.at, -number)
            case nodes.Name(name=name):
                hint = f'"{name}" in quotes, if the text is meant'
            case _:
                hint = "a variable, a calculation or ${…} has no value yet where the choices are told"
        if not isinstance(item, nodes.Literal_):
            self.fail("a choice of ENUM must be written out: a text in quotes or a number", item.at, hint)
        return item

    def _enumerated(self, at: Span, name: str) -> nodes.Statement:
        texts: list[nodes.Literal_] = []
        while True:
            place = self.tok.at
            texts.append(nodes.Literal_(place, self.plain_text("a choice")))
            if not self.take_sign(","):
                break
            self.skip_newlines()
        if len(texts) == 1:
            return nodes.Param(at, name, "string", cast(str, texts[0].value))
        return nodes.Param(at, name, "enum", choices=tuple(texts))

    def description(self) -> nodes.Statement:
        at = self.advance().at
        if self.tok.kind == REST:
            return nodes.Description(at, cast(str, self.advance().value))
        return nodes.Description(at, self.plain_text("the description"))

    def webhook(self) -> nodes.Statement:
        at = self.advance().at
        return nodes.Webhook(at, self.plain_text("the name of the webhook"))

    def create_index(self, unique: bool) -> nodes.Statement:
        """After CREATE [UNIQUE] INDEX."""
        name = self.name_token("the name of the index")
        self.expect_word("on", "after the name of the index")
        table = self._dotted()
        columns = self._columns_in_brackets()
        return nodes.CreateIndex(name.at, name.text.rstrip("$"), table, columns, unique)

    def _columns_in_brackets(self) -> tuple[str, ...]:
        self.expect_sign("(", "before the columns")
        columns = [self._column_name()]
        while self.take_sign(","):
            columns.append(self._column_name())
        self.expect_sign(")", "after the columns")
        return tuple(columns)

    def _column_name(self) -> str:
        if self.tok.kind != WORD:
            self.fail(f"expected the name of a column, not {self.described()}")
        return self.advance().text.rstrip("$")

    def _dotted(self) -> str:
        name = "." if self.take_sign(".") else ""
        name += self.name_token("the name of a table").text.rstrip("$")
        while self.take_sign("."):
            name += "." + self._column_name()
        return name

    # --- TABLE ------------------------------------------------------------------------------------------------------

    def table_block(self) -> nodes.Statement:
        opening = self.advance()
        name = self._dotted()
        connection: str | None = None
        if self.take_word("on"):
            connection = self.name_token("the name of a connection").text
        read_by, write_by = self._roles(None, None)
        if not self.at_end():
            self.fail(f"expected the fields on lines of their own, not {self.described()}")
        fields: list[nodes.Field] = []
        constraints: list[str] = []
        while True:
            while self.tok.kind == NEWLINE:
                self.advance()
            if self.tok.kind == EOF:
                self.problem("this TABLE is not closed", opening.at, "it needs a line END TABLE")
                break
            if self.take_words("end table"):
                break
            self.recovering(lambda: self._table_line(fields, constraints))
        if not fields:
            self.problem(f"the table {name} has no fields", opening.at)
        return nodes.Table(opening.at, name, connection, read_by, write_by, tuple(fields), tuple(constraints))

    def _roles(self, read_by: str | None, write_by: str | None) -> tuple[str | None, str | None]:
        while self.is_word("read", "write") and self.peek().value == "by":
            reads = self.advance().value == "read"
            self.advance()
            roles = self.plain_text("the roles")
            if reads:
                read_by = roles
            else:
                write_by = roles
        return read_by, write_by

    def _table_line(self, fields: list[nodes.Field], constraints: list[str]) -> None:
        first = self.tok
        following = self.peek()
        if (first.value == "unique" and following.text == "(") or (
            first.value == "primary" and following.value == "key"
        ):
            self.skip(1 if first.value == "unique" else 2)
            self._columns_in_brackets()
            constraints.append(self.text_between(first.start, self.index))
        elif first.value == "check" and following.text == "(":
            self.advance()
            self._bracketed_text()
            constraints.append(self.text_between(first.start, self.index))
        else:
            fields.append(self._field())
        if not self.at_end():
            self.fail(f"{self.described()} means nothing in this line of the table")

    def _bracketed_text(self) -> str:
        """Take ``( … )`` with whatever is in it."""
        opening = self.expect_sign("(", "here")
        depth = 1
        while depth:
            if self.at_end():
                self.fail("this ( is not closed", opening.at)
            depth += (self.tok.text == "(") - (self.tok.text == ")")
            self.advance()
        return self.text_between(opening.start, self.index)

    def _field(self) -> nodes.Field:
        if self.is_word("field") and self.peek().kind == WORD:
            self.advance()
        token = self.tok
        if token.kind not in (WORD, STRING):
            self.fail(f"expected the name of a field, not {self.described()}")
        name = self._key()
        if not name:
            self.fail("expected the name of a field here")
        self.advance()
        required = self.take_sign("*")
        self.take_word("as")
        if self.tok.kind != WORD:
            self.fail(f"expected the type of the field {name}, not {self.described()}", hint="for example string(80)")
        kind = cast(str, self.advance().value)
        sizes = self._sizes()
        array = self.is_sign("[") and self.peek().text == "]"
        self.skip(2 if array else 0)
        return self._constrained(token, name, kind, sizes, array=array, required=required)

    def _sizes(self) -> tuple[str, ...]:
        sizes: list[str] = []
        if self.take_sign("("):
            while True:
                if self.tok.kind != NUMBER and not self.is_word("max"):
                    self.fail(f"expected a size or MAX, not {self.described()}")
                sizes.append(str(self.advance().value))
                if not self.take_sign(","):
                    break
            self.expect_sign(")", "after the size")
        return tuple(sizes)

    def _constrained(
        self, token: Token, name: str, kind: str, sizes: tuple[str, ...], *, array: bool, required: bool
    ) -> nodes.Field:
        key = unique = False
        default: str | None = None
        references: str | None = None
        read_by: str | None = None
        write_by: str | None = None
        extra: list[str] = []
        while not self.at_end():
            start = self.tok
            if self.take_word("key") or self.take_words("primary key"):
                key = True
            elif self.take_word("unique"):
                unique = True
            elif self.take_words("not null"):
                required = True
            elif self.take_word("null"):
                required = False
            elif self.take_word("default"):
                default = self._sql_value()
            elif self.take_word("references"):
                references = self._dotted()
                if self.is_sign("("):
                    references += self._bracketed_text()
                if self.take_words("on delete"):
                    action = self._column_name()
                    action += f" {self._column_name()}" if self.tok.kind == WORD and action.lower() == "set" else ""
                    extra.append(f"on delete {action}")
            elif self.take_word("check"):
                extra.append("check " + self._bracketed_text())
            elif self.take_words("generated always as"):
                extra.append("generated always as " + self._bracketed_text())
                self.take_word("stored")
            elif self.is_word("read", "write") and self.peek().value == "by":
                read_by, write_by = self._roles(read_by, write_by)
            else:
                hint = "KEY, UNIQUE, NOT NULL, DEFAULT, REFERENCES, CHECK, READ BY or WRITE BY may stand here"
                self.fail(f"{start.text} means nothing after the field {name}", start.at, hint)
        return nodes.Field(
            token.at, name, kind, sizes, array, required, key, unique, default, references, read_by, write_by,
            tuple(extra),
        )  # fmt: skip

    def _sql_value(self) -> str:
        start = self.tok.start
        self.take_sign("-")
        if self.tok.kind == WORD and self.tight:
            self.advance()
            self._bracketed_text()
        elif self.tok.kind in (WORD, STRING, NUMBER):
            self.advance()
        else:
            self.fail(f"expected a value after DEFAULT, not {self.described()}")
        return self.text_between(start, self.index)
