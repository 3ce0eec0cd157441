"""Scripted peers: a user agent in a network and a time that the test moves by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sip
from sip.headers import Via
from sip.message import Request, Response
from sip.parser import parse_datagram
from sip.transport import Protocols, Source, Target

OFFER = "v=0\r\ns=offer\r\n"
ANSWER = "v=0\r\ns=answer\r\n"
PROXY = Target("udp", "192.0.2.1", 5060)
# 64*T1 with the default T1.
EXPIRY_S = 32.0


@dataclass(slots=True)
class _Timer:
    callback: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class VirtualClock:
    """Time that stands still until ``advance``."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._heap: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    @property
    def pending(self) -> int:
        return sum(not timer.is_cancelled for _, _, timer in self._heap)

    def advance(self, seconds: float = 0.0) -> None:
        """Run everything that is due within that time, in order."""
        end = self._now + seconds
        while self._heap and self._heap[0][0] <= end + 1e-9:
            when, _, timer = heapq.heappop(self._heap)
            self._now = max(self._now, when)
            if not timer.is_cancelled:
                timer.is_cancelled = True
                timer.callback()
        self._now = end


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that left the agent."""

    message: Request | Response
    target: Target
    at: float
    data: bytes


class MemoryWire:
    """A network that keeps what is sent into it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.sent: deque[Sent] = deque()
        self.refused: set[Target] = set()
        self.open_connections: set[int] = set()
        self.held: list[Target] = []
        self._clock = clock
        self._numbers: dict[tuple[str, int], int] = {}

    def send(self, data: bytes, target: Target) -> int | None:
        if target in self.refused:
            raise OSError("refused by the test")
        self.sent.append(Sent(parse_datagram(data), target, self._clock.now(), data))
        if target.transport == "udp":
            return None
        number = self._numbers.setdefault(
            (target.host, target.port), len(self._numbers) + 1
        )
        self.open_connections.add(number)
        return number

    def sent_by(self, transport: Protocols) -> tuple[str, int]:
        return ("198.51.100.7", 5060)

    def is_open(self, connection: int) -> bool:
        return connection in self.open_connections

    def supports(self, transport: Protocols) -> bool:
        return True

    def hold(self, target: Target) -> None:
        self.held.append(target)

    def release(self, target: Target) -> None:
        self.held.remove(target)


def account(**changes: object) -> sip.Account:
    values: dict[str, object] = {
        "aor": sip.Uri.parse("sip:rep@example.com"),
        "username": "rep",
        "password": sip.Secret("correct"),
        "registrar": sip.Uri.parse("sip:example.com"),
        "outbound_proxies": (sip.Uri.parse("sip:192.0.2.1"),),
        "instance_id": "urn:uuid:11111111-1111-1111-1111-111111111111",
    }
    return sip.Account(**{**values, **changes})  # type: ignore[arg-type]


