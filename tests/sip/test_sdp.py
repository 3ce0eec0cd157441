from __future__ import annotations

import pytest

from sip.errors import (
    BadPayloadType,
    InvalidValue,
    ParseError,
    SdpError,
    SdpTooLarge,
    TooManyMedia,
)
from sip.sdp import (
    Codec,
    Connection,
    Direction,
    MediaDescription,
    Origin,
    Rtcp,
    SessionDescription,
)


def sdp(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


HEAD = ("v=0", "o=alice 2890844526 2890844527 IN IP4 host.example.com", "s=-")
PHONE = sdp(
    *HEAD,
    "i=A phone",
    "c=IN IP4 192.0.2.1",
    "b=AS:64",
    "t=0 0",
    "a=sendonly",
    "z=2882844526 -1h",
    "m=audio 49170 RTP/AVP 0 8 18 97 101",
    "b=TIAS:64000",
    "k=clear:x",
    "a=rtpmap:97 iLBC/8000",
    "a=fmtp:97 mode=30",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    "a=ptime:20",
    "a=rtcp:49171 IN IP4 192.0.2.9",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "a=x-next-year",
    "m=image 5004 udptl t38",
    "c=IN IP6 2001:db8::1",
    "a=T38FaxVersion:0",
    "a=inactive",
    "m=video 0 RTP/AVP 31",
)
BROWSER = sdp(
    "v=0",
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1",
    "a=extmap-allow-mixed",
    "a=msid-semantic: WMS",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126",
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=candidate:1 1 udp 2113937151 1b2c.local 50000 typ host generation 0",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa",
    "a=ice-options:trickle",
    "a=fingerprint:sha-256 AB:CD",
    "a=setup:actpass",
    "a=mid:0",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=sendrecv",
    "a=rtcp-mux",
    "a=rtcp-rsize",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:110 telephone-event/48000",
    "a=rtpmap:126 telephone-event/8000",
    "a=ssrc:1 cname:x",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:1",
    "a=sctp-port:5000",
)


@pytest.mark.parametrize("text", [PHONE, BROWSER])
def test_nothing_is_lost(text: str) -> None:
    parsed = SessionDescription.parse(text)
    assert str(parsed) == text
    assert SessionDescription.parse_body(parsed.to_bytes()) == parsed


def test_line_ends_and_bytes_of_others() -> None:
    assert str(SessionDescription.parse(PHONE.replace("\r\n", "\n"))) == PHONE
    body = PHONE.encode().replace(b"A phone", b"Caf\xe9") + b"\r\n\r\n"
    assert b"i=Caf\xe9\r\n" in SessionDescription.parse_body(body).to_bytes()


def test_a_phone() -> None:
    parsed = SessionDescription.parse(PHONE)
    audio, image, video = parsed.media
    assert parsed.origin == Origin(
        "alice", 2890844526, 2890844527, "IN", "IP4", "host.example.com"
    )
    assert (audio.kind, audio.port, audio.protocol) == ("audio", 49170, "RTP/AVP")
    assert audio.codecs == (
        Codec(0, "PCMU", 8000),
        Codec(8, "PCMA", 8000),
        Codec(18, "G729", 8000),
        Codec(97, "iLBC", 8000, 1, "mode=30"),
        Codec(101, "telephone-event", 8000, 1, "0-15"),
    )
    assert audio.ptime_ms == 20
    assert audio.rtcp == Rtcp(49171, Connection("IP4", "192.0.2.9"))
    assert audio.values("b") == ("TIAS:64000",)
    assert audio.has_attribute("x-next-year")
    assert audio.attribute_values("crypto") == ("1 AES_CM_128_HMAC_SHA1_80 inline:x",)
    assert not audio.is_secure
    assert parsed.connection(audio) == Connection("IP4", "192.0.2.1")
    assert parsed.connection(image) == Connection("IP6", "2001:db8::1")
    assert (image.formats, image.is_rtp, image.payload_types) == (("t38",), False, ())
    assert image.codecs == ()
    assert video.is_rejected
    assert parsed.first("video") is None
    assert parsed.first("audio") is audio


def test_direction_of_the_session_is_inherited() -> None:
    parsed = SessionDescription.parse(PHONE)
    audio, image, _ = parsed.media
    assert parsed.direction(audio) is Direction.SENDONLY
    assert parsed.direction(image) is Direction.INACTIVE
    assert parsed.is_held_by_writer(audio)
    plain = SessionDescription.parse(PHONE.replace("a=sendonly\r\n", ""))
    assert plain.direction(plain.media[0]) is Direction.SENDRECV


def test_a_browser() -> None:
    parsed = SessionDescription.parse(BROWSER)
    audio, data = parsed.media
    assert parsed.bundle == ("0", "1")
    assert (audio.mid, data.mid) == ("0", "1")
    assert audio.is_secure
    assert audio.is_rtp
    assert not data.is_rtp
    assert audio.has_rtcp_mux
    assert audio.codec(111) == Codec(
        111, "opus", 48000, 2, "minptime=10;useinbandfec=1"
    )
    assert [(c.payload_type, c.clock_rate) for c in audio.telephone_events] == [
        (110, 48000),
        (126, 8000),
    ]
    assert audio.attribute("setup") == "actpass"
    assert audio.attribute("fingerprint") == "sha-256 AB:CD"
    assert len(audio.attribute_values("candidate")) == 1
    # 0.0.0.0 means "no candidates yet" here, not hold.
    assert parsed.direction(audio) is Direction.SENDRECV


def test_bundle_only_is_no_rejection() -> None:
    media = MediaDescription.parse("video 0 RTP/AVP 31", [("a", "bundle-only")])
    assert not media.is_rejected


@pytest.mark.parametrize("address", ["IP4 0.0.0.0", "IP6 ::"])
@pytest.mark.parametrize(
    ("stated", "meant"),
    [("sendrecv", Direction.SENDONLY), ("recvonly", Direction.INACTIVE)],
)
def test_hold_as_rfc_2543_did_it(address: str, stated: str, meant: Direction) -> None:
    parsed = SessionDescription.parse(
        sdp(*HEAD, f"c=IN {address}", "t=0 0", "m=audio 4 RTP/AVP 0", f"a={stated}")
    )
    assert parsed.direction(parsed.media[0]) is meant
    assert parsed.is_held_by_writer(parsed.media[0])


def test_host_names_multicast_and_bare_rtcp_ports() -> None:
    parsed = SessionDescription.parse(
        sdp(
            *HEAD,
            "c=IN IP4 media.example.com",
            "m=audio 1 RTP/AVP 0",
            "c=IN IP4 233.252.0.1/127/3",
            "a=rtcp:2",
            "m=audio 3/2 RTP/AVP 0",
        )
    )
    one, two = parsed.media
    assert parsed.connection(one) == Connection("IP4", "233.252.0.1")
    assert one.rtcp == Rtcp(2)
    assert parsed.connection(two) == Connection("IP4", "media.example.com")
    assert two.port_count == 2


def test_payload_types_without_rtpmap() -> None:
    media = MediaDescription.parse("audio 1 RTP/AVP 8 96 9 8")
    assert media.codecs == (Codec(8, "PCMA", 8000), Codec(9, "G722", 8000))
    assert media.payload_types == (8, 96, 9, 8)
    assert media.codec(96) is None


@pytest.mark.parametrize(
    "rtpmap",
    [
        "",
        "96",
        "96 opus",
        "96 opus/",
        "96 opus/0",
        "96 opus/x",
        "x opus/8000",
        "96 /8000",
    ],
)
def test_an_unreadable_rtpmap_leaves_its_format_out(rtpmap: str) -> None:
    media = MediaDescription.parse("audio 1 RTP/AVP 96", [("a", f"rtpmap:{rtpmap}")])
    assert media.codecs == ()


def test_an_rtpmap_may_redefine_a_static_type() -> None:
    media = MediaDescription.parse("audio 1 RTP/AVP 8", [("a", "rtpmap:8 L16/16000")])
    assert media.codecs == (Codec(8, "L16", 16000),)


@pytest.mark.parametrize("value", ["", " ", "96", "96 "])
def test_an_empty_fmtp(value: str) -> None:
    media = MediaDescription.parse("audio 1 RTP/AVP 96", [("a", f"fmtp:{value}")])
    assert media.fmtp(96) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20", 20.0), ("2.5", 2.5), ("0", None), ("x", None), ("-1", None), ("1e9", None)],
)
def test_ptime(value: str, expected: float | None) -> None:
    media = MediaDescription.parse("audio 1 RTP/AVP 0", [("a", f"ptime:{value}")])
    assert media.ptime_ms == expected


