"""``/health/live``, ``/health/ready`` and ``/metrics``.

Liveness asks nothing of anybody: a service that answers is alive, and a database
that is away is no reason to restart it and drop its calls.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from gateway.operations.metrics import Metrics


def add_routes(
    app: web.Application,
    *,
    metrics: Metrics,
    problems: Callable[[], tuple[str, ...]],
) -> None:
    """Serve them; ``problems`` says in words why the service is not ready."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(_: web.Request) -> web.Response:
        found = problems()
        return web.json_response(
            {"status": "ready" if not found else "not ready", "problems": list(found)},
            status=200 if not found else 503,
        )

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics.render(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/metrics", scrape)
