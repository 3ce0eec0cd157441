"""Dialogs (RFC 3261 12): who talks to whom, by which way, with which number.

A dialog is driven by its user: made from an INVITE and a response of it, confirmed
by a 2xx, refreshed by target refresh requests, ended by BYE. It makes the requests
that are sent within it and checks the numbers of those that arrive.

* One INVITE may make many dialogs, one for each remote tag. Each has its own route
  set and remote target; the local number begins at that of the INVITE in each.
* The route set is Record-Route as it stands for the callee, reversed for the caller
  (12.1). The 2xx sets it anew for the caller (13.2.2.4); nothing later changes it.
  A target refresh changes only the remote target (12.2).
* If the first route is a strict router, it becomes the Request-URI, and the remote
  target goes to the end of the Route (12.2.1.1).
* A request with a lower number than the one before is answered 500 (12.2.2).
"""

from __future__ import annotations

import enum
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Self

from sip.compose import MAX_FORWARDS, HeaderLines
from sip.errors import LocalProtocolError
from sip.headers import CSeq, Headers
from sip.message import Request, Response
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.dialog")

# Requests whose Contact, like that of their 2xx, replaces the remote target.
TARGET_REFRESH_METHODS = frozenset({"INVITE", "UPDATE"})
# How long, and how many, ended dialogs are told from such that never were.
REMEMBERED_S = 32.0
MAX_REMEMBERED = 4096


