"""Pictures of every state: ``python -m tests.guest.screenshots OUTDIR [NAME…]``.

Widths 320, 400, 800 and 1440 px, light and dark, forced colours, every language, long
words, right to left, and text at 200 %.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from playwright.async_api import Browser

from tests.guest.fake_invite import FakeInvite
from tests.guest.page import Guest, open_guest
from tests.guest.scenes import (
    STATES,
    State,
    asking,
    early,
    lobby,
    long_names,
    notice,
    problem,
)
from tests.widget.browser import chromium
from tests.widget.pictures import take

SIZES = ((320, 568), (400, 800), (800, 600), (1440, 900))


VARIED = (
    *("open", "early-zones", "blocked", "ringing", "call", "no-answer"),
    *("meeting-3", "meeting-4", "meeting-big"),
)


def shots() -> list[State]:
    made = []
    for state in STATES:
        for index, (width, height) in enumerate(SIZES):
            scheme = "dark" if index % 2 else "light"
            made.append(vary(state, f"{width}", width, height, color_scheme=scheme))
    by_name = {state.name: state for state in STATES}
    for name in VARIED:
        state = by_name[name]
        made.append(vary(state, "forced", 400, 800, forced_colors="active"))
        made.append(vary(state, "dark", 400, 800, color_scheme="dark"))
        made.append(vary(state, "landscape", 667, 375))
        made.append(page(state, "zoom", "style.fontSize = '200%'"))
        made.append(prepared(state, "long"))
    for state in STATES:
        # Those that need no press: the scenes press what is said in English.
        if state.scene not in (lobby, early, asking, problem, notice):
            continue
        for language in ("de", "es", "fr", "ar"):
            made.append(spoken(state, language))
    return made


def vary(
    state: State, suffix: str, width: int, height: int, **options: object
) -> State:
    size = {"width": width, "height": height}
    return replace(
        state,
        name=f"{state.name}-{suffix}",
        options={**state.options, "viewport": size, **options},
    )


def page(state: State, suffix: str, change: str) -> State:
    init = (
        "addEventListener('DOMContentLoaded', () =>"
        f" {{ document.documentElement.{change}; }});"
    )
    return vary(state, suffix, 400, 800, init=init)


def prepared(state: State, suffix: str) -> State:
    def prepare(gateway: FakeInvite) -> None:
        state.prepare(gateway)
        long_names(gateway)

    return replace(vary(state, suffix, 320, 568), prepare=prepare)


def spoken(state: State, language: str) -> State:
    def prepare(gateway: FakeInvite) -> None:
        state.prepare(gateway)
        gateway.shows(language="en" if language == "ar" else language)

    async def as_it_is(guest: Guest) -> None:
        await guest.page.wait_for_timeout(1_000)

    shot = vary(state, language, 320, 568, locale=language)
    return replace(shot, prepare=prepare, scene=as_it_is)


@asynccontextmanager
async def stage(browser: Browser, state: State) -> AsyncIterator[Guest]:
    gateway = FakeInvite()
    state.prepare(gateway)
    await gateway.start()
    guest = await open_guest(browser, gateway, **state.options)
    try:
        yield guest
    finally:
        await guest.page.context.close()
        await gateway.stop()


async def play(state: State, guest: Guest) -> None:
    await state.scene(guest)


async def main(folder: Path, wanted: list[str]) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with chromium() as browser:
        await take(browser, shots(), stage, play, folder, wanted)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
