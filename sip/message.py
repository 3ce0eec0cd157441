"""Requests and responses (RFC 3261 7, 20).

Messages can be changed while they are built or forwarded; header values are text and
the typed accessors read them anew at each use. After :mod:`sip.parser` has accepted a
message, none of its accessors raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Self

from sip.errors import InvalidValue, ParseError
from sip.headers import CSeq, Headers, Reason, Via, canonical_name
from sip.lexical import (
    Params,
    check_line,
    encode,
    is_token,
    parse_delta_seconds,
    parse_params,
    split_list,
)
from sip.uri import NameAddr, Uri

STATUS_REASONS = MappingProxyType(
    {
        100: "Trying",
        180: "Ringing",
        181: "Call Is Being Forwarded",
        182: "Queued",
        183: "Session Progress",
        199: "Early Dialog Terminated",
        200: "OK",
        202: "Accepted",
        204: "No Notification",
        300: "Multiple Choices",
        301: "Moved Permanently",
        302: "Moved Temporarily",
        305: "Use Proxy",
        380: "Alternative Service",
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        407: "Proxy Authentication Required",
        408: "Request Timeout",
        410: "Gone",
        412: "Conditional Request Failed",
        413: "Request Entity Too Large",
        414: "Request-URI Too Long",
        415: "Unsupported Media Type",
        416: "Unsupported URI Scheme",
        417: "Unknown Resource-Priority",
        420: "Bad Extension",
        421: "Extension Required",
        422: "Session Interval Too Small",
        423: "Interval Too Brief",
        428: "Use Identity Header",
        429: "Provide Referrer Identity",
        430: "Flow Failed",
        433: "Anonymity Disallowed",
        436: "Bad Identity-Info",
        437: "Unsupported Certificate",
        438: "Invalid Identity Header",
        439: "First Hop Lacks Outbound Support",
        440: "Max-Breadth Exceeded",
        469: "Bad Info Package",
        470: "Consent Needed",
        480: "Temporarily Unavailable",
        481: "Call/Transaction Does Not Exist",
        482: "Loop Detected",
        483: "Too Many Hops",
        484: "Address Incomplete",
        485: "Ambiguous",
        486: "Busy Here",
        487: "Request Terminated",
        488: "Not Acceptable Here",
        489: "Bad Event",
        491: "Request Pending",
        493: "Undecipherable",
        494: "Security Agreement Required",
        500: "Server Internal Error",
        501: "Not Implemented",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Server Time-out",
        505: "Version Not Supported",
        513: "Message Too Large",
        555: "Push Notification Service Not Supported",
        580: "Precondition Failure",
        600: "Busy Everywhere",
        603: "Decline",
        604: "Does Not Exist Anywhere",
        606: "Not Acceptable",
        607: "Unwanted",
        608: "Rejected",
    }
)
_CLASS_REASONS = MappingProxyType(
    {1: "Progress", 2: "OK", 3: "Redirect", 4: "Error", 5: "Server Error", 6: "Failure"}
)
#: Requests whose 101..299 responses make a dialog (RFC 3261 12.1, 6665, 3515).
DIALOG_CREATING_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER"})


def reason_phrase(status: int) -> str:
    """The phrase registered for ``status``, or one for its class."""
    return STATUS_REASONS.get(status) or _CLASS_REASONS.get(status // 100, "Unknown")


class Message:
    """What requests and responses share: headers and a body."""

    __slots__ = ("body", "headers")

    def __init__(
        self, headers: Headers | Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    @property
    def start_line(self) -> str:
        """The first line without its line break; a part of a multipart has none."""
        return ""

    def to_bytes(self) -> bytes:
        """The message as it goes over the wire, Content-Length computed anew.

        Raises:
            InvalidValue: a value contains CR, LF or (unescaped) NUL, or a name is no
                token: what would let a caller of ours smuggle headers; or a value is
                no text.
        """
        start_line = check_line(self.start_line, "the start line")
        lines = [start_line] if start_line else []
        length = str(len(self.body))
        has_length = False
        for name, value in self.headers.items():
            if not is_token(name):
                raise InvalidValue("a header name must be a token")
            if canonical_name(name) == "content-length":
                if has_length:
                    continue
                has_length, value = True, length
            lines.append(f"{name}: {check_line(value, name)}")
        if not has_length:
            lines.append(f"Content-Length: {length}")
        head = "\r\n".join(lines) + "\r\n\r\n"
        return encode(head) + self.body

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise ParseError(f"missing {name}")
        return value

    @property
    def vias(self) -> tuple[Via, ...]:
        """All hops, topmost first."""
        return tuple(map(Via.parse, self.headers.get_list("Via")))

    @property
    def via(self) -> Via:
        """The topmost hop."""
        elements = split_list(self._required("Via"))
        if not elements:
            raise ParseError("empty Via")
        return Via.parse(elements[0])

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        return NameAddr.parse(self._required("From"))

    @property
    def to(self) -> NameAddr:
        """The To header."""
        return NameAddr.parse(self._required("To"))

    @property
    def call_id(self) -> str:
        """The Call-ID, compared byte by byte."""
        return self._required("Call-ID")

    @property
    def cseq(self) -> CSeq:
        """The CSeq header."""
        return CSeq.parse(self._required("CSeq"))

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """All contacts; empty for ``Contact: *``, see :attr:`has_contact_wildcard`."""
        if self.has_contact_wildcard:
            return ()
        return tuple(map(NameAddr.parse, self.headers.get_list("Contact")))

    @property
    def contact(self) -> NameAddr | None:
        """The first contact, None when there is none."""
        contacts = self.contacts
        return contacts[0] if contacts else None

    @property
    def has_contact_wildcard(self) -> bool:
        """Whether it says ``Contact: *``, which removes all bindings (10.2.2)."""
        return [v.strip() for v in self.headers.get_all("Contact")] == ["*"]

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """The Route set still to be visited, next hop first."""
        return tuple(map(NameAddr.parse, self.headers.get_list("Route")))

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """Record-Route in the order of the message, the latest proxy first."""
        return tuple(map(NameAddr.parse, self.headers.get_list("Record-Route")))

    @property
    def content_type(self) -> str | None:
        """``type/subtype`` in lower case without parameters, None when absent."""
        value = self.headers.get("Content-Type")
        if value is None:
            return None
        media_type, _, _ = value.partition(";")
        main, _, subtype = media_type.partition("/")
        return f"{main.strip()}/{subtype.strip()}".lower()

    @property
    def content_type_params(self) -> Params:
        """The parameters of Content-Type, e.g. a multipart's boundary."""
        _, semicolon, params = (self.headers.get("Content-Type") or "").partition(";")
        return parse_params(semicolon + params)

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards from 0 to 255, None when absent."""
        value = self.headers.get("Max-Forwards")
        if value is None:
            return None
        hops = parse_delta_seconds(value)
        if hops is None or hops > 255:
            raise ParseError("Max-Forwards out of range")
        return hops

    @property
    def expires(self) -> int | None:
        """Expires in seconds, None when absent or no number (RFC 3261 20.19)."""
        return self._seconds("Expires")

    @property
    def min_expires(self) -> int | None:
        """Min-Expires of a 423 in seconds, None when absent or no number."""
        return self._seconds("Min-Expires")

    @property
    def retry_after(self) -> int | None:
        """Retry-After in seconds without its comment and parameters, else None."""
        value = self.headers.get("Retry-After")
        if value is None:
            return None
        return parse_delta_seconds(value.partition(";")[0].partition("(")[0])

    def _seconds(self, name: str) -> int | None:
        value = self.headers.get(name)
        return None if value is None else parse_delta_seconds(value)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The readable Reason values (RFC 3326); malformed ones are left out."""
        reasons: list[Reason] = []
        for value in self.headers.get_all("Reason"):
            try:
                reasons.extend(map(Reason.parse, split_list(value)))
            except ParseError:
                continue
        return tuple(reasons)

    def option_tags(self, name: str) -> frozenset[str]:
        """The lower-cased tokens of Supported, Require and their like."""
        return frozenset(tag.lower() for tag in self.headers.get_list(name))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Message):
            return NotImplemented
        return (
            self.start_line == other.start_line
            and self.headers == other.headers
            and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.start_line!r}>"


