"""Everybody's calls: what stands behind the sessions, and what answers the INVITEs.

One line per signed-in user holds the SIP registration; one
:class:`~gateway.calls.call.Call` per call. Every lookup is by tenant and user, so an
id of somebody else's call is an unknown call.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sip
from gateway.activities.composer import about_of
from gateway.activities.work_view import refused_next_step, written_next_step
from gateway.calls import people, policy
from gateway.calls.call import Call
from gateway.calls.caller_key import NO_KEY, CallerKeyRule, caller_key
from gateway.calls.callers import caller, match_of, peer_of, type_of
from gateway.calls.desks import Desk, registration_view, unknown_call
from gateway.calls.guest_calls import (
    CallInvite,
    GuestCalls,
    GuestCounters,
    legible,
)
from gateway.calls.meetings import Meetings, Member
from gateway.calls.ports import Dial, Invites, Services, Telephony
from gateway.calls.work import WorkDesk, Worked, WorkRules, Worksheet
from gateway.crm.connector import Connector
from gateway.crm.numbers import Number, NumberError, normalise
from gateway.identity.users import User, UserKey
from gateway.media.engine import MediaCallId, MediaEvent
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    CallDirection,
    CallView,
    ErrorKind,
    Match,
    MatchState,
    Peer,
)

logger = logging.getLogger(__name__)

# Registrations that are removed at once when the service ends.
LEAVING_AT_ONCE = 250


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
    # As they are now; what the CRM says of them may change.
    work: Callable[[], WorkRules] = WorkRules


@dataclass(slots=True)
class CallCounters:
    """For metrics; all only grow but ``active``."""

    started: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    refused: int = 0


class CallService:
    """Implements :class:`gateway.sessions.backend.Backend`; see the module.

    :meth:`run` must be running, in a task that the caller owns, before the first
    session opens; :meth:`close` ends every call and every registration.

    Args:
        rng: names the attempts of guests, their meetings and who is in them.
    """

    def __init__(
        self,
        *,
        services: Services,
        telephony: Telephony,
        accounts: Mapping[UserKey, sip.Account],
        tenants: Mapping[str, TenantLine],
        rng: random.Random | None = None,
    ) -> None:
        self._services = services
        self._telephony = telephony
        self._accounts = accounts
        self._tenants = tenants
        # Of open sessions: what was registered stays theirs when accounts change.
        self._users_of: dict[sip.Account, UserKey] = {}
        self._desks: dict[UserKey, Desk] = {}
        rng = rng or random.SystemRandom()
        self._guests = GuestCalls(
            now=services.now, rng=rng, telephony=telephony, accounts=accounts
        )
        self.work = WorkDesk(services, lambda tenant: self._tenants[tenant].work())
        self._meetings = Meetings(guests=self._guests, rng=rng)
        self._by_media: dict[str, Call] = {}
        self._members: dict[str, Member] = {}
        self._jobs: asyncio.Queue[Coroutine[Any, Any, None] | None] = asyncio.Queue()
        # Told of every call that is over; set before the first session opens.
        self.on_call_over: Callable[[Call], None] = _nobody_asks
        self.counters = CallCounters()
        services.engine.subscribe(self._on_media)

    def use_invites(self, invites: Invites) -> None:
        """Let guests call by these; before the first session opens."""
        self._guests.invites = invites

    # Life -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the tasks of all calls and searches until :meth:`close`."""
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

    async def close(self) -> None:
        """Hang up every call and leave every registration.

        Many at a time: a registrar that is away lets each wait for its time-out.
        """
        leaving = asyncio.Semaphore(LEAVING_AT_ONCE)

        async def clear(desk: Desk) -> None:
            async with leaving:
                await self._clear(desk, signed_out=True)

        async with asyncio.TaskGroup() as group:
            for desk in tuple(self._desks.values()):
                group.create_task(clear(desk))
        self._jobs.put_nowait(None)

    @property
    def active_calls(self) -> int:
        return sum(len(desk.calls) for desk in self._desks.values())

    @property
    def guest_counters(self) -> GuestCounters:
        return self._guests.counters

    @property
    def meetings(self) -> int:
        """Invites whose guests call or talk."""
        return len(self._meetings)

    @property
    def registrations(self) -> Mapping[wire.RegistrationState, int]:
        """Reps' desks by the state of their registration."""
        counts = dict.fromkeys(wire.RegistrationState, 0)
        for desk in self._desks.values():
            if desk.registration is not None:
                counts[desk.state.state] += 1
        return counts

    # Sessions -------------------------------------------------------------------------

    async def session_opened(self, user: User) -> None:
        """Bring up the user's phone account; guests have none."""
        if user.is_guest:
            self._desks[user.key] = Desk(
                user,
                None,
                wire.Registration(state=wire.RegistrationState.UNREGISTERED),
            )
            return
        account = self._accounts[user.key]
        self._users_of[account] = user.key

        def changed(state: sip.RegistrationState) -> None:
            self._registration_changed(user.key, state)

        registration = self._telephony.registration(account, changed)
        self._desks[user.key] = Desk(
            user,
            registration,
            wire.Registration(state=wire.RegistrationState.REGISTERING),
            account=account,
        )
        registration.start()
        await self.work.opened(user)

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        """Nobody is there any more: end the calls, leave the registrar."""
        desk = self._desks.get(user.key)
        if desk is not None:
            await self._clear(desk, signed_out=signed_out)

    async def _clear(self, desk: Desk, *, signed_out: bool) -> None:
        if self._desks.pop(desk.user.key, None) is not desk:
            # Signed out while it waited for its turn.
            return
        if desk.account is not None:
            self._users_of.pop(desk.account, None)
        for call in tuple(desk.calls.values()):
            try:
                await call.request(call.hang_up if signed_out else call.abandon)
            except RequestError as error:
                logger.debug("call %s had ended: %s", call.call_id, error)
        self.work.closed(desk.user.key)
        if desk.registration is not None:
            await desk.registration.stop()

    def session_attached(self, user: User) -> None:
        if (desk := self._desks.get(user.key)) is not None:
            desk.is_attached = True

    def session_detached(self, user: User) -> None:
        if (desk := self._desks.get(user.key)) is not None:
            desk.is_attached = False

    def snapshot(self, user: User) -> wire.Snapshot:
        """The user's whole state."""
        tenant = self._tenants[user.key.tenant]
        desk = self._desks.get(user.key)
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
                *self.work.waiting(desk),
            )
            if desk
            else (),
            rules=self.work.rules(user.key.tenant)
            if not user.is_guest
            else wire.WidgetRules(),
            crm="" if user.is_guest else tenant.crm_name,
            country=tenant.country,
            server_time=int(self._services.now() * 1000),
        )

    def phone_state(self, key: UserKey) -> wire.EntryState:
        """What colleagues may know of a user's phone."""
        desk = self._desks.get(key)
        if desk is None:
            return wire.EntryState.UNKNOWN
        if desk.calls:
            return wire.EntryState.BUSY
        is_there = desk.state.state is wire.RegistrationState.REGISTERED
        if is_there and desk.is_attached:
            return wire.EntryState.AVAILABLE
        return wire.EntryState.AWAY

    def _registration_changed(
        self, key: UserKey, status: sip.RegistrationState
    ) -> None:
        desk = self._desks.get(key)
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
        desk = self._desks.get(user.key)
        if desk is None:
            raise RequestError(ErrorKind.SESSION_UNKNOWN, "No session.", retryable=True)
        match params:
            case wire.CallCreate():
                return await self._create(desk, params)
            case wire.CallJoin():
                return await self._join(desk, params)
            case wire.CallAnswer():
                return await self._answer(desk, params)
            case wire.CallReject():
                call = desk.call(params.call_id)
                await call.request(lambda: call.reject(params.reason))
                return wire.CallResult(call=call.view())
            case wire.CallHangup():
                call = desk.call(params.call_id)
                await call.request(call.hang_up)
                return wire.CallResult(call=call.view())
            case wire.CallDtmf():
                call = desk.call(params.call_id)
                await call.request(lambda: call.send_digits(params.digits))
                return wire.Empty()
            case wire.CallMedia():
                call = desk.call(params.call_id)
                answer, generation = await call.request(
                    lambda: call.offer_media(
                        params.offer, params.generation, params.reason
                    )
                )
                return wire.CallMediaResult(answer=answer, generation=generation)
            case wire.CallTrickle():
                return wire.Empty()
            case wire.CallChooseRecord():
                return self._choose(desk, params)
            case wire.WorkChange():
                return await self.work.change(desk, params)
            case wire.WorkSave():
                return await self.work.save(desk, params)
            case wire.WorkVisit():
                self.work.visit(desk, params)
                return wire.Empty()
            case wire.ActivityRetry():
                return await self.work.retry(desk, params)
            case wire.ContactCreate():
                return await self._create_contact(desk, params)
            case wire.RecordSearch():
                found = await people.find_people(
                    self._connector(desk), desk.user, params.text
                )
                return wire.RecordSearchResult(records=found)
            case wire.HistoryList():
                return wire.HistoryListResult(calls=await self._history(desk, params))
            case wire.RegistrationRetry():
                if desk.registration is not None:
                    desk.registration.retry()
                return wire.Empty()
            case _:
                raise RequestError(ErrorKind.METHOD_UNKNOWN, f"No method {method}.")

    def _number(self, text: str, tenant: str) -> Number:
        try:
            return normalise(text, self._tenants[tenant].country)
        except NumberError as error:
            raise RequestError(ErrorKind.NUMBER_INVALID, str(error)) from None

    async def _create(
        self, desk: Desk, params: wire.CallCreate
    ) -> wire.CallAnswerResult:
        user = desk.user
        if params.offer is None:
            raise RequestError(ErrorKind.BAD_REQUEST, "An offer is needed.")
        desk.check_room(params.call_id, self._services.limits.max_per_user)
        if desk.state.state is not wire.RegistrationState.REGISTERED:
            raise RequestError(
                ErrorKind.REGISTRAR_DOWN,
                "The phone account is not registered.",
                retryable=True,
            )
        tenant = self._tenants[user.key.tenant]
        number = self._number(params.to, user.key.tenant)
        target = sip.Uri("sip", user=sip.escape_user(number.dial), host=tenant.domain)
        call = self._new_call(
            desk,
            params.call_id,
            CallDirection.OUTBOUND,
            peer_of(number),
            record=params.record,
        )
        account = self._accounts[user.key]
        return await self._start(
            desk,
            call,
            params.offer,
            lambda sdp, on_event: self._telephony.call(account, target, sdp, on_event),
        )

    async def _join(self, desk: Desk, params: wire.CallJoin) -> wire.CallAnswerResult:
        """A guest calls the host of the invite: its address, and no other."""
        account = self._tenants[desk.user.key.tenant].guest_account
        desk.check_room(params.call_id, 1)
        given = await self._guests.admit(desk.user, account)
        # Another request may have come first while the pass was made out.
        desk.check_room(params.call_id, 1)
        assert account is not None
        member = self._meetings.join(given)
        attempt = self._guests.begin(desk.user.key, given, account)
        call = attempt.call = self._new_call(
            desk,
            params.call_id,
            CallDirection.OUTBOUND,
            Peer(number="", display_name=legible(given.host.name)),
            invite=CallInvite(attempt, is_guests=True),
            member=member,
        )
        dial = partial(self._guests.dial, attempt) if member.leads else None
        member.begin(attempt, call)
        return await self._start(desk, call, params.offer, dial)

    async def _start(
        self, desk: Desk, call: Call, offer: str, dial: Dial | None
    ) -> wire.CallAnswerResult:
        try:
            answer = await call.begin_outgoing(offer, dial)
        except BaseException:
            self._forget(desk, call)
            raise
        self._begin(desk, call)
        return wire.CallAnswerResult(call=call.view(), answer=answer)

    async def _answer(
        self, desk: Desk, params: wire.CallAnswer
    ) -> wire.CallAnswerResult:
        call = desk.call(params.call_id)
        answer = await call.request(
            lambda: call.answer(params.offer, params.generation)
        )
        return wire.CallAnswerResult(call=call.view(), answer=answer)

    def _choose(self, desk: Desk, params: wire.CallChooseRecord) -> wire.CallResult:
        call = desk.find(params.call_id)
        if call is None:
            raise unknown_call()
        for record in call.view().match.records:
            if record.id == params.record_id:
                self._name(call, record)
                return wire.CallResult(call=call.view())
        raise RequestError(
            ErrorKind.BAD_REQUEST, "That record is no match of the call."
        )

    def _name(self, call: Call, record: wire.Record) -> None:
        """The call is about this record, even when it is over and logged."""
        # The rep said so: as good as an equal number.
        call.chosen(record.model_copy(update={"certainty": "exact"}))
        self._keep_choice(call)
        if call.invite is not None and (attempt := call.invite.attempt.call):
            # That is where the activity is.
            attempt.chosen(record.model_copy(update={"certainty": "exact"}))
            self._keep_choice(attempt)

    def _keep_choice(self, call: Call) -> None:
        kept = call.record()
        if call.is_over and kept.record is not None:
            self._services.journal.record_chosen(
                call.user,
                kept.call_id,
                kept.record,
                about_of(kept, self._tenants[call.user.key.tenant].work().logging),
            )

    async def _create_contact(
        self, desk: Desk, params: wire.ContactCreate
    ) -> wire.ContactCreateResult:
        record = await people.create_contact(self._connector(desk), desk.user, params)
        if params.call_id is not None:
            call = desk.find(params.call_id)
            if call is not None:
                self._name(call, record)
        return wire.ContactCreateResult(record=record)

    def _connector(self, desk: Desk) -> Connector:
        connector = self._tenants[desk.user.key.tenant].connector
        if connector is None:
            raise RequestError(ErrorKind.CRM_REFUSED, "No CRM is configured.")
        return connector

    async def _history(
        self, desk: Desk, params: wire.HistoryList
    ) -> tuple[CallView, ...]:
        return await self._services.journal.history(
            desk.user.key,
            limit=params.limit,
            before=None if params.before is None else params.before / 1000,
        )

    # Calls ----------------------------------------------------------------------------

    def on_invite(self, leg: sip.IncomingCall) -> None:
        """An INVITE for one of our registrations (``UserAgent.on_invite``)."""
        key = self._users_of.get(leg.account)
        desk = self._desks.get(key) if key is not None else None
        if desk is None:
            self.counters.refused += 1
            leg.reject(480)
            return
        if len(desk.calls) >= self._services.limits.max_per_user:
            self.counters.refused += 1
            leg.reject(486)
            return
        tenant = self._tenants[desk.user.key.tenant]
        invite = self._guests.find(
            desk.user.key, leg.remote, leg.asserted_identity, tenant.guest_account
        )
        member = None
        if invite is not None and invite.is_certain:
            member = self._meetings.rings(invite.attempt)
        call = self._new_call(
            desk,
            str(uuid.uuid4()),
            CallDirection.INBOUND,
            # Believed because the account takes calls from its own server only.
            caller(leg.asserted_identity or leg.remote, invite, country=tenant.country),
            match=match_of(invite),
            invite=invite,
            member=member,
            sheet=invite.attempt.call.sheet
            if invite and invite.is_certain and invite.attempt.call
            else None,
        )
        if invite is not None:
            invite.attempt.hosts_call = call
        if member is not None:
            member.call = call
        leg.on_event = call.sip_event
        if invite is None:
            call.caller_key = caller_key(tenant.caller_key, leg.request.headers)
        who = call.peer.e164 or call.caller_key
        if who and tenant.connector is not None and invite is None:
            call.begin_search()
        call.begin_incoming(leg)
        self._begin(desk, call)
        if not desk.is_attached:
            self._services.later(
                self._services.limits.ring_while_away_s,
                lambda: self._nobody_came(desk, call),
            )

    def call_of_leg(self, user: UserKey, sip_id: str) -> Call | None:
        """The user's call whose SIP leg has this Call-ID, also if it has ended."""
        desk = self._desks.get(user)
        if desk is None:
            return None
        calls = (*desk.calls.values(), *desk.ended.values())
        return next((call for call in calls if call.sip_call_id == sip_id), None)

    def has_call(self, user: UserKey, call_id: str) -> bool:
        """Whether the user has, or had not long ago, a call of that id."""
        desk = self._desks.get(user)
        return desk is not None and desk.find(call_id) is not None

    # Invites ----------------------------------------------------------------------

    def calls_of_invite(self, tenant: str, invite_id: str) -> tuple[CallView, ...]:
        """Calls of the invite's guests that go on, as the guests see them."""
        return tuple(
            call.view() for call in self._of_invite(tenant, invite_id) if call.is_guests
        )

    def invite_moved(self, tenant: str, invite_id: str, ends_at: float) -> None:
        """It ends at another time (Unix seconds): its calls show so, on both sides."""
        calls = self._of_invite(tenant, invite_id)
        for call in calls:
            if call.invite is not None:
                call.invite.attempt.ends_at(ends_at)
        for call in calls:
            call.show()

    async def end_invite(self, tenant: str, invite_id: str) -> None:
        """Its time is over, or it was cancelled: end its calls, on both sides."""
        async with asyncio.TaskGroup() as group:
            for call in self._of_invite(tenant, invite_id):
                group.create_task(self._end(call, call.invite_over))

    def _of_invite(self, tenant: str, invite_id: str) -> tuple[Call, ...]:
        """Both sides' calls; none that only may be the invite's."""
        return tuple(
            call
            for key, desk in self._desks.items()
            if key.tenant == tenant
            for call in desk.calls.values()
            if call.invite is not None
            and call.invite.is_certain
            and call.invite.guest_pass.invite_id == invite_id
        )

    def _nobody_came(self, desk: Desk, call: Call) -> None:
        if not desk.is_attached and call.state is wire.CallState.RINGING:
            self._jobs.put_nowait(self._end(call, call.abandon))

    @staticmethod
    async def _end(call: Call, how: Callable[[], Awaitable[None]]) -> None:
        try:
            await call.request(how)
        except RequestError as error:
            logger.debug("call %s had ended: %s", call.call_id, error)

    def _new_call(
        self,
        desk: Desk,
        call_id: str,
        direction: CallDirection,
        peer: Peer,
        *,
        record: wire.Record | None = None,
        match: Match | None = None,
        invite: CallInvite | None = None,
        member: Member | None = None,
        sheet: Worksheet | None = None,
    ) -> Call:
        call = Call(
            call_id,
            # Not the call id: clients make those, and two may make the same.
            MediaCallId(str(uuid.uuid4())),
            desk.user,
            direction,
            peer,
            services=self._services,
            sheet=sheet or self.work.sheet(desk.user.key.tenant),
            type=type_of(desk.user.key, peer, self._accounts),
            record=record,
            match=match,
            invite=invite,
            membership=member,
        )
        if member is not None:
            self._members[call.media_id] = member
        desk.calls[call_id] = call
        self._by_media[call.media_id] = call
        return call

    def _begin(self, desk: Desk, call: Call) -> None:
        self.counters.started += 1
        self._jobs.put_nowait(self._run(desk, call))
        tenant = self._tenants[desk.user.key.tenant]
        view = call.view()
        if view.match.state is MatchState.FOUND or tenant.connector is None:
            return
        if call.invite is not None:
            # Whom it is with is said by the invite, or by the rep.
            return
        if call.peer.e164 or call.caller_key:
            self._jobs.put_nowait(self._search(call, tenant))

    async def _run(self, desk: Desk, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._forget(desk, call)
        reason = call.record().reason
        if reason is not None:
            self.counters.ended[reason.value] = (
                self.counters.ended.get(reason.value, 0) + 1
            )
        desk.remember(call)
        if self._desks.get(desk.user.key) is desk:
            self.work.ended(desk.user, call)
        self.on_call_over(call)

    def _forget(self, desk: Desk, call: Call) -> None:
        desk.calls.pop(call.call_id, None)
        self._by_media.pop(call.media_id, None)
        if (member := self._members.pop(call.media_id, None)) is not None:
            member.gone()
        if call.invite is not None and call.is_guests:
            self._guests.end(call.invite.attempt, answered=call.was_answered)

    async def _search(self, call: Call, tenant: TenantLine) -> None:
        """Ask the CRM who it is; never in the way of the call."""
        assert tenant.connector is not None
        who = (tenant.connector, call.user, call.peer.e164)
        if not (call.caller_key and tenant.caller_key.fields):
            call.match_found(await people.find_caller(*who))
            return
        found = await people.find_caller_by_key(
            *who, call.caller_key, tenant.caller_key.fields
        )
        desk = self._desks.get(call.user.key)
        if found.about is not None and desk is not None:
            self.work.suggest(desk, call, found.about)
        call.match_found(found.match)

    def activity_changed(
        self, user: UserKey, call_id: str, activity: wire.ActivityView
    ) -> None:
        """The activity writer's news, for the widget."""
        if (call := self._concerned(user, call_id)) is not None:
            call.activity_changed(activity)

    def next_step_changed(
        self, user: UserKey, call_id: str, news: wire.ActivityView
    ) -> None:
        """News of the task for later: shown at the call if it was refused."""
        call = self._concerned(user, call_id)
        if call is None:
            return
        old = new = call.view().activity
        if news.state is wire.ActivityState.FAILED:
            new = refused_next_step(old, news.problem)
        elif news.state is wire.ActivityState.WRITTEN:
            new = written_next_step(old)
        if new != old:
            call.activity_changed(new)

    def _concerned(self, user: UserKey, call_id: str) -> Worked | None:
        """Whom the news of an activity are for."""
        desk = self._desks.get(user)
        return (
            (desk and desk.find(call_id))
            or self._hosts_side(user.tenant, call_id)
            or self.work.old(user.tenant, user.user, call_id)
        )

    def _hosts_side(self, tenant: str, record_id: str) -> Call | None:
        """Of a guest's attempt: what is written of it is news for the host."""
        return next(
            (
                call
                for key, desk in self._desks.items()
                if key.tenant == tenant and not desk.user.is_guest
                for call in (*desk.calls.values(), *desk.ended.values())
                if call.invite and call.invite.attempt.record_id == record_id
            ),
            None,
        )

    def _on_media(self, event: MediaEvent) -> None:
        call = self._by_media.get(event.call)
        if call is not None:
            call.media_event(event)


def _nobody_asks(call: Call) -> None:
    """Until somebody does."""
