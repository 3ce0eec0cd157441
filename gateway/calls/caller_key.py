"""What a caller typed into an IVR, as the INVITE says it. Pure.

It is the application server's word (its addresses are the only ones that calls are
taken from), but of a stranger's making: bounded, and printable or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sip import Headers, ParseError, UserToUser
from sip.lexical import unquote

USER_TO_USER = "User-to-User"
MAX_KEY = 64
# ISDN puts one octet in front that says what follows (Q.931 4.5.30).
_LAST_DISCRIMINATOR = 0x1F


@dataclass(frozen=True, slots=True)
class CallerKeyRule:
    """Where the key is, and what it is a key of.

    Attributes:
        header: ``User-to-User`` or one that begins with ``X-``; "" for none.
        encoding: of a User-to-User value that names none; ``auto``: as
            :meth:`sip.UserToUser.octets` has it.
        fields: the CRM's field of each object that may hold it, in order.
    """

    header: str = ""
    encoding: Literal["auto", "hex", "text"] = "auto"
    fields: Mapping[str, str] = field(default_factory=dict)


NO_KEY = CallerKeyRule()


def caller_key(rule: CallerKeyRule, headers: Headers) -> str:
    """The key, "" if there is none that can be one."""
    if not rule.header:
        return ""
    if rule.header.lower() != USER_TO_USER.lower():
        return _fit(unquote((headers.get(rule.header) or "").strip()))
    is_hex = None if rule.encoding == "auto" else rule.encoding == "hex"
    for value in UserToUser.of_headers(headers):
        try:
            octets = value.octets(is_hex=is_hex)
        except ParseError:
            continue
        if octets and octets[0] <= _LAST_DISCRIMINATOR:
            octets = octets[1:]
        if key := _fit(_text(octets)):
            return key
    return ""


def _text(octets: bytes) -> str:
    try:
        # Some systems fill up with zeros.
        return octets.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _fit(text: str) -> str:
    """``#`` is how a caller says that it is all."""
    key = text.strip().removesuffix("#").strip()
    return key if len(key) <= MAX_KEY and key.isprintable() else ""
