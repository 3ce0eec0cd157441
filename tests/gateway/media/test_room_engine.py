"""Rooms of the relay engine, with scripted browsers and real packets."""

from __future__ import annotations

import asyncio
import os
import signal
import struct

import pytest

from gateway.media.engine import (
    BrowserConnected,
    EngineLost,
    Leg,
    LegStatistics,
    MediaCallId,
    MediaError,
    MediaErrorKind,
    RoomChanged,
)
from gateway.media.relay import RelayConfig, RelayEngine
from gateway.media.relay.feedback import (
    KeyframeMessage,
    KeyframeRequest,
    build_keyframe_request,
    build_nack,
)
from gateway.media.relay.rtcp import parse_compound
from tests.gateway.media.rig import (
    BROWSER_VIDEO,
    WAIT_S,
    Browser,
    Events,
    Rtp,
    exchange_until_connected,
    join,
    new_call,
    offer_sdp,
)
from tests.gateway.media.room_rig import (
    DELTA,
    KEY,
    LINES,
    Guest,
    all_meet,
    arrive,
    meeting,
    offer,
    read_lines,
    received,
    settle,
    talk,
)
from tests.gateway.media.test_relay_engine import wait_for_workers
from tests.gateway.media.video_contract import feedback_of, nacks_of

_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 99)


def pli(about: int) -> bytes:
    request = build_keyframe_request(KeyframeMessage.PICTURE_LOSS, 99, about, 1)
    return _REPORT + request


def assert_no_gap(packets: list[Rtp]) -> None:
    numbers = [packet.sequence for packet in packets]
    assert numbers == [(numbers[0] + step) & 0xFFFF for step in range(len(numbers))]


async def saw(guest: Guest, sender: Guest, payload: bytes) -> None:
    await guest.inbox.until(lambda: guest.shows(sender, payload))


async def counters(engine: RelayEngine) -> dict[str, int]:
    (fresh,) = await engine.worker_counters()
    return fresh


