"""Who a call is with, as far as its numbers, SIP and an invite tell."""

from __future__ import annotations

from collections.abc import Callable

from gateway.activities.work_view import to_wire
from gateway.calls.guest_calls import CallInvite, legible
from gateway.crm.numbers import Number, NumberError, normalise
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallType, Match, MatchState, Peer
from sip import NameAddr


def peer_of(number: Number, display_name: str = "") -> Peer:
    """Who has this number."""
    return Peer(
        number=number.dial,
        national=number.national,
        e164=number.e164,
        display_name=display_name,
    )


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
