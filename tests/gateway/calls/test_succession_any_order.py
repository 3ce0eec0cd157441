"""Several calls of one rep whose far ends become others, in any order with the rest."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

import sip
from gateway.sessions.wire import CallState
from sip.sdp import Direction
from tests.gateway.calls.fakes import FakeLeg, settle
from tests.gateway.calls.test_control_any_order import CHOICE, THEIRS, AnyOrder

# How the new party answers, or refuses; None: later, or never.
OUTCOME = st.one_of(THEIRS, st.sampled_from([404, 486]), st.none())


class WithOthers(AnyOrder):
    """All that may happen to calls, and far ends that pass them on."""

    def __init__(self) -> None:
        # Whom far ends have had us call.
        self.called: list[FakeLeg] = []
        super().__init__()

    def _targets(self) -> list[FakeLeg]:
        return [leg for leg in super()._targets() if leg not in self.called]

    @initialize(wishes=st.lists(st.tuples(st.booleans(), OUTCOME), max_size=2))
    def have_others(self, wishes: list[tuple[bool, Direction | int | None]]) -> None:
        for wish in wishes:
            self.dial()
            self.run(self.office.answered(f"c{self.names}"))
            self.run(self.office.agree_all())
            self.is_transferred(len(self.office.views) - 1, *wish)

    @rule(choice=CHOICE, leaves=st.booleans(), outcome=OUTCOME)
    def is_transferred(
        self, choice: int, leaves: bool, outcome: Direction | int | None
    ) -> None:
        """Far into it at once: steps of its own are too rare to get there."""
        call_id = self._pick(choice, CallState.ACTIVE)
        if not call_id or self._is_alone(call_id):
            return
        # No more than a few in a minute.
        self.world.clock.advance(15)
        self.run(settle())
        if call_id not in self.office.views or self._is_alone(call_id):
            return
        wish = self.office.refer(call_id, "sip:+12025550143@acme.example")
        if (leg := self.run(wish)) is None:
            return
        self.called.append(leg)
        if leaves:
            self.gone.append(self.office.legs[call_id])
            self.run(self.office.hang_up(call_id))
            self.the_engine_agrees()
        if isinstance(outcome, Direction):
            self.the_new_party_answers(outcome, not leaves)
        elif outcome is not None:
            self.the_new_party_does_not(outcome)

    @rule(theirs=THEIRS, is_polite=st.booleans())
    def the_new_party_answers(self, theirs: Direction, is_polite: bool) -> None:
        for call_id in tuple(self.office.wanted):
            self.run(self._new_party_answers(call_id, theirs, is_polite))

    async def _new_party_answers(
        self, call_id: str, theirs: Direction, is_polite: bool
    ) -> None:
        old = await self.office.wanted_answers(call_id, audio=theirs)
        if self.office.legs[call_id] is not old:
            self.untold.discard(call_id)
            self.gone.append(old)
            if is_polite:
                old.on_event(sip.RemoteHangup())
                await settle()

    @rule(status=st.sampled_from([404, 486, 603]))
    def the_new_party_does_not(self, status: int) -> None:
        for call_id in tuple(self.office.wanted):
            self.office.wanted.pop(call_id).on_event(sip.Rejected(status))
            self.run(settle())

    @rule(choice=CHOICE, theirs=THEIRS)
    def is_replaced(self, choice: int, theirs: Direction) -> None:
        call_id = self._pick(choice, CallState.ACTIVE, CallState.CALLING)
        if call_id and not self._is_alone(call_id):
            self.untold.discard(call_id)
            old = self.run(self.office.replace(call_id, theirs))
            if self.office.legs[call_id] is not old:
                self.gone.append(old)


# What this module adds to is tested where it is.
del AnyOrder
TestWithOthers: Any = WithOthers.TestCase
TestWithOthers.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
