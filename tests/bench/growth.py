"""
What a message costs as an installation grows.

A conversation is held, the server stopped, and its database filled with copies of what it wrote, by the million. Then
the grown server and a small one take turns under the same load.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from bus.postgres.reads import open_reads
from edge.tokens import Ticket, Tokens
from schemas.package import BotPackage
from tests.bench.figures import Row, Samples, Scale, Section, shown
from tests.bench.load import ANSWER, WELCOME, Socket, closed_loop
from tests.bench.servers import ECHO_SCRIPT, SECRET, Installation, Running, database, open_folder, up

__all__ = ["growth"]

CLIENTS: Final = 50
LONG_CONVERSATIONS: Final = 10
SMALL: Final = {"history": 10, "log": 10_000, "sessions": 100, "bots": 1}
MOST: Final = 1.3
_DICE: Final = random.Random(1)


@dataclass(frozen=True, slots=True)
class Growth:
    """
    One way to grow.

    Args:
        fill: brings a database to that size; it has one conversation in it, with that id.
        urls: where clients of that installation go, given its echo's URL.
        greeting: what they are greeted with.
    """

    name: str
    what: str
    fill: Callable[[str, UUID, int], Awaitable[None]]
    urls: Callable[[str, int], list[str]]
    greeting: bytes = ANSWER


async def growth(scale: Scale) -> Section:
    """Each way to grow with a small installation and a grown one that take turns."""
    section = Section(
        "What a message costs as things grow",
        f"{CLIENTS} clients ({LONG_CONVERSATIONS} with long histories), closed loop, on a small installation and on a "
        "grown one that take turns. Time is what a turn takes at that load (the inverse of the throughput). History: "
        "the clients go on with conversations that have so many messages already. Log: so many events were handled "
        "before. Sessions: so many conversations wait in HEAR, and the clients go on with some of them. Bots: so many "
        "are published, and the clients are spread over them, each with one of its own.",
    )
    for way in WAYS:
        small, large = SMALL[way.name], int(getattr(scale, way.name))
        with open_folder() as one, open_folder() as other:
            installations = Installation.make(one), Installation.make(other)
            for installation, size in zip(installations, (small, large), strict=True):
                await _grow(installation, way, size)
            async with up(installations[0]) as few, up(installations[1]) as many:
                await _compare(section, way, (few, small), (many, large), scale)
    return section


async def _grow(installation: Installation, way: Growth, size: int) -> None:
    async with up(installation) as server:
        conversation = await _held(server.url)
    async with database(installation) as url:
        await way.fill(url, conversation, size)
        connection = await asyncpg.connect(url)
        # else the server does it by itself, in the middle of a measurement
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()


async def _held(url: str) -> UUID:
    """Hold a conversation of one message, and leave it in HEAR; its id."""
    welcome: list[bytes] = []
    answers: list[bytes] = []
    answered = asyncio.Event()

    def received(socket: Socket, frame: bytes) -> None:
        if WELCOME in frame:
            welcome.append(frame)
        elif ANSWER in frame:
            answers.append(frame)
            if len(answers) == 1:
                socket.send(b'{"type":"message","id":"first","text":"first"}')
            else:
                answered.set()

    socket = await Socket.connect(url, received)
    async with asyncio.timeout(20):
        await answered.wait()
        socket.transport.close()
        await socket.closed
    return UUID(json.loads(welcome[0])["session"])


async def _compare(
    section: Section, way: Growth, small: tuple[Running, int], large: tuple[Running, int], scale: Scale
) -> None:
    sides = [(server, size, Samples(" µs"), Samples(" µs"), Samples(" µs")) for server, size in (small, large)]
    for server, size, *_ in sides:  # programs compiled, the database's pages read
        await closed_loop(way.urls(server.url, size), seconds=scale.seconds / 4, greeting=way.greeting)
    for _ in range(scale.rounds):
        for server, size, took, process_us, database_us in sides:
            meter = server.meter()
            urls = way.urls(server.url, size)
            found = await closed_loop(urls, seconds=scale.seconds, greeting=way.greeting, edge_of_time=meter.mark)
            took.add(1e6 / found.per_second)
            used = meter.per_turn_us(found.turns)
            process_us.add(used.server)
            database_us.add(used.database)
    (_, few, base, base_process, base_data), (_, many, ours, process_us, database_us) = sides
    ratio = ours.median / base.median
    cpu = (process_us.median + database_us.median) / (base_process.median + base_data.median)
    section.rows.append(
        Row(f"{way.what}: {few:,} → {many:,}", str(base), str(ours), f"{shown(ratio)} ×", f"≤ {MOST} ×", ratio <= MOST)
    )
    section.notes.append(
        f"{way.name}: processor time a turn {shown(cpu)} ×: server {process_us}, database {database_us}, "
        f"against {base_process} and {base_data}"
    )


# --- who talks to whom -----------------------------------------------------------------------------------------------


def _session(number: int) -> UUID:
    """The id of the copy *number*, as the database makes it: ``_COPY_ID``."""
    return UUID(int=number)


_COPY_ID: Final = "lpad(to_hex(n), 32, '0')::uuid"


def _strangers(url: str, size: int) -> list[str]:
    return [url] * CLIENTS


def _spread(url: str, size: int) -> list[str]:
    """New conversations with as many bots as there are clients, or bots."""
    here = url.removesuffix("echo")
    return [f"{here}copy-{1 + n % size}" for n in range(CLIENTS)]


def _resumed(url: str, size: int) -> list[str]:
    """Old conversations, picked at random. ``after`` is past the end, so nothing of them is sent again."""
    tokens = Tokens([SECRET], max_age_s=3600)
    chosen = _DICE.sample(range(1, size + 1), min(CLIENTS, size))
    return [f"{url}?token={tokens.sign(Ticket(_session(number), 'echo'))}&after=1000000000" for number in chosen]


def _long(url: str, size: int) -> list[str]:
    """The copies made for ``_fill_history``."""
    return _resumed(url, LONG_CONVERSATIONS)


# --- how a database grows --------------------------------------------------------------------------------------------

# A copy of a conversation is its state at every actor, its row, and its transcript, with another id everywhere.
_COPY_STATES: Final = f"""
INSERT INTO states (actor, key, version, value)
SELECT s.actor, c.id::text, 1, convert_to(replace(convert_from(s.value, 'UTF8'), $1::text, c.id::text), 'UTF8')
FROM (SELECT DISTINCT ON (actor) actor, value FROM states WHERE key = $1 ORDER BY actor, version DESC) AS s,
     (SELECT {_COPY_ID} AS id FROM generate_series(1, $2::int) AS n) AS c
