"""A room: what each of its browsers sends goes to all others of it.

Each ordered pair of members has a :class:`Forwarding`, an audio and a video stream,
which lives as long as both are in: across renewals of either browser, and while there
is no line for it. *Partners* hear each other through their SIP legs and have none.
Whatever happens to a member, :meth:`Room.update` brings everything into line and
tells those whose last answer is now out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.media.engine import MediaCallId, MediaError, MediaErrorKind, RoomChanged
from gateway.media.relay.audio_stream import AudioRoute, AudioStream, EventRoute
from gateway.media.relay.browser_transport import BrowserTransport, Uplink
from gateway.media.relay.feedback import Feedback, Nack
from gateway.media.relay.forwarding import Fan, Feed, ForwardedStream
from gateway.media.relay.media_lines import OutgoingStream
from gateway.media.relay.negotiation import Negotiation
from gateway.media.relay.room_lines import Filled, ReceivingLines, Source
from gateway.media.relay.rtcp import Compound
from gateway.media.relay.services import CallServices
from gateway.media.relay.source_clock import SourceClock
from gateway.media.relay.video import MAX_RESENT, RESENT_PER_TICK
from gateway.media.relay.video_codecs import NACK
from gateway.media.relay.video_stream import VideoStream

# Streams grow with the square of it; who lets people in has a lower limit.
MAX_MEMBERS = 16

# All receivers miss what was lost before us: the sender is asked once in this time.
ASK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Sending:
    """A member as the one who sends.

    Attributes:
        clock: of its browser.
        ask_keyframe: asks the browser for one, at its pace; takes the time.
        ask_again: asks the browser for lost packets of its video, by its numbers.
    """

    negotiation: Negotiation
    uplink: Uplink
    cname: str
    clock: SourceClock
    ask_keyframe: Callable[[float], None]
    ask_again: Callable[[list[int]], None]


class Member:
    """The place of one call in its room, taken or not.

    Attributes:
        name: the stream id under which others receive it.
        transport: the live one of its browser.
        lines: what its last answer says.
        fan: stands before its uplink while it is in.
        senders, receivers: what comes from and goes to others while it is in.
    """

    def __init__(
        self, room: Room, call: MediaCallId, services: CallServices, sending: Sending
    ) -> None:
        self.room = room
        self.call = call
        self.name = ""
        self.partner: MediaCallId | None = None
        self.is_in = False
        self.transport: BrowserTransport | None = None
        self.lines = ReceivingLines()
        self.sending = sending
        self.fan = Fan(sending.uplink)
        self.senders: list[Forwarding] = []
        self.receivers: list[Forwarding] = []
        self._services = services
        # What there was to receive at the last answer, and when last told of.
        self._answered: frozenset[object] = frozenset()
        self._announced: frozenset[object] = frozenset()
        self._resendable = MAX_RESENT
        self._asked: dict[int, float] = {}

    # Its lines

    def sources(self) -> list[Source]:
        """What there is to receive, in the order in which members came."""
        return [source for each in self.senders for source in each.sources()]

    @property
    def is_answer_stale(self) -> bool:
        """Whether the last answer would be another one now."""
        return self._answered != self._receivable()

    def answered(self, lines: ReceivingLines) -> None:
        """An answer with these lines is on its way; :meth:`Room.update` follows."""
        self.lines = lines
        self._answered = self._announced = self._receivable()

    def _receivable(self) -> frozenset[object]:
        return frozenset(source.told for source in self.sources())

    def announce(self) -> None:
        """Ask for a new offer, once for each change; whether the browser can do
        anything with it will be seen then."""
        receivable = self._receivable()
        if receivable != self._announced:
            self._announced = receivable
            self._services.emit(RoomChanged(self.call))

    # Its transport

    def connect(self, transport: BrowserTransport | None) -> None:
        """Its browser is there on this transport from now on, or gone."""
        self.transport = transport
        self.attach()
        if not self.is_in:
            return
        if transport is not None:
            for each in self.receivers:
                each.new_source()
        self.room.update()

    def attach(self) -> None:
        """Put the fan before the uplink while it is in."""
        if self.transport is not None:
            self.transport.uplink = self.fan if self.is_in else self.sending.uplink

    # As the sender

    def feed(self) -> None:
        """Tell the fan what goes where now."""
        negotiation = self.sending.negotiation
        self.fan.set_feeds(
            (negotiation.browser_types, _feeds(each.audio for each in self.receivers)),
            (
                negotiation.video.browser_types,
                _feeds(each.video for each in self.receivers),
            ),
        )

    def ask_again(self, numbers: list[int], now: float) -> None:
        """Somebody misses these packets of its video."""
        asked = {
            number: at for number, at in self._asked.items() if now - at < ASK_AGAIN_S
        }
        wanted = [number for number in numbers if number not in asked]
        self._asked = asked | dict.fromkeys(wanted, now)
        if wanted:
            self.sending.ask_again(wanted)

    # As the receiver

    @property
    def has_video(self) -> bool:
        """Whether pictures of others flow to it."""
        return any(each.video.is_flowing for each in self.senders)

    def reported(self, compound: Compound, *, now: float, wall: float) -> None:
        """RTCP of its browser, which is about the call's own streams too."""
        for report in compound.reports:
            for each in self.receivers:
                each.audio.take_source_report(report)
                each.video.take_source_report(report)
        for each in self.senders:
            each.audio.reports.take(compound.reports, now=now, wall=wall)
            each.video.reports.take(compound.reports, now=now, wall=wall)
        for message in compound.feedback:
            for each in self.senders:
                if message.ssrc == each.video.stream.ssrc:
                    self._carry(message, each, now)

    def _carry(self, message: Feedback, forwarding: Forwarding, now: float) -> None:
        transport = self.transport
        if transport is None or not forwarding.video.is_flowing:
            return
        if not isinstance(message, Nack):
            forwarding.sender.sending.ask_keyframe(now)
            return
        stream = forwarding.video.stream
        unknown: list[int] = []
        for number in message.lost:
            packet = stream.sent_packet(number)
            if packet is None:
                unknown.append(number)
            elif self._resendable:
                self._resendable -= 1
                self._services.browser_port.send_packet(transport, packet)
        forwarding.sender.ask_again(stream.source_numbers(unknown), now)

    def tick(self, now: float) -> None:
        """What is repeated or given up; called a few times a second."""
        self._resendable = min(MAX_RESENT, self._resendable + RESENT_PER_TICK)
        for each in self.senders:
            each.tick(now)

    def send_reports(self, *, now: float, wall: float) -> None:
        """Sender reports of what flows to it."""
        if self.transport is None:
            return
        data = b"".join(
            stream.reports.sender_report(now=now, wall=wall)
            for each in self.senders
            for stream in (each.audio, each.video)
            if stream.is_flowing
        )
        if data:
            self._services.browser_port.send_reports(self.transport, data)


