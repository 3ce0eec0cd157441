from __future__ import annotations

import pytest

from sip.errors import BodyTooLarge, MessageTooLarge, ParseError
from sip.message import Request
from sip.parser import Limits
from sip.stream_parser import NeedData, Ping, Pong, StreamEvent, StreamParser


def options(number: int = 1, body: bytes = b"", extra: str = "") -> bytes:
    return (
        "OPTIONS sip:b@example.com SIP/2.0\r\n"
        "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n"
        "From: <sip:a@example.com>;tag=1\r\n"
        "To: <sip:b@example.com>\r\n"
        "Call-ID: c@example.com\r\n"
        f"CSeq: {number} OPTIONS\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def events(parser: StreamParser, *chunks: bytes) -> list[StreamEvent]:
    found: list[StreamEvent] = []
    for chunk in chunks:
        parser.receive_data(chunk)
        while not isinstance(event := parser.next_event(), NeedData):
            found.append(event)
    return found


def numbers(found: list[StreamEvent]) -> list[int]:
    return [event.cseq.number for event in found if isinstance(event, Request)]


def test_several_messages_in_one_read() -> None:
    parser = StreamParser()
    found = events(parser, options(1, b"abc") + options(2) + options(3, b"\r\n\r\n"))
    assert numbers(found) == [1, 2, 3]
    assert [event.body for event in found if isinstance(event, Request)] == [
        b"abc",
        b"",
        b"\r\n\r\n",
    ]
    assert parser.pending_bytes == 0


def test_one_message_byte_by_byte() -> None:
    data = options(1, b"abc")
    parser = StreamParser()
    for position in range(len(data) - 1):
        assert events(parser, data[position : position + 1]) == []
        assert parser.pending_bytes > 0
    assert numbers(events(parser, data[-1:])) == [1]
    assert parser.pending_bytes == 0


def test_keepalives_between_messages() -> None:
    parser = StreamParser()
    assert events(parser, b"\r\n\r\n") == [Ping()]
    assert events(parser, b"\r\n") == [Pong()]
    assert events(parser, b"\r", b"\n") == [Pong()]
    assert events(parser, b"\r\n\r", b"\n") == [Ping()]
    found = events(parser, b"\r\n\r\n" + options(1) + b"\r\n" + options(2))
    assert [type(event) for event in found] == [Ping, Request, Pong, Request]


def test_a_malformed_message_with_a_length_does_not_end_the_stream() -> None:
    parser = StreamParser()
    found = events(
        parser, options(1, b"body", "Broken line\r\n") + options(2, b"", "To: x\r\n")
    )
    assert [type(event) for event in found] == [ParseError, ParseError]
    assert not any(event.is_fatal for event in found if isinstance(event, ParseError))
    assert numbers(events(parser, options(3))) == [3]


@pytest.mark.parametrize(
    "data",
    [
        options().replace(b"Content-Length: 0\r\n", b""),
        options().replace(b"Content-Length: 0", b"Content-Length: -1"),
        options().replace(b"Content-Length: 0", b"Content-Length: 99999999999"),
        options(extra="l: 0\r\n"),
        options(extra="Broken line\r\n").replace(b"Content-Length: 0\r\n", b""),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"SIP/2.0 999 x\r\nl: 0\r\n\r\n",
        b"\nOPTIONS",
        b"\rOPTIONS",
    ],
)
def test_lost_framing_ends_the_stream(data: bytes) -> None:
    parser = StreamParser()
    (error,) = events(parser, data)
    assert isinstance(error, ParseError)
    assert error.is_fatal
    assert events(parser, options(2)) == []
    assert parser.pending_bytes == 0


def test_missing_content_length_is_answered_with_400() -> None:
    data = options().replace(b"Content-Length: 0\r\n", b"")
    (error,) = events(StreamParser(), data)
    assert isinstance(error, ParseError)
    assert error.status == 400
    assert error.request is not None
    assert error.request.call_id == "c@example.com"


def test_headers_without_end_are_cut_off() -> None:
    parser = StreamParser(limits=Limits(message_bytes=1000))
    assert events(parser, b"OPTIONS " + b"x" * 990) == []
    (error,) = events(parser, b"x" * 10)
    assert isinstance(error, MessageTooLarge)
    assert (error.status, error.is_fatal) == (513, True)


def test_an_announced_huge_body_is_refused_before_it_arrives() -> None:
    data = options().replace(b"Content-Length: 0", b"Content-Length: 60001")
    (error,) = events(StreamParser(), data)
    assert isinstance(error, BodyTooLarge)
    assert error.request is not None


def test_memory_is_bounded_while_a_body_is_awaited() -> None:
    parser = StreamParser()
    events(parser, options(1, b"x" * 60_000)[:-1])
    assert parser.pending_bytes < 65_536
    assert numbers(events(parser, b"x")) == [1]
