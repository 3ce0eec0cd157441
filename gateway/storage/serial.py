"""Calls, activities and meetings as JSON values, for JSON columns and the spool.

Readers take what writers of older versions left out from the dataclass defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.activities.record import CallRecord, InviteOfCall
from gateway.crm.connector import (
    Activity,
    ActivityDirection,
    CrmRecord,
    CrmUser,
    MatchCertainty,
    Meeting,
)
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallDirection, EndReason


def record_to_json(record: CrmRecord | None) -> dict[str, Any] | None:
    return None if record is None else dataclasses.asdict(record)


def record_from_json(value: Mapping[str, Any] | None) -> CrmRecord | None:
    if value is None:
        return None
    fields = _known(CrmRecord, value)
    if "certainty" in fields:
        fields["certainty"] = MatchCertainty(fields["certainty"])
    return CrmRecord(**fields)


def invite_to_json(invite: InviteOfCall | None) -> dict[str, Any] | None:
    return None if invite is None else dataclasses.asdict(invite)


def invite_from_json(value: Mapping[str, Any] | None) -> InviteOfCall | None:
    if value is None:
        return None
    fields = _known(InviteOfCall, value)
    fields["about"] = record_from_json(fields.get("about"))
    return InviteOfCall(**fields)


def activity_to_json(activity: Activity) -> dict[str, Any]:
    value = dataclasses.asdict(activity)
    value["started_at"] = activity.started_at.astimezone(UTC).isoformat()
    return value


def activity_from_json(value: Mapping[str, Any]) -> Activity:
    fields = _known(Activity, value)
    fields["user"] = CrmUser(**_known(CrmUser, fields["user"]))
    fields["direction"] = ActivityDirection(fields["direction"])
    fields["started_at"] = datetime.fromisoformat(fields["started_at"])
    return Activity(**fields)


def meeting_to_json(meeting: Meeting) -> dict[str, Any]:
    value = dataclasses.asdict(meeting)
    for name in ("starts_at", "ends_at"):
        value[name] = getattr(meeting, name).astimezone(UTC).isoformat()
    return value


def meeting_from_json(value: Mapping[str, Any]) -> Meeting:
    fields = _known(Meeting, value)
    fields["user"] = CrmUser(**_known(CrmUser, fields["user"]))
    for name in ("starts_at", "ends_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    return Meeting(**fields)


def call_to_json(call: CallRecord) -> dict[str, Any]:
    return dataclasses.asdict(call)


def call_from_json(value: Mapping[str, Any]) -> CallRecord:
    fields = _known(CallRecord, value)
    fields["user"] = UserKey(**fields["user"])
    fields["direction"] = CallDirection(fields["direction"])
    fields["record"] = record_from_json(fields.get("record"))
    fields["invite"] = invite_from_json(fields.get("invite"))
    fields["about"] = record_from_json(fields.get("about"))
    if fields.get("reason") is not None:
        fields["reason"] = EndReason(fields["reason"])
    return CallRecord(**fields)


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: item for name, item in value.items() if name in names}