"""
_COPY_CONVERSATIONS: Final = f"""
INSERT INTO conversations (id, bot, channel, person, opened_at)
SELECT {_COPY_ID}, c.bot, c.channel, {_COPY_ID}::text, c.opened_at - n * interval '1 millisecond'
FROM conversations AS c, generate_series(1, $2::int) AS n WHERE c.id = $1::uuid
"""
_COPY_MESSAGES: Final = f"""
INSERT INTO messages (session, seq, id, at, body)
SELECT {_COPY_ID}, m.seq, m.id, m.at, m.body
FROM messages AS m, generate_series(1, $2::int) AS n WHERE m.session = $1::uuid
"""
_LENGTHEN: Final = f"""
INSERT INTO messages (session, seq, id, at, body)
SELECT c.id, added.seq, gen_random_uuid(), m.at, regexp_replace(m.body, '"seq":[0-9]+', '"seq":' || added.seq)
FROM (SELECT {_COPY_ID} AS id FROM generate_series(1, $2::int) AS n) AS c,
     generate_series(4, $3::int) AS added (seq),
     (SELECT * FROM messages WHERE session = $1::uuid AND seq = 3) AS m
"""
_NUMBERED: Final = """
UPDATE states SET value = convert_to(regexp_replace(convert_from(value, 'UTF8'), '"seq":[0-9]+', '"seq":' || $1::int),
                                     'UTF8')
