"""The pages as people meet them: by keyboard, by ear, in two languages, in light and dark, on a phone; and authors."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.visitor import (
    CHROMIUM,
    Place,
    bubbles,
    chromium,
    copy_of_examples,
    hears,
    pick,
    place,
    reload_until,
    say,
    visit,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed"),
]

PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1200, "height": 800}}
# Every text that can be seen, with its contrast to what is behind it (WCAG 2.2, 1.4.3). Colours are read back from a
# canvas, for style sheets have more ways to write one than a test should know.
CONTRASTS = """() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const over = (colours) => {
        pen.clearRect(0, 0, 1, 1);
        for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
        return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const light = ([red, green, blue]) => {
        const part = (value) => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
    };
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        const text = texts.currentNode.textContent.trim();
        if (!text || !element.checkVisibility() || element.closest(".spoken, noscript, :disabled")) continue;
        const behind = [];
        for (let box = element; box; box = box.parentElement) behind.unshift(getComputedStyle(box).backgroundColor);
        const a = light(over(["white", ...behind]));
        const b = light(over(["white", ...behind, getComputedStyle(element).color]));
        found.push([text, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
    }
    return found;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder: Path = tmp_path_factory.mktemp("page")
    async with place(folder, copy_of_examples(folder)) as found:
        yield found


async def focused(page: Page) -> str:
    """The name of what has the focus; the focus must be visible there."""
    name, visible = await page.evaluate(
        """() => {
            const element = document.activeElement;
            const style = getComputedStyle(element.id === "input" ? element.closest("form") : element);
            const ring = style.boxShadow.includes("0px 0px 0px") || parseFloat(style.outlineWidth) >= 2;
            return [element.getAttribute("aria-label") ?? element.textContent.trim(), ring];
        }"""
    )
    assert visible, f"the focus on {name!r} cannot be seen"
    return str(name)


async def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until *name* has the focus."""
    met: list[str] = []
    while len(met) < 12:
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        met.append(await focused(page))
        if met[-1].startswith(name):
            return
    raise AssertionError(f"{name!r} is not among {met}")


async def test_a_pizza_is_ordered_by_keyboard_alone(browser: Browser, here: Place) -> None:
    async with visit(browser, here.url, viewport={"width": 900, "height": 480}) as page:
        await tab_to(page, "FForno Verde")
        await page.keyboard.press("Enter")
        await hears(page, "Which pizza would you like?")
        await expect(page.get_by_label("Your message")).to_be_focused()
        await tab_to(page, "Diavola", back=True)
        await page.keyboard.press("Enter")
        await hears(page, "What size?")
        assert await focused(page) == "Your message"
        await tab_to(page, "Small", back=True)
        await page.keyboard.press("Space")
        await hears(page, "How many of them?")
        await page.keyboard.type("4")
        await tab_to(page, "Send")
        await page.keyboard.press("Enter")
        await hears(page, "That makes € 33.60 so far.")
        assert await focused(page) == "Your message"
        await tab_to(page, "No", back=True)
        for name in ("Yes", "Conversation", "New conversation", "Light or dark"):
            await page.keyboard.press("Shift+Tab")
            assert await focused(page) == name
        # What was said can be scrolled by key.
        await page.get_by_role("log").focus()
        await page.keyboard.press("Home")
        await expect(bubbles(page).first).to_be_in_viewport()


async def test_what_a_screen_reader_is_told(browser: Browser, here: Place) -> None:
    async with visit(browser, f"{here.url}/chat/pizza") as page:
        await hears(page, "Which pizza would you like?")
        await pick(page, "Funghi")
        await hears(page, "What size?")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Forno Verde")
        log = page.get_by_role("log", name="Conversation")
        await expect(log).to_have_attribute("aria-live", "polite")
        await expect(log.get_by_role("article").nth(0)).to_have_text(re.compile(r"^Forno Verde said:Welcome to"))
        await expect(log.get_by_role("article").filter(has_text="You said:")).to_contain_text("Funghi")
        await expect(page.get_by_role("status")).to_have_text("Online")
        await expect(page.get_by_role("textbox", name="Your message")).to_be_visible()
        await expect(page.get_by_role("group", name="Suggested answers").get_by_role("button")).to_have_text(
            ["Small", "Medium", "Large"]
        )
        for name in ("Light or dark", "New conversation", "Send"):
            await expect(page.get_by_role("button", name=name)).to_be_visible()
        assert await page.locator("html").get_attribute("lang") == "en"
        for landmark in ("banner", "main", "contentinfo"):
            await expect(page.get_by_role(landmark)).to_have_count(1)
        await page.goto(f"{here.url}/")
        await expect(page.get_by_role("main").get_by_role("list").get_by_role("link")).to_have_count(4)


async def test_portuguese_by_the_language_of_the_browser(browser: Browser, here: Place) -> None:
    async with visit(browser, here.url, locale="pt-BR") as page:
        assert await page.locator("html").get_attribute("lang") == "pt"
        await expect(page.get_by_text("Escolha com quem você quer conversar.")).to_be_visible()
        await page.get_by_role("link", name="Clínica Boa Maré").click()
        await expect(page.get_by_role("status")).to_have_text("Conectado")
        await hears(page, "Para que especialidade?")
        await say(page, "xadrez")
        await expect(bubbles(page, "bot")).to_have_count(3)
        assert await page.get_by_label("Sua mensagem").get_attribute("placeholder") == "Escreva uma mensagem…"
        await expect(page.get_by_role("button", name="Nova conversa")).to_be_visible()
        await page.goto(f"{here.url}/chat/nowhere")
        await expect(page.get_by_role("heading")).to_have_text("Não há um bot chamado “nowhere”")


@pytest.mark.parametrize("options", [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desktop")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_can_be_read_and_fits(
    browser: Browser, here: Place, options: dict[str, Any], scheme: str
) -> None:
    long_word = "Donaudampfschifffahrtsgesellschaftskapitän" * 4
    async with visit(browser, here.url, color_scheme=scheme, **options) as page:
        pages = ["/", "/chat/pizza", "/chat/consulta", "/chat/quiz", "/chat/service-desk", "/chat/nowhere"]
        for path in pages:
            await page.goto(here.url + path)
            if path.startswith("/chat") and "nowhere" not in path:
                await expect(bubbles(page, "bot").first).to_be_visible()
                await say(page, long_word)
                await expect(page.locator(".pending")).to_have_count(0)
                await expect(bubbles(page).last).not_to_contain_text(long_word)
            poor = [(text, round(ratio, 2)) for text, ratio in await page.evaluate(CONTRASTS) if ratio < 4.5]
            assert poor == [], path
            width = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert width[0] <= width[1], path
            if await page.locator(".scroller").count():  # a conversation scrolls by itself, within a page that does not
                height = await page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
                assert height[0] <= height[1], path
            for box in await page.locator("button:visible, .card").all():
                size = await box.bounding_box()
                assert size is not None
                assert size["height"] >= 40, await box.text_content()


async def test_what_is_written_from_the_right_begins_there(browser: Browser, here: Place) -> None:
    direction = "(element) => getComputedStyle(element).direction"
    async with visit(browser, f"{here.url}/chat/quiz") as page:
        await hears(page, "What shall I call you?")
        await page.locator("#input").fill("ليلى")
        assert await page.locator("#input").evaluate(direction) == "rtl"
        await page.keyboard.press("Enter")
        await expect(bubbles(page, "bot")).to_have_count(3)
        assert await bubbles(page, "user").evaluate(direction) == "rtl"
        assert await bubbles(page, "bot").last.evaluate(direction) == "ltr"


async def test_a_table_is_scrolled_before_an_ordinary_word_breaks(browser: Browser, here: Place) -> None:
    table = """async (words) => {
        const { render } = await import("/static/markdown.js");
        const bubble = document.querySelector(".bubble");
        bubble.replaceChildren(render(`| a | b | c | d |\n|---|---|---|---|\n| ${words.join(" | ")} |`));
        return [...bubble.querySelectorAll("td")].map((cell) => cell.clientHeight);
    }"""
    async with visit(browser, f"{here.url}/chat/quiz", **PHONE) as page:
        await hears(page, "What shall I call you?")
        low = await page.evaluate(table, ["1", "2", "3", "4"])
        assert await page.evaluate(table, ["Margherita", "mozzarella", "everything", "peperoncino"]) == low
        assert max(await page.evaluate(table, ["x" * 60, "mozzarella", "everything", "peperoncino"])) > low[0]


async def test_a_refusal_is_seen_by_who_reads_further_up(browser: Browser, here: Place) -> None:
    async with visit(browser, f"{here.url}/chat/pizza", viewport={"width": 900, "height": 360}) as page:
        await hears(page, "Which pizza would you like?")
        await page.get_by_role("log").focus()
        await page.keyboard.press("Home")
        await expect(bubbles(page).first).to_be_in_viewport()
        await say(page, "x" * 10_001)
        await expect(page.get_by_text("A message can have at most 10,000 characters.")).to_be_in_viewport()


async def test_nothing_jumps_when_the_connection_breaks(browser: Browser, here: Place) -> None:
    async with visit(browser, f"{here.url}/chat/pizza", **PHONE) as page:
        await hears(page, "Which pizza would you like?")
        height = await page.locator(".top").evaluate("(element) => element.clientHeight")
        await page.context.set_offline(True)
        await expect(page.locator("#state")).to_have_attribute("data-state", "waiting")
        assert await page.locator(".top").evaluate("(element) => element.clientHeight") == height


async def test_light_or_dark_by_the_button_is_what_the_system_would_give(browser: Browser, here: Place) -> None:
    colours = """() => [".avatar", ".user .bubble", ".bot .bubble", "body"].map((name) => {
        const style = getComputedStyle(document.querySelector(name));
        return style.color + style.backgroundColor;
    })"""
    shown = {}
    for scheme in ("light", "dark"):
        async with visit(browser, f"{here.url}/chat/pizza", color_scheme=scheme) as page:
            await hears(page, "Which pizza")
            await pick(page, "Funghi")
            await hears(page, "What size?")
            shown[scheme] = await page.evaluate(colours)
            await page.get_by_role("button", name="Light or dark").click()
            shown[f"not {scheme}"] = await page.evaluate(colours)
            await page.reload()
            await hears(page, "What size?")
            assert await page.evaluate(colours) == shown[f"not {scheme}"]
    assert shown["light"] == shown["not dark"]
    assert shown["dark"] == shown["not light"]
    assert all(light != dark for light, dark in zip(shown["light"], shown["dark"], strict=True))


async def test_a_broken_edit_is_shown_and_the_running_version_goes_on(browser: Browser, here: Place) -> None:
    script = here.bots / "pizza.gbai" / "pizza.gbdialog" / "start.bas"
    before = script.read_text("utf-8")
    async with (
        visit(browser, f"{here.url}/chat/pizza") as page,
        visit(browser, f"{here.url}/chat/pizza") as newcomer,
    ):
        await hears(page, "Which pizza would you like?")
        script.write_text(before.replace("CALL show_menu", "CAL show_menu").replace("What size?", "How big?"), "utf-8")
        banner = page.get_by_role("alert")
        await expect(banner).to_contain_text("The last change to this bot was not published:")
        await expect(banner).to_contain_text("start.bas:")
        await expect(banner).to_contain_text("CAL show_menu")
        await expect(banner).to_contain_text("^")
        await pick(page, "Funghi")
        await hears(page, "What size?")
        await newcomer.reload()
        await newcomer.get_by_role("button", name="New conversation").click()
        await pick(newcomer, "Funghi")
        await hears(newcomer, "What size?")
        # Right again, and changed: who is in a conversation stays on the version that it began with.
        script.write_text(before.replace("What size?", "How big?").replace("How many of", "What number of"), "utf-8")
        await expect(banner).to_be_hidden()
        await pick(page, "Large")
        await hears(page, "How many of them?")
        await newcomer.get_by_role("button", name="New conversation").click()
        await newcomer.get_by_role("button", name="Start over").click()
        await pick(newcomer, "Funghi")
        await hears(newcomer, "How big?")
    assert "was not published; the version in force, if there is one, stays." in here.process.tail(1_000)
    script.write_text(before, "utf-8")


async def test_who_has_no_bots_is_told_what_to_do(browser: Browser, tmp_path: Path) -> None:
    bots = tmp_path / "my bots"
    async with place(tmp_path, bots) as bare, visit(browser, bare.url) as page:
        await expect(page.get_by_role("heading")).to_have_text("There are no bots yet")
        await expect(page.locator(".hint")).to_contain_text(f"There is no folder {bots}.")
        await expect(page.get_by_text("start.bas")).to_be_visible()
        await page.goto(f"{bare.url}/chat/pizza")
        await expect(page.get_by_role("heading").first).to_have_text("There is no bot called “pizza”")
        bots.mkdir()
        await reload_until(page, bare.url, ".hint:has-text('has no package')")
        # What the page says, done by the letter.
        script = await page.locator("pre").inner_text()
        [command] = await page.locator("li code", has_text="botswain check").all_inner_texts()
        (bots / "hello.gbai").mkdir()
        (bots / "hello.gbai" / "start.bas").write_text(script, "utf-8")
        check = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command.split()), env={**os.environ, "BOTSWAIN_BOTS": str(bots)}
        )
        assert await check.wait() == 0
        await reload_until(page, bare.url, ".card")
        await page.get_by_role("link", name="Hello").click()
        await hears(page, "Hello! What is your name?")
        await say(page, "ada")
        await hears(page, "Nice to meet you, Ada!")


async def test_a_wrong_address_is_a_page_that_leads_on(browser: Browser, here: Place) -> None:
    script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    unknown = "There is no bot called"
    wrong = {
        "/chat/nowhere": f"{unknown} “nowhere”",
        f"/chat/{script.replace('%2F', '')}": f"{unknown} “<script>alert(1)<script>”",
        "/chat/a%20b%00": unknown,
        f"/chat/{'x' * 500}": unknown,
        f"/chat/{script}": "There is nothing at this address",
        "/settings": "There is nothing at this address",
    }
    async with visit(browser, here.url) as page:
        for path, headline in wrong.items():
            answer = await page.goto(here.url + path)
            assert answer is not None
            assert answer.status == 404
            await expect(page.get_by_role("heading")).to_contain_text(headline)
            assert await page.locator("main script").count() == 0
            await page.get_by_role("link", name="See all bots").click()
            await expect(page.get_by_role("link", name="Forno Verde")).to_be_visible()
        await page.goto(f"{here.url}/chat/Pizza")
        await hears(page, "Which pizza would you like?")
