"""A rep with several calls, for tests of what they do to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sip
from gateway.calls.call import Call
from gateway.media.engine import MediaCallId
from gateway.sessions import wire
from gateway.sessions.wire import CallView
from sip.sdp import Direction
from tests.gateway.calls.descriptions import audio_of, browser, phone
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, settle


@dataclass
class Office:
    """Robin's calls; their legs by id."""

    world: World
    legs: dict[str, FakeLeg] = field(default_factory=dict)
    # Re-INVITEs that have got their answer.
    answers: dict[str, int] = field(default_factory=dict)
    # What both sides agreed on last, as we wrote it.
    agreed: dict[str, Direction] = field(default_factory=dict)

    # Whom far ends have us call.
    wanted: dict[str, FakeLeg] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world.engine.speaks_sdp = True

    async def ask(self, method: str, **params: object) -> wire.Wire:
        made = wire.METHODS[method][0].model_validate({"op_id": "1", **params})
        result = await self.world.service.perform(ROBIN, method, made)
        await settle()
        return result

    async def dial(self, call_id: str, **params: object) -> FakeLeg:
        await self.ask(
            "call.create",
            call_id=call_id,
            to="+16465550175",
            offer=browser(),
            **params,
        )
        leg = self.legs[call_id] = self.world.telephony.legs[-1]
        return leg

    async def connect(self, call_id: str, **params: object) -> FakeLeg:
        leg = await self.dial(call_id, **params)
        await self.answered(call_id)
        return leg

    async def answered(self, call_id: str) -> None:
        """The far end takes it."""
        self.legs[call_id].on_event(sip.Answered(sdp=phone()))
        await settle()

    async def ring(self) -> str:
        """Somebody calls; gives the call's id."""
        known = set(self.views)
        leg = FakeLeg(self.world.accounts[ROBIN.key], offer=phone())
        self.world.service.on_invite(leg)
        await settle()
        (call_id,) = set(self.views) - known
        self.legs[call_id] = leg
        return call_id

    async def agree(self, call_id: str, audio: Direction | None = None) -> None:
        """The far end answers our re-INVITE as it may."""
        offered = audio_of(self.offers(call_id)[-1])
        theirs = phone(audio=audio or offered.mirrored)
        self.answers[call_id] = len(self.offers(call_id))
        self.agreed[call_id] = offered
        self.legs[call_id].on_event(sip.OfferAnswered(sdp=theirs))
        await settle()

    async def agree_all(self) -> None:
        """Every far end that was asked something agrees, until nobody is asked."""
        while asked := [c for c in self.views if self.is_asked(c)]:
            for call_id in asked:
                await self.agree(call_id)

    def is_asked(self, call_id: str) -> bool:
        """Whether a re-INVITE of ours is open."""
        return len(self.offers(call_id)) > self.answers.get(call_id, 0)

    async def offer(self, call_id: str, audio: Direction) -> None:
        """The far end changes its mind."""
        leg = self.legs[call_id]
        leg.on_event(sip.Offer(sdp=phone(audio=audio)))
        await settle()
        ours = [did[1] for did in leg.did if did[0] == "accept_offer"]
        self.agreed[call_id] = audio_of(ours[-1])

    async def refuse(self, call_id: str, status: int) -> None:
        """It does not."""
        self.answers[call_id] = len(self.offers(call_id))
        self.legs[call_id].on_event(sip.OfferFailed(status=status))
        await settle()

    async def hang_up(self, call_id: str) -> None:
        """The far end does."""
        self.legs[call_id].on_event(sip.RemoteHangup())
        await settle()

    # Who takes its place --------------------------------------------------------------

    async def refer(self, call_id: str, target: str, **more: Any) -> FakeLeg | None:
        """The far end wants us to call somebody; gives the leg, if we do."""
        known = len(self.world.telephony.legs)
        wish = sip.TransferRequested(sip.Uri.parse(target), **more)
        self.legs[call_id].on_event(wish)
        await settle()
        legs: list[FakeLeg] = self.world.telephony.legs[known:]
        if legs:
            self.wanted[call_id] = legs[0]
        return legs[0] if legs else None

    async def wanted_answers(self, call_id: str, *, audio: Direction) -> FakeLeg:
        """Whom the far end had us call takes its place, if that is wanted still; gives
        the leg that was the call's."""
        old, new = self.legs[call_id], self.wanted.pop(call_id)
        offers = [sdp for to, sdp in self.world.telephony.dialled if "2025550143" in to]
        new.on_event(sip.Answered(phone(audio=audio)))
        await settle()
        if call_id in self.views and self.call(call_id).has_leg(new):
            self._succeed(call_id, new, offers[-1])
        return old

    async def replace(self, call_id: str, theirs: Direction) -> FakeLeg:
        """An INVITE takes the far end's place; gives the leg that was the call's."""
        old = self.legs[call_id]
        remote = "<sip:+12025550166@acme.example>"
        account = self.world.accounts[ROBIN.key]
        new = FakeLeg(account, offer=phone(audio=theirs), remote=remote)
        new.replaced = old
        self.world.service.on_invite(new)
        await settle()
        if new.did and new.did[-1][0] == "answer":
            self._succeed(call_id, new, new.did[-1][1])
        return old

    def _succeed(self, call_id: str, leg: FakeLeg, told: str) -> None:
        self.legs[call_id] = leg
        self.answers[call_id] = 0
        self.agreed[call_id] = audio_of(told)

    # What can be seen -----------------------------------------------------------------

    @property
    def views(self) -> dict[str, CallView]:
        calls = self.world.service.snapshot(ROBIN).calls
        return {view.call_id: view for view in calls if view.end_reason is None}

    @property
    def held(self) -> set[str]:
        return {call_id for call_id, view in self.views.items() if view.held_here}

    def call(self, call_id: str) -> Call:
        return self.world.service.board.desks[ROBIN.key].calls[call_id]

    def media(self, call_id: str) -> MediaCallId:
        return self.call(call_id).media_id

    def engine_holds(self, call_id: str) -> bool:
        return self.world.engine.held.get(self.media(call_id), False)

    def hears(self, call_id: str) -> set[str]:
        """Whose far ends this one's hears, besides the rep."""
        others = self.world.engine.heard.get(self.media(call_id), frozenset())
        return {other for other in self.views if self.media(other) in others}

    def offers(self, call_id: str) -> list[str]:
        """Our re-INVITEs."""
        return [did[1] for did in self.legs[call_id].did if did[0] == "reinvite"]

    def directions(self, call_id: str) -> list[Direction]:
        return [audio_of(sdp) for sdp in self.offers(call_id)]
