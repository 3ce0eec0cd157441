from __future__ import annotations

import pytest

from sip.errors import ParseError
from sip.message import Message
from sip.multipart import MAX_PARTS, find_body, parse_multipart

SDP = b"v=0\r\n"


def multipart(body: bytes, kind: str = "mixed", boundary: str = "b") -> Message:
    return Message([("Content-Type", f'multipart/{kind};boundary="{boundary}"')], body)


TWO = (
    b"preamble\r\n--b \r\nContent-Type: text/plain\r\n\r\nhello\r\n--bb\r\nworld\r\n"
    b"--b\r\nContent-Type: application/SDP\r\nX: y\r\n\r\nv=0\r\n\r\n--b--\r\nepilogue"
)


def test_parts_and_their_bytes() -> None:
    text, sdp = parse_multipart(multipart(TWO))
    assert (text.content_type, text.body) == ("text/plain", b"hello\r\n--bb\r\nworld")
    assert (sdp.content_type, sdp.body) == ("application/sdp", SDP)
    assert sdp.content.headers.get("x") == "y"
    assert text.content.to_bytes() == (
        b"Content-Type: text/plain\r\nContent-Length: 18\r\n\r\nhello\r\n--bb\r\nworld"
    )


def test_a_part_without_headers_is_text() -> None:
    (part,) = parse_multipart(multipart(b"--b\r\n\r\nhi\r\n--b--"))
    assert (part.content_type, part.body) == ("text/plain", b"hi")


def test_finding_a_body() -> None:
    assert find_body(multipart(TWO), "application/sdp") == SDP
    assert find_body(multipart(TWO), "message/sipfrag") is None
    plain = Message([("Content-Type", "application/sdp")], SDP)
    assert find_body(plain, "application/sdp") == SDP
    assert find_body(Message(), "application/sdp") is None


def test_the_last_alternative_is_the_best() -> None:
    body = (
        b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--b--"
    )
    assert find_body(multipart(body), "text/plain") == b"one"
    assert find_body(multipart(body, "alternative"), "text/plain") == b"two"


def test_nesting_is_bounded() -> None:
    body = SDP
    kind = b"application/sdp"
    for name in b"abcd":
        boundary = bytes([name])
        body = (
            b"--" + boundary + b"\r\nContent-Type: " + kind + b"\r\n\r\n"
            + body + b"\r\n--" + boundary + b"--"
        )  # fmt: skip
        kind = b"multipart/mixed;boundary=" + boundary
    message = Message([("Content-Type", kind.decode())], body)
    with pytest.raises(ParseError, match="nested"):
        find_body(message, "application/sdp")
    inner = parse_multipart(message)[0].content
    assert find_body(inner, "application/sdp") == SDP


@pytest.mark.parametrize(
    "message",
    [
        multipart(b""),
        multipart(b"--b\r\n\r\nhi"),
        multipart(b"--b\r\n\r\nhi\r\n--b"),
        multipart(b"--b\r\nno empty line\r\n--b--"),
        multipart(b"--b\r\nno colon\r\n\r\nhi\r\n--b--"),
        multipart(b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 2) + b"--b--"),
        multipart(b"--b--", boundary=""),
        multipart(b"--b--", boundary="x" * 71),
        multipart(b"--b--", boundary="(.*)*[a"),
        Message([("Content-Type", "multipart/mixed")], b"--b--"),
    ],
)
def test_malformed(message: Message) -> None:
    with pytest.raises(ParseError):
        parse_multipart(message)
