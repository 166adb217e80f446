"""The authors' documentation says what is: its scripts compile and run, its lists are those of the code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.basic.checks import check_script
from actors.basic.errors import CODES, MEANINGS
from actors.basic.functions import FUNCTIONS
from actors.basic.hearing import NEEDS_SERVICE
from actors.basic.host import FUNCTIONS_TO_COME, OWN_FUNCTIONS
from actors.basic.keywords import HEAR_TYPES, TABLE
from actors.basic.limits import Limits
from actors.basic.tools import PARAM_TYPES
from botswain.chats import parse_chat, play
from botswain.packages.checking import check_package
from botswain.rehearsal import Rehearsal
from edge.theme import safe_css
from schemas.package import BotPackage
from tests.docs.reading import AUTHORS, ROOT, Block, blocks, section

LANGUAGE = AUTHORS / "language.md"
SCRIPTS = [block for file in sorted(AUTHORS.glob("*.md")) for block in blocks(file, "basic")]
MAX_SCRIPT_BYTES = 250_000


def named(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("block", SCRIPTS, ids=named)
def test_scripts_compile(block: Block) -> None:
    problems = [problem for problem in check_script(block.text, "start") if problem.severity == "error"]
    assert not problems, "\n".join(problem.render(block.text) for problem in problems)


@pytest.mark.parametrize("block", SCRIPTS, ids=named)
def test_scripts_run(block: Block) -> None:
    """Up to the end or the first question, without an error."""
    config = {"param-shop": "Shop", "param-currency": "€"}
    package = BotPackage(name="docs", scripts={"start": block.text}, config=config, theme="")
    stage = Rehearsal.of(package, datetime(2026, 3, 2, 9, tzinfo=UTC), Limits())
    stage.begin("ada", "web", "en")
    assert stage.take_errors() == []


def test_first_bot(tmp_path: Path) -> None:
    """The files of the first bot, each as it is written last, are a bot that does what its test says."""
    folder = tmp_path / "flowers.gbai"
    places = {"basic": folder / "flowers.gbdialog", "csv": folder / "flowers.gbot", "chat": folder}
    for block in blocks(AUTHORS / "first-bot.md"):
        if block.name and block.language in places:
            places[block.language].mkdir(parents=True, exist_ok=True)
            (places[block.language] / block.name).write_text(block.text, "utf-8")
    draft = check_package(folder, MAX_SCRIPT_BYTES)
    assert [fault.text for fault in draft.faults] == []
    played = play(parse_chat(folder / "order.chat"), draft.package, lambda bot, now: Rehearsal.of(bot, now, Limits()))
    assert played.difference == ""
    assert f"({played.messages} messages)" in (AUTHORS / "first-bot.md").read_text("utf-8")


def test_first_mistake() -> None:
    """The mistake that the first bot is led into looks as it is shown there."""
    tutorial = AUTHORS / "first-bot.md"
    source = blocks(tutorial, "basic")[0].text.replace("HEAR amount", "HAER amount")
    (problem,) = check_script(source, "bots/flowers.gbai/flowers.gbdialog/start.bas")
    assert problem.render(source) in tutorial.read_text("utf-8")


def words_of(text: str, pattern: str) -> list[str]:
    """All that *pattern* finds in the first cells of tables, in lower case."""
    cells = re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE)
    return [found.lower() for cell in cells for found in re.findall(pattern, cell)]


def test_functions_are_listed() -> None:
    documented = words_of(section(LANGUAGE, "Functions"), r"`([A-Z_0-9]+)\(")
    expected = set(FUNCTIONS) | OWN_FUNCTIONS | {"if", "iif"}
    assert set(documented) == expected


def test_keywords_not_there_yet_are_listed() -> None:
    text = section(LANGUAGE, "Not there yet").split("Neither do")[0]
    documented = [phrase.lower() for phrase in re.findall(r"`([A-Z0-9 ]+)`", text)]
    expected = [row.phrase for row in TABLE if row.handler is None and row.function is None]
    assert sorted(documented) == sorted(expected + ["e_config"] * ("e_config" in documented))


def test_functions_not_there_yet_are_listed() -> None:
    text = section(LANGUAGE, "Not there yet").split("Neither do")[1]
    documented = {name.lower() for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", text)}
    assert documented - {"e_config"} == FUNCTIONS_TO_COME


def test_keywords_that_work_are_described() -> None:
    content = LANGUAGE.read_text("utf-8").split("## Not there yet")[0]
    written = " ".join(re.findall(r"`[^`\n]+`", content)) + " ".join(block.text for block in blocks(LANGUAGE))
    for row in TABLE:
        if row.handler is not None or row.function is not None:
            assert re.search(rf"(?<![A-Z]){row.phrase.upper()}(?![A-Z])", written), row.phrase


def test_hear_types_are_listed() -> None:
    documented = words_of(section(LANGUAGE, "HEAR"), r"`([A-Z]+)`")
    assert sorted(documented) == sorted(HEAR_TYPES)
    assert HEAR_TYPES >= NEEDS_SERVICE


def test_parameter_types_are_listed() -> None:
    found = re.search(r"Types:\s+`([A-Z\s]+)`", section(LANGUAGE, "Procedures and scripts"))
    assert found is not None
    assert set(found[1].lower().split()) == set(PARAM_TYPES) - {"enum"}


def test_error_codes_are_listed() -> None:
    rows = re.findall(r"^\| `(E_\w+)` \| (\d+) \|", section(LANGUAGE, "Errors"), re.MULTILINE)
    assert {code: int(number) for code, number in rows} == CODES
    told = re.findall(r"^\| `(E_\w+)` \| \d+ \| (.*) \|$", section(LANGUAGE, "Errors"), re.MULTILINE)
    plain = {code: re.sub(r"`|\[([^]]*)\]\([^)]*\)", r"\1", meaning) for code, meaning in told}
    assert plain == MEANINGS


def test_limits_are_listed() -> None:
    text = section(LANGUAGE, "Limits")
    assert set(re.findall(r"`BOTSWAIN_BASIC__([A-Z_]+)`", text)) == {name.upper() for name in Limits.__slots__}
    for number in (Limits().max_steps, Limits().max_depth, Limits().max_messages, Limits().max_output):
        assert f"{number:,}" in text


def test_settings_of_a_bot_are_listed() -> None:
    """Every name that the code asks a package for."""
    documented = words_of(section(AUTHORS / "packages.md", "Settings").split("###")[0], r"`([a-z-]+)`")
    asked: set[str] = set()
    for folder in ("actors", "botswain", "edge"):
        for file in (ROOT / folder).rglob("*.py"):
            asked |= set(re.findall(r'(?:setting|settings\.get)\("([a-z-]+)"\s*[,)]', file.read_text("utf-8")))
    budgets = {"basic-" + name.replace("_", "-") for name in Limits.__slots__ if name.startswith("max_")}
    assert set(documented) == asked | budgets | {"param-x"}


@pytest.mark.parametrize("block", [block for file in AUTHORS.glob("*.md") for block in blocks(file, "chat")], ids=named)
def test_chats_can_be_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "a.chat"
    file.write_text(block.text, "utf-8")
    assert parse_chat(file).steps


@pytest.mark.parametrize("block", [block for file in AUTHORS.glob("*.md") for block in blocks(file, "css")], ids=named)
def test_themes_are_used(block: Block) -> None:
    used = safe_css(block.text)
    assert used
    assert not used.startswith("/*")
    ours = (ROOT / "edge" / "static" / "chat.css").read_text("utf-8")
    for name in re.findall(r"(--[a-z-]+):", block.text):
        assert f"  {name}:" in ours, f"{name} means nothing"
