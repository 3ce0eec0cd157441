"""The calls of a video invite, for the invite's own side: shown, moved, ended."""

from __future__ import annotations

import asyncio

from gateway.calls.call import Call
from gateway.calls.switchboard import Switchboard
from gateway.sessions.wire import CallView


class InviteCalls:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def views(self, tenant: str, invite_id: str) -> tuple[CallView, ...]:
        """Calls of the invite's guests that go on, as the guests see them."""
        return tuple(
            call.view() for call in self._of(tenant, invite_id) if call.is_guests
        )

    def moved(self, tenant: str, invite_id: str, ends_at: float) -> None:
        """It ends at another time (Unix seconds): its calls show so, on both sides."""
        calls = self._of(tenant, invite_id)
        for call in calls:
            if call.invite is not None:
                call.invite.attempt.ends_at(ends_at)
        for call in calls:
            call.show()

    async def end(self, tenant: str, invite_id: str) -> None:
        """Its time is over, or it was cancelled: end its calls, on both sides."""
        async with asyncio.TaskGroup() as group:
            for call in self._of(tenant, invite_id):
                group.create_task(self._board.end(call, call.invite_over))

    def _of(self, tenant: str, invite_id: str) -> tuple[Call, ...]:
        """Both sides' calls; none that only may be the invite's."""
        return tuple(
            call
            for desk in self._board.desks_of(tenant)
            for call in desk.calls.values()
            if call.invite is not None
            and call.invite.is_certain
            and call.invite.guest_pass.invite_id == invite_id
        )
