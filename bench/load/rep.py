"""A rep: the browser protocol with the heartbeat and acknowledgements of the widget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from tests.system.wire_client import WireClient

# Those of the protocol (PROTOCOL.md): idle, and during a call.
HEARTBEAT_S = 15.0
HEARTBEAT_IN_CALL_S = 5.0


class Rep(WireClient):
    """One signed-in user.

    Attributes:
        number: user name and extension.
        is_in_call: sets the pace of the heartbeat.
    """

    def __init__(self, url: str, *, tenant: str, number: str, password: str) -> None:
        super().__init__(url, tenant=tenant, user=number, password=password)
        self.number = number
        self.is_in_call = False
        self._acknowledged = 0

    async def call_event(
        self, type: str, call_id: str | None = None, *, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        """Wait for an event of a call, or of the first one."""

        def matches(event: dict[str, Any]) -> bool:
            if call_id is None:
                return True
            return call_id in (event.get("call_id"), _call_id(event))

        return await self.wait_event(type, matches=matches, timeout_s=timeout_s)

    async def media_connected(self, call_id: str) -> None:
        """Wait until the gateway says that this call's audio flows."""
        await self.wait_event(
            "call.media",
            matches=lambda event: (
                event["call_id"] == call_id and event["action"] == "connected"
            ),
            timeout_s=30.0,
        )

    async def beat(self) -> None:
        """What the widget sends every few seconds."""
        await self.request("ping")
        if self.events and self.events[-1]["seq"] > self._acknowledged:
            self._acknowledged = self.events[-1]["seq"]
            await self.request("session.ack", seq=self._acknowledged)


async def keep_beating(reps: Iterable[Rep]) -> None:
    """Send the heartbeats of all, spread evenly, until cancelled."""
    everybody = list(reps)
    due = {
        rep: time.monotonic() + HEARTBEAT_S * index / len(everybody)
        for index, rep in enumerate(everybody)
    }
    while True:
        now = time.monotonic()
        late = [rep for rep, at in due.items() if at <= now]
        for rep in late:
            due[rep] = now + (HEARTBEAT_IN_CALL_S if rep.is_in_call else HEARTBEAT_S)
        if late:
            await asyncio.gather(*(rep.beat() for rep in late))
        await asyncio.sleep(0.05)


def _call_id(event: dict[str, Any]) -> str | None:
    call = event.get("call")
    return call["call_id"] if isinstance(call, dict) else None