class DialogState(enum.StrEnum):
    """The life of a dialog (12.1)."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class DialogId:
    """What finds a dialog; tags are compared byte by byte."""

    call_id: str
    local_tag: str
    # Empty for a peer of RFC 2543 without tags.
    remote_tag: str

    @classmethod
    def of_request(cls, request: Request) -> DialogId:
        """The dialog a received request belongs to."""
        return cls(request.call_id, request.to.tag or "", request.from_.tag or "")


class EndedDialogs:
    """Dialogs that ended a short time ago."""

    def __init__(self) -> None:
        self._ended: OrderedDict[DialogId, float] = OrderedDict()

    def add(self, dialog: DialogId, now: float) -> None:
        """It ended now."""
        self._ended[dialog] = now
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)

    def knows(self, dialog: DialogId, now: float) -> bool:
        """Whether it ended within the last seconds."""
        return now - self._ended.get(dialog, -REMEMBERED_S) < REMEMBERED_S


class Dialog:
    """One dialog, from either side."""

    def __init__(
        self,
        *,
        call_id: str,
        local: NameAddr,
        remote: NameAddr,
        remote_target: Uri,
        route_set: tuple[NameAddr, ...],
        local_cseq: int,
        remote_cseq: int | None,
        is_caller: bool,
    ) -> None:
        self.id = DialogId(call_id, local.tag or "", remote.tag or "")
        # From and To of our requests, with their tags.
        self.local = local
        self.remote = remote
        # The peer's Contact; changed by target refresh only.
        self.remote_target = remote_target
        # Changed by the caller's 2xx only.
        self.route_set = route_set
        # Of the last request we sent, and of the last one that came in order.
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        # Whether the Call-ID is ours, which decides who waits longer (14.1).
        self.is_caller = is_caller
        self.state = DialogState.EARLY

    @classmethod
    def as_caller(cls, invite: Request, response: Response) -> Self:
        """Made by a 101-299 with a To tag (12.1.2)."""
        contact = response.contact
        return cls(
            call_id=invite.call_id,
            local=invite.from_,
            remote=response.to,
            remote_target=contact.uri if contact else invite.uri,
            route_set=tuple(reversed(response.record_routes)),
            local_cseq=invite.cseq.number,
            remote_cseq=None,
            is_caller=True,
        )

    @classmethod
    def as_callee(cls, invite: Request, local_tag: str) -> Self:
        """Made by our own first response with a tag (12.1.1)."""
        contact = invite.contact
        return cls(
            call_id=invite.call_id,
            local=invite.to.with_tag(local_tag),
            remote=invite.from_,
            remote_target=contact.uri if contact else invite.from_.uri,
            route_set=invite.record_routes,
            local_cseq=0,
            remote_cseq=invite.cseq.number,
            is_caller=False,
        )

    @classmethod
    def as_subscriber(
        cls, notify: Request, *, local: NameAddr, target: Uri, local_cseq: int
    ) -> Self:
        """Made by the first NOTIFY, whatever was answered to SUBSCRIBE (6665 4.4.1).

        ``target`` stands in for a Contact that the NOTIFY lacks; the number of the
        NOTIFY counts as received.
        """
        contact = notify.contact
        dialog = cls(
            call_id=notify.call_id,
            local=local,
            remote=notify.from_,
            remote_target=contact.uri if contact else target,
            route_set=notify.record_routes,
            local_cseq=local_cseq,
            remote_cseq=notify.cseq.number,
            is_caller=True,
        )
        dialog.confirm()
        return dialog

    def confirm(self, response: Response | None = None) -> None:
        """A 2xx was sent, or (the caller's) received.

        Raises:
            LocalProtocolError: it was ended.
        """
        if self.state is DialogState.TERMINATED:
            raise LocalProtocolError("a terminated dialog cannot be confirmed")
        if response is not None:
            self.route_set = tuple(reversed(response.record_routes))
            self.refresh_target(response)
        self._move(DialogState.CONFIRMED, "2xx")

    def terminate(self, why: str) -> None:
        """Nothing is sent within it any more, except answers."""
        self._move(DialogState.TERMINATED, why)

    def refresh_target(self, message: Request | Response) -> None:
        """Take over the Contact of a target refresh request or of its 2xx."""
        contact = message.contact
        if contact is not None:
            self.remote_target = contact.uri

    def accepts_cseq(self, request: Request) -> bool:
        """Note the number of a received request; False means 500 (12.2.2).

        Not for ACK and CANCEL, which repeat the number of their INVITE.
        """
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def create_request(
        self, method: str, *, headers: HeaderLines = (), body: bytes = b""
    ) -> Request:
        """A new request within the dialog, with the next number, still without Via."""
        self.local_cseq += 1
        return self._request(method, self.local_cseq, headers, body)

    def create_ack(self, invite: Request, *, body: bytes = b"") -> Request:
        """The ACK of a 2xx: number and credentials of the INVITE (13.2.2.4).

        Content-Type is set for a body of SDP.
        """
        lines = [
            (name, value)
            for name in ("Authorization", "Proxy-Authorization")
            for value in invite.headers.get_all(name)
        ]
        if body:
            lines.append(("Content-Type", "application/sdp"))
        return self._request("ACK", invite.cseq.number, lines, body)

    @property
    def next_hop(self) -> Uri:
        """Where requests of this dialog are sent to (12.2.1.1, 8.1.2)."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def _request(
        self, method: str, number: int, lines: HeaderLines, body: bytes
    ) -> Request:
        uri, routes = self._way()
        headers = Headers()
        for route in routes:
            headers.add("Route", str(route))
        headers.add("Max-Forwards", str(MAX_FORWARDS))
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.id.call_id)
        headers.add("CSeq", str(CSeq(number, method)))
        for name, value in lines:
            headers.add(name, value)
        return Request(method, uri, headers, body)

    def _way(self) -> tuple[Uri, tuple[NameAddr, ...]]:
        """Request-URI and Route (12.2.1.1)."""
        target = self.remote_target.without_headers()
        if not self.route_set:
            return target, ()
        first = self.route_set[0].uri
        if first.has_param("lr"):
            return target, self.route_set
        # What may not stand in a Request-URI is stripped (19.1.1).
        strict = first.without_headers().without_params("method")
        return strict, (*self.route_set[1:], NameAddr(target))

    def _move(self, state: DialogState, why: str) -> None:
        if state is not self.state:
            _log.debug("= dialog %s -> %s (%s)", self.state, state, why)
            self.state = state
