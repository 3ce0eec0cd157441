"""Summaries of waiting messages (RFC 3842)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.errors import ParseError
from sip.message_summary import MessageSummary, parse_message_summary


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b"Messages-Waiting: yes\r\nMessage-Account: sip:rep@example.com\r\n"
            b"Voice-Message: 2/8 (1/2)\r\nFax-Message: 7/0\r\n",
            MessageSummary(True, 2, 8),
        ),
        (b"messages-waiting:NO\nvoice-message : 0 / 3", MessageSummary(False, 0, 3)),
        (b"Messages-Waiting: yes\r\n", MessageSummary(True)),
        (b"Messages-Waiting: yes\r\nVoice-Message: many\r\n", MessageSummary(True)),
        (b"Messages-Waiting: yes\r\nVoice-Message: 9999999999/1", MessageSummary(True)),
    ],
)
def test_a_summary(body: bytes, expected: MessageSummary) -> None:
    assert parse_message_summary(body) == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"Voice-Message: 1/1", b"Messages-Waiting: maybe", b"\n" * 99 + b"x"],
)
def test_no_summary(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_message_summary(body)


@given(st.binary(max_size=200))
def test_any_body(body: bytes) -> None:
    try:
        summary = parse_message_summary(body)
    except ParseError:
        return
    assert isinstance(summary.is_waiting, bool)
