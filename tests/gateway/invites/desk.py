"""Invites in virtual time, as the service has them, with what they tell others."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.tokens import AccessGrant, AccessTokens, SigningKey
from gateway.identity.users import User, UserKey
from gateway.invites.admission import Admission, Seat
from gateway.invites.board import Board, TenantInvites
from gateway.invites.guests import GuestBook
from gateway.invites.links import Links
from gateway.invites.model import InviteKey
from gateway.invites.service import InviteService
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, InviteView
from gateway.storage import Database
from gateway.storage.invites import InviteStore
from gateway.storage.mails import MailStore
from tests.gateway.invites.samples import (
    PUBLIC_URL,
    ROBIN,
    SECRET,
    USERS,
    News,
    VirtualTime,
    a_draft,
)

SETTINGS = TenantInvites(
    language="en",
    open_before_s=600,
    max_per_user_and_day=20,
    sender="invites@acme.example",
)


class Desk:
    """``ended``: invites whose calls were ended, ``moved``: whose calls end at another
    time; ``expelled``: guests put out."""

    def __init__(
        self,
        database: Database,
        *,
        time: VirtualTime | None = None,
        settings: TenantInvites = SETTINGS,
    ) -> None:
        self.time = time or VirtualTime()
        self.news = News()
        self.ended: list[InviteKey] = []
        self.moved: list[tuple[InviteKey, float]] = []
        self.expelled: list[UserKey] = []
        self.woken = 0
        self.revoked: list[AccessGrant] = []
        self.store = InviteStore(database)
        self.mails = MailStore(database, owner="main")
        self.links = Links(SECRET, public_url=PUBLIC_URL)
        self.book = GuestBook(
            InMemoryUserDirectory(
                [TenantIdentity("acme"), TenantIdentity("evil")], USERS
            )
        )
        self.board = Board(
            self.store,
            self.book,
            self.news,
            {"acme": settings, "evil": settings},
            now=self.time,
        )
        ids = itertools.count(1)
        self.service = InviteService(
            self.board,
            self.links,
            end_calls=self._end_calls,
            move_calls=lambda key, ends_at: self.moved.append((key, ends_at)),
            expel=self.expelled.append,
            wake_mails=self._wake,
            later=self.time.later,
            random_bytes=lambda size: next(ids).to_bytes(size, "big"),
        )
        self.admission = Admission(self.board, self.links, uid_host="calls.example")
        self.tokens = AccessTokens(
            [SigningKey("1", "HS256", SECRET)],
            public_url=PUBLIC_URL,
            clock=self.time,
            random_id=lambda: str(next(ids)),
        )
        self._ops = itertools.count(1)

    async def _end_calls(self, key: InviteKey) -> None:
        self.ended.append(key)

    def _wake(self) -> None:
        self.woken += 1

    async def close(self) -> None:
        await self.service.close()
        await self.admission.close()

    # As a rep -------------------------------------------------------------------------

    async def ask(self, params: wire.Wire, user: User = ROBIN) -> Any:
        return await self.service.perform(user, params)

    async def refused(self, params: wire.Wire, user: User = ROBIN) -> ErrorKind:
        try:
            answer = await self.ask(params, user)
        except RequestError as error:
            return error.kind
        raise AssertionError(f"it was done: {answer}")

    def op(self) -> str:
        return f"op-{next(self._ops)}"

    async def create(
        self, name: str = "invite-1", user: User = ROBIN, **changes: Any
    ) -> InviteView:
        params = wire.InviteCreate(
            op_id=self.op(), invite_id=name, invite=a_draft(**changes)
        )
        result = await self.ask(params, user)
        view: InviteView = result.invite
        return view

    async def link(self, view: InviteView, guest: int = 0, user: User = ROBIN) -> str:
        """The token of a guest's link."""
        params = wire.InviteLink(
            invite_id=view.invite_id, guest_id=view.guests[guest].guest_id
        )
        url: str = (await self.ask(params, user)).url
        prefix = f"{PUBLIC_URL}/join/"
        assert url.startswith(prefix)
        return url.removeprefix(prefix)

    async def current(self, name: str = "invite-1", tenant: str = "acme") -> Any:
        return await self.store.get(InviteKey(tenant, name))

    def updates(self, user: User = ROBIN) -> list[InviteView]:
        return [f["invite"] for f in self.news.of(user.key, wire.InviteUpdatedEvent)]

    def endings(self, key: UserKey = ROBIN.key) -> list[int]:
        return [f["ends_at"] for f in self.news.of(key, wire.InviteEndingEvent)]

    # As a guest -----------------------------------------------------------------------

    async def seat(self, token: str, browser: str = "phone") -> Seat | None:
        return await self.admission.find(token, browser)

    async def state(self, token: str, browser: str = "phone") -> wire.JoinState:
        seat = await self.seat(token, browser)
        return wire.JoinState.UNKNOWN if seat is None else seat.state

    async def enter(
        self, token: str, browser: str = "phone", name: str = "Ana"
    ) -> User:
        seat = await self.seat(token, browser)
        assert seat is not None
        user, _ = await self.admission.enter(
            seat, name, issue=self.issue, revoke=lambda _, g: self.revoked.append(g)
        )
        return user

    def issue(self, user: UserKey) -> tuple[str, AccessGrant]:
        token = self.tokens.issue(user)
        return token, self.tokens.verify(token)

    # Time -----------------------------------------------------------------------------

    async def pass_to(self, at: float) -> None:
        await self.time.pass_to(at, self.settle)

    async def settle(self) -> None:
        """Until nothing of the service's own runs any more."""
        await self._idle(lambda: not (self.service._tasks or self.admission._tasks))

    async def _idle(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
