"""HTTP around an org: sizes, faults, the journal, and who asks; then its parts.

Faults and the journal concern ``/services/``, ``/id/`` and ``/.well-known/`` only.
What a sign-in carries is never in the journal.
"""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from gateway.sandbox.salesforce import duplicates
from gateway.sandbox.salesforce.assumptions import (
    MAINTENANCE_RETRY_AFTER_S,
    NO_API_SCOPE,
)
from gateway.sandbox.salesforce.control import ControlShell
from gateway.sandbox.salesforce.errors import RestError, invalid_session, row_locked
from gateway.sandbox.salesforce.faults import Fault, FaultKind
from gateway.sandbox.salesforce.journal import Entry
from gateway.sandbox.salesforce.limits import limit_exceeded, too_many_at_once
from gateway.sandbox.salesforce.oauth_web import OAuthShell
from gateway.sandbox.salesforce.org import Org
from gateway.sandbox.salesforce.page_web import PageShell
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.replies import body_of, json_reply, method_of, own_url
from gateway.sandbox.salesforce.rest import call_from_url

MAX_URI_BYTES = 16_384  # facts, 3.2
MAX_HEADER_BYTES = 16_384  # facts, 3.2
MAX_BODY_BYTES = 6 * 1024 * 1024

_UNANSWERED = frozenset({FaultKind.HANG, FaultKind.DOWN})
_SIGN_IN = ("/services/oauth2/", "/id/", "/.well-known/")


class WebShell:
    """Routes of one org, and the handlers of its services."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._oauth = OAuthShell(org)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let go of every request that hangs."""
        self._closing.set()

    def application(self) -> web.Application:
        app = web.Application(
            client_max_size=MAX_BODY_BYTES, middlewares=[self._guard_sizes]
        )
        add = app.router.add_route
        add("*", "/services/{tail:.*}", self._service)
        add("GET", "/.well-known/openid-configuration", self._service)
        add("GET", "/id/keys", self._service)
        add("GET", "/id/{org}/{user}", self._service)
        PageShell(self._org).add_routes(app.router)
        ControlShell(self._org).add_routes(app.router)
        return app

    # -- sizes

    @web.middleware
    async def _guard_sizes(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if len(request.raw_path.encode()) > MAX_URI_BYTES:
            return json_reply(
                [RestError(414, "URI_TOO_LONG", "URI Too Long").as_item()], 414
            )
        size = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
        if size > MAX_HEADER_BYTES:
            return json_reply(
                [
                    RestError(
                        431,
                        "REQUEST_HEADER_FIELDS_TOO_LARGE",
                        "Request Header Fields Too Large",
                    ).as_item()
                ],
                431,
            )
        return await handler(request)

    # -- services

    async def _service(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        is_sign_in = request.path.startswith(_SIGN_IN)
        entry = self._org.journal.add(
            at=self._org.clock(),
            method=request.method,
            path=request.path,
            query="" if is_sign_in else request.query_string,
            body="" if is_sign_in else raw.decode("utf-8", "replace"),
        )
        fault = self._org.faults.strike(request.method, request.path)
        if fault is not None:
            entry.fault = fault.kind.value
            if (early := await self._before(request, fault)) is not None:
                entry.status = 0 if fault.kind in _UNANSWERED else early.status
                return early
        response = (
            self._oauth.answer(request, raw)
            if is_sign_in
            else self._rest(request, raw, entry)
        )
        self._org.save_if_changed()
        if fault is not None:
            match fault.kind:
                case FaultKind.LOST_REPLY:
                    return self._cut(request)
                case FaultKind.MALFORMED_BODY:
                    response = web.Response(
                        status=response.status,
                        text='{"records": [{"Id": "003',
                        content_type="application/json",
                    )
                case _:
                    pass
        entry.status = response.status
        return response

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        """Close the connection without an answer."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _before(self, request: web.Request, fault: Fault) -> web.Response | None:
        """What a fault does instead of the work; None to go on with it."""
        match fault.kind:
            case FaultKind.SERVER_UNAVAILABLE:
                error = RestError(
                    503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable"
                )
            case FaultKind.INVALID_SESSION_ID:
                error = invalid_session()
            case FaultKind.UNABLE_TO_LOCK_ROW:
                error = row_locked()
            case FaultKind.REQUEST_LIMIT_EXCEEDED:
                error = limit_exceeded()
            case FaultKind.CONCURRENT_LIMIT_EXCEEDED:
                error = too_many_at_once()
            case FaultKind.MAINTENANCE:
                return _maintenance()
            case FaultKind.OAUTH_ERROR:
                return json_reply(
                    {"error": fault.error, "error_description": fault.description}, 400
                )
            case FaultKind.UNKNOWN_EXCEPTION:
                error = RestError(
                    500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."
                )
            case FaultKind.DUPLICATES_DETECTED:
                first = next(self._org.store.records("Contact"), None)
                known = first or self._org.default_user()
                error = duplicates.refusal(
                    known.object.name,
                    [duplicates.Known(known.object.name, known.id, known.values)],
                    status=fault.status,
                    allow_save=True,
                    options=duplicates.options_from(
                        request.headers.get("Sforce-Duplicate-Rule-Header", "")
                    ),
                )
            case FaultKind.SLOW:
                await self._wait(fault.delay_s)
                return None
            case FaultKind.HANG:
                await self._wait(fault.delay_s)
                return self._cut(request)
            case FaultKind.DOWN:
                return self._cut(request)
            case _:
                return None
        return self._refusal(error)

    async def _wait(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def _refusal(self, error: RestError) -> web.Response:
        return json_reply(
            [error.as_item()],
            error.status,
            {"Sforce-Limit-Info": self._org.usage.header},
        )

    def _bearer(self, request: web.Request) -> Record:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        found = (
            self._org.tokens.session_of(token.strip())
            if scheme.lower() in ("bearer", "oauth")
            else None
        )
        if found is None:
            raise invalid_session()
        session, user = found
        if not session.allows("api"):
            raise RestError(*NO_API_SCOPE)
        return user

    def _rest(self, request: web.Request, raw: bytes, entry: Entry) -> web.Response:
        try:
            if request.path.rstrip("/") == "/services/data":
                return json_reply(self._org.api.versions())
            user = self._bearer(request)
            entry.user = user.id
            self._org.usage.count()
            call = call_from_url(
                method_of(request),
                request.raw_path,
                user_id=user.id,
                headers=CIMultiDict(request.headers),
                body=body_of(raw),
                own_url=own_url(request),
            )
            reply = self._org.api.answer(call)
        except RestError as error:
            return self._refusal(error)
        headers = {**reply.headers, "Sforce-Limit-Info": self._org.usage.header}
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        return json_reply(reply.body, reply.status, headers)


def _maintenance() -> web.Response:
    """What answers in front of an org that is away: a page, not JSON."""
    return web.Response(
        status=503,
        text="<html><head><title>Scheduled Maintenance</title></head><body><h1>We are "
        "down for maintenance.</h1><p>Sorry for the inconvenience.</p></body></html>",
        content_type="text/html",
        headers={"Retry-After": MAINTENANCE_RETRY_AFTER_S},
    )
