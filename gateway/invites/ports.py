"""What invites need from calls and from the CRM's side, and give to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

from gateway.identity.users import UserKey
from gateway.invites.model import InviteKey
from gateway.sessions.wire import ActivityView

# End every call that came by the invite, politely (``invite_over``).
EndCalls = Callable[[InviteKey], Awaitable[None]]
# An invite's calls end at another time, Unix seconds: show so in them.
MoveCalls = Callable[[InviteKey, float], None]
# How the CRM events of a host's invites stand, by invite id.
EventViews = Callable[[UserKey, Collection[str]], Awaitable[Mapping[str, ActivityView]]]


async def no_calls(_: InviteKey) -> None:
    """An :data:`EndCalls` where guests cannot call."""


def nothing_to_move(_: InviteKey, __: float) -> None:
    """A :data:`MoveCalls` where guests cannot call."""


async def no_events(_: UserKey, __: Collection[str]) -> Mapping[str, ActivityView]:
    """An :data:`EventViews` without a CRM."""
    return {}
