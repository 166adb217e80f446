"""
The published description of the events: a JSON Schema per event and an AsyncAPI document, under ``docs/events/``.

``python -m schemas.document`` writes them. It refuses to overwrite a published schema with one that would break those
who read or write the old one: such a change is a new class with a new version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.json import schema_components

from schemas.catalog import EVENTS, TOPIC_EVENTS
from schemas.envelope import Event
from schemas.topics import TOPICS

__all__ = ["asyncapi", "breaches", "event_schema", "main", "published"]

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "events"
_SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# Words of JSON Schema that say which values are allowed; the others only describe.
_NARROWING: Final = (
    "const", "enum", "type", "format", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems",
    "maxItems", "additionalProperties",
)  # fmt: skip


def event_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a record's data."""
    _, components = schema_components([event], ref_template="#/$defs/{name}")
    components = {name: _tidy(component) for name, component in components.items()}
    schema = components.pop(event.__name__)
    return {"$schema": _SCHEMA_DIALECT, **({"$defs": components} if components else {}), **schema}


def _tidy(schema: Any) -> Any:
    """*schema* with the words for tags and choices that other tools know best."""
    if isinstance(schema, list | tuple):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {word: _tidy(value) for word, value in schema.items()}
    if "discriminator" in schema:
        schema["oneOf"] = schema.pop("anyOf")
    choices = schema.get("enum")
    if isinstance(choices, list):
        del schema["enum"]
        schema |= {"const": choices[0]} if len(choices) == 1 else {"enum": choices}
        schema["type"] = "string"
    return schema


def asyncapi() -> dict[str, Any]:
    """An AsyncAPI 3.0 document: the topics as channels, the events as their messages."""
    messages = {
        type_: {
            "name": type_,
            "title": event.__name__,
            "summary": (event.__doc__ or "").strip().split("\n")[0],
            "contentType": "application/json",
            "bindings": {"kafka": {"key": {"type": "string", "description": "the event's key, mostly a session id"}}},
            "payload": {"$ref": f"./{type_}.schema.json"},
        }
        for type_, event in sorted(EVENTS.items())
    }
    channels: dict[str, Any] = {}
    for topic in TOPICS:
        types = [event.type for event in TOPIC_EVENTS[topic.name]]
        channels[topic.name] = {
            "address": topic.name,
            "description": topic.about,
            "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in types},
            "bindings": {"kafka": {"partitions": topic.partitions}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Botswain events",
            "version": "1",
            "description": (
                "What travels on the log. Records follow the CloudEvents 1.0 Kafka binding in binary mode; "
                "the value is the whole event as JSON."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "components": {"messages": messages},
    }


def published() -> dict[str, dict[str, Any]]:
    """What the files should hold, by file name."""
    files = {f"{type_}.schema.json": event_schema(event) for type_, event in EVENTS.items()}
    return {**dict(sorted(files.items())), "asyncapi.json": asyncapi()}


def breaches(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """
    Why *new* may not take the place of *old* under the same version; empty if it may.

    Allowed is to add an optional field and to describe better. A field that goes, becomes required, takes other values
    than before, or means another value when it is left out, breaks a reader or a writer that knows the old schema.
    """
    return list(_breaches("", old, new, old, new))


def _breaches(
    where: str, old: Mapping[str, Any], new: Mapping[str, Any], old_root: Mapping[str, Any], new_root: Mapping[str, Any]
) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    at = where or "the event"
    for word in _NARROWING:
        before, after = _said(word, old, old_root), _said(word, new, new_root)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _breaches(f"{where}.*", before, after, old_root, new_root)
        elif before != after:
            yield f"{at}: {word} was {before!r} and is {after!r}"
    if "const" not in old and "default" in old and old["default"] != new.get("default"):
        yield f"{at}: default was {old['default']!r} and is {new.get('default')!r}"
    before_fields, after_fields = old.get("properties", {}), new.get("properties", {})
    for name, field in before_fields.items():
        if name not in after_fields:
            yield f"{where}.{name}: is gone"
        else:
            yield from _breaches(f"{where}.{name}", field, after_fields[name], old_root, new_root)
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if "const" not in before_fields.get(name, {}):  # a tag was never left out
            yield f"{where}.{name}: is required now"
    for word in ("items",):
        if word in old or word in new:
            yield from _breaches(f"{where}[]", old.get(word, {}), new.get(word, {}), old_root, new_root)
    for word in ("anyOf", "oneOf", "prefixItems"):
        before_list, after_list = old.get(word, []), new.get(word, [])
        if len(before_list) > len(after_list):
            yield f"{at}: {word} has fewer alternatives"
        for index, (one, other) in enumerate(zip(before_list, after_list, strict=False)):
            yield from _breaches(f"{where}<{index}>", one, other, old_root, new_root)


def _said(word: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """The value of *word*, None if it narrows nothing."""
    value = schema.get(word)
    if isinstance(value, Mapping):
        return _resolved(value, root) or None
    return sorted(value) if word == "enum" and value is not None else value


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    found: Mapping[str, Any] = root["$defs"][reference.removeprefix("#/$defs/")]
    return found


def text_of(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main(folder: Path = FOLDER) -> int:
    """Write the files that changed; 1 and nothing written if a change would break a published version."""
    folder.mkdir(parents=True, exist_ok=True)
    files = published()
    broken = [
        f"{name}: {breach}"
        for name, content in files.items()
        if name.endswith(".schema.json") and (folder / name).exists()
        for breach in breaches(json.loads((folder / name).read_text("utf-8")), content)
    ]
    if broken:
        sys.stderr.write("These changes need a new version of the event:\n  " + "\n  ".join(broken) + "\n")
        return 1
    for name, content in files.items():
        (folder / name).write_text(text_of(content), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
