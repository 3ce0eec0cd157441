"""The outbox worker: takes what is due to the CRM until it is there.

The CRM makes a repeated write of the same key harmless, so whenever it is unknown
whether a write arrived, it is simply done again. What may pass is retried for days
with back-off and full jitter; what will not is a dead letter, which shows at the call
and in ``ringbridge activities``.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.activities.composer import links
from gateway.crm.connector import (
    Activity,
    Connector,
    CrmError,
    CrmLimitExceeded,
    CrmRefused,
    CrmSignInFailed,
    MatchCertainty,
    Meeting,
)
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityState
from gateway.storage.database import StorageError
from gateway.storage.outbox import Outbox, OutboxEntry
from gateway.storage.outbox_rows import OutboxKind

logger = logging.getLogger(__name__)

BACKOFF_BASE_S = 2.0
BACKOFF_CAP_S = 900.0
MIN_DELAY_S = 0.5
# A CRM that was away over a long week-end is no reason to lose a call.
GIVE_UP_AFTER_S = 7 * 86400.0
LIMIT_PARK_S = 900.0
LEASE_S = 120.0
WRITE_TIMEOUT_S = 90.0
MAX_PER_TENANT = 2
MAX_AT_ONCE = 16
# Rows that another process made due (the command line, another node) are seen so.
POLL_S = 10.0
STORAGE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class ActivityChange:
    """News of one activity, of a call or of an invite: the other id is "".

    ``problem`` is for people, "" if there is none; ``kind`` tells an invite's meeting
    from its notes.
    """

    user: UserKey
    call_id: str
    state: ActivityState
    record_id: str = ""
    url: str = ""
    problem: str = ""
    invite_id: str = ""
    kind: OutboxKind = OutboxKind.ACTIVITY


@dataclass(slots=True)
class WriterCounters:
    """``found``: written activities that the CRM had already. ``held_back``: what waits
    because the CRM's allowance is nearly used up."""

    written: int = 0
    found: int = 0
    retried: int = 0
    failed: int = 0
    parked: int = 0
    held_back: int = 0