def test_feedback_of_a_payload_type() -> None:
    values = ["rtcp-fb:96 nack", "rtcp-fb:* nack  pli", "rtcp-fb:97 ccm fir"]
    broken = ["rtcp-fb:", "rtcp-fb", "rtcp-fb:96", "rtcp-fb:96 nack"]
    media = MediaDescription.parse(
        "video 1 RTP/AVPF 96 97", [("a", value) for value in values + broken]
    )
    assert media.feedback(96) == ("nack", "nack pli")
    assert media.feedback(97) == ("nack pli", "ccm fir")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        (["AS:512"], 512_000),
        (["TIAS:300000", "AS:512"], 300_000),
        (["CT:100", "AS:0", "TIAS:"], None),
        (["AS:-1", "AS:1e3", "AS:99999999999"], None),
    ],
)
def test_bandwidth(values: list[str], expected: int | None) -> None:
    lines = [("b", value) for value in values]
    assert MediaDescription.parse("video 1 RTP/AVP 96", lines).bandwidth_bps == expected


def test_same_format_whatever_the_number() -> None:
    assert Codec(0, "pcmu", 8000).is_same_format(Codec(96, "PCMU", 8000, 1, "x"))
    assert not Codec(0, "PCMU", 8000).is_same_format(Codec(0, "PCMU", 16000))


