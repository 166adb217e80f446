"""What a person is told whose answer to HEAR does not fit, by type and language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["hint"]

_MAX_OPTIONS = 20

_TEXTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "text": "Please write an answer.",
        "integer": "Please send a whole number, for example 42.",
        "number": "Please send a number, for example 42 or 3.5.",
        "money": "Please send an amount, for example 25.90.",
        "boolean": "Please answer yes or no.",
        "email": "Please send an e-mail address, for example name@example.com.",
        "name": "Please send a name, with letters only.",
        "date": "Please send a date, for example 25/12/2026 or tomorrow.",
        "time": "Please send a time, for example 14:30.",
        "phone": "Please send a phone number with area code, 10 to 15 digits.",
        "zipcode": "Please send a postal code, for example 01310-100 or 10001.",
        "language": "Please send a language, for example English or pt.",
        "url": "Please send a web address, for example https://example.com.",
        "uuid": "Please send an identifier like 123e4567-e89b-12d3-a456-426614174000.",
        "color": "Please send a colour, for example blue or #3366FF.",
        "cpf": "This CPF is not valid. Please check the 11 digits.",
        "cnpj": "This CNPJ is not valid. Please check the 14 characters.",
        "card": "This card number is not valid. Please check it.",
        "password": "Please send at least 8 characters.",
        "file": "Please send a file.",
        "image": "Please send an image.",
        "video": "Please send a video.",
        "audio": "Please send an audio message.",
        "menu": "Please choose one of these: {options}.",
    },
    "pt": {
        "text": "Por favor, escreva uma resposta.",
        "integer": "Por favor, envie um número inteiro, por exemplo 42.",
        "number": "Por favor, envie um número, por exemplo 42 ou 3,5.",
        "money": "Por favor, envie um valor, por exemplo 25,90.",
        "boolean": "Por favor, responda sim ou não.",
        "email": "Por favor, envie um e-mail, por exemplo nome@exemplo.com.",
        "name": "Por favor, envie um nome, só com letras.",
        "date": "Por favor, envie uma data, por exemplo 25/12/2026 ou amanhã.",
        "time": "Por favor, envie um horário, por exemplo 14:30.",
        "phone": "Por favor, envie um telefone com DDD, de 10 a 15 dígitos.",
        "zipcode": "Por favor, envie um CEP, por exemplo 01310-100.",
        "language": "Por favor, envie um idioma, por exemplo português ou en.",
        "url": "Por favor, envie um endereço da web, por exemplo https://exemplo.com.",
        "uuid": "Por favor, envie um identificador como 123e4567-e89b-12d3-a456-426614174000.",
        "color": "Por favor, envie uma cor, por exemplo azul ou #3366FF.",
        "cpf": "Este CPF não é válido. Por favor, confira os 11 dígitos.",
        "cnpj": "Este CNPJ não é válido. Por favor, confira os 14 caracteres.",
        "card": "Este número de cartão não é válido. Por favor, confira.",
        "password": "Por favor, envie pelo menos 8 caracteres.",
        "file": "Por favor, envie um arquivo.",
        "image": "Por favor, envie uma imagem.",
        "video": "Por favor, envie um vídeo.",
        "audio": "Por favor, envie um áudio.",
        "menu": "Por favor, escolha uma destas opções: {options}.",
    },
    "es": {
        "text": "Por favor, escriba una respuesta.",
        "integer": "Por favor, envíe un número entero, por ejemplo 42.",
        "number": "Por favor, envíe un número, por ejemplo 42 o 3,5.",
        "money": "Por favor, envíe un importe, por ejemplo 25,90.",
        "boolean": "Por favor, responda sí o no.",
        "email": "Por favor, envíe un correo, por ejemplo nombre@ejemplo.com.",
        "name": "Por favor, envíe un nombre, solo con letras.",
        "date": "Por favor, envíe una fecha, por ejemplo 25/12/2026 o mañana.",
        "time": "Por favor, envíe una hora, por ejemplo 14:30.",
        "phone": "Por favor, envíe un teléfono con prefijo, de 10 a 15 dígitos.",
        "zipcode": "Por favor, envíe un código postal, por ejemplo 10001.",
        "language": "Por favor, envíe un idioma, por ejemplo español o en.",
        "url": "Por favor, envíe una dirección web, por ejemplo https://ejemplo.com.",
        "uuid": "Por favor, envíe un identificador como 123e4567-e89b-12d3-a456-426614174000.",
        "color": "Por favor, envíe un color, por ejemplo azul o #3366FF.",
        "cpf": "Este CPF no es válido. Por favor, revise los 11 dígitos.",
        "cnpj": "Este CNPJ no es válido. Por favor, revise los 14 caracteres.",
        "card": "Este número de tarjeta no es válido. Por favor, revíselo.",
        "password": "Por favor, envíe al menos 8 caracteres.",
        "file": "Por favor, envíe un archivo.",
        "image": "Por favor, envíe una imagen.",
        "video": "Por favor, envíe un vídeo.",
        "audio": "Por favor, envíe un audio.",
        "menu": "Por favor, elija una de estas opciones: {options}.",
    },
}

_SAME: Final = {"decimal": "number"}


def hint(family: str, locale: str, options: Sequence[str] = ()) -> str:
    """
    The sentence for a family of types (``'integer'``, ``'menu'`` …) in the language of *locale*, a BCP 47 tag; English
    where we do not speak it.
    """
    texts = _TEXTS.get(locale.lower().replace("_", "-").split("-")[0], _TEXTS["en"])
    shown = ", ".join(options[:_MAX_OPTIONS]) + (", …" if len(options) > _MAX_OPTIONS else "")
    return texts[_SAME.get(family, family)].replace("{options}", shown)