class Request(Message):
    """A request; ``method`` is case-sensitive."""

    __slots__ = ("method", "uri")

    def __init__(
        self,
        method: str,
        uri: Uri,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    @property
    def start_line(self) -> str:
        """``METHOD uri SIP/2.0``.

        Raises:
            InvalidValue: the method is no token.
        """
        if not is_token(self.method):
            raise InvalidValue("a method must be a token")
        return f"{self.method} {self.uri} SIP/2.0"

    def copy(self) -> Self:
        """An independent copy."""
        return type(self)(self.method, self.uri, self.headers.copy(), self.body)


class Response(Message):
    """A response; ``reason`` is the reason phrase."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason_phrase(status) if reason is None else reason

    @property
    def start_line(self) -> str:
        """``SIP/2.0 status reason``.

        Raises:
            InvalidValue: the status is not from 100 to 699.
        """
        if not 100 <= self.status <= 699:
            raise InvalidValue("a status must be from 100 to 699")
        return f"SIP/2.0 {self.status} {self.reason}"

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """All contacts that can be read.

        A registrar's 200 lists the bindings of other phones too (RFC 3261 10.3): what
        one of them wrote must not cost us our own.
        """
        contacts: list[NameAddr] = []
        for value in self.headers.get_all("Contact"):
            try:
                contacts.extend(map(NameAddr.parse, split_list(value)))
            except ParseError:
                continue
        return tuple(contacts)

    @property
    def is_provisional(self) -> bool:
        """1xx."""
        return self.status < 200

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    def copy(self) -> Self:
        """An independent copy."""
        return type(self)(self.status, self.reason, self.headers.copy(), self.body)


def create_response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
) -> Response:
    """A response with the headers RFC 3261 8.2.6.2 and 12.1.1 copy from the request.

    Works on the partial request of a :class:`ParseError` too: headers it lacks are
    left out. ``to_tag`` is added unless the request's To already has a tag.
    """
    headers = Headers()
    for via in request.headers.get_all("Via"):
        headers.add("Via", via)
    if request.method in DIALOG_CREATING_METHODS and 101 <= status <= 299:
        for route in request.headers.get_all("Record-Route"):
            headers.add("Record-Route", route)
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = request.headers.get(name)
        if value is not None:
            headers.add(name, _with_to_tag(value, to_tag) if name == "To" else value)
    if status == 100 and (timestamp := request.headers.get("Timestamp")) is not None:
        headers.add("Timestamp", timestamp)
    return Response(status, reason, headers)


def _with_to_tag(to: str, tag: str | None) -> str:
    if tag is None:
        return to
    try:
        address = NameAddr.parse(to)
    except ParseError:
        return to
    return to if address.tag else str(address.with_tag(tag))