class TestDirections:
    @pytest.mark.parametrize(
        ("offered", "wanted", "answer"),
        [
            ("sendrecv", "sendrecv", "sendrecv"),
            ("sendonly", "sendrecv", "recvonly"),
            ("recvonly", "sendrecv", "sendonly"),
            ("inactive", "sendrecv", "inactive"),
            ("sendrecv", "sendonly", "sendonly"),
            ("sendonly", "sendonly", "inactive"),
            ("sendrecv", "inactive", "inactive"),
            ("recvonly", "recvonly", "inactive"),
        ],
    )
    def test_rfc_3264_6_1(self, offered: str, wanted: str, answer: str) -> None:
        assert Direction(offered).answer(Direction(wanted)) is Direction(answer)

    @pytest.mark.parametrize("direction", list(Direction))
    def test_a_mirror_twice_is_nothing(self, direction: Direction) -> None:
        assert direction.mirrored.mirrored is direction
        assert direction & Direction.SENDRECV is direction


class TestChanges:
    def test_direction_and_version(self) -> None:
        parsed = SessionDescription.parse(PHONE)
        audio = parsed.media[0].with_direction(Direction.INACTIVE)
        changed = parsed.with_media(0, audio).with_next_version()
        assert changed.direction(changed.media[0]) is Direction.INACTIVE
        assert str(changed).count("a=inactive") == 2
        assert changed.origin.version == parsed.origin.version + 1
        assert changed.media[1:] == parsed.media[1:]
        again = audio.with_direction(Direction.SENDRECV)
        assert [v for n, v in again.lines if v in list(Direction)] == ["sendrecv"]

    def test_codecs(self) -> None:
        audio = SessionDescription.parse(PHONE).media[0]
        event = audio.telephone_events[0]
        chosen = audio.with_codecs([Codec(8, "PCMA", 8000), event])
        assert chosen.formats == ("8", "101")
        assert chosen.codecs == (Codec(8, "PCMA", 8000), event)
        assert chosen.attribute_values("rtpmap") == (
            "8 PCMA/8000",
            "101 telephone-event/8000",
        )
        assert chosen.has_attribute("crypto")
        assert Codec(111, "opus", 48000, 2).rtpmap == "111 opus/48000/2"

    def test_rejecting_keeps_the_place_the_formats_and_the_mid(self) -> None:
        parsed = SessionDescription.parse(BROWSER)
        data = parsed.media[1].rejected()
        text = str(parsed.with_media(1, data))
        assert text.endswith(
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
        )
        assert parsed.media[0].with_port(0).is_rejected

    def test_connection_stands_where_rfc_8866_wants_it(self) -> None:
        parsed = SessionDescription.parse(sdp(*HEAD, "t=0 0", "m=audio 1 RTP/AVP 0"))
        changed = parsed.with_connection(Connection("IP4", "192.0.2.7"))
        assert str(changed) == sdp(
            *HEAD, "c=IN IP4 192.0.2.7", "t=0 0", "m=audio 1 RTP/AVP 0"
        )
        assert changed.with_connection(Connection("IP6", "::1")).own_connection == (
            Connection("IP6", "::1")
        )

    def test_attributes(self) -> None:
        media = MediaDescription.parse(
            "audio 1 RTP/AVP 0", [("a", "x:1"), ("a", "y"), ("a", "x:2")]
        )
        assert media.with_attribute("x", "3").lines == (("a", "x:3"), ("a", "y"))
        assert media.with_attribute("z").lines[-1] == ("a", "z")
        assert media.without_attributes("x", "y").lines == ()

    def test_building_from_nothing(self) -> None:
        media = MediaDescription(
            kind="audio", port=4000, formats=("0",), lines=(("a", "ptime:20"),)
        )
        session = SessionDescription(
            lines=(("s", "-"), ("t", "0 0")),
            origin=Origin("-", 1, 1, "IN", "IP4", "192.0.2.1"),
            media=(media,),
        )
        assert SessionDescription.parse(str(session)) == session

    @pytest.mark.parametrize("value", ["x\r\na=y", "x\n", "x\0"])
    def test_no_line_can_hold_two(self, value: str) -> None:
        media = MediaDescription.parse("audio 1 RTP/AVP 0")
        with pytest.raises(InvalidValue):
            media.with_attribute("x", value)
        with pytest.raises(InvalidValue):
            MediaDescription(kind="audio", port=1, formats=(value,))
        with pytest.raises(InvalidValue):
            MediaDescription(port=65536)


