"""A meeting as the fields of a Salesforce Event. Pure.

A cancelled one is kept, as "Cancelled: …", shown as free and without a reminder: the
history has it, and the rep's calendar has room again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.crm.connector import Meeting
from gateway.crm.salesforce import task
from gateway.crm.salesforce.assumptions import (
    MAX_DESCRIPTION,
    MAX_EVENT_S,
    MAX_SHORT_TEXT,
    SHOW_AS_BUSY,
    SHOW_AS_FREE,
)

CANCELLED_PREFIX = "Cancelled: "


def fields(meeting: Meeting) -> dict[str, Any]:
    """Everything but the external id, which is in the address.

    What the meeting has not is emptied: each write is the whole state. One that is
    longer than every organisation takes ends there in the calendar; its description
    has the true times.
    """
    subject = meeting.subject
    if meeting.is_cancelled:
        subject = CANCELLED_PREFIX + subject
    starts_at = meeting.starts_at
    longest = starts_at + timedelta(seconds=MAX_EVENT_S)
    ends_at = max(starts_at, min(meeting.ends_at, longest))
    event: dict[str, Any] = {
        "Subject": subject[:MAX_SHORT_TEXT],
        "StartDateTime": _moment(starts_at),
        "EndDateTime": _moment(ends_at),
        "Location": meeting.location[:MAX_SHORT_TEXT] or None,
        "Description": meeting.description[:MAX_DESCRIPTION] or None,
        "ShowAs": SHOW_AS_FREE if meeting.is_cancelled else SHOW_AS_BUSY,
        "WhoId": None,
        "WhatId": None,
    }
    if meeting.is_cancelled:
        event["IsReminderSet"] = False
    if task.is_record_id(meeting.user.id):
        event["OwnerId"] = meeting.user.id
    return event | task.links(meeting.who_id, meeting.what_id)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
