"""What the analyser finds: roles, the schema of a tool, what is used, and what is wrong or doubtful."""

from __future__ import annotations

import time

import pytest

from actors.basic.analyser import Analysis, Names, analyse, script_name
from actors.basic.errors import BasicError, Problem, ScriptErrors
from actors.basic.nodes import Span
from actors.basic.parser import parse
from actors.basic.schedule_text import complaint

BOT = Names(scripts=frozenset(["start", "book_table", "cancel"]), variables=frozenset(["host"]))


def found(source: str, name: str = "t.bas") -> Analysis:
    return analyse(parse(source, name), known=BOT)


def said(source: str) -> list[str]:
    """Every problem as ``line:column severity message (hint)``."""
    return [
        f"{each.at.line}:{each.at.column} {each.severity} {each.message}" + (f" ({each.hint})" if each.hint else "")
        for each in found(source).problems
    ]


@pytest.mark.parametrize(
    ("name", "source", "roles"),
    [
        pytest.param("Start.bas", "TALK 1", {"entry"}, id="entry"),
        pytest.param("t.bas", 'DESCRIPTION "x"', {"tool"}, id="tool by description"),
        pytest.param("t.bas", "PARAM a AS STRING\nTALK a", {"tool"}, id="tool by param"),
        pytest.param("t.bas", "TABLE a\n id guid key\nEND TABLE", {"schema"}, id="schema"),
        pytest.param("t.bas", 'SET SCHEDULE "0 9 * * *"\nWEBHOOK "x"', {"job", "endpoint"}, id="job and endpoint"),
        pytest.param("t.bas", 'IF a THEN\nSET SCHEDULE "0 9 * * *"\nEND IF', set(), id="conditional schedule"),
        pytest.param("new-session.bas", "PARAM a AS STRING", {"handler"}, id="handler by name"),
        pytest.param("t.bas", 'ON EVENT "x" DO\nEND ON', {"handler"}, id="handler by ON"),
        pytest.param("t.bas", "SUB a\nPARAM b AS STRING\nEND SUB", set(), id="param of a procedure"),
    ],
)
def test_roles(name: str, source: str, roles: set[str]) -> None:
    assert found(source, name).roles == roles


def test_the_schema_of_a_tool() -> None:
    source = """
        PARAM guests AS INTEGER LIKE 4 DESCRIPTION "How many"
        PARAM day AS DATE
        PARAM mood AS "calm", "loud"
        PARAM note AS STRING OPTIONAL
        PARAM factor AS NUMBER DEFAULT -1.5
        DESCRIPTION Books a table
        RETURN 1
        PARAM late AS STRING
    """
    analysis = found(source, "Book table.bas")
    assert analysis.function == {
        "type": "function",
        "function": {
            "name": "Book_table",
            "description": "Books a table",
            "parameters": {
                "type": "object",
                "properties": {
                    "guests": {"type": "integer", "description": "How many", "examples": [4]},
                    "day": {"type": "string", "format": "date"},
                    "mood": {"type": "string", "enum": ["calm", "loud"]},
                    "note": {"type": "string"},
                    "factor": {"type": "number", "default": -1.5},
                },
                "required": ["guests", "day", "mood"],
                "additionalProperties": False,
            },
        },
    }
    assert [each.name for each in analysis.parameters] == ["guests", "day", "mood", "note", "factor"]


def test_what_is_used() -> None:
    analysis = found("""
        CALL "/shop/Cancel.bas"
        CALL "cancel.bas"
        USE TOOL "Book-Table"
        USE KB "menu.gbkb"
        ON ERROR RESUME NEXT
        HEAR x
        TALK x
    """)
    assert analysis.scripts == {"cancel"}
    assert analysis.operations == {"/shop/Cancel.bas"}
    assert analysis.tools == {"book_table"}
    assert analysis.knowledge == {"menu"}
    assert analysis.effects == {"q", "s", "w", "m"}
    assert analysis.resumes_next


