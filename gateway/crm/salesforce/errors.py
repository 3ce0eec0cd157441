"""Salesforce's errors as :class:`gateway.crm.connector.CrmError`. Pure.

The ``errorCode`` decides, not the HTTP status: the same error has been seen with
different ones (DUPLICATES_DETECTED with 300 and 400). A refusal counts as one only
with an ``errorCode``: a proxy's page, whatever its status, is a failure that passes.
No message holds a token: none is in what Salesforce answers, and nothing else gets
into them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.crm.connector import (
    CrmDuplicateFound,
    CrmError,
    CrmLimitExceeded,
    CrmRecord,
    CrmRefused,
    CrmSignInFailed,
    CrmUnavailable,
)
from gateway.crm.salesforce.assumptions import (
    CONCURRENCY_PAUSE_S,
    CONCURRENCY_WORD,
    LIMIT_PAUSE_S,
    PRECONDITION_STATUS,
)

MAX_MESSAGE_LENGTH = 400
MAX_RETRY_AFTER_S = 3600.0
MAX_FIELD_NAME = 255

_NO_COLUMN = re.compile(r"No such column '(\w{1,255})'")

# Ours: the record was changed after it was read.
MODIFIED = "MODIFIED"

# Nothing is wrong with the request, and Salesforce itself is up.
PASSING_CODES = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "DUPLICATE_VALUE",
        "QUERY_TIMEOUT",
        "ENTITY_IS_LOCKED_TEMPORARILY",
        "REQUEST_RUNNING_TOO_LONG",
        "CONCURRENT_REQUESTS",
        MODIFIED,
    }
)
_DOWN_CODES = frozenset({"SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "SERVICE_ERROR"})
_PASSING_STATUSES = frozenset({408, 420, 425, 429})


class SessionExpired(CrmSignInFailed):
    """The access token is no longer good: get another, once."""


class ReplyLost(CrmUnavailable):
    """No reply, or none that can be read: it may have been done nevertheless."""


def of_response(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    record_url: Callable[[str, str], str],
) -> CrmError:
    """The error that a response outside 2xx stands for."""
    first = _first_error(body)
    code, message = first.get("errorCode", ""), first.get("message", "")
    code = code if isinstance(code, str) else ""
    text = _words(message, code, status)
    if status == 401:
        return SessionExpired(text, code=code or "INVALID_SESSION_ID")
    if code == "INVALID_SESSION_ID":
        return SessionExpired(text, code=code)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if CONCURRENCY_WORD in str(message).lower():
            return CrmUnavailable(text, code=code, retry_after_s=CONCURRENCY_PAUSE_S)
        return CrmLimitExceeded(text, code=code, retry_after_s=LIMIT_PAUSE_S)
    if code == "DUPLICATES_DETECTED":
        return CrmDuplicateFound(
            text,
            _duplicates(first, record_url),
            # Said to be there always; if not, trying again does no harm.
            may_be_allowed=_dict(first.get("duplicateResult")).get("allowSave")
            is not False,
        )
    if status == PRECONDITION_STATUS:
        return CrmUnavailable(text, code=MODIFIED)
    wait_s = _retry_after(headers)
    if code in PASSING_CODES or status in _PASSING_STATUSES:
        return CrmUnavailable(text, code=code or f"HTTP_{status}", retry_after_s=wait_s)
    if status >= 500 or code in _DOWN_CODES:
        kind = CrmUnavailable if status == 503 else ReplyLost
        return kind(text, code=code or f"HTTP_{status}", retry_after_s=wait_s)
    if code:
        return CrmRefused(text, code=code, field=_field(first))
    return CrmUnavailable(text, code=f"HTTP_{status}", retry_after_s=wait_s)


def of_part(status: int, body: object) -> CrmError:
    """The error of one part of a composite request; ``body`` as it was decoded."""
    text = json.dumps(body).encode()
    return of_response(status, text, {}, lambda kind, record_id: "")


def of_token_response(status: int, body: bytes, headers: Mapping[str, str]) -> CrmError:
    """The error that the token endpoint's answer stands for (an OAuth object)."""
    value = _json(body)
    code = value.get("error") if isinstance(value, dict) else None
    if status >= 500 or status in _PASSING_STATUSES or not isinstance(code, str):
        return CrmUnavailable(
            f"Salesforce sign-in answered {status}",
            code=f"HTTP_{status}",
            retry_after_s=_retry_after(headers),
        )
    described = value.get("error_description") if isinstance(value, dict) else ""
    return CrmSignInFailed(_words(described, code, status), code=code)


def unreadable(what: str) -> ReplyLost:
    """A 2xx whose body is not what it should be."""
    return ReplyLost(f"Salesforce's answer cannot be read: {what}", code="BAD_REPLY")


def is_outage(error: CrmError) -> bool:
    """Whether it speaks of Salesforce being away, rather than of this request."""
    if isinstance(error, CrmLimitExceeded | CrmSignInFailed):
        return False
    return error.retryable and error.code not in PASSING_CODES


def _first_error(body: bytes) -> dict[str, Any]:
    value = _json(body)
    if isinstance(value, list):
        value = next(iter(value), None)
    return value if isinstance(value, dict) else {}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _words(message: object, code: str, status: int) -> str:
    said = message if isinstance(message, str) and message else code
    said = " ".join(said.split())[:MAX_MESSAGE_LENGTH]
    return f"Salesforce: {said}" if said else f"Salesforce answered {status}"


def _field(error: Mapping[str, Any]) -> str:
    """The first field that is named, by ``fields`` or by the words for a hidden one."""
    named = next(iter(_list(error.get("fields"))), None)
    if isinstance(named, str):
        return named[:MAX_FIELD_NAME]
    message = error.get("message")
    found = _NO_COLUMN.search(message) if isinstance(message, str) else None
    return found[1][:MAX_FIELD_NAME] if found else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if seconds > 0 else None


def _duplicates(
    error: Mapping[str, Any], record_url: Callable[[str, str], str]
) -> tuple[CrmRecord, ...]:
    found: dict[str, CrmRecord] = {}
    results = _list(_dict(error.get("duplicateResult")).get("matchResults"))
    for result in results:
        for match in _list(_dict(result).get("matchRecords")):
            record = _dict(_dict(match).get("record"))
            record_id = record.get("Id")
            kind = _dict(record.get("attributes")).get("type")
            if not isinstance(record_id, str) or not isinstance(kind, str):
                continue
            name, phone = record.get("Name"), record.get("Phone")
            email = record.get("Email")
            found[record_id] = CrmRecord(
                id=record_id,
                kind=kind,
                name=name if isinstance(name, str) else record_id,
                url=record_url(kind, record_id),
                phone=phone if isinstance(phone, str) else "",
                email=email if isinstance(email, str) else "",
            )
    return tuple(found.values())


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
