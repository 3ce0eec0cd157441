"""The sandbox's telephones: a desk phone of the rep, and customers' phones.

Each is a small user agent that registers at the application server, rings, can be
answered, declined, and made to call; while it talks it says its recording and then
plays back what it hears, so that a person at the other end hears themselves.
"""

from __future__ import annotations

import asyncio
import enum
import random
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import sip
from gateway.sandbox.sound import PhoneSound, recording
from sip.sdp import SessionDescription


class PhoneState(enum.StrEnum):
    IDLE = "idle"
    CALLING = "calling"
    RINGING = "ringing"
    TALKING = "talking"


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """One phone. ``answers_after_s``: None waits for a person."""

    name: str
    label: str
    number: str
    password: str = field(repr=False)
    sound: str
    answers_after_s: float | None = None


class Phone:
    """One telephone; ``on_change`` is called after every change of state."""

    def __init__(
        self,
        config: PhoneConfig,
        *,
        domain: str,
        server: tuple[str, int],
        rng: random.Random,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.state = PhoneState.IDLE
        self.is_registered = False
        self.other_party = ""
        self.last_end = ""
        self._on_change = on_change
        self._domain = domain
        self._rng = rng
        self._host, port = server
        self._agent = sip.UserAgent(
            sip.AgentConfig(bind_host=self._host, bind_port=0), rng=rng
        )
        self._agent.on_invite = self._on_invite
        registrar = sip.Uri("sip", host=self._host, port=port)
        self._account = sip.Account(
            aor=sip.Uri("sip", user=config.number, host=domain),
            display_name=config.label,
            username=config.number,
            password=sip.Secret(config.password),
            registrar=registrar,
            outbound_proxies=(registrar,),
            instance_id=uuid.uuid5(uuid.NAMESPACE_OID, f"sandbox/{config.name}").urn,
        )
        self._call: sip.IncomingCall | sip.OutgoingCall | None = None
        self._sound: PhoneSound | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answer_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Register at the application server."""
        await self._agent.start()
        self._agent.registration(self._account, self._registration_changed).start()

    async def close(self) -> None:
        """Hang up and leave."""
        self.hang_up()
        self._back_to_idle("")
        await self._agent.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _registration_changed(self, state: sip.RegistrationState) -> None:
        self.is_registered = state.status == "registered"
        self._on_change()

    # What a person does ---------------------------------------------------------------

    async def dial(self, number: str) -> None:
        """Call a number of the domain."""
        if self.state is not PhoneState.IDLE:
            return
        self.state = PhoneState.CALLING
        self.other_party = number
        sound = await self._open_sound()
        self._call = self._agent.call(
            self._account,
            sip.Uri("sip", user=number, host=self._domain),
            self._sdp(sound),
            self._on_event,
        )
        self._on_change()

    async def answer(self) -> None:
        """Pick up."""
        call = self._call
        if self.state is not PhoneState.RINGING or not isinstance(
            call, sip.IncomingCall
        ):
            return
        self._stop_answer_timer()
        self.state = PhoneState.TALKING
        sound = await self._open_sound()
        sound.remote = _remote_of(call.remote_offer or "")
        call.answer(self._sdp(sound))
        self._begin_talking(sound)
        self._on_change()

    def hang_up(self) -> None:
        """Hang up, decline, or give up calling."""
        if self._call is None:
            return
        if self.state is PhoneState.RINGING and isinstance(
            self._call, sip.IncomingCall
        ):
            self._call.reject(603)
        else:
            self._call.hangup()
        self._back_to_idle("Hung up here")

    # What the network does ------------------------------------------------------------

    def _on_invite(self, call: sip.IncomingCall) -> None:
        if self.state is not PhoneState.IDLE:
            call.reject(486)
            return
        self._call = call
        call.on_event = self._on_event
        self.state = PhoneState.RINGING
        self.other_party = call.remote.display_name or call.remote.uri.user or ""
        call.ring()
        if self.config.answers_after_s is not None:
            self._answer_timer = asyncio.get_running_loop().call_later(
                self.config.answers_after_s, lambda: self._own(self.answer())
            )
        self._on_change()

    def _on_event(self, event: sip.CallEvent) -> None:
        match event:
            case sip.Answered():
                sound = self._sound
                if sound is not None:
                    self.state = PhoneState.TALKING
                    sound.remote = _remote_of(event.sdp or "")
                    self._begin_talking(sound)
                    self._on_change()
            case sip.Offer():
                if self._sound is not None and isinstance(
                    self._call, sip.IncomingCall | sip.OutgoingCall
                ):
                    self._sound.remote = _remote_of(event.sdp or "")
                    self._call.accept_offer(self._sdp(self._sound))
            case sip.TransferRequested():
                # As many phones do; whoever asks then brings the two together.
                if self._call is not None:
                    self._call.refuse_transfer(603)
            case sip.Rejected():
                self._back_to_idle(f"Not answered ({event.status})")
            case sip.Cancelled():
                elsewhere = any(reason.cause == 200 for reason in event.reasons)
                self._back_to_idle(
                    "Answered on another device" if elsewhere else "Missed call"
                )
            case sip.RemoteHangup():
                self._back_to_idle("The other party hung up")
            case sip.Failed():
                self._back_to_idle("The call was lost")
            case _:
                pass

    def _back_to_idle(self, why: str) -> None:
        self._stop_answer_timer()
        for task in self._tasks:
            task.cancel()
        if self._sound is not None:
            self._sound.close()
            self._sound = None
        self._call = None
        self.state = PhoneState.IDLE
        self.other_party = ""
        self.last_end = why
        self._on_change()

    # Sound ----------------------------------------------------------------------------

    async def _open_sound(self) -> PhoneSound:
        self._sound = await PhoneSound.open(
            self._host, recording(self.config.sound), rng=self._rng
        )
        return self._sound

    def _begin_talking(self, sound: PhoneSound) -> None:
        self._own(sound.talk())

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop_answer_timer(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _sdp(self, sound: PhoneSound) -> str:
        session = self._rng.getrandbits(31)
        return (
            f"v=0\r\no=- {session} 1 IN IP4 {self._host}\r\ns=-\r\n"
            f"c=IN IP4 {self._host}\r\nt=0 0\r\n"
            f"m=audio {sound.port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
            "a=ptime:20\r\na=sendrecv\r\n"
        )


def _remote_of(sdp: str) -> tuple[str, int] | None:
    """Where the other side's audio is to go; None if it wants none."""
    session = SessionDescription.parse(sdp)
    media = session.first("audio")
    if media is None or media.is_rejected:
        return None
    connection = session.connection(media)
    return None if connection is None else (connection.address, media.port)
