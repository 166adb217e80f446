"""Events on the wire: every version ever published still reads, and nothing published changes under its version."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from bus.codec import attributes, decode, encode
from bus.protocol import Record, Undecodable
from schemas import document
from schemas.catalog import EVENTS, TOPIC_EVENTS
from schemas.conversation import MessageReceived, Person
from schemas.dialog import RunRequested
from schemas.envelope import Event, Origin
from schemas.topics import TOPICS, partition_of

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = document.FOLDER


def record_of(path: Path) -> Record:
    data = path.read_bytes()
    content = json.loads(data)
    return Record(content["key"], content["type"], data)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_version_ever_published_still_reads(path: Path) -> None:
    event = decode(record_of(path))
    assert isinstance(event, Event), event
    assert path.stem.startswith(json.loads(path.read_bytes())["type"])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_read_is_written_back_with_nothing_lost(path: Path) -> None:
    record = record_of(path)
    event = decode(record)
    assert isinstance(event, Event)
    if event.type == record.type:
        assert decode(encode(event)) == event
        written, read = json.loads(encode(event).data), json.loads(record.data)
        defaults = {field.name: field.default for field in msgspec.structs.fields(event)}
        for name, value in read.items():
            if name in written:
                assert _plain(written[name]) == _plain(value)
            else:
                assert (tuple(value) if isinstance(value, list) else value) == defaults[name], name


def _plain(value: Any) -> Any:
    """*value* without what nested objects may write or not: fields that are null, or that came later and are empty."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner not in (None, 0, "", [])}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_every_event_has_a_golden_file_that_keeps_to_its_schema(type_: str) -> None:
    files = sorted(GOLDEN.glob(f"{type_}*.json"))
    assert files, f"add tests/schemas/golden/{type_}.json: a record as it is written today"
    schema = json.loads((PUBLISHED / f"{type_}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in files:
        jsonschema.validate(json.loads(path.read_bytes()), schema)


def test_documents_are_up_to_date() -> None:
    for name, content in document.published().items():
        assert (PUBLISHED / name).read_text("utf-8") == document.text_of(content), f"{name}: run `make events`"


@pytest.mark.parametrize("type_", sorted(EVENTS))
def test_nothing_published_changed_incompatibly(type_: str) -> None:
    old = json.loads((PUBLISHED / f"{type_}.schema.json").read_text("utf-8"))
    assert document.breaches(old, document.event_schema(EVENTS[type_])) == []


def test_every_topic_says_what_it_takes() -> None:
    assert {topic.name for topic in TOPICS} == set(TOPIC_EVENTS)


def _changed(change: str) -> dict[str, Any]:
    schema = copy.deepcopy(document.event_schema(MessageReceived))
    fields = schema["properties"]
    match change:
        case "field gone":
            del fields["text"]
        case "field required":
            schema["required"].append("slot")
        case "other type":
            fields["text"]["type"] = "integer"
        case "other nested type":
            schema["$defs"]["Person"]["properties"]["name"]["type"] = "integer"
        case "other format":
            fields["id"]["format"] = "ulid"
        case "no longer null":
            fields["slot"]["anyOf"].pop()
        case "optional field":
            fields["mood"] = {"type": "string", "default": ""}
        case "other default":
            fields["tenant"]["default"] = "somebody"
        case "better description":
            fields["text"]["description"] = "what was said"
    return schema


@pytest.mark.parametrize(
    "change",
    [
        "field gone",
        "field required",
        "other type",
        "other nested type",
        "other format",
        "no longer null",
        "other default",
    ],
)
def test_a_breaking_change_is_noticed_and_not_written(change: str, tmp_path: Path) -> None:
    schema = _changed(change)
    assert document.breaches(document.event_schema(MessageReceived), schema)
    # The other way round as well: the published file is what changed, and the program would break it.
    if document.breaches(schema, document.event_schema(MessageReceived)):
        file = tmp_path / "message.received.v1.schema.json"
        file.write_text(document.text_of(schema), "utf-8")
        assert document.main(tmp_path) == 1
        assert file.read_text("utf-8") == document.text_of(schema)


@pytest.mark.parametrize("change", ["optional field", "better description"])
def test_a_harmless_change_is_allowed(change: str) -> None:
    assert document.breaches(document.event_schema(MessageReceived), _changed(change)) == []


_RECEIVED = MessageReceived(
    id=UUID("0198f0a0-0000-7000-8000-000000000001"),
    at=datetime(2026, 5, 4, 12, 0, tzinfo=UTC),
    bot="pizza",
    bot_version="ab" * 32,
    key="0198f0a0-0000-7000-8000-0000000000aa",
    message_id="m1",
    channel="web",
    person=Person(id="p"),
    text="hello",
    origin=Origin("session", 3, 77, 0),
)


@given(st.text(), st.text(), st.text(min_size=1))
def test_any_text_survives(text: str, name: str, key: str) -> None:
    try:
        (text + name + key).encode()
    except UnicodeEncodeError:
        return  # half of a surrogate pair is no text; JSON and PostgreSQL refuse it as well
    event = replace(_RECEIVED, text=text, key=key, person=Person(id="p", name=name))
    assert decode(encode(event)) == event


@given(st.binary())
def test_foreign_bytes_are_told_not_raised(data: bytes) -> None:
    for type_ in ("message.received.v1", "no.such.v1", ""):
        found = decode(Record("k", type_, data))
        assert isinstance(found, Undecodable)
        assert found.record.data == data
        assert found.reason


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b'{"type": "message.ready.v1"}', b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe"],
    ids=["empty", "null", "list", "no fields", "another type", "deep list", "deep object", "not UTF-8"],
)
def test_odd_data_is_undecodable(data: bytes) -> None:
    assert isinstance(decode(Record("k", "message.received.v1", data)), Undecodable)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_argument_survives(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    asked = RunRequested(
        **{name: value for name, value in asdict(_RECEIVED).items() if name in Event.__struct_fields__},
        run=_RECEIVED.id,
        script="start",
        arguments={"value": value},
        trigger="tool",
        channel="web",
        person=Person(id="p"),
    )
    assert decode(encode(asked)) == asked


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.__name__)
def test_what_may_be_null_may_be_left_out(event: type[Event]) -> None:
    """Fields that were null were not written at all by earlier versions: each must have null as its default."""
    _, components = msgspec.json.schema_components([event])
    for model, component in components.items():
        for name, field in component.get("properties", {}).items():
            takes_null = {"type": "null"} in field.get("anyOf", ())
            assert not takes_null or field.get("default", "none") is None, f"{model}.{name}"


def test_unknown_fields_are_ignored() -> None:
    data = json.loads(encode(_RECEIVED).data) | {"mood": "sunny"}
    assert decode(Record(_RECEIVED.key, _RECEIVED.type, json.dumps(data).encode())) == _RECEIVED


def test_attributes_are_those_of_cloudevents() -> None:
    found = attributes(_RECEIVED)
    assert found["specversion"] == "1.0"
    assert found["time"] == "2026-05-04T12:00:00Z"
    assert found["origin"] == "session/3/77/0"
    assert Origin.parse(found["origin"]) == _RECEIVED.origin
    assert "turn" not in found
    assert all(name.isalnum() and name.islower() for name in found)


def test_partition_of_a_key_is_that_of_librdkafka() -> None:
    assert partition_of("123456789", 1 << 32) == 0xCBF43926  # the check value of CRC-32
    assert all(0 <= partition_of(str(n), 8) < 8 for n in range(100))
