"""What is stored of conversations: every form it ever had is read, and what cannot be read tells nobody's words."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from actors.basic import BasicActor
from actors.basic.state import BasicState
from actors.basic.state import OpenRun as WaitingRun
from actors.schedule import ScheduleActor
from actors.schedule.decide import Timers
from actors.session import SessionActor
from actors.session.state import Held, OpenRun, Quick, SessionState
from bus.protocol import Stored
from bus.states import Kept, StateCodec
from schemas.conversation import Attachment, Person, Suggestion

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

# As the first version wrote them: with every default and null.
SESSION = b"""{"bot":"pizza","bot_version":"ab","channel":"web","person":{"id":"p","name":"","email":"","phone":"",
"locale":"und"},"slot":null,"opened_at":"2026-05-04T12:00:00Z","last_at":"2026-05-04T12:00:00.000250Z","seq":3,
"received":{"m1":1},"spoken":false,"started":false,"run":{"id":"00000000-0000-0000-0000-000000000007","asked":true,
"heard":false,"deadline_at":"2026-05-04T12:00:00Z","secret":false},"held":[{"text":"hi","attachments":[{"name":"a",
"url":"/a","mime_type":"application/octet-stream","size":0}]}],"held_until":null,"opener":null,"quick":[{"suggestion":
{"text":"Yes","value":"yes"},"context":null,"until_answered":false}],"contexts":{"":"x"},"active_contexts":[],
"system_prompt":"","timer_at":null}"""
BASIC = b"""{"runs":{"r":{"bot":"p","bot_version":"","script":"start","trigger":"start","channel":"web","person":
{"id":"p","name":"","email":"","phone":"","locale":"und"},"message":"","frames":{"wait":null,"x":[1,2.5]}}},
"session":{}}"""
SCHEDULE = b'{"due":{"session":{"t":"2026-05-04T12:00:00Z"}}}'

STATES: dict[str, tuple[Any, bytes, Any]] = {
    "session": (
        SessionActor,
        SESSION,
        SessionState(
            bot="pizza",
            bot_version="ab",
            channel="web",
            person=Person(id="p"),
            opened_at=AT,
            last_at=AT + timedelta(microseconds=250),
            seq=3,
            received={"m1": 1},
            run=OpenRun(id=UUID(int=7), asked=True, deadline_at=AT),
            held=[Held(text="hi", attachments=(Attachment(name="a", url="/a"),))],
            quick=[Quick(suggestion=Suggestion(text="Yes", value="yes"))],
            contexts={"": "x"},
        ),
    ),
    "basic": (
        BasicActor,
        BASIC,
        BasicState(
            runs={
                "r": WaitingRun(
                    bot="p",
                    bot_version="",
                    script="start",
                    trigger="start",
                    channel="web",
                    person=Person(id="p"),
                    frames={"wait": None, "x": [1, 2.5]},
                )
            }
        ),
    ),
    "schedule": (ScheduleActor, SCHEDULE, Timers(due={"session": {"t": AT}})),
}


def read(actor: Any, value: bytes) -> Kept:
    return StateCodec(actor.state).decode(4, Stored(9, value))


@pytest.mark.parametrize(("actor", "stored", "state"), STATES.values(), ids=STATES)
def test_what_the_first_version_stored_is_read_and_kept(actor: Any, stored: bytes, state: Any) -> None:
    kept = read(actor, b'{"seen":{"basic/3":[7,1]},"parked":null,"state":%b}' % stored)
    assert kept.unreadable is None
    assert (kept.state, kept.seen, kept.parked, kept.version) == (state, {"basic/3": (7, 1)}, None, 9)
    again = read(actor, kept.encode() or b"")
    assert (again.state, again.seen) == (kept.state, kept.seen)


@pytest.mark.parametrize(
    "damage",
    [
        (b'"hi"', b'{"hi":"my secret"}'),
        (b'"text":"hi"', b'"text":7,"said":"my secret"'),
        (b'"/a"', b'["my secret"]'),
        (b'"2026-05-04T12:00:00Z"', b'"my secret"'),
        (b'"00000000-0000-0000-0000-000000000007"', b'"my secret"'),
        (b'"seq":3', b'"seq":"my secret"'),
        (b'{"m1":1}', b'{"my secret":"my secret"}'),
        (b'"hi"', b'"my secret\xff"'),
        (b'"hi"', b'"my secret\\ud800"'),
        (b'"hi"', b'"my secret'),
        (b'"hi"', b"[" * 100_000),
        (b'"seq":3', b'"seq":3,"later":' + b'{"my secret":' * 100_000),
    ],
    ids=lambda damage: repr(damage[1][:20]),
)
def test_what_cannot_be_read_is_told_without_a_word_of_it(damage: tuple[bytes, bytes]) -> None:
    kept = read(SessionActor, b'{"seen":{},"state":%b}' % SESSION.replace(*damage))
    assert kept.unreadable is not None
    assert kept.state is None
    told = "".join(traceback.format_exception(kept.unreadable)) + str(kept.unreadable)
    assert "secret" not in told
