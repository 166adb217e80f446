"""``BOTSWAIN_BUS=kafka botswain up`` on a real Kafka: the same conversations as on the embedded log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import WebClient, check, exchanges, play, transcript
from tests.end_to_end.conftest import Launch, output
from tests.support.kafka import KafkaServer, kafka_server, require_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("kafka")]

CHATS = sorted((Path(__file__).parent / "chats").glob("*.chat"))


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaServer]:
    require_kafka()
    with kafka_server() as server:
        yield server


def on_kafka(kafka: KafkaServer, data: Path) -> dict[str, str]:
    return {
        "BOTSWAIN_BUS": "kafka",
        "BOTSWAIN_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "BOTSWAIN_KAFKA__PREFIX": f"{data.parent.name}.",
        "BOTSWAIN_DATA": str(data),
    }


async def test_conversations_go_on_where_they_stood_when_the_process_is_killed(
    kafka: KafkaServer, data: Path, launch: Launch
) -> None:
    settings = on_kafka(kafka, data)
    up = launch("up", **settings)
    await up.ready()
    clients = [WebClient(lambda: up.port, chat.stem) for chat in CHATS]
    talks = [exchanges(chat) for chat in CHATS]
    for client, talk in zip(clients, talks, strict=True):
        await play(client, talk[:2])
        await client.say(talk[2].said, wait=client is not clients[0])  # one is in the midst of it
    up.kill()
    up.start()
    for client, talk in zip(clients, talks, strict=True):
        await check(client, talk[2])
        await play(client, talk[3:])
        assert client.connections == 2
        assert client.entries == await transcript(up.port, client.session)
        await client.hang_up()
    for topic in json.loads(await output(launch, "topics", "--json", **settings)):
        for name, group in topic["groups"].items():
            assert group["lag"] == (None if topic["topic"] == "channel.web" else 0), (topic["topic"], name)
        assert topic["newest"] > 0 or topic["topic"] not in ("session", "basic", "channel.web")


async def test_health_is_red_while_kafka_is_away(kafka: KafkaServer, data: Path, launch: Launch) -> None:
    up = launch("up", **on_kafka(kafka, data))
    await up.ready()
    async with WebClient(lambda: up.port, "quiz") as client:
        talk = exchanges(CHATS[2])
        assert CHATS[2].stem == "quiz"
        await play(client, talk[:1])
        kafka.kill()
        await up.until_health(503, mentions='"kafka":"no')
        await client.say(talk[1].said, wait=False)
        kafka.start()
        await client.acknowledged()
        await check(client, talk[1])
        await up.until_health(200)
        assert client.entries == await transcript(up.port, client.session)
