"""After a crash: calls that were open then are over now, and are logged as such."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from gateway.activities.record import CallRecord
from gateway.crm.connector import Activity
from gateway.sessions.wire import EndReason

logger = logging.getLogger(__name__)


class OpenCall(Protocol):
    """``seen_at``: last Unix time that the call surely lived."""

    @property
    def call(self) -> CallRecord: ...
    @property
    def seen_at(self) -> float: ...


class RecoverableJournal(Protocol):
    """What of :class:`gateway.storage.CallJournal` recovery needs."""

    async def open_calls(self) -> tuple[OpenCall, ...]: ...
    async def ended(
        self,
        call: CallRecord,
        activity: Activity | None,
        next_step: Activity | None = None,
    ) -> bool: ...


async def recover(
    journal: RecoverableJournal,
    compose: Callable[[CallRecord], Activity | None],
    now: float,
    *,
    compose_next_step: Callable[[CallRecord], Activity | None] = lambda _: None,
    wrap_up_s: Callable[[str], float] = lambda _: 0.0,
) -> int:
    """End this node's open calls with GATEWAY_RESTARTED; how many there were.

    Run it at start, after the spool's replay and before the first new call. Each
    gets its one activity, in the transaction that ends it; a crash in the middle
    leaves the rest for the next start.

    Args:
        compose: of an ended call; None if it is not to be logged.
        now: Unix seconds, never exceeded by an end.
        compose_next_step: the task for later that the rep wants, None for none.
        wrap_up_s: how long a tenant's reps have for their notes; these calls' have it
            from now on.
    """
    found = await journal.open_calls()
    for entry in found:
        last = max(entry.seen_at, entry.call.answered_at or 0.0, entry.call.started_at)
        call = replace(
            entry.call,
            ended_at=max(entry.call.started_at, min(last, now)),
            reason=EndReason.GATEWAY_RESTARTED,
        )
        call = call.in_wrap_up(now=now, wrap_up_s=wrap_up_s(call.user.tenant))
        await journal.ended(call, compose(call), compose_next_step(call))
        logger.info("call %s of %s was open when we stopped", call.call_id, call.user)
    return len(found)
