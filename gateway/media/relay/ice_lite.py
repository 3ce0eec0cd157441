"""ICE-lite (RFC 8445 section 2.5): connectivity checks in, responses out. Pure.

The gateway's address is known, so nothing is gathered and no check is ever sent;
candidates of the browser are never looked at, and so can never make the gateway send
anywhere. A check is answered only when its user fragment is one of ours and its
MESSAGE-INTEGRITY is right; the answer is smaller than the check.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from aioice import stun

Address = tuple[str, int]

MAX_CHECK_BYTES = 600
UFRAG_BYTES = 6  # RFC 8445 section 5.3: at least 24 bits
PASSWORD_BYTES = 18  # at least 128 bits

_COOKIE = stun.COOKIE.to_bytes(4, "big")
_ROLE_CONFLICT = (487, "Role Conflict")


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """A user fragment and its password (RFC 8839 section 5.4)."""

    ufrag: str
    password: str

    def __repr__(self) -> str:
        return f"IceCredentials(ufrag={self.ufrag!r})"


def new_credentials(random_bytes: Callable[[int], bytes]) -> IceCredentials:
    """Fresh credentials from a cryptographic source."""
    return IceCredentials(
        ufrag=random_bytes(UFRAG_BYTES).hex(),
        password=random_bytes(PASSWORD_BYTES).hex(),
    )


@dataclass(frozen=True, slots=True)
class Check:
    """A verified connectivity check.

    Attributes:
        ufrag: which of our credentials it was for.
        response: to send back to the source.
        nominated: it carried USE-CANDIDATE.
        is_success: False for a role conflict; the source is then not bound.
    """

    ufrag: str
    response: bytes
    nominated: bool
    is_success: bool


def _looks_like_check(data: bytes) -> bool:
    """A glance at type and magic cookie, so that a flood is cheap to refuse."""
    return data[:2] == b"\x00\x01" and data[4:8] == _COOKIE


class StunRejectedError(ValueError):
    """Not a check for us: malformed, unknown user fragment, or wrong integrity."""


def answer_check(
    data: bytes,
    source: Address,
    credentials_of: Callable[[str], IceCredentials | None],
) -> Check:
    """Verify one STUN datagram and make its response.

    Raises:
        StunRejectedError: drop it without a word.
    """
    if len(data) > MAX_CHECK_BYTES or not _looks_like_check(data):
        raise StunRejectedError("no binding request")
    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error) as error:
        raise StunRejectedError("malformed") from error
    ufrag = str(message.attributes.get("USERNAME", "")).partition(":")[0]
    credentials = credentials_of(ufrag)
    if credentials is None:
        raise StunRejectedError("unknown user fragment")
    key = credentials.password.encode()
    if not message.check_message_integrity(key):
        raise StunRejectedError("wrong integrity")
    # RFC 8445 section 7.3.1.1: a lite agent is always controlled.
    conflict = "ICE-CONTROLLED" in message.attributes
    response = stun.Message(
        message_method=stun.Method.BINDING,
        message_class=stun.Class.ERROR if conflict else stun.Class.RESPONSE,
        transaction_id=message.transaction_id,
    )
    if conflict:
        response.attributes["ERROR-CODE"] = _ROLE_CONFLICT
    else:
        response.attributes["XOR-MAPPED-ADDRESS"] = source
    response.add_message_integrity(key)
    return Check(
        ufrag=ufrag,
        response=bytes(response),
        nominated="USE-CANDIDATE" in message.attributes and not conflict,
        is_success=not conflict,
    )
