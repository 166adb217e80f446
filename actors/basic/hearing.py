"""What HEAR accepts: a person's answer to a value of the type that the script asks for, or to a hint. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from actors.basic.documents import card_masked, cnpj, cpf
from actors.basic.hints import hint
from actors.basic.languages import language_code
from actors.basic.values import File
from schemas.conversation import Attachment

__all__ = ["NEEDS_SERVICE", "SECRET", "TYPES", "Accepted", "Answer", "Refused", "hear", "is_blank"]

NEEDS_SERVICE: Final = frozenset({"login", "auth", "qrcode", "qr"})
"""Types that somebody outside must help with; ``hear`` does not know them."""

SECRET: Final = frozenset({"password", "secret", "creditcard", "card"})
"""Types whose answer must be kept out of transcript, history and logs."""

_MAX_ANSWER: Final = 500
"""No answer of a type that is checked is longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person sent. *today* is the day in the bot's zone, for answers like "tomorrow"."""

    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    today: date = date.min


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The answer fits.

    Args:
        secret: *value* itself is one and must be shown nowhere; a card's value is masked and is none.
    """

    value: object = field(repr=False)
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer does not fit; *hint* tells the person what would."""

    hint: str


def is_blank(answer: Answer) -> bool:
    """Whether it takes the DEFAULT of the HEAR: nothing, or ``-``."""
    return answer.text.strip() in ("", "-") and not answer.attachments


def hear(
    kind: str, answer: Answer, options: Sequence[str] = (), open_menu: bool = False, locale: str = "en"
) -> Accepted | Refused:
    """
    Check and convert an answer.

    Args:
        kind: a type word in lower case, ``'any'`` for none, ``'menu'`` with *options*.
        open_menu: a menu with ``*``: other text is accepted as it is.
        locale: BCP 47 tag of the person, for the hint.

    Raises: KeyError: an unknown *kind*, or one of ``NEEDS_SERVICE``.
    """
    text = answer.text.strip()
    if kind == "menu":
        return _menu(text, options, open_menu, locale)
    if kind == "any" or kind in _TEXT_KINDS:
        return Accepted(_free(answer, kind))
    if kind in ("password", "secret"):
        return Accepted(answer.text, secret=True) if len(text) >= 8 else Refused(hint("password", locale))
    family = _FAMILIES[kind]
    found: object
    if family in _MEDIA:
        found = _attached(answer.attachments, _MEDIA[family])
    elif len(text) > _MAX_ANSWER:
        found = None
    elif family == "date":
        found = _date(text, answer.today)
    else:
        found = _CHECKS[family](text)
    return Refused(hint(family, locale)) if found is None else Accepted(found)


_TEXT_KINDS: Final = frozenset({"string", "text"})

_FAMILIES: Final[dict[str, str]] = {
    kind: family
    for family, kinds in {
        "integer": "integer int",
        "number": "number",
        "decimal": "float decimal double",
        "money": "money currency amount",
        "boolean": "boolean bool",
        "email": "email",
        "name": "name",
        "date": "date",
        "time": "hour time",
        "phone": "mobile phone telephone",
        "zipcode": "zipcode zip cep postalcode",
        "language": "language",
        "url": "url link",
        "uuid": "uuid guid",
        "color": "color",
        "cpf": "cpf",
        "cnpj": "cnpj",
        "card": "creditcard card",
        "file": "file document",
        "image": "image photo",
        "video": "video",
        "audio": "audio voice",
    }.items()
    for kind in kinds.split()
}
TYPES: Final = (*dict.fromkeys(("text", *_FAMILIES.values(), "password", "login", "qrcode", "menu")),)
"""What can be asked for, to be told: of several words for one type the usual one."""

_MEDIA: Final = {"file": "", "image": "image/", "video": "video/", "audio": "audio/"}


# --- text, files, menus ---------------------------------------------------------------------------------------------


