"""Which of one user's calls are mixed with which. Pure.

A conference is the calls that share an id (design 013). It knows no call and no media;
after each change :attr:`Conferences.seats` says of every call in one which id it has
and whose far ends its own hears: all the others', each direction of its own. The rep
hears all of them because the browser plays all of them.

Rules:

* calls come in by :meth:`Conferences.merge`, alone or with all of the conference that
  they were in; so two conferences become one;
* a call goes by :meth:`Conferences.leave`, on its own wish or because it is over;
* a conference of fewer than two ends, and what is left is an ordinary call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Far ends that one can hear besides itself are seven (engine.hear).
MAX_CALLS = 8


class ConferenceFull(Exception):
    """Not more than :data:`MAX_CALLS`; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A call in its conference; ``others`` without itself."""

    conference: str
    others: frozenset[str]


class Conferences:
    """See the module; calls are named by their ids."""

    def __init__(self) -> None:
        # By call, in the order in which they came.
        self._of: dict[str, str] = {}

    def of(self, call: str) -> str:
        """The conference that the call is in, "" for none."""
        return self._of.get(call, "")

    def members(self, conference: str) -> tuple[str, ...]:
        """Calls in it, the first first."""
        return tuple(call for call, its in self._of.items() if its == conference)

    @property
    def seats(self) -> Mapping[str, Seat]:
        """Of all calls that are in any."""
        return {
            call: Seat(its, frozenset(self.members(its)) - {call})
            for call, its in self._of.items()
        }

    def merge(self, calls: Iterable[str], new_id: str) -> str:
        """Bring these together; gives the id of the conference that they are in now,
        ``new_id`` if none of them was in one.

        Raises:
            ConferenceFull: they would be too many.
            ValueError: they are fewer than two.
        """
        named = dict.fromkeys(calls)
        joined = [self.of(call) for call in named if self.of(call)]
        everybody = {
            member: None
            for call in named
            for member in (self.members(self.of(call)) if self.of(call) else (call,))
        }
        if len(everybody) < 2:
            raise ValueError("a conference is of two calls or more")
        if len(everybody) > MAX_CALLS:
            raise ConferenceFull
        conference = joined[0] if joined else new_id
        for call in everybody:
            self._of[call] = conference
        return conference

    def leave(self, call: str) -> str:
        """The call is out, or over; gives the one call that is left of a conference
        that has ended by that, "" otherwise."""
        conference = self._of.pop(call, "")
        left = self.members(conference) if conference else ()
        if len(left) != 1:
            return ""
        del self._of[left[0]]
        return left[0]
