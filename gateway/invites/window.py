"""An invite's window of time: what it is at a moment, and when that changes next.

Times are Unix seconds of the service's clock, the only one that counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

from gateway.invites.model import Invite
from gateway.sessions.wire import InviteState

# Both sides are told that it ends soon.
WARNINGS_S = (300.0, 60.0)

_K = TypeVar("_K", bound=Hashable)


def opens_at(invite: Invite, open_before_s: float) -> float:
    """When guests may come in: a little early, never before it was made."""
    return invite.starts_at - open_before_s


def state_of(invite: Invite, now: float, open_before_s: float) -> InviteState:
    if invite.cancelled_at is not None:
        return InviteState.CANCELLED
    if invite.ended_at is not None or now >= invite.ends_at:
        return InviteState.OVER if invite.has_been_joined else InviteState.NO_SHOW
    if now >= opens_at(invite, open_before_s):
        return InviteState.OPEN
    return InviteState.SCHEDULED


def next_change(invite: Invite, now: float, open_before_s: float) -> float | None:
    """When something is to be done for the invite; not after ``now`` if it is over
    and its end has not been dealt with. None when nothing is any more."""
    if invite.is_closed:
        return None
    moments = (
        opens_at(invite, open_before_s),
        *(invite.ends_at - warning for warning in WARNINGS_S),
    )
    return min((at for at in moments if now < at < invite.ends_at), default=None) or (
        invite.ends_at
    )


def ends_soon(invite: Invite, now: float) -> bool:
    """Within the first warning's time."""
    return not invite.is_closed and 0 < invite.ends_at - now <= WARNINGS_S[0] + 1


class Deadlines(Generic[_K]):
    """The next moment of each key; one moment per key."""

    def __init__(self) -> None:
        self._at: dict[_K, float] = {}
        self._heap: list[tuple[float, int, _K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: _K, at: float | None) -> None:
        """This is the key's moment now; None: it has none."""
        if at is None:
            self._at.pop(key, None)
            return
        if self._at.get(key) == at:
            return
        self._at[key] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, key))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [
                (at, n, key) for at, n, key in self._heap if self._at.get(key) == at
            ]
            heapq.heapify(self._heap)

    def next(self) -> float | None:
        """The earliest moment of all."""
        while self._heap:
            at, _, key = self._heap[0]
            if self._at.get(key) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def take_due(self, now: float) -> list[_K]:
        """Keys whose moment has come; they have none afterwards."""
        due: list[_K] = []
        while (at := self.next()) is not None and at <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._at[key]
            due.append(key)
        return due
