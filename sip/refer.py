"""What a REFER says: whom to call, in whose place, and who asks (RFC 3515, 3891, 3892).

What a peer writes into Refer-To would, taken literally, be an INVITE of the peer's
making under our name: of the URI's headers only Replaces is kept.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sip.errors import LocalProtocolError, ParseError
from sip.lexical import percent_encode
from sip.message import Request
from sip.replaces import Replaces
from sip.uri import NameAddr, Uri

SCHEMES = frozenset({"sip", "sips", "tel"})
#: Longer ones name nobody.
MAX_TARGET_CHARACTERS = 1024
#: Extensions that a REFER may require (RFC 4488 4, RFC 7614 4.2).
EXTENSIONS = frozenset({"norefersub", "nosub"})

_HEADER_SAFE = "!*'()"


@dataclass(frozen=True, slots=True)
class Referral:
    """A peer's wish that we call somebody.

    Attributes:
        target: ``sip``, ``sips`` or ``tel``; without headers and method.
        replaces: the dialog at the target whose place our call is to take.
        referred_by: who asks, as they say; believe it as far as you believe the peer.
        wants_reports: whether NOTIFYs are expected.
    """

    target: Uri
    replaces: Replaces | None = None
    referred_by: NameAddr | None = None
    wants_reports: bool = True


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a REFER is refused without asking anybody."""

    status: int
    detail: str


def read_referral(request: Request) -> Referral | Unfit:
    """Judge a REFER by what it says alone."""
    values = request.headers.get_all("Refer-To")
    if len(values) != 1:
        return Unfit(400, "not exactly one Refer-To")
    try:
        uri = _refer_to(values[0])
    except ParseError as error:
        return Unfit(400, error.detail)
    if uri.scheme not in SCHEMES:
        return Unfit(416, "unsupported scheme in Refer-To")
    if len(str(uri)) > MAX_TARGET_CHARACTERS:
        return Unfit(414, "Refer-To is too long")
    method = uri.param("method")
    if method is not None and method.upper() != "INVITE":
        return Unfit(501, "only INVITE can be referred to")
    replaces: Replaces | None = None
    try:
        if (text := uri.header("Replaces")) is not None:
            replaces = Replaces.parse(text)
    except ParseError as error:
        return Unfit(400, error.detail)
    return Referral(
        target=uri.without_headers().without_params("method"),
        replaces=replaces,
        referred_by=_referred_by(request),
        wants_reports=not _is_silent(request),
    )


def refer_to(target: Uri, replaces: Replaces | None) -> str:
    """The Refer-To that sends a peer to ``target``.

    Raises:
        LocalProtocolError: ``target`` is nothing that can be called.
        InvalidValue: ``replaces`` cannot be written.
    """
    if target.scheme not in SCHEMES:
        raise LocalProtocolError("a call can be transferred to sip, sips and tel only")
    uri = target.without_headers() if target.is_sip else target
    if replaces is not None:
        if not target.is_sip:
            raise LocalProtocolError("only a SIP URI can say what is to be replaced")
        escaped = percent_encode(str(replaces), safe=_HEADER_SAFE)
        uri = dataclasses.replace(uri, headers=(("Replaces", escaped),))
    return str(NameAddr(uri))


def _refer_to(value: str) -> Uri:
    try:
        return NameAddr.parse(value).uri
    except ParseError:
        # Phones leave out the brackets that RFC 3261 20.10 demands around "?".
        if "<" in value or ";" in value or "," in value:
            raise
        return Uri.parse(value.strip())


def _referred_by(request: Request) -> NameAddr | None:
    value = request.headers.get("Referred-By")
    try:
        return None if value is None else NameAddr.parse(value)
    except ParseError:
        return None


def _is_silent(request: Request) -> bool:
    wanted = (request.headers.get("Refer-Sub") or "").partition(";")[0]
    if wanted.strip().lower() == "false":
        return True
    try:
        return "nosub" in request.option_tags("Require")
    except ParseError:
        return False
