"""The web chat protocol, over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from msgspec.structs import replace
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidStatus

from actors.session.decide import REMEMBERED_MESSAGES
from bus.protocol import Outgoing
from edge.settings import EdgeSettings
from schemas.conversation import Message, MessageReady, MessageReceived, PersonTyping
from schemas.package import digest_of
from schemas.topics import CHANNEL_WEB
from tests.support.web_edge import KEY, SHOP, Client, World, world

UNLIMITED = EdgeSettings(messages_per_s=0, address_messages_per_s=0)


async def opened(client: Client) -> dict[str, Any]:
    """The welcome of a new conversation, and its first message taken."""
    welcome = await client.frame()
    assert welcome["type"] == "welcome"
    assert (await client.frame())["text"] == "Hello!"
    return welcome


async def closed(client: Client) -> int:
    """Read to the end; the close code."""
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            async for _ in client.connection:
                pass
    code = client.connection.close_code
    assert code is not None
    return code


async def test_a_conversation_opens_is_acknowledged_and_answered(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        welcome = await client.frame()
        assert set(welcome) == {"type", "session", "token", "bot", "seq"}
        assert (welcome["type"], welcome["bot"], welcome["seq"]) == ("welcome", "shop", 0)
        hello = await client.frame()
        expected = {"type", "seq", "id", "role", "text", "suggestions", "attachments", "sources", "at"}
        assert set(hello) == expected
        assert (hello["type"], hello["seq"], hello["role"], hello["text"]) == ("message", 1, "bot", "Hello!")
        assert hello["suggestions"] == [{"text": "Yes", "value": "yes"}]
        await client.say("m1", "ahoy")
        assert await client.frame() == {"type": "ack", "id": "m1", "seq": 2}
        answer = await client.frame()
        assert (answer["seq"], answer["text"]) == (3, "You said ahoy")
        (said,) = [event for event in here.echo.heard if isinstance(event, MessageReceived)]
        assert said.bot_version == here.app.directory.version_of("shop")
        assert said.key == said.person.id == welcome["session"]


BAD_FRAMES: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("{", "bad_message"),
    "no object": ("[1]", "bad_message"),
    "no type": ("{}", "bad_message"),
    "unknown type": ('{"type":"shout"}', "bad_message"),
    "type is no text": ('{"type":["message"]}', "bad_message"),
    "no id": ('{"type":"message","text":"a"}', "bad_message"),
    "empty id": ('{"type":"message","id":"","text":"a"}', "bad_message"),
    "id is a number": ('{"type":"message","id":7,"text":"a"}', "bad_message"),
    "long id": (json.dumps({"type": "message", "id": "i" * 129, "text": "a"}), "bad_message"),
    "no text": ('{"type":"message","id":"i"}', "bad_message"),
    "blank text": ('{"type":"message","id":"i","text":" "}', "bad_message"),
    "text is null": ('{"type":"message","id":"i","text":null}', "bad_message"),
    "NUL": ('{"type":"message","id":"i","text":"a\\u0000b"}', "bad_message"),
    "half a character": ('{"type":"message","id":"i","text":"\\ud800"}', "bad_message"),
    "NaN": ('{"type":"message","id":"i","text":NaN}', "bad_message"),
    "deep": ("[" * 60_000, "bad_message"),
    "long text": (json.dumps({"type": "message", "id": "i", "text": "a" * 10_001}), "too_large"),
    "large frame": ('"' + "a" * 70_000 + '"', "too_large"),
    "frame as large as may be": (f'"{"a" * (EdgeSettings().max_frame_bytes - 2)}"', "bad_message"),
    "a byte too large": (f'"{"a" * (EdgeSettings().max_frame_bytes - 1)}"', "too_large"),
    "a byte too large, not a character": (f'"{"a" * (EdgeSettings().max_frame_bytes - 3)}é"', "too_large"),
    "binary": (b"\x00\x01", "bad_message"),
}


async def test_bad_frames_get_an_error_and_the_socket_stays(postgres_url: str) -> None:
    async with world(postgres_url, UNLIMITED) as here, here.client() as client, here.client() as other:
        await opened(client)
        await opened(other)
        for name, (frame, code) in BAD_FRAMES.items():
            await client.connection.send(frame)
            error = await client.frame()
            assert (error["type"], error["code"]) == ("error", code), name
            assert error["message"]
        await client.say("m", "still here?")
        assert (await client.frame())["type"] == "ack"
        await other.say("m", "undisturbed")
        assert (await other.frame())["type"] == "ack"


async def test_the_same_id_twice_is_one_message(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        welcome = await opened(client)
        await client.say("m1", "ahoy")
        first = await client.until("ack")
        await client.until("message")
        await client.say("m1", "ahoy")
        assert await client.frame() == first
        query = f"?token={welcome['token']}&after=3"
        async with here.client(query=query) as again:
            assert (await again.frame())["seq"] == 3
            await again.say("m1", "ahoy")
            assert await again.frame() == first
        assert await here.reads.newest_seq(welcome["session"]) == 3


async def test_what_was_missed_is_sent_on_resume(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        async with here.client() as client:
            welcome = await opened(client)
            await client.say("m1", "say one two three")
            await client.until("ack")
        async with here.client(query=f"?token={welcome['token']}&after=1") as again:
            second = await again.frame()
            assert (second["session"], second["seq"]) == (welcome["session"], 5)
            entries = await again.frames(4)
            assert [(entry["seq"], entry["role"], entry["text"]) for entry in entries] == [
                (2, "user", "say one two three"),
                (3, "bot", "one"),
                (4, "bot", "two"),
                (5, "bot", "three"),
            ]
            await again.say("m2", "on we go")
            assert await again.frame() == {"type": "ack", "id": "m2", "seq": 6}
        async with here.client(query=f"?token={second['token']}") as whole:
            await whole.until("welcome")
            assert [entry["seq"] for entry in await whole.frames(7)] == [1, 2, 3, 4, 5, 6, 7]


async def test_two_sockets_of_a_conversation_both_see_everything(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as one:
        welcome = await opened(one)
        async with here.client(query=f"?token={welcome['token']}&after=1") as two:
            await two.until("welcome")
            await one.say("m1", "ahoy")
            assert (await one.frame())["type"] == "ack"
            seen = await two.frame()
            assert (seen["type"], seen["role"], seen["seq"], seen["text"]) == ("message", "user", 2, "ahoy")
            assert await one.frame() == await two.frame()


async def test_a_gap_is_filled_from_the_transcript(postgres_url: str) -> None:
    async with world(postgres_url, UNLIMITED) as here, here.client() as client:
        welcome = await opened(client)
        here.echo.silent = True
        await client.say("m1", "say " + " ".join(str(number) for number in range(450)))
        async with asyncio.timeout(10):
            while await here.reads.newest_seq(welcome["session"]) < 452:
                await asyncio.sleep(0)
        here.echo.silent = False
        await client.say("m2", "now")
        entries = await client.frames(453)
        assert [frame["seq"] for frame in entries] == list(range(2, 455))
        assert entries[-2] == {"type": "ack", "id": "m2", "seq": 453}
        # The acknowledgement that was lost comes when the client asks again.
        await client.say("m1", "whatever")
        assert await client.frame() == {"type": "ack", "id": "m1", "seq": 2}


def announced(here: World, session: str, seq: int) -> list[Outgoing]:
    """An entry that the transcript does not have."""
    entry = Message(seq=seq, id=uuid4(), role="bot", text="from nowhere", at=datetime.now(UTC))
    event = here.app._chat.hub.make(MessageReady, session, "shop", message=entry)
    return [Outgoing(CHANNEL_WEB, event, here.app._chat.hub.slot)]


async def test_what_is_announced_and_not_in_the_transcript_does_not_count_as_sent(postgres_url: str) -> None:
    """As after a failover that lost the newest commits: the numbers are given out again, for something else."""
    async with world(postgres_url) as here:
        async with here.client() as client:
            welcome = await opened(client)
            await here.bus.publish(announced(here, welcome["session"], 4))
            assert await closed(client) == 1013
        async with here.client(query=f"?token={welcome['token']}&after=1") as again:
            await again.until("welcome")
            await again.say("m1", "ahoy")
            assert await again.frame() == {"type": "ack", "id": "m1", "seq": 2}
            assert (await again.frame())["seq"] == 3


async def test_what_was_deleted_from_the_transcript_holds_nobody_up(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        welcome = await opened(client)
        await client.say("m1", "say one two three")
        await client.until("ack")
        connection = await asyncpg.connect(postgres_url)
        for deleted, left in (([1, 3], [2, 4, 5]), ([5], [2, 4]), ([2, 4], [])):
            await connection.execute("DELETE FROM messages WHERE seq = ANY ($1::bigint[])", deleted)
            async with here.client(query=f"?token={welcome['token']}") as again:
                await again.until("welcome")
                assert [frame["seq"] for frame in await again.frames(len(left))] == left
        await connection.close()
        async with here.client(query=f"?token={welcome['token']}") as again:
            await again.until("welcome")
            await again.say("m2", "ahoy")
            assert [(frame["type"], frame["seq"]) for frame in await again.frames(2)] == [("ack", 6), ("message", 7)]


async def test_typing_and_words_that_stream(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        await opened(client)
        await client.say("m1", "typing")
        await client.until("ack")
        assert set(await client.frame()) == {"type", "turn"}
        await client.say("m2", "delta")
        deltas = [await client.until("delta"), await client.until("delta")]
        assert [(delta["index"], delta["text"]) for delta in deltas] == [(0, "You "), (1, "said")]
        await client.send(type="typing")
        await client.send(type="typing")
        await client.say("m3", "there")
        await client.until("ack")
        assert sum(isinstance(event, PersonTyping) for event in here.echo.heard) == 1


async def test_an_after_that_cannot_be_is_told(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        token = (await opened(client))["token"]
        for number, after in enumerate(("99", "-1", "many", "9" * 30, "²")):
            async with here.client(query=f"?token={token}&after={after}") as again:
                await again.until("welcome")
                assert (await again.frame())["code"] == "bad_message", after
                await again.say(f"m{number}", "ahoy")
                assert (await again.until("ack"))["seq"] == 2 + 2 * number
                assert (await again.frame())["text"] == "You said ahoy"


async def test_of_an_after_beyond_the_end_nothing_is_sent_again_and_of_one_that_is_no_number_all(
    postgres_url: str,
) -> None:
    async with world(postgres_url) as here, here.client() as client:
        token = (await opened(client))["token"]
        for after, sent in (("99", []), ("9" * 30, []), ("9" * 5000, []), ("-1", [1]), ("many", [1])):
            async with here.client(query=f"?token={token}&after={after}") as again:
                await again.until("welcome")
                assert (await again.frame())["code"] == "bad_message", after
                await again.send(type="nothing")
                assert [seq async for seq in numbers_before_an_error(again)] == sent, after


async def numbers_before_an_error(client: Client) -> AsyncIterator[int]:
    while (frame := await client.frame())["type"] == "message":
        yield frame["seq"]


def old_token() -> str:
    class Yesteryear(TimestampSigner):
        def get_timestamp(self) -> int:
            return 1_000_000_000

    payload = ["01890a5d-ac96-774b-bcce-b302099a8057".replace("-", ""), "shop"]
    return str(URLSafeTimedSerializer([KEY], salt="conversation", signer=Yesteryear).dumps(payload))


def foreign_token() -> str:
    return str(URLSafeTimedSerializer(["another key"], salt="conversation").dumps(["0" * 32, "shop"]))


async def test_a_bad_token_opens_a_new_conversation_and_says_so(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        for token in (old_token(), foreign_token(), "nonsense", "a" * 5_000, "%00", "á"):
            async with here.client(query=f"?token={token}") as client:
                assert (await client.frame())["seq"] == 0, token
                assert (await client.frame())["code"] == "unauthorized", token
                assert (await client.frame())["text"] == "Hello!", token


async def test_a_token_is_good_for_its_bot_only(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        welcome = await opened(client)
        async with here.client("desk", f"?token={welcome['token']}") as other:
            assert (await other.frame())["session"] != welcome["session"]
            assert (await other.frame())["code"] == "unauthorized"


async def test_an_unknown_bot_is_told_and_the_socket_closed(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        for bot in ("nobody", "", "..%2f", "shop/x", "%00", "a" * 2_000):
            async with here.client(bot) as client:
                assert (await client.frame())["code"] == "not_found", bot
                assert await closed(client) == 1008


async def test_foreign_pages_cannot_open_a_socket(postgres_url: str) -> None:
    settings = EdgeSettings(allowed_origins=("https://friend.example",))
    async with world(postgres_url, settings) as here:
        for good in ("https://friend.example", f"http://127.0.0.1:{here.port}"):
            async with here.client(additional_headers={"Origin": good}) as client:
                await opened(client)
        for bad in ("https://evil.example", "null", f"http://127.0.0.1:{here.port}.evil.example", "http://[x"):
            with pytest.raises(InvalidStatus) as refused:
                async with here.client(additional_headers={"Origin": bad}):
                    pass
            assert refused.value.response.status_code == 403
            assert refused.value.response.headers["content-type"] == "application/problem+json"


async def test_too_many_messages_are_refused_with_the_time_to_wait(postgres_url: str) -> None:
    settings = EdgeSettings(messages_per_s=0.5, message_burst=3)
    async with world(postgres_url, settings) as here, here.client() as client:
        await opened(client)
        for number in range(4):
            await client.say(f"m{number}", "quiet")
        frames = await client.frames(4)
        assert sorted(frame["type"] for frame in frames) == ["ack", "ack", "ack", "error"]
        (error,) = [frame for frame in frames if frame["type"] == "error"]
        assert error["code"] == "rate_limited"
        assert error["retry_after_s"] == 2


async def test_an_address_has_its_share_of_messages_however_many_its_sockets(postgres_url: str) -> None:
    settings = EdgeSettings(address_messages_per_s=0.001, address_message_burst=4)
    async with world(postgres_url, settings) as here, here.client() as one, here.client() as two:
        for client in (one, two):
            await opened(client)
            await client.say("m1", "quiet")
            assert (await client.frame())["type"] == "ack"
        await one.say("m2", "one too many")
        error = await one.frame()
        assert (error["type"], error["code"]) == ("error", "rate_limited")
        async with here.client() as three:
            assert (await three.frame())["code"] == "rate_limited"
            assert await closed(three) == 1013


async def test_ten_thousand_frames_at_once_end_that_socket_and_nothing_else(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as abuser, here.client() as other:
        await opened(abuser)
        await opened(other)

        async def flood() -> None:
            for number in range(10_000):
                await abuser.say(str(number), "quiet")

        async with asyncio.TaskGroup() as group:
            flooding = group.create_task(flood())
            assert await closed(abuser) == 1008
            flooding.cancel()
        await other.say("m1", "all well?")
        assert (await other.until("ack"))["seq"] == 2


async def test_nothing_is_sent_behind_the_close(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as abuser:
        await opened(abuser)
        with capture_logs() as logs:
            for _ in range(300):  # more than are forgiven, and all of them there before the first is refused
                await abuser.connection.send("no JSON")
            assert await closed(abuser) == 1008
            async with here.client() as other:  # whatever was left of that socket has had its turn
                await opened(other)
    assert not [entry for entry in logs if entry["log_level"] == "error"]


async def test_no_more_messages_wait_than_the_session_remembers(postgres_url: str) -> None:
    async with world(postgres_url, UNLIMITED) as here:
        async with here.client() as client:
            welcome = await opened(client)
            here.echo.silent = True
            for number in range(32):
                await client.say(f"m{number}", "ahoy")
            await client.say("m0", "ahoy")  # a repeat waits already
            await client.say("m32", "one too many")
            error = await client.frame()
            assert (error["type"], error["code"], error["retry_after_s"]) == ("error", "rate_limited", 2)
            async with asyncio.timeout(10):
                while len({event.message_id for event in here.echo.heard if isinstance(event, MessageReceived)}) < 32:
                    await asyncio.sleep(0)
            here.echo.silent = False
        assert REMEMBERED_MESSAGES >= 32
        async with here.client(query=f"?token={welcome['token']}&after=1") as client:
            await client.say("m31", "ahoy")
            await client.until("ack")
        heard = [event.message_id for event in here.echo.heard if isinstance(event, MessageReceived)]
        assert "m32" not in heard


async def test_sockets_of_an_address_are_limited(postgres_url: str) -> None:
    async with world(postgres_url, EdgeSettings(sockets_per_address=2)) as here:
        async with here.client() as one, here.client() as two:
            await opened(one)
            await opened(two)
            async with here.client() as three:
                error = await three.frame()
                assert (error["code"], error["retry_after_s"]) == ("rate_limited", 2)
                assert await closed(three) == 1013
        async with asyncio.timeout(5):
            while True:
                async with here.client() as later:
                    if (await later.frame())["type"] == "welcome":
                        break


async def test_nothing_is_acknowledged_while_the_log_is_away(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        await opened(client)
        here.bus.down = True
        await client.say("m1", "ahoy")
        error = await client.frame()
        assert (error["code"], error["retry_after_s"]) == ("unavailable", 2)
        async with here.client() as newcomer:
            assert (await newcomer.frame())["code"] == "unavailable"
            assert await closed(newcomer) == 1013
        here.bus.down = False
        await client.say("m1", "ahoy")
        assert await client.frame() == {"type": "ack", "id": "m1", "seq": 2}


async def test_what_was_sent_behind_a_message_that_was_not_stored_does_not_overtake_it(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        await opened(client)
        here.bus.down = True
        await client.say("m1", "first")
        assert (await client.frame())["code"] == "unavailable"
        here.bus.down = False
        await client.say("m2", "second")
        assert (await client.frame())["code"] == "unavailable"
        await client.say("m1", "first")
        await client.say("m2", "second")
        first, second = await client.until("ack"), await client.until("ack")
        assert [first["id"], second["id"]] == ["m1", "m2"]
        assert first["seq"] < second["seq"]


async def test_a_client_that_does_not_read_is_closed_and_resumes(postgres_url: str) -> None:
    settings = UNLIMITED.model_copy(update={"max_outgoing": 4})
    async with world(postgres_url, settings) as here, here.client() as talker:
        token = (await opened(talker))["token"]
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.connect(("127.0.0.1", here.port))
        async with here.client(query=f"?token={token}&after=1", sock=narrow, max_queue=1, close_timeout=0.1) as slow:
            await slow.until("welcome")
            seen = 1
            while not here.figure("botswain_edge_sockets_too_slow_total"):
                await talker.say(f"m{seen}", "x" * 10_000)
                await talker.until("ack")
                seen = (await talker.until("message"))["seq"]
                assert seen < 4_000, "the slow socket was never closed"
        async with here.client(query=f"?token={token}&after=1") as again:
            await again.until("welcome")
            assert [(await again.frame())["seq"] for _ in range(seen - 1)] == list(range(2, seen + 1))


async def test_a_stopping_server_asks_its_clients_to_come_again(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        connecting = here.client()
        client = await connecting.__aenter__()
        await opened(client)
    assert await closed(client) == 1012
    await connecting.__aexit__(None, None, None)


async def test_a_bot_is_there_as_soon_as_it_is_published(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        await here.reads.publish_bot(replace(SHOP, name="newborn"), datetime.now(UTC))
        async with here.client("newborn") as client:
            await opened(client)


async def test_a_new_version_is_stamped_on_what_comes_after_it(postgres_url: str) -> None:
    async with world(postgres_url) as here, here.client() as client:
        await opened(client)
        (shop,) = [bot for bot in await here.reads.bots() if bot.name == "shop"]
        data = await here.reads.resource(shop.version)
        assert data is not None
        assert shop.version == digest_of(data)
        edited = replace(SHOP, config={"title": "Another"})
        await here.publish(edited)
        await client.say("m1", "ahoy")
        await client.until("ack")
        said = here.echo.heard[-1]
        assert said.bot_version == digest_of(edited.to_bytes()) != shop.version
