"""Stand-ins for everything around calls, which record what they were told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import sip
from gateway.activities.composer import compose
from gateway.activities.record import CallRecord
from gateway.calls.caller_key import NO_KEY, CallerKeyRule
from gateway.calls.ports import CallLimits, GuestPass, Services
from gateway.calls.referrals import TransfersFromOutside
from gateway.calls.service import CallService, TenantLine
from gateway.calls.work import WorkRules
from gateway.crm.connector import (
    Activity,
    ActivityFacts,
    ContactDraft,
    CrmError,
    CrmRecord,
    CrmUser,
    FoundByKey,
    Meeting,
    WrittenActivity,
)
from gateway.identity.users import User, UserKey
from gateway.media.engine import (
    EngineLost,
    Leg,
    MediaCallId,
    MediaError,
    MediaErrorKind,
    MediaEvent,
    MediaStatistics,
    Negotiated,
)
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallView,
    ErrorKind,
    Event,
    Registration,
    WorkState,
)
from gateway.storage.journal_writer import KeptCall
from tests.gateway.calls.descriptions import Picture

ROBIN = User(UserKey("acme", "robin"), "Robin Reyes", "1000", crm_user_id="005A")
SAM = User(UserKey("acme", "sam"), "Sam Okafor", "1001")
ELSE = User(UserKey("globex", "robin"), "Robin Else", "1000")


ANA = User(UserKey("acme", "guest:g1"), "Ana Ruiz", "", invite_id="inv1")
BEN = User(UserKey("acme", "guest:g2"), "Ben Roy", "", invite_id="inv1")
GUEST_ACCOUNT = sip.Account(
    aor=sip.Uri.parse("sip:guests@acme.example"),
    username="guests",
    password=sip.Secret("of guests"),
    registrar=sip.Uri.parse("sip:127.0.0.1:5060"),
    trusted_sources=("127.0.0.1",),
)


class FakeClock:
    def __init__(self) -> None:
        self.time = 1_000.0
        self._alarms: list[FakeAlarm] = []

    def now(self) -> float:
        return self.time

    def later(self, delay_s: float, then: Callable[[], None]) -> FakeAlarm:
        alarm = FakeAlarm(self.time + delay_s, then)
        self._alarms.append(alarm)
        return alarm

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = [a for a in self._alarms if a.when <= self.time and not a.cancelled]
        self._alarms = [a for a in self._alarms if a not in due and not a.cancelled]
        for alarm in due:
            alarm.then()

    @property
    def waiting(self) -> int:
        return sum(not alarm.cancelled for alarm in self._alarms)


@dataclass(eq=False)
class FakeAlarm:
    when: float
    then: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeEngine:
    def __init__(self) -> None:
        self.open_calls: set[MediaCallId] = set()
        self.opened: list[MediaCallId] = []
        self.log: list[tuple[Any, ...]] = []
        self.refuse: dict[str, MediaErrorKind] = {}
        self.renegotiate = False
        # By media call; lost with the worker.
        self.pictures: dict[MediaCallId, Picture] = {}
        # The room that a call was opened with, and (name, partner) of who is in.
        self.rooms: dict[MediaCallId, str] = {}
        self.beside: dict[MediaCallId, str] = {}
        self.held: dict[MediaCallId, bool] = {}
        self.heard: dict[MediaCallId, frozenset[MediaCallId]] = {}
        self.entered: dict[MediaCallId, tuple[str, MediaCallId | None]] = {}
        self.with_browser: set[MediaCallId] = set()
        self.has_video_codec = True
        # Else its descriptions are words that tests compare.
        self.speaks_sdp = False
        self.takes_digits = True
        self.emit: Callable[[MediaEvent], None] = lambda event: None

    def subscribe(self, on_event: Callable[[MediaEvent], None]) -> None:
        self.emit = on_event

    def _do(self, what: str, *more: Any) -> None:
        self.log.append((what, *more))
        if what in self.refuse:
            raise MediaError(self.refuse[what], "as the test wants")

    async def open(
        self, call: MediaCallId, *, room: str = "", beside: str = ""
    ) -> None:
        self._do("open", room) if room else self._do("open")
        self.beside[call] = beside
        assert call not in self.open_calls
        self.open_calls.add(call)
        self.opened.append(call)
        self.pictures[call] = Picture(
            has_codec=self.has_video_codec, is_real=self.speaks_sdp
        )
        self.rooms[call] = room
        self.entered.pop(call, None)
        self.held.pop(call, None)
        self.heard.pop(call, None)
        self.with_browser.discard(call)

    async def answer(
        self, call: MediaCallId, leg: Leg, offer: str, *, generation: int = 1
    ) -> Negotiated:
        assert call in self.open_calls
        self._do(f"answer {leg}", offer, generation)
        negotiated = self.pictures[call].answer(leg, offer)
        if leg is Leg.BROWSER:
            self.with_browser.add(call)
        renegotiate = self.renegotiate and leg is Leg.SIP
        return replace(negotiated, renegotiate_browser=renegotiate)

    async def offer(self, call: MediaCallId, leg: Leg) -> str:
        assert call in self.open_calls
        self._do(f"offer {leg}")
        return self.pictures[call].offer()

    async def accept(self, call: MediaCallId, leg: Leg, answer: str) -> Negotiated:
        assert call in self.open_calls
        self._do(f"accept {leg}", answer)
        negotiated = self.pictures[call].accept(answer)
        return replace(negotiated, renegotiate_browser=self.renegotiate)

    async def send_digits(self, call: MediaCallId, leg: Leg, digits: str) -> bool:
        self._do("digits", digits)
        return self.takes_digits

    async def request_keyframe(self, call: MediaCallId, leg: Leg) -> None:
        assert call in self.open_calls
        self._do(f"keyframe {leg}")

    async def enter(
        self, call: MediaCallId, *, name: str, partner: MediaCallId | None = None
    ) -> None:
        assert call in self.open_calls
        self._do("enter", call, name, partner)
        if not self.rooms[call] or call not in self.with_browser:
            raise MediaError(MediaErrorKind.WRONG_STATE, "no room, or no browser")
        self.entered[call] = (name, partner)

    async def leave(self, call: MediaCallId) -> None:
        assert call in self.open_calls
        self._do("leave", call)
        self.entered.pop(call, None)

    async def hold(self, call: MediaCallId, *, is_held: bool) -> None:
        assert call in self.open_calls
        self._do(f"hold {is_held}", call)
        self.held[call] = is_held

    async def hear(self, call: MediaCallId, others: frozenset[MediaCallId]) -> None:
        assert call in self.open_calls
        self._do("hear", call)
        self.heard[call] = others

    async def drop(self, call: MediaCallId, leg: Leg) -> None:
        if call not in self.open_calls:
            raise MediaError(MediaErrorKind.ENGINE_LOST, "its worker died")
        self._do(f"drop {leg}", call)

    def lose(self, *calls: MediaCallId) -> None:
        """The worker that had these calls died."""
        self.open_calls -= set(calls)
        for call in calls:
            self.entered.pop(call, None)
            self.emit(EngineLost(call))

    async def statistics(self, call: MediaCallId) -> MediaStatistics:
        return MediaStatistics()

    async def close(self, call: MediaCallId) -> MediaStatistics:
        self._do("close")
        self.open_calls.remove(call)
        self.entered.pop(call, None)
        self.held.pop(call, None)
        self.heard.pop(call, None)
        return MediaStatistics()


class FakeLeg:
    """A SIP leg; ``did`` lists what it was asked to do."""

    def __init__(
        self,
        account: sip.Account | None = None,
        *,
        offer: str | None = "sip offer",
        remote: str = '"Ana" <sip:+16465550175@acme.example>',
        call_id: str = "",
    ) -> None:
        self.account = account
        self.call_id = call_id
        self.remote_offer = offer
        self.remote = sip.NameAddr.parse(remote)
        self.asserted_identity: sip.NameAddr | None = None
        self.on_event: Callable[[sip.CallEvent], None] = lambda event: None
        self.did: list[tuple[Any, ...]] = []
        self.is_ended = False
        # Its library would not send another REFER now.
        self.is_referring = False
        self.replaced: FakeLeg | None = None
        self.request = SimpleNamespace(headers=sip.Headers())

    def ring(self) -> None:
        self.did.append(("ring",))

    def answer(self, sdp: str) -> None:
        self.did.append(("answer", sdp))

    def reject(self, status: int) -> None:
        self.did.append(("reject", status))

    def hangup(self, reason: sip.Reason | None) -> None:
        self.did.append(("hangup", reason))

    def reinvite(self, sdp: str) -> None:
        self.did.append(("reinvite", sdp))

    def accept_offer(self, sdp: str) -> None:
        self.did.append(("accept_offer", sdp))

    def reject_offer(self, status: int) -> None:
        self.did.append(("reject_offer", status))

    def info(self, content_type: str, body: bytes) -> None:
        self.did.append(("info", content_type, body))

    def transfer(
        self, target: sip.Uri, *, replaces: sip.Replaces | None = None
    ) -> None:
        if self.is_referring:
            raise sip.LocalProtocolError("a transfer is under way")
        self.did.append(("transfer", str(target), *filter(None, [replaces])))

    @property
    def as_replaces(self) -> sip.Replaces:
        return sip.Replaces(self.call_id, "theirs", "ours")

    def accept_transfer(self) -> bool:
        self.did.append(("accept_transfer",))
        return not self.is_ended

    def refuse_transfer(self, status: int) -> None:
        self.did.append(("refuse_transfer", status))

    def report_transfer(self, status: int) -> None:
        self.did.append(("report_transfer", status))


class FakeRegistration:
    def __init__(self, changed: Callable[[sip.RegistrationState], None]) -> None:
        self.changed = changed
        self.did: list[str] = []
        # What removing the binding waits for.
        self.at_the_registrar: Callable[[], Awaitable[object]] | None = None

    def start(self) -> None:
        self.did.append("start")
        self.changed(sip.RegistrationState(status="registered"))

    async def stop(self) -> None:
        self.did.append("stop")
        if self.at_the_registrar is not None:
            await self.at_the_registrar()

    def retry(self) -> None:
        self.did.append("retry")


class FakeSubscription:
    """What the server tells comes by ``tell``."""

    def __init__(
        self,
        notify: Callable[[sip.Notification], None],
        changed: Callable[[sip.SubscriptionInfo], None],
    ) -> None:
        self.notify = notify
        self.changed = changed
        self.did: list[str] = []
        self._version = 0

    def tell(self, *dialogs: str) -> None:
        """A whole document of these elements."""
        self._version += 1
        if self._version == 1:
            self.changed(sip.SubscriptionInfo("active"))
        text = (
            '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" '
            f'version="{self._version}" state="full" entity="sip:1000@acme.example">'
            f"{''.join(dialogs)}</dialog-info>"
        )
        self.notify(
            sip.Notification(
                "application/dialog-info+xml",
                text.encode(),
                is_first=self._version == 1,
            )
        )

    def start(self) -> None:
        self.did.append("start")

    def retry(self) -> None:
        self.did.append("retry")

    async def stop(self) -> None:
        self.did.append("stop")


class FakeTelephony:
    def __init__(self) -> None:
        self.subscriptions: list[FakeSubscription] = []
        self.dialled_by: list[sip.Account] = []
        self.registrations: list[FakeRegistration] = []
        self.dialled: list[tuple[str, str]] = []
        # Replaces and Referred-By of each.
        self.referred: list[tuple[sip.Replaces | None, sip.NameAddr | None]] = []
        self.legs: list[FakeLeg] = []
        self.removed: list[sip.Account] = []

    def registration(
        self, account: sip.Account, on_change: Callable[[Any], None]
    ) -> FakeRegistration:
        self.registrations.append(FakeRegistration(on_change))
        return self.registrations[-1]

    def subscription(
        self,
        account: sip.Account,
        target: sip.Uri,
        *,
        event: str,
        accept: tuple[str, ...],
        on_notify: Callable[[sip.Notification], None],
        on_change: Callable[[sip.SubscriptionInfo], None],
    ) -> FakeSubscription:
        assert (event, target) == ("dialog", account.aor)
        self.subscriptions.append(FakeSubscription(on_notify, on_change))
        return self.subscriptions[-1]

    def call(
        self,
        account: sip.Account,
        target: sip.Uri,
        offer: str,
        on_event: Callable[[sip.CallEvent], None],
        *,
        replaces: sip.Replaces | None = None,
        referred_by: sip.NameAddr | None = None,
    ) -> FakeLeg:
        self.dialled.append((str(target), offer))
        self.referred.append((replaces, referred_by))
        self.dialled_by.append(account)
        leg = FakeLeg(account, call_id=f"made-{len(self.legs)}", remote=f"<{target}>")
        leg.on_event = on_event
        self.legs.append(leg)
        return leg

    def remove_account(self, account: sip.Account) -> None:
        self.removed.append(account)


class FakeJournal:
    def __init__(self) -> None:
        self.begun: list[CallRecord] = []
        self.again: list[CallRecord] = []
        self.past: tuple[CallView, ...] = ()
        self.flushed: list[int] = []
        self.may_keep = asyncio.Event()
        self.may_keep.set()
        self.taken: list[tuple[str, float]] = []
        self.passed: list[CallRecord] = []
        self.over: list[CallRecord] = []
        self.unmatched: list[bool] = []
        self.renamed: list[tuple[str, CrmRecord]] = []
        self.renamed_about: list[CrmRecord | None] = []
        self.worked_on: list[CallRecord] = []
        # What the history has, and the calls in it whose activity was refused.
        self.old: dict[tuple[UserKey, str], KeptCall] = {}
        self.refused: set[tuple[UserKey, str]] = set()
        self.written: list[Activity] = []

    def started(self, record: CallRecord) -> None:
        self.begun.append(record)

    def resumed(self, record: CallRecord) -> None:
        self.again.append(record)

    def answered(self, user: UserKey, call_id: str, at: float) -> None:
        self.taken.append((call_id, at))

    def passed_on(self, record: CallRecord) -> None:
        self.passed.append(record)

    def ended(
        self, user: User, record: CallRecord, *, match_is_open: bool
    ) -> ActivityView:
        self.over.append(record)
        self.unmatched.append(match_is_open)
        activity = compose(record, user)
        if activity is None:
            return ActivityView(state=ActivityState.NONE)
        self.written.append(activity)
        return ActivityView(state=ActivityState.WAITING)

    def record_chosen(
        self,
        user: User,
        call_id: str,
        record: CrmRecord,
        about: CrmRecord | None = None,
    ) -> None:
        self.renamed.append((call_id, record))
        self.renamed_about.append(about)

    def worked(self, user: User, record: CallRecord) -> None:
        self.worked_on.append(record)

    async def find(self, user: UserKey, call_id: str) -> KeptCall | None:
        return self.old.get((user, call_id))

    async def in_wrap_up(self, user: UserKey) -> tuple[KeptCall, ...]:
        return tuple(
            kept
            for (key, _), kept in self.old.items()
            if key == user and kept.view.work.state is WorkState.WRAP_UP
        )

    async def retry_activity(self, user: UserKey, call_id: str) -> bool:
        was_refused = (user, call_id) in self.refused
        self.refused.discard((user, call_id))
        return was_refused

    async def flush(self) -> None:
        self.flushed.append(len(self.begun))
        await self.may_keep.wait()

    async def history(
        self, user: UserKey, *, limit: int, before: float | None
    ) -> tuple[CallView, ...]:
        return self.past


class FakeConnector:
    """A CRM whose answers wait for the test, or come at once."""

    def __init__(self) -> None:
        self.records: tuple[CrmRecord, ...] = ()
        self.error: CrmError | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[str] = []
        # What is found by a key, and to call.
        self.by_key = FoundByKey()
        self.callable: tuple[CrmRecord, ...] = ()
        self.prepared: list[str] = []
        self.drafts: list[ContactDraft] = []

    async def find_by_number(self, user: CrmUser, e164: str) -> tuple[CrmRecord, ...]:
        self.asked.append(e164)
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return self.records

    async def find_by_key(
        self, user: CrmUser, key: str, fields: Mapping[str, str]
    ) -> FoundByKey:
        self.asked.append(f"{key} in {fields}")
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return self.by_key

    async def find_callable(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        self.asked.append(text)
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return self.callable

    def may_be_about(self, kind: str) -> bool:
        return kind == "Case"

    async def prepare(self, user: CrmUser) -> None:
        self.prepared.append(user.id)

    async def create_contact(self, user: CrmUser, draft: ContactDraft) -> CrmRecord:
        self.drafts.append(draft)
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return CrmRecord(
            "003NEW",
            "Contact",
            draft.last_name,
            "https://crm/003NEW",
            email=draft.email,
        )

    async def find_people(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        self.asked.append(text)
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return self.records

    async def write_activity(
        self,
        activity: Activity,
        earlier: Sequence[Activity] = (),
        *,
        urgent: bool = True,
    ) -> WrittenActivity:
        raise AssertionError("calls never write activities themselves")

    async def activity_facts(self, user: CrmUser) -> ActivityFacts:
        raise AssertionError("calls never ask for them")

    async def write_meeting(self, meeting: Meeting) -> WrittenActivity:
        raise AssertionError("calls never write meetings")

    async def close(self) -> None:
        self.may_answer.set()


class FakePresences:
    def __init__(self) -> None:
        self.silent: set[UserKey] = set()

    async def is_silent(self, user: UserKey) -> bool:
        return user in self.silent

    async def set_silent(self, user: UserKey, *, is_silent: bool) -> None:
        (self.silent.add if is_silent else self.silent.discard)(user)


class FakeInvites:
    """Admits whom the test lets in; ``news`` is what it heard of their calls."""

    def __init__(self) -> None:
        self.passes: dict[UserKey, GuestPass] = {}
        self.asked: list[UserKey] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        # (guest's id, in call, answered)
        self.news: list[tuple[str, bool, bool]] = []

    async def admit(self, guest: User) -> GuestPass:
        self.asked.append(guest.key)
        await self.may_answer.wait()
        if guest.key not in self.passes:
            raise RequestError(ErrorKind.INVITE_CLOSED, "Not now.")
        return self.passes[guest.key]

    def call_changed(
        self, invite_id: str, guest_id: str, *, in_call: bool, answered: bool
    ) -> None:
        assert invite_id.startswith("inv")
        self.news.append((guest_id, in_call, answered))


@dataclass
class World:
    """A call service amid fakes; ``events`` what each user's session was told."""

    clock: FakeClock = field(default_factory=FakeClock)
    engine: FakeEngine = field(default_factory=FakeEngine)
    telephony: Any = field(default_factory=FakeTelephony)
    journal: FakeJournal = field(default_factory=FakeJournal)
    connector: FakeConnector = field(default_factory=FakeConnector)
    invites: FakeInvites = field(default_factory=FakeInvites)
    presences: FakePresences = field(default_factory=FakePresences)
    events: list[tuple[UserKey, str, dict[str, Any]]] = field(default_factory=list)
    accounts: dict[UserKey, sip.Account] = field(
        default_factory=lambda: {u.key: account(u) for u in (ROBIN, SAM, ELSE)}
    )
    guest_account: sip.Account = field(default_factory=lambda: GUEST_ACCOUNT)
    globex_guests: sip.Account | None = None
    caller_key: CallerKeyRule = NO_KEY
    transfers: TransfersFromOutside = TransfersFromOutside.REFUSE
    work: WorkRules = field(default_factory=lambda: WorkRules(is_logged=True))

    def __post_init__(self) -> None:
        self.services = Services(
            engine=self.engine,
            publisher=self,
            journal=self.journal,
            limits=CallLimits(),
            now=self.clock.now,
            later=self.clock.later,
        )
        self.service = CallService(
            services=self.services,
            telephony=self.telephony,
            accounts=self.accounts,
            tenants={
                "acme": TenantLine(
                    "acme.example",
                    "US",
                    "Salesforce",
                    connector=self.connector,
                    guest_account=self.guest_account,
                    caller_key=self.caller_key,
                    transfers_from_outside=self.transfers,
                    work=lambda: self.work,
                ),
                "globex": TenantLine(
                    "globex.example", "US", guest_account=self.globex_guests
                ),
            },
            presences=self.presences,
            rng=random.Random(7),
            is_colleague=self.is_colleague,
        )
        self.service.use_invites(self.invites)

    def is_colleague(self, tenant: str, username: str) -> bool:
        return any(
            key.tenant == tenant and account.aor.user == username
            for key, account in self.accounts.items()
        )

    def publish(self, user: UserKey, event: type[Event], **fields: Any) -> None:
        # As a real session does: refuses what the wire types refuse.
        event(seq=1, at=0, **fields)
        kind = str(event.model_fields["type"].default)
        self.events.append((user, kind, fields))

    def kinds(self, user: User = ROBIN) -> list[str]:
        return [
            kind
            for key, kind, _ in self.events
            if key == user.key and kind != "registration.state"
        ]

    def call(self, user: User = ROBIN) -> CallView:
        (view,) = self.service.snapshot(user).calls
        return view

    def last(self, kind: str) -> dict[str, Any]:
        return next(f for _, k, f in reversed(self.events) if k == kind)

    @property
    def media_id(self) -> MediaCallId:
        """Of the one call in the engine, also after it has lost it."""
        return self.engine.opened[-1]

    @property
    def registration(self) -> Registration:
        return self.service.snapshot(ROBIN).registration


@asynccontextmanager
async def signed_in(world: World) -> AsyncIterator[World]:
    """The world with Robin signed in and registered; it must leave nothing behind."""
    task = asyncio.create_task(world.service.run())
    await world.service.session_opened(ROBIN)
    yield world
    await world.service.close()
    await asyncio.wait_for(task, 5)
    await settle()
    # Nothing is left behind, whatever the test did.
    assert world.engine.open_calls == set()
    assert world.service.active_calls == 0
    assert world.clock.waiting == 0


def account(user: User) -> sip.Account:
    domain = f"{user.key.tenant}.example"
    return sip.Account(
        aor=sip.Uri.parse(f"sip:{user.number}@{domain}"),
        username=user.number,
        password=sip.Secret("secret"),
        registrar=sip.Uri.parse("sip:127.0.0.1:5060"),
    )


async def settle() -> None:
    """Let every task that can run now, run."""
    for _ in range(20):
        await asyncio.sleep(0)
