"""Trees, printed and parsed again, are the same; and no text whatever breaks the front end."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from actors.basic import nodes
from actors.basic.analyser import analyse
from actors.basic.errors import ScriptErrors
from actors.basic.nodes import Body, Expr, Span, Statement
from actors.basic.parser import parse
from actors.basic.printer import print_expression, print_script, same

AT = Span(1, 1)

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)

# Words that are keywords elsewhere, and one of a language with more letters.
NAMES = st.sampled_from(["a", "b1", "city", "list", "case", "first", "filter", "update", "data", "año", "_x", "get"])
FIELDS = st.sampled_from(["name", "Total", "end", "if", "type", "x_1", "größe"])
LEAVES = ["for", "do", "while", "sub", "function", "break", "continue", "run"]
LABELS = st.sampled_from(["top", "again"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["${a}", "${{b}}", "$", '"', "\\", "it's", "a\n  b", "// no", "#", "\\${"]
)
NUMBERS = st.integers(0, 10**20) | st.floats(0, 1e300, allow_nan=False, allow_infinity=False)


def literals() -> st.SearchStrategy[nodes.Literal_]:
    return st.builds(nodes.Literal_, st.just(AT), st.none() | st.booleans() | NUMBERS | TEXTS)


def tuples(of: st.SearchStrategy[Expr], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[Expr, ...]]:
    return st.lists(of, min_size=least, max_size=most).map(tuple)


@st.composite
def templates(draw: st.DrawFn, inner: st.SearchStrategy[Expr]) -> nodes.Template:
    """Texts and expressions, with no two texts side by side and at least one expression."""
    parts: list[str | Expr] = []
    for _ in range(draw(st.integers(1, 3))):
        text = draw(TEXTS)
        parts += [text] * bool(text)
        parts.append(draw(inner))
    return nodes.Template(AT, tuple(parts))


def combined(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    at = st.just(AT)
    return st.one_of(
        templates(inner),
        st.builds(nodes.List_, at, tuples(inner)),
        st.builds(nodes.Object_, at, st.lists(st.tuples(FIELDS | TEXTS, inner), max_size=3).map(tuple)),
        st.builds(nodes.Member, at, inner, FIELDS, st.booleans()),
        st.builds(nodes.Index, at, inner, inner),
        st.builds(nodes.Method, at, inner, FIELDS, tuples(inner), st.booleans()),
        st.builds(nodes.Unary, at, st.sampled_from(["-", "+", "not"]), inner),
        st.builds(
            nodes.Binary,
            at,
            st.sampled_from(
                "+ - * / \\ % ^ & = <> < <= > >= xor like contains matches starts ends in".split()  # noqa: SIM905
            ),
            inner,
            inner,
        ),
        st.builds(nodes.Logical, at, st.sampled_from(["and", "or", "??"]), inner, inner),
        st.builds(nodes.IsNull, at, inner, st.booleans()),
        st.builds(nodes.Between, at, inner, inner, inner, st.booleans()),
        st.builds(nodes.Conditional, at, inner, inner, inner),
        st.builds(nodes.Call, at, st.sampled_from(["len", "mine", "round"]), tuples(inner)),
        st.builds(nodes.CallScript, at, st.sampled_from(["other.bas", "/area/op"]), tuples(inner)),
        st.builds(nodes.Format, at, inner, st.none() | inner),
        st.builds(nodes.Format, at, inner, st.just(nodes.Literal_(AT, "json")), st.just(True)),
        st.builds(nodes.Keyword, at, st.just("get bot memory"), tuples(inner, 1, 1)),
        st.builds(nodes.Keyword, at, st.just("translate"), tuples(inner, 2, 2)),
        st.builds(nodes.Keyword, at, st.just("new object")),
        st.builds(hear, st.sampled_from(["any", "email"]), st.none() | inner, st.none() | inner, st.none() | inner),
        st.builds(menu, tuples(inner, 2, 3), st.booleans()),
        st.builds(
            lambda table, where, limit: nodes.Keyword(AT, "find", (table,), (("where", where), ("limit", limit))),
            inner,
            inner,
            inner,
        ),
    )


def hear(kind: str, prompt: Expr | None, default: Expr | None, timeout: Expr | None) -> nodes.Hear:
    return nodes.Hear(AT, kind, prompt, default, timeout)


def menu(options: tuple[Expr, ...], opened: bool) -> nodes.Hear:
    return nodes.Hear(AT, "menu", options=options, open=opened)


ATOMS = literals() | st.builds(nodes.Name, st.just(AT), NAMES)
DEEP: st.SearchStrategy[Expr] = st.recursive(ATOMS, combined, max_leaves=8)
SHALLOW: st.SearchStrategy[Expr] = ATOMS | combined(ATOMS)


@st.composite
def shallow(draw: st.DrawFn) -> Expr:
    return draw(SHALLOW)


EXPRESSIONS = shallow()  # by name, so that strategies built of it can be shown
TARGETS = st.recursive(
    st.builds(nodes.Name, st.just(AT), NAMES),
    lambda inner: (
        st.builds(nodes.Member, st.just(AT), inner, FIELDS) | st.builds(nodes.Index, st.just(AT), inner, literals())
    ),
    max_leaves=3,
)
CASE_ITEMS = (
    EXPRESSIONS
    | st.builds(nodes.CaseRange, st.just(AT), EXPRESSIONS, EXPRESSIONS)
    | st.builds(nodes.CaseIs, st.just(AT), st.sampled_from(["=", "<>", "<", ">="]), EXPRESSIONS)
)


def simple() -> st.SearchStrategy[Statement]:
    at = st.just(AT)
    return st.one_of(
        st.builds(nodes.Assign, at, TARGETS, EXPRESSIONS, st.sampled_from([None, "+", "-", "*", "/"])),
        st.builds(nodes.Do, at, st.builds(nodes.Keyword, at, st.just("talk"), tuples(EXPRESSIONS, 1, 1))),
        st.builds(nodes.Do, at, st.builds(nodes.Keyword, at, st.just("set session"), tuples(EXPRESSIONS, 2, 3))),
        st.builds(nodes.Do, at, st.builds(nodes.Call, at, st.just("mine"), tuples(EXPRESSIONS))),
        st.builds(nodes.Do, at, st.builds(nodes.Name, at, NAMES)),
        st.builds(nodes.Return, at, st.none() | EXPRESSIONS),
        st.builds(nodes.Leave, at, st.sampled_from(LEAVES)),
        st.builds(nodes.Goto, at, LABELS),
        st.builds(nodes.Label, at, LABELS),
        st.builds(nodes.OnError, at, st.sampled_from(["resume", "off"])),
        st.builds(nodes.With, at, TARGETS, st.lists(st.tuples(FIELDS, EXPRESSIONS), max_size=3).map(tuple)),
        st.builds(nodes.Description, at, TEXTS),
        st.builds(nodes.Param, at, NAMES, st.sampled_from(["string", "integer"]), TEXTS, st.none() | EXPRESSIONS),
        st.builds(nodes.Step, at, EXPRESSIONS, st.just(()), EXPRESSIONS, st.none() | EXPRESSIONS),
    )


def blocks(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    at = st.just(AT)
    body: st.SearchStrategy[Body] = st.lists(inner, max_size=3).map(tuple)
    until = st.none() | st.tuples(EXPRESSIONS, st.booleans())
    limit = st.none() | st.tuples(st.sampled_from(["first", "last"]), EXPRESSIONS)
    return st.one_of(
        st.builds(nodes.If, at, st.lists(st.tuples(EXPRESSIONS, body), min_size=1, max_size=3).map(tuple), body),
        st.builds(nodes.ForEach, at, NAMES, EXPRESSIONS, limit, body),
        st.builds(nodes.ForCount, at, NAMES, EXPRESSIONS, EXPRESSIONS, st.none() | EXPRESSIONS, body),
        st.builds(nodes.Loop, at, st.just("do"), until, until, body),
        st.builds(nodes.Loop, at, st.just("while"), st.tuples(EXPRESSIONS, st.just(False)), st.none(), body),
        st.builds(
            nodes.Select,
            at,
            EXPRESSIONS,
            st.lists(st.tuples(st.lists(CASE_ITEMS, min_size=1, max_size=2).map(tuple), body), max_size=2).map(tuple),
            body,
        ),
        st.builds(nodes.Try, at, body, st.none() | NAMES, body),
        st.builds(nodes.OnEvent, at, st.sampled_from(["event", "form"]), EXPRESSIONS, st.none(), body),
    )


NESTED: st.SearchStrategy[Statement] = st.recursive(simple(), blocks, max_leaves=4)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    return draw(NESTED)


STATEMENTS = statements()
PROCEDURES = st.builds(
    nodes.Procedure,
    st.just(AT),
    st.sampled_from(["sub", "function"]),
    st.sampled_from(["mine", "theirs"]),
    st.lists(NAMES, max_size=2).map(tuple),
    st.lists(STATEMENTS, max_size=2).map(tuple),
)
SCRIPTS = st.builds(
    nodes.Script, st.just("t.bas"), st.lists(STATEMENTS | PROCEDURES, max_size=4).map(tuple), st.booleans()
)


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(DEEP)
def test_expressions_survive(tree: Expr) -> None:
    printed = print_expression(tree)
    [statement] = parse(f"x = {printed}", "t.bas").body
    assert isinstance(statement, nodes.Assign)
    assert same(statement.value, tree), printed


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # a whole script is large; it is printed instead
@settings(max_examples=40, deadline=None, phases=PHASES)
@given(SCRIPTS)
def test_scripts_survive(script: nodes.Script) -> None:
    printed = print_script(script)
    assert same(parse(printed, "t.bas"), script), printed


WORDS = st.sampled_from(
    """
    IF THEN ELSE ELSEIF END FOR EACH IN NEXT WHILE WEND DO LOOP UNTIL SELECT CASE WITH TRY CATCH SUB FUNCTION TALK HEAR
    AS SET SCHEDULE GET FIND WHERE ORDER BY ON EVENT ERROR GOTO RETURN EXIT STEP PARALLEL BRANCH BOT TABLE PARAM
    DESCRIPTION BEGIN PROMPT SYSTEM CALL FORMAT NOT AND OR IS NULL x y 1 2.5 "s" "${x}" 'q' = + - * ( ) [ ] { } #{ , .
    : ; ?. ?? ? ^ & < >
    """.split()  # noqa: SIM905
)
PROGRAMS = st.lists(WORDS | st.just("\n"), max_size=40).map(" ".join)


def check_any(source: str) -> None:
    """Whatever the text: a tree, or problems that can be shown."""
    try:
        script = parse(source, "t.bas")
    except ScriptErrors as errors:
        for problem in errors.problems:
            assert problem.render(source).startswith(f"t.bas:{problem.at.line}:{problem.at.column}: ")
            assert 1 <= problem.at.line <= source.count("\n") + 1
        return
    for warning in analyse(script).problems:
        assert warning.render(source)
    assert same(parse(print_script(script), "t.bas"), script)


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(PROGRAMS)
def test_no_words_break_it(source: str) -> None:
    check_any(source)


@settings(max_examples=60, deadline=None, phases=PHASES)
@given(st.text())
def test_no_text_breaks_it(source: str) -> None:
    check_any(source)
