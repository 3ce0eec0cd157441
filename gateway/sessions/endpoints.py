"""What the HTTP endpoints have in common: CORS, preflight, bodies, errors.

Every error is ``{"error": {"kind", "message"}}``. An endpoint is a coroutine that
takes the request and gives the answer's body, or raises :class:`HttpError`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web

from gateway.sessions import wire
from gateway.sessions.origins import AllowedOrigins
from gateway.sessions.wire import ErrorKind, Wire

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024
PREFLIGHT_MAX_AGE_S = 600


class HttpError(Exception):
    """Ends a request with an error body."""

    def __init__(
        self, status: int, kind: ErrorKind, message: str, *, retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s


def error_response(status: int, kind: ErrorKind, message: str) -> web.Response:
    """An answer with the error body."""
    detail = wire.HttpErrorDetail(kind=kind, message=message)
    return _json_response(wire.HttpError(error=detail), status=status)


Answer = Callable[[web.Request], Awaitable[Wire]]


def add_endpoints(
    app: web.Application,
    answers: Mapping[tuple[str, str], Answer],
    origins: AllowedOrigins,
) -> None:
    """Serve ``answers`` by method and path to pages of known origins."""
    for (method, path), answer in answers.items():
        resource = _Resource(method, answer, origins)
        app.router.add_route("*", path, resource.handle)


async def json_body(request: web.Request) -> bytes:
    """The body of a request that says that it is JSON, at most 16 KiB.

    Raises:
        HttpError: another type, or too much.
    """
    # Another type would let a form of any web site post here without a preflight.
    if request.content_type != "application/json":
        raise HttpError(415, ErrorKind.BAD_REQUEST, "Send application/json.")
    return await _read(request)


def too_many() -> HttpError:
    return HttpError(
        429,
        ErrorKind.RATE_LIMITED,
        "Too many attempts; wait a minute.",
        retry_after_s=60,
    )


class _Resource:
    """One path: its method, its preflight, its errors."""

    def __init__(self, method: str, answer: Answer, origins: AllowedOrigins) -> None:
        self._method = method
        self._answer = answer
        self._origins = origins

    async def handle(self, request: web.Request) -> web.Response:
        origin = request.headers.get(hdrs.ORIGIN)
        if not self._origins.is_known(origin):
            return error_response(
                403, ErrorKind.POLICY_DENIED, "This web site may not use the gateway."
            )
        response = await self._respond(request)
        response.headers[hdrs.VARY] = hdrs.ORIGIN
        if origin is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        return response

    async def _respond(self, request: web.Request) -> web.Response:
        if request.method == hdrs.METH_OPTIONS:
            return self._preflight()
        if request.method != self._method:
            response = error_response(
                405, ErrorKind.BAD_REQUEST, f"Use {self._method} here."
            )
            response.headers[hdrs.ALLOW] = f"{self._method}, {hdrs.METH_OPTIONS}"
            return response
        try:
            return _json_response(await self._answer(request))
        except HttpError as error:
            response = error_response(error.status, error.kind, str(error))
            if error.retry_after_s:
                response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
            if error.status == 401:
                response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return response
        except Exception:
            # The root of this request.
            logger.exception("%s %s failed", request.method, request.path)
            return error_response(
                500, ErrorKind.INTERNAL, "Something went wrong in the gateway."
            )

    def _preflight(self) -> web.Response:
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: self._method,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "authorization, content-type",
                hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_MAX_AGE_S),
            },
        )


async def _read(request: web.Request) -> bytes:
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise HttpError(413, ErrorKind.BAD_REQUEST, "The body is too large.")
    return bytes(data)


def _json_response(body: Wire, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        text=body.model_dump_json(exclude_none=True),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store"},
    )
