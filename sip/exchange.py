"""One request of ours until its outcome: located, sent, failed over, authenticated.

An exchange is one request in the user's sense and as many transactions as it takes:

* one per target (RFC 3263 4.3), each with a new branch: the next is tried when the
  transport fails, nothing answers, or 503 comes;
* a request of more than 1300 bytes goes over TCP first and falls back to UDP when
  TCP is refused (18.1.1);
* one more for each challenge that the account may answer, with the next CSeq, the
  same Call-ID, From tag and target (22.1).

What no server answered ends as a response made here: 408 when nobody answered, 503
when nobody could be reached (8.1.3.1).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass

from sip.compose import HeaderLines, response_to
from sip.core import Core, Locating
from sip.digest import Authorized, DigestClient, Refusal
from sip.headers import CSeq
from sip.message import Request, Response
from sip.transaction import FailureKind
from sip.transaction_layer import ClientTransaction
from sip.transport import MAX_UDP_REQUEST_BYTES, Protocols, Target
from sip.uri import Uri

_log = logging.getLogger("sip.agent")

# Challenges answered in one exchange: a proxy's and the far end's, each once stale.
MAX_CHALLENGES = 6
# What our Via adds to a request's size.
VIA_BYTES = 120
# How long a target is passed over that cannot be reached, or answers 503 without
# Retry-After.
DEAD_S = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        request: as it was sent, with its Via: the one that ``response`` answers.
        is_local: the response was made here, because none came.
        refusal: why a challenge was not answered.
        target: where the request went; None when it never left.
        connection: of a stream transport, which it went by.
    """

    response: Response
    request: Request
    is_local: bool = False
    refusal: Refusal | None = None
    target: Target | None = None
    connection: int | None = None


class Exchange:
    """See the module's text.

    Args:
        request: without Via; the exchange keeps it.
        next_hops: alternatives, tried in order.
        on_reply: gets provisional responses, then one final one, then, for INVITE,
            every further 2xx.
        digest: the credentials that may be used, if any.
        next_cseq: gives the number of the next try when a challenge is answered.
    """

    def __init__(
        self,
        core: Core,
        request: Request,
        *,
        next_hops: tuple[Uri, ...],
        on_reply: Callable[[Reply], None],
        digest: DigestClient | None = None,
        next_cseq: Callable[[], int] | None = None,
        transport: Protocols | None = None,
        trusts_targets: bool = False,
    ) -> None:
        self.request = request
        # Whether a final response was passed on.
        self.is_done = False
        self._core = core
        self._next_hops = next_hops
        self._on_reply = on_reply
        self._digest = digest
        self._next_cseq = next_cseq
        self._transport = transport
        # The account's own servers: the addresses they resolve to are theirs too.
        self._trusts_targets = trusts_targets
        self._targets: list[Target] = []
        self._locating: Locating | None = None
        self._current: _Try | None = None
        # Whether anybody answered the present try: then nobody else is tried.
        self._is_answered = False
        self._challenges = 0
        self._is_cancelled = False
        # Headers of the CANCEL.
        self._cancel_headers: HeaderLines = ()

    @property
    def target(self) -> Target | None:
        """Where the request went, or is going."""
        return self._current.target if self._current else None

    def start(self) -> None:
        """Send it; ``on_reply`` may be called from inside when there is no way."""
        if self._digest is not None:
            self._digest.preauthorize(self.request, host=self._host)
        self._locating = self._core.locate(
            self._next_hops, self._transport, self._located
        )

    def cancel(self, headers: HeaderLines = ()) -> None:
        """Give an INVITE up; the outcome still comes by ``on_reply``.

        That is 487, a 2xx that was faster, or 408 when nothing came in time.
        """
        if self.is_done or self._is_cancelled:
            return
        self._is_cancelled = True
        self._cancel_headers = headers
        if self._current is not None and self._current.transaction is not None:
            self._current.transaction.cancel(headers)
        elif self._current is None:
            self.abandon()
            self._finish_locally(487)

    def abandon(self) -> None:
        """Stop at once; nothing more is sent or told."""
        self.is_done = True
        if self._locating is not None:
            self._locating.cancel()
            self._locating = None
        if self._current is not None and self._current.transaction is not None:
            self._current.transaction.abandon()
        self._current = None

    @property
    def _host(self) -> str:
        return self._next_hops[0].host if self._next_hops else ""

    def _located(self, targets: list[Target]) -> None:
        self._locating = None
        if self.is_done:
            return
        if self._trusts_targets and self._digest is not None:
            for target in targets:
                self._digest.trust_host(target.host)
        self._targets = self._by_size(
            [
                each
                for each in self._core.locator.living_first(targets)
                if self._core.wire.supports(each.transport)
            ]
        )
        self._try_next(FailureKind.TRANSPORT)

    def _by_size(self, targets: list[Target]) -> list[Target]:
        size = len(self.request.to_bytes()) + VIA_BYTES
        if size <= MAX_UDP_REQUEST_BYTES or not self._core.wire.supports("tcp"):
            return targets
        ordered: list[Target] = []
        for target in targets:
            stream = Target("tcp", target.host, target.port)
            if target.transport == "udp" and not self._core.locator.is_dead(stream):
                ordered.append(stream)
            ordered.append(target)
        return ordered

    def _try_next(self, why: FailureKind) -> None:
        if not self._targets or self._is_cancelled:
            status = 408 if why is FailureKind.TIMEOUT else 503
            self._finish_locally(status)
            return
        self._send(self._targets.pop(0))

    def _send(self, target: Target) -> None:
        self._is_answered = False
        attempt = self._current = _Try(self, target)
        attempt.transaction = self._core.layer.send_request(
            self.request, target, attempt
        )

    def _finish_locally(self, status: int) -> None:
        self.is_done = True
        request = self._current.request if self._current else self.request
        response = response_to(request, status)
        self._on_reply(Reply(response, request, is_local=True, target=self.target))

    # -- for the tries -------------------------------------------------------------

    def failed(self, attempt: _Try, kind: FailureKind) -> None:
        """The transaction ended without a final response."""
        if attempt is not self._current or self.is_done:
            return
        if kind is FailureKind.TRANSPORT:
            # A phone without TCP is not to cost a connection attempt at every call.
            self._core.locator.mark_dead(attempt.target, DEAD_S)
        if self._is_answered:
            self._finish_locally(408 if kind is FailureKind.TIMEOUT else 503)
        else:
            self._try_next(kind)

    def responded(self, attempt: _Try, response: Response) -> None:
        """The transaction received a response."""
        reply = Reply(
            response,
            attempt.request,
            target=attempt.target,
            connection=attempt.connection,
        )
        if self.is_done:
            # a further 2xx: of another fork, or of the same again
            if response.is_success:
                self._on_reply(reply)
            return
        if attempt is not self._current:
            return
        if response.is_provisional:
            self._is_answered = True
            self._on_reply(reply)
            return
        if response.status == 503 and not self._is_cancelled:
            wait_s = DEAD_S if response.retry_after is None else response.retry_after
            self._core.locator.mark_dead(attempt.target, float(wait_s))
            if self._targets:
                self._try_next(FailureKind.TRANSPORT)
                return
        refusal: Refusal | None = None
        if response.status in (401, 407) and not self._is_cancelled:
            refusal = self._answer_challenge(attempt, response)
            if refusal is None:
                return
        self.is_done = True
        self._on_reply(dataclasses.replace(reply, refusal=refusal))

    def _answer_challenge(self, attempt: _Try, response: Response) -> Refusal | None:
        if self._digest is None or self._next_cseq is None:
            return Refusal.NO_CHALLENGE
        self._challenges += 1
        if self._challenges > MAX_CHALLENGES:
            return Refusal.STALE_LOOP
        outcome = self._digest.authorize(response, attempt.request, host=self._host)
        if not isinstance(outcome, Authorized):
            _log.info(
                "a challenge of %s was not answered: %s", self._host, outcome.value
            )
            return outcome
        request = self.request.copy()
        number = self._next_cseq()
        request.headers.set("CSeq", str(CSeq(number, request.method)))
        outcome.add_to(request)
        self.request = request
        self._send(attempt.target)
        return None


