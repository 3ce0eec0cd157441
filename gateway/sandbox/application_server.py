"""The sandbox's application server: registrar and parallel-forking proxy.

What a rep's company has as its telephone system, small: users register with digest,
every device of a user rings at once, the first to answer wins, and the others are
told that the call was completed elsewhere (RFC 3326). It record-routes, so that a
user agent that forgets its route set fails here as it would anywhere.

Stateful as RFC 3261 16 says, on the transaction layer of ``sip``. It serves one
domain, relays to nobody else, and knows no NAT beyond RFC 3581.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Literal

from gateway.sandbox.registrar import Registrar
from sip.clock import Clock, TimerHandle
from sip.compose import response_to, without_top_via
from sip.counters import Counters
from sip.digest import Accepted, DigestServer, Stale
from sip.errors import ParseError
from sip.headers import Reason
from sip.message import Request, Response
from sip.secret import Secret
from sip.transaction import FailureKind, TimerValues
from sip.transaction_layer import (
    ClientTransaction,
    ServerTransaction,
    TransactionLayer,
)
from sip.transport import DEFAULT_PORT, Protocols, Source, Target, is_numeric
from sip.transports import Transports
from sip.uri import Uri

# Timer C (RFC 3261 16.6): a branch that rings for longer is cancelled.
RING_LIMIT_S = 180.0
GUEST_PREFIX = "guest-"
ELSEWHERE = ("Reason", str(Reason("SIP", 200, "Call completed elsewhere")))


class ApplicationServer:
    """One domain's server; ``users`` maps user names to passwords.

    ``guest_account`` names one of them that cannot register and calls in others' names:
    ``guest-…``, and nobody else's. ``on_event`` hears, in words, what the sandbox's
    console shows.
    """

    def __init__(
        self,
        domain: str,
        users: Mapping[str, str],
        *,
        host: str,
        port: int,
        clock: Clock,
        rng: random.Random,
        guest_account: str = "",
        on_event: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.domain = domain
        self._guest_account = guest_account
        self.on_event = on_event
        self.clock = clock
        self.counters = Counters()
        self.registrar = Registrar()
        passwords = {name: Secret(password) for name, password in users.items()}
        self._digest = DigestServer(domain, passwords.get, clock=clock.now, rng=rng)
        self._wire = Transports(
            receiver=self,
            counters=self.counters,
            rng=rng,
            bind_host=host,
            bind_port=port,
            advertised_host=None,
            advertised_port=None,
            names=("udp", "tcp"),
        )
        self.layer = TransactionLayer(
            wire=self._wire,
            user=self,
            clock=clock,
            rng=rng,
            timers=TimerValues(),
            counters=self.counters,
        )

    async def start(self) -> None:
        """Listen on UDP and TCP.

        Raises:
            OSError: the port is taken.
        """
        await self._wire.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, the same for UDP and TCP."""
        return self._wire.local_address("udp")

    async def close(self) -> None:
        """Stop at once; what was going on is over."""
        self.layer.close()
        await self._wire.close()

    # From the transports --------------------------------------------------------------

    def receive(self, message: Request | Response, source: Source) -> None:
        """See ``sip.transport.Receiver``."""
        self.layer.receive(message, source)

    def receive_malformed(self, error: ParseError, source: Source) -> None:
        """See ``sip.transport.Receiver``."""
        self.layer.receive_malformed(error, source)

    def connection_lost(self, connection: int) -> None:
        """See ``sip.transport.Receiver``."""
        self.layer.connection_lost(connection)

    # From the transaction layer -------------------------------------------------------

    def screen(
        self, request: Request, source: Source
    ) -> Response | Literal["accept", "drop"]:
        """Refuse what has gone round too often."""
        if request.max_forwards == 0:
            return response_to(request, 483)
        return "accept"

    def on_request(self, transaction: ServerTransaction) -> None:
        """Register, or find out where it goes."""
        request = transaction.request
        if request.to.tag is not None:
            self._relay_in_dialog(transaction)
        elif request.method == "REGISTER":
            self._register(transaction)
        elif request.method == "OPTIONS" and request.uri.user is None:
            transaction.answer(200)
        elif request.method == "INVITE":
            self._invite(transaction)
        else:
            transaction.answer(405, headers=[("Allow", "INVITE, ACK, BYE, CANCEL")])

    def on_ack(self, ack: Request, source: Source) -> None:
        """The ACK of a 2xx goes along its route set, without state."""
        onward = self._onward(ack)
        if onward is not None:
            self.layer.send_stateless(*onward)

    # Registrar ------------------------------------------------------------------------

    def _register(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        match self._digest.verify(request):
            case Accepted(username):
                if request.to.uri.user != username or username == self._guest_account:
                    transaction.answer(403)
                    return
                response = self.registrar.register(
                    username, request, transaction.source, self.clock.now()
                )
                transaction.respond(response)
                devices = len(self.registrar.lookup(username, self.clock.now()))
                self.on_event(f"{username} is registered with {_devices(devices)}")
            case verdict:
                transaction.answer(
                    401,
                    headers=self._digest.challenge(stale=isinstance(verdict, Stale)),
                )

    # Proxy ----------------------------------------------------------------------------

    def _invite(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.from_.uri.host == self.domain:
            match self._digest.verify(request, is_proxy=True):
                case Accepted(username) if self._may_call_as(
                    username, request.from_.uri.user or ""
                ):
                    pass
                case Accepted():
                    transaction.answer(403)
                    return
                case verdict:
                    transaction.answer(
                        407,
                        headers=self._digest.challenge(
                            is_proxy=True, stale=isinstance(verdict, Stale)
                        ),
                    )
                    return
        if request.uri.host not in (self.domain, self.address[0]):
            transaction.answer(403, "No relaying")
            return
        user = request.uri.user or ""
        bindings = self.registrar.lookup(user, self.clock.now())
        if not bindings:
            transaction.answer(404)
            return
        self.on_event(f"{_devices(len(bindings))} of {user} ring")
        fork = _Fork(self, transaction)
        for binding in bindings:
            fork.add(binding.contact, binding.source)
        fork.start()

    def _may_call_as(self, username: str, caller: str) -> bool:
        if username == self._guest_account:
            return caller.startswith(GUEST_PREFIX)
        return caller == username

    def proxied(self, request: Request, uri: Uri) -> Request:
        """The request as it goes on, to ``uri`` (RFC 3261 16.6)."""
        copy = request.copy()
        copy.uri = uri
        hops = request.max_forwards
        copy.headers.set("Max-Forwards", str(70 if hops is None else hops - 1))
        copy.headers.remove("Proxy-Authorization")
        return copy

    def record_route(self, transport: Protocols) -> str:
        """Our Record-Route value."""
        host, port = self.address
        return f"<sip:{host}:{port};transport={transport};lr>"

    def _relay_in_dialog(self, transaction: ServerTransaction) -> None:
        onward = self._onward(transaction.request)
        if onward is None:
            transaction.answer(404, "Not here - missing Route")
            return
        request, target = onward
        _Relay(self.layer, transaction, request, target)

    def _onward(self, request: Request) -> tuple[Request, Target] | None:
        """A request of a dialog without our Route, and where it goes next."""
        routes = list(request.routes)
        if not routes or (routes[0].uri.host, routes[0].uri.port) != self.address:
            return None
        copy = self.proxied(request, request.uri)
        while routes and (routes[0].uri.host, routes[0].uri.port) == self.address:
            copy.headers.pop_first("Route")
            routes.pop(0)
        target = numeric_target(routes[0].uri if routes else copy.uri)
        return None if target is None else (copy, target)


def numeric_target(uri: Uri) -> Target | None:
    """Where a URI with a numeric host is reached; the sandbox asks no DNS."""
    if not is_numeric(uri.host):
        return None
    transport: Protocols = "tcp" if uri.param("transport") == "tcp" else "udp"
    return Target(transport, uri.host, uri.port or DEFAULT_PORT)


class _Relay:
    """One request of a dialog on its way: one branch, responses as they come."""

    def __init__(
        self,
        layer: TransactionLayer,
        server: ServerTransaction,
        request: Request,
        target: Target,
    ) -> None:
        self._server = server
        server.user = self
        self._client = layer.send_request(request, target, self)

    def on_response(self, response: Response) -> None:
        if response.status != 100:
            self._server.respond(without_top_via(response))

    def on_failure(self, kind: FailureKind) -> None:
        if self._server.is_answerable:
            self._server.answer(408 if kind is FailureKind.TIMEOUT else 503)

    def on_cancel(self, cancel: Request) -> None:
        self._client.cancel()


class _Fork:
    """One INVITE to all devices of a user: the response context of RFC 3261 16.7."""

    def __init__(self, server_: ApplicationServer, server: ServerTransaction) -> None:
        self._proxy = server_
        self._server = server
        self._branches: list[_Branch] = []
        self._waiting: list[tuple[Uri, Target]] = []
        self._has_answer = False
        self._ring_limit: TimerHandle | None = None
        server.user = self

    def add(self, contact: Uri, source: Target) -> None:
        """Another device, reached where its REGISTER came from."""
        self._waiting.append((contact, source))

    def start(self) -> None:
        """Ring them all."""
        clock = self._proxy.clock
        self._ring_limit = clock.call_at(clock.now() + RING_LIMIT_S, self._too_long)
        self._branches = [_Branch(self) for _ in self._waiting]
        for branch, (contact, source) in zip(
            self._branches, self._waiting, strict=True
        ):
            request = self._proxy.proxied(self._server.request, contact)
            request.headers.prepend(
                "Record-Route", self._proxy.record_route(source.transport)
            )
            if source.transport != self._server.source.transport:
                # Two sides, two routes: each party stays on its own transport.
                request.headers.prepend(
                    "Record-Route",
                    self._proxy.record_route(self._server.source.transport),
                )
            branch.client = self._proxy.layer.send_request(request, source, branch)

    def on_cancel(self, cancel: Request) -> None:
        """The caller gave up; its Reason is everybody's."""
        reasons = cancel.headers.get_all("Reason")
        self._cancel_all([("Reason", reason) for reason in reasons])

    def on_failure(self, kind: FailureKind) -> None:
        """The caller is gone."""
        self._cancel_all([])

    def branch_responded(self, branch: _Branch, response: Response) -> None:
        """Pass on what the caller must know now; keep final failures for later."""
        if response.status == 100:
            return
        if response.is_provisional:
            if self._server.is_answerable:
                self._server.respond(without_top_via(response))
            return
        branch.final = response
        if response.is_success:
            # Each 2xx goes on, also of a second device (16.7 step 5).
            self._server.respond(without_top_via(response))
            if not self._has_answer:
                self._has_answer = True
                self._proxy.on_event("answered; the other devices stop ringing")
                self._cancel_all([ELSEWHERE])
        elif response.status >= 600:
            self._cancel_all([("Reason", f"SIP;cause={response.status}")])
        self._finish_when_all_are_final()

    def branch_failed(self, branch: _Branch, kind: FailureKind) -> None:
        """No answer of this device: 408."""
        status = 408 if kind is FailureKind.TIMEOUT else 503
        branch.final = response_to(self._server.request, status, to_tag="failed")
        branch.is_own = True
        self._finish_when_all_are_final()

    def _cancel_all(self, headers: list[tuple[str, str]]) -> None:
        for branch in self._branches:
            if branch.final is None and branch.client is not None:
                branch.client.cancel(headers)

    def _too_long(self) -> None:
        self._ring_limit = None
        self._cancel_all([])

    def _finish_when_all_are_final(self) -> None:
        finals = [branch for branch in self._branches if branch.final is not None]
        if len(finals) < len(self._branches):
            return
        if self._ring_limit is not None:
            self._ring_limit.cancel()
            self._ring_limit = None
        if not self._server.is_answerable:
            return
        best = min(finals, key=lambda branch: _rank(branch.final))
        if best.final is None or best.is_own:
            self._server.answer(408 if best.final is None else best.final.status)
        else:
            self._server.respond(without_top_via(best.final))


class _Branch:
    """One device."""

    def __init__(self, fork: _Fork) -> None:
        self._fork = fork
        self.client: ClientTransaction | None = None
        self.final: Response | None = None
        # The final response is one we made for a silent device.
        self.is_own = False

    def on_response(self, response: Response) -> None:
        self._fork.branch_responded(self, response)

    def on_failure(self, kind: FailureKind) -> None:
        if self.final is None:
            self._fork.branch_failed(self, kind)


def _rank(response: Response | None) -> tuple[int, int]:
    """Which final response the caller gets: 6xx, else the lowest class (16.7)."""
    status = 408 if response is None else response.status
    if status >= 600:
        return (0, status)
    # Busy or declined says more than "not there" of another device.
    return (status // 100, 0 if status in (486, 480, 408) else 1)


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"
