"""Pages over HTTP: what they say, and what they tell browsers not to do."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from edge.settings import EdgeSettings
from schemas.package import BotPackage
from tests.support.web_edge import world

PORTUGUESE = {"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.5"}


async def test_bots_are_listed_and_lead_to_their_chat(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        page = await here.http.get("/")
        assert re.findall(r'href="(/chat/[^"]+)"', page.text) == ["/chat/desk", "/chat/shop"]
        assert "The shop" in page.text
        assert "Sells things" in page.text
        chat = await here.http.get("/chat/shop")
        assert "<h1>The shop</h1>" in chat.text
        assert "theme.css" not in chat.text
        assert (await here.http.get("/chat/shop/", follow_redirects=True)).text == chat.text


async def test_the_names_of_a_bot_cannot_become_markup(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        evil = '"><script>alert(1)</script>'
        await here.publish(BotPackage(name="evil", config={"title": evil, "description": evil}))
        for path in ("/", "/chat/evil", "/chat/<script>alert(1)"):
            assert "<script>alert" not in (await here.http.get(path)).text


async def test_a_theme_is_served_as_a_sheet_of_its_own(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        (address,) = re.findall(r'href="([^"]+theme\.css[^"]*)"', (await here.http.get("/chat/desk")).text)
        sheet = await here.http.get(address)
        assert sheet.headers["content-type"] == "text/css; charset=utf-8"
        assert sheet.text == ".bubble { color: teal }\n"
        unchanged = await here.http.get(address, headers={"If-None-Match": sheet.headers["etag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_every_answer_is_strict_with_browsers(postgres_url: str) -> None:
    async with world(postgres_url, EdgeSettings(embed_in=("https://friend.example",))) as here:
        for path in ("/", "/chat/shop", "/chat/nobody", "/static/chat.js", "/api/v1/bots", "/nowhere"):
            headers = (await here.http.get(path)).headers
            policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
            assert policy["default-src"] == policy["base-uri"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert policy["frame-ancestors"] == "'self' https://friend.example"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


async def test_pages_hold_no_script_or_style_of_their_own(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        for path in ("/", "/chat/desk", "/chat/nobody"):
            page = (await here.http.get(path)).text
            assert re.findall(r"<script(?![^>]* src=)", page) == []
            assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
            for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
                assert (await here.http.get(address)).status_code == 200


async def test_an_unknown_bot_gets_a_page_that_says_what_to_do(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        page = await here.http.get("/chat/nobody")
        assert page.status_code == 404
        assert "nobody" in page.text
        assert 'href="/"' in page.text
        page = await here.http.get("/chat/nobody", headers=PORTUGUESE)
        assert "Não há um bot" in page.text
        assert '<html lang="pt">' in page.text


async def test_without_bots_the_page_says_how_to_write_one(postgres_url: str) -> None:
    def hint() -> str:
        return "The folder /srv/<bots> is empty."

    async with world(postgres_url, EdgeSettings(development=True), bots=(), bots_hint=hint) as here:
        await here.app.directory.refresh()
        page = (await here.http.get("/")).text
        assert "start.bas" in page
        assert "The folder /srv/&lt;bots&gt; is empty." in page
    async with world(postgres_url, bots=(), bots_hint=hint) as here:
        await here.app.directory.refresh()
        assert "/srv/" not in (await here.http.get("/", headers=PORTUGUESE)).text


async def test_problems_of_an_edit_are_shown_in_development_only(postgres_url: str) -> None:
    async with world(postgres_url, problems_of=lambda bot: [f"{bot}: line 3"]) as here:
        assert (await here.http.get("/dev/problems/shop")).status_code == 404
        assert "data-development" not in (await here.http.get("/chat/shop")).text
    settings = EdgeSettings(development=True)
    async with world(postgres_url, settings, problems_of=lambda bot: [f"{bot}: line 3"]) as here:
        assert (await here.http.get("/dev/problems/shop")).json() == {"problems": ["shop: line 3"], "published": True}
        assert "data-development" in (await here.http.get("/chat/shop")).text


async def test_a_bot_whose_first_version_has_mistakes_has_a_page_in_development_only(postgres_url: str) -> None:
    faults: dict[str, Any] = {
        "problems_of": lambda bot: [f"{bot}: line 3"] if bot in ("late", "shop") else [],
        "unpublished": lambda: ["late", "shop"],
    }
    async with world(postgres_url, **faults) as here:
        page = await here.http.get("/chat/late")
        assert (page.status_code, "mistakes" in page.text, "data-bot" in page.text) == (404, False, False)
        assert "/chat/late" not in (await here.http.get("/")).text
    async with world(postgres_url, EdgeSettings(development=True), **faults) as here:
        page = await here.http.get("/chat/LATE")
        assert page.status_code == 404
        assert "It has mistakes." in page.text
        assert 'data-bot="late"' in page.text
        (script,) = re.findall(r'<script type="module" src="([^"]+)"', page.text)
        assert (await here.http.get(script)).status_code == 200
        assert (await here.http.get("/dev/problems/late")).json() == {"problems": ["late: line 3"], "published": False}
        assert "Há erros nele." in (await here.http.get("/chat/late", headers=PORTUGUESE)).text
        assert "mistakes" not in (await here.http.get("/chat/nobody")).text
        assert "data-development" in (await here.http.get("/chat/shop")).text
        index = (await here.http.get("/")).text
        assert re.findall(r'href="(/chat/[^"]+)"', index) == ["/chat/desk", "/chat/shop", "/chat/late"]
        assert index.count("Not published yet: it has mistakes.") == 1
        await here.publish(BotPackage(name="late"))
        assert "It has mistakes." not in (await here.http.get("/chat/late")).text
        assert "Not published yet" not in (await here.http.get("/")).text
    odd = "c#?&%2f é"
    faults["unpublished"] = lambda: [odd]
    async with world(postgres_url, EdgeSettings(development=True), **faults) as here:
        (address,) = re.findall(r'href="(/chat/c[^"]+)"', (await here.http.get("/")).text)
        page = await here.http.get(unescape(address))
        assert "It has mistakes." in page.text
        assert unescape(re.findall(r'data-bot="([^"]+)"', page.text)[0]) == odd
    faults["unpublished"] = lambda: ["late", "shop"]
    async with world(postgres_url, EdgeSettings(development=True), bots=(), **faults) as here:
        await here.app.directory.refresh()
        assert "/chat/late" in (await here.http.get("/")).text