class TestMeeting:
    async def test_everybody_gets_everybody(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events) as guests:
            for guest in guests:
                others = {each.name for each in guests if each is not guest}
                streams = received(guest.answer.sdp)
                assert {name for name, _ in streams} == others
                for other in others:
                    voice, picture = streams[other, "audio"], streams[other, "video"]
                    assert voice.cname == picture.cname
                    assert voice.ssrc != picture.ssrc
                for line in streams.values():
                    assert len(line.payload_types) == 1
                    assert ("a=rtcp-fb:96 nack pli" in line.text) == (
                        line.kind == "video"
                    )
                (group,) = (
                    line
                    for line in guest.answer.sdp.splitlines()
                    if line.startswith("a=group:BUNDLE")
                )
                assert group.split()[1:] == ["0", "1", *(f"r{n}" for n in range(6))]
                for other in guests:
                    if other is not guest:
                        assert_no_gap(guest.of(other, "audio"))
                        assert_no_gap(guest.of(other, "video"))
            seen = await counters(engine)
            assert (seen["rooms"], seen["room_members"]) == (1, 3)
            assert seen["forwarded_streams"] == 12
            for guest in guests:
                statistics = await engine.close(guest.call)
                assert statistics.browser.packets_received > 0
                assert statistics.browser.lost == 0
                assert statistics.browser_video is not None
                assert statistics.browser_video.packets_received > 0
                assert statistics.sip == LegStatistics()
                assert statistics.sip_video is None
            seen = await counters(engine)
            assert (seen["rooms"], seen["forwarded_streams"]) == (0, 0)
            assert engine.counters()["open_rooms"] == 0

    async def test_partners_are_heard_by_sip_and_not_twice(
        self, engine: RelayEngine, events: Events
    ) -> None:
        leader = await arrive(engine, events, "leader")
        rep = await arrive(engine, events, "rep")
        late = await arrive(engine, events, "late")
        guests = [leader, rep, late]
        await engine.enter(rep.call, name="rep", partner=leader.call)
        await engine.enter(leader.call, name="leader")
        assert events.of(RoomChanged) == []
        await engine.enter(late.call, name="late")
        await settle(engine, events, guests)
        assert {name for name, _ in received(rep.answer.sdp)} == {"late"}
        assert {name for name, _ in received(leader.answer.sdp)} == {"late"}
        assert {name for name, _ in received(late.answer.sdp)} == {"leader", "rep"}
        # They part: now it goes by the room.
        await engine.enter(rep.call, name="rep")
        await settle(engine, events, guests)
        await talk(guests, all_meet(guests))
        for guest in guests:
            await guest.browser.close()

    async def test_lines_stay_whose_they_are(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events) as guests:
            first, second, third = guests
            before = {
                key: (line.mid, line.ssrc)
                for key, line in received(first.answer.sdp).items()
            }
            # The one whose lines come first leaves: the other's do not move up.
            await engine.leave(second.call)
            await offer(engine, first)
            lines = received(first.answer.sdp)
            assert {name for name, _ in lines} == {"c"}
            for key, line in lines.items():
                assert (line.mid, line.ssrc) == before[key]
            inactive = [
                line
                for line in read_lines(first.answer.sdp)
                if line.direction == "inactive"
            ]
            assert len(inactive) == 4
            assert all(line.port and not line.ssrc for line in inactive)
            # The one who left has nobody; the place of the first is taken by another.
            await offer(engine, second)
            assert received(second.answer.sdp) == {}
            fourth = await arrive(engine, events, "d")
            await engine.enter(fourth.call, name="d")
            await settle(engine, events, [first, third, fourth])
            for key, line in received(first.answer.sdp).items():
                assert key[0] == "d" or (line.mid, line.ssrc) == before[key]
            third.inbox.rtp.clear()
            await talk([first, third, fourth], all_meet([first, third, fourth]))
            await fourth.browser.close()

    async def test_too_few_lines_leave_the_rest_out(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events) as guests:
            answer = await offer(engine, guests[0], receiving=("video", "audio"))
            assert set(received(answer.sdp)) == {("b", "video"), ("b", "audio")}
            answer = await offer(engine, guests[0], receiving=("video",))
            assert set(received(answer.sdp)) == {("b", "video")}
            assert events.of(RoomChanged) == []
            answer = await offer(engine, guests[0], receiving=LINES * 2)
            lines = read_lines(answer.sdp)[2:]
            assert [line.port == 0 for line in lines] == [False] * 8 + [True] * 4
            await talk(guests, all_meet(guests))

    async def test_who_cannot_receive_a_codec_goes_without_and_is_not_asked_again(
        self, engine: RelayEngine, events: Events
    ) -> None:
        first, second = (
            await arrive(engine, events, "a"),
            await arrive(engine, events, "b"),
        )
        for guest in (first, second):
            await engine.enter(guest.call, name=guest.name)
        await settle(engine, events, [first, second])
        answer = await offer(engine, first, receiving_video=("H264",))
        assert set(received(answer.sdp)) == {("b", "audio")}
        assert {line.direction for line in read_lines(answer.sdp)[2:]} == {
            "sendonly",
            "inactive",
        }
        assert events.of(RoomChanged) == []
        # The other changes to what the first can do.
        await offer(engine, second, video=("H264",))
        assert events.of(RoomChanged) == [RoomChanged(first.call)]
        events.all.clear()
        answer = await offer(engine, first, receiving_video=("H264",))
        assert set(received(answer.sdp)) == {("b", "audio"), ("b", "video")}
        assert "a=fmtp:102 " in received(answer.sdp)["b", "video"].text
        assert events.of(RoomChanged) == []
        await first.browser.close()
        await second.browser.close()

    async def test_the_answer_is_repeated_until_the_room_is_another(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events) as guests:
            text = await guests[0].browser.offer(receiving=LINES, video=BROWSER_VIDEO)
            first = await engine.answer(guests[0].call, Leg.BROWSER, text)
            assert await engine.answer(guests[0].call, Leg.BROWSER, text) == first
            await engine.leave(guests[2].call)
            other = await engine.answer(guests[0].call, Leg.BROWSER, text)
            assert {name for name, _ in received(first.sdp)} == {"b", "c"}
            assert {name for name, _ in received(other.sdp)} == {"b"}

    async def test_video_that_begins_and_ends_is_told(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "ab") as (first, second):
            await offer(engine, second, video=())
            assert events.of(RoomChanged) == [RoomChanged(first.call)]
            await settle(engine, events, [first, second])
            assert set(received(first.answer.sdp)) == {("b", "audio")}
            await offer(engine, second, video_direction="recvonly")
            assert events.of(RoomChanged) == []
            # Its own line stays its own, also while it only receives.
            assert set(received(second.answer.sdp)) == {("a", "audio"), ("a", "video")}
            await offer(engine, second)
            assert events.of(RoomChanged) == [RoomChanged(first.call)]
            await settle(engine, events, [first, second])
            first.inbox.rtp.clear()
            await talk([first, second], all_meet([first, second]))

    async def test_a_name_is_a_stream_id_and_a_room_is_needed(
        self, engine: RelayEngine, events: Events
    ) -> None:
        alone, early = new_call(), new_call()
        await engine.open(alone)
        await engine.open(early, room="room")
        guest = await arrive(engine, events, "a")
        for call, name in (
            (alone, "a"),
            (early, "a"),
            (guest.call, "a b"),
            (guest.call, ""),
            (guest.call, "x" * 65),
            (guest.call, "a\r\na=inactive"),
        ):
            with pytest.raises(MediaError) as caught:
                await engine.enter(call, name=name)
            assert caught.value.kind is MediaErrorKind.WRONG_STATE
        for call in (alone, early, guest.call):
            await engine.leave(call)
        with pytest.raises(MediaError) as caught:
            await engine.enter(MediaCallId("nobody"), name="a")
        assert caught.value.kind is MediaErrorKind.UNKNOWN_CALL
        await guest.browser.close()

    async def test_a_room_has_a_limit(self, engine: RelayEngine) -> None:
        for number in range(17):
            call = new_call()
            await engine.open(call, room="room")
            await engine.answer(call, Leg.BROWSER, offer_sdp())
            if number < 16:
                await engine.enter(call, name=f"n{number}")
        with pytest.raises(MediaError) as caught:
            await engine.enter(call, name="last")
        assert caught.value.kind is MediaErrorKind.NO_CAPACITY

    async def test_rooms_do_not_mix(self, engine: RelayEngine, events: Events) -> None:
        one, other = (
            await arrive(engine, events, "a"),
            await arrive(engine, events, "b", room="elsewhere"),
        )
        for guest in (one, other):
            await engine.enter(guest.call, name=guest.name)
            answer = await offer(engine, guest)
            assert received(answer.sdp) == {}
        assert events.of(RoomChanged) == []
        assert (await counters(engine))["rooms"] == 2
        await one.browser.close()
        await other.browser.close()

    async def test_a_worker_ends_quietly_with_a_meeting_in_it(
        self, relay_config: RelayConfig, capfd: pytest.CaptureFixture[str]
    ) -> None:
        async with RelayEngine(relay_config) as engine:
            events = Events(engine)
            async with meeting(engine, events, "abcd"):
                pass
        assert "Traceback" not in capfd.readouterr().err


