"""Telephones and a rep that say tones of their own, so that who hears whom is told.

The rep's side is a scripted browser; :class:`FarEnd` is a phone of our own library's,
for what is to be heard through a hold (baresip's recording ends there).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import sip
from gateway.media.relay.codecs import CODECS
from sip.sdp import Direction, SessionDescription
from tests.gateway.media.mix_rig import Ear, Voice
from tests.gateway.media.rig import Browser
from tests.gateway.media.rig import Phone as Media
from tests.sip.phones import Phone
from tests.system.kamailio import Kamailio
from tests.system.waiting import until
from tests.system.wire_client import WireClient

PCMU = CODECS["pcmu"]


class FarEnd(Phone):
    """A phone of the library's that answers at once, says a tone, and listens."""

    def __init__(self, user: str, proxy: Kamailio, says: float) -> None:
        super().__init__(
            user,
            domain=proxy.domain,
            password="secret",
            server=(proxy.host, proxy.port),
        )
        self.says = says
        self.media = Media()
        self.ear = Ear(self.media.inbox, PCMU, 0)
        # As the gateway described its own side.
        self.directions: list[Direction] = []

    def _on_invite(self, call: sip.IncomingCall) -> None:
        self._learn(call.remote_offer)
        self.answers_with = self.media.sdp()
        super()._on_invite(call)

    def _on_event(self, event: sip.CallEvent) -> None:
        if isinstance(event, sip.Offer):
            ours = self._learn(event.sdp).mirrored
            version = len(self.directions)
            sdp = self.media.sdp(direction=str(ours), version=version)
            self.calls[-1].accept_offer(sdp)
        super()._on_event(event)

    def _learn(self, sdp: str | None) -> Direction:
        assert sdp is not None
        self.media.learn(sdp)
        description = SessionDescription.parse(sdp)
        self.directions.append(description.direction(description.media[0]))
        return self.directions[-1]

    async def described(self, *directions: Direction) -> None:
        """Wait until that was said of our side, and no more than that."""
        await self.until(lambda: tuple(self.directions) == directions, f"{directions}")


AFarEnd = TypeVar("AFarEnd", bound=FarEnd)


@dataclass
class OwnCall:
    """A call as the rep's browser has it."""

    call_id: str
    browser: Browser
    ear: Ear


@dataclass
class Desk:
    """A rep with a scripted browser."""

    client: WireClient
    stack: AsyncExitStack

    async def dial(self, number: str, says: float, **params: str) -> OwnCall:
        call_id = str(uuid.uuid4())
        browser = Browser()
        offer = await browser.offer(codecs=("PCMU", "te8"))
        made = await self.client.command(
            "call.create", call_id=call_id, to=number, offer=offer, **params
        )
        return await self._talk(OwnCall(call_id, browser, _ear(browser)), made, says)

    async def answer(self, call_id: str, says: float) -> OwnCall:
        browser = Browser()
        offer = await browser.offer(codecs=("PCMU", "te8"))
        taken = await self.client.command(
            "call.answer", call_id=call_id, offer=offer, generation=1
        )
        return await self._talk(OwnCall(call_id, browser, _ear(browser)), taken, says)

    async def _talk(
        self, call: OwnCall, result: dict[str, str], says: float
    ) -> OwnCall:
        await call.browser.connect(result["answer"])
        self.stack.push_async_callback(call.browser.close)
        voice = Voice(call.browser, PCMU, 0, says)
        self.stack.push_async_callback(voice.stop)
        return call

    async def do(self, method: str, **params: object) -> dict[str, Any]:
        result = await self.client.command(method, **params)
        view: dict[str, Any] = result.get("call", {})
        return view

    async def shows(self, call: OwnCall, **fields: object) -> None:
        """Wait until the newest news of a call say this."""

        def newest() -> dict[str, object]:
            return next(
                (
                    event["call"]
                    for event in reversed(self.client.events)
                    if event.get("call", {}).get("call_id") == call.call_id
                ),
                {},
            )

        async def is_so() -> bool:
            view = newest()
            return all(view.get(name) == value for name, value in fields.items())

        await until(is_so, f"{fields}")


def _ear(browser: Browser) -> Ear:
    return Ear(browser.inbox, PCMU, 0)


@asynccontextmanager
async def far_end(
    proxy: Kamailio, user: str, says: float, kind: type[AFarEnd] = FarEnd
) -> AsyncIterator[AFarEnd]:
    await proxy.add_user(user, "secret")
    async with kind(user, proxy, says) as phone:
        await phone.media.start()
        voice = Voice(phone.media, PCMU, 0, says)
        try:
            await phone.registered()
            yield phone
        finally:
            await voice.stop()
            phone.media.close()
