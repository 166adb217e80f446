"""Budgets: whatever a script does, its turn ends, and says why and where."""

from __future__ import annotations

import time

import pytest

from actors.basic import Limits, check_package, compile_script
from actors.basic.errors import ScriptErrors
from schemas.dialog import ContextSet, Ended, Failed, Said, SuggestionAdded
from schemas.package import BotPackage
from tests.support.scripts import World, play

SMALL = Limits(max_steps=10_000, max_messages=20, max_output=2_000, max_memory=8 << 20, max_frame=20_000)

ENDLESS: dict[str, tuple[str, int]] = {
    "while": ("x = 1\nWHILE TRUE\nWEND", 2),
    "while with work": ("WHILE TRUE\n x = x + 1\nWEND", 1),
    "do": ("DO\nLOOP UNTIL FALSE", 1),
    "goto": ("again:\nGOTO again", 2),
    "for": ("FOR i = 1 TO 1000000000\nNEXT", 1),
    "for of fractions": ("FOR i = 0.5 TO 1e300\nNEXT", 1),
    "each": ("L = [1]\nFOR EACH x IN 900000\nNEXT", 2),
    "recursion": ("FUNCTION f(n)\n RETURN f(n + 1)\nEND FUNCTION\nx = f(1)", 1),
    "recursion that hears": ("FUNCTION f(n)\n x = f(n + 1)\n HEAR y\nEND FUNCTION\nx = f(1)", 2),
    "recursion by two": ("SUB a()\n CALL b()\nEND SUB\nSUB b()\n CALL a()\nEND SUB\nCALL a()", 4),
    "scripts": ('CALL "start"\nTALK "x"', 1),
    "scripts, last": ('CALL "start"', 1),
    "a loop that hears at last": ("WHILE TRUE\n IF x THEN HEAR y\nWEND", 1),
    "handler": ("ON ERROR GOTO oops\noops:\nx = 1 / 0", 3),
    "resumed": ("ON ERROR RESUME NEXT\nWHILE TRUE\n x = 1 / 0\nWEND", 3),
    "caught": ("TRY\n WHILE TRUE\n WEND\nCATCH e\n TALK e\nEND TRY", 2),
    "talk": ('WHILE TRUE\n TALK "x"\nWEND', 2),
    "much talk": ('FOR i = 1 TO 9\n TALK s\n s = s + s + "0123456789"\nNEXT', 2),
    "doubling": ('s = "x"\nWHILE TRUE\n s = s + s\nWEND', 3),
    "doubling in a template": ('s = "x"\nWHILE TRUE\n s = "${s}${s}"\nWEND', 3),
    "lists of texts": ('s = "x"\nFOR i = 1 TO 15\n s = s + s\nNEXT\nWHILE TRUE\n APPEND L, s + i\nWEND', 6),
    "a list that grows": ("L = [1]\nWHILE TRUE\n FOR EACH x IN L\n  L.PUSH(x)\n NEXT\nWEND", 3),
    "limits that are caught": ('WHILE TRUE\n TRY\n  x = REPEAT("a", 100000000)\n CATCH e\n END TRY\nWEND', 3),
    "print": ('WHILE TRUE\n PRINT "x"\nWEND', 2),
    "memory of the bot": ('WHILE TRUE\n SET BOT MEMORY "k", 1\nWEND', 2),
    "large texts": ('s = REPEAT("ab", 400000)\nWHILE TRUE\n APPEND L, LCASE(s)\nWEND', 3),
    "large texts by methods": ('s = REPEAT("ab", 400000)\nWHILE TRUE\n t = s.toUpperCase()\nWEND', 3),
    "texts that are looked at": ('s = REPEAT("ab", 400000)\nWHILE TRUE\n t = INSTR(s, "b")\nWEND', 3),
    "a text and its copy": ('s = REPEAT("ab", 400000)\nWHILE TRUE\n t = s\n s = s + "x"\nWEND', 4),
    "numbers": ("x = 3\nWHILE TRUE\n x = x * x\nWEND", 3),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_never_end_is_stopped_and_its_line_named(name: str) -> None:
    script, line = ENDLESS[name]
    began = time.process_time()
    world = World(script, limits=SMALL).begin()
    failure = world.failure
    assert failure.code == "E_LIMIT"
    assert failure.line == line, failure
    assert world.state is None or not world.state.runs
    assert time.process_time() - began < 5
    assert len(world.acts) <= 40


TEXT = 's = REPEAT("ab", 200000)\n'
LIST = "L = RANGE(1, 200000)\n"

COSTLY: dict[str, str] = {
    "sort": LIST + "WHILE TRUE\n x = SORT(L)\nWEND",
    "membership": LIST + "WHILE TRUE\n x = L CONTAINS -1\nWEND",
    "copies of a list": LIST + "WHILE TRUE\n x = L + L\nWEND",
    "each of a list": LIST + "WHILE TRUE\n FOR EACH x IN L LAST 1\n NEXT\nWEND",
    "JSON": LIST + "WHILE TRUE\n x = TOJSON(L)\nWEND",
    "JSON read": 's = "[" + REPEAT("1,", 100000) + "1]"\nWHILE TRUE\n x = s[5]\nWEND',
    "equal texts": TEXT + "t = LCASE(s)\nWHILE TRUE\n x = s = t\nWEND",
    "texts in order": TEXT + "t = LCASE(s)\nWHILE TRUE\n x = s < t\nWEND",
    "hash": TEXT + "WHILE TRUE\n x = HASH(s)\nWEND",
    "addresses": TEXT + "WHILE TRUE\n x = URLENCODE(s)\nWEND",
    "patterns": TEXT + "WHILE TRUE\n x = s LIKE '%a%a%c'\nWEND",
    "regular expressions": "s = REPEAT('ab', 2000)\nWHILE TRUE\n x = s MATCHES '(a|b)*c'\nWEND",
    "powers": "WHILE TRUE\n x = 7 ^ 4900\nWEND",
    "digits": "n = 2 ^ 13000\nWHILE TRUE\n x = STR(n)\nWEND",
}


@pytest.mark.parametrize("name", COSTLY)
def test_work_on_large_values_is_stopped_soon(name: str) -> None:
    began = time.process_time()
    failure = World(COSTLY[name]).begin().failure
    assert failure.code == "E_LIMIT"
    assert failure.line >= 3 or name == "powers"
    assert time.process_time() - began < 4


def test_a_turn_of_a_loop_is_as_long_as_what_is_in_it() -> None:
    script = "WHILE TRUE\n" + " x = x + 1\n" * 1_000 + "WEND"
    world = World(script, limits=Limits()).begin()
    assert world.failure.code == "E_LIMIT"
    assert World("FOR i = 1 TO 500\n" + " x = x + 1\n" * 1_000 + "NEXT\nRETURN x").begin().result == 500_000


def _steps(body: str, before: str, turns: int = 100) -> float:
    """The least budget of steps that a loop around *body* needs, by turn."""
    script = f"{before}\nFOR i = 1 TO {turns}\n{body}\nNEXT"
    low, high = 0, 1 << 20
    while high - low > turns // 4:
        middle = (low + high) // 2
        if isinstance(World(script, stored=False, limits=Limits(max_steps=middle)).begin().outcome, Failed):
            low = middle
        else:
            high = middle
    return high / turns


VALUES = 's = "the quick brown fox"\nf = 0.5\nn = 7\nL = [3, 1, 2]\nm = NOW\nd = "2026-01-05"\no.a = 1'

PRICES: dict[str, tuple[str, float]] = {
    "nothing": ("", 1),
    "an assignment": ("x = 1", 1),
    "a sum": ("t = t + i", 1),
    "sums": ("x = f + f + f + f + f", 4),
    "a branch": ("IF n = 7 THEN\n x = f + f + f + f + f\nEND IF", 5),
    "a text that grows": ('s = s + "x"\n' * 16, 18),
    "fractions to count with": ("FOR k = 0.5 TO 10\nNEXT", 21),
    "a member": ("x = o.a", 2),
    "a list": ("x = [1, 2, 3]", 3),
    "its elements": ("FOR EACH x IN L\nNEXT", 7),
    "a short function": ("x = UCASE(s)", 5),
    "a function": ("x = CHR(65)", 13),
    "chance": ("x = RND()", 5),
    "UUID": ("x = UUID()", 33),
    "FORMAT": ('x = FORMAT(f, "0.00")', 116),
    "a name without brackets": ("x = UUID", 37),
    "dates": ("x = m < d", 78),
    "SORT": ("x = SORT(L)", 80),
    "JSON": ("x = TOJSON(L)", 89),
    "a pattern": ('x = s LIKE "%q?ick%"', 80),
    "a regular expression": ('x = s MATCHES "q[a-z]+k"', 500),
    "an error": ("TRY\n x = 1 / 0\nCATCH e\nEND TRY", 100),
    "a procedure that can wait": ("CALL a()", 75),
    "a loop that can wait": ("IF q THEN HEAR x", 20),
    "branches that can wait and are not taken": ("IF q THEN HEAR x\n" * 10, 100),
    "cases that can wait and are not taken": (
        "SELECT CASE n\n" + "".join(f"CASE {case}\nHEAR x\n" for case in range(20, 40)) + "END SELECT",
        125,
    ),
    "memory of the bot": ('SET BOT MEMORY "k", 1', 1_010),
}


@pytest.mark.parametrize("name", PRICES)
def test_what_takes_long_takes_many_steps(name: str) -> None:
    body, steps = PRICES[name]
    waits = "SUB a()\n IF q THEN HEAR y\nEND SUB\n" if "CALL" in body else ""
    found = _steps(body, waits + VALUES)
    assert found >= steps
    assert found <= 1.25 * steps + 3


@pytest.mark.parametrize("handling", ["ON ERROR RESUME NEXT\nx = 1 / 0", "TRY\n x = 1 / 0\nCATCH e\nEND TRY"])
def test_an_error_takes_more_steps_in_a_long_script(handling: str) -> None:
    long = "IF q THEN\n" + "x = x + 1\n" * 500 + "END IF"
    assert _steps(handling, long) >= 2 * _steps(handling, "q = 0")


def test_steps_and_work_on_large_values_are_one_budget() -> None:
    script = "FOR i = 1 TO 6000\nNEXT\nL = RANGE(1, 6000)"
    assert World("FOR i = 1 TO 9000\nNEXT", limits=SMALL).begin().outcome == Ended()
    assert World("L = RANGE(1, 6000)", limits=SMALL).begin().outcome == Ended()
    assert World(script, limits=SMALL).begin().failure.code == "E_LIMIT"


def test_asking_the_database_gives_no_new_budget() -> None:
    script = 'WHILE TRUE\n x = GET BOT MEMORY("k")\n L = RANGE(1, 3000)\n n = n + 1\n IF n > 4 THEN RETURN n\nWEND'
    assert World(script, limits=SMALL).begin().failure.code == "E_LIMIT"
    assert World(script).begin().result == 5


def test_what_is_too_large_to_be_kept_is_blamed_on_the_wait() -> None:
    failure = World("L = RANGE(1, 5000)\nHEAR x", limits=SMALL).begin().failure
    assert (failure.code, failure.line) == ("E_LIMIT", 2)


def test_a_turn_may_take_exactly_its_steps() -> None:
    script = "FOR i = 1 TO 10000\nNEXT\nRETURN i"
    assert World(script, limits=SMALL).begin().result == 10_000
    assert World(script, {"basic-max-steps": "9999"}, limits=SMALL).begin().failure.code == "E_LIMIT"


def test_a_bot_cannot_raise_its_limits() -> None:
    world = World("FOR i = 1 TO 10001\nNEXT", {"basic-max-steps": "99999999"}, limits=SMALL).begin()
    assert world.failure.code == "E_LIMIT"


def test_steps_begin_anew_with_every_answer() -> None:
    script = "WHILE TRUE\n FOR i = 1 TO 6000\n NEXT\n HEAR x\nWEND"
    world = World(script, limits=SMALL).begin()
    for _ in range(5):
        world.answer("x")
    assert world.outcome is not None
    assert world.outcome.kind == "awaits_answer"


def test_what_a_run_keeps_while_it_waits_is_bounded() -> None:
    failure = World('FOR i = 1 TO 12\n s = s + s + "0123456789"\nNEXT\nHEAR x', limits=SMALL).begin().failure
    assert (failure.code, "while it waits" in failure.message) == ("E_LIMIT", True)


def test_a_procedure_of_many_levels_works() -> None:
    script = "FUNCTION f(n)\n IF n = 0 THEN RETURN 0\n RETURN 1 + f(n - 1)\nEND FUNCTION\nRETURN f(150)"
    assert play(script).result == 150
    heard = script.replace("RETURN 0", "RETURN VAL(HEAR)")
    assert play(heard.replace("VAL(HEAR)", "LEN(HEAR)"), "abc").result == 153


def test_procedures_that_wait_may_be_as_deep_as_the_limit_says() -> None:
    script = "FUNCTION f(n)\n IF n = 0 THEN HEAR x ELSE x = f(n - 1)\n RETURN x\nEND FUNCTION\nRETURN f(%d)"
    limits = Limits(max_depth=20)
    assert World(script % 18, limits=limits).begin().answer("down there").result == "down there"
    failure = World(script % 19, limits=limits).begin().failure
    assert (failure.code, "20 deep" in failure.message) == ("E_LIMIT", True)


def test_a_result_that_contains_itself_is_an_error() -> None:
    assert play("L = []\nAPPEND L, L\nRETURN L").failure.code == "E_LIMIT"


def test_an_endless_loop_is_stopped_soon_after_its_budget() -> None:
    world = World("WHILE TRUE\nWEND", stored=False)
    world.begin()
    began = time.process_time()
    world.begin()
    assert world.failure.code == "E_LIMIT"
    assert time.process_time() - began < 0.25  # 20 ms on a quiet machine; the bench measures it


def test_a_package_is_checked_whole() -> None:
    package = BotPackage(
        name="b", scripts={"start": 'TALK "a\n', "other": "EXIT FOR\nx = LLM 1\nGOTO nowhere", "fine": "TALK 1"}
    )
    problems = check_package(package)
    assert {problem.file for problem in problems if problem.severity == "error"} == {"start", "other"}
    with pytest.raises(ScriptErrors):
        compile_script("EXIT FOR", "x")


def test_a_procedure_without_the_values_that_it_takes_is_warned_of() -> None:
    source = "FUNCTION f(a)\nEND FUNCTION\nFUNCTION g\nEND FUNCTION\nTALK f\nTALK g"
    (problem,) = check_package(BotPackage(name="b", scripts={"start": source}))
    assert problem.message == "f is a procedure, without its values it is null"


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ('SET CONTEXT Menu AS "x"', "Menu"),
        ('SET CONTEXT menu.Today AS "x"', "menu.Today"),
        ('SET CONTEXT today AS "x"', "today"),  # a function, but no variable
        ('menu = "k"\nSET CONTEXT Menu AS "x"', "k"),
        ('SUB s(menu)\n SET CONTEXT menu AS "x"\nEND SUB\ns("given")', "given"),
        ('menu.a = "k"\nSET CONTEXT menu.a AS "x"', "k"),
        ('SET CONTEXT username AS "x"', "Pat"),
        ('SET CONTEXT err AS "x"', "0"),  # the number of the last error
    ],
)
def test_a_bare_name_that_is_no_variable_stands_for_its_own_text(script: str, name: str) -> None:
    (act,) = World(script).begin().acts
    assert isinstance(act, ContextSet)
    assert act.name == name


