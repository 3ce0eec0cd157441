"""How the running service writes calls: at once from its view, in order, never lost.

The methods that calls use return at once; one task applies what they said to the
:class:`CallJournal`. When the database is away, everything waiting goes to the spool
as well (so that a crash loses nothing) and the task tries again with back-off. The
journal's methods may be repeated, so a replay after an uncertain commit is harmless.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.activities.composer import compose_next_step
from gateway.activities.logging_rules import ABOUT_KINDS
from gateway.activities.record import CallRecord, Party
from gateway.activities.work_view import to_wire, work_view
from gateway.crm.connector import Activity, CrmRecord
from gateway.identity.users import User, UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallState,
    CallView,
    ErrorKind,
    InviteRef,
    Match,
    MatchState,
    Peer,
)
from gateway.storage.calls import CallJournal, HistoryEntry
from gateway.storage.database import StorageError
from gateway.storage.serial import (
    activity_from_json,
    activity_to_json,
    call_from_json,
    call_to_json,
    record_from_json,
    record_to_json,
)
from gateway.storage.spool import Spool, SpoolFull

logger = logging.getLogger(__name__)

MAX_IN_MEMORY = 10_000
RETRY_BASE_S = 0.2
RETRY_CAP_S = 15.0
HEARTBEAT_S = 10.0
# As many of a user's last calls are looked at for wrap-up.
MAX_IN_WRAP_UP = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A call of the history: as it is kept, and as it is shown."""

    call: CallRecord
    view: CallView


@dataclass(frozen=True, slots=True)
class Started:
    call: CallRecord


@dataclass(frozen=True, slots=True)
class Resumed:
    call: CallRecord


@dataclass(frozen=True, slots=True)
class Answered:
    user: UserKey
    call_id: str
    at: float


@dataclass(frozen=True, slots=True)
class PassedOn:
    call: CallRecord


@dataclass(frozen=True, slots=True)
class Ended:
    call: CallRecord
    activity: Activity | None
    next_step: Activity | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    call: CallRecord
    activity: Activity | None
    next_step: Activity | None
    at: float


@dataclass(frozen=True, slots=True)
class Chosen:
    user: UserKey
    call_id: str
    record: CrmRecord
    at: float
    about: CrmRecord | None = None


Entry = Started | Resumed | Answered | PassedOn | Ended | Worked | Chosen


@dataclass(slots=True)
class JournalCounters:
    """``dropped``: lost for good, spool full. ``rejected``: set aside as unusable."""

    written: int = 0
    retries: int = 0
    spooled: int = 0
    dropped: int = 0
    rejected: int = 0


