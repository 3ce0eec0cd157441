"""Serves the widget: the files of ``sfdc_widget/web`` under ``/widget/``.

Which pages may frame it is a matter of the tenant whose Salesforce page asks
(``sfdcIframeOrigin``): only that origin is allowed, never all that the gateway knows.

And the page of an invite's link, ``/join/TOKEN``: one page whatever the token, which
is the page's own business. Nothing here looks at it, so nothing here can tell of it.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from types import MappingProxyType
from typing import Self

from aiohttp import web

_PAGES = {"": "index.html", "salesforce": "salesforce.html"}
_JOIN_PAGE = "guest/index.html"
# What a Host header may be to be repeated in a policy.
_HOST = re.compile(
    r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?"
)
_SUFFIXES = {".js", ".css", ".html", ".svg", ".txt"}
# Comments that have their lines to themselves. A quarter of the scripts' bytes are
# types and reasons; nothing else is taken out, so that no parser is needed.
_COMMENT = re.compile(
    r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/)[ \t]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class HostOrigin:
    """An organisation whose pages may frame the widget."""

    tenant: str
    opencti_version: str


def add_routes(
    app: web.Application,
    hosts: Mapping[str, HostOrigin],
    ways: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Serve the widget.

    Args:
        hosts: by the exact origin of the framing page.
        ways: to sign in that a page may offer, by tenant: ``salesforce``, ``phone``,
            ``password``.
    """
    pages = _Pages(hosts, ways)
    app.router.add_get("/", pages.root)
    app.router.add_get("/widget", pages.root)
    app.router.add_get("/join/{token:.*}", pages.join)
    app.router.add_get("/widget/config.json", pages.config)
    app.router.add_get("/widget/{path:.*}", pages.file)


def without_comments(source: str) -> str:
    """A script or style sheet as it is served; lines keep their numbers."""
    return _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), source)


def join_headers(host: str) -> dict[str, str]:
    """What protects the page of a link: it is nobody else's to frame, to keep, to
    find or to be told of, and runs nothing but its own.

    ``host``: the request's Host. Not every browser counts its sockets as 'self'.
    """
    sockets = f" wss://{host} ws://{host}" if _HOST.fullmatch(host) else ""
    return {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self' data:",
                "media-src 'self' blob: mediastream:",
                f"connect-src 'self'{sockets}",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": (
            "camera=(self), microphone=(self), speaker-selection=(self), "
            "fullscreen=(self), autoplay=(self), screen-wake-lock=(self), "
            "display-capture=(), geolocation=(), payment=()"
        ),
    }


@dataclass(frozen=True, slots=True)
class _File:
    """One file in memory: they are few, small, and asked for all the time."""

    content_type: str
    body: bytes
    gzipped: bytes
    etag: str

    @classmethod
    def read(cls, path: Path) -> Self:
        body = path.read_bytes()
        if path.suffix in {".js", ".css"}:
            body = without_comments(body.decode()).encode()
        content_type, _ = mimetypes.guess_type(path.name)
        return cls(
            content_type or "text/plain",
            body,
            gzip.compress(body, mtime=0),
            f'"{hashlib.sha256(body).hexdigest()[:24]}"',
        )


class _Pages:
    def __init__(
        self, hosts: Mapping[str, HostOrigin], ways: Mapping[str, Sequence[str]]
    ) -> None:
        self._hosts = hosts
        self._ways = ways
        self._version = metadata.version("ringbridge")
        root = Path(str(resources.files("sfdc_widget").joinpath("web")))
        self._files = {
            path.relative_to(root).as_posix(): _File.read(path)
            for path in root.rglob("*")
            if path.is_file() and path.suffix in _SUFFIXES
        }

    async def root(self, _: web.Request) -> web.Response:
        raise web.HTTPFound("/widget/")

    async def config(self, request: web.Request) -> web.Response:
        host = self._hosts.get(request.query.get("origin", ""))
        tenants = {each.tenant for each in self._hosts.values()} or set(self._ways)
        only = next(iter(tenants)) if len(tenants) == 1 else ""
        tenant = host.tenant if host else only
        answer: dict[str, object] = {
            "tenant": tenant,
            "version": self._version,
            "sign_in": self._ways_of(tenant),
        }
        if host is not None:
            answer["salesforce_origins"] = [request.query["origin"]]
            answer["opencti_version"] = host.opencti_version
        headers = {"Cache-Control": "no-store", "Vary": "Origin"}
        # The setup page in Salesforce reads it too, from its own organisation's origin.
        origin = request.headers.get("Origin", "")
        if origin in self._hosts:
            headers["Access-Control-Allow-Origin"] = origin
        return web.json_response(answer, headers=headers)

    def _ways_of(self, tenant: str) -> list[str]:
        """Those of one tenant; until the user has said which, those of any."""
        tenants = [tenant] if tenant in self._ways else list(self._ways)
        there = {way for each in tenants for way in self._ways[each]}
        return [way for way in ("salesforce", "phone", "password") if way in there]

    async def file(self, request: web.Request) -> web.Response:
        name = request.match_info["path"]
        page = self._files.get(_PAGES.get(name, name))
        if page is None:
            raise web.HTTPNotFound(text="There is no such page.")
        headers = {
            "Content-Type": f"{page.content_type}; charset=utf-8",
            "Cache-Control": "no-cache",
            "ETag": page.etag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if page.content_type == "text/html":
            headers["Content-Security-Policy"] = self._policy(request)
        if request.headers.get("If-None-Match") == page.etag:
            return web.Response(status=304, headers=headers)
        return _send(request, page, headers)

    async def join(self, request: web.Request) -> web.Response:
        page = self._files[_JOIN_PAGE]
        headers = {
            **join_headers(request.host),
            "Content-Type": f"{page.content_type}; charset=utf-8",
            "Vary": "Accept-Encoding",
        }
        return _send(request, page, headers)

    def _policy(self, request: web.Request) -> str:
        origin = request.query.get("sfdcIframeOrigin", "")
        known = origin if origin in self._hosts else ""
        sources = " ".join(filter(None, ("'self'", known)))
        return "; ".join(
            (
                "default-src 'self'",
                f"script-src {sources}",
                "style-src 'self'",
                "img-src 'self' data:",
                "media-src 'self' blob: mediastream:",
                "connect-src 'self' ws: wss:",
                "object-src 'none'",
                "base-uri 'none'",
                "form-action 'none'",
                f"frame-ancestors {known or chr(39) + 'none' + chr(39)}",
            )
        )


def _send(request: web.Request, page: _File, headers: dict[str, str]) -> web.Response:
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=page.gzipped, headers=headers)
    return web.Response(body=page.body, headers=headers)