def test_what_suspends() -> None:
    analysis = found("""
        SUB asks
            HEAR x
        END SUB
        SUB calls
            CALL asks
        END SUB
        SUB runs_a_script
            y = cancel(1)
        END SUB
        SUB calculates
            z = LEN("a") + 1
            TALK z
        END SUB
    """)
    assert analysis.suspending == {"asks", "calls", "runs_a_script"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("SUB a\nEND SUB\nSUB a\nEND SUB", ["3:1 error a is defined in line 1 already"], id="duplicate"),
        pytest.param(
            "GOTO topp\ntop:",
            ["1:1 error there is no label topp to jump to from here (did you mean top?)"],
            id="no label",
        ),
        pytest.param(
            "x = 1\nIF x THEN\nin:\nEND IF\nGOTO in",
            [
                (
                    "5:1 error there is no label in to jump to from here"
                    " (a jump stays in its procedure and goes into no block)"
                )
            ],
            id="into a block",
        ),
        pytest.param("WHILE NOW\nGOTO out\nWEND\nout:", [], id="out of a block"),
        pytest.param("EXIT FOR", ["1:1 error there is no FOR around this EXIT FOR"], id="exit"),
        pytest.param("BREAK", ["1:1 error there is no loop around this BREAK"], id="break"),
        pytest.param("EXIT SUB", ["1:1 error this EXIT SUB is not in a SUB"], id="exit sub"),
        pytest.param("PARAM a AS TEXT\nPARAM a AS TEXT", ["2:1 error there is a second PARAM a"], id="param"),
        pytest.param("TABLE t\n a text\n A text\nEND TABLE", ["3:2 error there is a second field A"], id="field"),
        pytest.param(
            'SET SCHEDULE "0 25 * * *"',
            [
                (
                    "1:1 error 25 is no hour of a cron line: 0 to 23, *, lists, ranges and /steps"
                    ' (for example "0 9 * * 1-5" or "every weekday at 9am")'
                )
            ],
            id="schedule",
        ),
    ],
)
def test_errors(source: str, expected: list[str]) -> None:
    assert [each for each in said(source) if " error " in each] == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "city = 1\nTALK ciyt\nTALK ciyt",
            ["2:6 warning ciyt is read but never set, it is null (did you mean city?)"],
            id="name",
        ),
        pytest.param('TALK host + user.name + NOW + "${message}"', [], id="known names"),
        pytest.param("APPEND names, 1\nTALK names", [], id="append makes its list"),
        pytest.param('ADD SUGGESTION pizza AS "Pizza"', [], id="bare name"),
        pytest.param(
            "x = lenn(1)",
            ["1:5 warning there is no function, procedure or script lenn (did you mean len?)"],
            id="function",
        ),
        pytest.param("x = LEN(1, 2)", ["1:5 warning LEN takes 1 value, not 2"], id="arguments"),
        pytest.param(
            "SUB a(b)\nTALK b\nEND SUB\nCALL a(1, 2)",
            ["4:6 warning a takes 1 value, the others are lost"],
            id="surplus",
        ),
        pytest.param(
            'CALL "cancell.bas"',
            ['1:6 warning this bot has no script "cancell.bas" (did you mean cancel?)'],
            id="script",
        ),
        pytest.param("RETURN 1\nTALK 2\nTALK 3", ["2:1 warning nothing reaches this behind line 1"], id="unreachable"),
        pytest.param(
            "PARAM a AS TEXT\nRETURN a\nPARAM b AS TEXT",
            ["3:1 warning this begins a second tool behind the end in line 2; only the first can run"],
            id="second tool",
        ),
        pytest.param("IF TRUE THEN TALK 1", ["1:4 warning this condition is always the same"], id="constant"),
        pytest.param("FOR i = 1 TO 2\nNEXT j", ["2:6 warning this NEXT closes the loop of i, not of j"], id="next"),
        pytest.param(
            "PARAM a AS INTEGR",
            ["1:1 warning INTEGR is no type that PARAM a knows, it is taken as text (did you mean integer?)"],
            id="type",
        ),
        pytest.param(
            'x = TRANSLATE "a", "b"',
            ["1:5 warning TRANSLATE is not there yet, a run that reaches it fails"],
            id="not there yet",
        ),
    ],
)
def test_warnings(source: str, expected: list[str]) -> None:
    assert said(source) == expected


