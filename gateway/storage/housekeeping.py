"""Once an hour, forgets what is older than the operator wants to keep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.storage.database import StorageError
from gateway.storage.retention import Retention

logger = logging.getLogger(__name__)

DAY_S = 86400.0
EVERY_S = 3600.0
# After a start there is more urgent work.
FIRST_AFTER_S = 60.0
BATCH = 200
# Between two batches others write.
PAUSE_S = 0.2
# Of one kind in one sweep; the rest goes in the next.
MAX_BATCHES = 500


@dataclass(frozen=True, slots=True)
class KeepFor:
    """Days; 0: for ever."""

    calls_days: float
    invites_days: float
    mail_bodies_days: float


@dataclass(slots=True)
class HousekeepingCounters:
    """All only grow."""

    calls: int = 0
    invites: int = 0
    mail_bodies: int = 0
    sweeps_failed: int = 0


class Housekeeping:
    """Run :meth:`run` as one task, and cancel it. ``now`` gives Unix seconds."""

    def __init__(
        self,
        retention: Retention,
        keep: KeepFor,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        batch: int = BATCH,
    ) -> None:
        self.counters = HousekeepingCounters()
        self._retention = retention
        self._keep = keep
        self._now = now
        self._sleep = sleep
        self._batch = batch

    async def run(self) -> None:
        """Sweep now and then, for ever."""
        pause_s = FIRST_AFTER_S
        while True:
            await self._sleep(pause_s)
            pause_s = EVERY_S
            try:
                await self.sweep()
            except StorageError as error:
                self.counters.sweeps_failed += 1
                logger.warning("what is old could not be forgotten: %s", error)

    async def sweep(self) -> None:
        """Forget all that is too old now.

        Raises:
            StorageError: what has gone by then has gone; the rest goes next time.
        """
        keep, counters, retention = self._keep, self.counters, self._retention
        for what, days, forget in (
            ("calls", keep.calls_days, retention.forget_calls),
            ("invites", keep.invites_days, retention.forget_invites),
            ("mail_bodies", keep.mail_bodies_days, retention.forget_mail_bodies),
        ):
            if not days:
                continue
            before = self._now() - days * DAY_S
            count = 0
            for _ in range(MAX_BATCHES):
                gone = await forget(before, limit=self._batch)
                count += gone
                setattr(counters, what, getattr(counters, what) + gone)
                # Fewer: those left, if any, have just become busy again.
                if gone < self._batch:
                    break
                await self._sleep(PAUSE_S)
            if count:
                day = f"{datetime.fromtimestamp(before, UTC):%Y-%m-%d %H:%M} UTC"
                logger.info(
                    "forgot %d %s of before %s", count, what.replace("_", " "), day
                )
