"""The requests of the browser protocol that calls answer, as a table.

Each part of the call layer adds its own methods. Which user may use which is
:mod:`.policy`'s business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gateway.calls.desks import Desk
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, Wire

P = TypeVar("P", bound=Wire)


class RequestTable:
    """By the type of a request's parameters."""

    def __init__(self) -> None:
        self._handlers: dict[type[Wire], Callable[[Desk, Any], Awaitable[Wire]]] = {}

    def add(
        self, params: type[P], handler: Callable[[Desk, P], Awaitable[Wire]]
    ) -> None:
        """Have ``handler`` answer these; it raises RequestError where it cannot."""
        assert params not in self._handlers
        self._handlers[params] = handler

    async def perform(self, desk: Desk, method: str, params: Wire) -> Wire:
        """Raises RequestError, as the handler does or because there is none."""
        handler = self._handlers.get(type(params))
        if handler is None:
            raise RequestError(ErrorKind.METHOD_UNKNOWN, f"No method {method}.")
        return await handler(desk, params)
