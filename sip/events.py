"""The headers of event notification: Event and Subscription-State (RFC 6665 8.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sip.errors import InvalidValue, ParseError
from sip.headers import Headers
from sip.lexical import (
    Params,
    find_param,
    format_params,
    is_token,
    parse_delta_seconds,
    parse_params,
    split,
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event package, such as ``dialog``, and which subscription to it is meant."""

    package: str
    id: str | None = None

    @classmethod
    def of_headers(cls, headers: Headers) -> Self | None:
        """The Event header; None when there is none or it cannot be read."""
        try:
            read = _read(headers.get("Event"))
        except ParseError:
            return None
        return None if read is None else cls(read[0], find_param(read[1], "id"))

    def __str__(self) -> str:
        if not is_token(self.package) or (
            self.id is not None and not is_token(self.id)
        ):
            raise InvalidValue("an event package must be a token")
        return self.package if self.id is None else f"{self.package};id={self.id}"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """Where a subscription stands, as its notifier says.

    Attributes:
        state: ``active``, ``pending``, ``terminated`` or an extension, lower case.
        expires: seconds it has left.
        reason: of ``terminated``, lower case; ``""`` when not given.
        retry_after: seconds to wait before the next try.
    """

    state: str
    expires: int | None = None
    reason: str = ""
    retry_after: int | None = None

    @classmethod
    def of_headers(cls, headers: Headers) -> Self | None:
        """The Subscription-State; None when there is none or it cannot be read."""
        try:
            read = _read(headers.get("Subscription-State"))
        except ParseError:
            return None
        if read is None:
            return None
        state, params = read
        return cls(
            state.lower(),
            _seconds(params, "expires"),
            (find_param(params, "reason") or "").lower(),
            _seconds(params, "retry-after"),
        )

    def __str__(self) -> str:
        params: list[tuple[str, str | None]] = []
        if self.expires is not None:
            params.append(("expires", str(self.expires)))
        if self.reason:
            params.append(("reason", self.reason))
        return f"{self.state}{format_params(params)}"

    @property
    def is_terminated(self) -> bool:
        """Whether nothing more will come."""
        return self.state == "terminated"


def _seconds(params: Params, name: str) -> int | None:
    value = find_param(params, name)
    return None if value is None else parse_delta_seconds(value)


def _read(value: str | None) -> tuple[str, Params] | None:
    if value is None:
        return None
    word, *rest = split(value, ";")
    if not is_token(word.strip()):
        raise ParseError("malformed event header")
    return word.strip(), parse_params("".join(f";{part}" for part in rest))
