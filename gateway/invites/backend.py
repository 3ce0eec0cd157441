"""Stands before the calls: invites and guests are dealt with here, the rest there."""

from __future__ import annotations

from collections.abc import Callable

from gateway.calls import policy
from gateway.identity.users import User
from gateway.invites.admission import Admission
from gateway.invites.board import Board
from gateway.invites.service import InviteService
from gateway.sessions import wire
from gateway.sessions.backend import Backend
from gateway.sessions.wire import Wire


class InviteBackend:
    """A :class:`Backend`. ``invites_from`` is what a rep's invites come from."""

    def __init__(
        self,
        calls: Backend,
        service: InviteService,
        admission: Admission,
        board: Board,
        *,
        invites_from: Callable[[User], str],
    ) -> None:
        self._calls = calls
        self._service = service
        self._admission = admission
        self._board = board
        self._invites_from = invites_from

    async def session_opened(self, user: User) -> None:
        await self._calls.session_opened(user)

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        await self._calls.session_closed(user, signed_out=signed_out)

    def session_attached(self, user: User) -> None:
        self._calls.session_attached(user)

    def session_detached(self, user: User) -> None:
        self._calls.session_detached(user)

    def snapshot(self, user: User) -> wire.Snapshot:
        """The calls' snapshot, with what a guest came for, or where a rep's invites
        come from."""
        snapshot = self._calls.snapshot(user)
        if user.is_guest:
            view = snapshot.user.model_copy(update={"role": wire.UserRole.GUEST})
            return snapshot.model_copy(
                update={"user": view, "join": self._admission.join_of(user)}
            )
        if not self._board.has_invites(user.key.tenant):
            return snapshot
        view = snapshot.user.model_copy(
            update={"invites_from": self._invites_from(user)}
        )
        return snapshot.model_copy(update={"user": view})

    async def perform(self, user: User, method: str, params: Wire) -> Wire:
        """Raises RequestError as the others do."""
        policy.check(user, method)
        if method.startswith("invite."):
            return await self._service.perform(user, params)
        return await self._calls.perform(user, method, params)
