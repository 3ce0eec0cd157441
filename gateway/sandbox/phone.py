"""The sandbox's telephones: a desk phone of the rep, and customers' phones.

Each is a small user agent that registers at the application server, rings, can be
answered, declined, and made to call; while it talks it says its recording and then
plays back what it hears, so that a person at the other end hears themselves.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import sip
from gateway.sandbox.sound import PhoneSound, recording

logger = logging.getLogger(__name__)


class PhoneState(enum.StrEnum):
    IDLE = "idle"
    CALLING = "calling"
    RINGING = "ringing"
    TALKING = "talking"


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """One phone. ``answers_after_s``: None waits for a person."""

    name: str
    label: str
    number: str
    password: str
    sound: str
    answers_after_s: float | None = None


class Phone:
    """One telephone; ``on_change`` is called after every change of state."""

    def __init__(
        self,
        config: PhoneConfig,
        *,
        domain: str,
        server: tuple[str, int],
        rng: random.Random,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.state = PhoneState.IDLE
        self.other_party = ""
        self.last_end = ""
        self.on_change = on_change
        self._domain = domain
        self._rng = rng
        host, port = server
        self._agent = sip.UserAgent(
            sip.AgentConfig(bind_host=host, bind_port=0, user_agent="Sandbox phone"),
            rng=rng,
        )
        self._agent.on_invite = self._on_invite
        self._account = sip.Account(
            aor=sip.Uri.parse(f"sip:{config.number}@{domain}"),
            display_name=config.label,
            username=config.number,
            password=sip.Secret(config.password),
            registrar=sip.Uri.parse(f"sip:{host}:{port}"),
            instance_id=f"sandbox-{config.name}",
        )
        self._host = host
        self._call: sip.Call | None = None
        self._sound: PhoneSound | None = None
        self._talk: asyncio.Task[None] | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._registration: sip.Registration | None = None

    async def start(self) -> None:
        """Register at the application server."""
        await self._agent.start()
        self._registration = self._agent.registration(
            self._account, lambda status: self.on_change()
        )
        self._registration.start()

    async def close(self) -> None:
        """Hang up and leave."""
        self.hang_up()
        self._free()
        await self._agent.close()
