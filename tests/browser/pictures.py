"""
Take the pictures of the manual: `python -m tests.browser.pictures` writes docs/images/*.png.

Run it when the look of the pages has changed, and look at what it made.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from tests.browser.visitor import bubbles, chromium, copy_of_examples, hears, pick, place, say, visit

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 150_000
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}


def desktop(height: int) -> dict[str, Any]:
    """As high as what there is to be seen."""
    return {"viewport": {"width": 960, "height": height}}


async def take(page: Page, name: str) -> None:
    """Save what is shown, without a pointer over it or a cursor in it."""
    await page.mouse.move(0, 0)
    file = IMAGES / f"{name}.png"
    await page.screenshot(path=file, caret="hide", animations="disabled")
    assert file.stat().st_size <= MAX_BYTES, f"{file} is too large for a manual"
    print(file)


async def order(page: Page) -> None:
    """Order a pizza up to the last question."""
    await hears(page, "Which pizza")
    await pick(page, "Diavola")
    await hears(page, "What size?")
    await pick(page, "Large")
    await hears(page, "How many of them?")
    await say(page, "2")
    await hears(page, "Another pizza?")


async def chats(browser: Browser, url: str) -> None:
    for scheme in ("light", "dark"):
        async with visit(browser, f"{url}/chat/pizza", color_scheme=scheme, **desktop(880)) as page:
            await order(page)
            await take(page, f"chat-desktop-{scheme}")
        async with visit(browser, url, color_scheme=scheme, **desktop(460)) as page:
            await take(page, f"bots-{scheme}")
    async with visit(browser, f"{url}/chat/consulta", locale="pt-PT", color_scheme="light", **PHONE) as page:
        await hears(page, "Para que especialidade?")
        await pick(page, "Dermatologia")
        await hears(page, "Que dia prefere?")
        await say(page, "01/01/2020")
        await expect(page.get_by_text("Esse dia já passou")).to_be_visible()
        await expect(bubbles(page, "bot").last).to_contain_text("Que dia prefere?")
        await take(page, "chat-phone")


async def broken_edit(browser: Browser, url: str, script: Path) -> None:
    async with visit(browser, f"{url}/chat/pizza", color_scheme="light", **desktop(740)) as page:
        await hears(page, "Which pizza")
        script.write_text(script.read_text("utf-8").replace("CALL show_menu", "CAL show_menu"), "utf-8")
        await expect(page.get_by_role("alert")).to_be_visible()
        await pick(page, "Funghi")
        await hears(page, "What size?")
        await take(page, "broken-edit")


async def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    # From within the folder, so that the pictures show paths as an author sees them.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        bots = copy_of_examples(Path())
        async with place(Path(), bots) as here, chromium() as browser:
            await chats(browser, here.url)
            await broken_edit(browser, here.url, bots / "pizza.gbai" / "pizza.gbdialog" / "start.bas")


if __name__ == "__main__":
    asyncio.run(main())
