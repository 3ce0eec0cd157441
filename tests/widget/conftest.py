from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
from playwright.async_api import Browser

from tests.widget.browser import Widget, chromium, open_widget
from tests.widget.fake_gateway import FakeGateway

OpenWidget = Callable[..., Awaitable[Widget]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="session")
async def gateway() -> AsyncIterator[FakeGateway]:
    fake = FakeGateway()
    await fake.start()
    yield fake
    await fake.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    browser: Browser, gateway: FakeGateway
) -> AsyncIterator[OpenWidget]:
    """Opens widgets; at the end none may have thrown or broken the page's policy."""
    opened: list[Widget] = []

    async def opener(**options: object) -> Widget:
        widget = await open_widget(browser, gateway, **options)  # type: ignore[arg-type]
        opened.append(widget)
        return widget

    yield opener
    problems = [problem for widget in opened for problem in widget.errors]
    for widget in opened:
        if not widget.page.is_closed():
            problems += await widget.violations()
        await widget.page.context.close()
    assert problems == []


@pytest_asyncio.fixture(loop_scope="session")
async def widget(open_page: OpenWidget) -> Widget:
    """Signed in, registered, nothing going on."""
    opened = await open_page()
    await opened.shows("idle")
    await opened.says("Available")
    return opened
