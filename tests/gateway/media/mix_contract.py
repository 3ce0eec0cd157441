"""Hold and conference: who hears whom, by tones, with real packets.

A test module subclasses :class:`MixContract` as it does the other contracts.
"""

from __future__ import annotations

import itertools

import pytest

from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    Leg,
    MediaEngine,
    MediaError,
    MediaErrorKind,
)
from gateway.media.relay.codecs import CODECS
from gateway.media.relay.feedback import KeyframeRequest
from tests.gateway.media.contract import assert_one_stream, media_types
from tests.gateway.media.mix_rig import (
    TONES,
    Conversation,
    Ear,
    Voice,
    all_hear,
    media_number,
    talking,
)
from tests.gateway.media.rig import (
    Browser,
    Events,
    Inbox,
    Phone,
    Rtp,
    new_call,
    offer_sdp,
)
from tests.gateway.media.video_contract import (
    KEY,
    camera_of,
    exchange_video,
    feedback_of,
    video_call,
    video_of,
)


def own(each: Conversation) -> tuple[set[float], set[float]]:
    """An ordinary call: the two sides hear each other."""
    return {each.said_by_browser}, {each.said_by_phone}


async def bring_together(engine: MediaEngine, calls: list[Conversation]) -> None:
    """Every far end hears all others."""
    ids = frozenset(each.joined.call for each in calls)
    for call in ids:
        await engine.hear(call, ids - {call})


def phones(calls: list[Conversation]) -> set[float]:
    return {each.said_by_phone for each in calls}


def assert_one_clock(packets: list[Rtp], ticks: int) -> None:
    """Timestamps as one clock's: they never stand still or go back."""
    assert_one_stream(packets)
    steps = [
        (after.timestamp - before.timestamp) & 0xFFFFFFFF
        for before, after in itertools.pairwise(packets)
    ]
    assert min(steps) > 0
    # A stall of the machine is time that passed, and more than this no test has.
    assert max(steps) < 500 * ticks


async def assert_silent(browser: Browser, beside: Ear) -> None:
    """Nothing comes to the browser while the far end hears ten frames."""
    await beside.inbox.rtp_count(len(beside.inbox.rtp) + 5)
    count = len(browser.inbox.rtp)
    await beside.inbox.rtp_count(len(beside.inbox.rtp) + 10)
    assert len(browser.inbox.rtp) == count


async def press(who: Browser | Phone, payload_type: int, digit: int) -> None:
    """A telephone-event of three packets, the last of them its end."""
    for index, flags in enumerate((0x0A, 0x0A, 0x8A)):
        payload = bytes([digit, flags]) + (160 * (index + 1)).to_bytes(2, "big")
        packet = who.talker.packet(
            payload_type, payload, ticks=0 if index else 160, marker=index == 0
        )
        if isinstance(who, Phone):
            who.send_raw(packet)
        else:
            await who.send_raw(packet)


def asks_for_keyframe(inbox: Inbox) -> bool:
    return any(isinstance(each, KeyframeRequest) for each in feedback_of(inbox))


