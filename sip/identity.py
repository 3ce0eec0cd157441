"""Who a peer is, as its server says: when it calls, and when that changes in a call.

P-Asserted-Identity (RFC 3325), else Remote-Party-ID (the draft of which many servers
never let go), else a From that is another than before (RFC 4916). To be believed of
trusted sources only. A server that transfers a call behind itself tells so by a
re-INVITE or an UPDATE with the new party's identity.

What somebody wants to keep to themselves is nobody's identity: ``Privacy: id`` and
``privacy=full`` are respected (RFC 3323, 3325 9.3).
"""

from __future__ import annotations

from sip.errors import ParseError
from sip.message import Message, Request
from sip.uri import NameAddr, Uri

_PRIVATE = frozenset({"id", "user", "header"})


def asserted_identity(message: Message) -> NameAddr | None:
    """The first P-Asserted-Identity; None when there is none that can be read."""
    return _first(message, "P-Asserted-Identity")


def stated_identity(request: Request, known: Uri) -> NameAddr | None:
    """Whom a request within a dialog says that it comes from; None: nobody in
    particular, or whoever it was.

    Args:
        known: the peer's URI as the dialog has it.
    """
    if "P-Asserted-Identity" in request.headers:
        return None if _is_private(request) else asserted_identity(request)
    remote = _first(request, "Remote-Party-ID")
    if remote is not None:
        is_shown = (remote.param("privacy") or "off").lower() == "off"
        is_checked = (remote.param("screen") or "yes").lower() == "yes"
        return remote if is_shown and is_checked else None
    sender = request.from_
    if sender.uri.decoded_user == known.decoded_user:
        return None
    return None if _is_private(request) else sender


def _first(message: Message, name: str) -> NameAddr | None:
    try:
        values = message.headers.get_list(name)
        return NameAddr.parse(values[0]) if values else None
    except ParseError:
        return None


def _is_private(request: Request) -> bool:
    values = ";".join(request.headers.get_all("Privacy")).lower().split(";")
    return any(value.strip() in _PRIVATE for value in values)
