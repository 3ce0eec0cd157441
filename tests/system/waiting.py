"""Waiting for what can only be looked at: polling with a deadline and a good error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.05


async def until(
    look: Callable[[], Awaitable[T]], what: str, *, timeout_s: float = 10.0
) -> T:
    """Look again and again until it gives something truthy, and give that.

    Raises:
        AssertionError: not within the time; the text has ``what`` and the last look.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while True:
        found = await look()
        if found:
            return found
        if loop.time() > end:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last: {found!r}")
        await asyncio.sleep(POLL_S)


async def until_true(look: Callable[[], T], what: str, *, timeout_s: float = 10.0) -> T:
    """:func:`until` for a look that need not be awaited."""

    async def looked() -> T:
        return look()

    return await until(looked, what, timeout_s=timeout_s)