class ActivityWriter:
    """Run :meth:`run` as one task; :meth:`wake` it when there is something new.

    Args:
        connector_of: a tenant's CRM, None while it has none.
        on_state: told of every change, in the event loop.
        now: Unix seconds.
        rng: for jitter.
    """

    def __init__(
        self,
        outbox: Outbox,
        connector_of: Callable[[str], Connector | None],
        *,
        on_state: Callable[[ActivityChange], None],
        now: Callable[[], float],
        rng: random.Random,
        max_per_tenant: int = MAX_PER_TENANT,
        max_at_once: int = MAX_AT_ONCE,
        give_up_after_s: float = GIVE_UP_AFTER_S,
    ) -> None:
        self.counters = WriterCounters()
        self._outbox = outbox
        self._connector_of = connector_of
        self._on_state = on_state
        self._now = now
        self._rng = rng
        self._max_per_tenant = max_per_tenant
        self._max_at_once = max_at_once
        self._give_up_after_s = give_up_after_s
        self._in_flight: dict[str, int] = {}
        # Tenants whose CRM asked for a pause, until which Unix time.
        self._parked: dict[str, float] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may be due: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled; writes under way are then given back."""
        try:
            await self._outbox_release()
            async with asyncio.TaskGroup() as group:
                while True:
                    self._wake.clear()
                    try:
                        await self._start_due(group)
                        wait_s = await self._time_to_next()
                    except StorageError as error:
                        logger.warning("the outbox cannot be read: %s", error)
                        wait_s = STORAGE_PAUSE_S
                    try:
                        async with asyncio.timeout(wait_s):
                            await self._wake.wait()
                    except TimeoutError:
                        continue
        finally:
            await asyncio.shield(self._outbox_release())

    async def _outbox_release(self) -> None:
        try:
            await self._outbox.release()
        except StorageError as error:
            logger.warning("claimed activities wait for their lease: %s", error)

    async def _start_due(self, group: asyncio.TaskGroup) -> None:
        now = self._now()
        for tenant in await self._outbox.due_tenants(now):
            if self._parked.get(tenant, 0.0) > now:
                continue
            if self._connector_of(tenant) is None:
                continue
            free = min(
                self._max_per_tenant - self._in_flight.get(tenant, 0),
                self._max_at_once - sum(self._in_flight.values()),
            )
            if free <= 0:
                continue
            for entry in await self._outbox.claim(
                tenant, now=now, limit=free, lease_s=LEASE_S
            ):
                self._in_flight[tenant] = self._in_flight.get(tenant, 0) + 1
                group.create_task(self._settle(entry), name=entry.activity.key)

    async def _time_to_next(self) -> float:
        busy = [
            tenant
            for tenant, count in self._in_flight.items()
            if count >= self._max_per_tenant
        ]
        now = self._now()
        parked = [tenant for tenant, until in self._parked.items() if until > now]
        at = await self._outbox.next_due(exclude=[*busy, *parked])
        if at is None:
            return POLL_S
        # A due row that could not be started waits for a slot, which wakes us.
        return POLL_S if at <= now else min(POLL_S, at - now)

    async def _settle(self, entry: OutboxEntry) -> None:
        tenant = entry.user.tenant
        try:
            await self._write(entry)
        except StorageError as error:
            # The lease runs out and the row is written again, harmlessly.
            logger.warning("activity %s: %s", entry.activity.key, error)
        except Exception:
            logger.exception("activity %s", entry.activity.key)
        finally:
            self._in_flight[tenant] -= 1
            if not self._in_flight[tenant]:
                del self._in_flight[tenant]
            self._wake.set()

    async def _write(self, entry: OutboxEntry) -> None:
        connector = self._connector_of(entry.user.tenant)
        if connector is None:
            return
        activity = entry.activity
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                if isinstance(activity, Meeting):
                    written = await connector.write_meeting(activity)
                else:
                    activity = await self._matched(connector, activity)
                    if activity != entry.activity:
                        await self._outbox.sending(entry, activity)
                    # What is there already can wait for its correction.
                    written = await connector.write_activity(
                        activity, entry.earlier, urgent=not entry.record_id
                    )
        except CrmError as error:
            await self._failed(entry, error)
            return
        except TimeoutError:
            await self._again(entry, "The CRM does not answer in time", "TIMEOUT", None)
            return
        except Exception as error:
            # A fault of ours: the row must not be lost by it, nor the other rows.
            logger.exception("activity %s", entry.activity.key)
            await self._again(entry, "Internal error", type(error).__name__, None)
            return
        current = await self._outbox.mark_written(
            entry,
            record_id=written.record_id,
            url=written.url,
            activity=activity if isinstance(activity, Activity) else None,
        )
        self.counters.written += 1
        self.counters.found += not written.created
        if current:
            there = replace(entry, record_id=written.record_id, url=written.url)
            self._tell(there, ActivityState.WRITTEN)

    async def _matched(self, connector: Connector, activity: Activity) -> Activity:
        """Look up who it was, when there was no time to during the call."""
        if not activity.match_number or activity.who_id:
            return activity
        try:
            found = await connector.find_by_number(activity.user, activity.match_number)
        except CrmRefused as error:
            # Better an activity without a contact than none.
            logger.warning("activity %s stays unmatched: %s", activity.key, error)
            return activity
        exact = [record for record in found if record.certainty is MatchCertainty.EXACT]
        if len(exact) != 1:
            return activity
        who_id, what_id = links(exact[0])
        return replace(activity, who_id=who_id, what_id=activity.what_id or what_id)

    async def _failed(self, entry: OutboxEntry, error: CrmError) -> None:
        if not error.retryable:
            await self._give_up(entry, str(error), error.code)
        elif isinstance(error, CrmLimitExceeded) and error.is_near:
            await self._hold_back(entry, error)
        elif isinstance(error, CrmLimitExceeded):
            await self._park(entry, error)
        else:
            await self._again(
                entry,
                str(error),
                error.code,
                error.retry_after_s,
                slow=isinstance(error, CrmSignInFailed),
            )

    async def _hold_back(self, entry: OutboxEntry, error: CrmLimitExceeded) -> None:
        """This one can wait; what cannot goes on."""
        pause_s = LIMIT_PARK_S if error.retry_after_s is None else error.retry_after_s
        self.counters.held_back += 1
        await self._outbox.mark_retry(
            entry,
            due_at=self._now() + pause_s * self._rng.uniform(1.0, 1.1),
            problem=str(error),
            code=error.code,
            counts=False,
        )
        self._tell(entry, ActivityState.WAITING, str(error))

    async def _park(self, entry: OutboxEntry, error: CrmLimitExceeded) -> None:
        """Nothing more for this tenant until the CRM's allowance may be back.

        The pause is kept in memory only: a restart costs one request to learn that
        it still holds, and gains everything if it does not.
        """
        pause_s = LIMIT_PARK_S if error.retry_after_s is None else error.retry_after_s
        now = self._now()
        until = now + pause_s * self._rng.uniform(1.0, 1.1)
        tenant = entry.user.tenant
        self._parked[tenant] = max(until, self._parked.get(tenant, 0.0))
        self.counters.parked += 1
        logger.warning("tenant %s: %s; activities wait", tenant, error)
        await self._outbox.mark_retry(
            entry, due_at=now, problem=str(error), code=error.code, counts=False
        )
        self._tell(entry, ActivityState.WAITING, str(error))

    async def _again(
        self,
        entry: OutboxEntry,
        problem: str,
        code: str,
        retry_after_s: float | None,
        *,
        slow: bool = False,
    ) -> None:
        now = self._now()
        if now - entry.queued_at >= self._give_up_after_s:
            await self._give_up(entry, f"Given up after days: {problem}", code)
            return
        # Full jitter: after an outage the rows must not come back in step.
        exponent = min(entry.attempts + (4 if slow else 0), 20)
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**exponent)
        delay_s = max(MIN_DELAY_S, self._rng.uniform(0.0, ceiling))
        if retry_after_s is not None:
            delay_s += retry_after_s
        self.counters.retried += 1
        await self._outbox.mark_retry(
            entry, due_at=now + delay_s, problem=problem, code=code
        )
        self._tell(entry, ActivityState.WAITING, problem)

    async def _give_up(self, entry: OutboxEntry, problem: str, code: str) -> None:
        self.counters.failed += 1
        logger.error(
            "activity %s of %s cannot be written: %s (%s)",
            entry.activity.key,
            entry.user,
            problem,
            code,
        )
        await self._outbox.mark_failed(entry, problem=problem, code=code)
        self._tell(entry, ActivityState.FAILED, problem)

    def _tell(
        self, entry: OutboxEntry, state: ActivityState, problem: str = ""
    ) -> None:
        # What the CRM has of an earlier revision is still there to be opened.
        self._on_state(
            ActivityChange(
                entry.user,
                entry.call_id,
                state,
                entry.record_id,
                entry.url,
                problem[:255],
                entry.invite_id,
                entry.kind,
            )
        )
