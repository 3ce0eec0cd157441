"""Everybody's calls: what stands behind the sessions, and what answers the INVITEs.

One line per signed-in user holds the SIP registration; one
:class:`~gateway.calls.call.Call` per call. What is done with calls is in modules by
concern, which add their requests to one table; here they are put together.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping

import sip
from gateway.calls import policy
from gateway.calls.call import Call
from gateway.calls.callers import IsColleague, nobody_is
from gateway.calls.control import CallControl
from gateway.calls.desks import Desk, registration_view
from gateway.calls.guest_calls import GuestCounters
from gateway.calls.handling import Handling
from gateway.calls.incoming import Incoming
from gateway.calls.invite_calls import InviteCalls
from gateway.calls.placing import Placing
from gateway.calls.ports import Invites, PresenceStore, Services, Telephony
from gateway.calls.presence import Presences
from gateway.calls.referrals import ReferralCounters, Referrals
from gateway.calls.requests import RequestTable
from gateway.calls.subjects import Subjects
from gateway.calls.switchboard import CallCounters, Switchboard, TenantLine
from gateway.calls.transferring import Transferring
from gateway.calls.work import WorkDesk
from gateway.identity.users import User, UserKey
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind

__all__ = ["CallCounters", "CallService", "TenantLine"]

logger = logging.getLogger(__name__)

# Registrations that are removed at once when the service ends.
LEAVING_AT_ONCE = 250


class CallService:
    """Implements :class:`gateway.sessions.backend.Backend`; see the module.

    :meth:`run` must be running, in a task that the caller owns, before the first
    session opens; :meth:`close` ends every call and every registration.

    Args:
        presences: who does not want to be disturbed.
        rng: names the attempts of guests, their meetings and who is in them.
    """

    def __init__(
        self,
        *,
        services: Services,
        telephony: Telephony,
        accounts: Mapping[UserKey, sip.Account],
        tenants: Mapping[str, TenantLine],
        presences: PresenceStore,
        rng: random.Random | None = None,
        is_colleague: IsColleague = nobody_is,
    ) -> None:
        self._services = services
        self.board = Switchboard(
            services=services,
            telephony=telephony,
            accounts=accounts,
            tenants=tenants,
            rng=rng or random.SystemRandom(),
            is_colleague=is_colleague,
        )
        self._incoming = Incoming(self.board)
        self.on_invite = self._incoming.on_invite
        invites = InviteCalls(self.board)
        self.calls_of_invite = invites.views
        self.invite_moved = invites.moved
        self.end_invite = invites.end
        subjects = Subjects(self.board)
        self.activity_changed = subjects.activity_changed
        self.next_step_changed = subjects.next_step_changed
        self._requests = RequestTable()
        self._referrals = Referrals(self.board)
        control = CallControl(self.board)
        control.add_to(self._requests)
        Placing(self.board, control).add_to(self._requests)
        Handling(control).add_to(self._requests)
        self._transferring = Transferring(self.board)
        self._transferring.add_to(self._requests)
        self._presences = Presences(self.board, presences)
        self._presences.add_to(self._requests)
        subjects.add_to(self._requests)
        self.board.work.add_to(self._requests)
        self._requests.add(wire.HistoryList, self._history)
        self._requests.add(wire.RegistrationRetry, self._retry_registration)

    def use_invites(self, invites: Invites) -> None:
        """Let guests call by these; before the first session opens."""
        self.board.guests.invites = invites

    # Life -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the tasks of all calls and searches until :meth:`close`."""
        await self.board.run()

    async def close(self) -> None:
        """Hang up every call and leave every registration.

        Many at a time: a registrar that is away lets each wait for its time-out.
        """
        leaving = asyncio.Semaphore(LEAVING_AT_ONCE)

        async def clear(desk: Desk) -> None:
            async with leaving:
                await self._clear(desk, signed_out=True)

        async with asyncio.TaskGroup() as group:
            for desk in tuple(self.board.desks.values()):
                group.create_task(clear(desk))
        await self._transferring.close()
        self.board.stop()

    @property
    def work(self) -> WorkDesk:
        """What reps write down."""
        return self.board.work

    @property
    def counters(self) -> CallCounters:
        return self.board.counters

    @property
    def active_calls(self) -> int:
        of_users = sum(len(desk.calls) for desk in self.board.desks.values())
        return of_users + self.joined_calls

    @property
    def joined_calls(self) -> int:
        """Those that reps have transferred and that go on here without them."""
        return len(self._transferring.junctions)

    @property
    def guest_counters(self) -> GuestCounters:
        return self.board.guests.counters

    @property
    def referral_counters(self) -> ReferralCounters:
        return self._referrals.counters

    @property
    def meetings(self) -> int:
        """Invites whose guests call or talk."""
        return len(self.board.meetings)

    @property
    def registrations(self) -> Mapping[wire.RegistrationState, int]:
        """Reps' desks by the state of their registration."""
        counts = dict.fromkeys(wire.RegistrationState, 0)
        for desk in self.board.desks.values():
            if desk.registration is not None:
                counts[desk.state.state] += 1
        return counts

    # Sessions -------------------------------------------------------------------------

    async def session_opened(self, user: User) -> None:
        """Bring up the user's phone account; guests have none."""
        if user.is_guest:
            self.board.desks[user.key] = Desk(
                user,
                None,
                wire.Registration(state=wire.RegistrationState.UNREGISTERED),
            )
            return
        presence = await self._presences.of(user.key)
        account = self.board.accounts[user.key]
        self._incoming.opened(account, user.key)

        def changed(state: sip.RegistrationState) -> None:
            self._registration_changed(user.key, state)

        registration = self.board.telephony.registration(account, changed)
        self.board.desks[user.key] = Desk(
            user,
            registration,
            wire.Registration(state=wire.RegistrationState.REGISTERING),
            account=account,
            presence=presence,
        )
        registration.start()
        await self.board.work.opened(user)

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        """Nobody is there any more: end the calls, leave the registrar."""
        desk = self.board.desks.get(user.key)
        if desk is not None:
            await self._clear(desk, signed_out=signed_out)

    async def _clear(self, desk: Desk, *, signed_out: bool) -> None:
        if self.board.desks.pop(desk.user.key, None) is not desk:
            # Signed out while it waited for its turn.
            return
        if desk.account is not None:
            self._incoming.closed(desk.account)
        for call in tuple(desk.calls.values()):
            await self.board.end(call, call.hang_up if signed_out else call.abandon)
        self.board.work.closed(desk.user.key)
        if desk.registration is not None:
            await desk.registration.stop()

    def session_attached(self, user: User) -> None:
        if (desk := self.board.desks.get(user.key)) is not None:
            desk.is_attached = True

    def session_detached(self, user: User) -> None:
        if (desk := self.board.desks.get(user.key)) is not None:
            desk.is_attached = False

    def snapshot(self, user: User) -> wire.Snapshot:
        """The user's whole state."""
        tenant = self.board.tenant(user.key)
        desk = self.board.desks.get(user.key)
        return wire.Snapshot(
            user=wire.UserView(
                id=user.key.user,
                name=user.name,
                number=user.number,
                tenant=user.key.tenant,
                company=user.company,
                role=wire.UserRole.GUEST if user.is_guest else wire.UserRole.REP,
            ),
            registration=desk.state
            if desk is not None
            else wire.Registration(state=wire.RegistrationState.UNREGISTERED),
            calls=(
                *(c.view() for c in desk.calls.values() if c.is_announced),
                *self.board.work.waiting(desk),
            )
            if desk
            else (),
            presence=desk.presence if desk else wire.PresenceState.AVAILABLE,
            rules=self.board.work.rules(user.key.tenant)
            if not user.is_guest
            else wire.WidgetRules(),
            crm="" if user.is_guest else tenant.crm_name,
            country=tenant.country,
            server_time=int(self._services.now() * 1000),
        )

    def phone_state(self, key: UserKey) -> wire.EntryState:
        """What colleagues may know of a user's phone."""
        desk = self.board.desks.get(key)
        if desk is None:
            return wire.EntryState.UNKNOWN
        if desk.calls or desk.presence is wire.PresenceState.DO_NOT_DISTURB:
            return wire.EntryState.BUSY
        is_there = desk.state.state is wire.RegistrationState.REGISTERED
        if is_there and desk.is_attached:
            return wire.EntryState.AVAILABLE
        return wire.EntryState.AWAY

    def _registration_changed(
        self, key: UserKey, status: sip.RegistrationState
    ) -> None:
        desk = self.board.desks.get(key)
        if desk is None:
            return
        desk.state = registration_view(status)
        self._services.publisher.publish(
            key, wire.RegistrationStateEvent, registration=desk.state
        )

    # Requests -------------------------------------------------------------------------

    async def perform(self, user: User, method: str, params: wire.Wire) -> wire.Wire:
        """Any request of the browser protocol that is not the session's own."""
        policy.check(user, method)
        desk = self.board.desks.get(user.key)
        if desk is None:
            raise RequestError(ErrorKind.SESSION_UNKNOWN, "No session.", retryable=True)
        return await self._requests.perform(desk, method, params)

    async def _history(
        self, desk: Desk, params: wire.HistoryList
    ) -> wire.HistoryListResult:
        calls = await self._services.journal.history(
            desk.user.key,
            limit=params.limit,
            before=None if params.before is None else params.before / 1000,
        )
        return wire.HistoryListResult(calls=calls)

    async def _retry_registration(
        self, desk: Desk, params: wire.RegistrationRetry
    ) -> wire.Empty:
        if desk.registration is not None:
            desk.registration.retry()
        return wire.Empty()

    # For those beside it --------------------------------------------------------------

    def call_of_leg(self, user: UserKey, sip_id: str) -> Call | None:
        """The user's call whose SIP leg has this Call-ID, also if it has ended."""
        desk = self.board.desks.get(user)
        if desk is None:
            return None
        calls = (*desk.calls.values(), *desk.ended.values())
        return next((call for call in calls if sip_id in call.sip_call_ids), None)

    def has_call(self, user: UserKey, call_id: str) -> bool:
        """Whether the user has, or had not long ago, a call of that id."""
        desk = self.board.desks.get(user)
        return desk is not None and desk.find(call_id) is not None
