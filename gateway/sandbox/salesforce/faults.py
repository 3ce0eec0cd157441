"""Faults to order: which request, how often, and what goes wrong."""

from __future__ import annotations

import enum
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Faults of Open CTI calls are asked for by the page under this path prefix.
OPEN_CTI_PATH = "/opencti/"
# Rows of a collection are asked for, one by one, under this one.
ROW_PATH = "/row/"
_MAX_FAULTS = 100


class FaultKind(enum.StrEnum):
    """What goes wrong.

    LOST_REPLY commits and then closes the connection. SLOW and HANG act before the
    work is done; a hanging request is held until ``delay_s`` or the client gives up.
    DOWN closes every connection unanswered, MAINTENANCE answers 503 with an HTML page.
    ROW_LOCKED fails single rows of collections, whose path is ``/row/<object>``.
    OAUTH_ERROR answers with ``error`` and ``description``, as token endpoints do.
    The OPEN_CTI kinds answer a call of the softphone with ``errors`` of that code, or
    not at all.
    """

    SERVER_UNAVAILABLE = "server_unavailable"
    INVALID_SESSION_ID = "invalid_session_id"
    LOST_REPLY = "lost_reply"
    UNABLE_TO_LOCK_ROW = "unable_to_lock_row"
    REQUEST_LIMIT_EXCEEDED = "request_limit_exceeded"
    SLOW = "slow"
    HANG = "hang"
    UNKNOWN_EXCEPTION = "unknown_exception"
    MALFORMED_BODY = "malformed_body"
    DUPLICATES_DETECTED = "duplicates_detected"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    CONCURRENT_LIMIT_EXCEEDED = "concurrent_limit_exceeded"
    ROW_LOCKED = "row_locked"
    OAUTH_ERROR = "oauth_error"
    OPEN_CTI_INVALID_PARAM = "open_cti_invalid_param"
    OPEN_CTI_GENERIC_ERROR = "open_cti_generic_error"
    OPEN_CTI_SERVER_ERROR = "open_cti_server_error"
    OPEN_CTI_SOFTPHONE_CONTAINER_ERROR = "open_cti_softphone_container_error"
    OPEN_CTI_SILENT = "open_cti_silent"

    @property
    def place(self) -> str:
        """Where it strikes: ``/opencti/``, ``/row/`` or anywhere else ("")."""
        if self.value.startswith("open_cti_"):
            return OPEN_CTI_PATH
        return ROW_PATH if self is FaultKind.ROW_LOCKED else ""


@dataclass(slots=True)
class Fault:
    """One order.

    Attributes:
        remaining: requests it still hits; None for every one until it is removed.
        probability: 0 to 1, tried at each request that matches.
        path: regular expression searched in the path; Open CTI calls are
            ``/opencti/<methodName>``.
        method: HTTP method, "" for any.
        delay_s: of SLOW and HANG.
        status: of DUPLICATES_DETECTED, 400 or 300.
        error: of OAUTH_ERROR, with its ``description``.
    """

    kind: FaultKind
    remaining: int | None = 1
    probability: float = 1.0
    path: str = ""
    method: str = ""
    delay_s: float = 1.0
    status: int = 400
    error: str = "invalid_grant"
    description: str = "expired access/refresh token"
    id: int = 0
    hits: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "kind": self.kind.value,
            "times": self.remaining,
            "probability": self.probability,
            "path": self.path,
            "method": self.method,
            "delay_s": self.delay_s,
            "status": self.status,
            "error": self.error,
            "description": self.description,
            "hits": self.hits,
        }


def fault_from_json(value: object) -> Fault:
    """Read an order as the control API takes it.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(value, Mapping):
        raise ValueError("a fault is an object")
    unknown = set(value) - {
        "kind",
        "times",
        "probability",
        "path",
        "method",
        "delay_s",
        "status",
        "error",
        "description",
    }
    if unknown:
        raise ValueError(f"unknown members: {', '.join(sorted(map(str, unknown)))}")
    kind = FaultKind(str(value.get("kind", "")))
    times = value.get("times", 1)
    if times is not None and (
        isinstance(times, bool) or not isinstance(times, int) or times < 1
    ):
        raise ValueError("times is a whole number from 1, or null")
    status = value.get("status", 400)
    if status not in (300, 400):
        raise ValueError("status is 300 or 400")
    probability = _number(value, "probability", 1.0)
    if not 0 <= probability <= 1:
        raise ValueError("probability is between 0 and 1")
    path = str(value.get("path", ""))
    try:
        re.compile(path)
    except re.error as error:
        raise ValueError(f"path is no regular expression: {error}") from None
    return Fault(
        kind=kind,
        remaining=times,
        probability=probability,
        path=path,
        method=str(value.get("method", "")).upper(),
        delay_s=_number(value, "delay_s", 3600.0 if kind is FaultKind.HANG else 1.0),
        status=status,
        error=str(value.get("error", "invalid_grant")),
        description=str(value.get("description", "expired access/refresh token")),
    )


def _number(value: Mapping[object, object], name: str, default: float) -> float:
    number = value.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
        raise ValueError(f"{name} is a number from 0")
    return float(number)


class FaultPlan:
    """The orders in force; the first that matches a request hits it."""

    def __init__(self, *, rng: random.Random) -> None:
        self._rng = rng
        self._faults: list[Fault] = []
        self._next_id = 1

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self._faults)

    def add(self, fault: Fault) -> Fault:
        """Put an order at the end of the plan.

        Raises:
            ValueError: there are too many already.
        """
        if len(self._faults) >= _MAX_FAULTS:
            raise ValueError(f"no more than {_MAX_FAULTS} faults at a time")
        fault.id = self._next_id
        self._next_id += 1
        self._faults.append(fault)
        return fault

    def remove(self, fault_id: int) -> bool:
        before = len(self._faults)
        self._faults = [f for f in self._faults if f.id != fault_id]
        return len(self._faults) < before

    def clear(self) -> None:
        self._faults.clear()

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up by one."""
        place = next((p for p in (OPEN_CTI_PATH, ROW_PATH) if path.startswith(p)), "")
        for fault in self._faults:
            if fault.kind.place != place:
                continue
            if fault.method and fault.method != method:
                continue
            if not re.search(fault.path, path):
                continue
            if fault.probability < 1 and self._rng.random() >= fault.probability:
                continue
            fault.hits += 1
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining == 0:
                    self._faults.remove(fault)
            return fault
        return None
