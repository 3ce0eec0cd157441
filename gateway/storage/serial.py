"""Calls, activities and meetings as JSON values, for JSON columns and the spool.

Readers take what writers of older versions left out from the dataclass defaults.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.activities.record import CallRecord, InviteOfCall, Party
from gateway.activities.work import NextStep, Work
from gateway.crm.connector import (
    Activity,
    ActivityDirection,
    CrmRecord,
    CrmUser,
    MatchCertainty,
    Meeting,
)
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallDevice, CallDirection, CallType, EndReason


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


def work_to_json(work: Work) -> dict[str, Any] | None:
    """None where nothing has happened yet: most calls are never written on."""
    return None if work == Work() else dataclasses.asdict(work)


def work_from_json(value: Mapping[str, Any] | None) -> Work:
    if value is None:
        return Work()
    fields = _known(Work, value)
    fields["about"] = record_from_json(fields.get("about"))
    if step := fields.get("next_step"):
        fields["next_step"] = NextStep(**_known(NextStep, step))
    visited = map(record_from_json, fields.get("visited", ()))
    fields["visited"] = tuple(record for record in visited if record is not None)
    return Work(**fields)


def earlier_to_json(earlier: Sequence[Party]) -> list[dict[str, Any]] | None:
    """None for most calls: they are with one party all the time."""
    return [dataclasses.asdict(party) for party in earlier] or None


def earlier_from_json(value: Sequence[Mapping[str, Any]] | None) -> tuple[Party, ...]:
    parties = []
    for each in value or ():
        fields = _known(Party, each)
        fields["record"] = record_from_json(fields.get("record"))
        parties.append(Party(**fields))
    return tuple(parties)


def activity_to_json(activity: Activity) -> dict[str, Any]:
    value = dataclasses.asdict(activity)
    value["started_at"] = activity.started_at.astimezone(UTC).isoformat()
    value["contact_ids"] = list(activity.contact_ids)
    return value


def activity_from_json(value: Mapping[str, Any]) -> Activity:
    fields = _known(Activity, value)
    fields["user"] = CrmUser(**_known(CrmUser, fields["user"]))
    fields["direction"] = ActivityDirection(fields["direction"])
    fields["started_at"] = datetime.fromisoformat(fields["started_at"])
    fields["contact_ids"] = tuple(fields.get("contact_ids", ()))
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
    if fields.get("reason") is not None:
        fields["reason"] = EndReason(fields["reason"])
    if "type" in fields:
        fields["type"] = CallType(fields["type"])
    if "device" in fields:
        fields["device"] = CallDevice(fields["device"])
    fields["work"] = work_from_json(fields.get("work"))
    fields["earlier"] = earlier_from_json(fields.get("earlier"))
    return CallRecord(**fields)


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: item for name, item in value.items() if name in names}
