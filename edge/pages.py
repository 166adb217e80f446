"""The pages: the list of bots, the chat, and what to do when there is nothing to show. All files are kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bus.errors import BusUnavailable
from edge.directory import BotDirectory
from edge.origins import language_of
from edge.problems import Problem, on_http_exception
from edge.settings import EdgeSettings

__all__ = ["Pages"]

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SHOWN: Final = 200

_ENGLISH: Final = {
    "bots": "Bots",
    "choose": "Choose whom you want to talk to.",
    "none": "There are no bots yet",
    "none_lead": "Write one in a minute:",
    "unknown": "There is no bot called “{bot}”",
    "unknown_lead": "It may have been renamed, or it was never published.",
    "faulty": "“{bot}” is not published yet",
    "faulty_lead": "It has mistakes. When they are mended, the conversation begins here by itself.",
    "faulty_about": "Not published yet: it has mistakes.",
    "all": "See all bots",
    "nothing": "There is nothing at this address",
    "step_folder": "Make a folder <code>hello.gbai</code> in your folder of bots.",
    "step_script": "Put a file <code>start.bas</code> into it:",
    "step_reload": "Reload this page. A folder of bots that is being watched needs nothing else; otherwise run"
    " <code>botswain publish hello</code>.",
    "step_check": "If it does not appear, <code>botswain check hello</code> tells why.",
    "more": "Only the first {shown} of {count} are shown.",
    "no_script": "This chat needs JavaScript.",
    "greeting": "Hello! What is your name?",
    "answer": "Nice to meet you, ",
    "away": "The service is starting, or its store cannot be reached",
    "away_lead": "Reload this page in a moment.",
}
_PORTUGUESE: Final = {
    "bots": "Bots",
    "choose": "Escolha com quem você quer conversar.",
    "none": "Ainda não há bots",
    "none_lead": "Escreva um em um minuto:",
    "unknown": "Não há um bot chamado “{bot}”",
    "unknown_lead": "Ele pode ter mudado de nome, ou nunca foi publicado.",
    "faulty": "“{bot}” ainda não foi publicado",
    "faulty_lead": "Há erros nele. Quando forem corrigidos, a conversa começa aqui por si mesma.",
    "faulty_about": "Ainda não publicado: há erros nele.",
    "all": "Ver todos os bots",
    "nothing": "Não há nada neste endereço",
    "step_folder": "Crie uma pasta <code>hello.gbai</code> na sua pasta de bots.",
    "step_script": "Coloque nela um arquivo <code>start.bas</code>:",
    "step_reload": "Recarregue esta página. Uma pasta de bots que é observada não precisa de mais nada; senão, execute"
    " <code>botswain publish hello</code>.",
    "step_check": "Se ele não aparecer, <code>botswain check hello</code> diz por quê.",
    "more": "São mostrados só os primeiros {shown} de {count}.",
    "no_script": "Este chat precisa de JavaScript.",
    "greeting": "Olá! Qual é o seu nome?",
    "answer": "Prazer em conhecer você, ",
    "away": "O serviço está começando, ou seus dados não podem ser alcançados",
    "away_lead": "Recarregue esta página em instantes.",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def _read_files() -> dict[str, _File]:
    found = {}
    for entry in files("edge").joinpath("static").iterdir():
        media_type = _TYPES.get(entry.name.rpartition(".")[2])
        if media_type is not None:
            content = entry.read_bytes()
            found[entry.name] = _File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
    return found


def _template(name: str) -> Template:
    return Template(files("edge").joinpath("static", name).read_text("utf-8"))


class Pages:
    """
    The routes of everything a browser shows.

    Args:
        hint: what to tell somebody who sees no bots, such as which folder is watched and that it is empty; '' for
            nothing. In development only, since it names paths.
        problems_of: what is wrong with the newest edit of a bot, as texts for its author. In development only.
        unpublished: the bots with such an edit. In development only.
    """

    def __init__(
        self,
        directory: BotDirectory,
        settings: EdgeSettings,
        *,
        hint: Callable[[], str],
        problems_of: Callable[[str], Sequence[str]],
        unpublished: Callable[[], Sequence[str]],
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._hint = hint
        self._problems_of = problems_of
        self._unpublished = unpublished
        self._files = _read_files()
        self._chat = _template("chat.html")
        self._page = _template("page.html")

    def routes(self) -> list[Route]:
        """To be mounted at the root."""
        routes = [
            Route("/", self.index),
            Route("/chat/{bot}", self.chat),
            Route("/chat/{bot}/", self.to_chat),
            Route("/chat/{bot}/theme.css", self.theme),
            Route("/static/{name}", self.static),
            Route("/favicon.ico", self.icon),
        ]
        if self._settings.development:
            routes.append(Route("/dev/problems/{bot}", self.problems))
        return routes

    async def index(self, request: Request) -> Response:
        """The list of bots."""
        lang, words = _words(request)
        names = self._directory.names()
        if not self._directory.loaded:
            return self._away(lang, words)
        faulty = self._never_published()
        if not names and not faulty:
            return self._html(lang, words["none"], self._first_steps(words))
        try:
            faces = [face for name in names[:_SHOWN] if (face := await self._directory.face(name))]
        except BusUnavailable:
            return self._away(lang, words)
        cards = [_card(face.name, face.title, face.about) for face in faces]
        cards += [_card(name, name, words["faulty_about"]) for name in faulty[:_SHOWN]]
        items = "\n".join(cards)
        body = f'<h1>{words["bots"]}</h1>\n<p class="lead">{words["choose"]}</p>\n<ul class="bots">\n{items}\n</ul>'
        if len(names) > _SHOWN:
            body += f"\n<p>{words['more'].format(shown=_SHOWN, count=len(names))}</p>"
        return self._html(lang, words["bots"], body)

    async def chat(self, request: Request) -> Response:
        """The chat page of a bot."""
        lang, words = _words(request)
        bot = request.path_params["bot"]
        try:
            face = await self._directory.face(bot)
        except BusUnavailable:
            return self._away(lang, words)
        if face is None and self._directory.version_of(bot.lower()):
            return RedirectResponse(f"/chat/{bot.lower()}")
        if face is None and bot.lower() in self._never_published():
            return self._faulty(lang, words, bot.lower())
        if face is None:
            title = words["unknown"].format(bot=escape(bot[:60]))
            body = (
                f'<h1>{title}</h1>\n<p class="lead">{words["unknown_lead"]}</p>\n<p><a href="/">{words["all"]}</a></p>'
            )
            if not self._directory.names():
                body += "\n" + self._first_steps(words)
            return self._html(lang, title, body, 404)
        address = f"/chat/{face.name}/theme.css?v={face.version[:16]}"
        html = self._chat.substitute(
            lang=lang,
            bot=escape(face.name),
            title=escape(face.title),
            initial=escape(face.title[0]),
            theme=f'<link rel="stylesheet" href="{escape(address)}">' if face.theme else "",
            max_chars=self._settings.max_text_chars,
            development=' data-development="true"' if self._settings.development else "",
            no_script=words["no_script"],
        )
        return Response(html, media_type="text/html", headers={"Cache-Control": "no-cache"})

    async def to_chat(self, request: Request) -> Response:
        """The same without the slash at the end."""
        return RedirectResponse(request.url.path.rstrip("/"), 308)

    async def theme(self, request: Request) -> Response:
        """The bot's own style sheet, if it is harmless."""
        face = await self._directory.face(request.path_params["bot"])
        if face is None:
            raise Problem(404, "not_found", "There is no such bot.")
        return _cached(request, _File(face.theme.encode(), _TYPES["css"], f'"{face.version[:20]}"'))

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise Problem(404, "not_found", "There is no such file.")
        return _cached(request, file)

    async def icon(self, request: Request) -> Response:
        """What browsers ask for by themselves."""
        return _cached(request, self._files["icon.svg"])

    async def problems(self, request: Request) -> Response:
        """In development: what is wrong with the newest edit of a bot, and whether a version of it is in force."""
        bot = request.path_params["bot"]
        told = {"problems": list(self._problems_of(bot)), "published": bool(self._directory.version_of(bot))}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def on_http_exception(self, request: Request, error: Exception) -> Response:
        """Starlette's handler of what its router refuses: a page for a person who followed a wrong link."""
        assert isinstance(error, HTTPException)
        wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
        if error.status_code != 404 or not wants_page:
            return await on_http_exception(request, error)
        lang, words = _words(request)
        body = f'<h1>{words["nothing"]}</h1>\n<p><a href="/">{words["all"]}</a></p>'
        return self._html(lang, words["nothing"], body, 404)

    def _never_published(self) -> list[str]:
        """In development: the bots that nobody can talk to, because of mistakes in their first version."""
        if not self._settings.development:
            return []
        return [bot for bot in self._unpublished() if not self._directory.version_of(bot)]

    def _faulty(self, lang: str, words: dict[str, str], bot: str) -> Response:
        """The page of such a bot: it lists the mistakes, and becomes the chat when there is something to chat with."""
        title = words["faulty"].format(bot=escape(bot))
        body = (
            f'<h1>{title}</h1>\n<p class="lead">{words["faulty_lead"]}</p>\n'
            f'<section class="problems" id="problems" role="alert" data-bot="{escape(bot)}" hidden></section>\n'
            f'<p><a href="/">{words["all"]}</a></p>\n'
            '<script type="module" src="/static/unpublished.js"></script>'
        )
        return self._html(lang, title, body, 404)

    def _first_steps(self, words: dict[str, str]) -> str:
        script = f'TALK "{words["greeting"]}"\nHEAR name AS NAME\nTALK "{words["answer"]}" + name + "!"'
        hint = self._hint() if self._settings.development else ""
        return (
            f'<h1>{words["none"]}</h1>\n<p class="lead">{words["none_lead"]}</p>\n'
            + (f'<p class="hint">{escape(hint)}</p>\n' if hint else "")
            + f"<ol>\n<li>{words['step_folder']}</li>\n<li>{words['step_script']}<pre>{escape(script)}</pre></li>\n"
            f"<li>{words['step_reload']}</li>\n<li>{words['step_check']}</li>\n</ol>"
        )

    def _away(self, lang: str, words: dict[str, str]) -> Response:
        return self._html(lang, words["away"], f"<h1>{words['away']}</h1>\n<p>{words['away_lead']}</p>", 503)

    def _html(self, lang: str, title: str, body: str, status: int = 200) -> Response:
        html = self._page.substitute(lang=lang, title=title, body=body)
        headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language"}
        return Response(html, status, headers, "text/html")


def _words(request: Request) -> tuple[str, dict[str, str]]:
    lang = language_of(request.headers.get("accept-language", ""))
    return ("pt", _PORTUGUESE) if lang.lower().split("-")[0] == "pt" else ("en", _ENGLISH)


def _card(bot: str, title: str, about: str) -> str:
    told = f'<span class="about">{escape(about)}</span>' if about else ""
    return (
        f'<li><a class="card" href="/chat/{quote(bot)}">'
        f'<span class="avatar" aria-hidden="true">{escape(title[0])}</span>'
        f'<span class="words"><strong>{escape(title)}</strong>{told}</span></a></li>'
    )


def _cached(request: Request, file: _File) -> Response:
    headers = {"Cache-Control": "no-cache", "ETag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)
