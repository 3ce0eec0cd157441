"""The times of an Event, as the object reference has them. Pure.

A start, and an end or a duration, which must agree when both are given; the rest
follows. Assumed, not verified: the words of most refusals, that an Event whose start
alone is moved keeps its duration, and that all-day Events end where the reference's
words suggest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.values import Value, format_datetime, parse_datetime

MINUTES_OF_A_DAY = 1440
MAX_DAYS = 14


def missing(values: Mapping[str, Value]) -> list[str]:
    """Required fields that are empty."""
    names = []
    if not (values.get("StartDateTime") or values.get("ActivityDateTime")):
        if not (values.get("IsAllDayEvent") and values.get("ActivityDate")):
            names.append("StartDateTime")
    elif not values.get("IsAllDayEvent") and (
        values.get("EndDateTime") is None and values.get("DurationInMinutes") is None
    ):
        names.append("EndDateTime")
    return names


def settle(
    values: dict[str, Value], given: Mapping[str, Value], *, multiday: bool
) -> dict[str, Value]:
    """The whole row with times that agree.

    Args:
        values: the row as it would be, its required fields there.
        given: what this write said, by field name.
        multiday: the organisation lets events last longer than a day.

    Raises:
        RestError: the times contradict each other, or it lasts too long.
    """
    start = _start(values, given)
    minutes = _minutes(start, values, given)
    _check_length(minutes, multiday=multiday)
    end = start + timedelta(minutes=minutes)
    return values | {
        "StartDateTime": format_datetime(start.timestamp()),
        "ActivityDateTime": None
        if values.get("IsAllDayEvent")
        else format_datetime(start.timestamp()),
        "ActivityDate": start.date().isoformat(),
        "EndDateTime": format_datetime(end.timestamp()),
        "EndDate": end.date().isoformat(),
        "DurationInMinutes": minutes,
    }


def _start(values: Mapping[str, Value], given: Mapping[str, Value]) -> datetime:
    named = {
        name: parse_datetime(str(given[name]))
        for name in ("StartDateTime", "ActivityDateTime")
        if given.get(name)
    }
    if len(set(named.values())) > 1:
        raise _refused("StartDateTime", "must match ActivityDateTime, or one be empty")
    for at in named.values():
        return _midnight(at) if values.get("IsAllDayEvent") else at
    if values.get("IsAllDayEvent") and given.get("ActivityDate"):
        day = datetime.fromisoformat(str(given["ActivityDate"]))
        return day.replace(tzinfo=UTC)
    kept = values.get("StartDateTime") or values.get("ActivityDate")
    at = datetime.fromisoformat(str(kept))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _minutes(
    start: datetime, values: Mapping[str, Value], given: Mapping[str, Value]
) -> int:
    end, minutes = given.get("EndDateTime"), given.get("DurationInMinutes")
    if end is None and minutes is None:
        kept = values.get("DurationInMinutes")
        return MINUTES_OF_A_DAY if kept is None else int(kept)
    if end is None:
        return int(str(minutes))
    between = (parse_datetime(str(end)) - start).total_seconds()
    if minutes is not None and between != int(minutes) * 60:
        raise _refused(
            "EndDateTime", "must be DurationInMinutes after the start, or one be empty"
        )
    if between < 0:
        raise _refused("EndDateTime", "an event cannot end before it starts")
    return int(between // 60)


def _check_length(minutes: int, *, multiday: bool) -> None:
    if minutes < 0 or (not multiday and minutes > MINUTES_OF_A_DAY):
        raise _refused(
            "DurationInMinutes", "Duration must be between 0 and 1440 minutes: Duration"
        )
    if minutes > MAX_DAYS * MINUTES_OF_A_DAY:
        raise _refused(
            "DurationInMinutes", "An event can't last longer than 14 days.: Duration"
        )


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date(), time(), UTC)


def _refused(field: str, message: str) -> RestError:
    return RestError(400, "FIELD_INTEGRITY_EXCEPTION", message, fields=[field])
