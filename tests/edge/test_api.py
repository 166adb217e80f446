"""The HTTP API over real HTTP, its OpenAPI document, and its problems."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import jsonschema
import pytest
from pydantic import SecretStr
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from bus.errors import BusError
from bus.protocol import Outgoing
from bus.stopping import Stop
from edge.settings import EdgeSettings
from schemas.conversation import Message, MessageReady
from schemas.topics import CHANNEL_WEB
from tests.support.web_edge import World, world

OPERATOR = {"Authorization": "Bearer secret of the operator"}
SETTINGS = EdgeSettings(admin_token=SecretStr("secret of the operator"), address_messages_per_s=0)
API = "/api/v1"


async def new(here: World, wait_s: float = 5) -> tuple[str, dict[str, str], dict[str, Any]]:
    """A conversation: its path, the header that opens it, and what was answered."""
    response = await here.http.post(f"{API}/bots/shop/conversations", json={"wait_s": wait_s, "locale": "pt-BR"})
    assert response.status_code == 201, response.text
    body = response.json()
    return f"{API}/conversations/{body['id']}", {"Authorization": f"Bearer {body['token']}"}, body


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["type"], body["status"]) == (f"urn:botswain:problem:{code}", status)
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == response.request.url.path
    return dict(body)


async def test_bots_and_their_versions(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        page = (await here.http.get(f"{API}/bots?limit=1")).json()
        assert [bot["name"] for bot in page["bots"]] == ["desk"]
        page = (await here.http.get(f"{API}/bots", params={"limit": 1, "cursor": page["next"]})).json()
        (shop,) = page["bots"]
        assert (shop["name"], shop["title"], shop["description"]) == ("shop", "The shop", "Sells things")
        assert page["next"] is None
        assert (await here.http.get(f"{API}/bots/shop")).json() == shop
        versions = (await here.http.get(f"{API}/bots/shop/versions")).json()["versions"]
        assert [version["id"] for version in versions] == [shop["version"]]


async def test_a_conversation_over_http(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        path, token, opened = await new(here)
        assert [message["text"] for message in opened["messages"]] == ["Hello!"]
        answer = (await here.http.post(f"{path}/messages", headers=token, json={"id": "a", "text": "say x y"})).json()
        assert (answer["id"], answer["seq"], answer["complete"]) == ("a", 2, True)
        assert [message["text"] for message in answer["messages"]] == ["x", "y"]
        again = (await here.http.post(f"{path}/messages", headers=token, json={"id": "a", "text": "say x y"})).json()
        assert again == answer
        page = (await here.http.get(f"{path}/messages?limit=3", headers=token)).json()
        assert ([entry["seq"] for entry in page["messages"]], page["next"]) == ([1, 2, 3], 3)
        page = (await here.http.get(f"{path}/messages?after=3", headers=token)).json()
        assert ([entry["seq"] for entry in page["messages"]], page["next"]) == ([4], None)
        assert (await here.http.get(path, headers=token)).json()["seq"] == 4
        assert (await here.http.delete(path, headers=token)).status_code == 204


async def test_waiting_ends_in_time(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        path, token, _ = await new(here)
        said = {"text": "quiet", "wait_s": 0.2}
        answer = (await here.http.post(f"{path}/messages", headers=token, json=said)).json()
        assert (answer["seq"], answer["messages"], answer["complete"]) == (2, [], False)


async def test_events_stream_and_resume(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        path, token, _ = await new(here)

        async def stream(count: int, **headers: str) -> list[tuple[str, str]]:
            found: list[tuple[str, str]] = []
            async with here.http.stream("GET", f"{path}/events", headers={**token, **headers}) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                id_ = ""
                async for line in response.aiter_lines():
                    if line.startswith("retry:"):
                        listening.set()
                    elif line.startswith("id: "):
                        id_ = line[4:]
                    elif line.startswith("data: "):
                        found.append((id_, json.loads(line[6:])["text"]))
                        if len(found) == count:
                            break
            return found

        listening = asyncio.Event()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            following = group.create_task(stream(2))
            await listening.wait()
            await here.http.post(f"{path}/messages", headers=token, json={"text": "ahoy", "wait_s": 0})
        assert following.result() == [("2", "ahoy"), ("3", "You said ahoy")]
        async with asyncio.timeout(10):
            resumed = await stream(2, **{"Last-Event-ID": "1"})
        assert resumed == [("2", "ahoy"), ("3", "You said ahoy")]
        for odd in ("-1", "1.5", "two", "9" * 19):
            problem(await here.http.get(f"{path}/events", headers={**token, "Last-Event-ID": odd}), 422, "bad_value")


async def test_a_stream_that_is_resumed_beyond_the_end_has_what_comes(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        path, token, _ = await new(here)
        headers, found = {**token, "Last-Event-ID": "99"}, []
        async with asyncio.timeout(10), here.http.stream("GET", f"{path}/events", headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("retry:"):
                    await here.http.post(f"{path}/messages", headers=token, json={"text": "ahoy", "wait_s": 0})
                elif line.startswith("id: "):
                    found.append(line)
                    if len(found) == 2:
                        break
        assert found == ["id: 2", "id: 3"]


async def test_a_stream_ends_when_something_is_announced_that_the_transcript_does_not_have(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        path, token, _ = await new(here)
        hub = here.app._chat.hub
        session = str(UUID(path.rpartition("/")[2]))
        entry = Message(seq=9, id=uuid4(), role="bot", text="from nowhere", at=datetime.now(UTC))
        texts = []
        async with asyncio.timeout(5), here.http.stream("GET", f"{path}/events", headers=token) as response:
            async for line in response.aiter_lines():
                if line.startswith("retry:"):
                    event = hub.make(MessageReady, session, "shop", message=entry)
                    await here.bus.publish([Outgoing(CHANNEL_WEB, event, hub.slot)])
                elif line.startswith("data: "):
                    texts.append(json.loads(line[6:])["text"])
        assert "from nowhere" not in texts


async def test_a_stopping_server_ends_its_streams_and_waits(postgres_url: str) -> None:
    stopping = Stop()
    async with world(postgres_url, stopping=stopping) as here:
        path, token, _ = await new(here)
        async with asyncio.timeout(5), here.http.stream("GET", f"{path}/events", headers=token) as response:
            lines = response.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            stopping.request()
            assert [line async for line in lines if line] == []
            answer = await here.http.post(f"{path}/messages", headers=token, json={"text": "quiet", "wait_s": 50})
            assert answer.json()["complete"] is False


async def test_dead_letters(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here:
        path, token, _ = await new(here)
        for _ in range(2):
            await here.http.post(f"{path}/messages", headers=token, json={"text": "poison", "wait_s": 0})
        async with asyncio.timeout(10):
            letters: list[dict[str, Any]] = []
            while len(letters) < 2:
                letters = (await here.http.get(f"{API}/dead-letters", headers=OPERATOR)).json()["dead_letters"]
        assert letters[0]["actor"] == "session"
        assert "stomach" in letters[0]["reason"]
        page = (await here.http.get(f"{API}/dead-letters?limit=1", headers=OPERATOR)).json()
        page = (await here.http.get(f"{API}/dead-letters?limit=1&cursor={page['next']}", headers=OPERATOR)).json()
        assert page["dead_letters"] == letters[1:]
        one, two = (f"{API}/dead-letters/{letter['id']}" for letter in letters)
        whole = (await here.http.get(one, headers=OPERATOR)).json()
        assert json.loads(whole["data"])["text"] == "poison"
        assert "ValueError" in whole["traceback"]
        assert (await here.http.delete(one, headers=OPERATOR)).status_code == 204
        problem(await here.http.delete(one, headers=OPERATOR), 404, "not_found")
        assert (await here.http.post(f"{two}/redrive", headers=OPERATOR)).status_code == 204
        problem(await here.http.get(f"{API}/dead-letters/nonsense", headers=OPERATOR), 404, "not_found")


async def test_operators_see_conversations(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here:
        paths = [(await new(here))[0] for _ in range(3)]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query: dict[str, str] = {"limit": "1", **({"cursor": cursor} if cursor else {})}
            page = (await here.http.get(f"{API}/conversations", params=query, headers=OPERATOR)).json()
            seen += [f"{API}/conversations/{row['id']}" for row in page["conversations"]]
            cursor = page["next"]
        assert seen == paths[::-1]
        transcript = await here.http.get(f"{paths[0]}/messages", headers=OPERATOR)
        assert [entry["text"] for entry in transcript.json()["messages"]] == ["Hello!"]
        problem(await here.http.post(f"{paths[0]}/messages", headers=OPERATOR, json={"text": "x"}), 401, "unauthorized")


async def test_who_may_do_what(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here:
        path, token, _ = await new(here)
        other, _, _ = await new(here)
        problem(await here.http.get(f"{path}/messages"), 401, "unauthorized")
        problem(await here.http.get(f"{path}/messages", headers={"Authorization": "Basic x"}), 401, "unauthorized")
        forged = {"Authorization": token["Authorization"] + "x"}
        refused = await here.http.get(f"{path}/messages", headers=forged)
        problem(refused, 401, "unauthorized")
        assert refused.headers["www-authenticate"].startswith("Bearer")
        problem(await here.http.get(f"{other}/messages", headers=token), 403, "forbidden")
        problem(await here.http.get(f"{API}/dead-letters", headers=token), 401, "unauthorized")
        strange = [(b"Authorization", "Bearer grüße".encode("latin-1"))]
        problem(await here.http.get(f"{API}/dead-letters", headers=strange), 401, "unauthorized")


async def test_without_an_operators_token_nobody_is_one(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        for headers in ({}, OPERATOR, {"Authorization": "Bearer x"}):
            refused = await here.http.get(f"{API}/dead-letters", headers=headers)
            assert "admin_token" in problem(refused, 403, "no_admin_token")["detail"]


BAD_BODIES: dict[str, tuple[bytes, str, int, str]] = {
    "no JSON": (b"{", "application/json", 400, "bad_json"),
    "wrong type": (b'{"text":"a"}', "text/plain", 415, "unsupported_media_type"),
    "no object": (b"[]", "application/json", 422, "bad_value"),
    "no text": (b"{}", "application/json", 422, "bad_value"),
    "text is a number": (b'{"text":7}', "application/json", 422, "bad_value"),
    "unknown field": (b'{"text":"a","colour":"red"}', "application/json", 422, "bad_value"),
    "empty id": (b'{"text":"a","id":""}', "application/json", 422, "bad_value"),
    "negative wait": (b'{"text":"a","wait_s":-1}', "application/json", 422, "bad_value"),
    "blank": (b'{"text":"  "}', "application/json", 422, "bad_message"),
    "NUL": (b'{"text":"a\\u0000"}', "application/json", 422, "bad_message"),
    "half a character": (b'{"text":"\\ud800"}', "application/json", 400, "bad_json"),
    "long": (b'{"text":"' + b"a" * 10_001 + b'"}', "application/json", 413, "too_large"),
    "large": (b'{"text":"' + b"a" * 70_000 + b'"}', "application/json", 413, "too_large"),
}


async def test_bad_bodies(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        path, token, _ = await new(here, wait_s=0)
        for content, media_type, status, code in BAD_BODIES.values():
            headers = {**token, "Content-Type": media_type}
            problem(await here.http.post(f"{path}/messages", headers=headers, content=content), status, code)


async def test_other_problems(postgres_url: str) -> None:
    async with world(postgres_url, EdgeSettings(address_messages_per_s=0.5, address_message_burst=2)) as here:
        problem(await here.http.get("/nowhere"), 404, "not_found")
        problem(await here.http.get(f"{API}/bots/nobody"), 404, "not_found")
        problem(await here.http.get(f"{API}/conversations/nonsense", headers=OPERATOR), 404, "not_found")
        refused = await here.http.put(f"{API}/bots/shop/conversations")
        problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "POST"
        for query in ("limit=0", "limit=501", "limit=x"):
            body = problem(await here.http.get(f"{API}/bots?{query}"), 422, "bad_value")
            assert body["errors"][0]["pointer"] == "limit"
        for _ in range(2):
            await new(here, wait_s=0)
        refused = await here.http.post(f"{API}/bots/shop/conversations")
        assert problem(refused, 429, "rate_limited")["retry_after_s"] == int(refused.headers["retry-after"])
        here.bus.down = True


async def test_a_log_that_is_away_is_a_problem_that_passes(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        here.bus.down = True
        refused = await here.http.post(f"{API}/bots/shop/conversations")
        problem(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "2"


async def test_what_nobody_foresaw_is_a_problem_too(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        here.bus.down, here.bus.failure = True, BusError("the database said something new")
        problem(await here.http.post(f"{API}/bots/shop/conversations"), 500, "fault")
        here.bus.down = False
        await new(here)


async def test_no_bot_has_a_name_that_the_database_cannot_hold(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here:
        refused = await here.http.get(f"{API}/conversations?bot=sh%00op", headers=OPERATOR)
        assert problem(refused, 422, "bad_value")["errors"][0]["pointer"] == "bot"


async def test_a_client_that_leaves_within_its_request_is_no_fault_of_ours(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(postgres_url) as here:
        url = here.http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = f"POST {API}/bots/shop/conversations HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 9\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")  # the server says that it waits for the body
        writer.close()
        await writer.wait_closed()
        await new(here)
    assert "Exception in ASGI application" not in caplog.text


async def test_the_openapi_document_is_valid_and_matches(postgres_url: str) -> None:
    """Every operation is called, and what comes back is of the described kind."""
    async with world(postgres_url, SETTINGS) as here:
        document = (await here.http.get(f"{API}/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        registry: Registry[Any] = Registry().with_resource("urn:api", DRAFT202012.create_resource(document))
        for name, schema in document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            assert name
        path, token, opened = await new(here)
        await here.http.post(f"{path}/messages", headers=token, json={"text": "poison", "wait_s": 0})
        letters: list[Any] = []
        async with asyncio.timeout(10):
            while not letters:
                letters = (await here.http.get(f"{API}/dead-letters", headers=OPERATOR)).json()["dead_letters"]
        values = {"bot": "shop", "conversation": opened["id"], "letter": letters[0]["id"]}
        called = set()
        for template, methods in document["paths"].items():
            address = re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), template)
            # What ends a thing comes after what looks at it.
            for method, operation in sorted(methods.items(), key=lambda item: item[0] == "delete"):
                if template.endswith("/redrive"):
                    continue
                (scheme,) = operation["security"] or [{}]
                headers = OPERATOR if "operator" in scheme else token
                body = {"text": "ahoy"} if template.endswith("/messages") else {}
                options: dict[str, Any] = {"json": body} if method == "post" else {}
                async with here.http.stream(method.upper(), address, headers=headers, **options) as response:
                    described = operation["responses"][str(response.status_code)]
                    media_type = response.headers.get("content-type", "").partition(";")[0]
                    if media_type != "text/event-stream":
                        await response.aread()
                    assert response.is_success, response.text
                    assert (media_type in described.get("content", {})) == (response.status_code != 204)
                    if media_type == "application/json" and "$ref" in described["content"][media_type]["schema"]:
                        reference = {"$ref": "urn:api" + described["content"][media_type]["schema"]["$ref"]}
                        jsonschema.Draft202012Validator(reference, registry=registry).validate(response.json())
                called.add(operation["operationId"])
        assert len(called) == sum(len(methods) for methods in document["paths"].values()) - 1


async def test_health_and_metrics(postgres_url: str) -> None:
    trouble = {"words": ""}

    async def check() -> str:
        return trouble["words"]

    async def broken() -> str:
        raise RuntimeError("this check is broken")

    async with world(postgres_url, checks={"database": check}) as here:
        assert (await here.http.get("/health/live")).json() == {"status": "live"}
        async with here.client() as client:
            await client.until("welcome")
            ready = await here.http.get("/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (200, "ready")
            figures = (await here.http.get("/metrics")).text
            assert "botswain_edge_sockets 1.0" in figures
            assert 'botswain_edge_events_total{type="conversation.opened.v1"} 1.0' in figures
        trouble["words"] = "the disk is full"
        ready = await here.http.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "the disk is full"
    async with world(postgres_url, checks={"odd": broken}) as here:
        ready = await here.http.get("/health/ready")
        assert ready.json()["checks"]["odd"] == "RuntimeError: this check is broken"