class Bench:
    """A user agent, and the test as everything that is around it."""

    def __init__(self, **changes: object) -> None:
        self.clock = VirtualClock()
        self.wire = MemoryWire(self.clock)
        self.rng = random.Random(1)
        self.account = account(**changes)
        self.agent = sip.UserAgent(
            sip.AgentConfig(bind_host="127.0.0.1", max_calls=8, close_timeout_s=0.05),
            self.clock,
            random.Random(2),
            wire=self.wire,
        )
        self.agent.on_invite = self._on_invite
        self.events: list[sip.CallEvent] = []
        self.calls: list[sip.IncomingCall] = []
        self._branches = itertools.count()
        # Last CSeq of requests the test sends.
        self.cseq = 100

    async def start(self) -> Bench:
        await self.agent.start()
        self.agent.add_account(self.account)
        return self

    def _on_invite(self, call: sip.IncomingCall) -> None:
        call.on_event = self.events.append
        self.calls.append(call)

    # -- what the agent sends ----------------------------------------------------------

    def run(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass until the agent sends something, at most so long."""
        end = self.clock.now() + seconds
        while not self.wire.sent and self.clock.now() < end:
            self.run(min(0.05, end - self.clock.now()))

    def take(self) -> Sent:
        """The next message the agent has sent by now."""
        self.run()
        assert self.wire.sent, "the agent sent nothing"
        return self.wire.sent.popleft()

    def request(self, method: str) -> Request:
        """The next message, which must be this request."""
        message = self.take().message
        assert isinstance(message, Request), message
        assert message.method == method
        return message

    def response(self, status: int, method: str | None = None) -> Response:
        """The next message, which must be this response."""
        message = self.take().message
        assert isinstance(message, Response), message
        assert message.status == status
        assert method is None or message.cseq.method == method
        return message

    def quiet(self) -> None:
        """Nothing (more) was sent."""
        self.run()
        assert not self.wire.sent, [sent.message for sent in self.wire.sent]

    def drain(self) -> list[Sent]:
        """All that was sent."""
        self.run()
        sent = list(self.wire.sent)
        self.wire.sent.clear()
        return sent

    def happened(self, *events: sip.CallEvent) -> None:
        """These and no other events were told since the last look."""
        self.run()
        assert self.events == list(events)
        self.events.clear()

    # -- what the test sends -----------------------------------------------------------

    def deliver(
        self, message: Request | Response, source: Source = PROXY
    ) -> Request | Response:
        """Hand the agent a message, through bytes as a network would."""
        self.agent.receive(parse_datagram(message.to_bytes()), source)
        self.run()
        return message

    def reply(
        self,
        request: Request,
        status: int,
        *,
        tag: str = "",
        sdp: str | None = None,
        contact: str = "sip:peer@192.0.2.9:5062",
        record_routes: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
        source: Source = PROXY,
    ) -> Response:
        """Answer a request of the agent."""
        response = sip.create_response(request, status, to_tag=tag or None)
        for route in record_routes:
            response.headers.add("Record-Route", route)
        if 100 < status < 300 and contact:
            response.headers.add("Contact", f"<{contact}>")
        for name, value in headers:
            response.headers.add(name, value)
        if sdp is not None:
            response.headers.add("Content-Type", "application/sdp")
            response.body = sdp.encode()
        self.deliver(response, source)
        return response

    def new_branch(self) -> str:
        return f"z9hG4bKtest{next(self._branches)}"

    def via(self, branch: str | None = None, *, host: str = "192.0.2.1") -> str:
        return str(
            Via(
                "UDP",
                host,
                5060,
                (("branch", branch or self.new_branch()), ("rport", None)),
            )
        )

    def invite(
        self,
        *,
        uri: str = "sip:rep@example.com",
        sdp: str | None = OFFER,
        record_routes: Sequence[str] = ("<sip:192.0.2.1;lr>",),
        headers: Sequence[tuple[str, str]] = (),
        call_id: str = "incoming",
        branch: str | None = None,
        source: Source = PROXY,
        to: str = "sip:rep@example.com",
    ) -> Request:
        """Call the agent."""
        request = Request(
            "INVITE",
            sip.Uri.parse(uri),
            [
                ("Via", self.via(branch)),
                ("Max-Forwards", "70"),
                *(("Record-Route", route) for route in record_routes),
                ("From", '"Ana" <sip:ana@example.net>;tag=ana'),
                ("To", f"<{to}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{self.cseq} INVITE"),
                ("Contact", "<sip:ana@192.0.2.9:5062>"),
                *headers,
            ],
        )
        if sdp is not None:
            request.headers.add("Content-Type", "application/sdp")
            request.body = sdp.encode()
        self.deliver(request, source)
        return request

    def within(
        self,
        method: str,
        dialog: Request | Response,
        *,
        body: str | None = None,
        content_type: str = "application/sdp",
        headers: Sequence[tuple[str, str]] = (),
        cseq: int | None = None,
        branch: str | None = None,
        source: Source = PROXY,
        sender: str = "",
    ) -> Request:
        """A request of the peer in the dialog of a message.

        ``sender``: its From, without the tag, if that is another than before.
        ``dialog`` is a request of the agent's, or a response of the agent's.
        """
        if cseq is None and method != "ACK":
            self.cseq += 1
        ours_first = isinstance(dialog, Request)
        local = dialog.headers.get("To" if ours_first else "From") or ""
        remote = dialog.headers.get("From" if ours_first else "To") or ""
        if sender:
            tag = sip.NameAddr.parse(local).tag or ""
            local = str(sip.NameAddr.parse(sender).with_tag(tag))
        contact = dialog.contact
        request = Request(
            method,
            contact.uri if contact else sip.Uri.parse("sip:rep@198.51.100.7"),
            [
                ("Via", self.via(branch)),
                ("Max-Forwards", "70"),
                ("From", local),
                ("To", remote),
                ("Call-ID", dialog.call_id),
                ("CSeq", f"{self.cseq if cseq is None else cseq} {method}"),
                ("Contact", "<sip:moved@192.0.2.10:5064>"),
                *headers,
            ],
        )
        if body is not None:
            request.headers.add("Content-Type", content_type)
            request.body = body.encode()
        self.deliver(request, source)
        return request

    def cancel(
        self, invite: Request, *, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Cancel an INVITE of the peer's."""
        self.deliver(
            Request(
                "CANCEL",
                invite.uri,
                [
                    ("Via", invite.headers.get("Via") or ""),
                    ("From", invite.headers.get("From") or ""),
                    ("To", invite.headers.get("To") or ""),
                    ("Call-ID", invite.call_id),
                    ("CSeq", f"{invite.cseq.number} CANCEL"),
                    *headers,
                ],
            )
        )

    # -- calls -------------------------------------------------------------------------

    def call(self, target: str = "sip:bob@example.com", offer: str | None = OFFER):  # type: ignore[no-untyped-def]
        """Have the agent call."""
        return self.agent.call(
            self.account, sip.Uri.parse(target), offer, self.events.append
        )

    def established_outgoing(self) -> tuple[sip.OutgoingCall, Request, Response]:
        """A call of the agent's that stands; its INVITE and the 200."""
        call = self.call()
        invite = self.request("INVITE")
        ok = self.reply(
            invite,
            200,
            tag="bob",
            sdp=ANSWER,
            record_routes=["<sip:192.0.2.1;lr>"],
        )
        self.request("ACK")
        self.run()
        self.events.clear()
        return call, invite, ok

    def established_incoming(self) -> tuple[sip.IncomingCall, Request, Response]:
        """A call to the agent that stands; its INVITE and the 200."""
        invite = self.invite()
        call = self.calls[-1]
        call.answer(ANSWER)
        ok = self.response(200, "INVITE")
        self.within("ACK", ok, cseq=invite.cseq.number)
        self.run()
        self.events.clear()
        return call, invite, ok

    async def finish(self) -> None:
        """Close the agent; it must leave nothing behind."""
        closing = asyncio.ensure_future(self.agent.close())
        await asyncio.sleep(0)
        for sent in self.drain():
            if isinstance(sent.message, Request) and sent.message.method in (
                "BYE",
                "REGISTER",
            ):
                self.reply(sent.message, 200)
        self.run()
        await closing
        self.run(0)
        assert not self.agent.calls
        assert self.agent.transaction_count == 0
        assert self.clock.pending == 0
        assert self.wire.held == []
