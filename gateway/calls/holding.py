"""A call that waits while the rep talks in another, and its part in a conference.

Runs in the call's actor. Which of a user's calls talks is said by :mod:`.control`;
here a call learns that it may not, also when it is answered too late for that.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.calls.attendance import Attendance
from gateway.calls.far_end import FarEnd
from gateway.calls.machine import WrongState
from gateway.calls.media import CallMedia
from gateway.media.engine import MediaCallId
from gateway.sessions.wire import CallState

logger = logging.getLogger(__name__)

_NOT_UP = frozenset({CallState.RINGING, CallState.ENDED})


class Owner(Protocol):
    """The call, as its hold sees it."""

    @property
    def state(self) -> CallState: ...

    def show(self) -> None:
        """Whatever is shown of the call may be another."""


class Holding:
    """See the module. Methods raise :class:`MediaError` and :class:`WrongState`.

    Args:
        post: puts a job into the call's inbox, however full.

    Attributes:
        conference: its id, "" for none.
        may_talk: whether the call is one that is not to wait now.
        on_cut_off: told when the far end, in a conference, would not talk again.
        on_retrieve: told when the rep wants to talk in it again.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        far_end: FarEnd,
        attendance: Attendance,
        *,
        post: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self.conference = ""
        self.may_talk: Callable[[], bool] = lambda: True
        self.on_cut_off: Callable[[], None] = lambda: None
        self.on_retrieve: Callable[[], None] = lambda: None
        self._call_id = call_id
        self._call = call
        self._media = media
        self._far_end = far_end
        self._attendance = attendance
        self._post = post

    # What is shown --------------------------------------------------------------------

    @property
    def is_held_here(self) -> bool:
        return self._media.hold_state.is_held and self._call.state not in _NOT_UP

    @property
    def is_held_there(self) -> bool:
        is_up = self._call.state is CallState.ACTIVE
        return self._media.hold_state.is_held_there and is_up

    @property
    def talks(self) -> bool:
        """The rep is, or is about to be, heard in it."""
        return self._call.state not in _NOT_UP and not self._media.hold_state.is_held

    @property
    def refusal(self) -> str:
        """Why it cannot be put on hold; "" if it can."""
        if self._attendance.participants:
            return "A meeting with further guests cannot be put on hold."
        is_without = self._attendance.is_of_meeting and self._far_end.leg is None
        if self._call.state is CallState.ACTIVE and is_without:
            return "There is no telephone in this call."
        return ""

    # Requests -------------------------------------------------------------------------

    async def hold(self) -> None:
        """The rep wants it to wait."""
        if self._call.state is not CallState.ACTIVE:
            raise WrongState(f"hold in state {self._call.state.value}")
        await self._set(is_held=True)

    async def give_way(self) -> None:
        """Another call talks; one that has not been answered yet will wait then."""
        if self._call.state not in _NOT_UP:
            await self._set(is_held=True)

    async def retrieve(self) -> None:
        """The rep wants to talk in it; whoever asks has let others give way."""
        if self._call.state in _NOT_UP:
            raise WrongState(f"retrieve in state {self._call.state.value}")
        if not self.may_talk():
            raise WrongState("another call was taken meanwhile")
        self.on_retrieve()
        await self._set(is_held=False)

    def takes_part(self, conference: str, others: frozenset[MediaCallId]) -> bool:
        """Whether it does so already."""
        return (conference, others) == (self.conference, self._media.heard)

    async def take_part(self, conference: str, others: frozenset[MediaCallId]) -> None:
        """The far end hears ``others`` from now on; "" and () out of a conference."""
        if self._call.state is not CallState.ACTIVE or self._far_end.leg is None:
            raise WrongState(f"conference in state {self._call.state.value}")
        await self._media.hear(others)
        self.conference = conference
        await self._far_end.tell_hold()
        self._call.show()

    async def _set(self, *, is_held: bool) -> None:
        if is_held == self._media.hold_state.is_held:
            return
        if is_held and self.refusal:
            raise WrongState(self.refusal)
        await self._media.hold(is_held=is_held)
        await self._far_end.tell_hold()
        self._call.show()

    # What happens ---------------------------------------------------------------------

    def connected(self) -> None:
        """The call is answered, here or there."""
        if not self.may_talk() and not self._media.hold_state.is_held:
            self._post(self._give_way_if_it_must)

    async def _give_way_if_it_must(self) -> None:
        if not self.may_talk() and not self.refusal:
            await self.give_way()

    def retrieve_refused(self) -> None:
        """The far end stays on hold, and silent: so it is for the rep, too."""
        self._post(self._fall_back)

    async def _fall_back(self) -> None:
        await self._media.settle_sound()
        if self.conference and self._media.hold_state.is_held:
            self.on_cut_off()
        elif self._far_end.leg is not None:
            await self._far_end.renegotiation.tell_far_end(self._far_end.leg)
        self._call.show()
