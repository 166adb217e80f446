"""What HEAR accepts, by type, and what it answers to what it does not accept."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.basic.documents import card_masked, cnpj, cpf
from actors.basic.hearing import NEEDS_SERVICE, SECRET, Accepted, Answer, Refused, hear, is_blank
from actors.basic.hints import hint
from actors.basic.keywords.row import HEAR_TYPES
from actors.basic.values import File, to_text
from schemas.conversation import Attachment

TODAY = date(2026, 3, 7)
PHOTO = Attachment(name="cat.png", url="https://files.example/cat.png", mime_type="image/png", size=5)
REPORT = Attachment(name="r.pdf", url="https://files.example/r.pdf", mime_type="application/pdf")


def answer(text: str, *attachments: Attachment) -> Answer:
    return Answer(text, attachments, TODAY)


ACCEPTED: list[tuple[str, str, object]] = [
    ("any", "  hello ", "hello"), ("string", "", ""), ("text", "a\nb", "a\nb"),
    ("integer", "42", 42), ("int", "-7", -7), ("integer", "1.234.567", 1_234_567), ("integer", "1,234", 1_234),
    ("integer", "1 234", 1_234), ("integer", "1\u00a0234", 1_234), ("integer", "007", 7),
    ("number", "12,5", 12.5), ("number", "12.5", 12.5), ("number", "1.500", 1_500), ("number", "0.125", 0.125),
    ("number", "1,234.5", 1234.5), ("number", "42", 42),
    ("float", "1.500", 1.5), ("decimal", "1.234,56", 1234.56), ("double", "-0,5", -0.5), ("float", ".5", 0.5),
    ("float", "-.5", -0.5), ("float", "1.234.567", 1_234_567), ("float", "1.234.567,8", 1234567.8),
    ("money", "R$ 1.234,56", 1234.56), ("money", "$1,234.56", 1234.56), ("currency", "25 €", 25), ("amount", "£ 3", 3),
    ("money", "1.500", 1_500), ("money", "10,5", 10.5), ("money", "¥1000", 1_000), ("money", "0", 0),
    ("boolean", "YES", True), ("bool", "Sim!", True), ("boolean", "sí", True), ("boolean", "1", True),
    ("boolean", "agreed", True),
    ("boolean", "não", False), ("boolean", "nope", False), ("boolean", "0", False), ("boolean", "cancel.", False),
    ("email", " Ana.Silva+x@Example.COM ", "ana.silva+x@example.com"),
    ("name", "ana maria", "Ana Maria"), ("name", "JOSÉ  DA SILVA", "José Da Silva"), ("name", "o’neil", "O'Neil"),
    ("name", "ana-lúcia", "Ana-Lúcia"), ("name", "McDonald", "McDonald"), ("name", "李明", "李明"),
    ("date", "25/12/2026", date(2026, 12, 25)), ("date", "25-12-2026", date(2026, 12, 25)),
    ("date", "25.12.2026", date(2026, 12, 25)),
    ("date", "2026-12-25", date(2026, 12, 25)), ("date", "2026/12/25", date(2026, 12, 25)),
    ("date", "12/25/2026", date(2026, 12, 25)),
    ("date", "03/04/2026", date(2026, 4, 3)), ("date", "5 Mar 2026", date(2026, 3, 5)),
    ("date", "5 de março de 2026", date(2026, 3, 5)),
    ("date", "1st January 2027", date(2027, 1, 1)), ("date", "10 dez 2026", date(2026, 12, 10)),
    ("date", "Tomorrow", date(2026, 3, 8)),
    ("date", "hoje", TODAY), ("date", "amanhã", date(2026, 3, 8)), ("date", "ontem", date(2026, 3, 6)),
    ("hour", "14:30", "14:30"), ("time", "2:30 pm", "14:30"), ("time", "12:00 am", "00:00"), ("time", "12pm", "12:00"),
    ("time", "9h", "09:00"), ("time", "9h30", "09:30"), ("time", "8:05 a.m.", "08:05"), ("time", "7:45:10", "07:45"),
    ("phone", "+55 (11) 91234-5678", "+5511912345678"), ("mobile", "11912345678", "+11912345678"),
    ("zip", "01310-100", "01310-100"), ("cep", "01310100", "01310-100"), ("cep", "01.310-100", "01310-100"),
    ("zipcode", "90210", "90210"),
    ("zipcode", "902101234", "90210-1234"), ("postalcode", "sw1a1aa", "SW1A 1AA"),
    ("language", "pt-BR", "pt"), ("language", "Español", "es"), ("language", "alemão", "de"), ("language", "EN", "en"),
    ("url", "example.com", "https://example.com"), ("link", "HTTP://Example.com/A?b=c#d", "http://example.com/A?b=c#d"),
    ("url", "10.0.0.7:81", "https://10.0.0.7:81"),
    ("url", "localhost:8080/x", "https://localhost:8080/x"), ("url", "são.com.br", "https://xn--so-sia.com.br"),
    ("uuid", "123E4567E89B12D3A456426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ("guid", "{123e4567-e89b-12d3-a456-426614174000}", "123e4567-e89b-12d3-a456-426614174000"),
    ("color", "#3af", "#33AAFF"), ("color", "3366ff", "#3366FF"), ("color", "rgb(1, 2, 255)", "#0102FF"),
    ("color", "Azul", "#0000FF"),
    ("cpf", "529.982.247-25", "529.982.247-25"), ("cpf", "52998224725", "529.982.247-25"),
    ("cnpj", "11222333000181", "11.222.333/0001-81"), ("cnpj", "12.abc.345/01de-35", "12.ABC.345/01DE-35"),
    ("creditcard", "4111 1111 1111 1111", "4111 **** **** 1111"), ("card", "378282246310005", "3782 **** **** 0005"),
    ("password", "long enough", "long enough"), ("secret", "12345678", "12345678"),
]  # fmt: skip

REFUSED: list[tuple[str, str]] = [
    ("integer", "12.5"), ("integer", "1.23.456"), ("integer", "abc"), ("integer", ""), ("integer", "1e5"),
    ("integer", "٣"),
    ("number", "one"), ("number", "1.2.3"), ("number", "--1"), ("number", "1.2,3.4"), ("float", "1."),
    ("float", "."), ("float", "nan"),
    ("money", "-3"), ("money", "$-3"), ("money", "ten"), ("money", "$"), ("money", "-0.5"), ("money", "R$ -,5"),
    ("boolean", "maybe"), ("boolean", ""), ("email", "ana"), ("email", "ana@host"), ("email", "a b@c.de"),
    ("email", "a..b@c.de"),
    ("email", "@c.de"), ("email", "ana@-x.com"), ("name", "A"), ("name", "R2D2"), ("name", "x" * 101), ("name", "-- "),
    ("date", "31/02/2026"), ("date", "2026-13-01"), ("date", "soon"), ("date", "1/1/26"), ("date", "13.13.2026"),
    ("date", "5 Foo 2026"),
    ("date", "0000-01-01"), ("hour", "25:00"), ("hour", "12:60"), ("hour", "14"), ("hour", "13:00 pm"),
    ("hour", "noon"),
    ("phone", "123"), ("phone", "1234567890123456"), ("phone", "call me"), ("phone", "55 11 abc 91234-5678"),
    ("zip", "123"), ("zip", "1234567"), ("zip", "ABC"), ("language", "klingon"), ("language", "xx"), ("language", ""),
    ("url", "javascript:alert(1)"), ("url", "ftp://x.com"), ("url", "no dots"), ("url", "word"),
    ("url", "https://a@evil.com"),
    ("url", "https://x.com:99999"), ("url", "https://[::1"), ("url", ""), ("uuid", "123"), ("color", "#12"),
    ("color", "rgb(1,2,300)"), ("color", "mud"),
    ("cpf", "529.982.247-26"), ("cpf", "111.111.111-11"), ("cpf", "5299822472"), ("cnpj", "11.222.333/0001-82"),
    ("cnpj", "00000000000000"),
    ("card", "4111 1111 1111 1112"), ("card", "0000000000000000"), ("card", "4111"), ("password", "short"),
    ("password", "        "),
    ("file", "just text"), ("image", ""), ("integer", "9" * 600), ("email", "a" * 65 + "@x.com"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value"), ACCEPTED)
def test_accepted(kind: str, text: str, value: object) -> None:
    heard = hear(kind, answer(text))
    assert isinstance(heard, Accepted)
    assert heard.value == value
    assert type(heard.value) is type(value)


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_refused_with_a_hint_in_the_persons_language(kind: str, text: str) -> None:
    hints = {locale: hear(kind, answer(text), locale=locale) for locale in ("en", "pt-BR", "es_MX", "fr", "und")}
    assert all(isinstance(heard, Refused) and heard.hint for heard in hints.values())
    assert hints["fr"] == hints["und"] == hints["en"] != hints["pt-BR"] != hints["es_MX"]


def test_every_type_of_the_language_is_known() -> None:
    for kind in HEAR_TYPES - NEEDS_SERVICE:
        assert isinstance(hear(kind, answer("x")), Accepted | Refused)
    for kind in NEEDS_SERVICE:
        with pytest.raises(KeyError):
            hear(kind, answer("x"))


@settings(deadline=None)
@given(st.sampled_from(sorted(HEAR_TYPES - NEEDS_SERVICE)), st.text(max_size=30))
def test_any_text_is_accepted_or_refused(kind: str, text: str) -> None:
    heard = hear(kind, answer(text), ["a", "b"])
    assert isinstance(heard, Accepted | Refused)
    if isinstance(heard, Accepted):
        to_text(heard.value)


# --- menus ------------------------------------------------------------------------------------------------------------

PIZZAS = ["Margherita", "Four Cheeses", "Cheese and Ham", "2"]


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("margherita", "Margherita"), (" FOUR CHEESES ", "Four Cheeses"), ("1", "Margherita"), ("3", "Cheese and Ham"),
        ("2", "2"), ("ham", "Cheese and Ham"), ("cheeses", "Four Cheeses"),
    ],
)  # fmt: skip
def test_menu(text: str, picked: str) -> None:
    assert hear("menu", answer(text), PIZZAS) == Accepted(picked)
    assert hear("menu", answer(text), PIZZAS, open_menu=True) == Accepted(picked)


@pytest.mark.parametrize("text", ["cheese", "5", "0", "", "calzone", "-1"])
def test_menu_refuses_what_is_not_clear(text: str) -> None:
    assert hear("menu", answer(text), PIZZAS) == Refused(hint("menu", "en", PIZZAS))
    if text:
        assert hear("menu", answer(text), PIZZAS, open_menu=True) == Accepted(text)


def test_the_hint_of_a_long_menu_is_short() -> None:
    assert hint("menu", "en", [str(n) for n in range(1_000)]).endswith("19, ….")


# --- files ------------------------------------------------------------------------------------------------------------


def test_files() -> None:
    heard = hear("image", answer("look", REPORT, PHOTO))
    assert isinstance(heard, Accepted)
    assert isinstance(heard.value, File)
    assert (heard.value.name, heard.value.mime_type, to_text(heard.value)) == ("cat.png", "image/png", PHOTO.url)
    assert isinstance(hear("file", answer("", REPORT)), Accepted)
    assert isinstance(hear("photo", answer("", REPORT)), Refused)
    assert isinstance(hear("audio", answer("", PHOTO)), Refused)


def test_a_file_without_words_is_an_answer_too() -> None:
    heard = hear("any", answer("", PHOTO))
    assert isinstance(heard, Accepted)
    assert isinstance(heard.value, File)
    assert hear("text", answer("", PHOTO)) == Accepted(PHOTO.url)
    assert hear("any", answer("a cat", PHOTO)) == Accepted("a cat")


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_are_flagged_and_card_numbers_are_gone() -> None:
    assert hear("password", answer("long enough")) == Accepted("long enough", secret=True)
    heard = hear("card", answer("4111 1111 1111 1111"))
    assert isinstance(heard, Accepted)
    assert not heard.secret
    assert "1111 1111" not in str(heard)
    assert {"password", "secret", "card", "creditcard"} == SECRET
    assert "long enough" not in repr(answer("long enough")) + repr(hear("password", answer("long enough")))


def test_blank_answers_take_the_default() -> None:
    assert is_blank(answer(" "))
    assert is_blank(answer(" - "))
    assert not is_blank(answer("", PHOTO))
    assert not is_blank(answer("no"))


# --- check digits -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=9, max_size=9).filter(lambda d: len(set(d)) > 1))
def test_each_cpf_has_one_pair_of_check_digits(digits: list[int]) -> None:
    body = "".join(map(str, digits))
    assert sum(cpf(f"{body}{check:02}") is not None for check in range(100)) == 1


@settings(deadline=None)
@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12).filter(lambda t: len(set(t)) > 1))
def test_each_cnpj_has_one_pair_of_check_digits(body: str) -> None:
    assert sum(cnpj(f"{body}{check:02}") is not None for check in range(100)) == 1


@settings(deadline=None)
@given(st.text("0123456789", min_size=15, max_size=15).filter(lambda t: len(set(t)) > 1))
def test_each_card_has_one_check_digit_and_swapping_two_digits_is_noticed(body: str) -> None:
    (number,) = [body + check for check in "0123456789" if card_masked(body + check)]
    for place in range(15):
        a, b = number[place], number[place + 1]
        if a != b and {a, b} != {"0", "9"}:
            assert card_masked(number[:place] + b + a + number[place + 2 :]) is None