class TestMalformed:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "v=0\r\n",
            "v=1\r\n" + sdp(*HEAD[1:]),
            sdp(*HEAD, HEAD[1]),
            sdp("v=0", "o=a 1 1 IN IP4", "s=-"),
            sdp("v=0", "o=a x 1 IN IP4 h", "s=-"),
            sdp("v=0", "o=a 1 -1 IN IP4 h", "s=-"),
            sdp(*HEAD, "c=IN IP4"),
            sdp(*HEAD, "c=ATM IP4 192.0.2.1"),
            sdp(*HEAD, "c=IN IP4 192.0.2.256"),
            sdp(*HEAD, "c=IN IP6 fe80::1%eth0"),
            sdp(*HEAD, "c=IN IP6 1::2::3"),
            sdp(*HEAD, "c=IN IP5 x"),
            sdp(*HEAD, "m=audio"),
            sdp(*HEAD, "m=audio x RTP/AVP 0"),
            sdp(*HEAD, "m=audio 65536 RTP/AVP 0"),
            sdp(*HEAD, "m=audio -1 RTP/AVP 0"),
            sdp(*HEAD, "m=audio 1 RTP/AVP 0", "a=rtcp:x"),
            sdp(*HEAD, "m=audio 1 RTP/AVP 0", "a=rtcp:70000"),
            sdp(*HEAD, "m=audio 1 RTP/AVP 0", "a=rtcp:1 IN IP4 x y"),
            sdp(*HEAD, "m=a 1 x 0", "a=mid:1", "m=b 1 x 0", "a=mid:1"),
            sdp(*HEAD, "a=group:"),
            sdp(*HEAD, "m =audio 1 RTP/AVP 0"),
            sdp(*HEAD, "no equals sign"),
            sdp(*HEAD, "", "t=0 0"),
            sdp(*HEAD, "i=a\rb"),
            sdp(*HEAD, "i=a\0b"),
        ],
    )
    def test_is_a_400(self, text: str) -> None:
        with pytest.raises(SdpError) as caught:
            SessionDescription.parse(text)
        assert caught.value.status == 400
        assert isinstance(caught.value, ParseError)

    @pytest.mark.parametrize("payload_type", ["256", "128", "-1", "x", "1000000", "٣"])
    def test_payload_types(self, payload_type: str) -> None:
        with pytest.raises(BadPayloadType):
            SessionDescription.parse(sdp(*HEAD, f"m=audio 1 RTP/AVP 0 {payload_type}"))

    def test_a_thousand_m_lines(self) -> None:
        with pytest.raises(TooManyMedia):
            SessionDescription.parse(sdp(*HEAD, *["m=audio 1 RTP/AVP 0"] * 900))

    def test_too_many_lines_and_bytes(self) -> None:
        with pytest.raises(SdpTooLarge):
            SessionDescription.parse(sdp(*HEAD, *["a=x"] * 2000))
        with pytest.raises(SdpTooLarge):
            SessionDescription.parse(sdp(*HEAD, "a=" + "x" * 70_000))

    def test_no_media_and_no_connection_are_for_the_negotiation_to_judge(self) -> None:
        parsed = SessionDescription.parse(sdp(*HEAD, "t=0 0"))
        assert parsed.media == ()
        assert parsed.first("audio") is None
        assert parsed.bundle == ()
        lonely = SessionDescription.parse(sdp(*HEAD, "m=audio 1 RTP/AVP 0"))
        assert lonely.connection(lonely.media[0]) is None
        assert lonely.direction(lonely.media[0]) is Direction.SENDRECV
