"""Reps' desk phones: followed while the rep is signed in, and dialled by.

Stands before the calls as a :class:`~gateway.sessions.backend.Backend`, because a call
on the desk phone is the rep's like any other and yet none of the gateway's: it is in
the snapshot, but what is asked of it is answered here. What is dialled by the phone is
an INVITE of ours to the rep's own address (:mod:`.desk_dial`); the fork of it that
comes back to us is refused before it rings.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import sip
from gateway.activities.work import NO_WORK, Work
from gateway.calls import people
from gateway.calls.callers import IsColleague, nobody_is, target_of, type_of
from gateway.calls.desk_call import DeskCall
from gateway.calls.desk_dial import DeskDial, silent_offer
from gateway.calls.desk_line import DeskLine, OwnCalls, is_kept
from gateway.calls.ports import Services
from gateway.calls.subject import Subject
from gateway.calls.work import WorkDesk, Worksheet
from gateway.crm.connector import Connector
from gateway.identity.users import User, UserKey
from gateway.sessions import wire
from gateway.sessions.backend import Backend, RequestError
from gateway.sessions.wire import (
    CallDevice,
    CallDirection,
    CallState,
    EndReason,
    ErrorKind,
    Wire,
)
from sip.dialog_info import MEDIA_TYPE

logger = logging.getLogger(__name__)

# INVITEs of ours whose dialogs may still be told of.
REMEMBERED_LEGS = 4096
LEAVING_AT_ONCE = 250
# How long an attempt may wait to be on disk before it is dialled.
DIAL_WITHIN_S = 1.0
# What the rep writes down, of calls on every device.
WORK_METHODS = frozenset({"work.change", "work.save", "activity.retry"})
# Of the rep's account while it dials by the desk phone: whom it is about to call.
SHOWN = "Call {name}"


class Calls(Backend, OwnCalls, Protocol):
    """``gateway.calls.service.CallService``."""

    @property
    def work(self) -> WorkDesk: ...

    def has_call(self, user: UserKey, call_id: str) -> bool: ...

    def on_invite(self, leg: sip.IncomingCall) -> None: ...


class MadeLegs:
    """The user agent, which remembers whose INVITEs it was asked to send: no call of
    a desk phone's is one of its rep's, however short that was."""

    def __init__(self, agent: sip.UserAgent) -> None:
        self.registration = agent.registration
        self.subscription = agent.subscription
        self.remove_account = agent.remove_account
        self._agent = agent
        # By address of record and Call-ID: colleagues call each other by one agent.
        self._made: OrderedDict[tuple[str, str], None] = OrderedDict()

    def has_made(self, account: sip.Account, sip_id: str) -> bool:
        """Whether an INVITE of the account's own has that Call-ID."""
        return (str(account.aor), sip_id) in self._made

    def call(
        self,
        account: sip.Account,
        target: sip.Uri,
        offer: str,
        on_event: Callable[[sip.CallEvent], None],
        **options: Any,
    ) -> sip.OutgoingCall:
        """Send an INVITE; as the agent's own."""
        leg = self._agent.call(account, target, offer, on_event, **options)
        self._made[str(account.aor), leg.call_id] = None
        while len(self._made) > REMEMBERED_LEGS:
            self._made.popitem(last=False)
        return leg


@dataclass(frozen=True, slots=True)
class DeskTenant:
    """A tenant whose desk phones are followed."""

    domain: str
    country: str
    connector: Connector | None