class TestPictures:
    async def test_keyframes_are_asked_of_the_sender_once_for_all(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "abcd") as guests:
            sender, *receivers = guests
            wanted = KeyframeRequest(sender.browser.camera.ssrc)
            # What the beginning has asked for is over.
            async with asyncio.timeout(WAIT_S):
                while True:
                    sender.inbox.rtcp.clear()
                    await asyncio.sleep(0.6)
                    if wanted not in feedback_of(sender.inbox):
                        break
            for _ in range(3):
                for guest in receivers:
                    line = received(guest.answer.sdp)[sender.name, "video"]
                    await guest.browser.send_raw(pli(line.ssrc))
            await sender.inbox.until(lambda: wanted in feedback_of(sender.inbox))
            assert feedback_of(sender.inbox).count(wanted) == 1

    async def test_who_comes_begins_with_a_keyframe(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "ab") as guests:
            late = await arrive(engine, events, "c")
            guests[0].inbox.rtcp.clear()
            await engine.enter(late.call, name="c")
            await settle(engine, events, [*guests, late])
            wanted = KeyframeRequest(guests[0].browser.camera.ssrc)
            while wanted not in feedback_of(guests[0].inbox):
                await guests[0].browser.send_video(DELTA + b"a")
                await asyncio.sleep(0.01)
            await talk([*guests, late], all_meet([*guests, late]))
            assert late.of(guests[0], "video")[0].payload == KEY + b"a"
            assert_no_gap(late.of(guests[0], "video"))
            await late.browser.close()

    async def test_losses_are_repaired_from_here_or_from_the_sender(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events) as guests:
            sender, one, other = guests
            # After us: a receiver's network lost it.
            lost_numbers: list[int] = []
            line = received(one.answer.sdp)["a", "video"]

            def loses(data: bytes) -> bool:
                is_it = len(data) > 12 and data[8:12] == line.ssrc.to_bytes(4, "big")
                if not is_it or lost_numbers:
                    return False
                lost_numbers.append(int.from_bytes(data[2:4], "big"))
                return True

            one.browser.loses = loses
            await sender.browser.send_video(DELTA + b"lost after us")
            await sender.browser.send_video(DELTA + b"came")
            await one.inbox.until(lambda: one.shows(sender, DELTA + b"came"))
            nack = build_nack(99, line.ssrc, lost_numbers)
            await one.browser.send_raw(_REPORT + nack)
            await one.inbox.until(lambda: one.shows(sender, DELTA + b"lost after us"))
            assert one.of(sender, "video")[-1].sequence == lost_numbers[0]
            assert nacks_of(sender.inbox) == set()
            # Before us: both miss it, and the sender sends it once more.
            lost = sender.browser.camera.packet(96, DELTA + b"lost", ticks=3000)
            await sender.browser.send_video(DELTA + b"next")
            missing = {}
            for guest in (one, other):
                await saw(guest, sender, DELTA + b"next")
                got = guest.of(sender, "video")[-1]
                missing[guest.name] = (got.sequence - 1) & 0xFFFF
                nack = build_nack(99, got.ssrc, [missing[guest.name]])
                await guest.browser.send_raw(_REPORT + nack)
            number = Rtp.parse(lost).sequence
            await sender.inbox.until(lambda: number in nacks_of(sender.inbox))
            await sender.browser.send_raw(lost)
            for guest in (one, other):
                await saw(guest, sender, DELTA + b"lost")
                late = guest.of(sender, "video")[-1]
                assert late.sequence == missing[guest.name]

    async def test_what_never_comes_is_made_good_by_a_keyframe(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "ab") as (sender, _):
            sender.browser.camera.sequence += 3
            await sender.browser.send_video(DELTA)
            sender.inbox.rtcp.clear()
            wanted = KeyframeRequest(sender.browser.camera.ssrc)
            await sender.inbox.until(lambda: wanted in feedback_of(sender.inbox))
            statistics = await engine.statistics(sender.call)
            assert statistics.browser_video is not None
            assert statistics.browser_video.lost == 3

    async def test_renewal_goes_on_with_the_same_streams(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events) as guests:
            first, second, _ = guests
            seen = {key: line.ssrc for key, line in received(first.answer.sdp).items()}
            sent = second.of(first, "video")[-1]
            former, first.browser = first.browser, Browser()
            first.generation = 2
            await offer(engine, first)
            assert seen == {
                key: line.ssrc for key, line in received(first.answer.sdp).items()
            }
            assert events.of(RoomChanged) == []
            # The present transport goes on beside the one to come.
            count = len(second.of(first, "audio"))
            await former.send(b"still the former")
            await second.inbox.until(lambda: len(second.of(first, "audio")) > count)
            await first.browser.connect(first.answer.sdp)
            await talk(guests, all_meet(guests))
            await events.wait(BrowserConnected(first.call, 2))
            after = [each.sequence for each in second.of(first, "video")]
            assert after[after.index(sent.sequence) + 1] == (sent.sequence + 1) & 0xFFFF
            assert first.of(second, "video")[0].payload == KEY + b"b"
            assert_no_gap(second.of(first, "audio"))
            await former.close()

    async def test_reports_keep_voice_and_picture_together(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "ab") as (sender, receiver):
            lines = received(receiver.answer.sdp)
            ntp = (3_900_000_000 << 32) | 0x40000000
            # Captured at one moment, says the sender; its stamps are its own.
            for talker in (sender.browser.talker, sender.browser.camera):
                report = struct.pack(
                    "!BBHIQIII", 0x80, 200, 6, talker.ssrc, ntp,
                    talker.timestamp & 0xFFFFFFFF, 5, 500,
                )  # fmt: skip
                await sender.browser.send_raw(report)
            stamps = {
                kind: receiver.of(sender, kind)[-1].timestamp
                for kind in ("audio", "video")
            }
            told: dict[str, tuple[float, int]] = {}

            def both() -> bool:
                for data in receiver.inbox.rtcp:
                    for report in parse_compound(data).reports:
                        for kind in ("audio", "video"):
                            if report.ssrc != lines["a", kind].ssrc:
                                continue
                            if report.ntp is not None:
                                told[kind] = report.ntp / 2**32, report.timestamp
                return len(told) == 2

            receiver.inbox.rtcp.clear()
            async with asyncio.timeout(WAIT_S):
                while not both():
                    await sender.browser.send(b"voice")
                    await sender.browser.send_video(DELTA)
                    await asyncio.sleep(0.05)
            # When the last packets before the reports were captured, by what we say.
            moments = {}
            for kind, rate in (("audio", 8000), ("video", 90000)):
                wall, stamp = told[kind]
                behind = (stamp - stamps[kind] + 2**31) % 2**32 - 2**31
                moments[kind] = wall - behind / rate
            assert abs(moments["audio"] - moments["video"]) < 0.002
            name = lines["a", "video"].cname.encode()
            assert any(name in data for data in receiver.inbox.rtcp)

    async def test_reports_about_others_are_not_the_calls_own(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "ab") as (_, receiver):
            line = received(receiver.answer.sdp)["a", "video"]
            own = [each.ssrc for each in read_lines(receiver.answer.sdp)[:2]]
            blocks = b"".join(
                struct.pack("!IIIIII", ssrc, lost, 0, 0, 0, 0)
                for ssrc, lost in ((line.ssrc, 7), (own[0], 3), (own[1], 5))
            )
            report = struct.pack("!BBHI", 0x83, 201, 19, 99) + blocks
            await receiver.browser.send_raw(report)
            async with asyncio.timeout(WAIT_S):
                while True:
                    statistics = await engine.statistics(receiver.call)
                    if statistics.browser.remote_lost:
                        break
                    await asyncio.sleep(0.01)
            assert statistics.browser.remote_lost == 3
            assert statistics.browser_video is not None
            assert statistics.browser_video.remote_lost == 5


