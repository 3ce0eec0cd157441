"""What a call tells its user."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sip.digest import Refusal
from sip.headers import Reason


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional response to our INVITE.

    Attributes:
        status: 101 to 199.
        sdp: of early media; the same branch may repeat it in its 200.
        dialog_id: tells the forked branches apart; empty when it has no tag.
    """

    status: int
    sdp: str | None
    dialog_id: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """Our INVITE was answered by the branch ``dialog_id``.

    ``sdp`` is the answer or, when the INVITE made no offer, the offer that
    ``accept_offer`` must answer; None when there was none, which is the peer's fault.
    """

    sdp: str | None
    dialog_id: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Our answer was acknowledged; ``sdp`` is the answer to an offer we made in it."""

    sdp: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """The peer wants to change the session: ``accept_offer`` or ``reject_offer``.

    ``sdp`` None asks us to make the offer: it is given to ``accept_offer``, and the
    peer's answer comes as ``OfferAnswered``.
    """

    sdp: str | None


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """The peer's answer to an offer of ours."""

    sdp: str


@dataclass(frozen=True, slots=True)
class OfferFailed:
    """An offer, ours or the peer's (487: withdrawn), came to nothing.

    The session stays as it was.
    """

    status: int


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO of the old kind, without an Info-Package; already answered 200."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """Our INVITE failed. Ends the call.

    Attributes:
        retry_after: seconds, when the response names them.
        local: nobody sent this response: 408 when nobody answered, 503 when nobody
            could be reached.
        refusal: why we did not answer a challenge (401, 407).
    """

    status: int
    reason_phrase: str = ""
    reasons: tuple[Reason, ...] = ()
    retry_after: int | None = None
    local: bool = False
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave up or another device answered (``reasons``). Ends the call."""

    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteHangup:
    """The peer hung up an established call. Ends the call."""

    reasons: tuple[Reason, ...] = ()


class FailureCause(enum.StrEnum):
    """Why an established call was lost."""

    # Our 200 was never acknowledged (13.3.1.4).
    NO_ACK = "no_ack"
    # The peer no longer knows the call, or no longer answers (12.2.1.2).
    DIALOG_LOST = "dialog_lost"


@dataclass(frozen=True, slots=True)
class Failed:
    """An answered call broke down. Ends the call."""

    kind: FailureCause


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """We ended the call ourselves. Ends the call."""


CallEvent = (
    Progress
    | Answered
    | Confirmed
    | Offer
    | OfferAnswered
    | OfferFailed
    | InfoReceived
    | Rejected
    | Cancelled
    | RemoteHangup
    | Failed
    | LocalEnd
)
# Exactly one of these is a call's last event.
TERMINAL_EVENTS = (Rejected, Cancelled, RemoteHangup, Failed, LocalEnd)


# RFC 3326 on the requests we end calls with.
NORMAL_CLEARING = Reason("Q.850", 16, "Normal call clearing")
COMPLETED_ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")
NOT_ACKNOWLEDGED = Reason("SIP", 408, "ACK not received")
