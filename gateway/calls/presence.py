"""Whether calls may ring at a user's pages."""

from __future__ import annotations

from gateway.calls.desks import Desk
from gateway.calls.ports import PresenceStore
from gateway.calls.requests import RequestTable
from gateway.calls.switchboard import Switchboard
from gateway.identity.users import UserKey
from gateway.sessions.wire import (
    Empty,
    PresenceChangedEvent,
    PresenceSet,
    PresenceState,
)


class Presences:
    """See the module; kept in ``store`` from one session to the next."""

    def __init__(self, board: Switchboard, store: PresenceStore) -> None:
        self._board = board
        self._store = store

    def add_to(self, requests: RequestTable) -> None:
        requests.add(PresenceSet, self.set)

    async def of(self, user: UserKey) -> PresenceState:
        """As the user left it."""
        if await self._store.is_silent(user):
            return PresenceState.DO_NOT_DISTURB
        return PresenceState.AVAILABLE

    async def set(self, desk: Desk, params: PresenceSet) -> Empty:
        """``presence.set``"""
        # At once, also while the database is away.
        if desk.presence is not params.state:
            desk.presence = params.state
            self._board.services.publisher.publish(
                desk.user.key, PresenceChangedEvent, state=params.state
            )
        await self._store.set_silent(
            desk.user.key, is_silent=params.state is PresenceState.DO_NOT_DISTURB
        )
        return Empty()