def _free(answer: Answer, kind: str) -> object:
    """The text; where there is none but a file came, the file (its address where text is asked for)."""
    text = answer.text.strip()
    if text or not answer.attachments:
        return text
    return _file(answer.attachments[0]) if kind == "any" else answer.attachments[0].url


def _file(attachment: Attachment) -> File:
    return File(
        name=attachment.name,
        filename=attachment.name,
        path=attachment.url,
        url=attachment.url,
        size=attachment.size,
        mime_type=attachment.mime_type,
    )


def _attached(attachments: Sequence[Attachment], media: str) -> File | None:
    return next((_file(one) for one in attachments if one.mime_type.lower().startswith(media)), None)


def _menu(text: str, options: Sequence[str], open_menu: bool, locale: str) -> Accepted | Refused:
    """By the whole text ignoring case, then by number from 1, then by a part that only one option has."""
    wanted = text.casefold()
    for option in options:
        if option.strip().casefold() == wanted:
            return Accepted(option)
    if re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= len(options):
        return Accepted(options[int(text) - 1])
    having = [option for option in options if wanted and wanted in option.casefold()]
    if len(having) == 1:
        return Accepted(having[0])
    if open_menu and text:
        return Accepted(text)
    return Refused(hint("menu", locale, options))


# --- numbers --------------------------------------------------------------------------------------------------------

_GROUPED: Final = re.compile(r"[+-]?(?:[0-9]+|[1-9][0-9]{0,2}(?:([ .,'])[0-9]{3})(?:\1[0-9]{3})*)")
_SYMBOL: Final = re.compile(r"(?:R\$|US\$|[$€£¥]|BRL|USD|EUR|GBP)", re.IGNORECASE)


def _blanks(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _integer(text: str) -> int | None:
    """Digits, in groups of three if there are separators: 12.5 is not 125."""
    text = _blanks(text)
    return int(re.sub(r"[ .,']", "", text)) if _GROUPED.fullmatch(text) else None


def _decimal(text: str, grouped_thousands: bool) -> int | float | None:
    """
    A number whose decimal mark is the last of ``.`` and ``,`` where both occur. One mark alone is the decimal mark;
    with *grouped_thousands* it separates thousands if three digits follow it. A mark that occurs twice does so too.
    """
    text = _blanks(text)
    if not re.fullmatch(r"[+-]?[0-9][0-9 .,']*|[+-]?[.,][0-9]+", text):
        return None
    if grouped_thousands and _GROUPED.fullmatch(text):
        return _integer(text)
    mark = max((".", ","), key=text.rfind)
    whole, _, fraction = text.rpartition(mark) if mark in text else (text, "", "")
    if mark in whole:
        return _integer(text)
    if not fraction.isdecimal() and mark in text:
        return None
    units = _integer(whole) if whole.strip("+-") else 0
    if units is None:
        return None
    if not fraction:
        return units
    return float(f"{'-' if text.startswith('-') else ''}{abs(units)}.{fraction}")


def _money(text: str) -> int | float | None:
    bare = _SYMBOL.sub("", _blanks(text), count=1).strip()
    amount = _decimal(bare, grouped_thousands=True)
    return amount if amount is not None and amount >= 0 and not bare.startswith("-") else None


_YES_WORDS: Final = "yes y true 1 sim s si sí oui ja da ok okay yeah yep sure confirm confirmed accept agree agreed"
_NO_WORDS: Final = "no n false 0 não nao non nein net nope cancel deny denied reject rejected declined disagree"
_YES: Final = frozenset(_YES_WORDS.split())
_NO: Final = frozenset(_NO_WORDS.split())


def _boolean(text: str) -> bool | None:
    word = text.rstrip(".!").lower()
    if word in _YES:
        return True
    return False if word in _NO else None


# --- persons and places ---------------------------------------------------------------------------------------------

_EMAIL: Final = re.compile(
    r"[a-z0-9!#$%&*+/=?^_{|}~'-]+(?:\.[a-z0-9!#$%&*+/=?^_{|}~'-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)
_UK: Final = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?) ?([0-9][A-Z]{2})")
_TIME: Final = re.compile(r"([0-9]{1,2})(?:[:h.]([0-9]{2}))?h?(?::[0-9]{2})?\s*([ap])?\.?(?:m\.?)?")


def _email(text: str) -> str | None:
    address = text.lower()
    address = address.removeprefix("mailto:")
    fits = len(address) <= 254 and address.find("@") <= 64 and _EMAIL.fullmatch(address)
    return address if fits else None


def _name(text: str) -> str | None:
    name = " ".join(text.replace("’", "'").split())
    letters = sum(map(str.isalpha, name))
    if not 2 <= len(name) <= 100 or letters < 2:
        return None
    if not all(character.isalpha() or character in " -'" or _is_mark(character) for character in name):
        return None
    return " ".join("-".join(map(_capitalized, word.split("-"))) for word in name.split(" "))


def _is_mark(character: str) -> bool:
    return 0x300 <= ord(character) <= 0x36F  # accents written as characters of their own


def _capitalized(word: str) -> str:
    """*ana* and *ANA* to *Ana*, *o'neil* to *O'Neil*; *McDonald* as it is."""
    if word.isupper() or word.islower():
        word = word.lower()
        head, apostrophe, tail = word.partition("'")
        if apostrophe and len(head) == 1:
            return f"{head.upper()}'{tail[:1].upper()}{tail[1:]}"
    return word[:1].upper() + word[1:]


def _time(text: str) -> str | None:
    found = _TIME.fullmatch(text.lower())
    if found is None or (found[2] is None and found[3] is None and "h" not in text.lower()):
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[3] == "p" else 0)
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def _phone(text: str) -> str | None:
    if not re.fullmatch(r"\+?[0-9 ().\-/]+", _blanks(text)):
        return None
    digits = "".join(character for character in text if character in "0123456789")
    return f"+{digits}" if 10 <= len(digits) <= 15 else None