class Forwarding:
    """Both media of one member to one other."""

    def __init__(
        self, sender: Member, receiver: Member, services: CallServices
    ) -> None:
        self.sender, self.receiver = sender, receiver
        rng, sending = services.rng, sender.sending
        batch = services.browser_port.sender
        self.audio = ForwardedStream(
            AudioStream(ssrc=rng.getrandbits(32), rng=rng, on_digit=_ignore),
            batch=batch,
            cname=sending.cname,
            clock=sending.clock,
        )
        self.video = ForwardedStream(
            VideoStream(
                ssrc=rng.getrandbits(32),
                rng=rng,
                on_undecodable=lambda: sender.fan.wish(sending.ask_keyframe),
                on_gap=lambda now: sender.fan.wish(self._ask_again),
            ),
            batch=batch,
            cname=sending.cname,
            clock=sending.clock,
        )
        self._can_ask = True
        self._services = services

    def sources(self) -> list[Source]:
        """What the sender's browser sends now, as the receiver is to be told."""
        sender, sending = self.sender, self.sender.sending
        sources: list[Source] = []
        audio = sending.negotiation.sent_audio()
        if audio is not None:
            sources.append(
                Source(sender.call, self._described(self.audio), audio.codec)
            )
        video = sending.negotiation.video.sent_video()
        if video is not None:
            sources.append(Source(sender.call, self._described(self.video), video))
        return sources

    def _described(
        self, forwarded: ForwardedStream[AudioStream] | ForwardedStream[VideoStream]
    ) -> OutgoingStream:
        sender = self.sender
        return OutgoingStream(forwarded.stream.ssrc, sender.name, sender.sending.cname)

    def new_source(self) -> None:
        """The sender's browser came back on another transport."""
        self.audio.stream.new_source()
        self.video.stream.new_source()

    def apply(self) -> None:
        """Bring both streams into line with what is sent and what was answered."""
        now = self._services.clock()
        current = {source.kind: source for source in self.sources()}
        self._apply_audio(self._line(current, "audio"))
        self._apply_video(self._line(current, "video"), now)

    def _line(self, current: dict[str, Source], kind: str) -> Filled | None:
        """The receiver's line, if it was answered for what is sent now."""
        filled = self.receiver.lines.find(self.sender.call, kind)
        source = current.get(kind)
        if filled is None or source is None:
            return None
        told = filled.source
        is_same = told.stream.ssrc == source.stream.ssrc
        return filled if is_same and told.format_key == source.format_key else None

    def _apply_audio(self, line: Filled | None) -> None:
        sent = self.sender.sending.negotiation.sent_audio()
        if line is None or sent is None:
            self.audio.connect(None)
            return
        rate = sent.codec.clock_rate
        self.audio.stream.set_payloads(
            {sent.payload_type: AudioRoute(line.payload_type, rate)},
            {
                number: EventRoute(None, event_rate, event_rate)
                for number, event_rate in sent.events.items()
            },
            clock_rate=rate,
        )
        self.audio.connect(self.receiver.transport)

    def _apply_video(self, line: Filled | None, now: float) -> None:
        sent = self.sender.sending.negotiation.video.sent_video()
        if line is None or sent is None:
            self.video.connect(None)
            return
        stream = self.video.stream
        stream.set_payloads(
            {sent.payload_type: line.payload_type}, {sent.payload_type: sent.name}
        )
        self._can_ask = NACK in line.feedback
        stream.keep_history(wanted=self._can_ask)
        if self.video.connect(self.receiver.transport):
            stream.await_keyframe()
            self.sender.sending.ask_keyframe(now)

    def stop(self) -> None:
        """One of the two has left."""
        self.audio.connect(None)
        self.video.connect(None)

    def tick(self, now: float) -> None:
        """A keyframe is asked for again, or instead of what will not come."""
        if not self.video.is_flowing:
            return
        stream = self.video.stream
        if stream.give_up_missing(now) or stream.holds_back:
            self.sender.sending.ask_keyframe(now)
        self._ask_again(now)

    def _ask_again(self, now: float) -> None:
        """Ask for missing packets, if the receiver cannot ask for them itself."""
        if not self._can_ask:
            self.sender.ask_again(self.video.stream.missing_numbers(), now)


