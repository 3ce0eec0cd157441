"""What the REST API says when it says no.

``RestError``: one row of the error table (salesforce facts, 3.3); its body is a
one-element JSON array. ``OAuthError``: the token endpoint's own shape, an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class RestError(Exception):
    """An answer of the REST API that is an error.

    Attributes:
        status: HTTP status. code: Salesforce's ``errorCode``.
        fields: names of the fields at fault, () if it is none.
        extra: further members of the error object (``duplicateResult``).
        names_fields: whether the error object has ``fields`` even if there are none.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fields: Sequence[str] = (),
        extra: Mapping[str, object] | None = None,
        names_fields: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.extra = dict(extra or {})
        self.names_fields = names_fields

    def as_item(self) -> dict[str, object]:
        """The error as the element of the array that the REST API sends."""
        item: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields or self.names_fields:
            item["fields"] = list(self.fields)
        return item | self.extra

    def as_row(self) -> dict[str, object]:
        """The error as collections and save results carry it."""
        row: dict[str, object] = {
            "statusCode": self.code,
            "message": self.message,
            "fields": list(self.fields),
        }
        return row | self.extra


class OAuthError(Exception):
    """A refusal of the token endpoint (RFC 6749 5.2)."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


def malformed_query(message: str) -> RestError:
    return RestError(400, "MALFORMED_QUERY", message)


def malformed_search(message: str) -> RestError:
    return RestError(400, "MALFORMED_SEARCH", message)


def not_found(
    message: str = "The requested resource does not exist",
) -> RestError:
    return RestError(404, "NOT_FOUND", message)


def invalid_session() -> RestError:
    return RestError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def row_locked(record_id: str = "") -> RestError:
    return RestError(
        400,
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record or 1 records: "
        + (record_id[:15] or "001RB0000000001"),
    )