def _zipcode(text: str) -> str | None:
    code = text.upper()
    if re.fullmatch(r"[0-9]{2}\.?[0-9]{3}-?[0-9]{3}", code):
        digits = code.replace(".", "").replace("-", "")
        return f"{digits[:5]}-{digits[5:]}"
    if re.fullmatch(r"[0-9]{5}(?:[- ]?[0-9]{4})?", code):
        digits = code.replace("-", "").replace(" ", "")
        return digits if len(digits) == 5 else f"{digits[:5]}-{digits[5:]}"
    found = _UK.fullmatch(code)
    return f"{found[1]} {found[2]}" if found else None


# --- dates ----------------------------------------------------------------------------------------------------------

_DAYS: Final = {
    "today": 0, "tomorrow": 1, "yesterday": -1, "hoje": 0, "amanhã": 1, "amanha": 1, "ontem": -1, "hoy": 0, "mañana": 1,
    "ayer": -1,
}  # fmt: skip
_MONTHS: Final = {
    **dict.fromkeys(("jan", "ene"), 1), **dict.fromkeys(("feb", "fev"), 2), "mar": 3,
    **dict.fromkeys(("apr", "abr"), 4), **dict.fromkeys(("may", "mai"), 5), "jun": 6, "jul": 7,
    **dict.fromkeys(("aug", "ago"), 8), **dict.fromkeys(("sep", "set"), 9), **dict.fromkeys(("oct", "out"), 10),
    "nov": 11, **dict.fromkeys(("dec", "dez", "dic"), 12),
}  # fmt: skip
_SPELLED: Final = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th|º|°)? (?:de )?([a-zç]{3,10})\.?,? (?:de )?([0-9]{4})")


