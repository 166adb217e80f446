"""The operators' and client builders' documentation names what the code has: tables, figures, codes, limits."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry

from botswain.figures import WorkerFigures
from edge.metrics import Metrics
from edge.settings import EdgeSettings
from schemas.topics import TOPICS
from tests.docs.reading import ROOT, section

DOCS = ROOT / "docs"


def sources(*folders: str) -> str:
    """All Python of *folders* as one text."""
    return "\n".join(file.read_text("utf-8") for folder in folders for file in (ROOT / folder).rglob("*.py"))


def cells(text: str, column: int = 0) -> str:
    """One column of all tables."""
    rows = [re.split(r" \| ", line[2:-2]) for line in text.splitlines() if line.startswith("| ")]
    return "\n".join(row[column] for row in rows if len(row) > column)


def test_every_table_of_the_database_is_explained() -> None:
    made = set[str]()
    for file in (ROOT / "migrations").glob("*.sql"):
        made |= set(re.findall(r"^CREATE TABLE (\w+)", file.read_text("utf-8"), re.MULTILINE))
    explained = set(re.findall(r"`(\w+)`", cells((DOCS / "operators" / "backup.md").read_text("utf-8"))))
    assert made | {"migrations"} <= explained


def test_every_figure_is_explained() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    WorkerFigures(registry)
    names = {family.name for family in registry.collect() if family.name.startswith("botswain_")}
    explained = re.findall(
        r"`(botswain_\w+?)(?:_total)?(?:\{[a-z,]+\})?`", cells(section(DOCS / "operators" / "watching.md", "Figures"))
    )
    assert set(explained) == names


def test_every_error_code_of_the_chat_is_explained() -> None:
    web = "\n".join((ROOT / "edge" / name).read_text("utf-8") for name in ("web.py", "frames.py"))
    used = set(re.findall(r"(?:refuse|Refusal|_turn_away)\(\s*(?:send, )?\"(\w+)\"", web))
    page = DOCS / "web-protocol.md"
    assert set(re.findall(r"`(\w+)`", cells(section(page, "Errors")))) - {"code"} == used
    closing = cells(section(page, "Closing"))
    for code in re.findall(r"^[A-Z_]+: Final = (1\d{3})$", web, re.MULTILINE):
        assert code in closing


def test_every_frame_of_the_chat_is_explained() -> None:
    page = DOCS / "web-protocol.md"
    served = set(re.findall(r"\"type\":\s?\"(\w+)\"", (ROOT / "edge" / "frames.py").read_text("utf-8")))
    assert set(re.findall(r"`\{\"type\":\"(\w+)\"", cells(section(page, "From the server")))) == served
    taken = set(re.findall(r"`\{\"type\":\"(\w+)\"", cells(section(page, "From the client"))))
    assert taken == {"message", "typing"}


def test_limits_of_the_chat_are_those_of_the_settings() -> None:
    text = section(DOCS / "web-protocol.md", "Limits")
    for name in re.findall(r"`BOTSWAIN_EDGE__([A-Z_]+)`", text):
        default = EdgeSettings.model_fields[name.lower()].default
        shown = f"{default // 86400} days" if name == "TOKEN_MAX_AGE_S" else f"{default:,g}" if default < 1e6 else ""
        assert re.search(rf"^\|.*{re.escape(shown)}.*{name}", text, re.MULTILINE), name


def test_numbers_of_partitions() -> None:
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    text = " ".join((DOCS / "operators" / "watching.md").read_text("utf-8").split())
    assert f"Up to {partitions['session']} workers" in text
    assert f"{partitions['channel.web']} edges" in text


def test_settings_that_are_named_exist() -> None:
    known = set(re.findall(r"`(BOTSWAIN_[A-Z_]+)`", (DOCS / "operators" / "settings.md").read_text("utf-8")))
    known |= {"BOTSWAIN_CONFIG", "BOTSWAIN_TEST_"}
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        named = set(re.findall(r"\bBOTSWAIN_[A-Z][A-Z_]+", page.read_text("utf-8")))
        assert named <= known, page


def test_messages_that_are_explained_are_said() -> None:
    """The fixed beginnings of messages in the list of troubles are in the code."""
    code = re.sub(r"\"\s*\n\s*f?\"", "", sources("botswain", "bus", "actors", "edge")).lower()
    for message in re.findall(r"`([^`]+)`", cells(section(DOCS / "operators" / "trouble.md", "Messages at the start"))):
        for part in re.split(r"…|\b8080\b|\b80\b|\b[NM]\b|`", message):
            words = part.strip(" .():;").lower()
            assert words in code.replace("`", ""), words
