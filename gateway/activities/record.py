"""A call as it is kept: what history shows and activities are composed from."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.crm.connector import CrmRecord
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallDirection, EndReason


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call or attempt. Times are Unix seconds.

    Attributes:
        call_id: unique per tenant and user, made by the gateway or the client.
        number: as dialled, or as SIP showed it; ``e164`` normalised, "" if it cannot.
        record: the CRM record it belongs to, None while unknown or ambiguous.
        answered_at, ended_at, reason: None until it happens.
        sip_code: final SIP status of an unanswered outgoing call.
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
