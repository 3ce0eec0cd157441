"""The widget's files and the page of a link: who may frame them, and nothing else."""

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
        assert answer["version"]
        assert answer.get("salesforce_origins") == expected


async def test_the_organisations_own_page_may_read_what_the_widget_is_told(
    browser: Browser,
) -> None:
    for origin, allowed in (
        (LIGHTNING, LIGHTNING),
        ("https://evil.lightning.force.com", None),
        ("null", None),
    ):
        async with browser.get(
            "/widget/config.json",
            params={"origin": LIGHTNING},
            headers={"Origin": origin},
        ) as response:
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
            assert response.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in response.headers


async def test_a_page_is_told_the_ways_to_sign_in_of_its_tenant() -> None:
    app = web.Application()
    ways = {"acme": ("password", "salesforce"), "other": ("phone",)}
    pages.add_routes(app, {LIGHTNING: HostOrigin("acme", "66.0")}, ways)
    async with (
        TestClient(TestServer(app)) as client,
        client.get("/widget/config.json", params={"origin": LIGHTNING}) as response,
    ):
        assert (await response.json())["sign_in"] == ["salesforce", "password"]
    app = web.Application()
    pages.add_routes(app, {}, ways)
    # Until the user has said which company: those of any.
    async with (
        TestClient(TestServer(app)) as client,
        client.get("/widget/config.json") as response,
    ):
        answer = await response.json()
        assert answer["tenant"] == ""
        assert answer["sign_in"] == ["salesforce", "phone", "password"]


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


TOKEN = "Zm9yLWEtdmlkZW8tY2FsbC13aXRoLVJvYmlu"


async def test_the_page_of_a_link_is_nobody_elses(browser: Browser) -> None:
    async with browser.get(f"/join/{TOKEN}") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        headers = response.headers
        body = await response.text()
    policy = headers["Content-Security-Policy"]
    host = f"{browser.host}:{browser.port}"
    for name, allowed in (
        ("default-src", "'none'"),
        ("script-src", "'self'"),
        ("style-src", "'self'"),
        ("connect-src", f"'self' wss://{host} ws://{host}"),
        ("frame-ancestors", "'none'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
    ):
        assert directive(policy, name) == allowed
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "ETag" not in headers
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "Set-Cookie" not in headers
    assert TOKEN not in body
    assert TOKEN not in str(headers)
    assert "<script>" not in body
    assert " style=" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/join/",
        "/join/x",
        f"/join/{TOKEN}/",
        "/join/%00",
        "/join/%FF%FE",
        "/join/%3Cscript%3E",
        "/join/a/b/../c",
        "/join/" + "x" * 4000,
        "/join/?token=x",
    ],
)
async def test_an_odd_token_gets_the_same_page(browser: Browser, path: str) -> None:
    async with browser.get(f"/join/{TOKEN}") as response:
        expected = await response.read(), dict(response.headers)
    async with browser.get(URL(path, encoded=True)) as response:
        assert response.status == 200
        found = await response.read(), dict(response.headers)
    for headers in (expected[1], found[1]):
        headers.pop("Date")
    assert found == expected


@pytest.mark.parametrize(
    ("host", "sockets"),
    [
        ("phone.example.com", " wss://phone.example.com ws://phone.example.com"),
        ("[2001:db8::1]:8443", " wss://[2001:db8::1]:8443 ws://[2001:db8::1]:8443"),
        ("a b", ""),
        ("evil.example; script-src *", ""),
        ("evil.example,*", ""),
        ("", ""),
    ],
)
def test_a_host_header_adds_nothing_to_the_policy(host: str, sockets: str) -> None:
    policy = pages.join_headers(host)["Content-Security-Policy"]
    assert directive(policy, "connect-src") == f"'self'{sockets}"
    assert "evil" not in policy


async def test_the_page_of_a_link_is_small(browser: Browser) -> None:
    async with browser.get(
        f"/join/{TOKEN}", headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) < 2000


async def test_what_the_page_of_a_link_asks_for_is_there(browser: Browser) -> None:
    async with browser.get(f"/join/{TOKEN}") as response:
        body = await response.text()
    wanted = re.findall(r'(?:href|src)="([^"]+)"', body)
    assert len(wanted) > 20
    for path in wanted:
        async with browser.get(path) as response:
            assert response.status == 200, path
