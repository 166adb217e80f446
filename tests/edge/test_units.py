"""The edge's pure functions: limits, tokens, themes, origins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import SystemClock
from bus.ids import uuid7
from edge import frames
from edge.frames import ClientMessage, ClientTyping, Refusal
from edge.limits import Addresses, Bucket
from edge.origins import language_of, origin_allowed
from edge.settings import EdgeSettings
from edge.theme import MAX_BYTES, safe_css
from edge.tokens import BadToken, Ticket, Tokens


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket()
    assert [bucket.take(2, 3, 100.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(2, 3, 100.25) == 0.25
    assert bucket.take(2, 3, 100.5) == 0
    assert bucket.take(2, 3, 100.5) > 0
    assert not bucket.idle(2, 101.0)
    assert bucket.idle(2, 102.0)


@given(st.lists(st.floats(0, 2), max_size=200), st.floats(0.1, 50), st.integers(1, 20))
def test_a_bucket_never_gives_more_than_its_rate(pauses: list[float], rate: float, burst: int) -> None:
    bucket, now, given_out = Bucket(), 1000.0, 0
    for pause in pauses:
        now += pause
        given_out += bucket.take(rate, burst, now) == 0
    assert given_out <= burst + rate * (now - 1000.0) + 1e-6


def test_addresses_that_are_gone_are_forgotten() -> None:
    addresses = Addresses(EdgeSettings())
    busy = addresses.of("busy", 0.0)
    assert addresses.open_socket(busy)
    for number in range(100_000):
        addresses.take(addresses.of(str(number), float(number)), float(number))
    assert len(addresses._known) < 3_000
    assert addresses.of("busy", 1e6) is busy


def test_all_addresses_together_have_so_many_sockets() -> None:
    addresses = Addresses(EdgeSettings(max_sockets=2))
    one, two, three = (addresses.of(host, 0.0) for host in ("one", "two", "three"))
    assert [addresses.open_socket(address) for address in (one, two, three)] == [True, True, False]
    addresses.close_socket(one)
    assert addresses.open_socket(three)


def test_tokens_of_an_older_key_are_still_read() -> None:
    ticket = Ticket(uuid7(SystemClock())(), "shop")
    old = Tokens(["old"], 60).sign(ticket)
    assert Tokens(["old", "new"], 60).read(old) == ticket
    with pytest.raises(BadToken):
        Tokens(["new"], 60).read(old)
    with pytest.raises(ValueError, match="key"):
        Tokens([], 60)


def test_messages_may_be_as_long_as_the_limit_says() -> None:
    assert frames.check_message("i" * 128, "a" * 50, 50) == ClientMessage("i" * 128, "a" * 50)
    for id_, text, code in (("i" * 129, "a", "bad_message"), ("i", "a" * 51, "too_large")):
        refused = frames.check_message(id_, text, 50)
        assert isinstance(refused, Refusal)
        assert refused.code == code


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(BadToken):
        Tokens(["key"], 60).read(text)


@given(st.text(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(repr))
def test_no_frame_raises(text: str) -> None:
    assert isinstance(frames.read(text, 100), ClientMessage | ClientTyping | Refusal)


@pytest.mark.parametrize(
    "css",
    [
        "@import 'evil.css';",
        "a { background: url(https://evil.example/x) }",
        "a { background: URL  (x) }",
        "a { background: u\\72l(x) }",
        "a { background: image-set('x' 1x) }",
        "@font-face { src: local(x) }",
        "</style><script>alert(1)</script>",
        "a { width: expression(alert(1)) }",
        "a { color: red }" * MAX_BYTES,
    ],
    ids=lambda css: css[:20],
)
def test_a_theme_that_could_reach_out_is_refused_whole(css: str) -> None:
    served = safe_css("b { color: blue }" + css)
    assert served.startswith("/* The theme is not used")
    assert "{" not in served
    assert served.count("*/") == 1


def test_a_theme_may_change_how_things_look() -> None:
    css = ':root { --accent: light-dark(#900, #f99) }\n.bubble::after { content: "url" }'
    assert safe_css(f"/* @import */{css}/* open").strip() == css
    assert safe_css(" \n") == ""


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "good"),
    [
        ("", "here:1", (), True),
        ("http://here:1", "here:1", (), True),
        ("https://HERE:1", "here:1", (), True),
        ("http://here:2", "here:1", (), False),
        ("http://here", "here:1", (), False),
        ("null", "null", (), False),
        ("file://here:1", "here:1", (), False),
        ("https://friend", "here:1", ("https://friend/",), True),
        ("https://friend.evil", "here:1", ("https://friend",), False),
        ("https://anybody", "here:1", ("*",), True),
    ],
)
def test_origins(origin: str, host: str, allowed: tuple[str, ...], good: bool) -> None:
    headers = {b"host": host.encode(), **({b"origin": origin.encode()} if origin else {})}
    assert origin_allowed(headers, allowed) is good


@pytest.mark.parametrize(
    ("header", "language"),
    [("pt-BR,pt;q=0.9", "pt-BR"), ("", "und"), ("*", "und"), ("en", "en"), ("<script>", "und"), ("x" * 99, "x" * 8)],
)
def test_languages(header: str, language: str) -> None:
    assert language_of(header) == language
