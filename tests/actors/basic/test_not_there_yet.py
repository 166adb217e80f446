"""What the language has and we have not: `botswain check` warns of all of it, and a run that reaches it says so."""

from __future__ import annotations

import pytest

from actors.basic import check_script, nodes
from actors.basic.analyser import PREDEFINED, Names
from actors.basic.errors import ScriptErrors
from actors.basic.functions import FUNCTIONS
from actors.basic.hearing import NEEDS_SERVICE
from actors.basic.host import FUNCTIONS_TO_COME, OWN_FUNCTIONS, WITHOUT_ARGUMENTS
from actors.basic.keywords import TABLE, Row
from actors.basic.keywords.handlers import HANDLERS
from actors.basic.parser import parse
from actors.basic.statements import DECLARATIONS
from actors.basic.walk import nodes_of
from schemas.dialog import Failed
from tests.support.scripts import World, play


def warnings(source: str, name: str = "start", known: Names | None = None) -> list[str]:
    problems = check_script(source, name, known)
    assert [problem.message for problem in problems if problem.severity == "error"] == []
    return [problem.message for problem in problems]


def fails(phrase: str) -> str:
    return f"{phrase} is not there yet, a run that reaches it fails"


def written(row: Row) -> str:
    """A statement with the keyword and as many texts as it needs."""
    if row.phrase == "wait for response":
        return "WAIT FOR RESPONSE AS x"
    arguments = ", ".join(['"a"'] * row.least)
    return f"{'x = ' if row.use == 'expression' else ''}{row.phrase.upper()} {arguments}".strip()


@pytest.mark.parametrize("row", list(TABLE), ids=lambda row: row.phrase)
def test_every_keyword_works_or_says_that_it_does_not(row: Row) -> None:
    source = written(row)
    told, world = warnings(source), play(source)
    if row.function is not None or row.phrase in HANDLERS or row.phrase == "wait for response":
        assert not [each for each in told if "yet" in each]
        assert not (isinstance(world.outcome, Failed) and "yet" in world.outcome.message)
    else:
        assert fails(row.phrase.upper()) in told
        assert (world.failure.code, world.failure.message) == ("E_CONFIG", f"{row.phrase.upper()} is not there yet.")


FAILING = {
    "SET SCHEDULE": 'IF 1 < 2 THEN\nSET SCHEDULE "0 9 * * *"\nEND IF',
    "SCHEDULE IN": "SCHEDULE IN 5 MINUTES DO\nTALK 1\nEND SCHEDULE",
    "SELECT": "x = SELECT name FROM people",
    "BEGIN MAIL": 'BEGIN MAIL "a@example.com"\nSubject: b\n\nc\nEND MAIL',
    "GET of a web address": 'y = 1\nx = GET "https://example.com/${y}"',
    "GET of a file": 'x = GET "prices.csv"',
    "SET of a table": 'SET "t", "a=1", "b=2"',
    "SET SESSION of another session": 'SET SESSION "s", "k", 1',
    "GET SESSION of another session": 's = "1"\nx = GET SESSION s, "k"',
    **{f"HEAR AS {kind.upper()}": f"HEAR x AS {kind.upper()}" for kind in NEEDS_SERVICE},
    **{name.upper(): f"x = {name}()" for name in FUNCTIONS_TO_COME},
}


@pytest.mark.parametrize("phrase", FAILING)
def test_other_forms_say_that_they_are_not_there_yet(phrase: str) -> None:
    assert fails(phrase) in warnings(FAILING[phrase])
    failed = play(FAILING[phrase]).failure
    assert (failed.code, failed.message) == ("E_CONFIG", f"{phrase} is not there yet.")


@pytest.mark.parametrize(
    ("source", "phrase", "says"),
    [
        ('ON EVENT "paid" DO\nTALK 1\nEND ON', "ON", "ON EVENT"),
        ('ON FORM SUBMIT "contact" DO\nTALK 1\nEND ON', "ON", "ON FORM"),
        ('STEP "a": BOT "b" "c"', "STEP", "STEP"),
    ],
    ids=["event", "form", "step"],
)
def test_handlers_and_steps_say_that_they_are_not_there_yet(source: str, phrase: str, says: str) -> None:
    assert fails(phrase) in warnings(source)
    assert play(source).failure.message == f"{says} is not there yet."


IDLE = {
    "TABLE": "TABLE visits\nid guid key\nEND TABLE",
    "CREATE INDEX": "CREATE INDEX by_name ON people(name)",
    "SET SCHEDULE": 'SET SCHEDULE "0 9 * * *"',
    "WEBHOOK": 'WEBHOOK "orders"',
}


@pytest.mark.parametrize("phrase", IDLE)
def test_declarations_of_which_nothing_comes_are_warned_of(phrase: str) -> None:
    assert warnings(IDLE[phrase]) == [f"{phrase} is read and checked, and nothing comes of it yet"]
    assert play(IDLE[phrase] + "\nRETURN 5").result == 5


def test_no_other_declaration_is_passed_over() -> None:
    seen = {type(node) for source in IDLE.values() for node in nodes_of(*parse(source, "start").body)}
    assert set(DECLARATIONS) - seen == {nodes.Param, nodes.Description, nodes.Procedure}


def test_a_script_whose_event_never_comes_is_warned_of() -> None:
    assert warnings("TALK 1", "new-email") == ["nothing runs a script of the name new_email yet"]
    assert warnings("", "new-email") == []


@pytest.mark.parametrize("name", sorted(PREDEFINED))
def test_a_predefined_name_has_its_value_or_is_warned_of(name: str) -> None:
    told = warnings(f"x = {name}\nRETURN x IS NULL")
    world = World(f"x = {name}\nRETURN x IS NULL").begin(message="hi")
    is_null = (world.written() if name == "history" else world).result
    assert is_null is (told == [f"what sets {name} is not there yet, it is null"])


@pytest.mark.parametrize("name", ["history", "body", "on"])
def test_a_variable_of_a_predefined_name_is_a_variable(name: str) -> None:
    assert warnings(f"{name} = 5\nRETURN {name}") == []
    assert play(f"{name} = 5\nRETURN {name}").result == 5
    assert warnings(f"RETURN {name}", known=Names(variables=frozenset([name]))) == []
    assert play(f"RETURN {name}", config={f"param-{name}": "7"}).result == 7


def test_functions_without_arguments_need_no_brackets() -> None:
    assert warnings("RETURN SESSION_ID + BOT_ID + USER_ID") == []
    assert play("RETURN SESSION_ID + BOT_ID + USER_ID").result == "session-1testbotp1"
    for name in WITHOUT_ARGUMENTS & FUNCTIONS_TO_COME:
        assert warnings(f"RETURN {name}") == [fails(name.upper())]
        assert play(f"RETURN {name}").failure.message == f"{name.upper()} is not there yet."
    assert warnings("RETURN is_active") == ["is_active is read but never set, it is null"]


def test_a_script_may_stand_in_for_a_function_to_come() -> None:
    known = Names(scripts=frozenset(["is_active"]))
    assert warnings("RETURN is_active(1)", known=known) == []
    assert play({"start": "RETURN is_active(1)", "is_active": "RETURN 9"}).result == 9


def test_no_function_is_both_there_and_to_come() -> None:
    assert not FUNCTIONS_TO_COME & (FUNCTIONS.keys() | OWN_FUNCTIONS)


def test_wait_for_response_needs_a_name() -> None:
    with pytest.raises(ScriptErrors, match="needs AS and a name"):
        parse("WAIT FOR RESPONSE", "start")
