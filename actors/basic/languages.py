"""Names of languages in English, Portuguese, Spanish and the language itself, with their ISO 639-1 codes."""

from __future__ import annotations

from typing import Final

__all__ = ["language_code"]

_ISO_639_1: Final = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es
et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj
kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv
ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti
tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_CODES: Final = frozenset(_ISO_639_1.split())

_NAMES: Final[dict[str, str]] = {
    name: code
    for code, names in {
        "ar": "arabic árabe العربية",
        "bg": "bulgarian búlgaro български",
        "ca": "catalan catalão catalán català",
        "cs": "czech tcheco checo čeština",
        "da": "danish dinamarquês danés dansk",
        "de": "german alemão alemán deutsch",
        "el": "greek grego griego ελληνικά",
        "en": "english inglês inglés",
        "es": "spanish espanhol español castellano castelhano",
        "et": "estonian estoniano estonio eesti",
        "eu": "basque basco vasco euskara",
        "fa": "persian persa farsi فارسی",
        "fi": "finnish finlandês finlandés finés suomi",
        "fr": "french francês francés français",
        "ga": "irish irlandês irlandés gaeilge",
        "gl": "galician galego gallego",
        "he": "hebrew hebraico hebreo עברית",
        "hi": "hindi हिन्दी",
        "hr": "croatian croata hrvatski",
        "hu": "hungarian húngaro magyar",
        "id": "indonesian indonésio indonesio",
        "is": "icelandic islandês islandés íslenska",
        "it": "italian italiano",
        "ja": "japanese japonês japonés 日本語",
        "ko": "korean coreano 한국어",
        "la": "latin latim latín",
        "lt": "lithuanian lituano lietuvių",
        "lv": "latvian letão letón latviešu",
        "ms": "malay malaio malayo melayu",
        "nl": "dutch holandês neerlandês holandés neerlandés nederlands",
        "no": "norwegian norueguês noruego norsk",
        "pl": "polish polonês polaco polski",
        "pt": "portuguese português portugués",
        "ro": "romanian romeno rumano română",
        "ru": "russian russo ruso русский",
        "sk": "slovak eslovaco slovenčina",
        "sl": "slovenian esloveno slovenščina",
        "sr": "serbian sérvio serbio српски",
        "sv": "swedish sueco svenska",
        "sw": "swahili suaíli kiswahili",
        "ta": "tamil தமிழ்",
        "th": "thai tailandês tailandés ไทย",
        "tr": "turkish turco türkçe",
        "uk": "ukrainian ucraniano українська",
        "ur": "urdu اردو",
        "vi": "vietnamese vietnamita",
        "zh": "chinese chinês chino mandarin mandarim mandarín 中文",
    }.items()
    for name in names.split()
}


def language_code(text: str) -> str | None:
    """The code of a language by its code, also with a region (``pt-BR``), or its name; None if it is not known."""
    word = text.strip().lower()
    code = word.replace("_", "-").split("-")[0]
    if len(code) == 2 and code in _CODES and len(word) <= 10:
        return code
    return _NAMES.get(word)
