"""A scripted backend, an in-memory socket and a whole small service for the tests."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.tickets import Tickets
from gateway.identity.tokens import AccessGrant
from gateway.identity.users import User, UserKey
from gateway.sessions import wire
from gateway.sessions.backend import Publisher, RequestError
from gateway.sessions.conversation import Conversation
from gateway.sessions.directory import SessionDirectory, SessionLimits
from gateway.sessions.session import SessionEvents
from gateway.sessions.wire import (
    CallDirection,
    CallState,
    CallView,
    ErrorKind,
    Match,
    MatchState,
    Peer,
    Snapshot,
    Wire,
)

ANA = User(UserKey("acme", "ana"), "Ana Ruiz", "1001", crm_user_id="005000000000001AAA")
BEN = User(UserKey("acme", "ben"), "Ben Okri", "1002")
EVE = User(UserKey("evil", "ana"), "Eve", "1001", crm_user_id="005000000000001AAA")
USERS = (ANA, BEN, EVE)

OFFER = "v=0\r\n"


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


async def eventually(is_so: Callable[[], bool]) -> None:
    """Let the loop run until something is so; twenty seconds are a failure."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0)


def counting_bytes() -> Callable[[int], bytes]:
    """Different bytes each time, the same in every run."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def call_view(call_id: str, state: CallState = CallState.RINGING) -> CallView:
    return CallView(
        call_id=call_id,
        direction=CallDirection.INBOUND,
        state=state,
        peer=Peer(number="+16465550175"),
        match=Match(state=MatchState.SEARCHING),
        started_at=1,
    )


class FakeBackend:
    """Keeps calls per user and does what the browser asks, at once.

    ``hooks[method]`` replaces what a method does; ``log`` has everything in order.
    """

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.log: list[tuple[str, str]] = []
        self.calls: dict[UserKey, dict[str, CallView]] = {}
        self.hooks: dict[str, Callable[[User, Wire], Awaitable[Wire]]] = {}
        self.performed: list[tuple[UserKey, str, Wire]] = []
        self.open_gate: asyncio.Event | None = None
        self.close_gate: asyncio.Event | None = None
        self.failing: set[str] = set()

    def _note(self, what: str, user: User) -> None:
        self.log.append((what, str(user.key)))
        if what in self.failing:
            raise LookupError(f"scripted failure of {what}")

    async def session_opened(self, user: User) -> None:
        self._note("opened", user)
        if self.open_gate is not None:
            await self.open_gate.wait()

    async def session_closed(self, user: User, *, signed_out: bool) -> None:
        self._note("signed_out" if signed_out else "closed", user)
        if self.close_gate is not None:
            await self.close_gate.wait()
        self.calls.pop(user.key, None)

    def session_attached(self, user: User) -> None:
        self._note("attached", user)

    def session_detached(self, user: User) -> None:
        self._note("detached", user)

    def snapshot(self, user: User) -> Snapshot:
        self._note("snapshot", user)
        return Snapshot(
            user=wire.UserView(
                id=user.key.user,
                name=user.name,
                number=user.number,
                tenant=user.key.tenant,
            ),
            registration=wire.Registration(state=wire.RegistrationState.REGISTERED),
            calls=tuple(self.calls.get(user.key, {}).values()),
            server_time=0,
        )

    def ring(self, user: User, call_id: str) -> None:
        """A call comes in."""
        view = call_view(call_id)
        self.calls.setdefault(user.key, {})[call_id] = view
        self.publisher.publish(user.key, wire.CallIncomingEvent, call=view)

    async def perform(self, user: User, method: str, params: Wire) -> Wire:
        self.performed.append((user.key, method, params))
        hook = self.hooks.get(method)
        if hook is not None:
            return await hook(user, params)
        match params:
            case wire.CallCreate() | wire.CallJoin():
                view = call_view(params.call_id, CallState.CALLING)
                self.calls.setdefault(user.key, {})[params.call_id] = view
                return wire.CallAnswerResult(call=view, answer="v=0\r\n")
            case wire.CallAnswer():
                view = self._call(user, params.call_id)
                self.publisher.publish(user.key, wire.CallAnsweredEvent, call=view)
                return wire.CallAnswerResult(call=view)
            case (
                wire.CallHold()
                | wire.CallRetrieve()
                | wire.CallSplit()
                | wire.CallTransfer()
            ):
                return wire.CallResult(call=self._call(user, params.call_id))
            case wire.CallHangup() | wire.CallReject() | wire.CallChooseRecord():
                view = self._call(user, params.call_id)
                self.publisher.publish(user.key, wire.CallEndedEvent, call=view)
                return wire.CallResult(call=view)
            case wire.CallMedia():
                self._call(user, params.call_id)
                return wire.CallMediaResult(
                    answer="v=0\r\n", generation=params.generation
                )
            case wire.WorkChange() | wire.WorkSave() | wire.ActivityRetry():
                return wire.CallResult(call=self._call(user, params.call_id))
            case wire.CallHold() | wire.CallRetrieve() | wire.CallSplit():
                return wire.CallResult(call=self._call(user, params.call_id))
            case wire.CallDtmf() | wire.CallTrickle():
                self._call(user, params.call_id)
                return wire.Empty()
            case wire.ContactCreate():
                if params.call_id is not None:
                    self._call(user, params.call_id)
                record = wire.Record(id="003", kind="Contact", name=params.last_name)
                return wire.ContactCreateResult(record=record)
            case wire.HistoryList():
                calls = tuple(self.calls.get(user.key, {}).values())
                return wire.HistoryListResult(calls=calls)
            case wire.DirectorySearch():
                return wire.DirectorySearchResult()
            case wire.InviteList():
                return wire.InviteListResult(invites=())
            case _ if method.startswith("invite."):
                raise RequestError(ErrorKind.INVITE_UNKNOWN, "There is no such invite.")
            case _:
                return wire.Empty()

    def _call(self, user: User, call_id: str) -> CallView:
        try:
            return self.calls.get(user.key, {})[call_id]
        except KeyError:
            raise RequestError(
                ErrorKind.CALL_UNKNOWN, "There is no such call."
            ) from None


@dataclass(eq=False)
class MemoryOutlet:
    """What a socket was told: frames as objects, and its close."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    closed: tuple[int, str] | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, frame: str) -> None:
        if self.closed is None:
            self.frames.append(json.loads(frame))
            self.arrived.set()

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.arrived.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [f["params"] for f in self.frames if f.get("method") == "event"]

    def response(self, request_id: int) -> dict[str, Any] | None:
        return next((f for f in self.frames if f.get("id") == request_id), None)

    async def until(self, is_there: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_there():
                self.arrived.clear()
                await self.arrived.wait()


class Page:
    """One page on one in-memory socket."""

    def __init__(self, world: World, instance_id: str = "page-1") -> None:
        self.world = world
        self.instance_id = instance_id
        self.outlet = MemoryOutlet()
        self.conversation = Conversation(
            world.directory, self.outlet, clock=world.clock
        )
        self._ids = itertools.count(1)
        self.session_id = ""
        self.token = ""

    async def say(self, method: str, **params: Any) -> int:
        """Send a request; its id."""
        request_id = next(self._ids)
        frame = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        await self.conversation.receive(json.dumps(frame))
        return request_id

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its response."""
        request_id = await self.say(method, **params)
        await self.outlet.until(lambda: self.outlet.response(request_id) is not None)
        response = self.outlet.response(request_id)
        assert response is not None
        return response

    async def result(self, method: str, **params: Any) -> dict[str, Any]:
        response = await self.ask(method, **params)
        assert "result" in response, response
        result: dict[str, Any] = response["result"]
        return result

    async def kind(self, method: str, **params: Any) -> str:
        """The error kind that a request gets."""
        response = await self.ask(method, **params)
        assert "error" in response, response
        kind: str = response["error"]["data"]["kind"]
        return kind

    async def hello(self, user: User = ANA, **more: Any) -> dict[str, Any]:
        params = self.hello_params(user) | more
        result = await self.result("session.hello", **params)
        self.session_id, self.token = result["session_id"], result["resume_token"]
        return result

    def hello_params(self, user: User = ANA) -> dict[str, Any]:
        return {
            "ticket": self.world.ticket(user),
            "client": {
                "name": "test",
                "version": "1",
                "instance_id": self.instance_id,
            },
        }

    async def resume(self, old: Page, last_seq: int) -> dict[str, Any]:
        result = await self.result(
            "session.resume",
            session_id=old.session_id,
            resume_token=old.token,
            instance_id=self.instance_id,
            last_seq=last_seq,
        )
        self.session_id, self.token = old.session_id, result["resume_token"]
        return result


class World:
    """A directory, its backend and its users, in virtual time."""

    def __init__(self, *, limits: SessionLimits | None = None) -> None:
        self.clock = Clock()
        self.revoked: list[AccessGrant] = []
        random_bytes = counting_bytes()
        self.users = InMemoryUserDirectory(
            [TenantIdentity("acme"), TenantIdentity("evil")], USERS
        )
        self.tickets = Tickets(clock=self.clock, random_bytes=random_bytes)
        events = SessionEvents(clock=self.clock, wall_clock=self.clock)
        self.backend = FakeBackend(events)
        self.directory = SessionDirectory(
            self.backend,
            users=self.users,
            tickets=self.tickets,
            events=events,
            clock=self.clock,
            wall_clock=self.clock,
            random_bytes=random_bytes,
            limits=limits,
            revoke=self.revoked.append,
        )

    def ticket(self, user: User = ANA) -> str:
        return self.tickets.issue(
            AccessGrant(user.key, f"token-of-{user.key}", self.clock() + 60)
        )

    def page(self, instance_id: str = "page-1") -> Page:
        return Page(self, instance_id)
