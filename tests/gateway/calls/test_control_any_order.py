"""Several calls of one rep, whatever happens to them and in any order."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

import sip
from gateway.calls.referrals import TransfersFromOutside
from gateway.calls.succession import FAREWELL_S
from gateway.media.engine import MediaErrorKind
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import CallState, CallView, TransferState
from sip.sdp import Direction
from tests.gateway.calls.descriptions import browser, phone
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, settle
from tests.gateway.calls.office import Office


def _has_ended(leg: FakeLeg) -> bool:
    """By us."""
    return any(did[0] in ("hangup", "reject") for did in leg.did)


# Which of the calls that are there, as far as there are so many.
CHOICE = st.integers(min_value=0, max_value=5)
UP = (CallState.CALLING, CallState.ALERTING, CallState.ACTIVE)
# The far end sends in all of them, so that our answer says whether we receive.
ANSWERED = [sip.Answered(sdp=phone())] * 2
TO = st.one_of(st.none(), CHOICE)
REFUSAL = st.sampled_from([0, 405, 603])
ANSWER = st.sampled_from([None, sip.Progress(180, None), *ANSWERED])
THEIRS = st.sampled_from([Direction.SENDRECV, Direction.SENDONLY])


class AnyOrder(RuleBasedStateMachine):
    """The far ends answer re-INVITEs when a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.names = 0
        self.generation = 1
        # Calls of which a far end refused something: it was not told what is so.
        self.untold: set[str] = set()
        # How many REFERs each leg has had.
        self.refers: dict[int, int] = {}
        # Legs that were answered to the gateway, and those that ended by themselves.
        self.reached: list[FakeLeg] = []
        self.gone: list[FakeLeg] = []
        self.run(self._begin())

    async def _begin(self) -> None:
        self.world = World(transfers=TransfersFromOutside.ALLOW)
        self.office = Office(self.world)
        self.task = asyncio.create_task(self.world.service.run())
        await self.world.service.session_opened(ROBIN)

    def teardown(self) -> None:
        self.run(self._end())
        self.runner.close()

    async def _end(self) -> None:
        for call_id in self.office.views:
            await self._ask("call.hangup", call_id=call_id)
        assert len(self.world.journal.over) == len(self.world.journal.begun)
        desk = self.world.service.board.desks[ROBIN.key]
        assert (desk.calls, desk.floor, desk.conferences.seats) == ({}, "", {})
        # Whom nobody has said good-bye to.
        self.world.clock.advance(FAREWELL_S)
        await self.world.service.close()
        await asyncio.wait_for(self.task, 5)
        assert self.world.engine.open_calls == set()
        assert self.world.clock.waiting == 0

    # ----------------------------------------------------------------------------------

    def _pick(self, choice: int, *states: CallState) -> str:
        found = [
            call_id
            for call_id, view in self.office.views.items()
            if not states or view.state in states
        ]
        return found[choice % len(found)] if found else ""

    async def _ask(self, method: str, **params: object) -> None:
        try:
            await self.office.ask(method, **params)
        except RequestError:
            # Whether it may be is said by other tests; here: what it leaves behind.
            await settle()

    @initialize(
        count=st.integers(min_value=0, max_value=4),
        transfers=st.lists(st.tuples(CHOICE, TO, REFUSAL, ANSWER), max_size=3),
    )
    def have(
        self,
        count: int,
        transfers: list[tuple[int, int | None, int, sip.CallEvent | None]],
    ) -> None:
        for _ in range(count):
            self.dial()
            self.run(self.office.answered(f"c{self.names}"))
        self.run(self.office.agree_all())
        for each in transfers:
            self.transfer(*each)

    # What the rep does ----------------------------------------------------------------

    @rule()
    def dial(self) -> None:
        self.names += 1
        self.run(self._dial(f"c{self.names}"))

    async def _dial(self, call_id: str) -> None:
        try:
            await self.office.dial(call_id)
        except RequestError:
            await settle()

    @rule(choice=CHOICE)
    def answer(self, choice: int) -> None:
        if call_id := self._pick(choice, CallState.RINGING):
            self.run(self._ask("call.answer", call_id=call_id, offer=browser()))

    @rule(choice=CHOICE, method=st.sampled_from(["hold", "retrieve", "split"]))
    def control(self, choice: int, method: str) -> None:
        if call_id := self._pick(choice):
            self.run(self._ask(f"call.{method}", call_id=call_id))

    @rule(first=CHOICE, second=CHOICE)
    def merge(self, first: int, second: int) -> None:
        call_ids = [self._pick(choice, *UP) for choice in (first, second)]
        if all(call_ids):
            self.run(self._ask("call.merge", call_ids=call_ids))

    @rule(first=CHOICE, second=CHOICE)
    def at_once(self, first: int, second: int) -> None:
        """What the rep asks for of two pages at the same moment."""
        here, there = self._pick(first, *UP), self._pick(second, *UP)
        if here:
            self.run(self._at_once(here, there))

    async def _at_once(self, here: str, there: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask("call.retrieve", call_id=here))
            group.create_task(self._ask("call.merge", call_ids=[here, there]))
            group.create_task(self._ask("call.retrieve", call_id=there))

    @rule(ringing=CHOICE, calling=CHOICE)
    def meet(self, ringing: int, calling: int) -> None:
        """The rep answers and dials while somebody answers."""
        taken = self._pick(ringing, CallState.RINGING)
        called = self._pick(calling, CallState.CALLING)
        self.run(self._meet(taken, called))

    async def _meet(self, taken: str, called: str) -> None:
        self.names += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(
                self._ask("call.answer", call_id=taken or "none", offer=browser())
            )
            group.create_task(self._dial(f"c{self.names}"))
            if called:
                group.create_task(self.office.answered(called))

    @rule(choice=CHOICE, to=TO, refusal=REFUSAL, answer=ANSWER)
    def transfer(
        self, choice: int, to: int | None, refusal: int, answer: sip.CallEvent | None
    ) -> None:
        """Far into it at once: steps of its own are too rare to get there."""
        call_id = self._pick(choice, CallState.ACTIVE)
        if not call_id:
            return
        target = {"to": "1004"}
        if to is not None:
            target = {"to_call": self._pick(to, CallState.ACTIVE)}
        self.run(self._ask("call.transfer", call_id=call_id, **target))
        self.one_refer_at_a_time()
        if self.office.is_asked(call_id):
            self.run(self.office.agree(call_id))
            self.one_refer_at_a_time()
        if refusal and self.office.legs[call_id].is_referring:
            self._report(self.office.legs[call_id], sip.TransferRefused(refusal))
            if answer is not None:
                self.the_target_says(0, answer)

    @rule(choice=CHOICE)
    def hang_up(self, choice: int) -> None:
        if call_id := self._pick(choice):
            self.run(self._ask("call.hangup", call_id=call_id))

    @rule(choice=CHOICE)
    def reload(self, choice: int) -> None:
        if call_id := self._pick(choice, *UP):
            self.run(self._renew(call_id))

    async def _renew(self, call_id: str) -> None:
        self.generation += 1
        await self._ask(
            "call.media",
            call_id=call_id,
            offer=browser(version=self.generation),
            generation=self.generation,
        )

    # What others do -------------------------------------------------------------------

    @rule()
    def ring(self) -> None:
        if len(self.office.views) < self.world.services.limits.max_per_user:
            self.run(self.office.ring())

    @rule(choice=CHOICE)
    def is_answered(self, choice: int) -> None:
        if call_id := self._pick(choice, CallState.CALLING, CallState.ALERTING):
            self.run(self.office.answered(call_id))

    @rule(choice=CHOICE)
    def hung_up(self, choice: int) -> None:
        if call_id := self._pick(choice, CallState.ACTIVE):
            self.gone.append(self.office.legs[call_id])
            self.run(self.office.hang_up(call_id))

    @rule(choice=CHOICE)
    def agrees(self, choice: int) -> None:
        call_id = self._pick(choice, CallState.ACTIVE)
        if call_id and self.office.is_asked(call_id):
            self.run(self.office.agree(call_id))

    @rule(choice=CHOICE, status=st.sampled_from([488, 491, 500]))
    def refuses(self, choice: int, status: int) -> None:
        call_id = self._pick(choice, CallState.ACTIVE)
        if call_id and self.office.is_asked(call_id):
            if status != 491:
                self.untold.add(call_id)
            self.run(self.office.refuse(call_id, status))

    @rule(choice=CHOICE, status=st.sampled_from([100, 180, 200, 404, 603, None]))
    def reports(self, choice: int, status: int | None) -> None:
        """Of a REFER."""
        if leg := self._referred(choice):
            is_final = status is None or status >= 200
            self._report(leg, sip.TransferProgress(status, is_final))

    @rule(choice=CHOICE, status=st.sampled_from([405, 603]))
    def does_not_transfer(self, choice: int, status: int) -> None:
        if leg := self._referred(choice):
            self._report(leg, sip.TransferRefused(status))

    def _report(
        self, leg: FakeLeg, event: sip.TransferProgress | sip.TransferRefused
    ) -> None:
        leg.is_referring = isinstance(event, sip.TransferProgress) and (
            not event.is_final
        )
        leg.on_event(event)
        self.run(settle())

    def _referred(self, choice: int) -> FakeLeg | None:
        """A far end that has not said yet what becomes of our REFER."""
        found = [leg for leg in self._legs() if leg.is_referring]
        return found[choice % len(found)] if found else None

    def _legs(self) -> list[FakeLeg]:
        """Those that have not ended."""
        legs = [*self.office.legs.values(), *self._targets()]
        return [leg for leg in legs if leg not in self.gone and not _has_ended(leg)]

    def _targets(self) -> list[FakeLeg]:
        """Whom the gateway has called."""
        own = self.office.legs.values()
        return [leg for leg in self.world.telephony.legs if leg not in own]

    @rule(
        choice=CHOICE,
        event=st.sampled_from([sip.Progress(180, None), sip.Rejected(486), *ANSWERED]),
    )
    def the_target_says(self, choice: int, event: sip.CallEvent) -> None:
        """Of the gateway's own call to it."""
        found = [leg for leg in self._targets() if leg in self._legs()]
        found = [leg for leg in found if leg not in self.reached]
        if found:
            leg = found[choice % len(found)]
            if isinstance(event, sip.Answered):
                self.reached.append(leg)
            elif isinstance(event, sip.Rejected):
                self.gone.append(leg)
            leg.on_event(event)
            self.run(settle())

    @rule(choice=CHOICE)
    def one_of_the_joined_hangs_up(self, choice: int) -> None:
        views = self.office.views
        own = [leg for name, leg in self.office.legs.items() if name not in views]
        left = [leg for leg in (*own, *self.reached) if leg in self._legs()]
        if left:
            leg = left[choice % len(left)]
            self.gone.append(leg)
            leg.on_event(sip.RemoteHangup())
            self.run(settle())

    @rule(choice=CHOICE, theirs=THEIRS)
    def offers(self, choice: int, theirs: Direction) -> None:
        call_id = self._pick(choice, CallState.ACTIVE)
        if call_id and not self.office.is_asked(call_id):
            self.run(self.office.offer(call_id, theirs))

    def _is_alone(self, call_id: str) -> bool:
        """Its far end has left while somebody else is called for it."""
        return self.office.call(call_id).referred.is_alone

    @rule(what=st.sampled_from(["hold True", "hold False", "hear"]), choice=CHOICE)
    def the_engine_fails(self, what: str, choice: int) -> None:
        method = {"hold True": "hold", "hold False": "retrieve", "hear": "split"}[what]
        if call_id := self._pick(choice):
            self.world.engine.refuse[what] = MediaErrorKind.NO_CAPACITY
            self.run(self._ask(f"call.{method}", call_id=call_id))
            self.world.engine.refuse.clear()
            # What could not be said then is said with the next offer.
            for each in self._up():
                self.run(self._renew(each))

    @rule()
    def the_worker_dies(self) -> None:
        self.run(self._die())

    async def _die(self) -> None:
        self.world.engine.lose(*self.world.engine.open_calls)
        await settle()
        for call_id in self._up():
            await self._renew(call_id)

    # What must be so ------------------------------------------------------------------

    def _up(self) -> dict[str, CallView]:
        views = self.office.views
        return {call_id: view for call_id, view in views.items() if view.state in UP}

    @invariant()
    def one_talks_or_one_conference(self) -> None:
        talking = {
            view.conference or call_id
            for call_id, view in self._up().items()
            if not view.held_here
        }
        assert len(talking) <= 1

    @invariant()
    def the_engine_agrees(self) -> None:
        up = self._up()
        for call_id, view in up.items():
            is_parted = view.held_here or self._is_alone(call_id)
            assert self.office.engine_holds(call_id) is is_parted
            others = {
                other
                for other, its in up.items()
                if view.conference and its.conference == view.conference
            }
            assert not view.conference or len(others) > 1
            assert self.office.hears(call_id) == others - {call_id}

    @invariant()
    def one_refer_at_a_time(self) -> None:
        for leg in self.office.legs.values():
            sent = sum(did[0] == "transfer" for did in leg.did)
            new = sent - self.refers.get(id(leg), 0)
            assert new <= (not leg.is_referring)
            leg.is_referring |= bool(new)
            self.refers[id(leg)] = sent

    @invariant()
    def nobody_is_left_alone(self) -> None:
        """Every leg that goes on is of a call that is shown, or joined with another."""
        shown = {id(self.office.legs[call_id]) for call_id in self.office.views}
        others = [leg for leg in self._legs() if id(leg) not in shown]
        joined = self.world.service.joined_calls
        calling = [leg for leg in self._targets() if leg in others]
        waiting = [leg for leg in calling if leg not in self.reached]
        assert len(others) == 2 * joined + len(waiting)
        # Nobody is called for nobody.
        under_way = (TransferState.TRYING, TransferState.RINGING)
        assert len(waiting) <= sum(
            view.transfer is not None and view.transfer.state in under_way
            for view in self.office.views.values()
        )

    @invariant()
    def who_is_transferred_waits(self) -> None:
        for view in self.office.views.values():
            if view.transfer is not None:
                assert view.held_here
                assert view.conference == ""

    @invariant()
    def far_ends_know_whether_they_are_held(self) -> None:
        for call_id, view in self._up().items():
            if view.state is not CallState.ACTIVE or call_id in self.untold:
                continue
            if self._is_alone(call_id):
                continue
            if self.office.is_asked(call_id):
                continue
            if call_id in self.office.agreed:
                is_held = view.held_here and not view.conference
                assert self.office.agreed[call_id].receives is (not is_held)


TestAnyOrder: Any = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
