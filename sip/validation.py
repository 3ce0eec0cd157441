"""What a well-formed request may still be refused for (RFC 3261 8.2, 16.3).

The parser judges grammar; here is judged what this element supports. Both functions
are pure and answer with the first :class:`Rejection` that applies, or None.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sip.errors import ParseError
from sip.lexical import find_param, parse_params
from sip.message import Request, Response

SIP_SCHEMES = frozenset({"sip", "sips"})


@dataclass(frozen=True, slots=True)
class Rejection:
    """The final response to send, with the headers that explain it."""

    status: int
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


def validate_request(
    request: Request,
    *,
    supported_schemes: Collection[str] = SIP_SCHEMES,
    supported_extensions: Collection[str] = (),
    supported_bodies: Collection[str] = ("application/sdp",),
) -> Rejection | None:
    """Judge a request as the user agent it is for, whatever its method does.

    Args:
        request: as the parser gave it; an ACK is never refused, for it is never
            answered.
        supported_schemes: of the Request-URI, lower case.
        supported_extensions: option tags we understand, lower case.
        supported_bodies: media types we read in this method, lower case.
    """
    if request.method == "ACK":
        return None
    return (
        _check_branch(request)
        or _check_schemes(request, supported_schemes)
        or _check_require(request, "Require", supported_extensions)
        or _check_body(request, supported_bodies)
        or _check_accept(request)
    )


def validate_forwarding(
    request: Request,
    *,
    supported_schemes: Collection[str] = SIP_SCHEMES,
    supported_extensions: Collection[str] = (),
) -> Rejection | None:
    """Judge a request as the proxy that would forward it (RFC 3261 16.3)."""
    if request.method == "ACK":
        return None
    rejection = _check_branch(request)
    if rejection is None and request.uri.scheme not in supported_schemes:
        rejection = Rejection(416, "unsupported scheme in the Request-URI")
    if rejection is None and request.max_forwards == 0:
        rejection = Rejection(483, "Max-Forwards is used up")
    return rejection or _check_require(request, "Proxy-Require", supported_extensions)


def validate_response(response: Response) -> str | None:
    """Why a user agent must drop this response, None when it must not.

    One that has another Via beneath ours was not meant for us (RFC 3261 8.1.3.3,
    RFC 4475 3.3.10).
    """
    return None if len(response.vias) == 1 else "more than one Via"


def _check_branch(request: Request) -> Rejection | None:
    if request.via.branch == "z9hG4bK":
        return Rejection(400, "branch is nothing but the magic cookie")
    return None


def _check_schemes(request: Request, supported: Collection[str]) -> Rejection | None:
    if request.uri.scheme not in supported:
        return Rejection(416, "unsupported scheme in the Request-URI")
    # An address of record is a SIP or SIPS URI (RFC 3261 10.3, RFC 4475 3.3.4).
    if request.method == "REGISTER" and not request.to.uri.is_sip:
        return Rejection(400, "To of a REGISTER is no SIP URI")
    return None


def _check_require(
    request: Request, name: str, supported: Collection[str]
) -> Rejection | None:
    if request.method == "CANCEL":
        return None  # RFC 3261 8.2.2.3: ignored there
    # Each as it was written: the sender looks for its own spelling.
    unsupported = [
        tag for tag in request.headers.get_list(name) if tag.lower() not in supported
    ]
    if not unsupported:
        return None
    header = ("Unsupported", ", ".join(unsupported))
    return Rejection(420, f"unsupported extension in {name}", (header,))


def _check_body(request: Request, supported: Collection[str]) -> Rejection | None:
    if not request.body or _is_optional(request):
        return None
    encodings = {item.lower() for item in request.headers.get_list("Content-Encoding")}
    if encodings - {"identity"}:
        header = ("Accept-Encoding", "identity")
        return Rejection(415, "unsupported content encoding", (header,))
    if request.content_type is None:
        return Rejection(400, "body without Content-Type")
    if request.content_type not in supported:
        header = ("Accept", ", ".join(sorted(supported)))
        return Rejection(415, "unsupported content type", (header,))
    return None


def _is_optional(request: Request) -> bool:
    value = request.headers.get("Content-Disposition") or ""
    _, semicolon, params = value.partition(";")
    try:
        handling = find_param(parse_params(semicolon + params), "handling")
    except ParseError:
        return False
    return handling is not None and handling.lower() == "optional"


def _check_accept(request: Request) -> Rejection | None:
    """Our answer to an INVITE is SDP: it must be welcome (RFC 4475 3.3.15)."""
    if request.method != "INVITE" or "Accept" not in request.headers:
        return None
    for element in request.headers.get_list("Accept"):
        media_range, _, params = element.partition(";")
        name = "".join(media_range.split()).lower()
        is_refused = "".join(params.split()).lower() in ("q=0", "q=0.0")
        if name in ("application/sdp", "application/*", "*/*") and not is_refused:
            return None
    return Rejection(406, "answers in SDP are not accepted")
