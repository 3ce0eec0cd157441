"""The user agent: the face of the library.

::

    agent = UserAgent(AgentConfig(bind_host="127.0.0.1"))
    agent.on_invite = lambda call: call.ring()
    await agent.start()
    registration = agent.registration(account, on_change)
    registration.start()
    call = agent.call(account, Uri.parse("sip:1001@example.com"), offer, on_event)
    ...
    await agent.close()

An incoming INVITE is for the account whose registered contact its Request-URI names
by the contact's own user part; an application server that rewrites the Request-URI is
met by looking at the AoR there, in P-Called-Party-ID (RFC 7315) and in To.

What this version does not do has its place: another transport is a further branch of
``Transports`` and a service in ``locate``; PRACK and session timers are requests of
``Session``. REFER is taken within calls only, and SUBSCRIBE only for its reports.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sip.account import Account
from sip.account_book import AccountBook
from sip.call import Call
from sip.call_events import CallEvent
from sip.call_incoming import IncomingCall
from sip.call_outgoing import OutgoingCall
from sip.clock import Clock, LoopClock
from sip.compose import response_to
from sip.core import ALLOW, SUPPORTED, Core
from sip.counters import Counters
from sip.dialog import DialogId, EndedDialogs
from sip.errors import LocalProtocolError, ParseError
from sip.locate import Locator, Resolver
from sip.message import Request, Response
from sip.proving import Proof, prove
from sip.refer import EXTENSIONS, Unfit
from sip.registering import Registration, RegistrationPacer
from sip.registration import RegistrationState
from sip.replaces import Replaces
from sip.replacing import find_replaced, named_dialog
from sip.session import ACCEPT
from sip.subscribing import DEFAULT_EXPIRES_S, Subscription
from sip.subscription import Notification, SubscriptionInfo
from sip.transaction import TimerValues
from sip.transaction_layer import ServerTransaction, TransactionLayer
from sip.transport import Protocols, Source, Wire
from sip.transports import Transports
from sip.uri import NameAddr, Uri
from sip.validation import validate_request

_log = logging.getLogger("sip.agent")

Verdict = Response | Literal["accept", "drop"]

INVITE_BODIES = ("application/sdp", "multipart/mixed", "multipart/alternative")
# Requests that make sense only within a dialog or subscription.
IN_DIALOG_METHODS = frozenset({"BYE", "INFO", "UPDATE", "PRACK", "NOTIFY"})
BUSY_RETRY_AFTER_S = 5
# What may be required of us, by method.
EXTENSIONS_OF = MappingProxyType(
    {"INVITE": frozenset({"replaces"}), "REFER": EXTENSIONS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """Settings of a user agent.

    Attributes:
        bind_host: a numeric address; ``0.0.0.0`` needs ``advertised_host``.
        bind_port: 0 takes a free one, the same for UDP and TCP.
        advertised_host: what Via and Contact say, when others see us elsewhere.
        t1_s: scales all transaction timers; for tests.
        max_calls: further INVITEs get 503.
        max_ring_s: an INVITE that is neither answered nor cancelled by then, or by
            its own Expires, gets 487.
        registrations_per_s: of all accounts together, after a first burst.
        close_timeout_s: how long ``close`` waits for answers.
    """

    bind_host: str
    bind_port: int = 0
    advertised_host: str | None = None
    advertised_port: int | None = None
    transports: tuple[Protocols, ...] = ("udp", "tcp")
    user_agent: str = "Ringbridge/0.1"
    t1_s: float = 0.5
    max_calls: int = 2000
    max_ring_s: float = 300.0
    registrations_per_s: float = 50.0
    registration_burst: int = 50
    close_timeout_s: float = 2.0

    def __post_init__(self) -> None:
        address = ipaddress.ip_address(self.bind_host)
        if address.is_unspecified and self.advertised_host is None:
            raise ValueError(f"{self.bind_host} needs an advertised_host")
        if not self.transports:
            raise ValueError("at least one transport is needed")


def _refuse(call: IncomingCall) -> None:
    call.reject(480)


class UserAgent:
    """Makes and takes calls for any number of accounts.

    Args:
        clock: defaults to the loop's.
        rng: source of tags, branches and jitter; defaults to the system's.
        resolver: of DNS; defaults to the system's.
        wire: stands in for the network; then ``receive`` takes what comes.
    """

    def __init__(
        self,
        config: AgentConfig,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        *,
        resolver: Resolver | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.config = config
        self.counters = Counters()
        # Set before start(); called with a call that rings nowhere yet.
        self.on_invite: Callable[[IncomingCall], None] = _refuse
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self._resolver = resolver
        self._wire = wire
        self._transports: Transports | None = None
        self._core_or_none: Core | None = None
        self._pacer: RegistrationPacer | None = None
        # By the user part of their contact.
        self._registrations: dict[str, Registration] = {}
        self._subscriptions: set[Subscription] = set()
        self._accounts = AccountBook()
        self._is_closing = False
        self._idle_changed = asyncio.Event()

    async def start(self) -> None:
        """Bind and be ready.

        Raises:
            OSError: an address cannot be bound.
        """
        config = self.config
        clock = self._clock or LoopClock()
        wire = self._wire
        if wire is None:
            wire = self._transports = Transports(
                receiver=self,
                counters=self.counters,
                rng=self._rng,
                bind_host=config.bind_host,
                bind_port=config.bind_port,
                advertised_host=config.advertised_host,
                advertised_port=config.advertised_port,
                names=config.transports,
            )
            await self._transports.start()
        timers = TimerValues.scaled(config.t1_s)
        layer = TransactionLayer(
            wire=wire,
            user=self,
            clock=clock,
            rng=self._rng,
            timers=timers,
            counters=self.counters,
        )
        self._pacer = RegistrationPacer(
            clock,
            rate_per_s=config.registrations_per_s,
            burst=config.registration_burst,
        )
        self._core_or_none = Core(
            clock=clock,
            rng=self._rng,
            timers=timers,
            counters=self.counters,
            wire=wire,
            locator=Locator(
                rng=self._rng,
                now=clock.now,
                resolver=self._resolver,
                transports=config.transports,
            ),
            user_agent=config.user_agent,
            max_ring_s=config.max_ring_s,
            layer=layer,
            presences={},
            sessions={},
            ended=EndedDialogs(),
            subscriptions={},
            calls=set(),
            tasks=set(),
            idle_changed=self._idle_changed.set,
        )

    async def close(self) -> None:
        """End all calls and registrations politely, then free everything.

        Takes at most ``close_timeout_s`` beyond what closing sockets takes.
        """
        core = self._core_or_none
        if core is None or self._is_closing:
            return
        self._is_closing = True
        for call in list(core.calls):
            call.hangup()
        try:
            async with asyncio.timeout(self.config.close_timeout_s):
                await asyncio.gather(
                    *(each.stop() for each in list(self._registrations.values())),
                    *(each.stop() for each in list(self._subscriptions)),
                    self._until_idle(core),
                )
        except TimeoutError:
            _log.info("closing without waiting for %d calls", len(core.calls))
        await self._free(core)

    async def _until_idle(self, core: Core) -> None:
        while core.calls or core.sessions:
            self._idle_changed.clear()
            await self._idle_changed.wait()

    async def _free(self, core: Core) -> None:
        for registration in list(self._registrations.values()):
            registration.close()
        for subscription in list(self._subscriptions):
            subscription.close()
        for call in list(core.calls):
            call.close()
        for session in list(core.sessions.values()):
            session.close()
        if self._pacer is not None:
            self._pacer.close()
        core.layer.close()
        for task in list(core.tasks):
            task.cancel()
        if core.tasks:
            await asyncio.wait(core.tasks)
        if self._transports is not None:
            await self._transports.close()

    # -- for the user ------------------------------------------------------------------

    def local_address(self, transport: Protocols) -> tuple[str, int]:
        """Host and port that transport is bound to.

        Raises:
            OSError: it was not started.
        """
        if self._transports is None:
            raise OSError("no transport was started")
        return self._transports.local_address(transport)

    def registration(
        self, account: Account, on_change: Callable[[RegistrationState], None]
    ) -> Registration:
        """A registration, not yet started.

        Raises:
            LocalProtocolError: the agent was not started, or is closed.
        """
        core = self._core
        assert self._pacer is not None
        registration = Registration(
            core, self._pacer, account, on_change, self._registration_gone
        )
        self._registrations[registration.contact.user or ""] = registration
        self.add_account(account)
        return registration

    def subscription(
        self,
        account: Account,
        target: Uri,
        *,
        event: str,
        accept: Sequence[str],
        on_notify: Callable[[Notification], None],
        on_change: Callable[[SubscriptionInfo], None],
        expires_s: int = DEFAULT_EXPIRES_S,
    ) -> Subscription:
        """A subscription, not yet started (RFC 6665).

        Args:
            target: whose state is of interest, e.g. the account's own AoR.
            event: the package, e.g. ``dialog`` (RFC 4235).
            accept: media types that ``on_notify`` can read; others get 415.

        Raises:
            LocalProtocolError: not started or closed; ``target`` is no SIP URI.
        """
        core = self._core
        assert self._pacer is not None
        subscription = Subscription(
            core,
            self._pacer,
            account,
            target,
            event=event,
            accept=tuple(each.lower() for each in accept),
            expires_s=expires_s,
            on_notify=on_notify,
            on_change=on_change,
            on_gone=self._subscriptions.discard,
        )
        self._subscriptions.add(subscription)
        return subscription

    async def prove(self, account: Account) -> Proof:
        """Whether the registrar takes the account's password; nobody is registered.

        Raises:
            LocalProtocolError: the agent was not started, or is closed.
        """
        return await prove(self._core, account)

    def add_account(self, account: Account) -> None:
        """Take calls to this AoR, also without registering it."""
        self._accounts.add(account)

    def remove_account(self, account: Account) -> None:
        """Undo one ``add_account``; calls that exist go on."""
        self._accounts.remove(account)
        if self._core_or_none is not None and account not in self._accounts:
            self._core_or_none.presences.pop(account, None)

    def call(
        self,
        account: Account,
        target: Uri,
        offer: str | None,
        on_event: Callable[[CallEvent], None],
        headers: Sequence[tuple[str, str]] = (),
        *,
        replaces: Replaces | None = None,
        referred_by: NameAddr | None = None,
    ) -> OutgoingCall:
        """Send an INVITE.

        Args:
            offer: SDP; None leaves the offer to the callee, and ``accept_offer`` must
                answer what comes with ``Answered``.
            headers: further ones for the INVITE, such as ``X-``… or Subject.
            replaces: the dialog at the callee whose place the call is to take; who
                knows nothing of that answers 420 (RFC 3891 4).
            referred_by: who asked for this call, of a ``TransferRequested``.

        Raises:
            LocalProtocolError: not started or closed; ``target`` is no SIP URI.
            InvalidValue: a value contains a line break.
        """
        call = OutgoingCall(
            self._core,
            account,
            target,
            offer=offer,
            on_event=on_event,
            headers=[*headers, *_transfer_headers(replaces, referred_by)],
        )
        self.counters.count("calls_outgoing")
        call.start()
        return call

    @property
    def calls(self) -> frozenset[Call]:
        """All calls that are not quite over."""
        core = self._core_or_none
        return frozenset() if core is None else frozenset(core.calls)

    @property
    def transaction_count(self) -> int:
        """Transactions in memory; zero again some time after the last message."""
        core = self._core_or_none
        return 0 if core is None else len(core.layer)

    @property
    def _core(self) -> Core:
        if self._core_or_none is None or self._is_closing:
            raise LocalProtocolError("the user agent is not started, or closed")
        return self._core_or_none

    def _registration_gone(self, registration: Registration) -> None:
        user = registration.contact.user or ""
        if self._registrations.pop(user, None) is not None:
            self.remove_account(registration.account)

    # -- from the transports -----------------------------------------------------------

    def receive(self, message: Request | Response, source: Source) -> None:
        """Part of ``Receiver``."""
        if self._core_or_none is not None:
            self._core_or_none.layer.receive(message, source)

    def receive_malformed(self, error: ParseError, source: Source) -> None:
        """Part of ``Receiver``."""
        if self._core_or_none is not None:
            self._core_or_none.layer.receive_malformed(error, source)

    def connection_lost(self, connection: int) -> None:
        """Part of ``Receiver``."""
        if self._core_or_none is None:
            return
        self._core_or_none.layer.connection_lost(connection)
        for registration in list(self._registrations.values()):
            registration.connection_lost(connection)

    # -- from the transaction layer ----------------------------------------------------

    def screen(self, request: Request, source: Source) -> Verdict:
        """Part of ``LayerUser``: refuse without state what is not for us."""
        bodies: tuple[str, ...] = INVITE_BODIES
        if request.method in ("INFO", "NOTIFY") and request.content_type is not None:
            # Judged by who takes it.
            bodies = (*bodies, request.content_type)
        rejection = validate_request(
            request,
            supported_bodies=bodies,
            supported_extensions=EXTENSIONS_OF.get(request.method, frozenset()),
        )
        if rejection is not None:
            return self._refusal(request, rejection.status, rejection.headers)
        if request.method != "INVITE" and "Replaces" in request.headers:
            return self._refusal(request, 400)  # RFC 3891 3
        if request.to.tag is not None:
            core = self._core_always
            if DialogId.of_request(request) in core.sessions:
                return "accept"
            subscription = core.subscriptions.get(_notified_key(request))
            if subscription is None or request.method != "NOTIFY":
                return self._refusal(request, 481)
            account = subscription.account
            if not account.trusts(source.host):
                return self._turn_away(request, drop=account.untrusted == "drop")
            return "accept"
        return self._screen_outside(request, source)

    def on_request(self, transaction: ServerTransaction) -> None:
        """Part of ``LayerUser``."""
        core = self._core_always
        request = transaction.request
        if request.to.tag is not None:
            self._on_request_within(core, transaction)
            return
        if core.layer.is_merged(transaction):
            self.counters.count("requests_merged")
            transaction.answer(482)
            return
        found = self._find_account(request)
        if found is None:
            transaction.answer(404)
            return
        account, user = found
        replaced = self._find_replaced(request, account)
        self.counters.count("calls_incoming")
        contact = core.contact(user, transaction.source.transport)
        call = IncomingCall(
            core,
            account,
            transaction,
            contact=contact,
            replaced=replaced if isinstance(replaced, Call) else None,
        )
        try:
            self.on_invite(call)
        except Exception:
            # A user's mistake must not leave a caller waiting; this is the root.
            self.counters.count("callback_errors")
            _log.exception("on_invite failed for call %s", call.call_id)
            if not call.is_ended and transaction.is_answerable:
                call.reject(500)

    def _on_request_within(self, core: Core, transaction: ServerTransaction) -> None:
        request = transaction.request
        session = core.sessions.get(DialogId.of_request(request))
        subscription = core.subscriptions.get(_notified_key(request))
        if session is not None:
            session.receive_request(transaction)
        elif subscription is not None and request.method == "NOTIFY":
            subscription.receive_notify(transaction)
        else:
            transaction.answer(481)

    def on_ack(self, ack: Request, source: Source) -> None:
        """Part of ``LayerUser``."""
        session = self._core_always.sessions.get(DialogId.of_request(ack))
        if session is None:
            self.counters.count("acks_stray")
        else:
            session.receive_ack(ack)

    @property
    def _core_always(self) -> Core:
        assert self._core_or_none is not None
        return self._core_or_none

    def _screen_outside(self, request: Request, source: Source) -> Verdict:
        """Judge a request outside of any dialog."""
        if not self._accounts.knows(source.host):
            return self._turn_away(request, drop=self._accounts.drops_strangers)
        match request.method:
            case "INVITE":
                return self._screen_invite(request, source)
            case "OPTIONS":
                return self._refusal(request, 200, (ALLOW, ACCEPT, SUPPORTED))
            case "REFER" | "MESSAGE":
                return self._refusal(request, 403)
            case "SUBSCRIBE":
                return self._refusal(request, 489)
            case method if method in IN_DIALOG_METHODS:
                return self._refusal(request, 481)
            case _:
                return self._refusal(request, 405, (ALLOW,))

    def _screen_invite(self, request: Request, source: Source) -> Verdict:
        if self._is_closing:
            return self._refusal(request, 480)
        found = self._find_account(request)
        if found is None:
            # The contact of a dialog that has ended is nobody's.
            unfit = self._find_replaced(request, None)
            status = unfit.status if isinstance(unfit, Unfit) else 404
            return self._refusal(request, status)
        account, _ = found
        if not account.trusts(source.host):
            return self._turn_away(request, drop=account.untrusted == "drop")
        replaced = self._find_replaced(request, account)
        if isinstance(replaced, Unfit):
            _log.info("an INVITE with Replaces is refused: %s", replaced.detail)
            return self._refusal(request, replaced.status)
        if len(self._core_always.calls) >= self.config.max_calls:
            retry = ("Retry-After", str(BUSY_RETRY_AFTER_S))
            return self._refusal(request, 503, (retry,))
        return "accept"

    def _turn_away(self, request: Request, *, drop: bool) -> Verdict:
        self.counters.count("requests_untrusted")
        return "drop" if drop else self._refusal(request, 403)

    def _refusal(
        self, request: Request, status: int, headers: Sequence[tuple[str, str]] = ()
    ) -> Response:
        if status >= 300:
            self.counters.count("requests_refused")
        tag = self._core_always.layer.stateless_tag(request)
        return response_to(request, status, to_tag=tag, headers=headers)

    def _find_account(self, request: Request) -> tuple[Account, str] | None:
        """Whom an INVITE is for, and the user part our contact then has."""
        user = request.uri.user or ""
        registration = self._registrations.get(user)
        if registration is not None:
            return registration.account, user
        account = self._accounts.find(request) or self._account_replaced(request)
        if account is None:
            return None
        return account, self._core_always.presence(account).contact_user

    def _account_replaced(self, request: Request) -> Account | None:
        """Whose contact in the call to be replaced the Request-URI names.

        That contact may be nobody's registered one: the account registers elsewhere.
        """
        try:
            replaces = Replaces.of_headers(request.headers)
        except ParseError:
            return None
        if replaces is None:
            return None
        sessions = self._core_always.sessions
        session = sessions.get(named_dialog(replaces, sessions))
        if session is None or session.contact.user != request.uri.user:
            return None
        return session.user.account if isinstance(session.user, Call) else None

    def _find_replaced(
        self, request: Request, account: Account | None
    ) -> Call | Unfit | None:
        core = self._core_always
        return find_replaced(
            request, account, core.sessions, core.ended, core.clock.now()
        )


def _notified_key(request: Request) -> tuple[str, str]:
    return request.call_id, request.to.tag or ""


def _transfer_headers(
    replaces: Replaces | None, referred_by: NameAddr | None
) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    if replaces is not None:
        headers += [("Replaces", str(replaces)), ("Require", "replaces")]
    if referred_by is not None:
        headers.append(("Referred-By", str(referred_by)))
    return headers
