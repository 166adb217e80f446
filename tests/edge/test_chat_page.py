"""The chat page in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from edge.settings import EdgeSettings
from schemas.conversation import MessageReceived
from schemas.package import BotPackage
from tests.support.web_edge import World, serve, world

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
EVIL = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'> "
    "[a](javascript:window.hacked=1) [b](data:text/html,x) **<b onclick=x>bold</b>** `<i>`"
)
# A server that is gone, and a page that says that there is nothing.
EXPECTED = ("WebSocket connection", "status of 404")
# Without limits, and with answers that say back exactly what was said.
SETTINGS = EdgeSettings(messages_per_s=0, address_messages_per_s=0)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed"),
]


@asynccontextmanager
async def browsing(here: World, **options: Any) -> AsyncIterator[Page]:
    """A page of the chat with the shop; it fails the test if the page logs an error."""
    assert CHROMIUM is not None, "Chromium is not installed"
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(**{"locale": "en-GB", "reduced_motion": "reduce", **options})
        context.set_default_timeout(10_000)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.goto(f"http://127.0.0.1:{here.port}/chat/shop")
        await expect(page.get_by_text("Hello!")).to_be_visible()
        yield page
        await browser.close()
    assert [text for text in complaints if not any(known in text for known in EXPECTED)] == []


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


def texts(page: Page) -> Any:
    return page.locator(".message[data-role] .bubble")


async def test_a_person_talks_by_keyboard_alone(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        await expect(page.locator("#state")).to_have_text("Online")
        await expect(page.get_by_label("Your message")).to_be_focused()
        await page.keyboard.type("ahoy")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("there")
        await page.keyboard.press("Enter")
        await expect(texts(page)).to_have_text(["Hello!", "ahoy\nthere", re.compile("You said ahoy")])
        await page.get_by_role("button", name="New conversation").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Stay here")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(texts(page)).to_have_text(["Hello!"])
        await page.keyboard.press("Shift+Tab")
        await expect(page.get_by_role("button", name="Yes")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(texts(page)).to_have_text(["Hello!", "yes", "You said yes"])
        await expect(page.get_by_role("button", name="Yes")).to_have_count(0)


@pytest.mark.parametrize(
    ("locale", "asked", "stay", "leave"),
    [
        ("en-GB", "Start a new conversation? You cannot come back to this one.", "Stay here", "Start over"),
        ("pt-BR", "Começar uma nova conversa? Não será possível voltar a esta.", "Ficar aqui", "Começar de novo"),
    ],
)
async def test_a_conversation_is_not_left_by_one_tap(
    postgres_url: str, locale: str, asked: str, stay: str, leave: str
) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here, locale=locale) as page:
        restart, dialog = page.locator("#restart"), page.get_by_role("dialog", name=asked)
        await page.locator("#input").fill("ahoy")
        await page.keyboard.press("Enter")
        await expect(texts(page)).to_have_text(["Hello!", "ahoy", "You said ahoy"])
        await restart.click()
        await dialog.get_by_role("button", name=stay).click()
        await expect(dialog).to_be_hidden()
        await restart.click()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(restart).to_be_focused()
        await expect(texts(page)).to_have_text(["Hello!", "ahoy", "You said ahoy"])
        await page.reload()
        await expect(texts(page)).to_have_text(["Hello!", "ahoy", "You said ahoy"])
        await restart.click()
        await dialog.get_by_role("button", name=leave).click()
        await expect(texts(page)).to_have_text(["Hello!"])
        await expect(page.locator("#input")).to_be_focused()
        # Where nothing was said there is nothing to lose.
        session = "() => JSON.parse(localStorage.getItem('botswain:chat:shop')).session"
        before = await page.evaluate(session)
        await restart.click()
        await expect(dialog).to_be_hidden()
        await page.wait_for_function(f"before => ![null, before].includes(({session})())", arg=before)
        await expect(texts(page)).to_have_text(["Hello!"])
        # Nor where nothing is shown yet, unless it is yet to be loaded.
        twice = "() => { restart.click(); restart.click(); return document.getElementById('leave').open }"
        assert await page.evaluate(twice) is False
        await expect(texts(page)).to_have_text(["Hello!"])
        await page.locator("#input").fill("ahoy")
        await page.keyboard.press("Enter")
        await expect(texts(page)).to_have_text(["Hello!", "ahoy", "You said ahoy"])
        await page.route_web_socket(re.compile("/ws/"), lambda _: None)
        await page.reload()
        await expect(page.locator("#input")).to_be_enabled()
        await restart.click()
        await expect(dialog).to_be_visible()


async def test_a_reload_shows_the_conversation_as_it_was(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        await say(page, "ahoy")
        await expect(texts(page)).to_have_count(3)
        await page.reload()
        await expect(texts(page)).to_have_text(["Hello!", "ahoy", "You said ahoy"])
        await say(page, "say " + " ".join(f"number{number}" for number in range(80)))
        await expect(page.get_by_text("number79", exact=True)).to_be_visible()
        await page.reload()
        await expect(page.get_by_text("number79", exact=True)).to_be_visible()
        await expect(texts(page)).to_have_count(60)
        await page.get_by_role("button", name="Earlier messages").click()
        await expect(texts(page)).to_have_count(84)
        await expect(texts(page).first).to_have_text("Hello!")


async def test_what_was_said_without_a_connection_arrives_once(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        await page.evaluate("""() => {
            window.sockets = [];
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (data) { window.sockets.push(this); return send.call(this, data); };
        }""")
        await say(page, "one")
        await expect(texts(page)).to_have_count(3)
        # Sent, but the answer is lost with the socket: the page has to ask again.
        here.echo.silent = True
        await say(page, "two")
        await expect(page.locator(".pending")).to_have_count(1)
        await page.evaluate("() => window.sockets.at(-1).close()")
        here.echo.silent = False
        await say(page, "three")
        await expect(texts(page).last).to_have_text("You said three")
        await expect(page.locator(".pending")).to_have_count(0)
        shown = await texts(page).all_inner_texts()
        assert sorted(shown) == sorted(
            ["Hello!", "one", "You said one", "two", "You said two", "three", "You said three"]
        )
        said = [event.text for event in here.echo.heard if isinstance(event, MessageReceived)]
        assert set(said) == {"one", "two", "three"}


async def test_the_page_finds_its_server_again(postgres_url: str) -> None:
    """The server goes away and another one comes, at the same address."""
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        await say(page, "one")
        await expect(texts(page)).to_have_count(3)
        await here.stop_serving()
        await expect(page.locator("#state")).to_have_text(re.compile("No connection|Connecting"))
        await say(page, "two")
        await expect(page.get_by_text("Will be sent when the connection is back")).to_be_visible()
        async with serve(here.new_app(), port=here.port):
            await expect(texts(page)).to_have_text(["Hello!", "one", "You said one", "two", "You said two"])
            await expect(page.locator("#state")).to_have_text("Online")


async def test_nothing_that_is_said_becomes_a_script(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        await say(page, EVIL)
        await expect(texts(page)).to_have_count(3)
        assert await page.evaluate("window.hacked") is None
        for role in ("user", "bot"):
            assert await page.locator(f".{role} .bubble :is(script, img, b, i)").count() == 0
        assert await page.locator(".bubble a").count() == 0
        await expect(texts(page).nth(1)).to_have_text(EVIL)
        await expect(texts(page).nth(2).locator("strong")).to_have_text("<b onclick=x>bold</b>")


MARKDOWN = {
    "**a** *b* __c__ _d_ ~~e~~ `f`": "<strong>a</strong> <em>b</em> <strong>c</strong> <em>d</em> <s>e</s>"
    " <code>f</code>",
    "snake_case_name 2*3*4 \\*no\\*": "snake_case_name 2<em>3</em>4 *no*",
    "**bold *both* bold**": "<strong>bold <em>both</em> bold</strong>",
    "a\nb": "a<br>b",
    "# One\ntext": "<h3>One</h3><p>text</p>",
    "- a\n- b\n  - c\n- d": "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>",
    "3. x\n4. y": '<ol start="3"><li>x</li><li>y</li></ol>',
    "> q\n> r": "<blockquote><p>q<br>r</p></blockquote>",
    "```py\nx < 1\n```": '<pre tabindex="0"><code>x &lt; 1</code></pre>',
    "| a | b |\n|---|--:|\n| 1 | 2 |": '<div class="table"><table><thead><tr><th scope="col">a</th>'
    '<th scope="col" class="right">b</th></tr></thead><tbody><tr><td>1</td><td class="right">2</td></tr></tbody>'
    "</table></div>",
    "| | |\n|---|---|\n| a | |": '<div class="table"><table><tbody><tr><td>a</td><td></td></tr></tbody></table></div>',
    "[x](https://e.org/a_(b)) https://e.org/c.": '<a href="https://e.org/a_(b)" target="_blank"'
    ' rel="noopener noreferrer nofollow">x</a> <a href="https://e.org/c" target="_blank"'
    ' rel="noopener noreferrer nofollow">https://e.org/c</a>.',
    "[x](ftp://e.org)": "[x](ftp://e.org)",
    "*" * 5_000 + "_" * 5_000 + "[" * 5_000: None,
}


async def test_markdown_becomes_what_it_means(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        for text, html in MARKDOWN.items():
            found = await page.evaluate(
                """async (text) => {
                    const { render } = await import("/static/markdown.js");
                    const box = document.createElement("div");
                    const begin = performance.now();
                    box.append(render(text));
                    return [box.innerHTML, performance.now() - begin];
                }""",
                text,
            )
            assert found[1] < 2_000
            if html is not None:
                assert found[0] in (html, f"<p>{html}</p>"), text


async def test_portuguese_dark_and_on_a_phone(postgres_url: str) -> None:
    options = {
        "locale": "pt-BR",
        "color_scheme": "dark",
        "viewport": {"width": 360, "height": 640},
        "is_mobile": True,
        "has_touch": True,
    }
    async with world(postgres_url, SETTINGS) as here, browsing(here, **options) as page:
        await expect(page.locator("#state")).to_have_text("Conectado")
        await page.get_by_label("Sua mensagem").fill("w" * 300)
        await page.get_by_role("button", name="Enviar").tap()
        await expect(texts(page)).to_have_count(3)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        background = "getComputedStyle(document.body).backgroundColor"
        dark = await page.evaluate(background)
        await page.get_by_role("button", name="Claro ou escuro").tap()
        assert await page.evaluate(background) != dark


async def test_who_reads_is_left_in_peace(postgres_url: str) -> None:
    async with world(postgres_url, SETTINGS) as here, browsing(here) as page:
        await say(page, "say " + " ".join(f"number{number}" for number in range(60)))
        await expect(page.get_by_text("number59", exact=True)).to_be_in_viewport()
        await page.evaluate("document.getElementById('scroller').scrollTop = 0")
        session, token = await page.evaluate("""() => {
            const known = JSON.parse(localStorage.getItem("botswain:chat:shop"));
            return [known.session, known.token];
        }""")
        assert session
        async with here.client(query=f"?token={token}&after=62") as other:
            await other.until("welcome")
            await other.say("o", "from elsewhere")
        await expect(page.get_by_role("button", name="New messages")).to_be_visible()
        await expect(page.get_by_text("number0", exact=True)).to_be_in_viewport()
        await page.get_by_role("button", name="New messages").click()
        await expect(page.get_by_text("You said from elsewhere")).to_be_in_viewport()


async def test_a_bot_whose_first_version_has_mistakes_tells_them_and_begins_when_they_are_mended(
    postgres_url: str,
) -> None:
    mistakes = ["start.bas:2:1: error: there is no statement HAER\n    HAER x\n    ^^^^", "theme.css: error: no"]

    def problems_of(bot: str) -> list[str]:
        return mistakes if bot == "late" else []

    settings = EdgeSettings(development=True)
    late: dict[str, Any] = {"problems_of": problems_of, "unpublished": lambda: ["late"] if mistakes else []}
    async with world(postgres_url, settings, **late) as here, browsing(here, locale="pt-BR") as page:
        address = f"http://127.0.0.1:{here.port}"
        await page.goto(address)
        await page.get_by_role("link", name="late").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("“late” ainda não foi publicado")
        told = page.get_by_role("alert")
        await expect(told).to_contain_text("O que está errado:")
        await expect(told.locator("pre")).to_have_text("    HAER x\n    ^^^^")
        await expect(told).to_contain_text("theme.css")
        del mistakes[1]
        await expect(told).not_to_contain_text("theme.css")
        mistakes.clear()
        await expect(told).to_be_hidden()  # right, and not yet in force
        await here.publish(BotPackage(name="late"))
        await expect(texts(page)).to_have_text(["Hello!"])
        await expect(page.get_by_role("heading", level=1)).to_have_text("Late")
