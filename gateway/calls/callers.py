"""Who a call is with, as far as its numbers, SIP and an invite tell."""

from __future__ import annotations

from collections.abc import Callable

from gateway.activities.work_view import to_wire
from gateway.calls.guest_calls import CallInvite, legible
from gateway.crm.numbers import Number, NumberError, normalise
from gateway.identity.users import UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallType, ErrorKind, Match, MatchState, Peer
from sip import NameAddr, Uri, escape_user


def peer_of(number: Number, display_name: str = "") -> Peer:
    """Who has this number."""
    return Peer(
        number=number.dial,
        national=number.national,
        e164=number.e164,
        display_name=display_name,
    )


def address_of(number: Number, domain: str) -> Uri:
    """Where a tenant's own server has this number, whatever it is (RFC 3261 19.1)."""
    return Uri("sip", user=escape_user(number.dial), host=domain)


def target_of(dialled: str, *, country: str, domain: str) -> tuple[Peer, Uri]:
    """Who is meant by what a user dialled, and their address.

    Args:
        country: in which a number without a prefix is one, ISO 3166-1 alpha-2.
        domain: of the tenant's own server.

    Raises:
        RequestError: it is no number.
    """
    try:
        number = normalise(dialled, country)
    except NumberError as error:
        raise RequestError(ErrorKind.NUMBER_INVALID, str(error)) from None
    return peer_of(number), address_of(number, domain)


def caller(identity: NameAddr, invite: CallInvite | None, *, country: str) -> Peer:
    """Who calls, as ``identity`` or, where that is certain, the invite says."""
    if invite is not None and invite.is_certain:
        return Peer(number="", display_name=legible(invite.guest_pass.guest))
    shown = legible(identity.uri.user or identity.uri.host)
    name = legible(identity.display_name or "")
    try:
        return peer_of(normalise(shown, country), name)
    except NumberError:
        return Peer(number=shown, display_name=name)


def match_of(invite: CallInvite | None) -> Match | None:
    """Whom the invite was for in the CRM, if anybody."""
    contact = None if invite is None else invite.contact
    if contact is None:
        return None
    return Match(state=MatchState.FOUND, records=(to_wire(contact),))


# Whether a tenant has a user of that SIP username.
IsColleague = Callable[[str, str], bool]


def nobody_is(tenant: str, username: str) -> bool:
    """Of tenants without users."""
    return False


def type_of(user: UserKey, peer: Peer, is_colleague: IsColleague) -> CallType:
    """Internal if the other party is of the user's own tenant."""
    if peer.number and is_colleague(user.tenant, peer.number):
        return CallType.INTERNAL
    return CallType.EXTERNAL
