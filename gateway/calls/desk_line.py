"""One rep's desk phone, as long as it is followed: its calls, and who looks at it.

The subscription, documents and time drive the tracker; what it finds is taken in
order by one job at a time (:meth:`DeskLine.work`), because a call that was there
before us is looked up in the history first.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

import sip
from gateway.activities.record import CallRecord
from gateway.activities.work import NO_WORK, Work, reopened
from gateway.calls.callers import caller
from gateway.calls.desk_call import DeskCall
from gateway.calls.desk_dial import FOLLOW_S, DeskDial
from gateway.calls.desk_phone import (
    Began,
    Change,
    DeskPhoneTracker,
    Ended,
    Moved,
    Owner,
)
from gateway.calls.desks import REMEMBERED_CALLS
from gateway.calls.guest_calls import PREFIX, CallInvite
from gateway.calls.ports import Alarm, Services
from gateway.calls.subject import Subject
from gateway.calls.work import Worksheet
from gateway.identity.users import User, UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    CallDirection,
    CallState,
    CallType,
    CallView,
    EndReason,
    MatchState,
    Peer,
)
from sip.dialog_info import DialogInfoError, parse_dialog_info

logger = logging.getLogger(__name__)

# How many calls of the history may be the one that was cut off by a restart.
LOOK_BACK = 20
# How long a call may wait to be on disk before it is shown.
SHOW_WITHIN_S = 0.25


class OwnCall(Protocol):
    """A call that came to the gateway itself: ``gateway.calls.call.Call``."""

    call_id: str
    peer: Peer
    invite: CallInvite | None

    @property
    def subject(self) -> Subject: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def was_answered(self) -> bool: ...
    @property
    def sheet(self) -> Worksheet: ...

    def record(self) -> CallRecord: ...


class OwnCalls(Protocol):
    """All of those, as far as they are remembered."""

    def call_of_leg(self, user: UserKey, sip_id: str) -> OwnCall | None:
        """The one whose SIP leg has this Call-ID."""


class Subscription(Protocol):
    """``sip.Subscription``."""

    def start(self) -> None: ...
    def retry(self) -> None: ...
    async def stop(self) -> None: ...


class House(Protocol):
    """What a line needs from whoever keeps the lines."""

    @property
    def services(self) -> Services: ...
    @property
    def own_calls(self) -> OwnCalls: ...

    def new_id(self) -> str: ...

    def country(self, user: User) -> str: ...

    def work(self, line: DeskLine) -> None:
        """Have :meth:`DeskLine.work` run."""

    def sheet(self, user: User, work: Work = NO_WORK) -> Worksheet:
        """For what the user writes down about a call."""

    def type_of(self, user: User, peer: Peer) -> CallType:
        """Whether it is with a colleague."""

    def ended(self, call: DeskCall) -> None:
        """It is over, and kept with what was written about it."""

    def search(self, call: DeskCall) -> None:
        """Ask the CRM whom the call is with, if there is one."""

    def idle(self, line: DeskLine) -> None:
        """The rep has gone, and with the last call there is nothing left to see."""


class DeskLine:
    """See the module.

    Args:
        was_made: whether an INVITE of ours for the rep has that Call-ID.
    """

    def __init__(
        self, user: User, house: House, *, was_made: Callable[[str], bool]
    ) -> None:
        self.user = user
        self.is_signed_in = True
        self.subscription: Subscription | None = None
        self.calls: dict[str, DeskCall] = {}
        self.ended: OrderedDict[str, DeskCall] = OrderedDict()
        self._house = house
        self._services = house.services
        self._was_made = was_made
        self._tracker = DeskPhoneTracker(self._owner)
        self._by_leg: dict[str, DeskCall] = {}
        # The newest call that the phone was asked to make.
        self._dial: tuple[DeskCall, DeskDial] | None = None
        self._changes: deque[Change] = deque()
        self._is_working = False
        self._is_closed = False
        self._alarm: Alarm | None = None

    # What others see ------------------------------------------------------------------

    @property
    def sees(self) -> bool:
        """Whether a call of the phone's would be noticed now."""
        return self._tracker.sees

    @property
    def is_dialling(self) -> bool:
        """A number is being dialled by the phone, or its call goes on."""
        return self._dial is not None and not self._dial[0].is_over

    def find(self, call_id: str) -> DeskCall | None:
        """One that goes on, or ended not long ago."""
        return self.calls.get(call_id) or self.ended.get(call_id)

    def views(self) -> tuple[CallView, ...]:
        return tuple(call.view() for call in self.calls.values())

    # What happens ---------------------------------------------------------------------

    def notified(self, news: sip.Notification) -> None:
        """A NOTIFY's body."""
        if self._is_closed:
            return
        try:
            info = parse_dialog_info(news.body)
        except DialogInfoError as error:
            logger.warning("dialog-info of %s is unusable: %s", self.user.key, error)
            return
        changes, is_missing = self._tracker.receive(
            info, self._services.now(), is_first=news.is_first
        )
        if is_missing and self.subscription is not None:
            self.subscription.retry()
        self._take(changes)

    def lost(self) -> None:
        """The subscription does not stand."""
        self._tracker.lost(self._services.now())
        self._arm()

    def leg_ended(self) -> None:
        """One of the gateway's own calls for the rep is over."""
        self._take(self._tracker.look(self._services.now()))

    def dialled(self, call: DeskCall, dial: DeskDial) -> None:
        """The phone is about to be asked to make this call."""
        self._dial = (call, dial)
        self.calls[call.call_id] = call

    def settle(self, call: DeskCall) -> None:
        """Put the call where it belongs if it is over; say so if it was the last."""
        if call.is_over and self.calls.pop(call.call_id, None) is not None:
            self.ended[call.call_id] = call
            while len(self.ended) > REMEMBERED_CALLS:
                self.ended.popitem(last=False)
        if not self.is_signed_in and not self.calls:
            self._house.idle(self)

    def signed_out(self) -> None:
        """The rep has gone; calls of the phone go on, and are kept."""
        self.is_signed_in = False
        if self._dial is not None and not self._dial[1].was_referred:
            call, dial = self._dial
            dial.close()
            call.finish(EndReason.CANCELLED_HERE)
            self.settle(call)
        elif not self.calls:
            self._house.idle(self)

    def close(self, reason: EndReason) -> None:
        """Nobody looks any more."""
        self._is_closed = True
        self._tracker.stop(self._services.now())
        self._changes.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._dial is not None:
            self._dial[1].close()
        for call in tuple(self.calls.values()):
            call.finish(reason)

    def _owner(self, sip_id: str) -> Owner:
        if self._was_made(sip_id):
            return Owner.OURS
        call = self._house.own_calls.call_of_leg(self.user.key, sip_id)
        if call is None:
            return Owner.NOBODYS
        if call.was_answered:
            return Owner.OURS
        return Owner.PASSED if call.is_over else Owner.RINGS_HERE

    def _due(self) -> None:
        self._alarm = None
        self._take(self._tracker.handle_timer(self._services.now()))

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._is_closed:
            return
        due = self._tracker.get_timer()
        if due is not None:
            delay_s = max(0.0, due - self._services.now())
            self._alarm = self._services.later(delay_s, self._due)

    # What it means --------------------------------------------------------------------

    def _take(self, changes: list[Change]) -> None:
        self._arm()
        self._changes.extend(changes)
        if self._changes and not self._is_working:
            self._is_working = True
            self._house.work(self)

    async def work(self) -> None:
        """Take what has changed, in order."""
        try:
            while self._changes:
                change = self._changes.popleft()
                match change:
                    case Began():
                        await self._began(change)
                    case Moved():
                        if call := self._by_leg.get(change.sip_id):
                            self._moved(call, change.state)
                    case Ended():
                        if call := self._by_leg.pop(change.sip_id, None):
                            self._ended(call, change)
        finally:
            self._is_working = False

    async def _began(self, news: Began) -> None:
        dialled = self._dialled(news)
        if dialled is not None:
            self._by_leg[news.sip_id] = dialled[0]
            dialled[1].followed()
            self._moved(dialled[0], news.state)
            return
        if not self.is_signed_in:
            return
        now = self._services.now()
        answered_at = None
        if news.state is CallState.ACTIVE and news.duration_s is not None:
            answered_at = now - min(news.duration_s, 86400)
        call: DeskCall | None = self._continued(news)
        was_kept = True
        if call is None and news.is_old:
            found = await self._cut_off(news)
            if found is not None:
                call, answered_at = found
        if call is None:
            if _is_guests(news):
                # Its attempt is what is logged; which one it is, only our leg knows.
                return
            call, was_kept = self._new_call(news, answered_at or now), False
        call.begin(news.state, was_kept=was_kept, answered_at=answered_at)
        # As with every call: kept before the rep hears of it.
        if not await is_kept(self._services, SHOW_WITHIN_S):
            logger.warning("call %s: is shown before it is kept", call.call_id)
        self.calls[call.call_id] = self._by_leg[news.sip_id] = call
        self.ended.pop(call.call_id, None)
        if self._is_closed:
            call.finish(EndReason.GATEWAY_RESTARTED)
            self.settle(call)
            return
        call.show()
        if call.subject.match.state is not MatchState.FOUND and call.invite is None:
            self._house.search(call)

    def _dialled(self, news: Began) -> tuple[DeskCall, DeskDial] | None:
        """The call that the phone was asked to make, if this is it."""
        if self._dial is None or news.direction is not CallDirection.OUTBOUND:
            return None
        call, dial = self._dial
        if dial.awaits_call:
            return self._dial
        # Said to have failed before it was seen to begin.
        ended_at = call.record().ended_at
        is_late = (
            dial.was_referred
            and not dial.is_followed
            and ended_at is not None
            and self._services.now() - ended_at < FOLLOW_S
        )
        return self._dial if is_late else None

    def _continued(self, news: Began) -> DeskCall | None:
        """What rang here before, under the same id: one call, and one activity."""
        if not news.continues:
            return None
        call = self._house.own_calls.call_of_leg(self.user.key, news.sip_id)
        if call is None:
            return None
        call.sheet.work = reopened(call.sheet.work)
        return DeskCall(
            call.call_id,
            self.user,
            news.direction,
            call.peer,
            services=self._services,
            subject=call.subject,
            started_at=call.record().started_at,
            type=self._house.type_of(self.user, call.peer),
            sheet=call.sheet,
            invite=call.invite,
            on_end=self._house.ended,
        )

    async def _cut_off(self, news: Began) -> tuple[DeskCall, float] | None:
        """The same call, if it was followed before we were restarted, and when it was
        answered (Unix seconds)."""
        peer = self._peer(news)
        try:
            views = await self._services.journal.history(
                self.user.key, limit=LOOK_BACK, before=None
            )
        except RequestError as error:
            logger.warning("no look into the history of %s: %s", self.user.key, error)
            return None
        for view in views:
            if (
                view.end_reason is EndReason.GATEWAY_RESTARTED
                and view.answered_at is not None
                and view.direction is news.direction
                and _is_same(view.peer, peer)
                and view.call_id not in self.calls
            ):
                return await self._resumed(view), view.answered_at / 1000
        return None

    async def _resumed(self, view: CallView) -> DeskCall:
        kept = await self._services.journal.find(self.user.key, view.call_id)
        work = NO_WORK if kept is None else reopened(kept.call.work)
        record = view.match.records[0] if len(view.match.records) == 1 else None
        logger.info("call %s goes on at the desk phone", view.call_id)
        return DeskCall(
            view.call_id,
            self.user,
            view.direction,
            view.peer,
            services=self._services,
            subject=Subject(record, None),
            started_at=view.started_at / 1000,
            type=view.type,
            sheet=self._house.sheet(self.user, work),
            on_end=self._house.ended,
        )

    def _new_call(self, news: Began, started_at: float) -> DeskCall:
        peer = self._peer(news)
        return DeskCall(
            self._house.new_id(),
            self.user,
            news.direction,
            peer,
            services=self._services,
            subject=Subject(None, None),
            started_at=started_at,
            type=self._house.type_of(self.user, peer),
            sheet=self._house.sheet(self.user),
            on_end=self._house.ended,
        )

    def _peer(self, news: Began) -> Peer:
        identity = news.remote.identity or news.remote.target
        if identity is None:
            return Peer(number="")
        address = sip.NameAddr(identity, news.remote.display_name)
        return caller(address, None, country=self._house.country(self.user))

    def _moved(self, call: DeskCall, state: CallState) -> None:
        call.move(state)
        if state is CallState.ACTIVE and self._dial is not None:
            dialled, dial = self._dial
            if dialled is call:
                dial.connected()

    def _ended(self, call: DeskCall, news: Ended) -> None:
        if self._dial is not None and self._dial[0] is call:
            self._dial[1].close()
        call.finish(news.reason, at=news.at, sip_code=news.sip_code)
        self.settle(call)


async def is_kept(services: Services, within_s: float) -> bool:
    """Wait until what calls have said survives us; a slow disk stops none."""
    try:
        async with asyncio.timeout(within_s):
            await services.journal.flush()
    except TimeoutError:
        return False
    return True


def _is_guests(news: Began) -> bool:
    identity = news.remote.identity
    return identity is not None and (identity.decoded_user or "").startswith(PREFIX)


def _is_same(one: Peer, other: Peer) -> bool:
    if one.e164 or other.e164:
        return one.e164 == other.e164
    return one.number == other.number
