"""Pictures of pages in many states, for people to look at; nothing is compared."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from playwright.async_api import Browser, Page


class Named(Protocol):
    @property
    def name(self) -> str: ...


class Staged(Protocol):
    @property
    def page(self) -> Page: ...


S = TypeVar("S", bound=Named)
P = TypeVar("P", bound=Staged)


async def take(
    browser: Browser,
    shots: Iterable[S],
    stage: Callable[[Browser, S], AbstractAsyncContextManager[P]],
    play: Callable[[S, P], Awaitable[None]],
    folder: Path,
    wanted: list[str],
) -> None:
    """One picture of each shot whose name has any of ``wanted`` in it.

    ``stage`` opens a shot's page and ``play`` brings it where it is to be. One that
    fails is told of, and the picture taken of what there is.
    """
    for shot in shots:
        if wanted and not any(each in shot.name for each in wanted):
            continue
        async with stage(browser, shot) as staged:
            try:
                await play(shot, staged)
            except Exception as error:
                print(f"{shot.name}: {error}", file=sys.stderr)
            await staged.page.wait_for_timeout(150)
            await staged.page.screenshot(path=folder / f"{shot.name}.png")
