"""What every MediaEngine must do, with real packets.

A test module subclasses :class:`MediaEngineContract` and provides ``engine`` and
``events`` fixtures; pytest then runs each of these against that engine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

import pytest

from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    Leg,
    MediaCallId,
    MediaEngine,
    MediaError,
    MediaErrorKind,
    SipMediaStarted,
)
from tests.gateway.media.rig import (
    Browser,
    Events,
    Phone,
    Rtp,
    exchange_until_connected,
    joined_call,
    new_call,
    offer_sdp,
)


def steps(packets: list[Rtp]) -> list[int]:
    """Differences of sequence numbers, modulo 2**16."""
    return [
        (after.sequence - before.sequence) & 0xFFFF
        for before, after in itertools.pairwise(packets)
    ]


def assert_one_stream(packets: list[Rtp]) -> None:
    """One SSRC, sequence up by one each, timestamps never back."""
    assert len({packet.ssrc for packet in packets}) == 1
    assert set(steps(packets)) <= {1}, steps(packets)
    for before, after in itertools.pairwise(packets):
        assert (after.timestamp - before.timestamp) & 0xFFFFFFFF < 0x80000000


def version_of(sdp: str) -> int:
    line = next(line for line in sdp.splitlines() if line.startswith("o="))
    return int(line.split()[2])


def media_types(sdp: str) -> list[str]:
    line = next(line for line in sdp.splitlines() if line.startswith("m=audio"))
    return line.split()[3:]


class MediaEngineContract:
    """See the module's docstring."""

    # Audio

    async def test_audio_flows_both_ways(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            await events.wait(BrowserConnected(joined.call, 1))
            await events.wait(SipMediaStarted(joined.call))
            up = len(joined.phone.inbox.rtp)
            down = len(joined.browser.inbox.rtp)
            for number in range(20):
                await joined.browser.send(bytes([number]) * 160)
                joined.phone.send(bytes([100 + number]) * 160)
            heard = (await joined.phone.inbox.rtp_count(up + 20))[up:]
            assert [packet.payload[0] for packet in heard] == list(range(20))
            assert {packet.payload_type for packet in heard} == {0}
            heard = (await joined.browser.inbox.rtp_count(down + 20))[down:]
            assert [packet.payload[0] for packet in heard] == list(range(100, 120))
            assert_one_stream(joined.phone.inbox.rtp)
            assert_one_stream(joined.browser.inbox.rtp)
            await engine.close(joined.call)

    async def test_payload_types_are_translated(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(
            engine,
            browser_codecs=("opus", "te48"),
            phone_codecs=("opus", "te48"),
            types={"opus": 97, "te48": 98},
        ) as joined:
            offered = media_types(joined.sip_offer)
            while not joined.phone.inbox.rtp or not joined.browser.inbox.rtp:
                await joined.browser.send(b"\x78up", payload_type=111, ticks=960)
                joined.phone.send(b"\x78down", payload_type=int(offered[0]), ticks=960)
                await asyncio.sleep(0.01)
            assert joined.phone.inbox.rtp[0].payload_type == 97
            assert joined.browser.inbox.rtp[0].payload_type == 111
            await engine.close(joined.call)

    async def test_header_extensions_do_not_reach_the_phone(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            count = len(joined.phone.inbox.rtp)
            extension = bytes.fromhex("bede0001") + b"\x10\x33\x00\x00"
            await joined.browser.send(b"x" * 160, extension=extension)
            heard = (await joined.phone.inbox.rtp_count(count + 1))[count]
            assert heard.first == 0x80
            assert heard.payload == b"x" * 160
            await engine.close(joined.call)

    # Digits

    async def test_digits_of_the_browser_are_relayed_and_reported(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine, types={"te8": 101}) as joined:
            await exchange_until_connected(joined, events)
            talker = joined.browser.talker
            count = len(joined.phone.inbox.rtp)
            for index, flags in enumerate((0x0A, 0x0A, 0x8A, 0x8A, 0x8A)):
                payload = bytes([11, flags]) + (160 * (index + 1)).to_bytes(2, "big")
                packet = talker.packet(
                    126, payload, ticks=0 if index else 160, marker=index == 0
                )
                await joined.browser.send_raw(packet)
            heard = (await joined.phone.inbox.rtp_count(count + 5))[count:]
            assert [packet.payload_type for packet in heard] == [101] * 5
            assert [packet.marker for packet in heard] == [True] + [False] * 4
            assert len({packet.timestamp for packet in heard}) == 1
            await events.wait(DigitReceived(joined.call, Leg.BROWSER, "#"))
            assert len(events.of(DigitReceived)) == 1
            await engine.close(joined.call)

    async def test_digits_of_the_phone_are_relayed_and_reported(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            event_type = int(media_types(joined.sip_offer)[4])
            count = len(joined.browser.inbox.rtp)
            for index, flags in enumerate((0x0A, 0x8A, 0x8A, 0x8A)):
                payload = bytes([7, flags]) + (160 * (index + 1)).to_bytes(2, "big")
                joined.phone.send(
                    payload,
                    payload_type=event_type,
                    ticks=0 if index else 160,
                    marker=index == 0,
                )
            heard = (await joined.browser.inbox.rtp_count(count + 4))[count:]
            assert [packet.payload_type for packet in heard] == [126] * 4
            await events.wait(DigitReceived(joined.call, Leg.SIP, "7"))
            assert len(events.of(DigitReceived)) == 1
            await engine.close(joined.call)

    async def test_dialled_digits_follow_rfc_4733(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine, types={"te8": 101}) as joined:
            await exchange_until_connected(joined, events)
            assert await engine.send_digits(joined.call, Leg.SIP, "5#")

            def ends() -> list[Rtp]:
                return [
                    packet
                    for packet in joined.phone.inbox.rtp
                    if packet.payload_type == 101 and packet.payload[1] & 0x80
                ]

            await joined.phone.inbox.until(lambda: len(ends()) == 6)
            tones = [p for p in joined.phone.inbox.rtp if p.payload_type == 101]
            by_event: dict[int, list[Rtp]] = {}
            for packet in tones:
                by_event.setdefault(packet.timestamp, []).append(packet)
            assert [event[0].payload[0] for event in by_event.values()] == [5, 11]
            for event in by_event.values():
                assert next(packet.marker for packet in event)
                assert not any(packet.marker for packet in event[1:])
                assert [bool(p.payload[1] & 0x80) for p in event][-4:] == [
                    False,
                    True,
                    True,
                    True,
                ]
                assert int.from_bytes(event[-1].payload[2:], "big") == 800
            while joined.phone.inbox.rtp[-1].payload_type == 101:
                await joined.browser.send(b"u" * 160)
                await asyncio.sleep(0.01)
            assert_one_stream(joined.phone.inbox.rtp)
            await engine.close(joined.call)

    async def test_digits_without_telephone_event_are_refused(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine, phone_codecs=("PCMU",)) as joined:
            assert not await engine.send_digits(joined.call, Leg.SIP, "1")
            await engine.close(joined.call)

    # Negotiation

    async def test_the_same_offer_gets_the_same_answer(
        self, engine: MediaEngine
    ) -> None:
        call = new_call()
        await engine.open(call)
        offer = offer_sdp()
        first = await engine.answer(call, Leg.BROWSER, offer)
        assert await engine.answer(call, Leg.BROWSER, offer) == first
        await engine.close(call)

    async def test_browser_renegotiates_to_the_codec_of_the_phone(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine, phone_codecs=("PCMA", "te8")) as joined:
            assert joined.accepted.codec == "PCMA"
            assert joined.accepted.renegotiate_browser
            offer = await joined.browser.offer()
            answered = await engine.answer(joined.call, Leg.BROWSER, offer)
            assert answered.codec == "PCMA"
            assert media_types(answered.sdp) == ["8", "126"]
            assert version_of(answered.sdp) == version_of(joined.browser_answer) + 1
            for line in ("ice-ufrag", "fingerprint", "ssrc"):
                assert _line(answered.sdp, line) == _line(joined.browser_answer, line)
            while not joined.phone.inbox.rtp:
                await joined.browser.send(b"a" * 160, payload_type=8)
                await asyncio.sleep(0.01)
            assert joined.phone.inbox.rtp[0].payload_type == 8
            await engine.close(joined.call)

    async def test_incoming_call_answers_in_the_order_of_the_offer(
        self, engine: MediaEngine
    ) -> None:
        call = new_call()
        await engine.open(call)
        await engine.answer(
            call, Leg.BROWSER, offer_sdp(codecs=("opus", "PCMU", "PCMA", "te8"))
        )
        phone = await Phone().start()
        answered = await engine.answer(
            call, Leg.SIP, phone.sdp(("G722", "PCMA", "PCMU", "te8"))
        )
        assert media_types(answered.sdp) == ["8", "0", "126"]
        phone.close()
        await engine.close(call)

    async def test_hold_and_retrieve_of_the_phone(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            held = await engine.answer(
                joined.call, Leg.SIP, joined.phone.sdp(direction="sendonly", version=2)
            )
            assert "a=recvonly" in held.sdp
            heard = len(joined.phone.inbox.rtp)
            await joined.browser.send(b"h" * 160)
            joined.phone.send(b"m" * 160)
            count = len(joined.browser.inbox.rtp)
            await joined.browser.inbox.rtp_count(count + 1)
            assert len(joined.phone.inbox.rtp) == heard
            again = await engine.answer(
                joined.call, Leg.SIP, joined.phone.sdp(version=3)
            )
            assert "a=sendrecv" in again.sdp
            assert version_of(again.sdp) == version_of(held.sdp) + 1
            await joined.browser.send(b"r" * 160)
            packets = await joined.phone.inbox.rtp_count(heard + 1)
            assert packets[-1].payload == b"r" * 160
            assert_one_stream(packets)
            await engine.close(joined.call)

    async def test_a_fork_answer_moves_the_media(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            other = await Phone().start()
            other.learn(joined.sip_offer)
            await engine.accept(joined.call, Leg.SIP, other.sdp())
            while not other.inbox.rtp:
                await joined.browser.send(b"u" * 160)
                other.send(b"o" * 160)
                await asyncio.sleep(0.01)
            heard = [*joined.phone.inbox.rtp, *other.inbox.rtp]
            assert_one_stream(heard)
            await joined.browser.inbox.until(
                lambda: joined.browser.inbox.rtp[-1].payload == b"o" * 160
            )
            assert_one_stream(joined.browser.inbox.rtp)
            other.close()
            await engine.close(joined.call)

    # Renewal

    async def test_renewal_in_mid_call(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            before = await engine.offer(joined.call, Leg.SIP)
            reloaded = Browser()
            answered = await engine.answer(
                joined.call, Leg.BROWSER, await reloaded.offer(), generation=2
            )
            # The old one still flows until the new one has spoken.
            count = len(joined.browser.inbox.rtp)
            joined.phone.send(b"o" * 160)
            await joined.browser.inbox.rtp_count(count + 1)
            await reloaded.connect(answered.sdp)
            while not reloaded.inbox.rtp:
                await reloaded.send(b"n" * 160)
                joined.phone.send(b"d" * 160)
                await asyncio.sleep(0.01)
            await events.wait(BrowserConnected(joined.call, 2))
            await joined.phone.inbox.until(
                lambda: joined.phone.inbox.rtp[-1].payload == b"n" * 160
            )
            assert_one_stream(joined.phone.inbox.rtp)
            assert {p.ssrc for p in reloaded.inbox.rtp} == {
                p.ssrc for p in joined.browser.inbox.rtp
            }
            assert await engine.offer(joined.call, Leg.SIP) == before
            assert events.of(BrowserLost) == []
            await reloaded.close()
            await engine.close(joined.call)

    # Statistics and errors

    async def test_statistics_count_loss(
        self, engine: MediaEngine, events: Events
    ) -> None:
        async with joined_call(engine) as joined:
            await exchange_until_connected(joined, events)
            before = await engine.statistics(joined.call)
            joined.phone.talker.sequence += 5
            count = len(joined.browser.inbox.rtp)
            for _ in range(5):
                joined.phone.send(b"d" * 160)
            await joined.browser.inbox.rtp_count(count + 5)
            after = await engine.statistics(joined.call)
            assert after.sip.lost - before.sip.lost == 5
            assert after.sip.packets_received - before.sip.packets_received == 5
            assert after.sip.mos is not None
            assert 1.0 <= after.sip.mos <= 4.5
            assert dataclasses.asdict(await engine.close(joined.call))

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("", MediaErrorKind.BAD_SDP),
            ("v=0\r\nnonsense", MediaErrorKind.BAD_SDP),
            (offer_sdp().replace("a=rtcp-mux\r\n", ""), MediaErrorKind.BAD_SDP),
            (offer_sdp(fingerprints=["sha-1 AA:BB"]), MediaErrorKind.BAD_SDP),
            (offer_sdp(codecs=("te8",)), MediaErrorKind.NO_COMMON_CODEC),
        ],
        ids=["empty", "malformed", "no rtcp-mux", "sha-1 only", "no codec"],
    )
    async def test_bad_browser_offers(
        self, engine: MediaEngine, text: str, kind: MediaErrorKind
    ) -> None:
        call = new_call()
        await engine.open(call)
        with pytest.raises(MediaError) as caught:
            await engine.answer(call, Leg.BROWSER, text)
        assert caught.value.kind is kind
        await engine.close(call)

    async def test_operations_out_of_order(self, engine: MediaEngine) -> None:
        unknown = MediaCallId("nobody")
        with pytest.raises(MediaError) as caught:
            await engine.close(unknown)
        assert caught.value.kind is MediaErrorKind.UNKNOWN_CALL
        call = new_call()
        await engine.open(call)
        with pytest.raises(MediaError) as caught:
            await engine.open(call)
        assert caught.value.kind is MediaErrorKind.WRONG_STATE
        with pytest.raises(MediaError) as caught:
            await engine.offer(call, Leg.SIP)
        assert caught.value.kind is MediaErrorKind.WRONG_STATE
        await engine.close(call)
        with pytest.raises(MediaError) as caught:
            await engine.statistics(call)
        assert caught.value.kind is MediaErrorKind.UNKNOWN_CALL


def _line(sdp: str, name: str) -> str:
    return next(line for line in sdp.splitlines() if line.startswith(f"a={name}:"))
