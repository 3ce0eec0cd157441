"""Whatever a body holds, only SdpError comes out, and what is accepted is kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.errors import SdpError
from sip.sdp import Direction, SessionDescription

from .test_sdp import BROWSER, PHONE

PIECES = ["=", "\r\n", "\n", "\r", "\0", " ", "m=", "a=rtpmap:", "a=", "/", "256", "-1"]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from([PHONE, BROWSER]))
    for _ in range(draw(st.integers(1, 6))):
        position = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 10))
        piece = draw(st.sampled_from(PIECES) | st.text(max_size=6))
        text = text[:position] + piece + text[position + length :]
    return text


def check(text: str) -> None:
    try:
        parsed = SessionDescription.parse(text)
    except SdpError:
        return
    written = str(parsed)
    assert SessionDescription.parse(written) == parsed
    assert all(line[1:2] == "=" for line in written.split("\r\n")[:-1])
    _ = parsed.bundle, parsed.own_connection, parsed.own_direction
    for index, media in enumerate(parsed.media):
        _ = parsed.connection(media), parsed.is_held_by_writer(media)
        _ = media.ptime_ms, media.rtcp, media.mid, media.telephone_events
        assert all(0 <= number <= 127 for number in media.payload_types)
        assert {codec.payload_type for codec in media.codecs} <= {*media.payload_types}
        held = parsed.with_media(index, media.with_direction(Direction.INACTIVE))
        assert held.direction(held.media[index]) is Direction.INACTIVE
        SessionDescription.parse(str(held))
        rejected = parsed.with_media(index, media.rejected())
        assert len(SessionDescription.parse(str(rejected)).media) == len(parsed.media)
        if media.codecs:
            again = media.with_codecs(media.codecs)
            assert again.codecs == media.codecs


@given(mutated())
@settings(max_examples=150, deadline=None)
def test_mutated_descriptions(text: str) -> None:
    check(text)


@given(st.text(max_size=400))
@settings(deadline=None)
def test_arbitrary_text(text: str) -> None:
    check(text)
    check(f"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 96\r\n{text}")


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_arbitrary_bytes(body: bytes) -> None:
    check(body.decode("utf-8", "surrogateescape"))