class TestBesideSip:
    async def test_a_call_with_sip_has_both(
        self, engine: RelayEngine, events: Events
    ) -> None:
        """The far end gets the call's packets as ever, the room its own copies."""
        joined = await join(
            engine, room="room", browser_video=BROWSER_VIDEO, phone_video=("VP8",)
        )
        await exchange_until_connected(joined, events)
        leader = Guest("lead", joined.call, joined.browser, joined.accepted)
        late = await arrive(engine, events, "late")
        await engine.enter(leader.call, name="lead")
        await engine.enter(late.call, name="late")
        await settle(engine, events, [leader, late])
        assert set(received(leader.answer.sdp)) == {
            ("late", "audio"),
            ("late", "video"),
        }
        phone, camera = joined.phone, joined.phone.video
        assert camera is not None
        phone.inbox.rtp.clear()
        await talk([leader, late], all_meet([leader, late]))
        await phone.inbox.rtp_count(1)
        await camera.inbox.rtp_count(1)
        assert {each.payload for each in phone.inbox.rtp} == {b"voice of lead"}
        assert_no_gap(phone.inbox.rtp)
        assert_no_gap(camera.inbox.rtp)
        # What the far end sends is for the leader alone.
        phone.send(b"far end")
        await leader.inbox.until(
            lambda: any(each.payload == b"far end" for each in leader.inbox.rtp)
        )
        assert all(each.payload != b"far end" for each in late.inbox.rtp)
        # A digit is the far end's business too.
        await leader.browser.send(b"\x05\x8a\x01\x90", payload_type=126, ticks=0)
        heard = len(late.of(leader, "audio"))
        await leader.browser.send(b"after the digit")
        await late.inbox.until(lambda: late.hears(leader, b"after the digit"))
        assert len(late.of(leader, "audio")) == heard + 1
        assert_no_gap(late.of(leader, "audio"))

        # The SIP side ends; the room goes on.
        await engine.drop(leader.call, Leg.SIP)
        before = await engine.statistics(leader.call)
        assert before.sip.packets_sent > 0
        counts = len(phone.inbox.rtp), len(camera.inbox.rtp)
        leader.inbox.rtp.clear()
        late.inbox.rtp.clear()
        phone.send(b"from the past")
        await talk([leader, late], all_meet([leader, late]))
        assert (len(phone.inbox.rtp), len(camera.inbox.rtp)) == counts
        assert all(each.payload != b"from the past" for each in leader.inbox.rtp)
        after = await engine.statistics(leader.call)
        assert after.sip == before.sip
        assert after.browser.packets_received > before.browser.packets_received
        assert not await engine.send_digits(leader.call, Leg.SIP, "1")
        answer = await offer(engine, leader)
        assert answer.video == "VP8"
        assert events.of(RoomChanged) == []

        # And may begin anew.
        phone.learn(await engine.offer(leader.call, Leg.SIP))
        await engine.accept(leader.call, Leg.SIP, phone.sdp(video=("VP8",), version=3))
        while len(phone.inbox.rtp) == counts[0]:
            await leader.browser.send(b"again")
            await asyncio.sleep(0.01)
        await engine.drop(leader.call, Leg.BROWSER)
        assert (await engine.worker_counters())[0]["room_members"] == 1
        with pytest.raises(MediaError) as caught:
            await offer(engine, leader)
        assert caught.value.kind is MediaErrorKind.WRONG_STATE
        await engine.close(leader.call)
        await late.browser.close()
        await joined.browser.close()
        phone.close()

    async def test_all_operations_work_without_sip(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with meeting(engine, events, "ab") as (first, second):
            call = first.call
            await engine.drop(call, Leg.SIP)
            await engine.request_keyframe(call, Leg.SIP)
            first.inbox.rtcp.clear()
            assert not await engine.send_digits(call, Leg.SIP, "12")
            statistics = await engine.statistics(call)
            assert statistics.browser.mos is not None
            assert statistics.browser.jitter_ms >= 0
            # Reports tell the browser how its packets came.
            talkers = {first.browser.talker.ssrc, first.browser.camera.ssrc}

            def reported() -> bool:
                blocks = {
                    block.ssrc
                    for data in first.inbox.rtcp
                    for report in parse_compound(data).reports
                    for block in report.blocks
                }
                return talkers <= blocks

            await first.inbox.until(reported)
            # A browser that goes away leaves the others as they are.
            await first.browser.close()
            async with asyncio.timeout(WAIT_S):
                while (await counters(engine))["forwarded_streams"] > 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            statistics = await engine.close(call)
            assert statistics.browser.packets_received > 0
            await settle(engine, events, [second])
            assert received(second.answer.sdp) == {}


class TestPlacement:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(workers=2, max_calls_per_worker=3, port_quarantine_s=0.1)

    async def test_a_room_shares_a_worker(
        self, engine: RelayEngine, events: Events
    ) -> None:
        calls = [new_call() for _ in range(3)]
        for call in calls:
            await engine.open(call, room="room")
        assert sorted(each["calls"] for each in await engine.worker_counters()) == [
            0,
            3,
        ]
        with pytest.raises(MediaError) as caught:
            await engine.open(new_call(), room="room")
        assert caught.value.kind is MediaErrorKind.NO_CAPACITY
        # Others find the other worker.
        await engine.open(new_call())
        await engine.open(new_call(), room="other")
        assert engine.counters()["open_rooms"] == 2
        for call in calls[1:]:
            await engine.close(call)
        await engine.open(calls[1], room="room")
        assert [each["calls"] for each in await engine.worker_counters()] == [2, 2]

        # The worker dies: who is opened first chooses, the others follow.
        killed = engine.worker_pids()[0]
        os.kill(killed, signal.SIGKILL)
        await events.wait(EngineLost(calls[0]))
        await events.wait(EngineLost(calls[1]))
        assert engine.counters()["open_rooms"] == 1
        await engine.open(calls[0], room="room")
        await wait_for_workers(engine, 2)
        with pytest.raises(MediaError) as caught:
            await engine.open(calls[1], room="room")
        assert caught.value.kind is MediaErrorKind.NO_CAPACITY
        assert killed not in engine.worker_pids()
