"""Rooms without sockets: a model of who gets whom, and offers of any shape."""

from __future__ import annotations

import gc
import random
import weakref
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.media.engine import MediaCallId, RoomChanged
from gateway.media.relay import forwarding
from gateway.media.relay.codecs import CODECS
from gateway.media.relay.description import read_description
from gateway.media.relay.ice_lite import IceCredentials
from gateway.media.relay.media_lines import LocalBrowserSide, OutgoingStream
from gateway.media.relay.negotiation import Negotiation
from gateway.media.relay.room import ASK_AGAIN_S, Member, Room, Sending
from gateway.media.relay.room_lines import (
    MAX_RECEIVING,
    LineFiller,
    ReceivingLines,
    Source,
)
from gateway.media.relay.source_clock import SourceClock
from gateway.media.relay.video_negotiation import RoomLines
from tests.gateway.media.rig import (
    BROWSER_VIDEO,
    Rtp,
    Talker,
    build_rtp,
    offer_sdp,
    receiving_line,
)
from tests.gateway.media.room_rig import KEY, read_lines

OURS = LocalBrowserSide(
    host="192.0.2.1",
    port=4000,
    credentials=IceCredentials("ufrag", "p" * 22),
    fingerprint="AA",
    is_dtls_server=True,
    ssrc=1,
    cname="ours",
    video_ssrc=2,
)
# What a browser offers for its own video, and how a room receives it.
VIDEO = {"VP8": 96, "VP9": 98, "H264": 102}
AUDIO = {"PCMU": 0, "opus": 111}


class Batch:
    """The worker's, with what was left in it by destination."""

    def __init__(self) -> None:
        self.count = 0
        self.views = [memoryview(bytearray(2048))]
        self.pointers = [0]
        self.sent: list[tuple[bytes, Rtp]] = []

    def commit(self, start: int, length: int, destination: bytes) -> None:
        packet = Rtp.parse(bytes(self.views[0][start : start + length]))
        self.sent.append((destination, packet))


class Silence:
    """An uplink that nobody listens to."""

    def rewrite(self, packet: memoryview, length: int, now: float) -> int:
        return -1


def new_negotiation() -> Negotiation:
    return Negotiation(
        codecs=tuple(CODECS),
        video_codecs=tuple(VIDEO),
        host="192.0.2.1",
        sip_port=5000,
        session_ids=(1, 2),
    )


class World:
    """A room, its calls, and the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.batch = Batch()
        self.events: list[RoomChanged] = []
        services = SimpleNamespace(
            rng=random.Random(1),
            clock=lambda: self.now,
            browser_port=SimpleNamespace(sender=self.batch, send_packet=None),
            emit=self.events.append,
        )
        self.room = Room(cast(Any, services))


class Caller:
    """What a call does for its browser, and the browser itself."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.name = f"n{number}"
        self.call = MediaCallId(f"call-{number}")
        self.negotiation = new_negotiation()
        self.negotiation.video.room = RoomLines.POSSIBLE
        self.negotiation.video_port = 5002
        self.keyframes_asked = 0
        self.asked_again: list[int] = []
        self.member: Member = world.room.open(
            self.call,
            Sending(
                negotiation=self.negotiation,
                uplink=Silence(),
                cname=f"cname-{number}",
                clock=SourceClock(),
                ask_keyframe=self._count,
                ask_again=self.asked_again.extend,
            ),
        )
        self.voice, self.camera = Talker(number), Talker(number + 1000)
        self.transport: Any = None
        self.sdp = ""
        self.version = 0
        self.sends_audio = self.sends_video = ""

    def _count(self, now: float) -> None:
        self.keyframes_asked += 1

    def connect(self) -> None:
        self.transport = SimpleNamespace(
            uplink=None, send_context=self, destination=self.name.encode()
        )
        self.member.connect(self.transport)

    def answer(self, audio: str, video: str, lines: list[list[str]]) -> None:
        self.version += 1
        mids = [next(x for x in line if x[:6] == "a=mid:")[6:] for line in lines]
        text = offer_sdp(
            codecs=(audio,),
            video=(video,) if video else (),
            version=self.version,
            extra="".join("\r\n".join(line) + "\r\n" for line in lines),
        )
        # ``extra`` comes before the own video; both orders are tried thereby.
        group = next(x for x in text.splitlines() if x.startswith("a=group:BUNDLE"))
        text = text.replace(group, " ".join([group, *mids]))
        description = read_description(text, is_browser=True)
        media = Negotiation.browser_media(description)
        own = self.negotiation.video.browser_media(description, media)
        filler = LineFiller(self.negotiation, description, media, own)
        filled = filler.fill(self.member.sources(), self.member.lines)
        self.sdp = self.negotiation.answer_browser(
            description, media, OURS, filler.text(filled, OURS)
        )
        assert len(read_lines(self.sdp)) == len(description.media)
        self.member.answered(filler.lines(filled))
        self.world.room.update()
        self.sends_audio, self.sends_video = audio, video

    def send(self) -> None:
        """A packet of everything it sends, through its fan."""
        packets = [self.voice.packet(AUDIO[self.sends_audio], b"v" * 20)]
        if self.sends_video:
            key = KEY if self.sends_video == "VP8" else b"\x65" * 3
            key = b"\x08\x00" if self.sends_video == "VP9" else key
            number = VIDEO[self.sends_video]
            packets.append(self.camera.packet(number, key, ticks=3000, marker=True))
        for packet in packets:
            view = memoryview(bytearray(packet))
            assert self.transport is not None
            self.transport.uplink.rewrite(view, len(packet), self.world.now)
            assert view == packet


