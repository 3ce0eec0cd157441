"""The window of "Sign in with Salesforce": where it begins, and where it comes back.

Both are documents of a window of its own, never of a frame. In their addresses is
nothing but what OpenID Connect puts there. The one-use code is in the document that the
window comes back to, and its script hands it to the page that opened the window, if
that is one of the gateway's own origin, and to no other.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable

from aiohttp import hdrs, web

from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.salesforce import Problem, SalesforceSignIn, SignInRefused
from gateway.sessions.origins import origin_of

logger = logging.getLogger(__name__)

START = "/v1/oauth/salesforce/start"
CALLBACK = "/v1/oauth/salesforce/callback"
STARTS_PER_ADDRESS = AttemptLimit(count=60, per_s=600.0)
# RFC 6749 limits neither; ours are shorter, Salesforce's codes are about 100.
MAX_QUERY_CHARS = 4096
SCRIPT = "/widget/sign-in-window.js"
STYLE = "/widget/sign-in-window.css"


def add_routes(
    app: web.Application,
    sign_in: SalesforceSignIn,
    *,
    public_url: str,
    client_address: Callable[[web.Request], str],
    clock: Callable[[], float],
) -> None:
    """Serve the two documents."""
    window = _Window(sign_in, public_url, client_address, clock)
    app.router.add_get(START, window.start)
    app.router.add_get(CALLBACK, window.callback)


class _Window:
    def __init__(
        self,
        sign_in: SalesforceSignIn,
        public_url: str,
        client_address: Callable[[web.Request], str],
        clock: Callable[[], float],
    ) -> None:
        self._sign_in = sign_in
        self._origin = origin_of(public_url)
        self._client_address = client_address
        self._starts = Attempts(STARTS_PER_ADDRESS, clock=clock)

    async def start(self, request: web.Request) -> web.Response:
        # A link on somebody's page, or in a mail, begins nobody's sign-in. Browsers
        # that do not say where a request comes from are held by the second half.
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return self._page(Problem.EXPIRED)
        if request.headers.get("Sec-Fetch-Dest", "document") != "document":
            return self._page(Problem.FAILED)
        if not self._starts.take(self._client_address(request)):
            return self._page(Problem.UNREACHABLE, status=429)
        try:
            url = self._sign_in.start(
                request.query.get("tenant", ""), request.query.get("page", "")
            )
        except SignInRefused as refused:
            return self._page(refused.problem)
        return web.Response(
            status=302,
            headers={**_no_traces(), hdrs.LOCATION: url},
        )

    async def callback(self, request: web.Request) -> web.Response:
        if len(request.query_string) > MAX_QUERY_CHARS:
            return self._page(Problem.FAILED)
        try:
            code = await self._sign_in.finish(request.query)
        except SignInRefused as refused:
            return self._page(refused.problem)
        except Exception:
            # The root of this request; the window is not left without a word.
            logger.exception("a sign-in with Salesforce failed")
            return self._page(Problem.FAILED, status=500)
        return self._page(None, code=code)

    def _page(
        self, problem: Problem | None, *, code: str = "", status: int = 200
    ) -> web.Response:
        data = {
            "origin": self._origin,
            "problem": problem.value if problem else "",
            "code": code,
        }
        attributes = " ".join(
            f'data-{name}="{html.escape(value)}"' for name, value in data.items()
        )
        return web.Response(
            status=status if problem is None or status != 200 else 400,
            text=(
                '<!doctype html><html lang="en"><head><meta charset="utf-8">'
                '<meta name="viewport" content="width=device-width">'
                "<title>Ringbridge</title>"
                f'<link rel="stylesheet" href="{STYLE}">'
                f'<script type="module" src="{SCRIPT}"></script></head>'
                f"<body><main {attributes}>"
                '<h1 id="title" tabindex="-1"></h1><p id="text"></p></main>'
                "<noscript>Sign-in needs JavaScript.</noscript></body></html>"
            ),
            content_type="text/html",
            headers=_no_traces()
            | {
                "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
                "style-src 'self'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'",
                "X-Frame-Options": "DENY",
            },
        )


def _no_traces() -> dict[str, str]:
    return {
        hdrs.CACHE_CONTROL: "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }
