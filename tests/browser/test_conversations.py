"""Every example bot, talked to through the page: whole conversations, reloads, lost servers, and hostile words."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

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

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> [x](javascript:alert(3))"
TAKES_ANYTHING = {"Where to?", "What does it do", "name of the account", "Come back then"}
# What the bot asks, and the answer; one in brackets is a suggestion that is clicked, None is a reload of the page.
Steps = Sequence[tuple[str, str | None]]


def monday(weeks: int) -> str:
    """The one in so many weeks, as it is written in Portuguese."""
    today = datetime.now(UTC).date()
    return (today + timedelta(days=7 * weeks - today.weekday())).strftime("%d/%m/%Y")


DELIVERY: Steps = [
    ("Which pizza would you like?", "[Quattro Formaggi]"),
    ("What size?", "[Large]"),
    ("How many of them?", "2"),
    ("That makes € 28.60 so far.", "[Yes]"),
    ("Which pizza would you like?", None),
    ("Which pizza would you like?", "[Funghi]"),
    ("What size?", "[Small]"),
    ("How many of them?", "-"),
    ("That makes € 36.40 so far.", "[No]"),
    ("Shall we bring it", "[Delivery]"),
    ("Where to?", "12 Mill Lane"),
    ("And a phone number", None),
    ("And a phone number", "+44 20 7946 0018"),
    ("Something for the courier?", "€ 2.50"),
    ("Shall I send it to the kitchen?", None),
    ("Shall I send it to the kitchen?", "[Yes]"),
]
REFUSED = ("How many of them?", "one")
PICKED_UP: Steps = [
    ("Which pizza would you like?", "2"),
    ("What size?", "medium"),
    REFUSED,
    ("", "1"),
    ("That makes € 9.75 so far.", "nope"),
    ("Shall we bring it", "pick"),
    ("At what time", None),
    ("At what time", "8 pm"),
    ("Shall I send it to the kitchen?", "sure"),
]
TICKET: Steps = [
    ("What is it about?", "[Computer]"),
    ("What does it do", "The screen stays black."),
    ("What is your name?", "ada lovelace"),
    ("Which e-mail address", None),
    ("Which e-mail address", "ada@example.org"),
    ("Who is held up", "[Only me]"),
]
SELF_HELP: Steps = [
    ("What is it about?", "password"),
    ("name of the account", "ADA"),
    ("account is locked", "yes"),
    ("Come back then", None),
    ("Come back then", "[Done]"),
    ("Can you sign in now?", "yes"),
]


def appointment(day: str) -> Steps:
    return [
        ("Para que especialidade?", "[Pediatria]"),
        ("Que dia prefere?", "01/01/2020"),
        ("Que dia prefere?", day),
        ("Temos estas horas livres", None),
        ("Temos estas horas livres", "[14:00]"),
        ("Em que nome", "maria da conceição"),
        ("Qual é o seu telefone", "+351 912 345 678"),
        ("Confirma?", "[Sim]"),
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder: Path = tmp_path_factory.mktemp("conversations")
    async with place(folder, copy_of_examples(folder)) as found:
        yield found


async def reload(page: Page) -> None:
    """Reload the page; what it shows must be what it showed."""
    shown = await bubbles(page).all_inner_texts()
    offered = await page.locator(".suggestion").all_inner_texts()
    await page.reload()
    await expect(bubbles(page)).to_have_text(shown, use_inner_text=True)
    await expect(page.locator(".suggestion")).to_have_text(offered)


async def answer(page: Page, text: str) -> None:
    """Say it, or click it, and wait for what the bot says to it."""
    said = await bubbles(page, "bot").count()
    if text.startswith("["):
        await pick(page, text.strip("[]"))
    else:
        await say(page, text)
    await expect(bubbles(page, "bot").nth(said)).to_be_visible()


async def talk(page: Page, steps: Steps) -> None:
    for question, text in steps:
        await hears(page, question)
        if text is None:
            await reload(page)
        else:
            await answer(page, text)


@pytest.mark.parametrize(
    ("bot", "steps", "end"),
    [
        pytest.param("pizza", DELIVERY, "Thank you! Order #", id="pizza-by-clicks"),
        pytest.param("pizza", PICKED_UP, "will be ready at 20:00", id="pizza-by-typing"),
        pytest.param("service-desk", TICKET, "You hear from us by", id="service-desk-by-clicks"),
        pytest.param("service-desk", SELF_HELP, "Then I am glad that I could help.", id="service-desk-by-typing"),
        pytest.param("consulta", appointment(monday(2)), "Está marcado, Maria Da Conceição!", id="consulta"),
    ],
)
async def test_a_whole_conversation_with_reloads(
    browser: Browser, here: Place, bot: str, steps: Steps, end: str
) -> None:
    async with visit(browser, f"{here.url}/chat/{bot}", locale="pt-PT" if bot == "consulta" else "en-GB") as page:
        await talk(page, steps)
        await hears(page, end)
        answers = [text.strip("[]") for _, text in steps if text is not None]
        await expect(bubbles(page, "user")).to_have_text(answers)
        await reload(page)


async def test_a_whole_quiz_by_keys_and_by_clicks(browser: Browser, here: Place) -> None:
    async with visit(browser, f"{here.url}/chat/quiz") as page:
        await hears(page, "What shall I call you?")
        await say(page, "grace")
        for number in range(1, 6):
            await hears(page, f"{number}. ")
            if number == 3:
                await reload(page)
            offered = await page.locator(".suggestion").all_inner_texts()
            assert len(offered) == 3
            if number % 2:
                await pick(page, offered[0])
            else:
                await say(page, "1")
        await hears(page, "to play once more")
        points = len([text for text in await bubbles(page, "bot").all_inner_texts() if text.startswith("Right!")])
        await expect(page.get_by_text(re.compile(rf"^(All 5!|None this time|{points} of 5)"))).to_be_visible()
        await pick(page, "Again")
        await hears(page, "What shall I call you?")


async def test_a_killed_server_comes_back_and_nothing_is_lost_or_doubled(browser: Browser, here: Place) -> None:
    state = '[data-state="online"]#state'
    async with visit(browser, f"{here.url}/chat/pizza") as page:
        await talk(page, [("Which pizza", "[Diavola]"), ("What size?", "[Large]")])
        await hears(page, "How many of them?")
        here.process.kill()
        await expect(page.locator("#state")).to_have_text(re.compile("No connection|Connecting"))
        await say(page, "3")
        await expect(page.get_by_text("Will be sent when the connection is back")).to_be_visible()
        here.process.start()
        await here.process.ready()
        await hears(page, "That makes € 40.95 so far.")
        await expect(page.locator(state)).to_be_visible()
        # Killed before it can have answered: was it heard? The page asks until it knows.
        await say(page, "no")
        here.process.kill()
        here.process.start()
        await here.process.ready()
        await hears(page, "Shall we bring it")
        # Killed, and the page is closed over what it could not send; the next page sends it.
        here.process.kill()
        await say(page, "pick-up")
        await expect(page.locator(".pending")).to_have_count(1)
        here.process.start()
        await here.process.ready()
        await page.reload()
        await hears(page, "At what time")
        await expect(page.locator(".pending")).to_have_count(0)
        await expect(bubbles(page, "user")).to_have_text(["Diavola", "Large", "3", "no", "pick-up"])
        for question in ("What size?", "How many of them?", "That makes", "Shall we bring it", "At what time"):
            await expect(bubbles(page, "bot").filter(has_text=question)).to_have_count(1)
        await reload(page)


@pytest.mark.parametrize(
    ("bot", "steps", "echoed"),
    [
        pytest.param("pizza", [step for step in PICKED_UP if step != REFUSED], 0, id="pizza-picked-up"),
        pytest.param("pizza", DELIVERY, 1, id="pizza"),
        pytest.param("service-desk", TICKET, 1, id="service-desk"),
        pytest.param("service-desk", SELF_HELP, 0, id="service-desk-self-help"),
        pytest.param("consulta", appointment(monday(3)), 0, id="consulta"),
        pytest.param("quiz", [("What shall I call you?", "grace"), ("1. ", "1")], 0, id="quiz"),
    ],
)
async def test_scripts_in_every_field_are_only_text(
    browser: Browser, here: Place, bot: str, steps: Steps, echoed: int
) -> None:
    """A question that does not take them is still open, and gets its right answer then."""
    async with visit(browser, f"{here.url}/chat/{bot}", locale="pt-PT" if bot == "consulta" else "en-GB") as page:
        for question, text in steps:
            if text is None:
                continue
            await hears(page, question)
            await answer(page, HOSTILE)
            await quiet(page)
            if question not in TAKES_ANYTHING:
                await answer(page, text)
                await quiet(page)
        await expect(bubbles(page, "user").filter(has_text=HOSTILE).first).to_have_text(HOSTILE)
        assert await bubbles(page, "bot").filter(has_text="<script>").count() >= echoed
        assert await page.locator(".log :is(script, img, iframe, object, svg, [onerror], a)").count() == 0


async def quiet(page: Page) -> None:
    """Wait until the page shows all entries that the server has."""
    await page.wait_for_function(
        """async () => {
            const known = JSON.parse(localStorage.getItem(`botswain:chat:${document.body.dataset.bot}`));
            const look = () => fetch(`/api/v1/conversations/${known.session}/messages?after=${known.seq}`,
                { headers: { Authorization: `Bearer ${known.token}` } });
            return (await (await look()).json()).messages.length === 0;
        }"""
    )


async def test_a_bot_whose_every_text_is_hostile(browser: Browser, here: Place) -> None:
    folder = here.bots / "hostile.gbai"
    folder.mkdir()
    label = "</button><script>alert(5)</script>"
    (folder / "start.bas").write_text(f'TALK "{HOSTILE}"\nHEAR x AS "<b onclick=alert(4)>", "{label}" WITH "?"\nTALK x')
    (folder / "config.csv").write_text(
        'name,value\ntitle,"""><script>alert(6)</script>"\ndescription,</span><img src=x onerror=alert(7)>\n'
    )
    (folder / "a.css").write_text("</style><script>alert(8)</script> @import url(//example.org);")
    async with visit(browser, here.url) as page:
        card = '.card[href="/chat/hostile"]'
        await reload_until(page, here.url, card)
        await page.locator(card).click()
        await expect(bubbles(page).first).to_have_text(HOSTILE)
        await pick(page, label)
        await hears(page, label)
        assert await page.locator("body :is(script, img), .log a").count() == 0


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param({"token": "forged.token", "session": "0", "seq": 3}, id="forged-token"),
        pytest.param({"seq": 1_000_000}, id="after-beyond-the-end"),
        pytest.param("no JSON at all", id="garbage"),
    ],
)
async def test_what_is_stored_wrongly_costs_nothing_but_the_old_conversation(
    browser: Browser, here: Place, stored: dict[str, object] | str
) -> None:
    async with visit(browser, f"{here.url}/chat/quiz") as page:
        await hears(page, "What shall I call you?")
        await page.evaluate(
            """(stored) => {
                const key = "botswain:chat:quiz";
                const known = JSON.parse(localStorage.getItem(key));
                const wrong = typeof stored === "string" ? stored : JSON.stringify({ ...known, ...stored });
                localStorage.setItem(key, wrong);
            }""",
            stored,
        )
        await page.reload()
        await hears(page, "What shall I call you?")
        await say(page, "grace")
        await hears(page, "1. ")
