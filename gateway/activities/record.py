"""A call as it is kept: what history shows and activities are composed from."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.crm.connector import CrmRecord
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallDirection, EndReason


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
class CallRecord:
    """One call or attempt. Times are Unix seconds.

    Attributes:
        call_id: unique per tenant and user, made by the gateway or the client.
        number: as dialled, or as SIP showed it; ``e164`` normalised, "" if it cannot.
        record: the CRM record it belongs to, None while unknown or ambiguous.
        answered_at, ended_at, reason: None until it happens.
        sip_code: final SIP status of an unanswered outgoing call.
        invite: the video invite it came by, None for all other calls.
        about: what it is about besides, as the caller's key says.
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
    about: CrmRecord | None = None

    @property
    def owner(self) -> UserKey:
        """Whose activity it is: a guest's attempt is its host's."""
        if self.invite is not None and self.invite.is_attempt:
            return UserKey(self.user.tenant, self.invite.host)
        return self.user
