"""Somebody with a browser in front of a real `botswain up`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Dialog, Locator, Page, async_playwright, expect

from tests.support.botswain_process import BotswainProcess, data_directory, free_port

__all__ = [
    "CHROMIUM",
    "EXAMPLES",
    "Place",
    "bubbles",
    "chromium",
    "copy_of_examples",
    "hears",
    "pick",
    "place",
    "reload_until",
    "say",
    "visit",
]

# A machine that runs other tests as well may be slow; what is right is seen long before.
expect.set_options(timeout=15_000)

EXAMPLES = Path(__file__).parents[2] / "bots"
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# What a page may complain of when its server is away, or has no such page; all else is a fault of the page.
EXPECTED = ("WebSocket connection", "net::ERR_CONNECTION_", "net::ERR_EMPTY_RESPONSE", "status of 404")


@dataclass(frozen=True, slots=True)
class Place:
    """`botswain up` at an address of its own, with a folder of bots of its own."""

    process: BotswainProcess
    bots: Path

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.process.port}"


@asynccontextmanager
async def place(folder: Path, bots: Path) -> AsyncIterator[Place]:
    """
    A running `botswain up` that watches *bots*, with the limits on how fast people may write switched off.

    It is killed at the end: that it stops in good order is the business of other tests.
    """
    async with AsyncExitStack() as stack:
        data = stack.enter_context(data_directory())
        port = free_port()
        process = BotswainProcess(
            *("up", "--data", str(data), "--port", str(port), "--bots", str(bots)),
            log=folder / "terminal",
            port=port,
            settings={"BOTSWAIN_WATCH": "true"},
        )
        process.start()
        stack.callback(process.kill)
        await process.ready()
        yield Place(process, bots)


def copy_of_examples(folder: Path) -> Path:
    """A folder with the example bots, to be edited."""
    return Path(shutil.copytree(EXAMPLES, folder / "bots"))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One browser for many visitors."""
    assert CHROMIUM is not None, "Chromium is not installed"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def visit(browser: Browser, address: str, **options: Any) -> AsyncIterator[Page]:
    """
    A page at *address* in an empty profile.

    Raises: AssertionError: at the end, when the page threw, logged an error (a breach of the content security policy is
        one), or opened a dialog.
    """
    complaints: list[str] = []

    async def refuse(dialog: Dialog) -> None:
        complaints.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    context = await browser.new_context(**{"locale": "en-GB", "reduced_motion": "reduce", **options})
    context.set_default_timeout(15_000)
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("dialog", refuse)
    await page.goto(address)
    yield page
    await context.close()
    assert [text for text in complaints if not any(known in text for known in EXPECTED)] == []


def bubbles(page: Page, role: str = "") -> Locator:
    """All that was said, in order; by *role* (bot, user) when it is given."""
    return page.locator(f".message[data-role{f'={role}' if role else ''}] .bubble")


async def reload_until(page: Page, address: str, shown: str) -> None:
    """Look at *address* again and again until the selector *shown* finds something there."""
    async with asyncio.timeout(30):
        await page.goto(address)
        while not await page.locator(shown).count():
            await page.reload()


async def say(page: Page, text: str) -> None:
    """Type it and press Enter."""
    await page.locator("#input").fill(text)
    await page.keyboard.press("Enter")


async def pick(page: Page, name: str) -> None:
    """Click a suggestion."""
    await page.locator("#suggestions").get_by_role("button", name=name, exact=True).click()


async def hears(page: Page, text: str) -> None:
    """Wait until the last thing that the bot said contains *text*."""
    await expect(bubbles(page, "bot").last).to_contain_text(text)