def _date(text: str, today: date) -> date | None:
    """Day first where both readings are possible; the words of yesterday, today and tomorrow; ``5 Mar 2026``."""
    word = text.lower()
    if word in _DAYS:
        try:
            return today + timedelta(days=_DAYS[word])
        except OverflowError:
            return None
    spelled = _SPELLED.fullmatch(word)
    if spelled is not None and spelled[2][:3] in _MONTHS:
        return _day(int(spelled[3]), _MONTHS[spelled[2][:3]], int(spelled[1]))
    numbers = re.fullmatch(r"([0-9]{1,4})([/.-])([0-9]{1,2})\2([0-9]{1,4})", text)
    if numbers is None:
        return None
    first, mark, second, third = numbers.groups()
    if len(first) == 4 and mark in "-/" and len(third) <= 2:
        return _day(int(first), int(second), int(third))
    if len(first) > 2 or len(third) != 4:
        return None
    day_first = _day(int(third), int(second), int(first))
    return day_first or (_day(int(third), int(first), int(second)) if mark == "/" else None)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


# --- identifiers ----------------------------------------------------------------------------------------------------

_COLORS: Final = {
    name: code
    for code, names in {
        "#000000": "black preto negro",
        "#FFFFFF": "white branco blanco",
        "#FF0000": "red vermelho rojo",
        "#008000": "green verde",
        "#0000FF": "blue azul",
        "#FFFF00": "yellow amarelo amarillo",
        "#FFA500": "orange laranja naranja",
        "#800080": "purple roxo morado",
        "#EE82EE": "violet violeta",
        "#FFC0CB": "pink rosa",
        "#A52A2A": "brown marrom marrón castanho",
        "#808080": "gray grey cinza gris",
        "#00FFFF": "cyan aqua ciano cian",
        "#FF00FF": "magenta fuchsia",
        "#00FF00": "lime",
        "#800000": "maroon",
        "#000080": "navy",
        "#808000": "olive oliva",
        "#008080": "teal",
        "#C0C0C0": "silver prata plata",
        "#FFD700": "gold dourado dorado",
        "#F5F5DC": "beige bege",
        "#40E0D0": "turquoise turquesa",
        "#4B0082": "indigo índigo",
    }.items()
    for name in names.split()
}


def _color(text: str) -> str | None:
    word = text.lower()
    if word in _COLORS:
        return _COLORS[word]
    digits = re.fullmatch(r"#?([0-9a-f]{3}|[0-9a-f]{6})", word)
    if digits:
        code = digits[1] if len(digits[1]) == 6 else "".join(digit * 2 for digit in digits[1])
        return f"#{code.upper()}"
    parts = re.fullmatch(r"rgb\(\s*([0-9]{1,3})\s*[, ]\s*([0-9]{1,3})\s*[, ]\s*([0-9]{1,3})\s*\)", word)
    if parts and all(int(part) < 256 for part in parts.groups()):
        return "#" + "".join(f"{int(part):02X}" for part in parts.groups())
    return None


_HOST: Final = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]{2,}|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|localhost")


def _url(text: str) -> str | None:
    if re.search(r"\s", text):
        return None
    address = text if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) else f"https://{text}"
    try:
        parts = urlsplit(address)
        port, host = parts.port, (parts.hostname or "").encode("idna").decode()
    except ValueError:  # also what is no host name
        return None
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return None
    if parts.username is not None:
        return None  # a name and password in an address are for deceiving people
    return urlunsplit(
        (parts.scheme, host if port is None else f"{host}:{port}", parts.path, parts.query, parts.fragment)
    )


def _uuid(text: str) -> str | None:
    if not re.fullmatch(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?", text):
        return None
    return str(UUID(text))


_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "integer": _integer,
    "number": lambda text: _decimal(text, grouped_thousands=True),
    "decimal": lambda text: _decimal(text, grouped_thousands=False),
    "money": _money,
    "boolean": _boolean,
    "email": _email,
    "name": _name,
    "time": _time,
    "phone": _phone,
    "zipcode": _zipcode,
    "language": language_code,
    "url": _url,
    "uuid": _uuid,
    "color": _color,
    "cpf": cpf,
    "cnpj": cnpj,
    "card": card_masked,
}
