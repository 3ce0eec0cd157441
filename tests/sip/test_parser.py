from __future__ import annotations

import pytest

from sip.errors import (
    BodyTooLarge,
    LineTooLong,
    MessageTooLarge,
    ParseError,
    TooManyHeaders,
)
from sip.message import Request, Response, create_response
from sip.parser import Limits, is_keepalive, parse_datagram

HEADERS = (
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"From: <sip:a@example.com>;tag=1\r\n"
    b"To: <sip:b@example.com>\r\n"
    b"Call-ID: c@example.com\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)
START = b"OPTIONS sip:b@example.com SIP/2.0\r\n"


def message(extra: bytes = b"", body: bytes = b"") -> bytes:
    return START + HEADERS + extra + b"\r\n" + body


def rejected(data: bytes, limits: Limits | None = None) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_datagram(data, limits=limits or Limits())
    return caught.value


def test_body_of_a_datagram() -> None:
    assert parse_datagram(message(body=b"to the end")).body == b"to the end"
    assert parse_datagram(message(b"l: 2\r\n", b"to the end")).body == b"to"
    assert parse_datagram(message(b"l: 0\r\n")).body == b""
    error = rejected(message(b"l: 11\r\n", b"to the end"))
    assert error.detail == "Content-Length exceeds the datagram"


def test_bodies_are_bytes() -> None:
    body = bytes(range(256))
    parsed = parse_datagram(message(b"Content-Type: application/x\r\n", body))
    assert parsed.body == body
    assert parse_datagram(parsed.to_bytes()).body == body


def test_invalid_utf_8_is_kept() -> None:
    parsed = parse_datagram(message(b"Subject: caf\xe9 \xff\r\n"))
    assert b"Subject: caf\xe9 \xff\r\n" in parsed.to_bytes()


def test_unknown_methods_and_headers_pass_through() -> None:
    data = message(b"X-Odd:  a ,; b\r\n").replace(b"OPTIONS", b"oPtIoNs")
    parsed = parse_datagram(data)
    assert isinstance(parsed, Request)
    assert parsed.method == "oPtIoNs"
    assert parsed.headers.get("x-odd") == "a ,; b"


def test_leading_line_breaks_are_skipped() -> None:
    assert isinstance(parse_datagram(b"\r\n\r\n" + message()), Request)


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0\0\0\0", b"\r\n"])
def test_keepalives_are_no_messages(data: bytes) -> None:
    assert is_keepalive(data)
    assert not is_keepalive(message())
    assert rejected(data).request is None


@pytest.mark.parametrize(
    "value", ["-1", "+1", "1x", "0x10", "", "1 2", "1,1", "9" * 10]
)
def test_malformed_content_length(value: str) -> None:
    error = rejected(message(f"l: {value}\r\n".encode(), b"x"))
    assert error.status == 400
    assert error.request is not None


@pytest.mark.parametrize(
    "header", ["From", "To", "Call-ID", "CSeq", "Content-Length", "Content-Type"]
)
def test_what_may_stand_once_only(header: str) -> None:
    values = {"CSeq": "1 OPTIONS", "Content-Type": "a/b", "Content-Length": "0"}
    value = values.get(header, "<sip:x@y>")
    line = f"{header}: {value}\r\n".encode()
    assert rejected(message(line + line)).detail == f"several {header}"


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_what_must_be_there(name: bytes) -> None:
    lines = [line for line in HEADERS.splitlines(True) if not line.startswith(name)]
    error = rejected(START + b"".join(lines) + b"\r\n")
    assert error.detail == f"missing {name.decode()}"
    # Without a Via there is no way to answer.
    assert (error.request is None) == (name == b"Via")


@pytest.mark.parametrize(
    "line",
    [
        b"Subject: a\rb\r\n",
        b"Subject: a\nP-Asserted-Identity: <sip:ceo@example.com>\r\n",
        b"Subject: a\0b\r\n",
        b"Sub ject: a\r\n",
        b": a\r\n",
        b"Subject\r\n",
        b"\xc3\xa4: a\r\n",
        b"Contact: <sip:a@b>;;\r\n",
        b'Contact: "a <sip:a@b>\r\n',
        b"Contact: *, <sip:a@b>\r\n",
        b"Route: sip:\r\n",
        b"Record-Route: x\r\n",
        b"Max-Forwards: 256\r\n",
        b'Require: "a\r\n',
        b"Content-Type: a/b;=\r\n",
    ],
)
def test_malformed_lines_are_answered_with_400(line: bytes) -> None:
    error = rejected(message(line))
    assert error.status == 400
    assert error.request is not None
    create_response(error.request, 400, to_tag="x").to_bytes()


def test_header_smuggling_by_a_lone_line_feed_reaches_nobody() -> None:
    error = rejected(message(b"Subject: a\nP-Asserted-Identity: <sip:ceo@c>\r\n"))
    assert error.request is not None
    assert "P-Asserted-Identity" not in error.request.headers
    assert "Subject" not in error.request.headers


def test_a_continuation_line_needs_a_header_before_it() -> None:
    assert rejected(START + b" x\r\n" + HEADERS + b"\r\n").status == 400


def test_folding_becomes_one_space() -> None:
    parsed = parse_datagram(message(b"Subject: a \r\n \t b\r\n\tc\r\n"))
    assert parsed.headers.get("Subject") == "a b c"


@pytest.mark.parametrize(
    "start",
    [
        b"OPTIONS sip:b@example.com\r\n",
        b"OPTIONS sip:b@example.com HTTP/1.1\r\n",
        b"OPTIONS  sip:b@example.com SIP/2.0\r\n",
        b"OPTIONS\tsip:b@example.com\tSIP/2.0\r\n",
        b"OPTIONS <sip:b@example.com> SIP/2.0\r\n",
        b"OPTI(ONS sip:b@example.com SIP/2.0\r\n",
    ],
)
def test_malformed_request_lines(start: bytes) -> None:
    error = rejected(start + HEADERS + b"\r\n")
    assert error.status == 400
    assert error.request is not None


def test_the_version_is_compared_without_case() -> None:
    data = message().replace(b" SIP/2.0\r\n", b" sip/2.0\r\n", 1)
    assert isinstance(parse_datagram(data), Request)


@pytest.mark.parametrize(
    "start",
    [
        b"SIP/2.0 99 x",
        b"SIP/2.0 700 x",
        b"SIP/2.0 2000 x",
        b"SIP/3.0 200 x",
        b"SIP/2.0",
    ],
)
def test_a_bad_response_is_never_answered(start: bytes) -> None:
    assert rejected(start + b"\r\n" + HEADERS + b"\r\n").request is None


@pytest.mark.parametrize("start", [b"SIP/2.0 200 ", b"SIP/2.0 200"])
def test_a_response_without_a_phrase(start: bytes) -> None:
    parsed = parse_datagram(start + b"\r\n" + HEADERS + b"\r\n")
    assert isinstance(parsed, Response)
    assert parsed.reason == ""


def test_a_bad_ack_is_never_answered() -> None:
    assert rejected(message(b"broken\r\n").replace(b"OPTIONS", b"ACK")).request is None


def test_the_empty_line_must_be_there() -> None:
    error = rejected(START + HEADERS)
    assert error.detail == "no empty line after the headers"
    assert error.request is not None


def test_a_contact_of_another_phone_does_not_cost_a_registrars_answer() -> None:
    contacts = b"Contact: <sip:odd@h;;>\r\nContact: <sip:ours@h>;expires=60\r\n"
    parsed = parse_datagram(b"SIP/2.0 200 OK\r\n" + HEADERS + contacts + b"\r\n")
    assert [contact.uri.user for contact in parsed.contacts] == ["ours"]
    assert rejected(message(contacts)).status == 400


@pytest.mark.parametrize(
    ("date", "is_good"),
    [
        ("Sat, 13 Nov 2010 23:29:00 GMT", True),
        ("Sat, 6 Nov 2010 23:29:00 GMT", True),
        ("Sat, 13 Nov 2010 23:29:00 CET", False),
        ("yesterday", False),
    ],
)
def test_dates(date: str, is_good: bool) -> None:
    data = message(f"Date: {date}\r\n".encode())
    if is_good:
        assert parse_datagram(data).headers.get("Date") == date
    else:
        assert rejected(data).detail == "malformed Date"


def test_a_response_with_a_malformed_line() -> None:
    data = b"SIP/2.0 200 OK\r\nbroken\r\n" + HEADERS + b"\r\n"
    assert rejected(data).detail == "malformed header line"


def test_an_empty_via_before_another_is_refused() -> None:
    error = rejected(START + b"Via:\r\n" + HEADERS + b"\r\n")
    assert error.detail == "empty Via"


def test_a_call_id_with_a_space_is_refused() -> None:
    data = message().replace(b"Call-ID: c@example.com", b"Call-ID: a b")
    assert rejected(data).detail == "malformed Call-ID"


class TestLimits:
    def test_message(self) -> None:
        error = rejected(message(body=b"x" * 70_000))
        assert isinstance(error, MessageTooLarge)
        assert error.status == 513

    def test_body(self) -> None:
        error = rejected(message(body=b"x" * 11), Limits(body_bytes=10))
        assert isinstance(error, BodyTooLarge)
        assert error.status == 413
        assert error.request is not None

    def test_headers(self) -> None:
        error = rejected(message(b"X: y\r\n" * 10_000))
        assert isinstance(error, TooManyHeaders)
        assert error.status == 400
        assert error.request is not None

    @pytest.mark.parametrize(
        "line",
        [
            b"X: " + b"y" * 9000 + b"\r\n",
            b"X: y\r\n" + (b" " + b"y" * 100 + b"\r\n") * 100,
            b"X: " + "ä".encode() * 4097 + b"\r\n",
        ],
        ids=["plain", "folded", "bytes, not characters"],
    )
    def test_line(self, line: bytes) -> None:
        error = rejected(message(line))
        assert isinstance(error, LineTooLong)
        assert error.request is not None
        assert "X" not in error.request.headers

    def test_start_line(self) -> None:
        data = message().replace(b"sip:b@", b"sip:" + b"b" * 9000 + b"@", 1)
        assert isinstance(rejected(data), LineTooLong)

    def test_what_is_just_within_passes(self) -> None:
        parsed = parse_datagram(message(b"X: " + b"y" * 8192 + b"\r\n"))
        assert len(parsed.headers.get("X") or "") == 8192

    @pytest.mark.parametrize("field", ["From", "branch", "Call-ID"])
    def test_overlong_identifiers_are_harmless(self, field: str) -> None:
        long = b"x" * 8000
        data = {
            "From": message().replace(b"tag=1", b"tag=" + long),
            "branch": message().replace(b"z9hG4bK1", b"z9hG4bK" + long),
            "Call-ID": message().replace(b"c@example.com", long),
        }[field]
        assert parse_datagram(data).to_bytes().count(long) == 1
