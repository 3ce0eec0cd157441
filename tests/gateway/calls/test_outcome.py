"""Every way a call can end has one meaning to the rep."""

from __future__ import annotations

import pytest

import sip
from gateway.calls.outcome import of_cancel, of_rejection
from gateway.sessions.wire import EndReason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, EndReason.NOT_ALLOWED),
        (404, EndReason.UNKNOWN_NUMBER),
        (408, EndReason.NO_ANSWER),
        (480, EndReason.UNREACHABLE),
        (484, EndReason.UNKNOWN_NUMBER),
        (486, EndReason.BUSY),
        (487, EndReason.CANCELLED_HERE),
        (488, EndReason.NO_COMMON_CODEC),
        (500, EndReason.SERVER_UNAVAILABLE),
        (503, EndReason.SERVER_UNAVAILABLE),
        (600, EndReason.BUSY),
        (603, EndReason.DECLINED_THERE),
        (604, EndReason.UNKNOWN_NUMBER),
        (499, EndReason.FAILED),
        (699, EndReason.FAILED),
        (302, EndReason.FAILED),
    ],
)
def test_final_status_of_an_outgoing_call(status: int, reason: EndReason) -> None:
    assert of_rejection(status) is reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', "answered_elsewhere"),
        ("Q.850;cause=26", "answered_elsewhere"),
        ("sip ;cause=200", "answered_elsewhere"),
        ("SIP;cause=603", "declined_elsewhere"),
        ("SIP;cause=600", "declined_elsewhere"),
        ("Q.850;cause=16", "missed"),
        ("SIP;cause=487", "missed"),
    ],
)
def test_reason_of_a_cancel(header: str, reason: str) -> None:
    assert of_cancel([sip.Reason.parse(header)]) is EndReason(reason)


def test_a_cancel_without_a_reason_is_a_missed_call() -> None:
    assert of_cancel([]) is EndReason.MISSED


def test_one_of_several_reasons_is_enough() -> None:
    reasons = [sip.Reason.parse("Q.850;cause=16"), sip.Reason.parse("SIP;cause=200")]
    assert of_cancel(reasons) is EndReason.ANSWERED_ELSEWHERE
