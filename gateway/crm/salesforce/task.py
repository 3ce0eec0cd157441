"""An activity as the fields of a Salesforce Task. Pure."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

from gateway.crm.connector import Activity, ActivityDirection
from gateway.crm.salesforce.assumptions import (
    ACCOUNT_PREFIX,
    CREATE_ONLY_FIELD,
    LEAD_PREFIX,
    MAX_DESCRIPTION,
    MAX_SHORT_TEXT,
)

_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?\Z")
_CALL_TYPES = {
    ActivityDirection.INBOUND: "Inbound",
    ActivityDirection.OUTBOUND: "Outbound",
}


def is_record_id(value: str) -> bool:
    """Whether it has the form of a record id: 15 or 18 letters and digits."""
    return _RECORD_ID.match(value) is not None


def fields(activity: Activity) -> dict[str, Any]:
    """Everything but the external id, which is in the address."""
    task: dict[str, Any] = {
        "Subject": activity.subject[:MAX_SHORT_TEXT],
        "Status": "Completed",
        # Said of every Task: it is what a repeat is known by.
        CREATE_ONLY_FIELD: "Call" if activity.is_call else "Task",
        "Description": activity.description[:MAX_DESCRIPTION],
        "ActivityDate": activity.started_at.astimezone(UTC).date().isoformat(),
    }
    if activity.is_call:
        task |= {
            "CallType": _CALL_TYPES[activity.direction],
            "CallDurationInSeconds": max(0, activity.duration_s),
            "CallDisposition": activity.outcome[:MAX_SHORT_TEXT],
            "CallObject": activity.key[:MAX_SHORT_TEXT],
        }
    if is_record_id(activity.user.id):
        task["OwnerId"] = activity.user.id
    return task | links(activity.who_id, activity.what_id)


def links(who: str, what: str) -> dict[str, str]:
    """WhoId and WhatId, as far as they can be ids of their kind.

    The id of a record that a page named may be anything: a call that cannot be
    linked is logged without the link rather than not at all.
    """
    if who.startswith(ACCOUNT_PREFIX):
        who, what = "", what or who
    result = {}
    if is_record_id(who):
        result["WhoId"] = who
    if is_record_id(what) and not who.startswith(LEAD_PREFIX):
        result["WhatId"] = what
    return result