WHERE actor = 'session' AND key LIKE '00000000-%'
"""
# Events that were handled long ago: the position of everybody who reads the partition is behind them.
_LENGTHEN_LOG: Final = """
WITH heads AS (
    SELECT l.topic, l.partition, max(l."offset") AS head FROM log AS l GROUP BY l.topic, l.partition
), sample AS (
    SELECT DISTINCT ON (topic) topic, key, type, data FROM log ORDER BY topic, "offset" DESC
), places AS (
    SELECT t.id AS topic, p AS partition, coalesce(h.head, $2::bigint) AS head,
           row_number() OVER () - 1 AS place, count(*) OVER () AS places
    FROM topics AS t CROSS JOIN LATERAL generate_series(0, t.partitions - 1) AS p
    LEFT JOIN heads AS h ON h.topic = t.id AND h.partition = p
    WHERE t.name IN ('session', 'basic')
)
INSERT INTO log (topic, partition, "offset", key, type, data)
SELECT p.topic, p.partition, p.head + i, s.key, s.type, s.data
FROM places AS p JOIN sample AS s ON s.topic = p.topic, generate_series(1, $1::int / p.places) AS i
"""
_BEHIND_IT: Final = """
INSERT INTO positions (grp, topic, partition, "begin", "end", batch)
SELECT t.name, l.topic, l.partition,
       coalesce((SELECT max(p."end") FROM positions AS p
                 WHERE p.grp = t.name AND p.topic = l.topic AND p.partition = l.partition), 0),
       max(l."offset") + 1, gen_random_uuid()
FROM log AS l JOIN topics AS t ON t.id = l.topic WHERE t.name IN ('session', 'basic')
GROUP BY t.name, l.topic, l.partition
"""


async def _copy(connection: asyncpg.Connection[Any], conversation: UUID, count: int) -> None:
    await connection.execute(_COPY_STATES, str(conversation), count)
    await connection.execute(_COPY_CONVERSATIONS, conversation, count)
    await connection.execute(_COPY_MESSAGES, conversation, count)


async def _fill_history(url: str, conversation: UUID, size: int) -> None:
    """Some conversations, each with *size* messages."""
    connection = await asyncpg.connect(url)
    await _copy(connection, conversation, LONG_CONVERSATIONS)
    await connection.execute(_LENGTHEN, conversation, LONG_CONVERSATIONS, size)
    await connection.execute(_NUMBERED, size)
    await connection.close()


async def _fill_sessions(url: str, conversation: UUID, size: int) -> None:
    connection = await asyncpg.connect(url)
    await _copy(connection, conversation, size)
    await connection.close()


async def _fill_log(url: str, conversation: UUID, size: int) -> None:
    today = int(datetime.now(UTC).timestamp()) // 86_400
    connection = await asyncpg.connect(url)
    await connection.execute(_LENGTHEN_LOG, size, today << 32)
    await connection.execute(_BEHIND_IT)
    await connection.close()


async def _fill_bots(url: str, conversation: UUID, size: int) -> None:
    async with open_reads(url) as reads:
        for number in range(1, size + 1):
            script = f"REM bot number {number}\n{ECHO_SCRIPT}"
            package = BotPackage(name=f"copy-{number}", scripts={"start": script})
            await reads.publish_bot(package, datetime.now(UTC))


WAYS: Final = (
    Growth("history", "cost per message, messages of the conversation", _fill_history, _long, WELCOME),
    Growth("log", "cost per message, events in the log", _fill_log, _strangers),
    Growth("sessions", "cost per message, conversations", _fill_sessions, _resumed, WELCOME),
    Growth("bots", "cost per message, bots", _fill_bots, _spread),
)
