"""`*.chat` files: how they are read, played, and how a difference looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.basic.limits import Limits
from botswain.chats import ChatError, Played, parse_chat, play
from botswain.packages.checking import check_package
from botswain.packages.reading import find_packages
from botswain.rehearsal import Rehearsal
from schemas.package import BotPackage

BOTS = Path(__file__).parents[2] / "bots"

GREETER = BotPackage(
    name="greeter",
    scripts={
        "start": 'HEAR who WITH "Who are you?"\nTALK "Hello, ${who}!"\n'
        'HEAR drink AS "Tea", "Coffee" WITH "What will it be?"\nTALK "One ${drink}"\n'
        'WAIT 5\nTALK "Here it is, ${who}."\n'
    },
    config={"hear-timeout-secs": "600"},
)


def played(tmp_path: Path, text: str, bot: BotPackage = GREETER) -> Played:
    file = tmp_path / "talk.chat"
    file.write_text(text)
    return play(parse_chat(file), bot, lambda package, now: Rehearsal.of(package, now, Limits()))


def test_a_conversation_that_goes_as_written(tmp_path: Path) -> None:
    went = played(
        tmp_path,
        "# all forms\n@now 2026-03-01 10:00\n< Who are you?\n> ada\n< /Hello, [a-z]+!/\n<~ WHAT  will\n? Tea | Coffee\n"
        "> 2\n< ...\n< Here it is, ada.\n",
    )
    assert not went.difference, went.difference
    assert went.messages == 7


def test_a_difference_shows_what_was_expected_and_what_came(tmp_path: Path) -> None:
    went = played(tmp_path, "< Who are you?\n> ada\n< Good day, ada!\n< What will it be?\n? Tea | Milk\n")
    assert went.line == 3
    assert went.difference.splitlines() == [
        "  > ada",
        "  - Good day, ada!",
        "  - What will it be?",
        "  -   ? Tea | Milk",
        "  + Hello, ada!",
        "  + What will it be?",
        "  +   ? Tea | Coffee",
    ]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        pytest.param("< Who are you?\n< And more\n", "- And more", id="missing"),
        pytest.param("< Who are you?\n> ada\n< Hello, ada!\n", "+ What will it be?", id="surplus"),
        pytest.param("> ada\n< ...\n", "+ Who are you?", id="surplus-before-the-person"),
    ],
)
def test_missing_and_surplus_messages_are_differences(tmp_path: Path, text: str, mark: str) -> None:
    assert mark in played(tmp_path, text).difference


def test_time_passes_where_the_file_says_so(tmp_path: Path) -> None:
    asked = "< Who are you?\n"
    assert not played(tmp_path, asked + "@wait 9 min\n> ada\n< ...\n").difference
    late = played(tmp_path, asked + "@wait 11 min\n> ada\n< Hello, ada!\n< What will it be?\n")
    assert late.difference


def test_a_failing_script_is_told_to_its_author(tmp_path: Path) -> None:
    bot = BotPackage(name="broken", scripts={"start": 'TALK "hi"\nx = 1 / 0\n'})
    went = played(tmp_path, "< hi\n< ...\n", bot)
    assert went.difference.splitlines()[-3:] == [
        "  ! start.bas:2:7: E_DIV0: Division by zero.",
        "  !     x = 1 / 0",
        "  !           ^",
    ]


def test_memory_is_shared_by_the_conversations_of_a_file(tmp_path: Path) -> None:
    bot = BotPackage(
        name="counter", scripts={"start": 'n = VAL(GET BOT MEMORY("n")) + 1\nSET BOT MEMORY "n", n\nTALK "${n}"\n'}
    )
    assert not played(tmp_path, "< 1\n@new\n< 2\n@new person=bob\n< 3\n", bot).difference


def test_settings_of_the_bot_can_be_set_for_a_file(tmp_path: Path) -> None:
    bot = BotPackage(name="shop", scripts={"start": 'TALK "${city}"\n'}, config={"param-city": "Faro"})
    assert not played(tmp_path, "@config param-city = Porto\n< Porto\n", bot).difference


def test_the_same_conversation_always_goes_the_same_way(tmp_path: Path) -> None:
    bot = BotPackage(name="dice", scripts={"start": 'TALK "${RANDOM(1, 1000000)}"\nHEAR x\nTALK "${UUID()}"\n'})
    file = tmp_path / "talk.chat"
    file.write_text("> again\n")
    differences = {
        play(parse_chat(file), bot, lambda package, now: Rehearsal.of(package, now, Limits())).difference
        for _ in range(3)
    }
    assert len(differences) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("hello\n", ":1: a line begins with", id="no-mark"),
        pytest.param("< hi\n\n< /(/\n", ":3: ", id="no-regular-expression"),
        pytest.param("? a | b\n", "belong to the line that the bot says", id="suggestions-of-nothing"),
        pytest.param("@sleep 3 s\n", "there are @now", id="no-such-direction"),
        pytest.param("@wait long\n", "write @wait 30 s", id="no-duration"),
        pytest.param("@new who=bob\n", "@new takes person= and channel=", id="no-such-option"),
    ],
)
def test_a_line_that_means_nothing_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "talk.chat").write_text(text)
    with pytest.raises(ChatError, match=r"talk\.chat") as error:
        parse_chat(tmp_path / "talk.chat")
    assert said in str(error.value)


@pytest.mark.parametrize("folder", find_packages(BOTS), ids=lambda folder: folder.stem)
def test_example_bots_compile_without_a_warning(folder: Path) -> None:
    assert not check_package(folder, 1_000_000).faults


@pytest.mark.parametrize("file", sorted(BOTS.rglob("*.chat")), ids=lambda file: f"{file.parent.stem}-{file.stem}")
def test_example_bots_say_what_they_should(file: Path) -> None:
    draft = check_package(next(folder for folder in file.parents if folder.suffix == ".gbai"), 1_000_000)
    went = play(parse_chat(file), draft.package, lambda package, now: Rehearsal.of(package, now, Limits()))
    assert not went.difference, f"{file}:{went.line}\n{went.difference}"


def test_history_has_what_was_said_and_no_secret(tmp_path: Path) -> None:
    script = 'HEAR x AS PASSWORD WITH "Password?"\nHEAR y WITH "Well?"\nTALK "Hm"\nTALK history\nTALK "Done"\n'
    bot = BotPackage(name="discreet", scripts={"start": script})
    told = r"/Bot: Password\?\s+User: •+\s+Bot: Well\?\s+User: yes\s+Bot: Hm/"
    text = f"< Password?\n> open sesame\n< Well?\n> yes\n< Hm\n< {told}\n< Done\n"
    went = played(tmp_path, text, bot)
    assert not went.difference, went.difference