def test_what_a_person_wrote_in_a_filter() -> None:
    messages = [each.message for each in found('HEAR who\nx = FILTER "people", "name=" + who').problems]
    assert "what a person wrote (who) becomes part of this filter" in messages
    messages = [each.message for each in found('HEAR who\nx = FILTER "people", "name=${who}"').problems]
    assert "what a person wrote (who) becomes part of this filter" not in messages


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            'TLAK "x"',
            """
            t.bas:1:1: error: there is no statement TLAK
                TLAK "x"
                ^^^^
                hint: did you mean TALK?
            """,
            id="keyword",
        ),
        pytest.param(
            "IF a THEN\n\tx = (1 +\n\tFOR i = 1 TO 3\nEND IF",
            """
            t.bas:2:6: error: this ( is not closed
                \tx = (1 +
                \t    ^
                hint: it needs )
            t.bas:3:2: error: this FOR is not closed
                \tFOR i = 1 TO 3
                \t^^^
                hint: it needs NEXT before line 4
            """,
            id="not closed",
        ),
        pytest.param(
            'TALK "Hello ${name +}!"\nTALK "a" "b"',
            """
            t.bas:1:21: error: expected a value here, not the end of the ${…}
                TALK "Hello ${name +}!"
                                    ^
            t.bas:2:10: error: "b" means nothing here
                TALK "a" "b"
                         ^^^
                hint: a comma, an operator or a new line may be missing before it
            """,
            id="in a hole",
        ),
        pytest.param(
            "FOR i = 1\n  TALK i\nNEXT\nWAIT\nSET SESSION 1, 2, 3, 4\nEND WHILE",
            """
            t.bas:1:10: error: expected TO after the first number of FOR, not the end of the line
                FOR i = 1
                         ^
            t.bas:4:1: error: WAIT takes 1 value, not 0
                WAIT
                ^^^^
            t.bas:5:1: error: SET SESSION takes at most 3 values, not 4
                SET SESSION 1, 2, 3, 4
                ^^^
            t.bas:6:1: error: this END WHILE has no WHILE before it
                END WHILE
                ^^^
            """,
            id="all of them",
        ),
        pytest.param(
            "SELECT CASE a\n  TALK 1\n  CASE 1\n    FOR EACH b IN c\n  CASE ELSE\nEND SELECT",
            """
            t.bas:2:3: error: this stands before the first CASE of SELECT
                  TALK 1
                  ^^^^
            t.bas:4:5: error: this FOR is not closed
                    FOR EACH b IN c
                    ^^^
                hint: it needs NEXT before line 5
            """,
            id="crossed blocks",
        ),
    ],
)
def test_problems_are_shown_with_a_caret(source: str, expected: str) -> None:
    with pytest.raises(ScriptErrors) as caught:
        parse(source, "t.bas")
    shown = "\n".join(problem.render(source) for problem in caught.value.problems)
    lines = [line.removeprefix(" " * 12) for line in expected.strip("\n").split("\n")]
    assert shown == "\n".join(lines).rstrip()


def test_a_long_line_is_shown_around_the_place() -> None:
    line = "x = " + "a + " * 200 + "@"
    shown = Problem("error", "no", Span(1, len(line)), file="t.bas").render(line).split("\n")
    assert len(shown[1]) < 200
    assert shown[1][shown[2].index("^")] == "@"


def test_problems_end_somewhere() -> None:
    with pytest.raises(ScriptErrors) as caught:
        parse("bad bad\n" * 10_000, "t.bas")
    assert len(caught.value.problems) == 100


@pytest.mark.parametrize(
    "text",
    [
        *("0 9 * * *", "*/5 * * * * *", "0 9-17/2 1,15 jan-mar MON-fri", "every minute", "every 5 minutes"),
        *("every 2 hours", "hourly", "Weekly", "at 9am", "at 9:30am", "at 14:00", "at noon", "every monday"),
        *("every friday at midnight", "weekdays at 8am", "every weekday", "weekends at 10:00", "every day at 7pm"),
        *("every hour from 9am to 5pm", "business hours", "every 15 minutes during business hours", "2026-01-31 09:00"),
    ],
)
def test_times_of_schedules(text: str) -> None:
    assert complaint(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sometimes",
        "* * * *",
        "60 * * * *",
        "0 0 0 * *",
        "5-1 * * * *",
        "every 0 minutes",
        "at 25:00",
        "*/0 * * * *",
    ],
)
def test_no_times_of_schedules(text: str) -> None:
    assert complaint(text)


@pytest.mark.parametrize(
    ("written", "name"), [("Start.bas", "start"), ("a/b/New-Mail.BAS", "new_mail"), ("x.y", "x.y"), ("a\\b", "b")]
)
def test_names_of_scripts(written: str, name: str) -> None:
    assert script_name(written) == name


def test_an_error_of_a_run_says_where() -> None:
    assert str(BasicError("E_DIV0", "Division by zero.", 3, "start")) == "start:3: E_DIV0: Division by zero."
    assert str(BasicError("E_DIV0", "Division by zero.")) == "E_DIV0: Division by zero."


@pytest.mark.parametrize(
    "line",
    ["x = never + {n}", "x = f(never{n})", "HEAR x AS never", "x{n} = gone(1)"],
    ids=["name", "names", "type", "call"],
)
def test_a_long_script_is_looked_through_as_quickly_as_a_short_one_by_the_line(line: str) -> None:
    source = "\n".join(f"v{n} = {n}\n" + line.format(n=n) for n in range(4_000))
    began = time.process_time()
    assert found(source).problems
    assert time.process_time() - began < 4
