"""Matches messages to transactions and carries out what the machines decide.

It is the floor for a user agent (``sip.agent``) and equally for a stateful forking
proxy, because it takes no position on what a request means:

* A new request reaches ``LayerUser.on_request`` as a ``ServerTransaction`` with the
  request as received (plus ``received``/``rport`` in its topmost Via).
  ``LayerUser.screen`` may drop or answer it before any state is made.
* ``send_request`` starts one client transaction towards a given numeric target: call
  it once per branch, each with its own copy of the request (new Request-URI, Max-
  Forwards lowered, Record-Route added). It prepends our Via with a fresh branch, or
  the one given. Responses come to that branch's ``ClientUser`` with our Via still on
  top; ``without_top_via`` gives what a proxy forwards.
* ``ServerTransaction.respond`` sends any response upstream as it is, provisional
  ones of many branches and several 2xx included (RFC 6026 7.1).
* ``ClientTransaction.cancel`` cancels one branch as soon as that is allowed. A CANCEL
  from upstream is answered here and reaches ``ServerUser.on_cancel``.
* An ACK for a 2xx belongs to no transaction: it reaches ``LayerUser.on_ack``, and
  ``send_stateless`` forwards it.

All calls are made from one thread. Callbacks run after the machine has moved.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterable
from typing import Literal, Protocol, assert_never

from sip.clock import Clock, TimerHandle
from sip.compose import HeaderLines, cancel_for, response_to, without_top_via
from sip.counters import Counters
from sip.errors import LocalProtocolError, ParseError, SipError
from sip.headers import MAGIC_COOKIE, Via
from sip.message import Request, Response
from sip.transaction import (
    Deliver,
    Effects,
    Fail,
    FailureKind,
    Send,
    SendCancel,
    State,
    Terminate,
    TimerValues,
    Transaction,
)
from sip.transaction_ict import InviteClientTransaction
from sip.transaction_ist import InviteServerTransaction
from sip.transaction_nict import NonInviteClientTransaction
from sip.transaction_nist import NonInviteServerTransaction
from sip.transport import (
    Protocols,
    Source,
    Target,
    Wire,
    is_reliable,
    response_target,
)

__all__ = [
    "ClientTransaction",
    "ClientUser",
    "LayerUser",
    "ServerTransaction",
    "ServerUser",
    "TransactionLayer",
    "without_top_via",
]

_log = logging.getLogger("sip.transaction")

# A flood must not fill the memory with server transactions of 32 s each.
MAX_SERVER_TRANSACTIONS = 20_000

ClientKey = tuple[str, str]
ServerKey = tuple[str, ...]
MergeKey = tuple[str, str, int, str, str]


class ClientUser(Protocol):
    """Who started a client transaction."""

    def on_response(self, response: Response) -> None:
        """A provisional or final response; of 2xx to INVITE also every repetition."""

    def on_failure(self, kind: FailureKind) -> None:
        """No final response will come."""


class ServerUser(Protocol):
    """Who answers a server transaction."""

    def on_cancel(self, cancel: Request) -> None:
        """The INVITE is to be given up; the CANCEL itself is already answered."""

    def on_failure(self, kind: FailureKind) -> None:
        """A response could not be sent, or was never acknowledged."""


class LayerUser(Protocol):
    """Who takes what no transaction expects."""

    def screen(
        self, request: Request, source: Source
    ) -> Response | Literal["accept", "drop"]:
        """Look at a new request before any state is made for it.

        A response is sent without state (RFC 3261 8.2.7).
        """

    def on_request(self, transaction: ServerTransaction) -> None:
        """A new request other than ACK and CANCEL; set ``transaction.user``."""

    def on_ack(self, ack: Request, source: Source) -> None:
        """An ACK that does not belong to a 3xx-6xx of ours."""


class ClientTransaction:
    """One request on its way to one target."""

    def __init__(
        self,
        layer: TransactionLayer,
        machine: InviteClientTransaction | NonInviteClientTransaction,
        target: Target,
        user: ClientUser | None,
    ) -> None:
        self.target = target
        self._layer = layer
        self._machine = machine
        self._user = user
        # Extra headers of the CANCEL, from cancel() until it is sent.
        self._cancel_headers: HeaderLines = ()
        # The connection the request went out on; None for datagrams.
        self.connection: int | None = None
        self.timer: TimerHandle | None = None

    @property
    def request(self) -> Request:
        """The request as sent, our Via on top."""
        return self._machine.request

    @property
    def state(self) -> State:
        """The state of its machine."""
        return self._machine.state

    @property
    def machine(self) -> InviteClientTransaction | NonInviteClientTransaction:
        """The machine behind it; for the layer."""
        return self._machine

    @property
    def user(self) -> ClientUser | None:
        """Who is told; None for a CANCEL, whose outcome is the INVITE's."""
        return self._user

    def cancel(self, headers: HeaderLines = ()) -> None:
        """Cancel an INVITE, now or after its first provisional response (9.1).

        Args:
            headers: for the CANCEL, such as Reason.

        Raises:
            LocalProtocolError: it is no INVITE.
        """
        if not isinstance(self._machine, InviteClientTransaction):
            raise LocalProtocolError("only an INVITE can be cancelled")
        self._cancel_headers = headers
        self._layer.run(self, self._machine.cancel(self._layer.now()))

    def abandon(self) -> None:
        """Forget it at once, without telling anybody."""
        self._layer.forget(self)

    def start_cancel(self) -> None:
        """Send the CANCEL as a transaction of its own; for the layer."""
        self._layer.start_client(
            cancel_for(self.request, self._cancel_headers), self.target, None
        )


