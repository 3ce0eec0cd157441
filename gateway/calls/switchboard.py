"""Who has which calls, and the tasks that these are; what the rest stands on.

Every lookup is by tenant and user, so an id of somebody else's call is an unknown
call.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import sip
from gateway.calls import people
from gateway.calls.call import Call
from gateway.calls.caller_key import NO_KEY, CallerKeyRule
from gateway.calls.callers import IsColleague, caller, nobody_is, type_of
from gateway.calls.desks import Desk
from gateway.calls.guest_calls import ANONYMOUS, CallInvite, GuestCalls
from gateway.calls.meetings import Meetings, Member
from gateway.calls.ports import Services, Telephony
from gateway.calls.referrals import TransfersFromOutside
from gateway.calls.referred import REFUSED, Granted
from gateway.calls.work import WorkDesk, WorkRules, Worksheet
from gateway.crm.connector import Connector
from gateway.identity.users import UserKey
from gateway.media.engine import MediaCallId, MediaEvent
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    CallDirection,
    CallType,
    Match,
    MatchState,
    Peer,
    Record,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TenantLine:
    """What calls need to know of a tenant.

    ``guest_account``: by which guests of its invites call, each in a name of its own;
    None: no guest may. ``caller_key``: where INVITEs say what the caller typed.
    """

    domain: str
    country: str
    crm_name: str = ""
    connector: Connector | None = None
    guest_account: sip.Account | None = None
    caller_key: CallerKeyRule = NO_KEY
    transfers_from_outside: TransfersFromOutside = TransfersFromOutside.REFUSE
    # As they are now; what the CRM says of them may change.
    work: Callable[[], WorkRules] = WorkRules


@dataclass(slots=True)
class CallCounters:
    """For metrics; all only grow but ``active``."""

    started: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    refused: int = 0


class MediaUser(Protocol):
    """Whose a call of the engine is."""

    def media_event(self, event: MediaEvent) -> None: ...


class Switchboard:
    """See the module. :meth:`run` must be running before the first call.

    Args:
        rng: names the attempts of guests, their meetings and who is in them.

    Attributes:
        desks: of users with a session.
        on_call_over: told of every call that is over and kept.
        on_call_made, on_call_gone: told of every call, before it begins and as soon as
            it can be found no more.
    """

    def __init__(
        self,
        *,
        services: Services,
        telephony: Telephony,
        accounts: Mapping[UserKey, sip.Account],
        tenants: Mapping[str, TenantLine],
        rng: random.Random,
        is_colleague: IsColleague = nobody_is,
    ) -> None:
        self.services = services
        self.telephony = telephony
        self.accounts = accounts
        self.desks: dict[UserKey, Desk] = {}
        self.guests = GuestCalls(
            now=services.now, rng=rng, telephony=telephony, accounts=accounts
        )
        self.meetings = Meetings(guests=self.guests, rng=rng)
        self.work = WorkDesk(services, lambda tenant: self._tenants[tenant].work())
        self.on_call_over: Callable[[Call], None] = _nobody_asks
        self.on_call_made: Callable[[Desk, Call], None] = _nobody_cares
        self.on_call_gone: Callable[[Desk, Call], None] = _nobody_cares
        # Says what becomes of a REFER.
        self.on_referral: Callable[
            [Desk, Call, sip.TransferRequested], Granted | int
        ] = _nobody_may
        self.counters = CallCounters()
        self._tenants = tenants
        self._is_colleague = is_colleague
        self._by_media: dict[str, MediaUser] = {}
        self._members: dict[str, Member] = {}
        self._jobs: asyncio.Queue[Coroutine[Any, Any, None] | None] = asyncio.Queue()
        services.engine.subscribe(self._on_media)

    # Tasks ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the tasks of all calls and searches until :meth:`stop`."""
        async with asyncio.TaskGroup() as group:
            while (job := await self._jobs.get()) is not None:
                group.create_task(self._contain(job))

    @staticmethod
    async def _contain(job: Coroutine[Any, Any, None]) -> None:
        """What goes wrong in one call or search is no other's business."""
        try:
            await job
        except Exception:
            logger.exception("a call's task failed")

    def do(self, job: Coroutine[Any, Any, None]) -> None:
        """Have this run beside everything else."""
        self._jobs.put_nowait(job)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._jobs.put_nowait(None)

    # Lookups --------------------------------------------------------------------------

    def tenant(self, user: UserKey) -> TenantLine:
        """Whose user this is."""
        return self._tenants[user.tenant]

    def desks_of(self, tenant: str) -> Iterator[Desk]:
        """Of the tenant's users, guests among them."""
        return (desk for key, desk in self.desks.items() if key.tenant == tenant)

    # Calls ----------------------------------------------------------------------------

    def new_call(
        self,
        desk: Desk,
        call_id: str,
        direction: CallDirection,
        peer: Peer,
        *,
        record: Record | None = None,
        match: Match | None = None,
        invite: CallInvite | None = None,
        member: Member | None = None,
        sheet: Worksheet | None = None,
        type: CallType | None = None,
    ) -> Call:
        """One that is to :meth:`begin`, or to be forgotten by :meth:`forget`."""
        call = Call(
            call_id,
            # Not the call id: clients make those, and two may make the same.
            MediaCallId(str(uuid.uuid4())),
            desk.user,
            direction,
            peer,
            services=self.services,
            sheet=sheet or self.work.sheet(desk.user.key.tenant),
            type=type or type_of(desk.user.key, peer, self._is_colleague),
            record=record,
            match=match,
            invite=invite,
            membership=member,
        )
        call.referred.ask = lambda event: self.on_referral(desk, call, event)
        call.succession.read = partial(self._read_identity, desk)
        call.succession.on_moved = partial(self._moved, call)
        if member is not None:
            self._members[call.media_id] = member
        desk.calls[call_id] = call
        self._by_media[call.media_id] = call
        self.on_call_made(desk, call)
        return call

    def begin(self, desk: Desk, call: Call) -> None:
        """It goes on from here by itself, and is forgotten when it is over."""
        self.counters.started += 1
        self.do(self._run(desk, call))
        tenant = self.tenant(desk.user.key)
        view = call.view()
        if view.match.state is MatchState.FOUND or tenant.connector is None:
            return
        if call.invite is not None:
            # Whom it is with is said by the invite, or by the rep.
            return
        if call.peer.e164 or call.caller_key:
            self.do(self._search(call, tenant, call.peer))

    # Calls that are with somebody else then ------------------------------------------

    def is_with_colleague(self, call: Call) -> bool:
        """Whether the other party is of the user's own tenant."""
        who = call.user.key, call.peer, self._is_colleague
        return type_of(*who) is CallType.INTERNAL

    def _moved(self, call: Call) -> None:
        if call.type is not CallType.CONSULT:
            call.type = type_of(call.user.key, call.peer, self._is_colleague)
        tenant = self.tenant(call.user.key)
        if tenant.connector is not None and (call.peer.e164 or call.caller_key):
            call.begin_search()
            self.do(self._search(call, tenant, call.peer))

    def _read_identity(self, desk: Desk, identity: sip.NameAddr) -> Peer | None:
        user = identity.uri.decoded_user or ""
        is_own = desk.account is not None and desk.account.serves(identity.uri)
        if is_own or user.lower() in ANONYMOUS:
            return None
        return caller(identity, None, country=self.tenant(desk.user.key).country)

    async def _run(self, desk: Desk, call: Call) -> None:
        try:
            await call.run()
        finally:
            self.forget(desk, call)
        reason = call.record().reason
        if reason is not None:
            self.counters.ended[reason.value] = (
                self.counters.ended.get(reason.value, 0) + 1
            )
        desk.remember(call)
        if self.desks.get(desk.user.key) is desk:
            self.work.ended(desk.user, call)
        self.on_call_over(call)

    def forget(self, desk: Desk, call: Call) -> None:
        """It is over, or never began."""
        desk.calls.pop(call.call_id, None)
        # Its far end may go on, as somebody else's.
        if self._by_media.get(call.media_id) is call:
            del self._by_media[call.media_id]
        if (member := self._members.pop(call.media_id, None)) is not None:
            member.gone()
        if call.invite is not None and call.is_guests:
            self.guests.end(call.invite.attempt, answered=call.was_answered)
        self.on_call_gone(desk, call)

    def media_belongs(self, media_id: MediaCallId, user: MediaUser | None) -> None:
        """The engine's events of that call are for ``user`` from now on."""
        if user is None:
            self._by_media.pop(media_id, None)
        else:
            self._by_media[media_id] = user

    async def end(self, call: Call, how: Callable[[], Awaitable[None]]) -> None:
        """End a call by one of its methods, if it has not ended meanwhile."""
        try:
            await call.request(how)
        except RequestError as error:
            logger.debug("call %s had ended: %s", call.call_id, error)

    async def _search(self, call: Call, tenant: TenantLine, peer: Peer) -> None:
        """Ask the CRM who it is; never in the way of the call."""
        assert tenant.connector is not None
        who = (tenant.connector, call.user, peer.e164)
        if not (call.caller_key and tenant.caller_key.fields):
            call.match_found(await people.find_caller(*who), peer)
            return
        found = await people.find_caller_by_key(
            *who, call.caller_key, tenant.caller_key.fields
        )
        desk = self.desks.get(call.user.key)
        if found.about is not None and desk is not None:
            self.work.suggest(desk, call, found.about)
        call.match_found(found.match, peer)

    def _on_media(self, event: MediaEvent) -> None:
        call = self._by_media.get(event.call)
        if call is not None:
            call.media_event(event)


def _nobody_may(desk: Desk, call: Call, event: sip.TransferRequested) -> int:
    return REFUSED


def _nobody_asks(call: Call) -> None:
    """Until somebody does."""


def _nobody_cares(desk: Desk, call: Call) -> None:
    """Until somebody does."""