def test_what_is_remembered_under_a_bare_name_is_found_under_its_text() -> None:
    world = World(
        'SET BOT MEMORY Visits, 5\nTALK GET BOT MEMORY("Visits") + GET BOT MEMORY Visits\nADD SUGGESTION Yes\nHEAR x'
    )
    said, offered = world.begin().acts
    assert isinstance(said, Said)
    assert isinstance(offered, SuggestionAdded)
    assert (said.text, offered.suggestion.text) == ("10", "Yes")


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ('SET BOT MEMORY visits, VAL(GET BOT MEMORY("visits")) + 1\nRETURN GET BOT MEMORY("visits")', 1),
        ('REMEMBER city = HEAR\nRETURN RECALL "city"', "Faro"),
        ('REMEMBER city, "Porto", "30 days"\nRETURN RECALL city', "Porto"),
        ('SET SESSION place.city, HEAR\nRETURN GET SESSION "place.city"', "Faro"),
        ('k = "city"\nSET USER MEMORY k, HEAR\nRETURN GET USER MEMORY "city"', "Faro"),
        ('SET BOT MEMORY username, HEAR\nRETURN GET BOT MEMORY "Pat"', "Faro"),
        ('SET city, HEAR\nRETURN [city, GET SESSION "city"]', ["Faro", "Faro"]),
        ('city = "Porto"\nSET city, HEAR\nRETURN [city, GET SESSION "city"]', ["Faro", "Faro"]),
    ],
)
def test_a_bare_name_stands_for_its_text_also_where_what_follows_waits(script: str, result: object) -> None:
    assert play(script, "Faro").result == result


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("trip.city = HEAR\nRETURN trip", {"city": "Faro"}),
        ("HEAR trip.city\nRETURN trip", {"city": "Faro"}),
        ("WAIT FOR RESPONSE AS trip.city\nRETURN trip", {"city": "Faro"}),
        ('trip["city"] = HEAR\nRETURN trip', {"city": "Faro"}),
        ('trip.city = RECALL "city"\nRETURN trip', {"city": None}),
        ("PUSH cities, HEAR\nPUSH cities, 2\nRETURN cities", ["Faro", 2]),
        ("PUSH trip.cities, HEAR\nRETURN trip", {"cities": ["Faro"]}),
    ],
)
def test_what_was_never_set_can_be_written_into_also_where_the_value_waits(script: str, result: object) -> None:
    assert play(script, "Faro").result == result


