"""
What stores a value, as statements of Python: assignments, APPEND, and SET of a name.

Both forms of a body use it as it is: nothing here suspends, what could was taken out before.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from actors.basic import nodes
from actors.basic.emit import call, constant, either, invoke, is_simple, load, placed, same_type, store
from actors.basic.expressions import Expressions, Temporary
from actors.basic.prices import ASSIGNED, TEXT_GROWN
from actors.basic.scopes import Scopes
from actors.basic.values import MAX_TEXT

__all__ = ["StoringWriter"]


class _Forgets(ast.NodeTransformer):
    """
    Sets a place to 0 after every assignment to its variable.

    Args:
        places: by variable.
        but: assignments that are left alone.
    """

    def __init__(self, places: dict[str, str], but: Sequence[ast.stmt]) -> None:
        self.places = places
        self.but = set(map(id, but))

    def _forgotten(self, target: ast.expr) -> list[ast.stmt]:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        found = (self.places.get(each.id) for each in names if isinstance(each, ast.Name))
        return [store(place, constant(0)) for place in found if place is not None]

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        return [node] if id(node) in self.but else [node, *self._forgotten(node.targets[0])]

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        node.body[:0] = self._forgotten(node.target)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        return node


class StoringWriter:
    """
    Writes to *out* what changes variables, lists and objects.

    Args:
        parameters: of the procedure.
    """

    def __init__(self, scopes: Scopes, parameters: Sequence[str]) -> None:
        self.scopes = scopes
        self.ex = Expressions(scopes, frozenset(parameters))
        self.out: list[ast.stmt] = []
        self.grown: dict[str, str] = {}
        self.lengthened: list[ast.stmt] = []

    def _assign(self, statement: nodes.Assign) -> None:
        target: Any = statement.target
        value: nodes.Expr = statement.value
        if statement.operator is not None:
            target = self.looked_up(target)
            value = nodes.Binary(statement.at, statement.operator, target, value)
        if isinstance(target, nodes.Name) and self._text_grows(target.name, value):
            return
        self._set(target, self.ex.expr(value), statement.at)

    def looked_up(self, place: Any) -> Any:
        """*place*, which is read and then written, with each index computed here, once."""
        match place:
            case nodes.Member(subject=subject):
                return replace(place, subject=self.looked_up(subject))
            case nodes.Index(subject=subject, index=index):
                subject = self.looked_up(subject)
                own = isinstance(index, nodes.Name) and index.name in self.scopes.variables - self.scopes.shared
                return replace(place, subject=subject, index=index if own else self.once(index))
            case _:
                return place

    def once(self, node: nodes.Expr) -> Any:
        """What stands for the value of *node*, which is computed here."""
        if isinstance(node, nodes.Literal_):
            return node
        held = Temporary(node.at, self.ex.fresh())
        self.out.append(placed(store(held.name, self.ex.expr(node)), node.at))
        return held

    def _text_grows(self, name: str, value: nodes.Expr) -> bool:
        """
        ``s = s + more`` and ``s = s & more``: written so that CPython can lengthen a text where it lies. A loop that
        builds a text would take quadratic time otherwise.

        ``i_x`` is the identity of the text that was left in the variable by the last such statement, 0 after every
        other assignment. Another one afterwards means that the text was copied, which is counted.
        """
        if name in self.scopes.shared:
            return False
        first: nodes.Expr = value
        tail: list[tuple[str, nodes.Expr]] = []
        while isinstance(first, nodes.Binary) and first.operator in ("+", "&"):
            tail.append((first.operator, first.right))
            first = first.left
        tail.reverse()
        if not tail or not (isinstance(first, nodes.Name) and first.name == name):
            return False
        operator, only = tail[0]
        if len(tail) == 1 and operator == "+" and isinstance(only, nodes.Literal_) and not isinstance(only.value, str):
            return False  # counting, not text
        variable = "v_" + name
        shared = self.scopes.shared  # what a procedure further on in the sum may change
        held: list[nodes.Node] = []
        for _, part in tail:
            fixed = isinstance(part, nodes.Name) and self.ex.is_variable(part.name) and part.name not in shared
            if isinstance(part, nodes.Literal_) or fixed:
                held.append(part)
                continue
            kept = Temporary(part.at, self.ex.fresh())
            self.out.append(placed(store(kept.name, self.ex.expr(part)), part.at))
            held.append(kept)
        more = self.ex.joined(held) if len(held) > 1 else self.ex.text(held[0])
        lengthen = store(variable, ast.BinOp(load(variable), ast.Add(), more))
        self.grown[name] = place = "i_" + name
        self.lengthened.append(lengthen)
        tests: list[ast.expr] = [ast.Compare(call("type", load(variable)), [ast.Is()], [load("str")])]
        longer: list[ast.stmt] = [lengthen]
        size = call("len", load(variable))
        if isinstance(more, ast.Constant) and isinstance(more.value, str):
            tests.append(ast.Compare(size, [ast.LtE()], [constant(MAX_TEXT - len(more.value))]))
        else:
            too_long = ast.Compare(size, [ast.Gt()], [load("MAX_TEXT")])
            longer.append(ast.If(too_long, [ast.Expr(call("fit", load(variable)))], []))
        moved = ast.Compare(call("id", load(variable)), [ast.NotEq()], [load(place)])
        longer.append(ast.If(moved, [store(place, call("copied", load(variable)))], []))
        price = self.ex.weight  # the same is written a second time, for other values than texts
        whole: Any = first
        for (operator, _), operand in zip(tail, held, strict=True):
            whole = nodes.Binary(value.at, operator, whole, operand)  # type: ignore[arg-type]  # a temporary is a node
        otherwise: list[ast.stmt] = [placed(store(variable, self.ex.expr(whole)), value.at)]
        self.lengthened += otherwise  # what was no text was assigned otherwise, so there is nothing to forget
        self.ex.weight = price + TEXT_GROWN
        is_text = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        self.out.append(placed(ast.If(is_text, longer, otherwise), value.at))
        return True

    def _set(self, target: nodes.Expr, value: ast.expr, at: nodes.Span) -> None:
        if not isinstance(target, nodes.Name):
            self.ex.weight += ASSIGNED
        match target:
            case nodes.Name(name=name):
                self.out.append(placed(store("v_" + name, value), at))
            case nodes.Member(subject=subject, name=name):
                held = self.ex.fresh()
                self.out.append(placed(store(held, value), at))
                self._root_created(subject)
                changed = call("set_member", self.ex.expr(subject), constant(name), load(held))
                self.out.append(placed(ast.Expr(placed(changed, at)), at))
            case nodes.Index(subject=subject, index=index):
                held = self.ex.fresh()
                self.out.append(placed(store(held, value), at))
                self._root_created(subject)
                self._set_index(self.ex.expr(subject), self.ex.expr(index), held, at)
            case _:
                raise TypeError(f"cannot assign to {target!r}")

    def _set_index(self, subject: ast.expr, index: ast.expr, value: str, at: nodes.Span) -> None:
        changed: ast.stmt = placed(ast.Expr(placed(call("set_index", subject, index, load(value)), at)), at)
        if is_simple(subject) and is_simple(index):
            quick = ast.BoolOp(ast.And(), [
                same_type(subject, "list"),
                same_type(index, "int"),
                ast.Compare(constant(0), [ast.LtE(), ast.Lt()], [index, call("len", subject)]),
                ast.Compare(call("type", load(value)), [ast.IsNot()], [load("str")]),
            ])  # fmt: skip
            place = ast.Subscript(subject, index, ast.Store())
            changed = ast.If(quick, [ast.Assign([place], load(value))], [changed])
        self.out.append(placed(changed, at))

    def _root_created(self, subject: nodes.Expr) -> None:
        if isinstance(subject, nodes.Name) and self.ex.is_variable(subject.name):
            self._created(subject.name, ast.Dict([], []))

    def _created(self, name: str, empty: ast.expr) -> None:
        test = ast.Compare(load("v_" + name), [ast.Is()], [constant(None)])
        self.out.append(ast.If(test, [store("v_" + name, empty)], []))

    def forgetting(self, written: list[ast.stmt]) -> list[ast.stmt]:
        """The whole body with what is known of texts that grow forgotten where something else is assigned."""
        if not self.grown:
            return written
        forgets = _Forgets({"v_" + name: place for name, place in self.grown.items()}, self.lengthened)
        body = forgets.visit(ast.Module(written, [])).body
        return [*(store(place, constant(0)) for place in self.grown.values()), *body]

    def _succeeded(self) -> None:
        """A successful effect ends the state of error of ON ERROR RESUME NEXT."""
        if self.scopes.uses_resume:
            self.out.append(ast.Expr(invoke("M", "clear_error")))

    def _set_by_name(self, keyword: nodes.Keyword, name: nodes.Name) -> nodes.Keyword:
        """``SET name, v``: the variable, and what is left to do: the value of the session under that name."""
        value = Temporary(keyword.at, self.ex.fresh())
        self.out.append(placed(store(value.name, self.ex.expr(keyword.arguments[1])), keyword.at))
        self._set(name, load(value.name), keyword.at)
        arguments = (nodes.Literal_(name.at, "session." + name.name), value)
        return nodes.Keyword(keyword.at, "set", arguments, keyword.clauses)  # type: ignore[arg-type]

    def _append(self, keyword: nodes.Keyword) -> None:
        place, item = keyword.arguments
        self.ex.weight += ASSIGNED
        if isinstance(place, nodes.Name) and self.ex.is_variable(place.name):
            held: ast.expr = self.ex.name(place.name)
            self._created(place.name, ast.List([], ast.Load()))
        elif isinstance(place, nodes.Member | nodes.Index):
            place = self.looked_up(place)
            name = self.ex.fresh()
            self.out.append(store(name, self.ex.expr(place)))
            held = load(name)
            outer, self.out = self.out, [store(name, ast.List([], ast.Load()))]
            self._set(place, load(name), keyword.at)
            made, self.out = self.out, outer
            self.out.append(ast.If(ast.Compare(load(name), [ast.Is()], [constant(None)]), made, []))
        else:
            held = self.ex.expr(place)
        new = self.ex.fresh()
        self.out.append(placed(store(new, self.ex.expr(item)), item.at))
        there = self.ex.fresh()
        self.out.append(placed(store(there, held), keyword.at))
        quick = ast.BoolOp(ast.And(), [
            same_type(load(there), "list"),
            ast.Compare(call("len", load(there)), [ast.Lt()], [load("MAX_ITEMS")]),
        ])  # fmt: skip
        added = either(same_type(load(new), "str"), call("counted", load(new)), load(new))
        self.out.append(placed(ast.If(
            quick,
            [ast.Expr(invoke(there, "append", added))],
            [placed(ast.Expr(call("push", load(there), load(new))), keyword.at)],
        ), keyword.at))  # fmt: skip
        self._succeeded()
