"""The meetings that go on: what their calls do is told to the machine of each
(:mod:`.meeting`), and what it says is told to the calls.

A meeting lasts from the first guest's call to the end of the last call of its invite,
the rep's among them. It is the host's and the invite's: an id of another tenant's
invite is another meeting.
"""

from __future__ import annotations

import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, assert_never

from gateway.calls.guest_calls import Attempt, GuestCalls, legible
from gateway.calls.meeting import (
    MAX_MEMBERS,
    Effect,
    End,
    Enter,
    Lead,
    Meeting,
    MeetingFull,
    MemberId,
    Place,
    Seat,
)
from gateway.calls.ports import GuestPass, RoomSeat
from gateway.identity.users import UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import EndReason, ErrorKind

if TYPE_CHECKING:
    from gateway.calls.call import Call

logger = logging.getLogger(__name__)

# (host, invite id)
_Key = tuple[UserKey, str]
NAME_BITS = 80


@dataclass(slots=True, eq=False)
class _Running:
    """One meeting with its calls; ``room`` of the engine."""

    key: _Key
    room: str
    machine: Meeting
    members: dict[MemberId, Member] = field(default_factory=dict)


class Member(ABC):
    """A call in its meeting: a :class:`~gateway.calls.ports.Membership`."""

    def __init__(self, meetings: Meetings, running: _Running, member: MemberId) -> None:
        self._meetings = meetings
        self._running = running
        self.id = member
        self.call: Call | None = None
        # What it was told last.
        self.seat: Seat | None = None

    @property
    def room(self) -> str:
        return self._running.room

    @property
    def _machine(self) -> Meeting:
        return self._running.machine

    @abstractmethod
    def connected(self) -> None:
        """The call has been answered."""

    def cut_off(self) -> bool:
        """A guest without a SIP leg that once had one has left."""
        return False

    @abstractmethod
    def ended(self, reason: EndReason | None, sip_code: int | None) -> None:
        """The call is over; ``reason`` None: it never began."""

    def _apply(self, effects: Iterable[Effect]) -> None:
        self._meetings.apply(self._running, effects)

    def gone(self) -> None:
        """Nothing of the call is left."""
        self.ended(None, None)
        self._meetings.forget(self._running, self.id)


class GuestMember(Member):
    """A guest's; to be given its attempt before anything else."""

    attempt: Attempt

    @property
    def leads(self) -> bool:
        """Its INVITE is to be sent, now that it has joined."""
        return self._machine.place(self.id) is Place.LEADS

    def begin(self, attempt: Attempt, call: Call) -> None:
        """Its call is there, and hears from now on of the meeting."""
        self.attempt = attempt
        self.call = call
        if self._machine.place(self.id) is Place.IN:
            self._apply((Enter(self.id),))

    def connected(self) -> None:
        self._meetings.guests.answered(self.attempt)
        self._apply(self._machine.answered(self.id))

    def ended(self, reason: EndReason | None, sip_code: int | None) -> None:
        self._apply(self._machine.left(self.id, reason, sip_code))


class HostMember(Member):
    """The rep's, of one guest's INVITE."""

    def __init__(
        self,
        meetings: Meetings,
        running: _Running,
        member: MemberId,
        *,
        leader: MemberId,
    ) -> None:
        super().__init__(meetings, running, member)
        self._leader = leader

    def connected(self) -> None:
        self._apply(self._machine.host_answered(self.id, self._leader))

    def cut_off(self) -> bool:
        lives_on = self._machine.host_cut_off(self.id)
        self._apply(())
        return lives_on

    def ended(self, reason: EndReason | None, sip_code: int | None) -> None:
        self._apply(self._machine.host_left(self.id, reason or EndReason.FAILED))


class Meetings:
    """See the module.

    Args:
        rng: names rooms and streams.
    """

    def __init__(self, *, guests: GuestCalls, rng: random.Random) -> None:
        self.guests = guests
        self._rng = rng
        self._running: dict[_Key, _Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    def join(self, given: GuestPass) -> GuestMember:
        """A guest comes to the meeting of their invite.

        Raises:
            RequestError: there is no room for one more.
        """
        key = (given.host.key, given.invite_id)
        running = self._running.get(key)
        if running is None:
            running = _Running(key, self._name(), Meeting(legible(given.host.name)))
        member = GuestMember(self, running, self._member_id())
        try:
            effects = running.machine.join(member.id, legible(given.guest))
        except MeetingFull:
            raise RequestError(
                ErrorKind.CALL_LIMIT,
                f"The meeting is full: {MAX_MEMBERS} can be in it, the host included.",
            ) from None
        # What follows is the guest's own affair, and done by who asked.
        assert all(effect.member == member.id for effect in effects)
        self._running[key] = running
        running.members[member.id] = member
        return member

    def rings(self, attempt: Attempt) -> HostMember | None:
        """A guest's INVITE rings at the host's; None if the guest has gone."""
        running = self._running.get(
            (attempt.guest_pass.host.key, attempt.guest_pass.invite_id)
        )
        if running is None or attempt.call is None:
            return None
        for member in running.members.values():
            if member.call is attempt.call:
                host = HostMember(self, running, self._member_id(), leader=member.id)
                running.members[host.id] = host
                return host
        return None

    # For members ----------------------------------------------------------------------

    def apply(self, running: _Running, effects: Iterable[Effect]) -> None:
        """Tell the calls what follows, and who of them meets whom now."""
        for effect in effects:
            member = running.members[effect.member]
            call = member.call
            assert call is not None
            match effect:
                case Lead():
                    assert isinstance(member, GuestMember)
                    call.attendance.lead(partial(self.guests.dial, member.attempt))
                case Enter():
                    call.attendance.enter()
                case End(reason=reason, sip_code=sip_code):
                    call.attendance.dismiss(reason, sip_code)
                case _:
                    assert_never(effect)
        seats = running.machine.seats
        for member in running.members.values():
            seat = seats.get(member.id)
            if seat != member.seat and member.call is not None:
                member.seat = seat
                member.call.attendance.take_seat(self._in_room(running, member, seat))

    def forget(self, running: _Running, member: MemberId) -> None:
        """A call is over; with the last one the meeting is."""
        running.members.pop(member, None)
        if not running.members:
            self._running.pop(running.key, None)

    # ----------------------------------------------------------------------------------

    @staticmethod
    def _in_room(
        running: _Running, member: Member, seat: Seat | None
    ) -> RoomSeat | None:
        if seat is None:
            return None
        partner = None if seat.partner is None else running.members[seat.partner].call
        return RoomSeat(
            member.id, None if partner is None else partner.media_id, seat.others
        )

    def _name(self) -> str:
        return f"{self._rng.getrandbits(NAME_BITS):020x}"

    def _member_id(self) -> MemberId:
        return MemberId(self._name())
