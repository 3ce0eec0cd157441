"""The widget's files: who may frame them, and that there is nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from gateway import pages
from gateway.pages import HostOrigin

LIGHTNING = "https://acme.lightning.force.com"
Browser = TestClient[web.Request, web.Application]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    app = web.Application()
    pages.add_routes(app, {LIGHTNING: HostOrigin("acme", "66.0")})
    async with TestClient(TestServer(app)) as client:
        yield client


def directive(policy: str, name: str) -> str:
    found = re.search(rf"(?:^|; ){name} ([^;]*)", policy)
    assert found, policy
    return found[1]


async def test_only_the_tenants_own_page_may_frame_the_widget(
    browser: Browser,
) -> None:
    for origin, allowed in (
        (LIGHTNING, LIGHTNING),
        ("https://evil.lightning.force.com", "'none'"),
        (f"{LIGHTNING}; script-src *", "'none'"),
        ("", "'none'"),
    ):
        async with browser.get(
            "/widget/salesforce", params={"sfdcIframeOrigin": origin}
        ) as response:
            policy = response.headers["Content-Security-Policy"]
        assert directive(policy, "frame-ancestors") == allowed
        scripts = f"'self' {LIGHTNING}" if origin == LIGHTNING else "'self'"
        assert directive(policy, "script-src") == scripts
        assert "unsafe" not in policy


def test_comments_on_lines_of_their_own_are_left_out_and_nothing_else() -> None:
    source = """/** What it is.
 * More. */
const a = 1; // why
  // Because.
const b = /** @type {any} */ (a);
  /** @type {any} */ (b).c; /** d */
const url = 'https://example.com/*';
"""
    assert (
        pages.without_comments(source)
        == """

const a = 1; // why

const b = /** @type {any} */ (a);
  /** @type {any} */ (b).c; /** d */
const url = 'https://example.com/*';
"""
    )


async def test_the_widget_is_told_only_its_own_organisation(
    browser: Browser,
) -> None:
    for origin, expected in (
        (LIGHTNING, [LIGHTNING]),
        ("https://evil.lightning.force.com", None),
    ):
        async with browser.get(
            "/widget/config.json", params={"origin": origin}
        ) as response:
            answer = await response.json()
        assert answer["tenant"] == "acme"
        assert answer.get("salesforce_origins") == expected


@pytest.mark.parametrize(
    "path",
    [
        "/widget/../cli.py",
        "/widget/%2e%2e/%2e%2e/pyproject.toml",
        "/widget//etc/passwd",
        "/widget/client",
        "/widget/nothing.js",
        "/widget/client/%00.js",
    ],
)
async def test_there_is_nothing_else_to_be_had(browser: Browser, path: str) -> None:
    async with browser.get(URL(path, encoded=True)) as response:
        assert response.status == 404


async def test_files_say_what_they_are(browser: Browser) -> None:
    for path, kind in (
        ("/widget/", "text/html"),
        ("/widget/softphone/softphone.css", "text/css"),
        ("/widget/client/index.js", "text/javascript"),
    ):
        async with browser.get(path) as response:
            assert response.status == 200
            assert response.content_type == kind
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_page_is_sent_once_and_small(browser: Browser) -> None:
    path = "/widget/softphone/softphone.css"
    async with browser.get(path, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        packed = int(response.headers["Content-Length"])
        etag = response.headers["ETag"]
        text = await response.text()
    async with browser.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.text() == text
        assert packed < len(text.encode()) / 2
    async with browser.get(path, headers={"If-None-Match": etag}) as response:
        assert response.status == 304
        assert await response.read() == b""
