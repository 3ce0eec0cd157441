"""Serves the widget: the files of ``sfdc_widget/web`` under ``/widget/``.

Which pages may frame it is a matter of the tenant whose Salesforce page asks
(``sfdcIframeOrigin``): only that origin is allowed, never all that the gateway knows.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from aiohttp import web

_PAGES = {"": "index.html", "salesforce": "salesforce.html"}
_SUFFIXES = {".js", ".css", ".html", ".svg", ".txt"}


@dataclass(frozen=True, slots=True)
class HostOrigin:
    """An organisation whose pages may frame the widget."""

    tenant: str
    opencti_version: str


def add_routes(app: web.Application, hosts: Mapping[str, HostOrigin]) -> None:
    """Serve the widget; ``hosts`` by the exact origin of the framing page."""
    pages = _Pages(hosts)
    app.router.add_get("/", pages.root)
    app.router.add_get("/widget", pages.root)
    app.router.add_get("/widget/config.json", pages.config)
    app.router.add_get("/widget/{path:.*}", pages.file)


class _Pages:
    def __init__(self, hosts: Mapping[str, HostOrigin]) -> None:
        self._hosts = hosts
        self._root = Path(str(resources.files("sfdc_widget").joinpath("web")))
        self._files = {
            path.relative_to(self._root).as_posix(): path
            for path in self._root.rglob("*")
            if path.is_file() and path.suffix in _SUFFIXES
        }

    async def root(self, _: web.Request) -> web.Response:
        raise web.HTTPFound("/widget/")

    async def config(self, request: web.Request) -> web.Response:
        host = self._hosts.get(request.query.get("origin", ""))
        tenants = {each.tenant for each in self._hosts.values()}
        only = next(iter(tenants)) if len(tenants) == 1 else ""
        answer: dict[str, object] = {"tenant": host.tenant if host else only}
        if host is not None:
            answer["salesforce_origins"] = [request.query["origin"]]
            answer["opencti_version"] = host.opencti_version
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["path"]
        path = self._files.get(_PAGES.get(name, str(PurePosixPath(name))))
        if path is None:
            raise web.HTTPNotFound(text="There is no such page.")
        content_type, _ = mimetypes.guess_type(path.name)
        headers = {
            "Content-Type": f"{content_type or 'text/plain'}; charset=utf-8",
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if path.suffix == ".html":
            headers["Content-Security-Policy"] = self._policy(request)
        return web.FileResponse(path, headers=headers)

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
