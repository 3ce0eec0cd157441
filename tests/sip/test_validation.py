"""What RFC 4475 does not try; its own messages are in test_torture."""

from __future__ import annotations

import pytest

from sip.message import Request
from sip.uri import Uri
from sip.validation import validate_forwarding, validate_request


def request(
    method: str = "INVITE", *headers: tuple[str, str], body: bytes = b""
) -> Request:
    lines = [("Via", "SIP/2.0/UDP h;branch=z9hG4bKx"), ("To", "<sip:b@example.com>")]
    return Request(method, Uri.parse("sip:b@example.com"), [*lines, *headers], body)


def status(message: Request) -> int | None:
    rejection = validate_request(message, supported_extensions={"timer"})
    return None if rejection is None else rejection.status


def test_supported_extensions_pass_in_any_case() -> None:
    assert status(request("INVITE", ("Require", "Timer"))) is None
    assert status(request("INVITE", ("Require", "timer, foo"))) == 420


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_require_is_ignored_where_it_has_no_meaning(method: str) -> None:
    assert status(request(method, ("Require", "foo"))) is None
    assert validate_forwarding(request(method, ("Proxy-Require", "foo"))) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("Content-Type", "application/sdp"),), None),
        ((("Content-Type", "Application/SDP; charset=utf-8"),), None),
        ((), 400),
        ((("Content-Type", "text/plain"),), 415),
        (
            (
                ("Content-Type", "text/plain"),
                ("Content-Disposition", "x;handling=optional"),
            ),
            None,
        ),
        ((("Content-Type", "text/plain"), ("Content-Disposition", 'x;"')), 415),
        ((("Content-Type", "application/sdp"), ("e", "gzip")), 415),
        ((("Content-Type", "application/sdp"), ("e", "Identity")), None),
    ],
)
def test_bodies(headers: tuple[tuple[str, str], ...], expected: int | None) -> None:
    assert status(request("INVITE", *headers, body=b"x")) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/sdp", None),
        ("text/plain, application/SDP;level=1", None),
        ("application/*", None),
        ("*/*;q=0.1", None),
        ("", 406),
        ("application/sdp;q=0", 406),
        ("text/plain", 406),
    ],
)
def test_an_invite_must_accept_sdp(accept: str, expected: int | None) -> None:
    assert status(request("INVITE", ("Accept", accept))) == expected
    assert status(request("OPTIONS", ("Accept", accept))) is None


def test_forwarding_needs_hops_left() -> None:
    assert validate_forwarding(request("INVITE", ("Max-Forwards", "1"))) is None
    rejection = validate_forwarding(request("INVITE", ("Max-Forwards", "0")))
    assert rejection is not None
    assert rejection.status == 483
