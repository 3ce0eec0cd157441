"""Stands before the calls: whom to call, and what tenants want of the widget."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.calls import policy
from gateway.calls.directory import Directory
from gateway.calls.people import crm_user
from gateway.crm.connector import Connector
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import Backend
from gateway.sessions.owned_tasks import OwnedTasks
from gateway.sessions.wire import PopsByCallType, Wire


class PeopleBackend:
    """A :class:`Backend`; :meth:`close` it before the connectors.

    Args:
        pops: by tenant, what is to be shown of a call.
    """

    def __init__(
        self,
        calls: Backend,
        directory: Directory,
        *,
        pops: Mapping[str, PopsByCallType],
        connectors: Mapping[str, Connector],
    ) -> None:
        self._calls = calls
        self._directory = directory
        self._pops = pops
        self._connectors = connectors
        self._tasks = OwnedTasks()

    async def close(self) -> None:
        """Give up what is being prepared."""
        await self._tasks.close()

    async def session_opened(self, user: User) -> None:
        """Get the CRM ready as well: the first caller shall not wait for that."""
        await self._calls.session_opened(user)
        connector = self._connectors.get(user.key.tenant)
        if connector is not None and not user.is_guest:
            self._tasks.spawn(
                connector.prepare(crm_user(user)), name=f"CRM of {user.key}"
            )

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        await self._calls.session_closed(user, signed_out=signed_out)

    def session_attached(self, user: User) -> None:
        self._calls.session_attached(user)

    def session_detached(self, user: User) -> None:
        self._calls.session_detached(user)

    def snapshot(self, user: User) -> wire.Snapshot:
        """The calls' snapshot, with what is to pop."""
        snapshot = self._calls.snapshot(user)
        pops = self._pops.get(user.key.tenant)
        if pops is None or user.is_guest:
            return snapshot
        rules = snapshot.rules.model_copy(update={"pops": pops})
        return snapshot.model_copy(update={"rules": rules})

    async def perform(self, user: User, method: str, params: Wire) -> Wire:
        """Raises RequestError as the others do."""
        policy.check(user, method)
        match params:
            case wire.DirectorySearch():
                return await self._directory.search(user, params.text)
            case wire.FavouriteSet():
                await self._directory.set_favourite(user, params)
                return wire.Empty()
            case _:
                return await self._calls.perform(user, method, params)