def test_exists_knows_predefined_and_configured_names_and_fields() -> None:
    script = "x.a = 1\nRETURN [EXISTS(x), EXISTS(x.a), EXISTS(x.b), EXISTS(y), EXISTS(user), EXISTS(limit)]"
    world = play(script, config={"param-limit": "5"})
    assert world.result == [True, True, False, False, True, True]


NAMED = [
    "SET CONTEXT {} AS 1", "CLEAR CONTEXT {}", "ADD SUGGESTION {} AS 1", "SET SESSION {}, 1", "x = GET SESSION {}",
    "SET {}, 1", "x = GET {}", 'x = GET "config", {}', 'SET "session." + {}, 1', 'x = GET "session." + {}',
    'SET "user." + {}, 1', 'x = GET "user." + {}', 'SET "bot." + {}, 1', 'x = GET "bot." + {}', "SET BOT MEMORY {}, 1",
    "x = GET BOT MEMORY {}", "SET USER MEMORY {}, 1", "x = GET USER MEMORY {}", "SET USER FACT {}, 1",
    "REMEMBER {}, 1", "x = RECALL {}",
]  # fmt: skip


@pytest.mark.parametrize("statement", NAMED)
@pytest.mark.parametrize("name", ['""', "NULL", '" "', "a?.b", "a[0]"])
def test_what_has_a_name_needs_one(statement: str, name: str) -> None:
    world = World("a = []\n" + statement.format(name)).begin()
    assert (world.failure.code, world.failure.line, world.acts, world.memory) == ("E_VALUE", 2, [], {})
    assert "name" in world.failure.message