class DeskPhones:
    """See the module. :meth:`run` must be running before the first session opens.

    Args:
        calls: everything else about calls.
        made: the user agent, as the calls use it.
        tenants: those that want it, by id.
        host: our address as phones see it, for SDP without media.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        services: Services,
        made: MadeLegs,
        accounts: Mapping[UserKey, sip.Account],
        tenants: Mapping[str, DeskTenant],
        host: str,
        is_colleague: IsColleague = nobody_is,
    ) -> None:
        self.services = services
        self._calls = calls
        self._telephony = made
        self._made = made
        self._accounts = accounts
        self._tenants = tenants
        self._host = host
        self._is_colleague = is_colleague
        self._lines: dict[UserKey, DeskLine] = {}
        # Call-IDs of INVITEs to desk phones, whose forks to us are to be refused.
        self._dialling: set[str] = set()
        # Refusals that were logged: (tenant, problem, status).
        self._logged: set[tuple[str, str, int | None]] = set()
        calls.work.others = self._calls_of
        self._jobs: asyncio.Queue[Coroutine[Any, Any, None] | None] = asyncio.Queue()

    # Life -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the tasks until :meth:`close`."""
        async with asyncio.TaskGroup() as group:
            while (job := await self._jobs.get()) is not None:
                group.create_task(self._contain(job))

    @staticmethod
    async def _contain(job: Coroutine[Any, Any, None]) -> None:
        """What goes wrong with one phone is no other's business."""
        try:
            await job
        except Exception:
            logger.exception("a desk phone's task failed")

    async def close(self) -> None:
        """Look no more: calls go on, and are kept as cut off by our end."""
        leaving = asyncio.Semaphore(LEAVING_AT_ONCE)

        async def leave(line: DeskLine) -> None:
            async with leaving:
                await self._leave(line)

        async with asyncio.TaskGroup() as group:
            for line in tuple(self._lines.values()):
                group.create_task(leave(line))
        self._jobs.put_nowait(None)

    async def _leave(self, line: DeskLine) -> None:
        if self._lines.get(line.user.key) is line:
            del self._lines[line.user.key]
        line.close(EndReason.GATEWAY_RESTARTED)
        if line.subscription is not None:
            await line.subscription.stop()

    @property
    def followed_calls(self) -> int:
        """On desk phones now."""
        return sum(len(line.calls) for line in self._lines.values())

    # For the lines --------------------------------------------------------------------

    @property
    def own_calls(self) -> OwnCalls:
        return self._calls

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def country(self, user: User) -> str:
        return self._tenants[user.key.tenant].country

    def work(self, line: DeskLine) -> None:
        """Part of ``House``."""
        self._jobs.put_nowait(line.work())

    def sheet(self, user: User, work: Work = NO_WORK) -> Worksheet:
        """Part of ``House``."""
        return self._calls.work.sheet(user.key.tenant, work)

    def type_of(self, user: User, peer: wire.Peer) -> wire.CallType:
        """Part of ``House``."""
        return type_of(user.key, peer, self._is_colleague)

    def ended(self, call: DeskCall) -> None:
        """Part of ``House``."""
        self._calls.work.ended(call.user, call)

    def _calls_of(self, user: UserKey) -> tuple[DeskCall, ...]:
        line = self._lines.get(user)
        return () if line is None else (*line.calls.values(), *line.ended.values())

    def search(self, call: DeskCall) -> None:
        """Part of ``House``."""
        connector = self._tenants[call.user.key.tenant].connector
        if connector is not None and call.peer.e164:
            call.searching()
            self._jobs.put_nowait(self._search(call, connector))

    @staticmethod
    async def _search(call: DeskCall, connector: Connector) -> None:
        call.match_found(await people.find_caller(connector, call.user, call.peer.e164))

    def idle(self, line: DeskLine) -> None:
        """Part of ``House``."""
        if self._lines.get(line.user.key) is line:
            self._jobs.put_nowait(self._leave(line))

    # Sessions -------------------------------------------------------------------------

    async def session_opened(self, user: User) -> None:
        """Bring up the user's calls, and follow their desk phone."""
        await self._calls.session_opened(user)
        if user.is_guest or user.key.tenant not in self._tenants:
            return
        line = self._lines.get(user.key)
        if line is not None:
            # Its calls outlived the session before.
            line.is_signed_in = True
            return
        account = self._accounts[user.key]
        line = DeskLine(user, self, was_made=partial(self._made.has_made, account))
        line.subscription = self._telephony.subscription(
            account,
            account.aor,
            event="dialog",
            accept=(MEDIA_TYPE,),
            on_notify=line.notified,
            on_change=lambda info: self._changed(line, info),
        )
        self._lines[user.key] = line
        line.subscription.start()

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        """Nobody is there any more; the desk phone's calls are kept to their ends."""
        await self._calls.session_closed(user, signed_out=signed_out)
        if (line := self._lines.get(user.key)) is not None:
            line.signed_out()

    def session_attached(self, user: User) -> None:
        self._calls.session_attached(user)

    def session_detached(self, user: User) -> None:
        self._calls.session_detached(user)

    def snapshot(self, user: User) -> wire.Snapshot:
        """The calls' snapshot, and what is on the desk phone."""
        snapshot = self._calls.snapshot(user)
        if user.is_guest or user.key.tenant not in self._tenants:
            return snapshot
        line = self._lines.get(user.key)
        return snapshot.model_copy(
            update={
                "calls": (*snapshot.calls, *(line.views() if line else ())),
                "rules": snapshot.rules.model_copy(update={"desk_phone": True}),
            }
        )

    def _changed(self, line: DeskLine, info: sip.SubscriptionInfo) -> None:
        if info.status != "active":
            line.lost()
        if info.status == "failed":
            self._log_once(line.user.key, info)

    def _log_once(self, user: UserKey, info: sip.SubscriptionInfo) -> None:
        problem = (user.tenant, info.problem or "", info.sip_code)
        if problem not in self._logged:
            self._logged.add(problem)
            logger.warning(
                "tenant %s: the application server does not tell about the desk phone "
                "of %s: %s (%s); said once",
                user.tenant,
                user.user,
                info.problem,
                info.sip_code or info.reason or "no answer",
            )

    # SIP ------------------------------------------------------------------------------

    def on_invite(self, leg: sip.IncomingCall) -> None:
        """An INVITE for one of our registrations (``UserAgent.on_invite``)."""
        if leg.call_id in self._dialling:
            # Our own, on its way to the desk phone: that alone is to ring.
            leg.reject(480)
            return
        self._calls.on_invite(leg)

    def call_over(self, user: UserKey) -> None:
        """One of the user's own calls is over: perhaps the desk phone has it."""
        if (line := self._lines.get(user)) is not None:
            line.leg_ended()

    # Requests -------------------------------------------------------------------------

    async def perform(self, user: User, method: str, params: Wire) -> Wire:
        """Raises RequestError as the others do."""
        if not user.is_guest:
            if isinstance(params, wire.CallCreate):
                if params.device is CallDevice.DESK_PHONE:
                    return await self._create(user, params)
            elif isinstance(params, wire.ContactCreate):
                return await self._create_contact(user, method, params)
            if (call := self._named(user, params)) is not None:
                if isinstance(params, wire.CallChooseRecord):
                    return _choose(call, params)
                if method not in WORK_METHODS:
                    raise RequestError(
                        ErrorKind.CALL_WRONG_STATE, "The call is on the desk phone."
                    )
        return await self._calls.perform(user, method, params)

    def activity_changed(
        self, user: UserKey, call_id: str, activity: wire.ActivityView
    ) -> bool:
        """The activity writer's news; False if the call is none of the desk phone's."""
        line = self._lines.get(user)
        call = line and line.find(call_id)
        if not call:
            return False
        call.activity_changed(activity)
        return True

    def _named(self, user: User, params: Wire) -> DeskCall | None:
        """A call of the desk phone's that the request is about."""
        line = self._lines.get(user.key)
        if line is None:
            return None
        named = [getattr(params, "call_id", None), *getattr(params, "call_ids", ())]
        found = (line.find(call_id) for call_id in named if call_id is not None)
        return next((call for call in found if call is not None), None)

    async def _create_contact(
        self, user: User, method: str, params: wire.ContactCreate
    ) -> Wire:
        call = self._named(user, params)
        result = await self._calls.perform(user, method, params)
        if call is not None and isinstance(result, wire.ContactCreateResult):
            call.chosen(result.record)
        return result

    async def _create(
        self, user: User, params: wire.CallCreate
    ) -> wire.CallAnswerResult:
        tenant = self._tenants.get(user.key.tenant)
        if tenant is None:
            raise RequestError(ErrorKind.POLICY_DENIED, "Desk phones are not set up.")
        if params.offer is not None:
            raise RequestError(ErrorKind.BAD_REQUEST, "The desk phone needs no offer.")
        line = self._lines.get(user.key)
        if line is None or not line.sees:
            raise RequestError(
                ErrorKind.REGISTRAR_DOWN,
                "The desk phone cannot be followed now.",
                retryable=True,
            )
        if line.find(params.call_id) or self._calls.has_call(user.key, params.call_id):
            raise RequestError(ErrorKind.OP_CONFLICT, "The call id is used already.")
        if line.is_dialling:
            raise RequestError(
                ErrorKind.CALL_LIMIT, "The desk phone has a call to make already."
            )
        peer, target = target_of(
            params.to, country=tenant.country, domain=tenant.domain
        )
        call = DeskCall(
            params.call_id,
            user,
            CallDirection.OUTBOUND,
            peer,
            services=self.services,
            subject=Subject(params.record, None),
            started_at=self.services.now(),
            type=self.type_of(user, peer),
            sheet=self.sheet(user),
            on_end=self.ended,
        )
        call.begin(CallState.CALLING, was_kept=False)
        call.show()
        await self._dial(line, call, target)
        if params.record is None:
            self.search(call)
        return wire.CallAnswerResult(call=call.view())

    async def _dial(self, line: DeskLine, call: DeskCall, target: sip.Uri) -> None:
        """Have the phone ring, and then call ``target``."""
        account = self._accounts[line.user.key]
        peer = call.peer
        name = peer.national or peer.number
        if (record := call.subject.record) is not None:
            name = record.name or name
        # In the rep's own name the phone would show the rep.
        shown = replace(account, display_name=SHOWN.format(name=name)[:80])
        sdp = silent_offer(self._host)
        # Not `dial.leg`: that is gone as soon as it is hung up.
        sip_id = ""

        def hear(event: sip.CallEvent) -> None:
            dial.hear(event)
            if isinstance(event, sip.TERMINAL_EVENTS):
                self._dialling.discard(sip_id)
                self._telephony.remove_account(shown)

        dial = DeskDial(
            _DialOwner(call, line),
            target,
            sdp,
            later=self.services.later,
            ring_s=self.services.limits.no_answer_s,
        )
        line.dialled(call, dial)
        if not await is_kept(self.services, DIAL_WITHIN_S):
            logger.warning("call %s: begins before it is kept", call.call_id)
        if call.is_over:
            # Signed out meanwhile.
            return
        leg = self._telephony.call(shown, account.aor, sdp, hear)
        sip_id = leg.call_id
        self._dialling.add(sip_id)
        dial.begin(leg)


class _DialOwner:
    """Tells a call what becomes of its dialling."""

    def __init__(self, call: DeskCall, line: DeskLine) -> None:
        self._call = call
        self._line = line

    def desk_rings(self) -> None:
        self._call.move(CallState.ALERTING)

    def target_answered(self) -> None:
        self._call.move(CallState.ACTIVE)

    def dial_failed(self, reason: EndReason, sip_code: int | None) -> None:
        self._call.finish(reason, sip_code=sip_code)
        self._line.settle(self._call)


def _choose(call: DeskCall, params: wire.CallChooseRecord) -> wire.CallResult:
    for record in call.subject.match.records:
        if record.id == params.record_id:
            call.chosen(record)
            return wire.CallResult(call=call.view())
    raise RequestError(ErrorKind.BAD_REQUEST, "That record is no match of the call.")
