"""What the ways a SIP call can end mean to a rep. Pure; RFC 3261 21, RFC 3326."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.sessions.wire import EndReason
from sip import Reason

_OF_STATUS = {
    401: EndReason.NOT_ALLOWED,
    403: EndReason.NOT_ALLOWED,
    404: EndReason.UNKNOWN_NUMBER,
    407: EndReason.NOT_ALLOWED,
    408: EndReason.NO_ANSWER,
    410: EndReason.UNKNOWN_NUMBER,
    415: EndReason.NO_COMMON_CODEC,
    480: EndReason.UNREACHABLE,
    484: EndReason.UNKNOWN_NUMBER,
    486: EndReason.BUSY,
    487: EndReason.CANCELLED_HERE,
    488: EndReason.NO_COMMON_CODEC,
    600: EndReason.BUSY,
    603: EndReason.DECLINED_THERE,
    604: EndReason.UNKNOWN_NUMBER,
    606: EndReason.NO_COMMON_CODEC,
    607: EndReason.DECLINED_THERE,
    608: EndReason.DECLINED_THERE,
}
_ANSWERED_ELSEWHERE = {("SIP", 200), ("Q.850", 26)}
_DECLINED_ELSEWHERE = {("SIP", 600), ("SIP", 603), ("Q.850", 21)}


# What a guest's call means to the host whom it was for. A host whom the server does
# not find (404) or reach (480) has no device there now.
_OF_ATTEMPT = {
    EndReason.HUNG_UP_HERE: EndReason.HUNG_UP_THERE,
    EndReason.HUNG_UP_THERE: EndReason.HUNG_UP_HERE,
    EndReason.CANCELLED_HERE: EndReason.MISSED,
    EndReason.NO_ANSWER: EndReason.MISSED,
    EndReason.UNREACHABLE: EndReason.MISSED,
    EndReason.UNKNOWN_NUMBER: EndReason.MISSED,
    EndReason.DECLINED_THERE: EndReason.DECLINED_HERE,
}


def of_attempt(reason: EndReason) -> EndReason:
    """Why a guest's call ended, from its host's point of view."""
    return _OF_ATTEMPT.get(reason, reason)


def of_rejection(status: int) -> EndReason:
    """Why an outgoing call was not answered, from its final status (300 to 699)."""
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    if 500 <= status < 600:
        return EndReason.SERVER_UNAVAILABLE
    return EndReason.FAILED


def of_cancel(reasons: Sequence[Reason]) -> EndReason:
    """Why an incoming call stopped ringing, from its CANCEL's Reason headers.

    A call that another device took or refused is no missed call (RFC 3326 3.1).
    """
    causes = {(reason.protocol.upper(), reason.cause) for reason in reasons}
    if causes & _ANSWERED_ELSEWHERE:
        return EndReason.ANSWERED_ELSEWHERE
    if causes & _DECLINED_ELSEWHERE:
        return EndReason.DECLINED_ELSEWHERE
    return EndReason.MISSED
