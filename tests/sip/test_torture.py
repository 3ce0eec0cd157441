"""RFC 4475, message by message; the classes carry the section they cover."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sip.digest import DigestServer, Rejected, RejectionKind
from sip.errors import BodyTooLarge, ParseError, UnsupportedVersion
from sip.headers import CSeq, Via
from sip.message import Request, Response, create_response
from sip.multipart import find_body, parse_multipart
from sip.parser import parse_datagram
from sip.sdp import SessionDescription
from sip.stream_parser import NeedData, StreamParser
from sip.validation import (
    Rejection,
    validate_forwarding,
    validate_request,
    validate_response,
)

CORPUS = Path(__file__).parents[1] / "data" / "rfc4475"
SCHEMES = frozenset({"sip", "sips", "tel"})

VALID = [
    "wsinv",
    "intmeth",
    "esc01",
    "escnull",
    "esc02",
    "lwsdisp",
    "longreq",
    "dblreq",
    "semiuri",
    "transports",
    "mpart01",
    "unreason",
    "noreason",
    "badbranch",
    "unkscm",
    "novelsc",
    "unksm2",
    "bext01",
    "invut",
    "regaut01",
    "bcast",
    "zeromf",
    "cparam01",
    "cparam02",
    "regescrt",
    "sdp01",
    "inv2543",
]
BAD_REQUESTS = [
    "badinv01",
    "clerr",
    "ncl",
    "scalar02",
    "quotbal",
    "ltgtruri",
    "lwsruri",
    "lwsstart",
    "trws",
    "escruri",
    "baddate",
    "regbadct",
    "badaspec",
    "baddn",
    "mismatch01",
    "mismatch02",
    "insuf",
    "multi01",
    "mcl01",
]


def load(name: str) -> bytes:
    return (CORPUS / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    message = parse_datagram(load(name))
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = parse_datagram(load(name))
    assert isinstance(message, Response)
    return message


def rejected(name: str) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_datagram(load(name))
    return caught.value


def without_length(message: Request | Response) -> list[tuple[str, str]]:
    headers = message.headers.copy()
    headers.remove("Content-Length")
    return headers.items()


def judge(message: Request) -> Rejection | None:
    return validate_request(
        message, supported_schemes=SCHEMES, supported_extensions={"timer", "100rel"}
    )


def test_the_corpus_is_whole() -> None:
    others = {"badvers", "bigcode", "scalarlg", "test"}
    names = {path.stem for path in CORPUS.glob("*.dat")}
    assert names == {*VALID, *BAD_REQUESTS, *others}


@pytest.mark.parametrize("name", VALID)
def test_reading_and_writing_a_valid_message_keeps_everything(name: str) -> None:
    message = parse_datagram(load(name))
    again = parse_datagram(message.to_bytes())
    assert again.start_line == message.start_line
    assert again.body == message.body
    assert without_length(again) == without_length(message)
    if "Content-Length" in message.headers:
        assert len(again.headers) == len(message.headers)
    # Every typed accessor works once the parser has said yes.
    assert again.vias == message.vias
    assert (again.from_, again.to, again.cseq) == (
        message.from_,
        message.to,
        message.cseq,
    )
    assert again.contacts == message.contacts


@pytest.mark.parametrize("name", VALID)
def test_a_valid_message_with_content_length_passes_a_stream(name: str) -> None:
    message = parse_datagram(load(name))
    parser = StreamParser()
    parser.receive_data(message.to_bytes())
    assert parser.next_event() == parse_datagram(message.to_bytes())
    assert parser.next_event() == NeedData()
    assert parser.pending_bytes == 0


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_bad_request_can_be_answered_with_400(name: str) -> None:
    error = rejected(name)
    assert error.status == 400
    assert error.request is not None
    answer = create_response(error.request, error.status, to_tag="t")
    lines = answer.to_bytes().split(b"\r\n")
    assert lines[0] == b"SIP/2.0 400 Bad Request"
    assert any(line.lower().startswith((b"via", b"v:")) for line in lines)


def test_garbage_that_looks_like_sip_is_not_answered() -> None:
    error = rejected("test")
    assert (error.status, error.request) == (400, None)


class TestValid_3_1_1:
    def test_1_short_tortuous_invite(self) -> None:
        message = request("wsinv")
        assert message.method == "INVITE"
        assert str(message.uri) == "sip:vivekg@chair-dnrc.example.com;unknownparam"
        assert message.uri.param("unknownparam") == ""
        assert message.to.tag == "1918181833n"
        assert message.to.uri.user == "vivekg"
        assert message.from_.display_name == 'J Rosenberg \\"'
        assert message.from_.tag == "98asjd8"
        assert message.max_forwards == 68
        assert message.cseq == CSeq(9, "INVITE")
        assert [(v.transport, v.host, v.branch) for v in message.vias] == [
            ("UDP", "192.0.2.2", "390skdjuw"),
            ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
            ("UDP", "192.168.255.111", "z9hG4bK30239"),
        ]
        assert not message.via.has_magic_cookie
        assert message.headers.get("Subject") == ""
        assert message.headers.get("NewFangledHeader") == (
            "newfangled value continued newfangled value"
        )
        assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
        (route,) = message.routes
        assert route.uri.param("lr") == ""
        assert route.uri.param("unknownwith") == "value"
        assert route.uri.param("unknown-no-value") == ""
        (contact,) = message.contacts
        assert contact.display_name == 'Quoted string ""'
        assert contact.param("newparam") == "newvalue"
        assert contact.param("secondparam") == ""
        assert contact.param("q") == "0.33"
        sdp = SessionDescription.parse_body(message.body)
        assert [item.port for item in sdp.media] == [49217, 3227]

    def test_2_wide_range_of_valid_characters(self) -> None:
        message = request("intmeth")
        assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert message.cseq == CSeq(139122385, message.method)
        assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
        assert message.uri.password == ("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
        assert message.uri.host == "example.com"
        assert message.to.display_name == "BEL:\a NUL:\0 DEL:\x7f"
        assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
        assert message.from_.param("fromParam''~+*_!.-%") == "работающий"
        assert message.from_.tag == "_token~1'+`*%!-."
        assert message.max_forwards == 255
        assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
        assert message.via.branch == "z9hG4bK-.!%66*_+`'~"
        assert message.headers.get("extensionHeader-!.%*+_`'~") == (
            "\N{ZERO WIDTH NO-BREAK SPACE}大停電"
        )
        # The escaped NUL of the display name may be written back.
        assert b"NUL:\\\0" in create_response(message, 200, to_tag="x").to_bytes()

    def test_3_valid_use_of_the_percent_escape(self) -> None:
        message = request("esc01")
        assert message.uri.decoded_user == "sips:user@example.com"
        assert (message.uri.scheme, message.uri.host) == ("sip", "example.net")
        assert message.to.uri.decoded_user == "user"
        assert message.from_.uri.decoded_user == "I have spaces"
        (contact,) = message.contacts
        assert contact.uri.decoded_user == "caller"
        assert contact.uri.param("lr") == ""
        assert contact.uri.param("name") == "value%41"

    def test_4_escaped_nulls_in_uris(self) -> None:
        message = request("escnull")
        assert message.to.uri.decoded_user == "null-\0-null"
        assert [c.uri.decoded_user for c in message.contacts] == ["\0", "\0\0"]
        one, two = message.contacts
        assert not one.uri.equivalent(two.uri)

    def test_5_percent_that_is_no_escape(self) -> None:
        message = request("esc02")
        assert message.method == message.cseq.method == "RE%47IST%45R"
        assert message.to.display_name == "%Z%45"
        assert message.via.branch == "z9hG4bK209%fzsnel234"
        assert [str(c.uri) for c in message.contacts] == [
            "sip:alias1@host1.example.com",
            "sip:alias3@host3.example.com",
        ]
        assert "C%6Fntact" in message.headers

    def test_6_no_space_between_display_name_and_bracket(self) -> None:
        message = request("lwsdisp")
        assert message.from_.display_name == "caller"
        assert message.from_.tag == "323"

    def test_7_long_values(self) -> None:
        message = request("longreq")
        assert len(message.vias) == 34
        assert message.vias[-1].received == "192.0.2.5"
        assert [v.host for v in message.vias[:2]] == [
            "sip33.example.com",
            "sip32.example.com",
        ]
        assert message.to.display_name.startswith("I have a user name of extreme")
        assert message.to.uri.port == 6000
        assert (message.from_.tag or "").startswith("1298298298")
        assert (message.contacts[0].uri.user or "").startswith("amazinglylongcaller")

    def test_8_extra_octets_in_the_datagram(self) -> None:
        message = request("dblreq")
        assert message.method == "REGISTER"
        assert message.body == b""
        assert message.call_id == "dblreq.0ha0isndaksdj99sdfafnl3lk233412"
        # On a stream the same octets are the next message.
        parser = StreamParser()
        parser.receive_data(load("dblreq"))
        events = [parser.next_event() for _ in range(4)]
        methods = [event.method for event in events if isinstance(event, Request)]
        assert methods == ["REGISTER", "INVITE"]

    def test_9_semicolon_separated_parameters_in_the_user_part(self) -> None:
        message = request("semiuri")
        assert message.uri.user == "user;par=u%40example.net"
        assert message.uri.decoded_user == "user;par=u@example.net"
        assert message.uri.params == ()
        assert message.headers.get_list("Accept") == [
            "application/sdp",
            "application/pkcs7-mime",
            "multipart/mixed",
            "multipart/signed",
            "message/sip",
            "message/sipfrag",
        ]
        assert judge(message) is None

    def test_10_varied_and_unknown_transports(self) -> None:
        transports = [via.transport for via in request("transports").vias]
        assert transports == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]

    def test_11_multipart_body(self) -> None:
        message = request("mpart01")
        assert message.content_type == "multipart/mixed"
        assert len(message.body) == 553
        text, signature = parse_multipart(message)
        assert (text.content_type, text.body) == ("text/plain", b"Hello")
        assert signature.content_type == "application/octet-stream"
        assert signature.body.startswith(b"0\x82\x01")
        assert b"\0" in signature.body
        assert find_body(message, "text/plain") == b"Hello"
        assert find_body(message, "application/sdp") is None
        assert message.to_bytes().endswith(message.body)

    def test_12_unusual_reason_phrase(self) -> None:
        message = response("unreason")
        assert message.status == 200
        assert message.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"

    def test_13_empty_reason_phrase(self) -> None:
        message = response("noreason")
        assert (message.status, message.reason) == (100, "")
        assert message.to_bytes().startswith(b"SIP/2.0 100 \r\n")


class TestInvalid_3_1_2:
    @pytest.mark.parametrize(
        ("name", "detail"),
        [
            ("badinv01", "malformed parameter name"),
            ("clerr", "Content-Length exceeds the datagram"),
            ("ncl", "malformed Content-Length"),
            ("scalar02", "CSeq out of range"),
            ("quotbal", "not a URI"),
            ("ltgtruri", "not a URI"),
            ("lwsruri", "malformed request line"),
            ("lwsstart", "malformed request line"),
            ("trws", "malformed request line"),
            ("escruri", "headers in the Request-URI"),
            ("baddate", "malformed Date"),
            ("regbadct", "a URI with ? or , must stand in angle brackets"),
            ("badaspec", "not a URI"),
            ("mismatch01", "CSeq names another method"),
            ("mismatch02", "CSeq names another method"),
        ],
    )
    def test_is_refused_for_the_right_reason(self, name: str, detail: str) -> None:
        assert rejected(name).detail == detail

    def test_2_too_long_content_length_waits_or_closes_on_a_stream(self) -> None:
        parser = StreamParser()
        parser.receive_data(load("clerr"))
        assert parser.next_event() == NeedData()
        assert parser.pending_bytes > 0

    def test_3_negative_content_length_ends_a_stream(self) -> None:
        parser = StreamParser()
        parser.receive_data(load("ncl"))
        event = parser.next_event()
        assert isinstance(event, ParseError)
        assert event.is_fatal
        assert event.request is not None

    def test_4_overlarge_scalars_of_a_request(self) -> None:
        error = rejected("scalar02")
        assert error.request is not None
        # Too large to mean anything, but no reason to fail.
        assert error.request.expires == 2**32 - 1

    def test_5_overlarge_scalars_of_a_response(self) -> None:
        error = rejected("scalarlg")
        assert error.request is None

    def test_15_display_name_that_is_no_token(self) -> None:
        # The file lacks the empty line after the headers; supply it.
        with pytest.raises(ParseError) as caught:
            parse_datagram(load("baddn") + b"\r\n")
        assert caught.value.status == 400
        assert caught.value.request is not None

    def test_16_unknown_protocol_version(self) -> None:
        error = rejected("badvers")
        assert isinstance(error, UnsupportedVersion)
        assert error.status == 505
        assert error.request is not None
        answer = create_response(error.request, 505)
        assert answer.via.host == "c.example.com"
        assert answer.to_bytes().startswith(b"SIP/2.0 505 Version Not Supported")

    def test_19_overlarge_status(self) -> None:
        error = rejected("bigcode")
        assert (error.detail, error.request) == ("malformed status line", None)


class TestTransaction_3_2:
    def test_1_missing_transaction_identifier(self) -> None:
        message = request("badbranch")
        assert message.via.branch == "z9hG4bK"
        # Not usable to match transactions, so the RFC 2543 rules or a 400 apply.
        assert not message.via.has_magic_cookie
        assert judge(message) == Rejection(
            400, "branch is nothing but the magic cookie"
        )


class TestApplication_3_3:
    def test_1_missing_required_fields(self) -> None:
        error = rejected("insuf")
        assert error.detail == "missing Call-ID"
        assert error.request is not None
        answer = create_response(error.request, 400)
        assert answer.cseq == CSeq(193942, "INVITE")
        assert answer.via.host == "192.0.2.95"

    @pytest.mark.parametrize("name", ["unkscm", "novelsc"])
    def test_2_3_unsupported_scheme_in_the_request_uri(self, name: str) -> None:
        message = request(name)
        assert not message.uri.is_sip
        rejection = judge(message)
        assert rejection is not None
        assert rejection.status == 416
        forwarding = validate_forwarding(message)
        assert forwarding is not None
        assert forwarding.status == 416

    def test_3_novel_scheme_is_kept(self) -> None:
        assert str(request("novelsc").uri) == "soap.beep://192.0.2.103:3002"

    def test_4_unknown_schemes_in_headers(self) -> None:
        message = request("unksm2")
        assert str(message.to.uri) == "isbn:2983792873"
        assert str(message.from_.uri) == "http://www.example.com"
        assert str(message.contacts[0].uri) == "name:John_Smith"
        rejection = judge(message)
        assert rejection is not None
        assert rejection.status == 400
        assert validate_forwarding(message) is None

    def test_5_require_and_proxy_require(self) -> None:
        message = request("bext01")
        rejection = judge(message)
        assert rejection is not None
        assert rejection.status == 420
        assert rejection.headers == (
            ("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),
        )
        forwarding = validate_forwarding(message)
        assert forwarding is not None
        assert forwarding.status == 420
        assert forwarding.headers == (
            ("Unsupported", "noProxiesSupportThis, norDoAnyProxiesSupportThis"),
        )

    def test_6_unknown_content_type(self) -> None:
        rejection = judge(request("invut"))
        assert rejection is not None
        assert rejection.status == 415
        assert rejection.headers == (("Accept", "application/sdp"),)

    def test_7_unknown_authorization_scheme(self) -> None:
        message = request("regaut01")
        server = DigestServer(
            "example.com", lambda _: None, clock=lambda: 0.0, rng=random.Random(1)
        )
        # As if it had none: to be challenged.
        assert server.verify(message) == Rejected(RejectionKind.NO_CREDENTIALS)

    def test_8_several_values_of_single_value_fields(self) -> None:
        error = rejected("multi01")
        assert error.detail.startswith("several ")

    def test_9_several_content_length(self) -> None:
        assert rejected("mcl01").detail == "several Content-Length"
        parser = StreamParser()
        parser.receive_data(load("mcl01"))
        event = parser.next_event()
        assert isinstance(event, ParseError)
        assert event.is_fatal

    def test_10_response_with_a_broadcast_via(self) -> None:
        message = response("bcast")
        assert message.vias[1] == Via.parse(
            "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23"
        )
        assert validate_response(message) == "more than one Via"

    def test_11_max_forwards_zero(self) -> None:
        message = request("zeromf")
        assert message.max_forwards == 0
        # A user agent answers it, a proxy does not forward it.
        assert judge(message) is None
        forwarding = validate_forwarding(message)
        assert forwarding is not None
        assert forwarding.status == 483

    def test_12_contact_header_parameter(self) -> None:
        (contact,) = request("cparam01").contacts
        assert contact.param("unknownparam") == ""
        assert contact.uri.params == ()

    def test_13_contact_uri_parameter(self) -> None:
        (contact,) = request("cparam02").contacts
        assert contact.params == ()
        assert contact.uri.param("unknownparam") == ""

    def test_14_escaped_header_in_a_contact(self) -> None:
        (contact,) = request("regescrt").contacts
        assert contact.uri.header("Route") == "<sip:sip.example.com>"
        assert judge(request("regescrt")) is None

    def test_15_unacceptable_accept(self) -> None:
        rejection = judge(request("sdp01"))
        assert rejection is not None
        assert rejection.status == 406


class TestBackwardCompatibility_3_4:
    def test_1_invite_with_rfc_2543_syntax(self) -> None:
        message = request("inv2543")
        assert message.via.branch is None
        assert message.from_.tag is None
        assert message.max_forwards is None
        assert message.to.param("user") == "phone"
        assert message.to.uri.params == ()
        assert message.from_.uri.param("user") == "phone"
        (route,) = message.record_routes
        assert route.uri.param("maddr") == "ss1.example.com"
        # No Content-Length: the body reaches to the end of the datagram.
        sdp = SessionDescription.parse_body(message.body)
        assert sdp.media[0].payload_types == (0,)
        assert judge(message) is None


def test_a_body_beyond_the_limit_has_413() -> None:
    data = load("ncl").replace(b"Content-Length: -999", b"Content-Length: 999999")
    parser = StreamParser()
    parser.receive_data(data)
    event = parser.next_event()
    assert isinstance(event, BodyTooLarge)
    assert (event.status, event.is_fatal) == (413, True)
