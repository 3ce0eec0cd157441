from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
from playwright.async_api import Browser

from tests.guest.fake_invite import FakeInvite
from tests.guest.page import Guest, open_guest
from tests.widget.browser import chromium

OpenGuest = Callable[..., Awaitable[Guest]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="session")
async def gateway() -> AsyncIterator[FakeInvite]:
    fake = FakeInvite()
    await fake.start()
    yield fake
    await fake.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, gateway: FakeInvite) -> AsyncIterator[OpenGuest]:
    """Opens the link; at the end no page may have thrown or broken its policy."""
    opened: list[Guest] = []

    async def opener(**options: object) -> Guest:
        guest = await open_guest(browser, gateway, **options)  # type: ignore[arg-type]
        opened.append(guest)
        return guest

    yield opener
    problems = [problem for guest in opened for problem in guest.errors]
    for guest in opened:
        if not guest.page.is_closed():
            problems += await guest.violations()
        await guest.page.context.close()
    assert problems == []


@pytest_asyncio.fixture(loop_scope="session")
async def guest(open_page: OpenGuest) -> Guest:
    """In front of an open invite, with camera and microphone."""
    opened = await open_page()
    await opened.shows("lobby", "open")
    await opened.sees_self()
    return opened
