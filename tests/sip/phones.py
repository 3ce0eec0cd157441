"""A telephone of the library's own making, with everything that happens to it kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import sip
from sip.transport import Protocols

EventT = TypeVar("EventT")


class Phone:
    """One account on a user agent of its own.

    ``answers_with``: SDP given at once to whoever calls; None: it rings.
    """

    def __init__(
        self,
        user: str,
        *,
        domain: str,
        password: str,
        server: tuple[str, int],
        username: str | None = None,
        transport: Protocols | None = None,
        expires_s: int = 600,
        registers: bool = True,
        t1_s: float = 0.5,
    ) -> None:
        self.user = user
        self.domain = domain
        self.transport = transport
        self.expires_s = expires_s
        self.answers_with: str | None = None
        self.events: list[sip.CallEvent] = []
        self.states: list[sip.RegistrationState] = []
        self.calls: list[sip.IncomingCall] = []
        self.agent = sip.UserAgent(
            sip.AgentConfig(bind_host="127.0.0.1", t1_s=t1_s),
            rng=random.Random(f"{user}{id(self)}"),
        )
        self.agent.on_invite = self._on_invite
        self._username = username or user
        self._password = password
        self.server = server
        self._registers = registers
        self._signal = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.agent.start()
        host, port = self.server
        suffix = f";transport={self.transport}" if self.transport else ""
        self.account = sip.Account(
            aor=sip.Uri.parse(f"sip:{self.user}@{self.domain}"),
            username=self._username,
            password=sip.Secret(self._password),
            registrar=sip.Uri.parse(f"sip:{self.domain}"),
            outbound_proxies=(sip.Uri.parse(f"sip:{host}:{port}{suffix}"),),
            instance_id=f"urn:uuid:00000000-0000-0000-0000-{id(self):012x}",
            transport=self.transport,
            expires_s=self.expires_s,
        )
        if self._registers:
            self.registration = self.agent.registration(
                self.account, self._registration_changed
            )
            self.registration.start()
        else:
            self.agent.add_account(self.account)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.agent.close()

    def dial(self, user: str, offer: str | None = "v=0\r\n") -> sip.OutgoingCall:
        target = sip.Uri.parse(f"sip:{user}@{self.domain}")
        return self.agent.call(self.account, target, offer, self._on_event)

    async def registered(self) -> None:
        await self.reached("registered")

    async def reached(self, status: str) -> None:
        await self.until(
            lambda: bool(self.states) and self.states[-1].status == status,
            f"registration {status}",
        )

    async def called(self, count: int = 1) -> None:
        await self.until(lambda: len(self.calls) >= count, f"{count} calls")

    async def event(self, kind: type[EventT], *, count: int = 1) -> EventT:
        """The latest event of this kind, once there are ``count``."""

        def found() -> list[EventT]:
            return [event for event in self.events if isinstance(event, kind)]

        await self.until(lambda: len(found()) >= count, f"{count} {kind.__name__}")
        return found()[-1]

    async def outcome(self, event: sip.CallEvent) -> None:
        """Wait until exactly this was told."""
        await self.until(lambda: event in self.events, str(event))

    def hear(self, event: sip.CallEvent) -> None:
        """For calls that were made without :meth:`dial`."""
        self._on_event(event)

    def _on_invite(self, call: sip.IncomingCall) -> None:
        self.calls.append(call)
        call.on_event = self._on_event
        call.ring()
        if self.answers_with is not None:
            call.answer(self.answers_with)
        self._notify()

    def _on_event(self, event: sip.CallEvent) -> None:
        self.events.append(event)
        self._notify()

    def _registration_changed(self, state: sip.RegistrationState) -> None:
        self.states.append(state)
        self._notify()

    def _notify(self) -> None:
        self._signal.set()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until it holds; ``what`` is missed in the failure's text."""
        try:
            async with asyncio.timeout(10):
                while not holds():
                    self._signal.clear()
                    await self._signal.wait()
        except TimeoutError:
            raise AssertionError(
                f"{self.user}: no {what}; {self.events} {self.states}"
            ) from None
