"""Checks of one field's value, with Salesforce's words for what is wrong."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from gateway.sandbox.salesforce import ids
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.schema import Field

_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,.]+")

Value = str | int | float | bool | None


def format_datetime(epoch_s: float) -> str:
    """Milliseconds and ``+0000``, as every Salesforce reply has it."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def parse_datetime(text: str) -> datetime:
    """An aware datetime in UTC.

    Raises:
        ValueError: not ISO 8601, or without a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment.astimezone(UTC)


def _json_kind(value: object) -> str:
    match value:
        case bool():
            return f"VALUE_{str(value).upper()}"
        case int():
            return "VALUE_NUMBER_INT"
        case float():
            return "VALUE_NUMBER_FLOAT"
        case str():
            return "VALUE_STRING"
        case list():
            return "START_ARRAY"
        case _:
            return "START_OBJECT"


def _not_a(kind: str, value: object) -> RestError:
    shown = f" value {value}" if isinstance(value, (str, int, float)) else ""
    return RestError(
        400,
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {_json_kind(value)}{shown} "
        "or request may be missing a required field at [line:1, column:1]",
    )


def check_value(f: Field, value: object) -> Value:
    """The value as it is stored.

    Raises:
        RestError: as the org would answer; ``fields`` names the field.
    """
    if value is None or value == "":
        return None
    match f.type:
        case "boolean":
            if not isinstance(value, bool):
                raise _not_a("boolean", value)
            return value
        case "int":
            if isinstance(value, bool) or not isinstance(value, (int, str)):
                raise _not_a("int", value)
            try:
                return int(value)
            except ValueError:
                raise _not_a("int", value) from None
        case "currency":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise _not_a("double", value)
            return value
        case "date" | "datetime":
            return _check_time(f, value)
        case "junctionidlist":
            return _check_ids(f, value)
        case "reference" | "id":
            if not isinstance(value, str):
                raise _not_a("string", value)
            whole = ids.normalise(value)
            if whole is None:
                raise RestError(
                    400,
                    "MALFORMED_ID",
                    f"{f.name}: id value of incorrect type: {value}",
                    fields=[f.name],
                )
            return whole
        case _:
            return _check_text(f, value)


def _check_ids(f: Field, value: object) -> str | None:
    """Ids with commas between, each once."""
    if not isinstance(value, list):
        raise _not_a("list", value)
    found: list[str] = []
    for one in value:
        whole = ids.normalise(one) if isinstance(one, str) else None
        if whole is None:
            raise RestError(
                400,
                "MALFORMED_ID",
                f"{f.name}: id value of incorrect type: {one}",
                fields=[f.name],
            )
        found.append(whole)
    return ",".join(dict.fromkeys(found)) or None


def _check_time(f: Field, value: object) -> str:
    if not isinstance(value, str):
        raise _not_a(f.type, value)
    try:
        if f.type == "date":
            return date.fromisoformat(value[:10]).isoformat()
        return format_datetime(parse_datetime(value).timestamp())
    except (ValueError, OverflowError):
        raise _not_a(f.type, value) from None


def _check_text(f: Field, value: object) -> str:
    if not isinstance(value, str):
        raise _not_a("string", value)
    if f.length and len(value) > f.length:
        raise RestError(
            400,
            "STRING_TOO_LONG",
            f"{f.label or f.name}: data value too large: {value} "
            f"(max length={f.length})",
            fields=[f.name],
        )
    if f.restricted and value not in f.values:
        raise RestError(
            400,
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{f.label or f.name}: bad value for restricted picklist field: {value}",
            fields=[f.name],
        )
    if f.type == "email" and not _EMAIL.fullmatch(value):
        raise RestError(
            400,
            "INVALID_EMAIL_ADDRESS",
            f"{f.label or f.name}: invalid email address: {value}",
            fields=[f.name],
        )
    return value