class MixContract:
    """See the module's docstring."""

    # Hold

    async def test_who_is_held_hears_music_and_is_not_heard(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with talking(engine, events, ["PCMU", "opus", "PCMA"]) as calls:
            await all_hear(calls, own)
            held = calls[:2]
            for each in held:
                await engine.hold(each.joined.call, is_held=True)
            for each in held:
                await assert_silent(each.joined.browser, each.phone_ear)
                await each.phone_ear.hears(())
                samples = each.phone_ear.samples().astype(float)
                assert 30 < (samples**2).mean() ** 0.5 < 3000
                # Again is as before, and does not begin anew.
                count = len(each.joined.phone.inbox.rtp)
                await engine.hold(each.joined.call, is_held=True)
                heard = await each.joined.phone.inbox.rtp_count(count + 10)
                assert not any(packet.marker for packet in heard[count:])
            # Who is not held notices nothing.
            await all_hear(calls[2:], own)
            for each in held:
                await engine.hold(each.joined.call, is_held=False)
            await all_hear(calls, own)
            for each in calls:
                ticks = each.phone_ear.codec.frame_ticks
                assert_one_clock(each.joined.phone.inbox.rtp, ticks)
                assert_one_clock(each.joined.browser.inbox.rtp, ticks)

    async def test_hold_before_anybody_agreed(
        self, engine: MediaEngine, events: Events
    ) -> None:
        call = new_call()
        await engine.open(call)
        await engine.hold(call, is_held=True)
        phone = await Phone().start()
        phone.learn((await engine.answer(call, Leg.SIP, phone.sdp(("PCMA",)))).sdp)
        heard = await phone.inbox.rtp_count(5)
        assert {packet.payload_type for packet in heard} == {8}
        await engine.close(call)
        phone.close()

    async def test_music_goes_on_while_the_browser_is_away_and_comes_back(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with talking(engine, events, ["PCMU"]) as calls:
            (call,) = calls
            media = call.joined.call
            await engine.hold(media, is_held=True)
            await call.browser_voice.stop()
            await call.joined.browser.dtls.stop()
            await events.wait(BrowserLost(media, 1, "closed"))
            renewed = Browser()
            answer = await engine.answer(
                media, Leg.BROWSER, await renewed.offer(), generation=2
            )
            await renewed.connect(answer.sdp)
            voice = Voice(renewed, call.phone_ear.codec, 0, call.said_by_browser)
            await events.wait(BrowserConnected(media, 2))
            await assert_silent(renewed, call.phone_ear)
            await call.phone_ear.hears(())
            await engine.hold(media, is_held=False)
            await call.phone_ear.hears({call.said_by_browser})
            assert_one_clock(call.joined.phone.inbox.rtp, 160)
            await voice.stop()
            await renewed.close()

    async def test_events_are_parted_too(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with talking(engine, events, ["PCMU"]) as calls:
            (call,) = calls
            joined = call.joined
            await engine.hold(joined.call, is_held=True)
            await joined.phone.inbox.rtp_count(len(joined.phone.inbox.rtp) + 5)
            event_type = media_number(joined.sip_offer, "telephone-event/8000")
            await press(joined.browser, 126, 1)
            await press(joined.phone, event_type, 2)
            await events.wait(DigitReceived(joined.call, Leg.BROWSER, "1"))
            await events.wait(DigitReceived(joined.call, Leg.SIP, "2"))
            await call.phone_ear.inbox.rtp_count(len(joined.phone.inbox.rtp) + 20)
            assert 101 not in {packet.payload_type for packet in joined.phone.inbox.rtp}
            assert 126 not in {
                packet.payload_type for packet in joined.browser.inbox.rtp
            }

    async def test_pictures_are_parted_too_and_begin_anew(
        self, engine: MediaEngine, events: Events
    ) -> None:
        feedback = ("nack", "nack pli", "ccm fir")
        async with video_call(
            engine, events, protocol="RTP/AVPF", feedback=feedback
        ) as joined:
            camera, browser = camera_of(joined), joined.browser
            await engine.hold(joined.call, is_held=True)
            counts = len(camera.inbox.rtp), len(video_of(browser))
            for _ in range(10):
                await browser.send_video(KEY + b"held")
                camera.send(KEY + b"held", payload_type=96, ticks=3000)
            heard = len(joined.phone.inbox.rtp)
            await joined.phone.inbox.rtp_count(heard + 10)
            assert (len(camera.inbox.rtp), len(video_of(browser))) == counts
            camera.inbox.rtcp.clear()
            browser.inbox.rtcp.clear()
            await engine.hold(joined.call, is_held=False)
            for inbox in (camera.inbox, browser.inbox):
                await inbox.until(lambda inbox=inbox: asks_for_keyframe(inbox))
            await exchange_video(joined)
            for packets in (camera.inbox.rtp, video_of(browser)):
                assert_one_stream(packets)
                assert b"held" not in {packet.payload[2:] for packet in packets}

    # Conference

    async def test_three_codecs_in_one_conference(
        self, engine: MediaEngine, events: Events
    ) -> None:
        codecs = ["PCMU", "PCMA", "opus"]
        async with talking(engine, events, codecs) as calls:
            await all_hear(calls, own)
            await bring_together(engine, calls)

            def everybody(each: Conversation) -> tuple[set[float], set[float]]:
                others = phones(calls) - {each.said_by_phone}
                return {each.said_by_browser} | others, {each.said_by_phone}

            await all_hear(calls, everybody)
            # The rep is parted from the first; the others notice nothing.
            first = calls[0]
            await engine.hold(first.joined.call, is_held=True)
            await first.phone_ear.hears(phones(calls[1:]))
            await assert_silent(first.joined.browser, first.phone_ear)
            await all_hear(calls[1:], everybody)
            await engine.hold(first.joined.call, is_held=False)
            await all_hear(calls, everybody)
            # One hears less, in one direction only.
            await engine.hear(first.joined.call, frozenset({calls[1].joined.call}))
            await first.phone_ear.hears({first.said_by_browser, calls[1].said_by_phone})
            await all_hear(calls[1:], everybody)
            for each in calls:
                await engine.hear(each.joined.call, frozenset())
            await all_hear(calls, own)
            for each in calls:
                assert_one_clock(
                    each.joined.phone.inbox.rtp, each.phone_ear.codec.frame_ticks
                )

    async def test_far_ends_go_on_without_the_browser(
        self, engine: MediaEngine, events: Events
    ) -> None:
        """A reload of one, the rep leaves another, and one is closed."""
        async with talking(engine, events, ["PCMU", "G722", "PCMA"]) as calls:
            await bring_together(engine, calls)
            reloaded, left, closed = calls
            await reloaded.browser_voice.stop()
            await reloaded.joined.browser.dtls.stop()
            await events.wait(BrowserLost(reloaded.joined.call, 1, "closed"))
            await engine.drop(left.joined.call, Leg.BROWSER)
            await engine.drop(left.joined.call, Leg.BROWSER)
            await reloaded.phone_ear.hears(phones([left, closed]))
            await left.phone_ear.hears(phones([reloaded, closed]))
            # Back again: heard by its own far end.
            renewed = Browser()
            answer = await engine.answer(
                reloaded.joined.call,
                Leg.BROWSER,
                await renewed.offer(codecs=("PCMU", "te8")),
                generation=2,
            )
            await renewed.connect(answer.sdp)
            codec = reloaded.phone_ear.codec
            voice = Voice(renewed, codec, 0, reloaded.said_by_browser)
            await events.wait(BrowserConnected(reloaded.joined.call, 2))
            await reloaded.phone_ear.hears(
                {reloaded.said_by_browser} | phones([left, closed])
            )
            await Ear(renewed.inbox, codec, 0).hears({reloaded.said_by_phone})
            with pytest.raises(MediaError) as caught:
                await engine.answer(
                    left.joined.call, Leg.BROWSER, offer_sdp(), generation=2
                )
            assert caught.value.kind is MediaErrorKind.WRONG_STATE
            await engine.close(closed.joined.call)
            await left.phone_ear.hears({reloaded.said_by_phone})
            await voice.stop()
            await renewed.close()

    async def test_two_far_ends_that_never_had_a_browser(
        self, engine: MediaEngine, events: Events
    ) -> None:
        """As in a transfer that the gateway does itself; one is told later."""
        first, second = new_call(), new_call()
        await engine.open(first)
        await engine.hear(first, frozenset({second}))
        await engine.drop(first, Leg.BROWSER)
        caller = await Phone().start()
        caller.learn(await engine.offer(first, Leg.SIP))
        await engine.accept(first, Leg.SIP, caller.sdp(("PCMA", "te8")))
        await engine.open(second)
        await engine.drop(second, Leg.BROWSER)
        await engine.hear(second, frozenset({first}))
        target = await Phone().start()
        offer = await engine.offer(second, Leg.SIP)
        target.learn(offer)
        assert media_types(offer)[:4] == ["0", "8", "9", "111"]
        await engine.accept(second, Leg.SIP, target.sdp(("opus", "te8")))
        pcma, opus = CODECS["pcma"], CODECS["opus"]
        voices = [Voice(caller, pcma, 8, TONES[0]), Voice(target, opus, 111, TONES[1])]
        await Ear(caller.inbox, pcma, 8).hears({TONES[1]})
        await Ear(target.inbox, opus, 111).hears({TONES[0]})
        for voice in voices:
            await voice.stop()
        await engine.close(first)
        await engine.close(second)
        caller.close()
        target.close()

    async def test_digits_in_a_conference_reach_one_far_end_only(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with talking(engine, events, ["PCMU", "PCMA"]) as calls:
            await bring_together(engine, calls)
            first, second = (each.joined for each in calls)
            await first.phone.inbox.rtp_count(len(first.phone.inbox.rtp) + 10)
            # What the browser sends of its own, what is dialled, what the far end does.
            await press(first.browser, 126, 3)
            await events.wait(DigitReceived(first.call, Leg.BROWSER, "3"))
            await engine.send_digits(first.call, Leg.SIP, "4")
            event_type = media_number(first.sip_offer, "telephone-event/8000")
            await press(first.phone, event_type, 5)
            await events.wait(DigitReceived(first.call, Leg.SIP, "5"))

            def digits() -> list[int]:
                return [
                    packet.payload[0]
                    for packet in first.phone.inbox.rtp
                    if packet.payload_type == 126 and packet.payload[1] & 0x80
                ]

            await first.phone.inbox.until(lambda: digits() == [3] * 3 + [4] * 3)
            await calls[0].phone_ear.hears(
                {calls[0].said_by_browser, calls[1].said_by_phone}
            )
            assert {packet.payload_type for packet in second.phone.inbox.rtp} == {8}
            assert_one_stream(first.phone.inbox.rtp)

    async def test_who_cannot_be_heard(self, engine: MediaEngine) -> None:
        call = new_call()
        with pytest.raises(MediaError) as caught:
            await engine.hear(call, frozenset())
        assert caught.value.kind is MediaErrorKind.UNKNOWN_CALL
        with pytest.raises(MediaError) as caught:
            await engine.hold(call, is_held=True)
        assert caught.value.kind is MediaErrorKind.UNKNOWN_CALL
        await engine.open(call)
        with pytest.raises(MediaError) as caught:
            await engine.hear(call, frozenset({call}))
        assert caught.value.kind is MediaErrorKind.WRONG_STATE
        with pytest.raises(MediaError) as caught:
            await engine.hear(call, frozenset(new_call() for _ in range(8)))
        assert caught.value.kind is MediaErrorKind.NO_CAPACITY
        await engine.close(call)