def test_what_is_set_by_a_prefix_is_found_by_it_whatever_blanks_there_are() -> None:
    script = 'SET " bot. k ", 1\nSET "user. k", 2\nRETURN [GET "bot. k ", GET "user. k", GET BOT MEMORY "k"]'
    assert World(script).begin().result == [1, 2, 1]


def test_exists_asks_also_for_what_takes_a_wait_to_read() -> None:
    script = (
        "x.a = 1\nRETURN [EXISTS(history), EXISTS(history.length), EXISTS(x[HEAR]), EXISTS(GET BOT MEMORY nothing)]"
    )
    assert play(script, "a").result == [True, True, True, False]


def test_a_suggestion_without_a_label_or_a_value_is_none() -> None:
    script = 'ADD SUGGESTION TEXT nothing AS "L"\nADD SUGGESTION TEXT "v" AS ""\nADD SUGGESTION TEXT "v" AS "L"'
    (offered,) = World(script).begin().acts
    assert isinstance(offered, SuggestionAdded)
    assert (offered.suggestion.text, offered.suggestion.value) == ("L", "v")


def test_an_object_is_no_file_to_send() -> None:
    assert World('SEND FILE {url: "https://example.com/a.pdf"}').begin().failure.code == "E_TYPE"


def test_a_function_that_is_given_no_list_does_not_speak_of_a_loop() -> None:
    failure = World('RETURN TAKE("abc", 2)').begin().failure
    assert (failure.code, failure.message) == ("E_TYPE", "A list is needed here; this text is not the JSON of one.")
