"""What the rep sees of an invite, and what a guest is told of it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from gateway.identity.users import User
from gateway.invites import window
from gateway.invites.model import Guest, Invite
from gateway.sessions import wire
from gateway.sessions.wire import InviteState, JoinState


def invite_view(
    invite: Invite,
    *,
    now: float,
    open_before_s: float,
    in_call: Collection[str],
    event: wire.ActivityView,
) -> wire.InviteView:
    """``in_call``: ids of the guests who are in the call."""
    return wire.InviteView(
        invite_id=invite.invite_id,
        state=window.state_of(invite, now, open_before_s),
        subject=invite.subject,
        text=invite.text,
        starts_at=_ms(invite.starts_at),
        ends_at=_ms(invite.ends_at),
        opens_at=_ms(window.opens_at(invite, open_before_s)),
        time_zone=invite.time_zone,
        language=invite.language,
        guests=tuple(
            wire.GuestView(
                guest_id=guest.guest_id,
                name=guest.name,
                email=guest.email,
                role=guest.role,
                time_zone=guest.time_zone,
                mail=guest.mail,
                mail_problem=guest.mail_problem[:255],
                joined_at=None if guest.joined_at is None else _ms(guest.joined_at),
                is_in_call=guest.guest_id in in_call,
            )
            for guest in invite.present
        ),
        contact=invite.contact,
        about=invite.about,
        event=event,
    )


def join_state(
    invite: Invite,
    guest: Guest,
    *,
    now: float,
    open_before_s: float,
    generation: int,
    browser: str,
    browser_in_call: str | None,
) -> JoinState:
    """What a link of this generation is worth in the browser with this hash.

    ``browser_in_call``: the hash of the browser that is in the call by the link.
    """
    if guest.removed_at is not None or generation < guest.generation:
        return JoinState.REVOKED
    match window.state_of(invite, now, open_before_s):
        case InviteState.CANCELLED:
            return JoinState.CANCELLED
        case InviteState.OVER | InviteState.NO_SHOW:
            return JoinState.OVER
        case InviteState.SCHEDULED:
            return JoinState.EARLY
        case InviteState.OPEN:
            pass
    if browser_in_call is not None and browser_in_call != browser:
        return JoinState.IN_USE
    if browser not in guest.browsers and guest.is_used_up:
        return JoinState.USED_UP
    return JoinState.OPEN


def join_view(
    state: JoinState,
    invite: Invite,
    guest: Guest,
    host: User | None,
    *,
    now: float,
    open_before_s: float,
) -> wire.JoinView:
    """``host`` None: a rep who is not there any more.

    Whose link was revoked learns how to reach the host, and nothing of the invite as
    it is now.
    """
    reach = wire.JoinView(
        state=state,
        host=host.name if host is not None else "",
        company=host.company if host is not None else "",
        contact=(host.email or host.number) if host is not None else "",
        language=invite.language,
        server_time=_ms(now),
    )
    if state is JoinState.REVOKED:
        return reach
    return reach.model_copy(
        update={
            "subject": invite.subject,
            "guest": guest.name,
            "time_zone": invite.time_zone,
            "guest_time_zone": guest.time_zone,
            "opens_at": _ms(window.opens_at(invite, open_before_s)),
            "starts_at": _ms(invite.starts_at),
            "ends_at": _ms(invite.ends_at),
        }
    )


def unknown_link(now: float) -> wire.JoinView:
    """Whatever is wrong with a link, this is all that its holder is told."""
    return wire.JoinView(state=JoinState.UNKNOWN, server_time=_ms(now))


def _ms(at: float) -> int:
    return round(at * 1000)
