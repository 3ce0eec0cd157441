"""An activity as the fields of a Salesforce Task. Pure."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

from gateway.crm.connector import Activity, ActivityDirection, ActivityFacts
from gateway.crm.salesforce.assumptions import (
    ACCOUNT_PREFIX,
    CONTACT_PREFIX,
    CREATE_ONLY_FIELD,
    LEAD_PREFIX,
    MAX_DESCRIPTION,
    MAX_SHARED_CONTACTS,
    MAX_SHORT_TEXT,
    SHARED_FIELD,
)

_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?\Z")
_CALL_TYPES = {
    ActivityDirection.INBOUND: "Inbound",
    ActivityDirection.OUTBOUND: "Outbound",
}


def is_record_id(value: str) -> bool:
    """Whether it has the form of a record id: 15 or 18 letters and digits."""
    return _RECORD_ID.match(value) is not None


def fields(
    activity: Activity,
    facts: ActivityFacts | None = None,
    *,
    disposition_field: str = "",
) -> dict[str, Any]:
    """Everything but the external id, which is in the address.

    ``facts``: of the organisation; None: not known, so what every one has.
    ``disposition_field``: takes the rep's disposition too, if it can.
    """
    if activity.due_on:
        return _to_do(activity)
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
            "CallDisposition": (activity.disposition or activity.outcome)[
                :MAX_SHORT_TEXT
            ],
            "CallObject": activity.key[:MAX_SHORT_TEXT],
        }
    if activity.disposition and facts and disposition_field in facts.picklists:
        task[disposition_field] = activity.disposition[:MAX_SHORT_TEXT]
    return task | _owner(activity) | _all_links(activity, facts)


def _to_do(activity: Activity) -> dict[str, Any]:
    """A task for later; its status is what the organisation begins with."""
    task = {
        "Subject": activity.subject[:MAX_SHORT_TEXT],
        CREATE_ONLY_FIELD: "Task",
        "ActivityDate": activity.due_on,
    }
    return task | _owner(activity) | links(activity.who_id, activity.what_id)


def _owner(activity: Activity) -> dict[str, Any]:
    return {"OwnerId": activity.user.id} if is_record_id(activity.user.id) else {}


def _all_links(activity: Activity, facts: ActivityFacts | None) -> dict[str, Any]:
    """With further contacts, where there can be some: an activity has one lead, or
    contacts."""
    found: dict[str, Any] = dict(links(activity.who_id, activity.what_id))
    who = found.get("WhoId", "")
    if facts is None or not facts.takes_contacts or not who.startswith(CONTACT_PREFIX):
        return found
    others = (
        each
        for each in activity.contact_ids
        if is_record_id(each) and each.startswith(CONTACT_PREFIX) and each != who
    )
    people = [who, *dict.fromkeys(others)][:MAX_SHARED_CONTACTS]
    return found | ({SHARED_FIELD: people} if len(people) > 1 else {})


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
