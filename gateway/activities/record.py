"""A call as it is kept: what history shows and activities are composed from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.activities.work import NO_WORK, Work, ended
from gateway.crm.connector import CrmRecord
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallDevice, CallDirection, CallType, EndReason


@dataclass(frozen=True, slots=True)
class InviteOfCall:
    """The video invite that a call came by.

    A guest's call is kept twice: as the *attempt*, on the guest's side, which knows
    how it ended whichever device of the host's rang, and once more for each session of
    the host's that it rang in. The activity is the attempt's.

    Attributes:
        guest: their name; ``subject`` of the invite.
        host: id of the user who invited, in the call's own tenant.
        about: the record the invite was made from, None if there is none.
        is_attempt: whether this is the guest's side, told from the host's point of
            view.
        guest_user, attempt_id: user and call id by which the attempt is kept; "" in
            records of older versions.
    """

    invite_id: str
    guest: str
    subject: str
    host: str
    about: CrmRecord | None = None
    is_attempt: bool = False
    guest_user: str = ""
    attempt_id: str = ""


@dataclass(frozen=True, slots=True)
class Party:
    """Whom a call was with before it was with somebody else; fields as of the call."""

    number: str
    e164: str
    display_name: str
    record: CrmRecord | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call or attempt. Times are Unix seconds.

    Attributes:
        call_id: unique per tenant and user, made by the gateway or the client.
        number: as dialled, or as SIP showed it; ``e164`` normalised, "" if it cannot.
        record: the CRM record it belongs to, None while unknown or ambiguous.
        answered_at, ended_at, reason: None until it happens.
        sip_code: final SIP status of an unanswered outgoing call.
        invite: the video invite it came by, None for all other calls.
        transferred_to: who has got the call of the rep's, "" for nobody.
        work: what the rep has written down about it.
        earlier: whom it was with before, the first one first; the last of them
            transferred the call to whom it is with.
    """

    call_id: str
    user: UserKey
    direction: CallDirection
    number: str
    e164: str
    display_name: str
    record: CrmRecord | None
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    reason: EndReason | None = None
    sip_code: int | None = None
    invite: InviteOfCall | None = None
    type: CallType = CallType.EXTERNAL
    device: CallDevice = CallDevice.HERE
    transferred_to: str = ""
    work: Work = NO_WORK
    earlier: tuple[Party, ...] = ()

    @property
    def owner(self) -> UserKey:
        """Whose activity it is: a guest's attempt is its host's."""
        if self.invite is not None and self.invite.is_attempt:
            return UserKey(self.user.tenant, self.invite.host)
        return self.user

    @property
    def leaves_work(self) -> bool:
        """Whether the rep has something to write down: not about what never reached
        them, unless they have begun to."""
        return (
            self.answered_at is not None
            or self.direction is CallDirection.OUTBOUND
            or self.work.is_written_on
        )

    def in_wrap_up(self, *, now: float, wrap_up_s: float) -> CallRecord:
        """Of an ended call: from ``now`` on, for so long, or not at all."""
        lasts_s = wrap_up_s if self.leaves_work else 0.0
        return replace(self, work=ended(self.work, now=now, wrap_up_s=lasts_s))
