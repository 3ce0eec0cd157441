"""Whatever arrives, only ParseError comes out, and what is accepted can be written."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sip.errors import ParseError
from sip.headers import CSeq, Headers, Reason, Via
from sip.lexical import quote, split_list, unquote
from sip.message import Message, Request, Response, create_response
from sip.multipart import find_body, parse_multipart
from sip.parser import parse_datagram
from sip.stream_parser import NeedData, Ping, Pong, StreamEvent, StreamParser
from sip.uri import NameAddr, Uri, escape_user
from sip.validation import validate_forwarding, validate_request, validate_response

CORPUS = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[1] / "data/rfc4475").glob("*.dat"))
]
# What tends to sit at the borders of the grammar.
FRAGMENTS = [
    *(b'"', b"<", b">", b";", b",", b":", b"@", b"=", b"%", b"%00", b"\\", b"\0"),
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n ", b" ", b"\t", b"[", b"]", b"::1"),
    *(b"\xff", "ä".encode(), b"Via: ", b"v:", b"l: 0\r\n", b"*", b"sip:", b"SIP/2.0"),
    *(b"99999999999999999999", b"-1", b"\xd9\xa3", b"Content-Length: 5\r\n"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(1, 6))):
        position = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        piece = draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=8))
        match draw(st.integers(0, 3)):
            case 0:
                data[position : position + length] = piece
            case 1:
                data[position:position] = piece
            case 2:
                del data[position : position + length]
            case _:
                data[position:position] = data[: length * 10]
    return bytes(data)


def use_everything(message: Message) -> None:
    """Every accessor that the parser has promised to work."""
    _ = message.via, message.vias, message.from_, message.to, message.call_id
    _ = message.cseq, message.contacts, message.contact, message.routes
    _ = message.record_routes, message.content_type, message.content_type_params
    _ = message.max_forwards if isinstance(message, Request) else None
    _ = message.expires, message.min_expires, message.retry_after, message.reasons
    _ = repr(message), repr(message.headers)
    for address in (message.from_, message.to, *message.contacts):
        assert NameAddr.parse(str(address)) == address
        assert Uri.parse(str(address.uri)).equivalent(address.uri)
    for via in message.vias:
        assert Via.parse(str(via)) == via
    if isinstance(message, Request):
        validate_request(message)
        validate_forwarding(message)
        create_response(message, 180, to_tag="t").to_bytes()
    elif isinstance(message, Response):
        validate_response(message)


def read(data: bytes) -> Request | Response | ParseError:
    try:
        return parse_datagram(data)
    except ParseError as error:
        return error


def check_error(error: ParseError) -> None:
    assert 400 <= error.status <= 699
    assert error.detail.isascii()
    if error.request is not None:
        assert error.request.method != "ACK"
        answer = create_response(error.request, error.status, to_tag="t")
        assert answer.to_bytes().startswith(b"SIP/2.0 ")


def check_datagram(data: bytes) -> None:
    message = read(data)
    if isinstance(message, ParseError):
        check_error(message)
        return
    use_everything(message)
    written = message.to_bytes()
    again = parse_datagram(written)
    assert again.body == message.body
    assert again.to_bytes() == written


@given(mutated())
@settings(max_examples=250, deadline=None)
def test_mutated_torture_messages(data: bytes) -> None:
    check_datagram(data)


@given(st.binary(max_size=2000))
@settings(deadline=None)
@example(b"SIP/2.0 ")
@example(b"A sip:a SIP/2.0\r\n\r\n")
@example(b"A : SIP/2.0\r\n:\r\n\r\n")
def test_arbitrary_datagrams(data: bytes) -> None:
    check_datagram(data)


def all_events(parser: StreamParser, chunks: list[bytes]) -> list[StreamEvent]:
    found: list[StreamEvent] = []
    for chunk in chunks:
        parser.receive_data(chunk)
        while not isinstance(event := parser.next_event(), NeedData):
            found.append(event)
    return found


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    borders = [0, *cuts, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(borders)]


def visible(event: StreamEvent) -> object:
    if isinstance(event, ParseError):
        return (event.status, event.detail, event.is_fatal, event.request)
    return event


@given(st.lists(mutated(), min_size=1, max_size=4), st.data())
@settings(max_examples=100, deadline=None)
def test_a_stream_means_the_same_however_it_is_cut(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(messages)
    whole = all_events(StreamParser(), [stream])
    parts = all_events(StreamParser(), data.draw(cut(stream)))

    def messages_of(events: list[StreamEvent]) -> list[object]:
        # A keepalive cut in the middle may be seen as two halves, see StreamParser.
        return [visible(e) for e in events if not isinstance(e, Ping | Pong)]

    assert messages_of(parts) == messages_of(whole)


@given(st.lists(st.sampled_from([m for m in CORPUS if b"ength" in m]), max_size=4))
@settings(deadline=None)
def test_valid_messages_are_found_in_a_stream_byte_by_byte(
    messages: list[bytes],
) -> None:
    stream = b"".join(messages)
    parser = StreamParser()
    bytewise = all_events(parser, [bytes([byte]) for byte in stream])
    whole = all_events(StreamParser(), [stream])
    assert [type(e) for e in bytewise if not isinstance(e, Ping | Pong)] == [
        type(e) for e in whole if not isinstance(e, Ping | Pong)
    ]


@given(st.lists(st.binary(max_size=300), max_size=8))
@settings(deadline=None)
def test_an_arbitrary_stream_ends_in_silence_or_an_error(chunks: list[bytes]) -> None:
    parser = StreamParser()
    for event in all_events(parser, chunks):
        if isinstance(event, Message):
            use_everything(event)
        elif isinstance(event, ParseError):
            check_error(event)
    assert parser.pending_bytes <= 65_536 * 2


TEXT = st.text(max_size=60)


@given(TEXT)
@settings(deadline=None)
def test_any_text_as_a_uri(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except ParseError:
        return
    assert Uri.parse(str(uri)) == uri
    assert uri.equivalent(uri)
    assert "\r" not in str(uri)
    assert "\n" not in str(uri)


@given(TEXT)
@settings(deadline=None)
def test_any_text_as_a_user(text: str) -> None:
    if text:
        uri = Uri("sip", escape_user(text), "example.com")
        assert Uri.parse(str(uri)) == uri
        assert uri.decoded_user == text


@given(TEXT)
@settings(deadline=None)
def test_any_text_as_header_values(text: str) -> None:
    for parse in (NameAddr.parse, Via.parse, CSeq.parse, Reason.parse, split_list):
        try:
            parse(text)
        except ParseError:
            continue


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
@settings(deadline=None)
def test_any_display_name(name: str) -> None:
    address = NameAddr(Uri.parse("sip:a@example.com"), name, (("tag", "x"),))
    assert NameAddr.parse(str(address)) == address
    assert unquote(quote(name)) == name
    # Standing in a list, it stays one element.
    assert split_list(f"{address}, {address}") == [str(address)] * 2


@given(st.binary(max_size=400), st.sampled_from(["b", "bb", "--"]))
@settings(deadline=None)
def test_any_multipart(body: bytes, boundary: str) -> None:
    pieces = body.replace(b"\xff", b"\r\n--" + boundary.encode())
    headers = Headers([("Content-Type", f'multipart/mixed;boundary="{boundary}"')])
    message = Message(headers, pieces)
    try:
        parts = parse_multipart(message)
        find_body(message, "application/sdp")
    except ParseError:
        return
    assert all(part.body in pieces for part in parts)
