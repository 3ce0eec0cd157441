"""One to four others in the window of a call."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.widget.browser import Widget
from tests.widget.screenshots import call_window
from tests.widget.seats import ANA, BEN, CHLOE, DAN, FOUR, boxes, seat

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

WIDE = {"width": 1280, "height": 720}
NARROW = {"width": 340, "height": 620}
FIT = """(index) => getComputedStyle(
  document.querySelectorAll('.rb-tile')[index].querySelector('video')).objectFit"""


@pytest_asyncio.fixture(loop_scope="session")
async def window(widget: Widget) -> Page:
    """Of a call in which nothing but the others changes."""
    opened = await call_window(widget)
    await opened.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return opened


async def settled(page: Page) -> list[dict[str, float]]:
    """The boxes, once they are those of this size of the page."""
    await page.wait_for_function(
        """() => new Promise((resolve) => requestAnimationFrame(() =>
          requestAnimationFrame(() => resolve(true))))"""
    )
    return await boxes(page)


def apart(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["right"] <= other["left"]
        or other["right"] <= one["left"]
        or one["bottom"] <= other["top"]
        or other["bottom"] <= one["top"]
    )


async def test_the_room_is_shared(window: Page) -> None:
    bar = window.get_by_role("toolbar")
    place = await bar.bounding_box()
    heading = window.get_by_role("heading", level=1)
    for count, words in (
        (1, "Ana Ruiz"),
        (2, "Ana Ruiz and Ben Okafor"),
        (3, "Ana Ruiz, Ben Okafor, and 1 other"),
        (4, "Ana Ruiz, Ben Okafor, and 2 others"),
    ):
        await seat(window, *FOUR[:count])
        await expect(heading).to_have_text(words)
        await expect(window).to_have_title(f"{words}, video call")
        tiles = await settled(window)
        assert all(apart(*pair) for pair in combinations(tiles, 2))
        assert place is not None
        for tile in tiles:
            assert tile["left"] >= 0
            assert tile["right"] <= WIDE["width"]
            assert count == 1 or tile["bottom"] <= place["y"]
        assert await bar.bounding_box() == place, "the controls keep their place"
        names = window.locator(".rb-tile-name").locator("visible=true")
        expected = [each.name for each in FOUR[:count]] if count > 1 else []
        assert await names.all_inner_texts() == expected
    assert len({tile["top"] for tile in tiles}) == 2
    assert len({tile["left"] for tile in tiles}) == 2

    await seat(window, ANA)
    (alone,) = await settled(window)
    assert (alone["width"], alone["height"]) == (WIDE["width"], WIDE["height"])
    await seat(window, ANA, BEN)
    left, right = await settled(window)
    assert (left["top"], left["width"]) == (right["top"], right["width"])
    await window.set_viewport_size(NARROW)  # type: ignore[arg-type]
    upper, lower = await settled(window)
    assert (upper["left"], upper["width"]) == (lower["left"], lower["width"])
    assert upper["right"] <= NARROW["width"]


async def test_comings_and_goings_are_said_once(window: Page) -> None:
    said = window.locator(".rb-gallery-said")
    await expect(said).to_have_text("")
    await seat(window, ANA, BEN)
    await expect(said).to_have_text("Ben Okafor has joined")
    await seat(window, ANA, replace(BEN, width=0))
    await expect(said).to_have_text("Ben Okafor has joined")
    note = window.get_by_text("No picture", exact=True).locator("visible=true")
    await expect(note).to_have_count(1)
    await seat(window, BEN, CHLOE)
    await expect(said).to_have_text("Chloé Martin has joined. Ana Ruiz has left")


async def test_nothing_of_a_screen_is_cut_off(window: Page) -> None:
    await seat(window, ANA, replace(BEN, width=1920, height=1080))
    assert await window.evaluate(FIT, 0) == "cover", "a camera's fills its tile"
    assert await window.evaluate(FIT, 1) == "contain"
    await seat(window, ANA, replace(CHLOE, width=360, height=640))
    assert await window.evaluate(FIT, 1) == "contain", "too much would be lost"
    await window.get_by_role("button", name="Make Ana Ruiz big").click()
    assert await window.evaluate(FIT, 0) == "contain"
    await seat(window, ANA)
    assert await window.evaluate(FIT, 0) == "contain"


async def test_one_is_made_big_by_keyboard(window: Page) -> None:
    await window.evaluate(
        "() => { HTMLVideoElement.prototype.requestPictureInPicture ="
        " async function () { globalThis.asked = this.getAttribute('aria-label'); };"
        " }"
    )
    keyboard = window.keyboard
    await seat(window, *FOUR)
    equal = await settled(window)
    for name in ("Ana Ruiz", "Ben Okafor"):
        await keyboard.press("Tab")
        button = window.get_by_role("button", name=f"Make {name} big")
        await expect(button).to_be_focused()
    await keyboard.press("Enter")
    shrink = window.get_by_role("button", name="Show everybody; Ben Okafor is big")
    await expect(shrink).to_be_focused()
    tiles = await settled(window)
    assert all(apart(*pair) for pair in combinations(tiles, 2))
    sizes = [tile["width"] * tile["height"] for tile in tiles]
    assert sizes[1] > 3 * max(sizes[0], *sizes[2:])
    await window.get_by_role("button", name="Picture in picture").click()
    assert await window.evaluate("globalThis.asked") == "Picture of Ben Okafor"

    await keyboard.press("Escape")
    assert await settled(window) == equal
    await window.get_by_role("button", name="Picture in picture").click()
    assert await window.evaluate("globalThis.asked") == "Picture of Ana Ruiz"
    await window.get_by_role("button", name="Make Dan Wu big").click()
    await expect(window.locator(".rb-gallery[data-big]")).to_have_count(1)
    await seat(window, ANA, BEN)
    await expect(window.locator(".rb-gallery[data-big]")).to_have_count(0)
    room = window.get_by_role("list", name="Others in the call")
    await expect(room).to_be_focused()
    await seat(window, ANA, BEN, DAN)
    await expect(window.get_by_role("button", name="Make Dan Wu big")).to_be_visible()
    await expect(room.get_by_role("listitem")).to_have_count(3)
