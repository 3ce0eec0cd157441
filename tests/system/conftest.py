"""What the system tests share: one event loop, the programs' logs, real parts.

Slow parts (Chromium, Kamailio) live for the whole session. State cannot bleed: every
test has its own users, numbers and browser profile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

from tests.system import tls_front
from tests.system.browser import Chromium
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.world import World

HERE = Path(__file__).parent
TIMEOUT_S = 120
LOGS = pytest.StashKey[LogBook]()
MARKS = pytest.StashKey[Mapping[str, int]]()

# What the rep says into the browser's microphone, in hertz, and shows its camera.
BROWSER_SAYS = 1000.0
BROWSER_SHOWS = 0xA5
# The same of a customer with a link.
GUEST_SAYS, GUEST_SHOWS = 1500.0, 0x3C
# And of one more.
COLLEAGUE_SAYS, COLLEAGUE_SHOWS = 2100.0, 0x66

HOSTS = ("*.lightning.force.com", tls_front.HOST)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LOGS] = LogBook()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The parts outlive a test, so all tests here run in one loop.

    Their time-out is for a machine that does other things besides.
    """
    one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if HERE not in item.path.parents:
            continue
        if is_async_test(item):
            item.add_marker(one_loop, append=False)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item,
) -> Generator[None, object, object]:
    item.stash[MARKS] = item.config.stash[LOGS].marks()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and MARKS in item.stash:
        logs = item.config.stash[LOGS]
        for name, text in logs.since(item.stash[MARKS]):
            report.sections.append((f"log of {name}", text))
    return report


@pytest.fixture(scope="session")
def logs(pytestconfig: pytest.Config) -> LogBook:
    """Where every part writes what it says."""
    return pytestconfig.stash[LOGS]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Chromium]:
    """The browser; its microphone plays :data:`BROWSER_SAYS`."""
    async with Chromium(
        directory=tmp_path_factory.mktemp("chromium"),
        says=BROWSER_SAYS,
        shows=BROWSER_SHOWS,
        logs=logs,
        hosts=dict.fromkeys(HOSTS, "127.0.0.1"),
    ) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guests(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Chromium]:
    """The customers' browser: another voice, other pictures than the rep's."""
    async with Chromium(
        directory=tmp_path_factory.mktemp("guests"),
        says=GUEST_SAYS,
        shows=GUEST_SHOWS,
        logs=logs,
        hosts=dict.fromkeys(HOSTS, "127.0.0.1"),
    ) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def colleagues(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Chromium]:
    """A browser of further guests."""
    async with Chromium(
        directory=tmp_path_factory.mktemp("colleagues"),
        says=COLLEAGUE_SAYS,
        shows=COLLEAGUE_SHOWS,
        logs=logs,
        hosts=dict.fromkeys(HOSTS, "127.0.0.1"),
    ) as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def proxy() -> AsyncIterator[Kamailio]:
    """The application server."""
    async with Kamailio() as kamailio:
        yield kamailio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_world(
    proxy: Kamailio,
    chromium: Chromium,
    logs: LogBook,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[World]:
    """Everything together, for the whole session; tests take :func:`world`."""
    async with World(
        proxy=proxy,
        chromium=chromium,
        logs=logs,
        directory=tmp_path_factory.mktemp("world"),
    ) as everything:
        yield everything


@pytest_asyncio.fixture(loop_scope="session")
async def world(whole_world: World) -> AsyncIterator[World]:
    """Everything together; a test that leaves anything behind in it fails."""
    yield whole_world
    await whole_world.settle()
