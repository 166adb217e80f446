"""What an author is told of a wrong script: every mistake once, at its place, and nothing that only follows from it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic import check_script
from actors.basic.analyser import Names
from actors.basic.errors import Problem
from actors.basic.keywords import TABLE

KNOWN = Names(scripts=frozenset(["start", "delivery"]))
SCRIPTS = [file.read_text() for file in sorted((Path(__file__).parents[3] / "bots").rglob("*.bas"))]
CHOICE = "a choice of ENUM must be written out: a text in quotes or a number"
SEPARATE = "a comma, an operator or a new line may be missing before it"
STRAIGHT = 'texts stand in straight quotes: "…"'


def shown(problem: Problem) -> str:
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{problem.at.line}:{problem.at.column} {problem.severity} {problem.message}{hint}"


def told(source: str) -> list[str]:
    return [shown(problem) for problem in check_script(source, "t.bas", KNOWN)]


def errors(source: str) -> list[str]:
    return [line for line in told(source) if " error " in line]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "HEAR x AS INTEGR\nTALK x",
            ["1:11 error INTEGR is no type that HEAR knows, and no list that is set (did you mean INTEGER?)"],
            id="misspelt",
        ),
        pytest.param(
            'x = HEAR "How many?" AS INTGER DEFAULT 1',
            ["1:25 error INTGER is no type that HEAR knows, and no list that is set (did you mean INTEGER?)"],
            id="in an expression",
        ),
        pytest.param(
            'colours = ["red"]\nHEAR x AS colurs',
            ["2:11 error COLURS is no type that HEAR knows, and no list that is set (did you mean colours?)"],
            id="a list",
        ),
        pytest.param('colours = ["red"]\nHEAR x AS colours\nHEAR y AS MENU colours', [], id="a list that is set"),
        pytest.param("HEAR x AS user.colours\nHEAR y AS history[0]\n", [], id="a list in something else"),
        pytest.param(
            "HEAR x AS LOGIN", ["1:1 warning HEAR AS LOGIN is not there yet, a run that reaches it fails"], id="not yet"
        ),
    ],
)
def test_types_of_hear(source: str, expected: list[str]) -> None:
    assert [line for line in told(source) if "history" not in line.lower()] == expected


def test_a_type_of_hear_that_is_like_none_is_answered_with_all() -> None:
    [line] = told("HEAR x AS ZZZ")
    assert "(the types are TEXT, INTEGER, NUMBER, " in line
    assert line.endswith("PASSWORD, LOGIN, QRCODE, MENU)")


NOT_CLOSED = 'error this text is not closed (it needs a " at its end)'
TOO_EARLY = (
    'error this text is not closed, or ends too early (it needs a " at its end; a " in the midst of it is written "")'
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            'TALK "Hello\nname = "Ada"\nTALK "Hi " + name\nEXIT FOR',
            [f"1:6 {NOT_CLOSED}", "4:1 error there is no FOR around this EXIT FOR"],
            id="and what comes is read",
        ),
        pytest.param('TALK "Hi\nTALK "Bye\nTALK "A"', [f"1:6 {NOT_CLOSED}", f"2:6 {NOT_CLOSED}"], id="twice"),
        pytest.param('TALK "Name?\nHEAR n\nTALK "${n}, hello"', [f"1:6 {NOT_CLOSED}"], id="next begins with a value"),
        pytest.param('TALK "Name?\nTALK "(hello)"', [f"1:6 {NOT_CLOSED}"], id="next begins with a sign"),
        pytest.param('TALK "Name?\nx = ""\nTALK "b"', [f"1:6 {NOT_CLOSED}"], id="next is empty"),
        pytest.param('IF x = "a THEN\nTALK "b"\nEND IF\nx = 1', [f"1:8 {NOT_CLOSED}"], id="in a condition"),
        pytest.param('y = LEN("abc) + 1\nTALK "b" + y', [f"1:9 {NOT_CLOSED}"], id="in brackets"),
        pytest.param(
            'x = ["a, "b"]\nx = [1,\n"c]\nTALK "d" + x', [f"1:6 {TOO_EARLY}", f"3:1 {NOT_CLOSED}"], id="in lists"
        ),
        pytest.param('TALK "it"s fine"\nTALK "b"', [f"1:6 {TOO_EARLY}"], id="ends too early"),
        pytest.param(
            'TALK Hello"\nTALK "b"',
            ['1:11 error this text is not closed (if it ends here, the " at its beginning is missing)'],
            id="not opened",
        ),
        pytest.param('TALK "a"\r\nTALK "b\r\nTALK "c"\r\n', [f"2:6 {NOT_CLOSED}"], id="CRLF"),
        pytest.param(
            'TALK "a\n  b"\nTALK "a\nb" + "c\nd"\nTALK (1',
            ["6:6 error this ( is not closed (it needs ))"],
            id="texts of several lines stay texts",
        ),
    ],
)
def test_a_text_that_is_not_closed_is_told_where_it_begins(source: str, expected: list[str]) -> None:
    assert errors(source) == expected


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_a_quote_that_is_missing_anywhere_is_told_in_its_line(script: str) -> None:
    for number, line in enumerate(script.split("\n"), 1):
        if '"' in line and "'" not in line:
            for quote in (line.index('"'), line.rindex('"')):
                lines = script.split("\n")
                lines[number - 1] = line[:quote] + line[quote + 1 :]
                found = check_script("\n".join(lines), "t.bas", KNOWN)
                assert {problem.at.line for problem in found if problem.severity == "error"} == {number}, line


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "SUB greet(name\nTALK name\nRETURN\nEND SUB\nCALL greet\ngreet(1)\nTALK 1",
            ["1:15 error expected ) after the parameters, not the end of the line"],
            id="a procedure's first line",
        ),
        pytest.param(
            "FUNCTION f(a)\nx = a 1\nRETURN x\nEND FUNCTION\nTALK f(1)",
            [f"2:7 error 1 means nothing here ({SEPARATE})"],
            id="a procedure's body",
        ),
        pytest.param(
            "SUB a\nTALK 1\nSUB b\nTALK 2\nEND SUB\nCALL a\nCALL b",
            ["1:1 error this SUB is not closed (it needs END SUB before line 3)"],
            id="a procedure's end",
        ),
        pytest.param(
            "IF user THEN\nTALK 1\nSUB b\nTALK 2\nEND SUB\nCALL b",
            ["1:1 error this IF is not closed (it needs END IF before line 3)"],
            id="an end before a procedure",
        ),
        pytest.param("x =\nTALK x", ["1:4 error expected a value here, not the end of the line"], id="assignment"),
        pytest.param(
            "HEAR x AS\nTALK x + y",
            [
                "1:10 error expected a type or options after AS, not the end of the line",
                "2:10 warning y is read but never set, it is null",
            ],
            id="HEAR",
        ),
        pytest.param(
            "FOR i = 1 T 3\nEXIT FOR\nNEXT\nTALK i",
            ["1:11 error expected TO after the first number of FOR, not T"],
            id="the first line of a loop",
        ),
        pytest.param(
            "IF = 1 THEN\nRETURN\nELSE\nTALK 1\nEND IF\nTALK 2",
            ["1:1 error IF is a word of the language, it cannot be a variable"],
            id="the first line of a condition",
        ),
        pytest.param(
            "IF user = 1 THEN\nTALK 1\nELSEIF user = THEN\nTALK 2\nEND IF",
            ["3:15 error expected a value here, not THEN"],
            id="a condition amidst",
        ),
        pytest.param(
            "WHILE user\nGOTO out\nout:\nTALK 1", ["1:1 error this WHILE is not closed (it needs WEND)"], id="label"
        ),
        pytest.param(
            "x = [\n{a: 1 b: 2},\n{a: 3},\n]\nTALK x", ["2:7 error expected , or } here, not b"], id="lines of a list"
        ),
        pytest.param(
            "{a: 1},\n{a: 2}\n]\nTALK 1", ["1:1 error a statement cannot begin with {"], id="a list without beginning"
        ),
        pytest.param(
            "SELECT CASE user +\nCASE 1\nTALK 1\nCASE ELSE\nTALK 2\nEND SELECT",
            ["1:18 error expected a value after +, not the end of the line"],
            id="the first line of SELECT",
        ),
        pytest.param(
            "CASE 1\nCASE ELSE\nEND SELECT\nTALK 1", ["1:1 error this CASE has no SELECT before it"], id="CASE"
        ),
        pytest.param(
            "FOR i = 1 TO 3\nIF i = 1 THEN\nNEXT\nEND IF",
            ["2:1 error this IF is not closed (it needs END IF before line 3)"],
            id="crossed blocks",
        ),
        pytest.param(
            "BEGIN TALK\n| a |\nEND SUB\nx = 1 2",
            [
                "1:1 error this BEGIN TALK is not closed (it needs a line END TALK)",
                "3:1 error this END SUB has no SUB before it",
                f"4:7 error 2 means nothing here ({SEPARATE})",
            ],
            id="a text block",
        ),
    ],
)
def test_nothing_is_told_that_only_follows(source: str, expected: list[str]) -> None:
    assert told(source) == expected


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("FRO i = 1 TO 3\nTALK i\nEXIT FOR\nNEXT", "1:1 error there is no statement FRO (did you mean FOR?)"),
        ("FOR i = 1 TO 3\nTALK i\nNETX i", "3:1 error there is no NETX (did you mean NEXT?)"),
        ("IF user THEN\nTALK 1\nNED IF\nTALK 2", "3:1 error there is no NED IF (did you mean END IF?)"),
        ("IF user THEN\nTALK 1\nEND FI\nTALK 2", "3:1 error there is no END FI (did you mean END IF?)"),
        (
            "IF user THEN\nTALK 1\nESLE IF bot THEN\nTALK 2\nEND IF",
            "3:1 error there is no ESLE IF (did you mean ELSEIF?)",
        ),
        ("DO WHILE user\nTALK 1\nEND DO", "3:1 error there is no END DO (did you mean LOOP?)"),
        ("SELECT user\nCSAE 1\nTALK 1\nEND SELECT", "2:1 error there is no CSAE (did you mean CASE?)"),
        ("EBGIN TALK\n| a's |\nEND TALK\nTALK 1", "1:1 error there is no statement EBGIN (did you mean BEGIN?)"),
        ("BEGIN TLAK\nit is\nEND TALK\nTALK 1", "1:7 error there is no BEGIN TLAK (did you mean BEGIN TALK?)"),
        ("BEGIN TALK\n| a's |\nEDN TALK\nTALK 1", "1:1 error this BEGIN TALK is not closed (it needs a line END TALK)"),
        ("END TALK", "1:1 error this END TALK has no BEGIN before it"),
        ('IF user = 1 TALK "a"', "1:13 error expected THEN after the condition of IF, not TALK"),
        ("IF (user = 1 THEN\nTALK 1\nEND IF", "1:4 error this ( is not closed (it needs ))"),
        ('SAY "a"', "1:1 error there is no statement SAY (did you mean TALK?)"),
        ("INPUT x", "1:1 error there is no statement INPUT (did you mean HEAR?)"),
        ("next = 1", "1:1 error NEXT is a word of the language, it cannot be a variable"),
        ("end = 1", "1:1 error END is a word of the language, it cannot be a variable"),
        ("IF user => 5 THEN TALK 1", "1:10 error expected a value here, not > (write >=)"),
        ("x = 2 ** 3", "1:8 error expected a value here, not * (write ^)"),
        ("x == 5", "1:1 error there is no statement X (one = stores a value; == compares, in a condition)"),
        ("x++", "1:1 error there is no statement X (to add one write += 1)"),
        ('ADD SUGESTION "a"', "1:1 error there is no statement ADD (did you mean ADD SUGGESTION?)"),
        ('SET BOT MEMROY "a", 1', "1:1 error SET takes at least 2 values, not 1 (did you mean SET BOT MEMORY?)"),
        ('x = GET BOT MEMROY "a"', "1:13 error MEMROY means nothing here (did you mean GET BOT MEMORY?)"),
        ("CLEAR SUGESTIONS", "1:1 error there is no statement CLEAR (did you mean CLEAR SUGGESTIONS?)"),
        ("SET x 5", "1:1 error SET takes at least 2 values, not 1"),
        ("x = {\na: 1\nb: 2\n}\nTALK x.a", "2:4 error expected , or } behind this, not the end of the line"),
        ("x = [\n{a: 1},\n{a: 2}\n{a: 3}\n]\nTALK x", "3:6 error expected , or ] behind this, not the end of the line"),
        ("IF user THEN TALK 1 END IF", "1:21 error END means nothing here (an IF of one line has no END IF)"),
        ("DO\nx = 1\nLOOP\nUNTIL x", "4:1 error there is no statement UNTIL (did you mean LOOP UNTIL?)"),
        ("CALL", "1:1 error CALL alone is not a statement"),
        ("CALL 5", "1:1 error there is no statement CALL"),
        ("10 TALK 1", "1:1 error a statement cannot begin with 10 (lines have no numbers; GOTO goes to a label)"),
        ("-- note", "1:1 error a statement cannot begin with - (a comment begins with ' or //)"),
        ("x = 1 : y = 2", "1:7 error : means nothing here (each statement stands on its own line)"),
        ("FOR i IN 1 TO 3\nNEXT", "1:12 error FOR … IN goes through a list (to count write FOR i = 1 TO 10)"),
        ("HEAR x AS INTEGER DEFALT 3", "1:19 error DEFALT means nothing here (did you mean DEFAULT?)"),
        ('TALK "a", user', "1:1 error TALK takes 1 value, not 2 (to make one of several write + between them)"),
        ('TALK "a" +\nTALK "b"', "1:10 error expected a value after +, not the end of the line"),
        ("HEAR x WITH\nTALK x", "1:8 error expected a value after WITH, not the end of the line"),
        ("WITH o\n.a =\nEND WITH\nTALK o.a", "2:4 error expected a value after =, not the end of the line"),
        ("WITH o\n.a = 1\nTALK o.a", "1:1 error this WITH is not closed (it needs END WITH before line 3)"),
        ("TALK “Hello” + “you”\nTALK 1", f"1:6 error the character “ means nothing here ({STRAIGHT})"),
        ("HEAR x WITH “Who?”\nTALK x", f"1:13 error the character “ means nothing here ({STRAIGHT})"),
        ("’ note", "1:1 error the character ’ means nothing here (a comment begins with a straight ')"),
        (
            'TALK "${user"',
            "1:7 error this ${ is not closed on its line (it needs a }; write \\${ for the two characters themselves)",
        ),
        (
            "TALK 1\rTALK 2",
            "1:8 error TALK means nothing here (save the file with LF or CRLF at the ends of its lines)",
        ),
        (
            'PARAM c AS STRING ENUM ["red", blue]',
            f'1:32 error {CHOICE} ("blue" in quotes, if the text is meant)',
        ),
        (
            'PARAM c AS STRING ENUM ["red", "${x}"]',
            f"1:32 error {CHOICE} (a variable, a calculation or ${{…}} has no value yet where the choices are told)",
        ),
        (
            "PARAM c AS STRING ENUM []",
            '1:24 error expected a list of choices after ENUM (for example ENUM ["small", "large"])',
        ),
        ("TALK\x00\x00 1", "1:5 error the character U+0000 means nothing here"),
        ("π = 3\nTALK π * ×", "2:10 error the character × means nothing here"),
    ],
)
def test_what_beginners_write(source: str, hint: str) -> None:
    assert told(source) == [hint]


def test_what_is_like_the_end_of_a_block_is_none() -> None:
    blocks = [
        "IF user THEN\n{}\nEND IF",
        "DO\n{}\nLOOP",
        "SELECT user\nCASE 1\n{}\nEND SELECT",
        "TRY\n{}\nCATCH\nEND TRY",
    ]
    statements = [f'{row.phrase} "a"' for row in TABLE] + ["elso = 1", "nxet.a = 1", "looop[0] = 1", "caste(1)"]
    for block, statement in product(blocks, statements):
        assert "there is no" not in " ".join(errors(block.format(statement))), statement


@pytest.mark.parametrize(
    "source",
    [
        "BEGIN TALK\n" * 20_000,
        "BEGIN TALK\nend" + "_" * 500_000 + "\nsub a(" + ")" * 400_000 + "x",
        'TALK "a\n' * 50_000,
        '"' + "\n" * 100_000 + 'a"' + ' "' * 50_000,
        "x = [\n" + "{a: 1},\n" * 50_000,
        "IF x THEN\n" * 30 + "CSAE IF\n" * 50_000,
    ],
    ids=["blocks", "ends", "texts", "one text", "list", "misspelt"],
)
def test_a_large_wrong_script_is_told_of_soon(source: str) -> None:
    assert errors(source)


@pytest.mark.parametrize(
    ("source", "caret"),
    [
        pytest.param("\tTALK\t1 2", "    \t    \t  ^", id="tabs"),
        pytest.param('TALK "日本" 5', "          \u3000\u3000  ^", id="wide characters"),
    ],
)
def test_the_caret_stands_below_the_place(source: str, caret: str) -> None:
    [problem] = check_script(source, "t.bas", KNOWN)
    assert problem.render(source).split("\n")[2] == caret


def test_the_place_in_a_line_of_5000_columns_is_shown() -> None:
    source = f'TALK "{"b" * 5000}" 5'
    [problem] = check_script(source, "t.bas", KNOWN)
    _, line, caret, _ = problem.render(source).split("\n")
    assert len(line) < 120
    assert line[caret.index("^")] == "5"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_script_is_too_wrong_to_be_checked(data: st.DataObject) -> None:
    script = data.draw(st.sampled_from(SCRIPTS))
    first = data.draw(st.integers(0, len(script)))
    last = min(len(script), first + data.draw(st.integers(0, 60)))
    put = data.draw(
        st.sampled_from(["", '"', "${", "(", "\n", "END IF\n", "IF x THEN\n", "“", "{", "}", "\x00", "x ="])
    )
    source = script[:first] + put + script[last:]
    lines = source.split("\n")
    for problem in check_script(source, "t.bas", KNOWN):
        assert 1 <= problem.at.line <= len(lines)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1
        problem.render(source)
