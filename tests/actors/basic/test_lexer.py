"""Where tokens begin and end, and what is a string, a comment or text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.basic.lexer import MAX_SOURCE_BYTES, MAX_TOKENS, Hole, Token, lex


def shown(token: Token) -> str:
    if token.kind == "newline":
        return "¶"
    if token.kind in ("string", "block"):
        assert isinstance(token.value, tuple)
        inside = [part if isinstance(part, str) else "⟨" + written(part.tokens[:-1]) + "⟩" for part in token.value]
        return f"“{''.join(inside)}”"
    if token.kind == "rest":
        return f"«{token.value}»"
    return str(token.value)


def written(tokens: list[Token]) -> str:
    return " ".join(map(shown, tokens))


def tokens_of(source: str) -> str:
    lexed = lex(source, "t.bas")
    assert lexed.problems == []
    return written(lexed.tokens[:-2]).removesuffix(" ¶")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("Talk City$ + 1", "talk city + 1", id="names fold"),
        pytest.param("STRASSE = Straße$", "strasse = straße", id="names of any language"),
        pytest.param("a\r\nb\n\n\nc", "a ¶ b ¶ c", id="line ends"),
        pytest.param("\ufeffTALK 1", "talk 1", id="byte order mark"),
        pytest.param("a; b;", "a ¶ b", id="semicolon"),
        pytest.param("x = 12 + 0.33 + 1e6 + 0x48", "x = 12 + 0.33 + 1000000.0 + 72", id="numbers"),
        pytest.param("a<=b<>c!=d==e", "a <= b <> c != d == e", id="signs"),
        pytest.param("a?.b ?? c ? d : e", "a ?. b ?? c ? d : e", id="question marks"),
        pytest.param("x = 1 + _\n 2", "x = 1 + 2", id="continued with underscore"),
    ],
)
def test_tokens(source: str, expected: str) -> None:
    assert tokens_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("REM all of it", "", id="rem"),
        pytest.param("REMEMBER 1", "remember 1", id="remember is no rem"),
        pytest.param("x = 1 // rest", "x = 1", id="slashes"),
        pytest.param('x = "http://a"', "x = “http://a”", id="slashes in a string"),
        pytest.param("# all of it", "", id="hash"),
        pytest.param("x = #{}", "x = #{ }", id="hash of an object"),
        pytest.param("x = y ' rest", "x = y", id="apostrophe behind a name"),
        pytest.param("' it's all a comment", "", id="apostrophe at line start"),
        pytest.param("IF a THEN ' b 'c", "if a then", id="apostrophe behind THEN"),
        pytest.param("IF a THEN\nEND IF 'b' c", "if a then ¶ end if", id="apostrophe behind END IF"),
        pytest.param("END 'b' c", "end", id="apostrophe behind END"),
        pytest.param("EXIT FOR 'it's done'", "exit for", id="apostrophe behind EXIT FOR"),
        pytest.param("FOR EACH x IN 'b'", "for each x in “b”", id="apostrophe behind IN"),
        pytest.param("x = f(1) 'a' b", "x = f ( 1 )", id="apostrophe behind a bracket"),
        pytest.param("x = 'unclosed", "x =", id="apostrophe without its end"),
        pytest.param("TALK 'it''s' + 'a\\'b'", "talk “it's” + “a'b”", id="apostrophe strings"),
        pytest.param("x = '${a} \\t'", "x = “${a} \\t”", id="no holes, hardly escapes"),
        pytest.param("f('a', ['b'], {k: 'c'})", "f ( “a” , [ “b” ] , { k : “c” } )", id="apostrophes in brackets"),
    ],
)
def test_comments_and_apostrophes(source: str, expected: str) -> None:
    assert tokens_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(r'"a\n\t\"\\\q"', '“a\n\t"\\q”', id="escapes"),
        pytest.param('"say ""hi"""', '“say "hi"”', id="doubled quotes"),
        pytest.param('"a\n  b"', "“a\n  b”", id="over lines"),
        pytest.param('"a ${b + 1} c"', "“a ⟨b + 1⟩ c”", id="hole"),
        pytest.param('"${f("x")}"', "“⟨f ( “x” )⟩”", id="string in a hole"),
        pytest.param('"${ {a: 1} }"', "“⟨{ a : 1 }⟩”", id="braces in a hole"),
        pytest.param('"${{name}} {x} $5"', "“${{name}} {x} $5”", id="what is no hole"),
        pytest.param(r'"\${a}"', "“${a}”", id="escaped hole"),
        pytest.param(r'"${f(\"x\") + 1}"', "“⟨f ( “x” ) + 1⟩”", id="escaped string in a hole"),
        pytest.param(r'"${\"\"}"', "“⟨“”⟩”", id="empty escaped string in a hole"),
        pytest.param(r'"${\"a\nb\\tc\\\"d\\\\e\"}"', '“⟨“a\nb\tc"d\\e”⟩”', id="escapes in an escaped string"),
        pytest.param(r'"${f(\"x${g(\"y\")}$\")}"', "“⟨f ( “x⟨g ( “y” )⟩$” )⟩”", id="hole in an escaped string"),
        pytest.param(r'"${a \ b}"', "“⟨a \\ b⟩”", id="division in a hole"),
        pytest.param('"${f("", a)}"', "“⟨f ( “” , a )⟩”", id="empty string in a hole"),
    ],
)
def test_strings(source: str, expected: str) -> None:
    assert tokens_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "BEGIN TALK\n    a ${b}\n      c ' d\n\n    \"e\n\nEND TALK\nf",
            "begin talk “a ⟨b⟩\n  c ' d\n\n\"e” ¶ f",
            id="margin and blank lines",
        ),
        pytest.param("begin_talk\nx\nend_talk", "begin_talk “x”", id="underscores"),
        pytest.param(
            "BEGIN SYSTEM PROMPT\nx\nEND TALK\nEND SYSTEM PROMPT", "begin system prompt “x\nEND TALK”", id="prompt"
        ),
        pytest.param('BEGIN MAIL "a" + b\nx\nEND MAIL', "begin mail “a” + b “x”", id="mail"),
        pytest.param("BEGIN TALK\nEND TALK", "begin talk “”", id="empty"),
        pytest.param("DESCRIPTION it's free ' text", "description «it's free ' text»", id="description"),
        pytest.param('DESCRIPTION "a"', "description “a”", id="quoted description"),
        pytest.param("description = 5", "description = 5", id="description as a variable"),
        pytest.param("TABLE t\n description text\nEND TABLE", "table t ¶ description text ¶ end table", id="field"),
    ],
)
def test_blocks_and_rests(source: str, expected: str) -> None:
    assert tokens_of(source) == expected


