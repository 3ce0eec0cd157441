"""Hold, read from descriptions and written into them (RFC 3264 8.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from sip.hold import held, is_hold, retrieved
from sip.sdp import Direction, SessionDescription
from tests.sip.peers import Bench


def sdp(
    audio: str = "sendrecv",
    *,
    session: str = "",
    address: str = "192.0.2.9",
    port: int = 4000,
    more: str = "",
) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        + (f"a={session}\r\n" if session else "")
        + f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
        + (f"a={audio}\r\n" if audio else "")
        + more
    )


VIDEO = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (sdp(), False),
        (sdp(""), False),
        (sdp("sendonly"), True),
        (sdp("inactive"), True),
        (sdp("recvonly"), False),
        (sdp("", session="sendonly"), True),
        (sdp("sendrecv", session="sendonly"), False),
        (sdp(address="0.0.0.0"), True),
        (sdp("", address="0.0.0.0"), True),
        (sdp(more="a=ice-ufrag:x\r\n", address="0.0.0.0"), False),
        # video comes and goes while people talk
        (sdp(more=f"{VIDEO}a=sendonly\r\n"), False),
        (sdp("sendonly", more=f"{VIDEO}a=sendrecv\r\n"), True),
        # a second, rejected sound line says nothing
        (sdp("sendonly", more="m=audio 0 RTP/AVP 0\r\n"), True),
        # nothing that could be held
        (sdp("sendonly", port=0), False),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\n", False),
        ("rubbish", False),
        (None, False),
    ],
)
def test_whether_the_writer_holds(text: str | None, holds: bool) -> None:
    assert is_hold(text) is holds


def test_held_and_retrieved() -> None:
    talking = SessionDescription.parse(sdp())
    on_hold = held(talking)
    assert is_hold(str(on_hold))
    assert on_hold.direction(on_hold.media[0]) is Direction.SENDONLY
    assert on_hold.origin.version == talking.origin.version + 1
    back = retrieved(on_hold)
    assert back.direction(back.media[0]) is Direction.SENDRECV
    assert back.origin.version == talking.origin.version + 2
    # nothing changes: no new version (RFC 3264 8)
    assert retrieved(back) == back


def test_both_may_hold() -> None:
    """RFC 3264 8.4: who is held already and holds too says inactive."""
    theirs = SessionDescription.parse(sdp("recvonly"))
    on_hold = held(theirs)
    assert on_hold.direction(on_hold.media[0]) is Direction.INACTIVE
    back = retrieved(on_hold)
    assert back.direction(back.media[0]) is Direction.RECVONLY


def test_the_sessions_direction_does_not_undo_it() -> None:
    back = retrieved(SessionDescription.parse(sdp("", session="sendonly")))
    assert not is_hold(str(back))


def test_rejected_lines_stay_as_they_are() -> None:
    text = sdp(more="m=video 0 RTP/AVP 96\r\nm=image 4004 udptl t38\r\n")
    on_hold = held(SessionDescription.parse(text))
    assert on_hold.media[1:] == SessionDescription.parse(text).media[1:]


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert is_hold(text) in (True, False)


def test_a_hold_and_its_end_through_a_call(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    for text, holds in ((sdp("sendonly"), True), (sdp(), False)):
        again = bench.within("INVITE", ok, body=text)
        bench.run()
        (offer,) = bench.events
        assert isinstance(offer, sip.Offer)
        assert offer.is_hold is holds
        bench.events.clear()
        call.accept_offer(sdp("recvonly" if holds else "sendrecv"))
        bench.response(200, "INVITE")
        bench.within("ACK", ok, cseq=again.cseq.number)
    # a peer that asks for our offer wants to talk again
    again = bench.within("INVITE", ok)
    bench.run()
    assert [event.is_hold for event in bench.events] == [False]  # type: ignore[union-attr]