class ServerTransaction:
    """One request that came to us."""

    def __init__(
        self,
        layer: TransactionLayer,
        machine: InviteServerTransaction | NonInviteServerTransaction,
        source: Source,
        key: ServerKey,
        local_tag: str,
    ) -> None:
        self.source = source
        self.key = key
        # For the To of every response we make ourselves.
        self.local_tag = local_tag
        self.user: ServerUser | None = None
        self._layer = layer
        self._machine = machine
        self.timer: TimerHandle | None = None

    @property
    def request(self) -> Request:
        """The request as received, ``received`` and ``rport`` filled in."""
        return self._machine.request

    @property
    def state(self) -> State:
        """The state of its machine."""
        return self._machine.state

    @property
    def machine(self) -> InviteServerTransaction | NonInviteServerTransaction:
        """The machine behind it; for the layer."""
        return self._machine

    @property
    def is_answerable(self) -> bool:
        """Whether no final response was sent yet."""
        return self._machine.state in (State.TRYING, State.PROCEEDING)

    def respond(self, response: Response) -> None:
        """Send a response as it is.

        Raises:
            LocalProtocolError: after a final response (further 2xx excepted), and
                what RFC 4320 forbids.
            InvalidValue: a value must not be sent; nothing has changed then.
        """
        response.to_bytes()
        self._layer.run(self, self._machine.send_response(response, self._layer.now()))

    def answer(
        self,
        status: int,
        reason: str | None = None,
        *,
        headers: HeaderLines = (),
        body: bytes = b"",
    ) -> Response:
        """Make a response with our To tag and send it; see ``respond``."""
        response = self.create(status, reason, headers=headers, body=body)
        self.respond(response)
        return response

    def create(
        self,
        status: int,
        reason: str | None = None,
        *,
        headers: HeaderLines = (),
        body: bytes = b"",
    ) -> Response:
        """Make a response with our To tag, without sending it."""
        return response_to(
            self.request,
            status,
            reason,
            to_tag=self.local_tag,
            headers=headers,
            body=body,
        )


_Any = ClientTransaction | ServerTransaction


