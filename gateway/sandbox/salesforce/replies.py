"""What the handlers share: bodies in, JSON out, and who may come in at all."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.sandbox.salesforce.errors import RestError


def json_reply(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/json",
        headers=headers,
    )


def own_url(request: web.Request) -> str:
    """Scheme and host that were asked: every name of the org is the org."""
    return f"{request.scheme}://{request.host}"


def loads(raw: bytes) -> object:
    try:
        return json.loads(raw or b"null")
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None


def body_of(raw: bytes) -> object:
    try:
        return loads(raw)
    except ValueError:
        raise RestError(
            400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]"
        ) from None


def form_of(raw: bytes) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("utf-8", "replace")))


def method_of(request: web.Request) -> str:
    """The method; ``_HttpMethod=PATCH`` on a POST stands for what it names."""
    override = request.query.get("_HttpMethod", "")
    return override.upper() if request.method == "POST" and override else request.method


def refuse_strangers(request: web.Request) -> None:
    """Only this machine, and of its pages only the org's own."""
    peer = request.transport and request.transport.get_extra_info("peername")
    try:
        address = ipaddress.ip_address(str(peer[0])) if peer else None
    except ValueError:
        address = None
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.host}"
    if address is None or not address.is_loopback or origin not in (None, own):
        raise web.HTTPForbidden(text="loopback only")
    host = request.host.rpartition(":")[0] or request.host
    if not (
        host in ("localhost", "127.0.0.1", "[::1]")
        or host.endswith((".force.com", ".salesforce.com"))
    ):
        raise web.HTTPForbidden(text="loopback only")
