"""The sandbox's registrar: bindings of addresses of record (RFC 3261 10.3). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sip.message import Request, Response, create_response
from sip.transport import Target
from sip.uri import Uri

MAX_BINDINGS = 20
DEFAULT_EXPIRES_S = 600
MIN_EXPIRES_S = 30


@dataclass(frozen=True, slots=True)
class Binding:
    """One device: its contact, where its REGISTER came from, until when (seconds)."""

    contact: Uri
    source: Target
    expires_at: float
    instance: str
    call_id: str
    cseq: int


class Registrar:
    """Who is where. Times are the caller's clock."""

    def __init__(self) -> None:
        self._bindings: dict[str, dict[str, Binding]] = {}

    def lookup(self, user: str, now: float) -> tuple[Binding, ...]:
        """The living bindings of a user."""
        living = {
            key: binding
            for key, binding in self._bindings.get(user, {}).items()
            if binding.expires_at > now
        }
        if living:
            self._bindings[user] = living
        else:
            self._bindings.pop(user, None)
        return tuple(living.values())

    def register(
        self, user: str, request: Request, source: Target, now: float
    ) -> Response:
        """Take a REGISTER whose sender is known to be ``user``."""
        if request.has_contact_wildcard:
            if request.expires != 0:
                return create_response(request, 400, "Wildcard needs Expires: 0")
            self._bindings.pop(user, None)
            return self._answer(request, user, now)
        bindings = self._bindings.setdefault(user, {})
        for contact in request.contacts:
            expires = request.expires
            if (given := contact.param("expires")) is not None and given.isdigit():
                expires = int(given)
            if expires is None:
                expires = DEFAULT_EXPIRES_S
            if 0 < expires < MIN_EXPIRES_S:
                response = create_response(request, 423)
                response.headers.add("Min-Expires", str(MIN_EXPIRES_S))
                return response
            key = contact.param("+sip.instance") or str(contact.uri)
            known = bindings.get(key)
            if (
                known is not None
                and known.call_id == request.call_id
                and request.cseq.number <= known.cseq
            ):
                return create_response(request, 500, "CSeq is not higher")
            if expires == 0:
                bindings.pop(key, None)
            elif len(bindings) < MAX_BINDINGS or key in bindings:
                bindings[key] = Binding(
                    contact.uri,
                    source,
                    now + expires,
                    contact.param("+sip.instance") or "",
                    request.call_id,
                    request.cseq.number,
                )
            else:
                return create_response(request, 503, "Too many devices")
        return self._answer(request, user, now)

    def _answer(self, request: Request, user: str, now: float) -> Response:
        response = create_response(request, 200)
        for binding in self.lookup(user, now):
            contact = f"<{binding.contact}>;expires={int(binding.expires_at - now)}"
            if binding.instance:
                contact += f';+sip.instance="{binding.instance}"'
            response.headers.add("Contact", contact)
        return response