class _Try:
    """One transaction of an exchange."""

    def __init__(self, exchange: Exchange, target: Target) -> None:
        self.target = target
        self.transaction: ClientTransaction | None = None
        self._exchange = exchange

    @property
    def request(self) -> Request:
        """As sent."""
        return self.transaction.request if self.transaction else self._exchange.request

    @property
    def connection(self) -> int | None:
        """Which it was sent by."""
        return self.transaction.connection if self.transaction else None

    def on_response(self, response: Response) -> None:
        """Part of ``ClientUser``."""
        self._exchange.responded(self, response)

    def on_failure(self, kind: FailureKind) -> None:
        """Part of ``ClientUser``."""
        self._exchange.failed(self, kind)


class Acknowledgement:
    """The ACK of one 2xx: sent once located, and repeated with the very same bytes.

    ``fallback`` is where the INVITE went: the way of last resort to a peer whose
    Contact cannot be reached.
    """

    def __init__(
        self,
        core: Core,
        ack: Request,
        *,
        next_hop: Uri,
        transport: Protocols | None,
        fallback: Target | None,
    ) -> None:
        self._core = core
        self._fallback = fallback
        self._ack = ack
        self._target: Target | None = None
        self._data: bytes | None = None
        core.locate((next_hop,), transport, self._located)

    def repeat(self) -> None:
        """The 2xx came again: so did its ACK get lost."""
        if self._data is not None and self._target is not None:
            self._core.layer.resend(self._data, self._target)

    def _located(self, targets: list[Target]) -> None:
        target = targets[0] if targets else self._fallback
        if target is None:
            _log.warning("no way for an ACK to %s", self._ack.uri)
            return
        self._target = target
        self._data = self._core.layer.send_stateless(self._ack, target)