def test_places_are_where_the_text_is() -> None:
    lexed = lex('x = "a\n b ${yy}"\nBEGIN TALK\n  ${zz}\nEND TALK\nlast', "t.bas")
    holes = [
        part.tokens[0]
        for token in lexed.tokens
        if isinstance(token.value, tuple)
        for part in token.value
        if isinstance(part, Hole)
    ]
    assert [(token.text, token.line, token.column) for token in holes] == [("yy", 2, 6), ("zz", 4, 5)]
    last = next(token for token in lexed.tokens if token.text == "last")
    assert last.at == (6, 1, 4)


@pytest.mark.parametrize(
    ("source", "message", "place"),
    [
        pytest.param('TALK "a\nTALK b', "this text is not closed", (1, 6), id="string"),
        pytest.param('TALK "a ${b"', "this ${ is not closed on its line", (1, 9), id="hole"),
        pytest.param(r'TALK "${f(\"x")}"', 'this text begins with \\" and does not end with it', (1, 11), id="escaped"),
        pytest.param('TALK "${f(""x"")}"', "this text is empty, and more follows", (1, 11), id="doubled in a hole"),
        pytest.param("a\nBEGIN TALK\nx", "this BEGIN TALK is not closed", (2, 1), id="block"),
        pytest.param("x = @", "the character @ means nothing here", (1, 5), id="character"),
        pytest.param("x = “a”", "the character “ means nothing here", (1, 5), id="curly quotes"),
        pytest.param("x = \0", "the character U+0000 means nothing here", (1, 5), id="NUL"),
        pytest.param("x = " + "9" * 500, "a number has at most 400 digits", (1, 5), id="digits"),
        pytest.param("x = 1e999", "this number is too large", (1, 5), id="infinity"),
    ],
)
def test_problems(source: str, message: str, place: tuple[int, int]) -> None:
    first = lex(source, "t.bas").problems[0]
    assert (first.message, first.at[:2]) == (message, place)


@pytest.mark.parametrize("written", [r'"${f(\"x)}"', r'"${f(\"x")}"', '"${f(""x"")}"'])
def test_how_texts_are_written_in_a_hole_is_said(written: str) -> None:
    (problem,) = lex(f"TALK {written}", "t.bas").problems
    assert 'inside ${…} a text is written "x" or \\"x\\"' in problem.hint


@pytest.mark.parametrize("part", ["${x}", r"${\"x\"}", r"${\"", "${"], ids=["hole", "escaped", "open", "unclosed"])
def test_a_long_line_of_holes_takes_time_by_its_length(part: str) -> None:
    def taken(count: int) -> float:
        began = time.process_time()
        lex(f'x = "{part * count}"', "t.bas")
        return time.process_time() - began

    assert taken(80_000) < 30 * max(taken(8_000), 0.01)


def test_a_script_has_a_limit() -> None:
    problems = lex("x" * (MAX_SOURCE_BYTES + 1), "big.bas").problems
    assert [problem.message for problem in problems] == ["this script has 1,048,577 bytes, the limit is 1,048,576"]
    assert problems[0].file == "big.bas"
    assert "at most" in lex("x " * (MAX_TOKENS + 1), "big.bas").problems[0].message


@given(st.text(alphabet=st.sampled_from("\"'\\${}()[]#;:_ \n\tabBEGIN TALK0x1.e+=/REM"), max_size=80) | st.text())
def test_never_crashes(source: str) -> None:
    lexed = lex(source, "t.bas")
    assert lexed.tokens[-1].kind == "eof"
    offsets = [token.start for token in lexed.tokens]
    assert offsets == sorted(offsets)
