"""What invites need from calls and from the CRM's side, and give to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.crm.connector import CrmRecord
from gateway.identity.users import User, UserKey
from gateway.invites.model import InviteKey
from gateway.sessions.wire import ActivityView


@dataclass(frozen=True, slots=True)
class GuestPass:
    """Leave for one call of a guest to the host of the invite, and to nobody else.

    ``guest`` is who the link was for (the name that was typed is ``User.name``);
    ``ends_at`` Unix seconds.
    """

    invite_id: str
    guest_id: str
    guest: str
    subject: str
    host: User
    contact: CrmRecord | None
    about: CrmRecord | None
    ends_at: float


class GuestAdmission(Protocol):
    """What calls ask of invites."""

    async def admit(self, guest: User) -> GuestPass:
        """May the guest call now?

        Raises:
            RequestError: INVITE_CLOSED or INVITE_UNKNOWN.
        """

    def call_changed(
        self, invite_id: str, guest_id: str, *, in_call: bool, answered: bool
    ) -> None:
        """A call of the guest's has begun, was answered, or is over (``in_call``
        False; ``answered`` then says whether it ever was)."""


# End every call that came by the invite, politely (``invite_over``).
EndCalls = Callable[[InviteKey], Awaitable[None]]
# How the CRM events of a host's invites stand, by invite id.
EventViews = Callable[[UserKey, Collection[str]], Awaitable[Mapping[str, ActivityView]]]


async def no_calls(_: InviteKey) -> None:
    """An :data:`EndCalls` where guests cannot call."""


async def no_events(_: UserKey, __: Collection[str]) -> Mapping[str, ActivityView]:
    """An :data:`EventViews` without a CRM."""
    return {}
