"""Messages that follow from other messages: answers, ACK, CANCEL."""

from __future__ import annotations

from collections.abc import Sequence

from sip.headers import CSeq, Headers
from sip.message import Request, Response, create_response

HeaderLines = Sequence[tuple[str, str]]

# RFC 3261 8.1.1.6.
MAX_FORWARDS = 70


def response_to(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: HeaderLines = (),
    body: bytes = b"",
) -> Response:
    """A response with what RFC 3261 8.2.6 copies, further headers and a body."""
    response = create_response(
        request, status, reason, to_tag=None if status == 100 else to_tag
    )
    for name, value in headers:
        response.headers.add(name, value)
    response.body = body
    return response


def ack_for_failure(invite: Request, response: Response) -> Request:
    """The ACK of the client transaction for a 3xx-6xx (RFC 3261 17.1.1.3)."""
    return _hop_by_hop("ACK", invite, to=response.headers.get("To") or "")


def cancel_for(invite: Request, headers: HeaderLines = ()) -> Request:
    """The CANCEL for an INVITE as it was sent, same branch (RFC 3261 9.1)."""
    cancel = _hop_by_hop("CANCEL", invite, to=invite.headers.get("To") or "")
    for name, value in headers:
        cancel.headers.add(name, value)
    return cancel


def without_top_via(response: Response) -> Response:
    """A copy of a response as a proxy passes it on (RFC 3261 16.7)."""
    copy = response.copy()
    copy.headers.pop_first("Via")
    return copy


def _hop_by_hop(method: str, invite: Request, *, to: str) -> Request:
    headers = Headers([("Via", str(invite.via))])
    for route in invite.headers.get_all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", str(MAX_FORWARDS))
    headers.add("From", invite.headers.get("From") or "")
    headers.add("To", to)
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", str(CSeq(invite.cseq.number, method)))
    return Request(method, invite.uri, headers)
