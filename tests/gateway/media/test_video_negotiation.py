"""Offer and answer of video, without packets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.engine import MediaError
from gateway.media.relay.config import DEFAULT_CODECS
from gateway.media.relay.description import read_description
from gateway.media.relay.ice_lite import IceCredentials
from gateway.media.relay.media_lines import LocalBrowserSide
from gateway.media.relay.negotiation import Negotiation
from gateway.media.relay.video_codecs import answer_parameters, level, read_format
from sip.sdp import MediaDescription, SessionDescription
from tests.gateway.media.rig import BROWSER_VIDEO, offer_sdp, video_lines

OURS = LocalBrowserSide(
    host="192.0.2.10",
    port=3478,
    credentials=IceCredentials("uuuu", "pppppppppppppppppppppppp"),
    fingerprint="AB:CD",
    is_dtls_server=True,
    ssrc=1234,
    cname="name",
    video_ssrc=5678,
)
AUDIO = "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
FEEDBACK = ("nack", "nack pli", "ccm fir")
H264_LOW = "profile-level-id=42e00d;packetization-mode=1"


def new_negotiation(*video_codecs: str) -> Negotiation:
    negotiation = Negotiation(
        codecs=DEFAULT_CODECS,
        video_codecs=video_codecs or ("VP8", "VP9", "H264"),
        host="192.0.2.10",
        sip_port=20000,
        session_ids=(1, 2),
    )
    negotiation.video_port = 20002
    return negotiation


def browser_offers(negotiation: Negotiation, **options: object) -> SessionDescription:
    options.setdefault("video", BROWSER_VIDEO)
    description = read_description(offer_sdp(**options), is_browser=True)
    audio = Negotiation.browser_media(description)
    return parsed(negotiation.answer_browser(description, audio, OURS))


def parsed(text: str) -> SessionDescription:
    return SessionDescription.parse(text)


def sip_sdp(*media: str) -> str:
    head = "v=0\r\no=- 5 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\n"
    return head + "t=0 0\r\n" + "".join(media)


def phone_video(
    *formats: str, protocol: str = "RTP/AVP", port: int = 4002, **options: object
) -> str:
    options.setdefault("feedback", ())
    return video_lines(formats, port=port, protocol=protocol, **options)


def phone_answers(negotiation: Negotiation, *media: str) -> None:
    text = sip_sdp(*(media or (AUDIO, phone_video("VP8"))))
    negotiation.accept_sip(read_description(text, is_browser=False))


def phone_offers(negotiation: Negotiation, *media: str) -> SessionDescription:
    description = read_description(sip_sdp(*media), is_browser=False)
    return parsed(negotiation.answer_sip(description)[0])


def names(media: MediaDescription) -> list[str]:
    return [codec.name for codec in media.codecs]


def test_the_browser_is_answered_with_all_common_formats() -> None:
    negotiation = new_negotiation()
    answer = browser_offers(negotiation)
    assert answer.bundle == ("0", "1")
    audio, video = answer.media
    assert video.formats == ("96", "98", "102", "108")
    assert (video.port, video.mid) == (3478, "1")
    assert video.has_rtcp_mux
    assert video.attribute("ice-ufrag") == audio.attribute("ice-ufrag")
    assert video.attribute("ssrc") == "5678 cname:name"
    assert video.fmtp(102).endswith("profile-level-id=42e01f")
    for payload_type in (96, 98, 102, 108):
        assert set(video.feedback(payload_type)) == set(FEEDBACK)
    for absent in ("extmap", "transport-cc", "goog-remb", "rtx"):
        assert absent not in str(answer)
    assert negotiation.video.name == "VP8"
    assert not negotiation.video.sends


def test_the_sip_offer_has_what_the_browser_has() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation)
    offer = parsed(negotiation.offer_sip())
    audio, video = offer.media
    assert (audio.kind, audio.port) == ("audio", 20000)
    assert (video.kind, video.port, video.protocol) == ("video", 20002, "RTP/AVP")
    assert names(video) == ["VP8", "VP9", "H264", "H264"]
    assert set(video.feedback(96)) == set(FEEDBACK)
    assert "ice" not in str(offer)


def test_without_video_of_the_browser_nothing_changes() -> None:
    negotiation = new_negotiation()
    answer = browser_offers(negotiation, video=())
    assert [media.kind for media in answer.media] == ["audio"]
    offer = parsed(negotiation.offer_sip())
    assert [media.kind for media in offer.media] == ["audio"]
    phone_answers(negotiation, AUDIO)
    assert negotiation.video.name == ""
    assert not negotiation.needs_browser_offer


@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/AVPF"])
def test_both_agree_on_the_first(protocol: str) -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation)
    negotiation.offer_sip()
    phone_answers(
        negotiation,
        AUDIO,
        phone_video("VP8", protocol=protocol, feedback=("nack", "nack pli")),
    )
    video = negotiation.video
    assert (video.name, video.sends, video.receives) == ("VP8", True, True)
    assert not negotiation.needs_browser_offer
    assert set(video.sip_feedback) == {"nack", "nack pli"}
    routes = video.routes()
    assert routes is not None
    assert routes.up[96] == 96
    assert routes.down == {96: 96}


def test_an_audio_only_phone_gets_the_audio() -> None:
    for answer in ((AUDIO,), (AUDIO, "m=video 0 RTP/AVP 96\r\n")):
        negotiation = new_negotiation()
        browser_offers(negotiation)
        negotiation.offer_sip()
        phone_answers(negotiation, *answer)
        assert negotiation.codec is not None
        assert negotiation.video.routes() is None
        assert not negotiation.video.sends
        assert not negotiation.needs_browser_offer


@pytest.mark.parametrize(("peer", "name"), [("H264", "H264"), ("VP9", "VP9")])
def test_a_peer_with_another_codec_makes_the_browser_renegotiate(
    peer: str, name: str
) -> None:
    negotiation = new_negotiation()
    first = browser_offers(negotiation)
    negotiation.offer_sip()
    phone_answers(negotiation, AUDIO, phone_video(peer))
    assert negotiation.video.name == name
    assert negotiation.needs_browser_offer
    second = browser_offers(negotiation, version=2)
    assert names(second.media[1]) == [name]
    assert not negotiation.needs_browser_offer
    assert second.origin.version == first.origin.version + 1


def test_a_vp8_only_peer_and_a_browser_that_prefers_h264() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=("H264", "VP8"))
    assert negotiation.video.name == "H264"
    answer = phone_offers(negotiation, AUDIO, phone_video("VP8", types={"VP8": 120}))
    assert answer.media[1].formats == ("120",)
    assert negotiation.needs_browser_offer
    again = browser_offers(negotiation, video=("H264", "VP8"), version=2)
    assert again.media[1].formats == ("96",)
    routes = negotiation.video.routes()
    assert routes is not None
    assert (routes.up, routes.down) == ({96: 120}, {120: 96})


def test_codec_order_is_the_offerers() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=("VP8", "H264", "VP9"))
    answer = phone_offers(negotiation, AUDIO, phone_video("VP9", "H264", "VP8"))
    assert names(answer.media[1]) == ["VP9", "H264", "VP8"]


def test_packetization_modes_are_different_formats() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=("H264", "H264-single"))
    parameters = {"H264": "profile-level-id=42e01f"}
    answer = phone_offers(
        negotiation, AUDIO, phone_video("H264", parameters=parameters)
    )
    assert answer.media[1].formats == ("102",)
    again = browser_offers(negotiation, video=("H264", "H264-single"), version=2)
    assert again.media[1].formats == ("108",)


def test_a_lower_level_of_the_peer_reaches_the_browser() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=("H264",))
    negotiation.offer_sip()
    phone_answers(
        negotiation, AUDIO, phone_video("H264", parameters={"H264": H264_LOW})
    )
    assert negotiation.needs_browser_offer
    again = browser_offers(negotiation, video=("H264",), version=2)
    assert "42e00d" in again.media[1].fmtp(102)
    assert not negotiation.needs_browser_offer


def test_the_peers_level_bounds_our_answer() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=("H264",))
    answer = phone_offers(
        negotiation, AUDIO, phone_video("H264", parameters={"H264": H264_LOW})
    )
    assert "42e00d" in answer.media[1].fmtp(102)
    assert "packetization-mode=1" in answer.media[1].fmtp(102)


def test_a_limit_of_the_peer_reaches_the_browser_and_back() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, bandwidth=["AS:2000"])
    assert parsed(negotiation.offer_sip()).media[1].bandwidth_bps == 2_000_000
    phone_answers(negotiation, AUDIO, phone_video("VP8", bandwidth=["AS:384"]))
    assert negotiation.needs_browser_offer
    video = browser_offers(negotiation, version=2).media[1]
    assert video.values("b") == ("AS:384", "TIAS:384000")
    assert not negotiation.needs_browser_offer
    phone_offers(negotiation, AUDIO, phone_video("VP8"))
    assert negotiation.needs_browser_offer
    assert browser_offers(negotiation, version=3).media[1].values("b") == ()
    assert not negotiation.needs_browser_offer


@pytest.mark.parametrize(
    ("lowered", "keeps_its_line"),
    [({"video_direction": "inactive"}, True), ({"port": 0}, False)],
)
def test_raise_lower_and_raise_again(
    lowered: dict[str, object], *, keeps_its_line: bool
) -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=())
    negotiation.offer_sip()
    phone_answers(negotiation, AUDIO)
    browser_offers(negotiation, version=2)
    assert negotiation.video.name == "VP8"
    offer = parsed(negotiation.offer_sip())
    assert [media.port for media in offer.media] == [20000, 20002]
    phone_answers(negotiation)
    assert negotiation.video.sends
    answer = browser_offers(negotiation, version=3, **lowered)
    # A refused m-line would end the browser's transceiver.
    assert bool(answer.media[1].port) is keeps_its_line
    assert negotiation.video.name == ""
    assert not negotiation.video.sends
    offer = parsed(negotiation.offer_sip())
    assert [media.port for media in offer.media] == [20000, 0]
    phone_answers(negotiation, AUDIO, "m=video 0 RTP/AVP 0\r\n")
    assert not negotiation.needs_browser_offer
    browser_offers(negotiation, version=4)
    offer = parsed(negotiation.offer_sip())
    assert [(media.kind, media.port) for media in offer.media] == [
        ("audio", 20000),
        ("video", 20002),
    ]


def test_video_of_the_peer_waits_for_the_browsers() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=())
    answer = phone_offers(negotiation, phone_video("VP8"), AUDIO)
    assert [media.port for media in answer.media] == [0, 20000]
    assert negotiation.video.is_left_out
    browser_offers(negotiation, version=2)
    assert not negotiation.video.is_left_out
    offer = parsed(negotiation.offer_sip())
    assert [(m.kind, m.port) for m in offer.media] == [
        ("video", 20002),
        ("audio", 20000),
    ]
    phone_answers(negotiation, phone_video("VP8"), AUDIO)
    assert negotiation.video.sends
    assert not negotiation.video.is_left_out


@pytest.mark.parametrize(
    ("media", "is_left_out"),
    [
        (phone_video("VP8"), True),
        (phone_video("VP8", direction="inactive"), False),
        (phone_video("VP8", port=0), False),
        ("m=video 4002 RTP/AVP 34\r\n", False),
        (phone_video("VP8", protocol="RTP/SAVP"), False),
    ],
)
def test_only_usable_video_is_left_out(media: str, *, is_left_out: bool) -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation, video=())
    answer = phone_offers(negotiation, AUDIO, media)
    assert answer.media[1].port == 0
    assert negotiation.video.is_left_out is is_left_out


def test_places_of_other_media_are_kept_in_our_offers() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation)
    other = "m=application 9 UDP/BFCP *\r\n"
    slides = phone_video("H264", port=4010, extra=["a=content:slides"])
    answer = phone_offers(negotiation, other, phone_video("VP8"), AUDIO, slides)
    assert [media.port for media in answer.media] == [0, 20002, 20000, 0]
    offer = parsed(negotiation.offer_sip())
    assert [(m.kind, m.port) for m in offer.media] == [
        ("application", 0),
        ("video", 20002),
        ("audio", 20000),
        ("video", 0),
    ]


def test_a_payload_type_stays_with_its_format() -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation)
    phone_offers(negotiation, AUDIO, phone_video("H264", types={"H264": 96}))
    browser_offers(negotiation, version=2)
    offer = parsed(negotiation.offer_sip()).media[1]
    assert offer.codec(96) is not None
    assert offer.codec(96).name == "H264"
    assert len(set(offer.formats)) == len(offer.formats) == 4
    # Another browser numbers otherwise; the peer must not see it.
    swapped = {"VP8": 102, "H264": 96}
    before = {codec.payload_type: codec.name for codec in offer.codecs}
    browser_offers(negotiation, version=3, types=swapped, video=("VP8", "H264"))
    again = parsed(negotiation.offer_sip()).media[1]
    assert all(before[codec.payload_type] == codec.name for codec in again.codecs)


@pytest.mark.parametrize(
    ("offered", "answered", "sends", "receives"),
    [
        ("sendrecv", "sendrecv", True, True),
        ("sendonly", "recvonly", False, True),
        ("recvonly", "sendonly", True, False),
        ("inactive", "inactive", False, False),
    ],
)
def test_direction_algebra(
    offered: str, answered: str, *, sends: bool, receives: bool
) -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation)
    answer = phone_offers(negotiation, AUDIO, phone_video("VP8", direction=offered))
    assert answer.media[1].own_direction == answered
    assert negotiation.video.sends is sends
    assert negotiation.video.receives is receives


def test_video_outside_the_bundle_is_refused() -> None:
    negotiation = new_negotiation()
    text = offer_sdp(video=BROWSER_VIDEO).replace("BUNDLE 0 1", "BUNDLE 0")
    description = read_description(text, is_browser=True)
    audio = Negotiation.browser_media(description)
    answer = parsed(negotiation.answer_browser(description, audio, OURS))
    assert [media.port for media in answer.media] == [3478, 0]
    assert answer.bundle == ("0",)


def test_a_bundle_may_tell_its_transport_once() -> None:
    negotiation = new_negotiation()
    text = offer_sdp(video=BROWSER_VIDEO)
    head, audio_line, rest = text.partition("m=audio")
    audio_part, video_line, video_part = rest.partition("m=video")
    stripped = "".join(
        line + "\r\n"
        for line in audio_part.split("\r\n")[:-1]
        if not line.startswith(("a=ice", "a=fingerprint", "a=setup"))
    )
    swapped = head.replace("BUNDLE 0 1", "BUNDLE 1 0")
    text = swapped + video_line + video_part + audio_line + stripped
    description = read_description(text, is_browser=True)
    audio = Negotiation.browser_media(description)
    answer = parsed(negotiation.answer_browser(description, audio, OURS))
    assert [media.kind for media in answer.media] == ["video", "audio"]
    assert answer.bundle == ("1", "0")


def test_a_type_that_audio_has_too_cannot_be_told_apart() -> None:
    answer = browser_offers(new_negotiation(), types={"VP8": 111})
    assert answer.media[1].formats == ("98", "102", "108")


def test_types_that_look_like_rtcp_are_not_used() -> None:
    negotiation = new_negotiation()
    answer = browser_offers(negotiation, types={"VP8": 72})
    assert "72" not in answer.media[1].formats
    peer = phone_video("VP9", "H264", types={"VP9": 80})
    assert phone_offers(negotiation, AUDIO, peer).media[1].formats == ("102",)


def test_no_ports_no_video() -> None:
    negotiation = new_negotiation()
    negotiation.video_port = None
    assert browser_offers(negotiation).media[1].port == 0
    offer = parsed(negotiation.offer_sip())
    assert [media.kind for media in offer.media] == ["audio"]


def test_codecs_are_the_operators_choice() -> None:
    answer = browser_offers(new_negotiation("h264"))
    assert names(answer.media[1]) == ["H264", "H264"]


@pytest.mark.parametrize(
    "video",
    [
        phone_video("VP8", extra=["c=IN IP4 phone.example"]),
        phone_video("VP8", extra=["c=IN IP4 224.0.0.1"]),
        phone_video("H264", parameters={"H264": "profile-level-id=zz"}),
        phone_video("H264", parameters={"H264": "packetization-mode=7"}),
        phone_video("H264", parameters={"H264": "x=" + "y" * 2000}),
        "m=video 4002 RTP/AVP\r\n",
        "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/8000\r\n",
        "m=video 4002 RTP/AVP 96\r\na=rtcp-fb:\r\na=rtcp-fb:*\r\nb=AS:\r\n",
        "".join(f"m=video {port} RTP/AVP 34\r\n" for port in range(4000, 4020)),
    ],
)
def test_bad_video_costs_no_audio(video: str) -> None:
    negotiation = new_negotiation()
    browser_offers(negotiation)
    answer = phone_offers(negotiation, AUDIO, video)
    assert answer.media[0].port == 20000
    assert all(media.port == 0 for media in answer.media[1:])
    negotiation.offer_sip()
    phone_answers(negotiation, AUDIO, video)
    assert not negotiation.video.sends


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("profile-level-id=42e01f", "profile-level-id=4de01e", True),
        ("profile-level-id=42001f", "profile-level-id=42e01f", False),
        ("profile-level-id=42801f", "profile-level-id=42001e", True),
        ("profile-level-id=4d001f", "profile-level-id=4D401F", True),
        ("profile-level-id=64001f", "profile-level-id=640c1f", False),
        ("", "profile-level-id=42000a", True),
        ("packetization-mode=0", "", True),
        ("packetization-mode=1", "", False),
    ],
)
def test_h264_formats_are_compared_by_profile_and_mode(
    one: str, other: str, *, is_same: bool
) -> None:
    first, second = (read_format("h264", 90000, 96, text, ()) for text in (one, other))
    assert first is not None
    assert second is not None
    assert (first.key == second.key) is is_same


def test_answered_levels() -> None:
    asymmetric = "profile-level-id={};level-asymmetry-allowed=1"
    for offered, ours, expected in (
        ("profile-level-id=42e00d", "profile-level-id=42e01f", "42e00d"),
        ("profile-level-id=42e01f", "profile-level-id=42e00d", "42e00d"),
        (asymmetric.format("42e00d"), asymmetric.format("42e01f"), "42e01f"),
        (asymmetric.format("42e00d"), "profile-level-id=42e01f", "42e00d"),
        ("profile-level-id=42e01f", "max-fs=100", "42000a"),
    ):
        formats = [read_format("H264", 90000, 96, t, ()) for t in (offered, ours)]
        assert formats[0] is not None
        assert formats[1] is not None
        answer = answer_parameters(formats[0], formats[1])
        assert f"profile-level-id={expected}" in answer
    assert 10 < level("profile-level-id=42f00b") < level("profile-level-id=42e00b")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_mangled_descriptions_raise_media_errors_only(data: st.DataObject) -> None:
    """Whatever they say, what we answer can be read, and has as many m-lines."""
    negotiation = new_negotiation()
    browser_text = offer_sdp(video=BROWSER_VIDEO)
    sip_text = sip_sdp(AUDIO, phone_video("VP8", "H264", feedback=FEEDBACK))
    for _ in range(data.draw(st.integers(1, 4))):
        is_browser = data.draw(st.booleans())
        text = _mangled(data, browser_text if is_browser else sip_text)
        try:
            description = read_description(text, is_browser=is_browser)
            if is_browser:
                audio = Negotiation.browser_media(description)
                answer = negotiation.answer_browser(description, audio, OURS)
            elif data.draw(st.booleans()):
                answer = negotiation.answer_sip(description)[0]
            else:
                negotiation.offer_sip()
                negotiation.accept_sip(description)
                continue
        except MediaError:
            continue
        assert len(parsed(answer).media) == len(description.media)
        negotiation.video.routes()
        assert isinstance(negotiation.needs_browser_offer, bool)


def _mangled(data: st.DataObject, text: str) -> str:
    lines = text.split("\r\n")
    for _ in range(data.draw(st.integers(0, 3))):
        index = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["drop", "double", "digits", "text"]))
        if kind == "drop":
            del lines[index]
        elif kind == "double":
            lines.insert(index, lines[index])
        elif kind == "digits":
            number = str(data.draw(st.sampled_from([0, 1, 34, 96, 97, 111, 127, 300])))
            lines[index] = "".join(
                number if each.isdigit() else each for each in lines[index]
            )
        else:
            lines[index] = lines[index][:12] + data.draw(st.text(max_size=30))
    return "\r\n".join(lines)