class JournalWriter:
    """Implements the journal that calls use. :meth:`replay` first, then :meth:`run`.

    Args:
        compose: the activity of an ended call, None if it is not to be logged.
        links: (who_id, what_id) in an activity of a record, and of what it is about
            besides.
        number_to_show: (user, number, e164) as a person reads it.
        on_committed: told of each activity that is in the database or has changed:
            wake the writer of activities.
        now: Unix seconds.
        compose_next_step: the task for later that the rep wants, None for none.
        about_kinds: of what a tenant's activities may be about.
    """

    def __init__(
        self,
        journal: CallJournal,
        *,
        spool: Spool,
        compose: Callable[[CallRecord, User], Activity | None],
        links: Callable[[CrmRecord, CrmRecord | None], tuple[str, str]],
        number_to_show: Callable[[UserKey, str, str], str],
        on_committed: Callable[[], None],
        now: Callable[[], float],
        rng: random.Random,
        max_in_memory: int = MAX_IN_MEMORY,
        compose_next_step: Callable[[CallRecord, User], Activity | None] = (
            compose_next_step
        ),
        about_kinds: Callable[[str], Collection[str]] = lambda _: ABOUT_KINDS,
    ) -> None:
        self.counters = JournalCounters()
        self._journal = journal
        self._spool = spool
        self._compose = compose
        self._compose_next_step = compose_next_step
        self._about_kinds = about_kinds
        self._links = links
        self._number_to_show = number_to_show
        self._on_committed = on_committed
        self._now = now
        self._rng = rng
        self._max_in_memory = max_in_memory
        self._queue: deque[Entry] = deque()
        # How many of the queue's first entries are in the spool too.
        self._spooled = 0
        # The spool holds entries, to be cleared when the queue has run empty.
        self._spool_used = False
        # Entries after the first `max_in_memory` are in the spool only.
        self._overflowed = False
        self._arrived = asyncio.Event()
        # How many entries calls have said, ever.
        self._said = 0
        # Who waits until so many of them are durable; in that order.
        self._flushing: deque[tuple[int, asyncio.Future[None]]] = deque()

    # What calls say --------------------------------------------------------------

    def started(self, record: CallRecord) -> None:
        """A call or attempt has begun."""
        self._put(Started(record))

    def resumed(self, record: CallRecord) -> None:
        """One that had ended goes on: its end is taken back, and the next counts."""
        self._put(Resumed(record))

    def answered(self, user: UserKey, call_id: str, at: float) -> None:
        """It was answered at this Unix time."""
        self._put(Answered(user, call_id, at))

    def passed_on(self, record: CallRecord) -> None:
        """It is with somebody else now."""
        self._put(PassedOn(record))

    def ended(
        self, user: User, record: CallRecord, *, match_is_open: bool = False
    ) -> ActivityView:
        """It is over: keep it and its activity, in one transaction.

        ``match_is_open``: whom it was with is found out when it is written.
        """
        activity = self._compose(record, user)
        if activity is not None and match_is_open and not activity.who_id:
            activity = replace(activity, match_number=record.e164)
        self._put(Ended(record, activity, self._compose_next_step(record, user)))
        return ActivityView(
            state=ActivityState.NONE if activity is None else ActivityState.WAITING
        )

    def worked(self, user: User, record: CallRecord) -> None:
        """The rep has written on it, or it is due at another time."""
        activity = next_step = None
        if record.ended_at is not None:
            activity = self._compose(record, user)
            next_step = self._compose_next_step(record, user)
        self._put(Worked(record, activity, next_step, self._now()))

    def record_chosen(
        self,
        user: User,
        call_id: str,
        record: CrmRecord,
        about: CrmRecord | None = None,
    ) -> None:
        """The rep named its CRM record after the end: the activity moves there."""
        self._put(Chosen(user.key, call_id, record, self._now(), about))

    async def history(
        self, user: UserKey, *, limit: int, before: float | None
    ) -> tuple[CallView, ...]:
        """Ended calls, newest first; ``before`` is a Unix time of their start.

        Raises:
            RequestError: the database is away.
        """
        entries = await self._reading(
            user, self._journal.history(user, limit=limit, before=before)
        )
        return tuple(self._view(entry) for entry in entries)

    async def find(self, user: UserKey, call_id: str) -> KeptCall | None:
        """One of the user's ended calls. Raises as :meth:`history`."""
        await self.flush()
        entry = await self._reading(user, self._journal.find(user, call_id))
        return None if entry is None else KeptCall(entry.call, self._view(entry))

    async def in_wrap_up(self, user: UserKey) -> tuple[KeptCall, ...]:
        """Ended calls that wait for the rep. Raises as :meth:`history`."""
        entries = await self._reading(
            user, self._journal.history(user, limit=MAX_IN_WRAP_UP)
        )
        now = self._now()
        return tuple(
            KeptCall(entry.call, self._view(entry))
            for entry in entries
            if entry.call.work.in_wrap_up(now)
        )

    async def retry_activity(self, user: UserKey, call_id: str) -> bool:
        """What the CRM refused is tried again; False if nothing was. Raises as
        :meth:`history`."""
        is_waiting = await self._reading(
            user, self._journal.retry_activity(user, call_id, now=self._now())
        )
        if is_waiting:
            self._on_committed()
        return is_waiting

    @staticmethod
    async def _reading(user: UserKey, work: Awaitable[T]) -> T:
        try:
            return await work
        except StorageError as error:
            logger.warning("no history for %s: %s", user, error)
            raise RequestError(
                ErrorKind.INTERNAL, "The history is away for a moment.", retryable=True
            ) from None

    async def flush(self) -> None:
        """Wait until all that was said so far is durable: in the database or the
        spool. What is said meanwhile is not waited for."""
        if self._durable < self._said:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushing.append((self._said, done))
            await done

    @property
    def _durable(self) -> int:
        """How many of the entries said are durable: all but the queue's last ones."""
        return self._said - (len(self._queue) - self._spooled)

    def _tell_flushed(self) -> None:
        while self._flushing and self._flushing[0][0] <= self._durable:
            _, done = self._flushing.popleft()
            if not done.done():
                done.set_result(None)

    # The writing task ------------------------------------------------------------

    async def replay(self) -> int:
        """At start, before calls are recovered: keep what the spool holds.

        Returns how many entries there were. When the database fails meanwhile, they
        stay queued before everything else.
        """
        entries = await asyncio.to_thread(self._read_spool)
        self._spool_used = bool(entries)
        self._spooled += len(entries)
        self._queue.extendleft(reversed(entries))
        if entries:
            logger.info("replaying %d entries of the spool", len(entries))
        try:
            while self._queue:
                await self._apply_first()
        except StorageError as error:
            logger.warning("replay of the spool interrupted: %s", error)
        else:
            await self._drained()
        return len(entries)

    async def run(self) -> None:
        """Write until cancelled; what is left then goes to the spool."""
        failures = 0
        next_heartbeat = 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    while self._queue:
                        await self._apply_first()
                        failures = 0
                    await self._drained()
                    if loop.time() >= next_heartbeat:
                        next_heartbeat = loop.time() + HEARTBEAT_S
                        await self._journal.seen(self._now())
                    wait_s = next_heartbeat - loop.time()
                except StorageError as error:
                    failures += 1
                    self.counters.retries += 1
                    wait_s = self._rng.uniform(0.5, 1.0) * min(
                        RETRY_CAP_S, RETRY_BASE_S * 2.0 ** min(failures - 1, 10)
                    )
                    logger.warning(
                        "%d call records wait, again in %.1f s: %s",
                        len(self._queue),
                        wait_s,
                        error,
                    )
                    await self._write_spool()
                await self._wait(wait_s, through=failures > 0)
        finally:
            await asyncio.shield(self.close())

    async def _wait(self, seconds: float, *, through: bool) -> None:
        """Until there is something new; ``through``: spool the new and wait on."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            self._arrived.clear()
            if len(self._queue) > self._spooled:
                if not through:
                    return
                await self._write_spool()
            try:
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            except TimeoutError:
                return

    async def close(self) -> None:
        """Write what is left, to the spool if need be. After :meth:`run` has ended
        (which does it too, if it ever began); twice is harmless."""
        try:
            async with asyncio.timeout(5.0):
                while self._queue:
                    await self._apply_first()
                await self._drained()
        except (StorageError, TimeoutError) as error:
            logger.warning("%d call records left: %r", len(self._queue), error)
            await self._write_spool()

    async def _apply_first(self) -> None:
        entry = self._queue[0]
        try:
            await self._apply(entry)
        except StorageError as error:
            if error.retryable:
                raise
            await self._reject(entry, error)
        self._queue.popleft()
        self._spooled = max(0, self._spooled - 1)
        self._tell_flushed()
        self.counters.written += 1
        if isinstance(entry, Chosen) or (
            isinstance(entry, Ended | Worked) and entry.activity is not None
        ):
            self._on_committed()

    async def _apply(self, entry: Entry) -> None:
        match entry:
            case Started(call):
                await self._journal.started(call)
            case Resumed(call):
                await self._journal.resumed(call)
            case Answered(user, call_id, at):
                await self._journal.answered(user, call_id, at)
            case PassedOn(call):
                await self._journal.passed_on(call)
            case Ended(call, activity, next_step):
                await self._journal.ended(call, activity, next_step)
            case Worked(call, activity, next_step, at):
                await self._journal.worked(call, activity, next_step, now=at)
            case Chosen(user, call_id, record, at, about):
                who_id, what_id = self._links(record, about)
                await self._journal.record_chosen(
                    user, call_id, record, who_id=who_id, what_id=what_id, now=at
                )

    async def _drained(self) -> None:
        if self._overflowed:
            while True:
                before = self.counters.spooled
                entries = await asyncio.to_thread(self._read_spool)
                # What was said meanwhile may have missed the reading.
                if self.counters.spooled == before:
                    break
            self._overflowed = False
            self._queue.extend(entries)
            self._spooled = len(entries)
            while self._queue:
                await self._apply_first()
        if self._spool_used and not self._queue and not self._overflowed:
            # Not in a thread: it must not be cancelled half-way, nor meet an overflow.
            self._spool.clear()
            self._spool_used = False

    # The spool -------------------------------------------------------------------

    def _put(self, entry: Entry) -> None:
        if self._overflowed or len(self._queue) >= self._max_in_memory:
            self._overflow(entry)
            return
        self._queue.append(entry)
        self._said += 1
        self._arrived.set()

    def _overflow(self, entry: Entry) -> None:
        # Rare enough to block for one small write, and in order that way.
        try:
            if not self._overflowed:
                waiting = list(self._queue)[self._spooled :]
                self._spool.append(_to_json(item) for item in waiting)
                self._spooled = len(self._queue)
                self._tell_flushed()
            self._spool.append([_to_json(entry)])
        except (SpoolFull, OSError) as error:
            self.counters.dropped += 1
            logger.error("a call record is lost, no room: %s", error)
            return
        self._overflowed = self._spool_used = True
        self.counters.spooled += 1
        self._arrived.set()

    async def _write_spool(self) -> None:
        fresh = list(self._queue)[self._spooled :]
        if fresh:
            values = [_to_json(entry) for entry in fresh]
            try:
                await asyncio.to_thread(self._spool.append, values)
            except (SpoolFull, OSError) as error:
                logger.error("%d call records in memory only: %s", len(fresh), error)
                return
            self._spool_used = True
            self._spooled = min(len(self._queue), self._spooled + len(fresh))
            self.counters.spooled += len(fresh)
            self._tell_flushed()

    def _read_spool(self) -> list[Entry]:
        entries = []
        for value in self._spool.read():
            try:
                entries.append(_from_json(value))
            except (KeyError, TypeError, ValueError) as error:
                self.counters.rejected += 1
                logger.error("spool: an entry cannot be read: %r", error)
                self._set_aside([value])
        return entries

    async def _reject(self, entry: Entry, error: StorageError) -> None:
        self.counters.rejected += 1
        logger.error("a call record is refused by the database: %s", error)
        await asyncio.to_thread(self._set_aside, [_to_json(entry)])

    def _set_aside(self, values: Iterable[dict[str, Any]]) -> None:
        """Keep for a person what no retry can mend."""
        path = self._spool.path.with_name(self._spool.path.name + ".rejected")
        try:
            Spool(path).append(values)
        except (SpoolFull, OSError) as error:
            logger.error("nor can it be set aside: %s", error)

    # History ---------------------------------------------------------------------

    def _view(self, entry: HistoryEntry) -> CallView:
        call = entry.call
        records = () if call.record is None else (to_wire(call.record),)
        return CallView(
            call_id=call.call_id,
            direction=call.direction,
            state=CallState.ENDED,
            peer=self._peer(call.user, call),
            match=Match(
                state=MatchState.FOUND if records else MatchState.NONE, records=records
            ),
            started_at=_ms(call.started_at),
            answered_at=None if call.answered_at is None else _ms(call.answered_at),
            ended_at=None if call.ended_at is None else _ms(call.ended_at),
            end_reason=call.reason,
            sip_code=call.sip_code,
            activity=entry.activity,
            invite=None
            if call.invite is None
            else InviteRef(
                invite_id=call.invite.invite_id,
                subject=call.invite.subject[:255],
                guest=call.invite.guest[:255],
            ),
            type=call.type,
            device=call.device,
            transferred_by=self._peer(call.user, call.earlier[-1])
            if call.earlier
            else None,
            work=work_view(
                call.work,
                is_over=True,
                is_logged=entry.activity.state is not ActivityState.NONE,
                about_kinds=self._about_kinds(call.user.tenant),
                now=self._now(),
            ),
        )

    def _peer(self, user: UserKey, party: CallRecord | Party) -> Peer:
        return Peer(
            number=party.number,
            national=self._number_to_show(user, party.number, party.e164)[:255],
            e164=party.e164,
            display_name=party.display_name,
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _to_json(entry: Entry) -> dict[str, Any]:
    match entry:
        case Started(call):
            return {"entry": "started", "call": call_to_json(call)}
        case Resumed(call):
            return {"entry": "resumed", "call": call_to_json(call)}
        case Answered(user, call_id, at):
            key = {"tenant": user.tenant, "user": user.user}
            return {"entry": "answered", "user": key, "call_id": call_id, "at": at}
        case PassedOn(call):
            return {"entry": "passed_on", "call": call_to_json(call)}
        case Ended(call, activity, next_step):
            return {
                "entry": "ended",
                "call": call_to_json(call),
                "activity": _activity_to_json(activity),
                "next_step": _activity_to_json(next_step),
            }
        case Worked(call, activity, next_step, at):
            return {
                "entry": "worked",
                "call": call_to_json(call),
                "activity": _activity_to_json(activity),
                "next_step": _activity_to_json(next_step),
                "at": at,
            }
        case Chosen(user, call_id, record, at, about):
            return {
                "entry": "chosen",
                "user": {"tenant": user.tenant, "user": user.user},
                "call_id": call_id,
                "record": record_to_json(record),
                "at": at,
                "about": record_to_json(about),
            }


def _from_json(value: dict[str, Any]) -> Entry:
    match value["entry"]:
        case "started":
            return Started(call_from_json(value["call"]))
        case "resumed":
            return Resumed(call_from_json(value["call"]))
        case "answered":
            user = UserKey(**value["user"])
            return Answered(user, str(value["call_id"]), float(value["at"]))
        case "passed_on":
            return PassedOn(call_from_json(value["call"]))
        case "ended":
            return Ended(
                call_from_json(value["call"]),
                _activity_from_json(value["activity"]),
                _activity_from_json(value.get("next_step")),
            )
        case "worked":
            return Worked(
                call_from_json(value["call"]),
                _activity_from_json(value["activity"]),
                _activity_from_json(value["next_step"]),
                float(value["at"]),
            )
        case "chosen":
            record = record_from_json(value["record"])
            if record is None:
                raise ValueError("no record")
            return Chosen(
                UserKey(**value["user"]),
                str(value["call_id"]),
                record,
                float(value["at"]),
                record_from_json(value.get("about")),
            )
        case other:
            raise ValueError(f"unknown entry {other!r}")


def _activity_to_json(activity: Activity | None) -> dict[str, Any] | None:
    return None if activity is None else activity_to_json(activity)


def _activity_from_json(value: dict[str, Any] | None) -> Activity | None:
    return None if value is None else activity_from_json(value)
