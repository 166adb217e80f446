"""The web chat protocol, over real sockets."""

from __future__ import annotations

from support.web_edge import world


async def test_a_conversation_opens_is_acknowledged_and_answered() -> None:
    async with world() as here, here.client() as client:
        welcome = await client.frame()
        assert welcome["type"] == "welcome"
        assert (welcome["bot"], welcome["seq"]) == ("shop", 0)
        hello = await client.frame()
        assert (hello["type"], hello["seq"], hello["role"], hello["text"]) == ("message", 1, "bot", "Hello!")
        assert hello["suggestions"] == [{"text": "Yes", "value": "yes"}]
        await client.say("m1", "ahoy")
        assert await client.frame() == {"type": "ack", "id": "m1", "seq": 2}
        answer = await client.frame()
        assert (answer["seq"], answer["text"]) == (3, "You said ahoy")
