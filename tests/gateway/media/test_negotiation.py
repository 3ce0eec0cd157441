"""Offer and answer of both legs, without packets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.engine import MediaError, MediaErrorKind
from gateway.media.relay.config import DEFAULT_CODECS
from gateway.media.relay.description import read_description
from gateway.media.relay.ice_lite import IceCredentials
from gateway.media.relay.media_lines import LocalBrowserSide
from gateway.media.relay.negotiation import Negotiation
from sip.sdp import SessionDescription
from tests.gateway.media.rig import RTPMAPS, offer_sdp

OURS = LocalBrowserSide(
    host="192.0.2.10",
    port=3478,
    credentials=IceCredentials("uuuu", "pppppppppppppppppppppppp"),
    fingerprint="AB:CD",
    is_dtls_server=True,
    ssrc=1234,
    cname="name",
)
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n"
    "a=rtpmap:96 VP8/90000\r\na=sendrecv\r\na=rtcp-mux\r\n"
)


def new_negotiation(codecs: tuple[str, ...] = DEFAULT_CODECS) -> Negotiation:
    return Negotiation(
        codecs=codecs, host="192.0.2.10", sip_port=20000, session_ids=(1, 2)
    )


def answer_browser(negotiation: Negotiation, text: str) -> str:
    description = read_description(text, is_browser=True)
    media = Negotiation.browser_media(description)
    return negotiation.answer_browser(description, media, OURS)


def sip_sdp(
    *codecs: str,
    direction: str = "sendrecv",
    host: str = "198.51.100.1",
    port: int = 4000,
    protocol: str = "RTP/AVP",
    types: dict[str, int] | None = None,
    before: str = "",
    rtcp: str = "",
) -> str:
    numbers = {name: RTPMAPS[name][0] for name in codecs} | (types or {})
    maps = "".join(f"a=rtpmap:{numbers[n]} {RTPMAPS[n][1]}\r\n" for n in codecs)
    formats = " ".join(str(numbers[n]) for n in codecs)
    return (
        f"v=0\r\no=- 5 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{before}"
        f"m=audio {port} {protocol} {formats}\r\n{maps}{rtcp}a={direction}\r\n"
    )


def accept(negotiation: Negotiation, text: str) -> None:
    negotiation.accept_sip(read_description(text, is_browser=False))


def answer_sip(negotiation: Negotiation, text: str) -> str:
    return negotiation.answer_sip(read_description(text, is_browser=False))[0]


def formats(sdp: str, index: int = 0) -> list[str]:
    return list(SessionDescription.parse(sdp).media[index].formats)


def test_browser_answer_is_complete_and_carries_nothing_unasked() -> None:
    answer = answer_browser(new_negotiation(), offer_sdp(extra=VIDEO))
    assert formats(answer) == ["0", "8", "9", "111", "110", "126"]
    parsed = SessionDescription.parse(answer)
    audio, video = parsed.media
    assert parsed.has_attribute("ice-lite")
    assert parsed.bundle == ("0",)
    assert video.port == 0
    assert audio.attribute("setup") == "passive"
    assert audio.has_rtcp_mux
    assert audio.attribute_values("candidate") == (
        "1 1 udp 2130706431 192.0.2.10 3478 typ host",
    )
    assert audio.has_attribute("end-of-candidates")
    for absent in ("extmap", "rtcp-fb", "transport-cc", "goog-remb"):
        assert absent not in answer


def test_the_order_is_ours_and_the_sip_offer_has_the_same() -> None:
    negotiation = new_negotiation(("opus", "PCMA"))
    answer = answer_browser(negotiation, offer_sdp())
    assert formats(answer)[:2] == ["111", "8"]
    assert formats(negotiation.offer_sip()) == ["111", "8", "110", "101"]


def test_codec_of_the_answer_that_is_the_browsers_first_needs_nothing() -> None:
    negotiation = new_negotiation()
    answer_browser(negotiation, offer_sdp())
    negotiation.offer_sip()
    accept(negotiation, sip_sdp("PCMA", "PCMU"))
    assert negotiation.codec is not None
    assert negotiation.codec.name == "PCMU"
    assert not negotiation.needs_browser_offer


def test_another_codec_renegotiates_with_exactly_that() -> None:
    negotiation = new_negotiation()
    first = answer_browser(negotiation, offer_sdp())
    negotiation.offer_sip()
    accept(negotiation, sip_sdp("G722", "te8"))
    assert negotiation.needs_browser_offer
    second = answer_browser(negotiation, offer_sdp(version=2))
    assert formats(second) == ["9", "126"]
    assert not negotiation.needs_browser_offer
    origins = [SessionDescription.parse(each).origin for each in (first, second)]
    assert origins[0].session_id == origins[1].session_id
    assert origins[1].version == origins[0].version + 1


def test_sip_offer_first_then_browser() -> None:
    negotiation = new_negotiation()
    answer = answer_sip(negotiation, sip_sdp("PCMA", "PCMU", "te8"))
    assert formats(answer) == ["8", "0", "126"]
    assert formats(answer_browser(negotiation, offer_sdp())) == ["8", "126"]


def test_versions_change_only_with_the_text() -> None:
    negotiation = new_negotiation()
    answer_browser(negotiation, offer_sdp())
    first, second = negotiation.offer_sip(), negotiation.offer_sip()
    assert first == second
    answer_browser(negotiation, offer_sdp(direction="sendonly", version=2))
    third = negotiation.offer_sip()
    assert "a=sendonly" in third
    versions = [SessionDescription.parse(s).origin.version for s in (first, third)]
    assert versions == [1, 2]


@pytest.mark.parametrize(
    ("offered", "answered", "sends"),
    [
        ("sendrecv", "sendrecv", True),
        ("sendonly", "recvonly", False),
        ("recvonly", "sendonly", True),
        ("inactive", "inactive", False),
    ],
)
def test_direction_algebra(offered: str, answered: str, sends: bool) -> None:
    negotiation = new_negotiation()
    answer_browser(negotiation, offer_sdp())
    text = answer_sip(negotiation, sip_sdp("PCMU", direction=offered))
    assert re.findall(r"a=(send\w+|recv\w+|inactive)\r\n", text) == [answered]
    assert negotiation.may_send_to_sip is sends


def test_hold_with_an_unspecified_address() -> None:
    negotiation = new_negotiation()
    answer_browser(negotiation, offer_sdp())
    text = answer_sip(negotiation, sip_sdp("PCMU", host="0.0.0.0"))
    assert "a=recvonly" in text
    assert not negotiation.may_send_to_sip


def test_other_media_of_the_peer_are_rejected_in_place() -> None:
    negotiation = new_negotiation()
    answer_browser(negotiation, offer_sdp())
    video = "m=video 5000 RTP/AVP 34\r\nm=audio 5002 RTP/SAVP 0\r\n"
    answer = SessionDescription.parse(
        answer_sip(negotiation, sip_sdp("PCMU", before=video))
    )
    assert [media.port for media in answer.media] == [0, 0, 20000]


def test_payload_types_of_the_peer_are_kept_in_the_next_offer() -> None:
    negotiation = new_negotiation(("opus", "PCMU"))
    answer_browser(negotiation, offer_sdp())
    types = {"opus": 101, "te48": 111, "te8": 96}
    answer_sip(negotiation, sip_sdp("opus", "te48", "te8", types=types))
    offered = SessionDescription.parse(negotiation.offer_sip()).media[0]
    by_name = {codec.rtpmap for codec in offered.codecs}
    assert "101 opus/48000/2" in by_name
    assert "111 telephone-event/48000" in by_name
    assert len(set(offered.formats)) == len(offered.formats)


def test_events_of_another_clock_are_translated() -> None:
    negotiation = new_negotiation(("opus",))
    answer_browser(negotiation, offer_sdp())
    negotiation.offer_sip()
    accept(negotiation, sip_sdp("opus", "te8", types={"te8": 96}))
    routes = negotiation.routes()
    assert routes is not None
    (route,) = routes.up_events.values()
    assert (route.payload_type, route.incoming_rate, route.outgoing_rate) == (
        96,
        48000,
        8000,
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (sip_sdp("te8"), MediaErrorKind.NO_COMMON_CODEC),
        (sip_sdp("PCMU", port=0), MediaErrorKind.NO_COMMON_CODEC),
        (sip_sdp("PCMU", protocol="RTP/SAVP"), MediaErrorKind.NO_COMMON_CODEC),
        (
            sip_sdp("PCMU").replace("m=audio", "m=image"),
            MediaErrorKind.BAD_SDP,
        ),
        (sip_sdp("PCMU", host="phone.example"), MediaErrorKind.BAD_SDP),
        (sip_sdp("PCMU", host="224.0.0.1"), MediaErrorKind.BAD_SDP),
        (
            sip_sdp("PCMU").replace("c=IN IP4 198.51.100.1\r\n", ""),
            MediaErrorKind.BAD_SDP,
        ),
    ],
)
def test_bad_sip_offers(text: str, kind: MediaErrorKind) -> None:
    negotiation = new_negotiation()
    answer_browser(negotiation, offer_sdp())
    with pytest.raises(MediaError) as caught:
        answer_sip(negotiation, text)
    assert caught.value.kind is kind


def test_rtcp_address_of_the_peer() -> None:
    plain = read_description(sip_sdp("PCMU"), is_browser=False).media[0]
    assert plain.rtcp == ("198.51.100.1", 4001)
    told = read_description(
        sip_sdp("PCMU", rtcp="a=rtcp:9000 IN IP4 198.51.100.2\r\n"), is_browser=False
    ).media[0]
    assert told.rtcp == ("198.51.100.2", 9000)


@pytest.mark.parametrize(
    "text",
    [
        offer_sdp(password="short"),
        offer_sdp(ufrag="abc"),
        offer_sdp().replace("a=ice-pwd", "a=ice-lost"),
        offer_sdp().replace("SAVPF", "AVPF"),
    ],
)
def test_bad_browser_offers(text: str) -> None:
    with pytest.raises(MediaError) as caught:
        answer_browser(new_negotiation(), text)
    assert caught.value.kind is MediaErrorKind.BAD_SDP


def test_fingerprints_keep_known_hashes_only() -> None:
    offer = offer_sdp(fingerprints=["SHA-256 aa:bb", "sha-1 cc", "md5 dd"])
    media = Negotiation.browser_media(read_description(offer, is_browser=True))
    assert [(f.algorithm, f.value) for f in media.fingerprints] == [
        ("sha-256", "AA:BB")
    ]


@settings(deadline=None)
@given(st.data())
def test_mangled_descriptions_raise_media_errors_only(data: st.DataObject) -> None:
    lines = offer_sdp(extra=VIDEO).split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        lines[index] = (
            data.draw(st.text(max_size=40))
            + lines[index][data.draw(st.integers(0, 20)) :]
        )
    text = "\r\n".join(lines)
    negotiation = new_negotiation()
    for attempt in (answer_browser, answer_sip):
        try:
            attempt(negotiation, text)
        except MediaError:
            continue
