"""What the session itself says, in the languages it knows."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["MASK", "TextName", "folded", "text"]

TextName = Literal["apology", "nothing_to_answer_with", "waited_too_long"]

MASK: Final = "••••••••"  # stands in the transcript for an answer that is a secret

_TEXTS: Final[dict[str, dict[TextName, str]]] = {
    "en": {
        "apology": "Sorry, something went wrong on our side. You can go on, or write again later.",
        "nothing_to_answer_with": (
            "This bot has nothing to answer with yet: no dialog is waiting for a message "
            "and no language model is set up."
        ),
        "waited_too_long": "There was no answer for a while, so this was closed. Write again to begin anew.",
    },
    "pt": {
        "apology": "Desculpe, algo deu errado do nosso lado. Você pode continuar ou escrever de novo mais tarde.",
        "nothing_to_answer_with": (
            "Este bot ainda não tem com o que responder: nenhum diálogo espera uma mensagem e nenhum modelo de "
            "linguagem está configurado."
        ),
        "waited_too_long": "Ficamos um tempo sem resposta, por isso encerramos aqui. Escreva de novo para recomeçar.",
    },
}


def text(name: TextName, locale: str) -> str:
    """The text in the language of *locale* (a BCP 47 tag), English when we do not speak it."""
    return _TEXTS.get(locale[:2].lower(), _TEXTS["en"])[name]


def folded(words: str) -> str:
    """*words* as they are compared: without case and without blanks around them."""
    return words.strip().casefold()