def waiting_lines(draw_kinds: list[str], salt: int) -> list[list[str]]:
    return [
        receiving_line(f"r{index}-{salt}", kind, codecs=tuple(AUDIO))
        for index, kind in enumerate(draw_kinds)
    ]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "srtp_protect", lambda *_: 0)


class Meetings(RuleBasedStateMachine):
    """Any order of coming, going, offering and sending, against a simple model."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.callers: dict[int, Caller] = {}
        self.inside: set[int] = set()
        self.partners: dict[int, int] = {}
        # What a caller could receive when last answered: to know who is out of date.
        self.answered: dict[int, object] = {}
        self.told: dict[int, object] = {}
        self.sequences: dict[tuple[bytes, int], int] = {}

    def model(self, receiver: int) -> frozenset[tuple[str, str, str]]:
        """All that the receiver should get: (name, kind, format)."""
        if receiver not in self.inside:
            return frozenset()
        streams: set[tuple[str, str, str]] = set()
        for number in self.inside - {receiver}:
            if receiver == self.partners.get(number):
                continue
            if number == self.partners.get(receiver):
                continue
            other = self.callers[number]
            streams.add((other.name, "audio", other.sends_audio))
            if other.sends_video:
                streams.add((other.name, "video", other.sends_video))
        return frozenset(streams)

    def changed(self) -> None:
        """Compare the events of a step with what the model says has changed."""
        expected = set()
        for number, caller in self.callers.items():
            now = self.model(number)
            if now != self.told.get(number, frozenset()):
                expected.add(caller.call)
                self.told[number] = now
        # A name that left and came back has other streams: told more often is fine.
        events = [event.call for event in self.world.events]
        assert expected <= set(events)
        assert len(events) == len(set(events))
        known = {caller.call for caller in self.callers.values()}
        assert set(events) <= known
        self.world.events.clear()

    def some(self, data: st.DataObject, numbers: Any) -> int:
        return int(data.draw(st.sampled_from(sorted(numbers))))

    @precondition(lambda self: len(self.callers) < 5)
    @rule(number=st.integers(1, 9), lines=st.integers(0, 8))
    def come(self, number: int, lines: int) -> None:
        if number not in self.callers:
            caller = self.callers[number] = Caller(self.world, number)
            caller.answer(
                "PCMU", "VP8", waiting_lines(["video", "audio"] * 4, 0)[:lines]
            )
            caller.connect()
            self.changed()

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def enter(self, data: st.DataObject) -> None:
        number = self.some(data, self.callers)
        partner = data.draw(st.sampled_from([None, *sorted(self.callers)]))
        caller = self.callers[number]
        self.partners.pop(number, None)
        if partner is not None and partner != number:
            self.partners[number] = partner
        self.inside.add(number)
        caller.negotiation.video.room = RoomLines.FILLED
        there = self.partners.get(number)
        self.world.room.enter(
            caller.member,
            caller.name,
            None if there is None else self.callers[there].call,
        )
        self.changed()

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), is_over=st.booleans())
    def leave(self, data: st.DataObject, is_over: bool) -> None:
        number = self.some(data, self.inside)
        self.inside.discard(number)
        self.partners.pop(number, None)
        caller = self.callers[number]
        if is_over:
            del self.callers[number]
            self.told.pop(number, None)
            for other, partner in list(self.partners.items()):
                if partner == number:
                    # The call may come back under its name; then they part.
                    self.partners[other] = number
            self.world.room.close(caller.member)
        else:
            caller.negotiation.video.room = RoomLines.POSSIBLE
            self.world.room.leave(caller.member)
        self.changed()

    @precondition(lambda self: self.callers)
    @rule(
        data=st.data(),
        audio=st.sampled_from(sorted(AUDIO)),
        video=st.sampled_from(["", *sorted(VIDEO)]),
        kinds=st.lists(st.sampled_from(["audio", "video"]), max_size=10),
        salt=st.integers(0, 1),
    )
    def answer(
        self, data: st.DataObject, audio: str, video: str, kinds: list[str], salt: int
    ) -> None:
        number = self.some(data, self.callers)
        caller = self.callers[number]
        before = {
            line.mid: (line.name, line.kind)
            for line in read_lines(caller.sdp)
            if line.direction == "sendonly" and line.name != OURS.cname
        }
        wanted = self.model(number)
        caller.answer(audio, video, waiting_lines(kinds, salt))
        self.told[number] = self.model(number)
        # Outside of the room the first may be taken for the call's own.
        lines = [
            line
            for line in read_lines(caller.sdp)
            if line.mid[:1] == "r" and line.name != OURS.cname
        ]
        filled = [line for line in lines if line.direction == "sendonly"]
        assert len({(line.name, line.kind) for line in filled}) == len(filled)
        assert {(line.name, line.kind) for line in filled} <= {
            (name, kind) for name, kind, _ in wanted
        }
        for kind in ("audio", "video"):
            offered = [line for line in lines[:MAX_RECEIVING] if line.kind == kind]
            there = [each for each in wanted if each[1] == kind]
            have = [line for line in filled if line.kind == kind]
            assert len(have) == min(len(offered), len(there))
        # Whoever was in a line that is there again is still in it.
        still = {(name, kind) for name, kind, _ in wanted}
        for line in lines:
            name, kind = before.get(line.mid, ("", ""))
            if line.port and kind == line.kind and (name, kind) in still:
                assert line.name == name
        assert RoomChanged(caller.call) not in self.world.events
        assert [line.port == 0 for line in lines] == [
            index >= MAX_RECEIVING for index in range(len(lines))
        ]
        self.changed()

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        self.callers[self.some(data, self.callers)].connect()
        self.changed()

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        number = self.some(data, self.callers)
        sender = self.callers[number]
        self.world.now += 0.02
        self.world.batch.sent.clear()
        sender.send()
        got: dict[tuple[str, int], Rtp] = {}
        for destination, packet in self.world.batch.sent:
            assert (destination.decode(), packet.ssrc) not in got
            got[destination.decode(), packet.ssrc] = packet
        expected: dict[tuple[str, int], int] = {}
        for other, caller in self.callers.items():
            for name, kind, sent in self.model(other):
                if name != sender.name:
                    continue
                for line in read_lines(caller.sdp):
                    types = AUDIO if kind == "audio" else VIDEO
                    if (line.name, line.kind) == (name, kind) and (
                        line.payload_types == (types[sent],)
                    ):
                        expected[caller.name, line.ssrc] = types[sent]
        # A stream that was begun anew (left and came back) waits for its answer.
        assert {key: packet.payload_type for key, packet in got.items()}.items() <= (
            expected.items()
        )
        fresh = {
            caller.name
            for caller in self.callers.values()
            if not caller.member.is_answer_stale
        }
        assert {key for key in expected if key[0] in fresh} <= set(got)
        for (name, ssrc), packet in got.items():
            key = name.encode(), ssrc
            if key in self.sequences:
                assert packet.sequence == (self.sequences[key] + 1) & 0xFFFF
            self.sequences[key] = packet.sequence

    @invariant()
    def counts_agree(self) -> None:
        assert self.world.room.member_count == len(self.inside)
        assert self.world.room.is_empty == (not self.callers)


Meetings.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)


class TestMeetings(Meetings.TestCase):
    @pytest.fixture(autouse=True)
    def _plain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forwarding, "srtp_protect", lambda *_: 0)


_LINES = st.lists(
    st.tuples(
        st.sampled_from(["audio", "video", "application", "text"]),
        st.sampled_from(["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", ""]),
        st.sampled_from(["recvonly", "inactive", "sendrecv", "sendonly"]),
        st.sampled_from([9, 0]),
        st.sampled_from(["UDP/TLS/RTP/SAVPF", "RTP/AVP"]),
        st.lists(st.sampled_from(["96", "97", "102", "0", "72", "111"]), max_size=4),
    ),
    max_size=20,
    unique_by=lambda line: line[1],
)


@given(lines=_LINES, bundle=st.sets(st.sampled_from([f"r{n}" for n in range(1, 12)])))
@settings(max_examples=150, deadline=None)
def test_any_offer_is_answered_line_by_line(
    lines: list[tuple[str, str, str, int, str, list[str]]], bundle: set[str]
) -> None:
    extra = ""
    for kind, mid, direction, port, protocol, numbers in lines:
        extra += f"m={kind} {port} {protocol} {' '.join(numbers or ['0'])}\r\n"
        extra += f"a=mid:{mid}\r\n" if mid else ""
        extra += f"a={direction}\r\n"
        for number in numbers:
            name = {"96": "VP8/90000", "102": "H264/90000", "111": "opus/48000/2"}
            if number in name:
                extra += f"a=rtpmap:{number} {name[number]}\r\n"
    text = offer_sdp(video=BROWSER_VIDEO, extra=extra)
    text = text.replace("a=group:BUNDLE 0 1", " ".join(["a=group:BUNDLE 0 1", *bundle]))
    description = read_description(text, is_browser=True)
    negotiation = new_negotiation()
    negotiation.video.room = RoomLines.FILLED
    negotiation.video_port = 5002
    media = Negotiation.browser_media(description)
    video = negotiation.video.browser_media(description, media)
    filler = LineFiller(negotiation, description, media, video)
    vp8 = next(
        each
        for media_line in description.media
        for each in media_line.video
        if each.name == "VP8"
    )
    sources = [
        Source(MediaCallId(f"c{n}"), OutgoingStream(n, f"n{n}", "c"), sent)
        for n in range(5)
        for sent in (CODECS["pcmu"], vp8)
    ]
    filled = filler.fill(sources, ReceivingLines())
    again = filler.fill(list(reversed(sources)), filler.lines(filled))
    assert again == filled
    keys = [each.source.key for each in filled.values()]
    assert len(keys) == len(set(keys)) <= MAX_RECEIVING
    answer = negotiation.answer_browser(
        description, media, OURS, filler.text(filled, OURS)
    )
    read = read_description(answer, is_browser=True)
    assert [each.kind for each in read.media] == [e.kind for e in description.media]
    live = [each.mid for each in read.media if not each.is_rejected]
    assert len(live) == len(set(live)) <= MAX_RECEIVING + 2
    assert set(live) == set(read.bundle)
    for place, each in enumerate(description.media):
        if place in filled:
            assert each.direction == "recvonly"
            assert each.kind == filled[place].source.kind


class TestOneStream:
    @pytest.fixture
    def pair(self) -> tuple[Caller, Caller]:
        world = World()
        callers = Caller(world, 1), Caller(world, 2)
        for caller in callers:
            caller.answer("PCMU", "VP8", [])
            caller.connect()
            world.room.enter(caller.member, caller.name, None)
        for caller in callers:
            caller.answer("PCMU", "VP8", waiting_lines(["video", "audio"], 0))
        return callers

    def test_extensions_and_contributors_are_stripped(
        self, pair: tuple[Caller, Caller]
    ) -> None:
        sender, _ = pair
        sender.send()
        sender.world.batch.sent.clear()
        extension = b"\xbe\xde\x00\x01\x10\xff\x00\x00"
        packet = build_rtp(
            0, sender.voice.sequence + 1, sender.voice.timestamp + 160,
            sender.voice.ssrc, b"voice", extension=extension,
        )  # fmt: skip
        packet = bytes([packet[0] | 1]) + packet[1:12] + b"csrc" + packet[12:]
        view = memoryview(bytearray(packet))
        sender.transport.uplink.rewrite(view, len(packet), sender.world.now)
        ((_, got),) = sender.world.batch.sent
        assert (got.first, got.payload) == (0x80, b"voice")

    def test_nonsense_goes_nowhere(self, pair: tuple[Caller, Caller]) -> None:
        sender, _ = pair
        sender.send()
        sender.world.batch.sent.clear()
        rng = random.Random(7)
        for _ in range(300):
            packet = bytearray(rng.randbytes(rng.randrange(12, 60)))
            packet[0] = 0x80 | packet[0] & 0x3F
            # Types that were not agreed on.
            packet[1] = rng.choice([1, 50, 72, 100, 127]) | rng.choice([0, 0x80])
            sender.transport.uplink.rewrite(memoryview(packet), len(packet), 1.0)
        assert sender.world.batch.sent == []

    def test_cut_packets_of_agreed_types_break_nothing(
        self, pair: tuple[Caller, Caller]
    ) -> None:
        sender, _ = pair
        rng = random.Random(8)
        for _ in range(300):
            packet = bytearray(rng.randbytes(rng.randrange(12, 60)))
            packet[0] = 0x80 | packet[0] & 0x3F
            packet[1] = rng.choice([0, 96, 126]) | rng.choice([0, 0x80])
            sender.transport.uplink.rewrite(memoryview(packet), len(packet), 1.0)

    def test_the_same_loss_is_asked_for_once(self, pair: tuple[Caller, Caller]) -> None:
        sender, _ = pair
        now = 5.0
        sender.member.ask_again([1, 2], now)
        sender.member.ask_again([2, 3], now + ASK_AGAIN_S / 2)
        sender.member.ask_again([1], now + 2 * ASK_AGAIN_S)
        assert sender.asked_again == [1, 2, 3, 1]

    def test_a_receiver_that_cannot_ask_has_its_losses_asked_for(
        self, pair: tuple[Caller, Caller]
    ) -> None:
        sender, receiver = pair
        lines = waiting_lines(["video"], 1)
        lines = [[each for each in line if "nack" not in each] for line in lines]
        receiver.answer("PCMU", "VP8", lines)
        sender.send()
        lost = sender.camera.sequence + 1
        sender.camera.sequence = lost
        sender.send()
        assert sender.asked_again == [lost & 0xFFFF]

    def test_nothing_is_kept_of_who_left(self, pair: tuple[Caller, Caller]) -> None:
        one, other = pair
        kept = [weakref.ref(each) for each in (*one.member.senders, other.member)]
        kept += [weakref.ref(each) for each in one.member.receivers]
        assert len(kept) == 3
        one.world.room.close(other.member)
        assert one.member.senders == one.member.receivers == []
        del other.member
        del pair, other
        gc.collect()
        assert [each() for each in kept] == [None] * 3
