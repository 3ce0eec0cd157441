"""What every part of the browser protocol is made of."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Sdp = Annotated[str, Field(min_length=1, max_length=48 * 1024)]
ShortText = Annotated[str, Field(max_length=255)]
# An identifier that opens something: never shown by repr().
SecretId = Annotated[Id, Field(repr=False)]
Secret = Annotated[str, Field(min_length=1, max_length=8192, repr=False)]


class Wire(BaseModel):
    """Base of every message part: immutable, unknown fields ignored."""

    # Inputs stay out of validation errors: they hold tickets, tokens and passwords.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Empty(Wire):
    pass


class ErrorKind(enum.StrEnum):
    """Stable names of errors (``error.data.kind``)."""

    AUTH_EXPIRED = "auth.expired"
    AUTH_DENIED = "auth.denied"
    SESSION_UNKNOWN = "session.unknown"
    SESSION_SUPERSEDED = "session.superseded"
    SESSION_OBSERVER = "session.observer"
    CALL_UNKNOWN = "call.unknown"
    CALL_WRONG_STATE = "call.wrong_state"
    CALL_LIMIT = "call.limit"
    NUMBER_INVALID = "number.invalid"
    CODEC_NONE = "codec.none"
    MEDIA_BAD_SDP = "media.bad_sdp"
    MEDIA_UNAVAILABLE = "media.unavailable"
    REGISTRAR_DOWN = "registrar.down"
    CRM_UNAVAILABLE = "crm.unavailable"
    CRM_LIMIT = "crm.limit"
    CRM_REFUSED = "crm.refused"
    CRM_DUPLICATE = "crm.duplicate"
    INVITE_UNKNOWN = "invite.unknown"
    INVITE_INVALID = "invite.invalid"
    INVITE_CLOSED = "invite.closed"
    POLICY_DENIED = "policy.denied"
    OP_CONFLICT = "op.conflict"
    RATE_LIMITED = "rate.limited"
    DRAIN = "drain"
    BAD_REQUEST = "bad_request"
    METHOD_UNKNOWN = "method.unknown"
    INTERNAL = "internal"


class Record(Wire):
    """A CRM record, ready to show and to pop."""

    id: Id
    kind: ShortText
    name: ShortText
    url: str = ""
    company: ShortText = ""
    phone: ShortText = ""
    email: ShortText = ""
    certainty: Literal["exact", "possible"] = "exact"


class Event(Wire):
    """``seq`` is gapless per session from 1; ``at`` Unix milliseconds."""

    seq: int
    at: int


class ErrorData(Wire):
    """``kind`` is the stable API; ``message`` beside it is for people.

    ``field`` names the request's field that is wrong, as a path (``guests.0.email``).
    """

    kind: ErrorKind
    retryable: bool = False
    sip_code: int | None = None
    op_id: str | None = None
    trace_id: str | None = None
    records: tuple[Record, ...] = ()
    field: ShortText = ""