class Room:
    """All calls that were opened with one room's name, and those that are in."""

    def __init__(self, services: CallServices) -> None:
        self._services = services
        self._places: dict[MediaCallId, Member] = {}
        # In the order in which they came.
        self._members: dict[MediaCallId, Member] = {}
        self._forwardings: dict[tuple[MediaCallId, MediaCallId], Forwarding] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no call is left."""
        return not self._places

    @property
    def member_count(self) -> int:
        """Those who are in."""
        return len(self._members)

    @property
    def flowing_streams(self) -> int:
        """Streams that go from one member to another now."""
        return sum(
            each.audio.is_flowing + each.video.is_flowing
            for each in self._forwardings.values()
        )

    def open(self, call: MediaCallId, sending: Sending) -> Member:
        """A place for a call, which is not in yet."""
        member = Member(self, call, self._services, sending)
        self._places[call] = member
        return member

    def close(self, member: Member) -> None:
        """The call is over."""
        self._places.pop(member.call, None)
        self.leave(member)

    def enter(self, member: Member, name: str, partner: MediaCallId | None) -> None:
        """Bring it in, or say anew how it is in."""
        if member.call not in self._members and len(self._members) >= MAX_MEMBERS:
            raise MediaError(MediaErrorKind.NO_CAPACITY, "the room is full")
        member.name, member.partner = name, partner
        member.is_in = True
        self._members[member.call] = member
        member.attach()
        self.update()

    def leave(self, member: Member) -> None:
        """Take it out, if it is in."""
        if self._members.pop(member.call, None) is None:
            return
        member.is_in = False
        member.attach()
        self.update()

    def update(self) -> None:
        """Bring everything into line with who is in, and who sends what where."""
        self._pair()
        for forwarding in self._forwardings.values():
            forwarding.apply()
        for member in self._places.values():
            member.feed()
            member.announce()

    def _pair(self) -> None:
        members = self._members.values()
        wanted = {
            (sender.call, receiver.call): (sender, receiver)
            for sender in members
            for receiver in members
            if sender is not receiver and not _are_partners(sender, receiver)
        }
        for pair in [pair for pair in self._forwardings if pair not in wanted]:
            self._forwardings.pop(pair).stop()
        for pair, (sender, receiver) in wanted.items():
            if pair not in self._forwardings:
                self._forwardings[pair] = Forwarding(sender, receiver, self._services)
        for member in self._places.values():
            member.senders = [
                self._forwardings[sender, member.call]
                for sender in self._members
                if (sender, member.call) in self._forwardings
            ]
            member.receivers = [
                each for each in self._forwardings.values() if each.sender is member
            ]


def _are_partners(one: Member, other: Member) -> bool:
    return one.partner == other.call or other.partner == one.call


def _feeds(
    streams: Iterable[ForwardedStream[AudioStream] | ForwardedStream[VideoStream]],
) -> list[Feed]:
    return [each.feed for each in streams if each.is_flowing]


def _ignore(digit: str) -> None:
    """Digits are for the far end, not for the room."""
