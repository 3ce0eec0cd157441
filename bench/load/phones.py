"""The far ends: one SIP user agent with many calls, and an RTP socket for each.

The agent registers once, under a number that everybody may call, and takes every call
at once; it also calls in from outside, as a carrier's gateway does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import uuid
from types import TracebackType
from typing import Protocol, Self

import sip
from sip.sdp import SessionDescription

ANSWER_TIMEOUT_S = 30.0


class RegistrarAddress(Protocol):
    """Of the application server."""

    host: str
    port: int
    domain: str


class PhoneError(Exception):
    """A call did not become what it should."""


class PhoneCall:
    """One call of a far end.

    Attributes:
        fd: of its RTP socket.
        remote: where its packets go, as the answer or offer says.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rtp, self._rtcp = _bind_pair()
        self._leg: sip.Call | None = None
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()
        self.fd = self._rtp.fileno()
        self.remote = ("", 0)
        self.end: sip.CallEvent | None = None

    def sdp(self) -> str:
        """PCMU and telephone-event, as an offer or an answer."""
        return (
            f"v=0\r\no=- {self._rng.getrandbits(31)} 1 IN IP4 127.0.0.1\r\ns=-\r\n"
            f"c=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._rtp.getsockname()[1]} RTP/AVP 0 101\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        )

    def attach(self, leg: sip.Call) -> None:
        """Give it the SIP call whose media it is."""
        self._leg = leg
        leg.on_event = self.on_event

    def learn(self, sdp: str | None) -> None:
        """Take the address from the other side's description."""
        session = SessionDescription.parse(sdp or "")
        media = session.first("audio")
        connection = media and session.connection(media)
        if not media or not connection:
            raise PhoneError(f"no audio in {sdp!r}")
        self.remote = (connection.address, media.port)

    def on_event(self, event: sip.CallEvent) -> None:
        """What the SIP call says."""
        match event:
            case sip.Answered():
                self.learn(event.sdp)
                self._answered.set()
            case sip.Confirmed():
                self._answered.set()
            case _ if isinstance(event, sip.TERMINAL_EVENTS):
                self.end = event
                self._answered.set()
                self._ended.set()
            case _:
                pass

    async def answered(self) -> None:
        """Wait until it is answered, or our answer acknowledged.

        Raises:
            PhoneError: it ended instead.
            TimeoutError: neither.
        """
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self._answered.wait()
        if self.end is not None:
            raise PhoneError(f"the call ended: {self.end}")

    async def ended(self) -> None:
        """Wait for the end."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await self._ended.wait()

    def hang_up(self) -> None:
        """End it from this side."""
        if self._leg is not None:
            self._leg.hangup()

    def close(self) -> None:
        """Close the sockets."""
        self._rtp.close()
        self._rtcp.close()


class Phones:
    """The user agent of all far ends; an async context manager.

    Args:
        number: that takes every call.
        password: of that number at the application server.
    """

    def __init__(self, server: RegistrarAddress, *, number: str, password: str) -> None:
        self._server = server
        self._rng = random.SystemRandom()
        self._agent = sip.UserAgent(
            sip.AgentConfig(bind_host="127.0.0.1", transports=("udp",)), rng=self._rng
        )
        self._agent.on_invite = self._invited
        self._account = self._account_of(number, server.domain, password)
        self._registered = asyncio.Event()
        # Calls that came in, by the caller's number.
        self._taken: dict[str, asyncio.Future[PhoneCall]] = {}

    async def __aenter__(self) -> Self:
        await self._agent.start()
        self._agent.registration(self._account, self._changed).start()
        async with asyncio.timeout(10):
            await self._registered.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._agent.close()

    def call(self, number: str) -> PhoneCall:
        """Call a number of the domain from outside; not answered yet."""
        phone = PhoneCall(self._rng)
        caller = f"+1646555{self._rng.randrange(10_000):04}"
        leg = self._agent.call(
            self._account_of(caller, "carrier.invalid", ""),
            sip.Uri("sip", user=number, host=self._server.domain),
            phone.sdp(),
            phone.on_event,
        )
        phone.attach(leg)
        return phone

    def expect(self, caller: str) -> asyncio.Future[PhoneCall]:
        """The call that this number will make, when it has come and is answered."""
        coming: asyncio.Future[PhoneCall] = asyncio.get_running_loop().create_future()
        self._taken[caller] = coming
        return coming

    def _invited(self, leg: sip.IncomingCall) -> None:
        coming = self._taken.pop(leg.remote.uri.user or "", None)
        if coming is None or coming.done():
            leg.reject(480)
            return
        phone = PhoneCall(self._rng)
        phone.attach(leg)
        try:
            phone.learn(leg.remote_offer)
        except PhoneError as error:
            leg.reject(488)
            coming.set_exception(error)
            return
        leg.ring()
        leg.answer(phone.sdp())
        coming.set_result(phone)

    def _changed(self, state: sip.RegistrationState) -> None:
        if state.status == "registered":
            self._registered.set()

    def _account_of(self, number: str, domain: str, password: str) -> sip.Account:
        registrar = sip.Uri("sip", host=self._server.host, port=self._server.port)
        return sip.Account(
            aor=sip.Uri("sip", user=number, host=domain),
            username=number,
            password=sip.Secret(password),
            registrar=registrar,
            outbound_proxies=(registrar,),
            instance_id=uuid.uuid5(uuid.NAMESPACE_OID, number).urn,
        )


def _bind_pair() -> tuple[socket.socket, socket.socket]:
    """An even port and the odd one after it."""
    for _ in range(100):
        with contextlib.ExitStack() as stack:
            sockets = []
            port = 0
            try:
                for _ in range(2):
                    each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    stack.enter_context(each)
                    each.setblocking(False)
                    each.bind(("127.0.0.1", port))
                    sockets.append(each)
                    port = int(each.getsockname()[1]) + 1
                    if len(sockets) == 1 and port % 2 == 0:
                        raise OSError("odd")
            except OSError:
                continue
            stack.pop_all()
            return sockets[0], sockets[1]
    raise OSError("no pair of ports is free")