class TransactionLayer:
    """All transactions of one user agent or proxy."""

    def __init__(
        self,
        *,
        wire: Wire,
        user: LayerUser,
        clock: Clock,
        rng: random.Random,
        timers: TimerValues,
        counters: Counters,
        max_server_transactions: int = MAX_SERVER_TRANSACTIONS,
    ) -> None:
        self._wire = wire
        self._user = user
        self._clock = clock
        self._rng = rng
        self._timers = timers
        self._counters = counters
        self._max_server_transactions = max_server_transactions
        self._clients: dict[ClientKey, ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}
        # Requests outside of dialogs that are under way, to notice merges (8.2.2.2).
        self._merges: dict[MergeKey, ServerKey] = {}
        # Keys the tags of stateless responses, so that repetitions get the same.
        self._tag_key = rng.randbytes(16)

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def now(self) -> float:
        """The clock's time."""
        return self._clock.now()

    # -- sending -----------------------------------------------------------------

    def send_request(
        self,
        request: Request,
        target: Target,
        user: ClientUser,
        *,
        branch: str | None = None,
    ) -> ClientTransaction:
        """Start a client transaction; ``request`` itself is left as it is."""
        return self.start_client(
            self.with_via(request, target.transport, branch), target, user
        )

    def send_stateless(self, request: Request, target: Target) -> bytes:
        """Send an ACK for a 2xx, or forward one; returns its bytes for ``resend``.

        A failure is not told: the 2xx will come again.
        """
        data = self.with_via(request, target.transport, None).to_bytes()
        self.resend(data, target)
        return data

    def resend(self, data: bytes, target: Target) -> None:
        """Send the very same bytes again."""
        try:
            self._wire.send(data, target)
        except OSError as error:
            _log.debug("not sent to %s: %s", target, error)

    def with_via(
        self, request: Request, transport: Protocols, branch: str | None
    ) -> Request:
        """A copy of the request with our Via on top."""
        host, port = self._wire.sent_by(transport)
        via = Via(
            transport.upper(),
            host,
            port,
            (("branch", branch or self.new_branch()), ("rport", None)),
        )
        copy = Request(
            request.method, request.uri, request.headers.copy(), request.body
        )
        copy.headers.prepend("Via", str(via))
        if copy.headers.get("Max-Forwards") is None:
            copy.headers.add("Max-Forwards", "70")
        return copy

    def new_branch(self) -> str:
        """A branch of RFC 3261's kind with 96 random bits."""
        return f"{MAGIC_COOKIE}{self._rng.getrandbits(96):024x}"

    def new_tag(self) -> str:
        """A tag with 80 random bits."""
        return f"{self._rng.getrandbits(80):020x}"

    def start_client(
        self, request: Request, target: Target, user: ClientUser | None
    ) -> ClientTransaction:
        """Start a client transaction for a request that has its Via."""
        reliable = is_reliable(target.transport)
        machine: InviteClientTransaction | NonInviteClientTransaction
        if request.method == "INVITE":
            machine = InviteClientTransaction(
                request, reliable=reliable, timers=self._timers
            )
        else:
            machine = NonInviteClientTransaction(
                request, reliable=reliable, timers=self._timers
            )
        transaction = ClientTransaction(self, machine, target, user)
        self._clients[_client_key(request)] = transaction
        self.run(transaction, machine.start(self.now()))
        return transaction

    # -- receiving ---------------------------------------------------------------

    def receive(self, message: Request | Response, source: Source) -> None:
        """Take a well-formed message from a transport."""
        if isinstance(message, Response):
            self._counters.count("responses_received")
            self._receive_response(message)
        else:
            self._counters.count("requests_received")
            self._receive_request(message, source)

    def receive_malformed(self, error: ParseError, source: Source) -> None:
        """Answer what could not be read, if that is allowed at all."""
        request = error.request
        if request is None:
            return
        try:
            via = request.via.with_source(source.host, source.port)
            request.headers.replace_first("Via", str(via))
            tag = self._tag_of(request.headers.get("Via") or "")
            self._send_response(response_to(request, error.status, to_tag=tag), source)
        except (SipError, OSError) as problem:
            _log.debug("malformed request not answered: %s", problem)

    def connection_lost(self, connection: int) -> None:
        """Fail every client transaction that waits on this connection."""
        for transaction in list(self._clients.values()):
            if transaction.connection == connection:
                self.run(
                    transaction,
                    transaction.machine.receive_transport_error(self.now()),
                )

    def _receive_response(self, response: Response) -> None:
        via = response.via
        key = (via.branch or "", response.cseq.method)
        transaction = self._clients.get(key)
        if transaction is None or not _is_answer_to(response, transaction.request):
            self._counters.count("responses_stray")
            _log.debug("stray %s to %s", response.status, response.cseq.method)
            return
        self.run(
            transaction, transaction.machine.receive_response(response, self.now())
        )

    def _receive_request(self, request: Request, source: Source) -> None:
        via = request.via.with_source(source.host, source.port)
        request.headers.replace_first("Via", str(via))
        key = _server_key(request)
        transaction = self._servers.get(key)
        if request.method == "ACK":
            self._receive_ack(request, source, transaction)
        elif transaction is not None:
            self._counters.count("retransmissions_received")
            self.run(
                transaction, transaction.machine.receive_request(request, self.now())
            )
        elif len(self._servers) >= self._max_server_transactions:
            self._counters.count("requests_dropped_overload")
        elif request.method == "CANCEL":
            self._receive_cancel(request, source)
        else:
            self._screen(request, source)

    def _receive_ack(
        self, ack: Request, source: Source, transaction: ServerTransaction | None
    ) -> None:
        if transaction is None or transaction.state is State.PROCEEDING:
            self._user.on_ack(ack, source)
            return
        if not ack.via.has_magic_cookie:
            # RFC 2543 has no branch: only the tag tells our responses apart (17.2.3)
            machine = transaction.machine
            answered = machine.last_response
            if answered is not None and answered.to.tag != ack.to.tag:
                self._user.on_ack(ack, source)
                return
        self.run(transaction, transaction.machine.receive_request(ack, self.now()))

    def _receive_cancel(self, cancel: Request, source: Source) -> None:
        invite = self._servers.get(_server_key(cancel, method="INVITE"))
        if invite is None:
            self._answer_stateless(
                response_to(cancel, 481, to_tag=self.stateless_tag(cancel)), source
            )
            return
        transaction = self._start_server(cancel, source)
        # RFC 3261 9.2: the same tag as in the answer to the INVITE
        transaction.local_tag = invite.local_tag
        transaction.answer(200)
        if invite.is_answerable and invite.user is not None:
            invite.user.on_cancel(cancel)

    def _screen(self, request: Request, source: Source) -> None:
        verdict = self._user.screen(request, source)
        if isinstance(verdict, Response):
            self._answer_stateless(verdict, source)
        elif verdict == "accept":
            self._user.on_request(self._start_server(request, source))

    def _start_server(self, request: Request, source: Source) -> ServerTransaction:
        reliable = is_reliable(source.transport)
        machine: InviteServerTransaction | NonInviteServerTransaction
        if request.method == "INVITE":
            machine = InviteServerTransaction(
                request, reliable=reliable, timers=self._timers
            )
        else:
            machine = NonInviteServerTransaction(
                request, reliable=reliable, timers=self._timers
            )
        key = _server_key(request)
        transaction = ServerTransaction(self, machine, source, key, self.new_tag())
        self._servers[key] = transaction
        if request.to.tag is None:
            self._merges.setdefault(_merge_key(request), key)
        self.run(transaction, machine.start(self.now()))
        return transaction

    def is_merged(self, transaction: ServerTransaction) -> bool:
        """Whether the same request came before by another path (8.2.2.2).

        A request that a proxy forked to two contacts of ours differs in its
        Request-URI: these are two user agents under one roof, and no merge.
        """
        request = transaction.request
        if request.to.tag is not None:
            return False
        first = self._merges.get(_merge_key(request))
        return first is not None and first != transaction.key

    def stateless_tag(self, request: Request) -> str:
        """The same To tag for every repetition of a request (8.2.7)."""
        return self._tag_of(f"{request.call_id}\0{request.via}\0{request.cseq}")

    def _tag_of(self, text: str) -> str:
        digest = hashlib.blake2s(
            text.encode("utf-8", "surrogateescape"), key=self._tag_key
        )
        return digest.hexdigest()[:20]

    def _answer_stateless(self, response: Response, source: Source) -> None:
        try:
            self._send_response(response, source)
        except OSError as error:
            _log.debug("response not sent: %s", error)

    # -- effects -----------------------------------------------------------------

    def run(self, transaction: _Any, effects: Effects) -> None:
        """Carry out what a machine decided; for the transactions."""
        self._arm(transaction)
        for effect in effects:
            match effect:
                case Send(message):
                    self._send(transaction, message)
                case Deliver(message):
                    self._deliver(transaction, message)
                case SendCancel():
                    assert isinstance(transaction, ClientTransaction)
                    transaction.start_cancel()
                case Fail(kind):
                    self._counters.count(f"transactions_failed_{kind}")
                    if transaction.user is not None:
                        transaction.user.on_failure(kind)
                case Terminate():
                    self.forget(transaction)
                case _:
                    assert_never(effect)

    def forget(self, transaction: _Any) -> None:
        """Drop a transaction and its timer."""
        if transaction.timer is not None:
            transaction.timer.cancel()
            transaction.timer = None
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(_client_key(transaction.request), None)
            return
        self._servers.pop(transaction.key, None)
        if transaction.request.to.tag is None:
            merge = _merge_key(transaction.request)
            if self._merges.get(merge) == transaction.key:
                del self._merges[merge]

    def close(self) -> None:
        """Forget everything at once."""
        for transaction in self._all():
            self.forget(transaction)

    def _all(self) -> Iterable[_Any]:
        return [*self._clients.values(), *self._servers.values()]

    def _arm(self, transaction: _Any) -> None:
        if transaction.timer is not None:
            transaction.timer.cancel()
            transaction.timer = None
        due = transaction.machine.get_timer()
        if due is not None:
            transaction.timer = self._clock.call_at(
                due, lambda: self._timer_fired(transaction)
            )

    def _timer_fired(self, transaction: _Any) -> None:
        transaction.timer = None
        self.run(transaction, transaction.machine.handle_timer(self.now()))

    def _deliver(self, transaction: _Any, message: Request | Response) -> None:
        if isinstance(transaction, ClientTransaction):
            assert isinstance(message, Response)
            if transaction.user is not None:
                transaction.user.on_response(message)
        else:
            assert isinstance(message, Request)
            self._user.on_ack(message, transaction.source)

    def _send(self, transaction: _Any, message: Request | Response) -> None:
        try:
            if isinstance(message, Response):
                assert isinstance(transaction, ServerTransaction)
                self._send_response(message, transaction.source)
            else:
                assert isinstance(transaction, ClientTransaction)
                transaction.connection = self._wire.send(
                    message.to_bytes(), transaction.target
                )
        except OSError as error:
            _log.debug("%s not sent: %s", message, error)
            # Not from inside: the caller may still be about to start the transaction.
            self._clock.call_at(
                self.now(), lambda: self._transport_failed(transaction.machine)
            )

    def _transport_failed(self, machine: Transaction) -> None:
        for transaction in self._all():
            if transaction.machine is machine:
                self.run(transaction, machine.receive_transport_error(self.now()))

    def _send_response(self, response: Response, source: Source) -> None:
        via = response.via
        is_open = source.connection is not None and self._wire.is_open(
            source.connection
        )
        target = response_target(via, source, is_open=is_open)
        self._wire.send(response.to_bytes(), target)


def _client_key(request: Request) -> ClientKey:
    return (request.via.branch or "", request.method)


def _server_key(request: Request, *, method: str | None = None) -> ServerKey:
    """RFC 3261 17.2.3; an ACK matches its INVITE."""
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    via = request.via
    if via.has_magic_cookie:
        return (via.branch or "", via.host.lower(), str(via.port or 5060), method)
    return (
        "2543",
        str(request.uri),
        request.from_.tag or "",
        request.call_id,
        str(request.cseq.number),
        str(via),
        method,
    )


def _merge_key(request: Request) -> MergeKey:
    return (
        request.call_id,
        request.from_.tag or "",
        request.cseq.number,
        request.method,
        str(request.uri),
    )


def _is_answer_to(response: Response, request: Request) -> bool:
    """Whether a response with a known branch is really one of ours (18.1.2)."""
    ours, theirs = request.via, response.via
    return (
        theirs.host.lower() == ours.host.lower()
        and theirs.port == ours.port
        and response.call_id == request.call_id
        and response.cseq.number == request.cseq.number
        and len(response.headers.get_list("Via"))
        == len(request.headers.get_list("Via"))
    )
