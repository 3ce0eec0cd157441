"""What a call tells its user."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sip.digest import Refusal
from sip.headers import Reason
from sip.hold import is_hold
from sip.replaces import Replaces
from sip.uri import NameAddr, Uri


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

    @property
    def is_hold(self) -> bool:
        """Whether the peer holds the call with it."""
        return is_hold(self.sdp)


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
class PeerIdentified:
    """A trusted re-INVITE or UPDATE says who the peer is now; it may be who it was."""

    identity: NameAddr


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """What the peer reports of the transfer that we asked for.

    Attributes:
        status: of the peer's own call to the target, 100 to 699; None when nobody will
            say what became of it, and then final.
        is_final: nothing more follows; the call itself goes on until it is ended.
    """

    status: int | None
    is_final: bool
    reason_phrase: str = ""


@dataclass(frozen=True, slots=True)
class TransferRefused:
    """The peer does not transfer; the call is as it was. Final.

    ``local``: nobody sent this response, see ``Rejected``.
    """

    status: int
    reason_phrase: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """The peer wants us to call somebody: ``accept_transfer`` or ``refuse_transfer``.

    Attributes:
        target: ``sip``, ``sips`` or ``tel``; whether it may be called is our user's
            decision, as if the peer had dialled it on our account.
        replaces: for the INVITE to the target: the dialog whose place it takes there.
        referred_by: who asks, as they say; to be sent on in the INVITE (RFC 3892).
    """

    target: Uri
    replaces: Replaces | None = None
    referred_by: NameAddr | None = None


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
class Replaced:
    """Another call was answered in the place of this one (RFC 3891). Ends the call.

    ``call_id``: of the call that goes on, whose ``replaced`` is this one.
    """

    call_id: str


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
    | PeerIdentified
    | TransferProgress
    | TransferRefused
    | TransferRequested
    | Rejected
    | Cancelled
    | RemoteHangup
    | Failed
    | Replaced
    | LocalEnd
)
# Exactly one of these is a call's last event.
TERMINAL_EVENTS = (Rejected, Cancelled, RemoteHangup, Failed, Replaced, LocalEnd)


# RFC 3326 on the requests we end calls with.
NORMAL_CLEARING = Reason("Q.850", 16, "Normal call clearing")
COMPLETED_ELSEWHERE = Reason("SIP", 200, "Call completed elsewhere")
NOT_ACKNOWLEDGED = Reason("SIP", 408, "ACK not received")
