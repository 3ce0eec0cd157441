"""The relay engine as a whole: workers, time-outs, comfort, leaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import pytest
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    EngineLost,
    Leg,
    MediaError,
    MediaErrorKind,
    MediaStatistics,
)
from gateway.media.relay import RelayConfig, RelayEngine
from gateway.media.relay.rtcp import parse_reports
from tests.gateway.media.contract import assert_one_stream
from tests.gateway.media.mix_rig import talking
from tests.gateway.media.rig import (
    WAIT_S,
    Browser,
    Events,
    Phone,
    exchange_until_connected,
    join,
    joined_call,
    leave,
    new_call,
    offer_sdp,
)

FAST = RelayConfig(
    ice_timeout_s=0.6,
    dtls_timeout_s=0.6,
    consent_timeout_s=1.0,
    port_quarantine_s=0.1,
    rtcp_interval_s=0.4,
    comfort_delay_s=0.2,
)


async def wait_for_workers(engine: RelayEngine, count: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while len(engine.worker_pids()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class TestWorkers:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(workers=2, max_calls_per_worker=2, port_quarantine_s=0.1)

    async def test_calls_are_spread_and_limited(self, engine: RelayEngine) -> None:
        calls = [new_call() for _ in range(4)]
        for call in calls:
            await engine.open(call)
        assert [each["calls"] for each in await engine.worker_counters()] == [2, 2]
        with pytest.raises(MediaError) as caught:
            await engine.open(new_call())
        assert caught.value.kind is MediaErrorKind.NO_CAPACITY
        await engine.close(calls[0])
        await engine.open(calls[0])
        assert engine.counters()["open_calls"] == 4

    async def test_a_killed_worker_takes_only_its_own_calls(
        self, engine: RelayEngine, events: Events
    ) -> None:
        first = await join(engine)
        second = await join(engine)
        await exchange_until_connected(first, events)
        await exchange_until_connected(second, events)
        killed, spared = engine.worker_pids()
        os.kill(killed, signal.SIGKILL)
        await events.wait(EngineLost(first.call))
        assert events.of(EngineLost) == [EngineLost(first.call)]
        count = len(second.phone.inbox.rtp)
        await second.browser.send(b"still here")
        await second.phone.inbox.rtp_count(count + 1)
        with pytest.raises(MediaError) as caught:
            await engine.statistics(first.call)
        assert caught.value.kind is MediaErrorKind.ENGINE_LOST
        assert await engine.close(first.call) == MediaStatistics()
        await wait_for_workers(engine, 2)
        assert spared in engine.worker_pids()
        assert killed not in engine.worker_pids()
        # Open it again elsewhere; the peer only hears a new source.
        await engine.open(first.call)
        renewed = Browser()
        answer = await engine.answer(
            first.call, Leg.BROWSER, await renewed.offer(), generation=2
        )
        await renewed.connect(answer.sdp)
        first.phone.learn(await engine.offer(first.call, Leg.SIP))
        await engine.accept(first.call, Leg.SIP, first.phone.sdp())
        count = len(first.phone.inbox.rtp)
        while len(first.phone.inbox.rtp) == count:
            await renewed.send(b"back" * 40)
            await asyncio.sleep(0.01)
        await events.wait(BrowserConnected(first.call, 2))
        await renewed.close()
        await leave(first)
        await leave(second)

    async def test_operations_pending_at_the_death_fail(
        self, engine: RelayEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        pid = engine.worker_pids()[0]
        os.kill(pid, signal.SIGSTOP)
        pending = asyncio.create_task(engine.statistics(call))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(MediaError) as caught:
            await pending
        assert caught.value.kind is MediaErrorKind.ENGINE_LOST


class TestBeside:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(
            workers=2,
            max_calls_per_worker=3,
            port_quarantine_s=0.1,
            respawn_delay_s=1.0,
        )

    async def test_calls_of_one_user_share_the_least_loaded_worker(
        self, engine: RelayEngine
    ) -> None:
        await engine.open(stranger := new_call())
        mine = [new_call() for _ in range(4)]
        for call in mine[:3]:
            await engine.open(call, beside="me")
        assert [each["calls"] for each in await engine.worker_counters()] == [1, 3]
        # One more than fits can be had, but not be mixed.
        await engine.open(mine[3], beside="me")
        assert [each["calls"] for each in await engine.worker_counters()] == [2, 3]
        for others in ({mine[3]}, {mine[1], mine[3]}, {stranger}):
            with pytest.raises(MediaError) as caught:
                await engine.hear(mine[0], frozenset(others))
            assert caught.value.kind is MediaErrorKind.WRONG_STATE
        await engine.hear(mine[0], frozenset(mine[1:3]))
        assert (await engine.worker_counters())[1]["mixed_calls"] == 1
        for call in mine[:3]:
            await engine.close(call)
        assert (await engine.worker_counters())[1]["mixed_calls"] == 0
        # The newest of them says where the next will be.
        await engine.open(mine[0], beside="me")
        assert [each["calls"] for each in await engine.worker_counters()] == [3, 0]

    async def test_a_room_goes_before_a_user(self, engine: RelayEngine) -> None:
        await engine.open(new_call(), room="room")
        await engine.open(new_call(), beside="me")
        await engine.open(new_call(), room="room", beside="me")
        await engine.open(new_call(), room="another", beside="me")
        assert [each["calls"] for each in await engine.worker_counters()] == [3, 1]

    async def test_a_conference_that_loses_its_worker_meets_again(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with talking(engine, events, ["PCMU", "PCMA"], beside="me") as calls:
            first, second = calls
            ids = [each.joined.call for each in calls]
            await engine.hear(ids[0], frozenset({ids[1]}))
            await first.phone_ear.hears({first.said_by_browser, second.said_by_phone})
            os.kill(engine.worker_pids()[0], signal.SIGKILL)
            for call in ids:
                await events.wait(EngineLost(call))
            with pytest.raises(MediaError) as caught:
                await engine.hear(ids[0], frozenset({ids[1]}))
            assert caught.value.kind is MediaErrorKind.ENGINE_LOST
            # What it was is said at once, whoever comes back first.
            for each in calls:
                call, phone = each.joined.call, each.joined.phone
                await engine.open(call, beside="me")
                await engine.hold(call, is_held=each is second)
                await engine.hear(call, frozenset(set(ids) - {call}))
                answer = await engine.answer(call, Leg.SIP, phone.sdp((each.codec,)))
                phone.learn(answer.sdp)
            assert [each["mixed_calls"] for each in await engine.worker_counters()] == [
                2
            ]
            first.phone_ear.restart()
            second.phone_ear.restart()
            await first.phone_ear.hears({second.said_by_phone})
            await second.phone_ear.hears({first.said_by_phone})


class TestHangingWorker:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(worker_silence_s=0.5)

    async def test_it_is_killed_and_replaced(
        self, engine: RelayEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        os.kill(engine.worker_pids()[0], signal.SIGSTOP)
        await events.wait(EngineLost(call))
        await wait_for_workers(engine, 1)
        await engine.open(call)


class TestTime:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return FAST

    async def test_no_check_at_all(self, engine: RelayEngine, events: Events) -> None:
        call = new_call()
        await engine.open(call)
        await engine.answer(call, Leg.BROWSER, offer_sdp())
        await events.wait(BrowserLost(call, 1, "ice_timeout"))

    async def test_ice_without_dtls_is_freed(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with joined_call(engine, connect=False) as joined:
            await joined.browser.connect_ice(joined.browser_answer)
            await events.wait(BrowserLost(joined.call, 1, "dtls"))
            async with asyncio.timeout(WAIT_S):
                while True:
                    (counters,) = await engine.worker_counters()
                    if counters["bound_paths"] == 0 and counters["tasks"] <= 2:
                        break
                    await asyncio.sleep(0.02)

    async def test_a_wrong_fingerprint_is_refused(
        self, engine: RelayEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        browser = Browser()
        wrong = ["sha-256 " + ":".join(["AB"] * 32)]
        answer = await engine.answer(
            call, Leg.BROWSER, await browser.offer(fingerprints=wrong)
        )
        await browser.connect_ice(answer.sdp)
        assert browser.answer is not None
        handshake = asyncio.create_task(
            browser.dtls.start(browser.answer.media[0].dtls)
        )
        await events.wait(BrowserLost(call, 1, "dtls"))
        await handshake
        await browser.close()

    async def test_a_vanished_browser_loses_consent_and_the_peer_hears_comfort(
        self, engine: RelayEngine, events: Events
    ) -> None:
        joined = await join(engine)
        await exchange_until_connected(joined, events)
        await joined.browser.ice.stop()
        await events.wait(BrowserLost(joined.call, 1, "consent"))
        count = len(joined.phone.inbox.rtp)
        heard = (await joined.phone.inbox.rtp_count(count + 25))[count:]
        assert {packet.payload_type for packet in heard} == {0}
        assert {len(packet.payload) for packet in heard} == {160}
        renewed = Browser()
        answer = await engine.answer(
            joined.call, Leg.BROWSER, await renewed.offer(), generation=2
        )
        await renewed.connect(answer.sdp)
        while not renewed.inbox.rtp:
            await renewed.send(b"back" * 40)
            joined.phone.send(b"d" * 160)
            await asyncio.sleep(0.02)
        await joined.phone.inbox.until(
            lambda: joined.phone.inbox.rtp[-1].payload == b"back" * 40
        )
        assert_one_stream(joined.phone.inbox.rtp)
        await renewed.close()
        await leave(joined)

    async def test_a_browser_that_says_goodbye_is_lost_at_once(
        self, engine: RelayEngine, events: Events
    ) -> None:
        joined = await join(engine)
        await exchange_until_connected(joined, events)
        await joined.browser.dtls.stop()
        await events.wait(BrowserLost(joined.call, 1, "closed"))
        await leave(joined)

    async def test_reports_on_both_legs(
        self, engine: RelayEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            await joined.phone.inbox.until(lambda: len(joined.phone.inbox.rtcp) > 0)
            await joined.browser.inbox.until(lambda: len(joined.browser.inbox.rtcp) > 0)
            for inbox, talker in (
                (joined.phone.inbox, joined.phone.talker),
                (joined.browser.inbox, joined.browser.talker),
            ):
                (report,) = parse_reports(inbox.rtcp[0])
                assert report.ntp is not None
                assert report.ssrc == inbox.rtp[0].ssrc
                assert report.blocks[0].ssrc == talker.ssrc


async def test_ice_restart_keeps_the_dtls_association(
    engine: RelayEngine, events: Events
) -> None:
    async with joined_call(engine) as joined:
        await exchange_until_connected(joined, events)
        offer = await joined.browser.offer()
        ufrag = joined.browser.gatherer.getLocalParameters().usernameFragment
        restart = offer.replace(f"ice-ufrag:{ufrag}", "ice-ufrag:restarted")
        answer = await engine.answer(joined.call, Leg.BROWSER, restart, generation=2)
        old, new = (
            next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag"))
            for sdp in (joined.browser_answer, answer.sdp)
        )
        assert old != new
        count = len(joined.phone.inbox.rtp)
        await joined.browser.send(b"same keys" * 10)
        await joined.phone.inbox.rtp_count(count + 1)


async def test_older_generations_are_refused(engine: RelayEngine) -> None:
    call = new_call()
    await engine.open(call)
    await engine.answer(call, Leg.BROWSER, offer_sdp(), generation=2)
    with pytest.raises(MediaError) as caught:
        await engine.answer(call, Leg.BROWSER, offer_sdp(version=2), generation=1)
    assert caught.value.kind is MediaErrorKind.WRONG_STATE


async def test_nothing_is_left_after_many_calls(
    engine: RelayEngine, events: Events
) -> None:
    await engine.open(warm_up := new_call())
    await engine.close(warm_up)
    (before,) = await engine.worker_counters()
    for round_ in range(3):
        joined = [await join(engine) for _ in range(4)]
        for each in joined:
            await exchange_until_connected(each, events)
        for each in joined:
            await engine.close(each.call)
            await leave(each)
        # Failed set-ups free their ports too.
        half = new_call()
        await engine.open(half)
        await engine.answer(half, Leg.BROWSER, offer_sdp(version=round_))
        await engine.close(half)
    async with asyncio.timeout(WAIT_S):
        while True:
            (after,) = await engine.worker_counters()
            names = (
                "calls",
                "port_pairs_in_use",
                "port_pairs_in_quarantine",
                "bound_paths",
                "tasks",
                "file_descriptors",
            )
            if all(after[name] <= before[name] for name in names):
                break
            await asyncio.sleep(0.05)
    assert engine.counters()["open_calls"] == 0


async def test_stop_ends_the_processes() -> None:
    engine = RelayEngine(RelayConfig())
    await engine.start()
    await engine.open(new_call())
    (pid,) = engine.worker_pids()
    await engine.stop()
    assert not os.path.exists(f"/proc/{pid}")


async def test_the_control_process_gone_means_the_worker_goes(
    engine: RelayEngine,
) -> None:
    worker = engine._workers[0]
    assert worker is not None
    assert worker._writer is not None
    process = worker._process
    assert process is not None
    worker._writer.close()
    async with asyncio.timeout(WAIT_S):
        assert await process.wait() == 0


async def test_phone_offer_answered_before_the_browser(
    engine: RelayEngine, events: Events
) -> None:
    call = new_call()
    await engine.open(call)
    phone = await Phone().start()
    answered = await engine.answer(call, Leg.SIP, phone.sdp(("PCMA", "te8")))
    phone.learn(answered.sdp)
    browser = Browser()
    answer = await engine.answer(call, Leg.BROWSER, await browser.offer())
    assert answer.codec == "PCMA"
    await browser.connect(answer.sdp)
    while not phone.inbox.rtp or not browser.inbox.rtp:
        await browser.send(b"a" * 160, payload_type=8)
        phone.send(b"a" * 160, payload_type=8)
        await asyncio.sleep(0.01)
    await browser.close()
    phone.close()


async def test_a_whole_aiortc_peer_connection(
    engine: RelayEngine, events: Events
) -> None:
    """Not scripted: its own SDP, sender, receiver, jitter buffer and decoder."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(AudioStreamTrack())
    frames: asyncio.Queue[object] = asyncio.Queue()

    async def listen(track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frames.put_nowait(await track.recv())

    listeners: list[asyncio.Task[None]] = []
    peer.on("track", lambda track: listeners.append(asyncio.create_task(listen(track))))
    await peer.setLocalDescription(await peer.createOffer())
    call = new_call()
    await engine.open(call)
    answer = await engine.answer(call, Leg.BROWSER, peer.localDescription.sdp)
    phone = await Phone().start()
    phone.learn(await engine.offer(call, Leg.SIP))
    await engine.accept(call, Leg.SIP, phone.sdp())
    await peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
    await events.wait(BrowserConnected(call, 1))
    heard = await phone.inbox.rtp_count(10)
    assert {packet.payload_type for packet in heard} == {0}
    assert_one_stream(heard)
    while frames.qsize() < 5:
        phone.send(b"\xff" * 160)
        await asyncio.sleep(0.02)
    await peer.close()
    await asyncio.wait(listeners)
    await events.wait(BrowserLost(call, 1, "closed"))
    phone.close()
