"""Who of an invite's guests calls, who waits, and who is in with the rep. Pure.

A meeting is one invite's, of one host (design 010). Told what has happened to its
calls, it says what follows as effects; it knows no call, no SIP and no media. A
guest's place:

* ``WAITS``: hears ringing and is called in, sends no INVITE;
* ``LEADS``: its INVITE rings at the rep's devices. One at a time;
* ``IN``: with the rep, who has answered in a browser here;
* ``APART``: with the rep by another way: a desk phone has answered it;
* ``LEAVES``: told to end, and not over yet.

One rule moves those who wait: with the rep in they enter; without, and with nobody
leading, the first of them leads.

Odd cases:

* the rep's answer comes before the leader hears of it: those who wait enter at the
  one, the leader at the other;
* an answer of the rep's to a leader who has gone brings the rep in to nobody: that
  call ends by the leader's CANCEL or BYE;
* the leader's call and the rep's are *partners*: they hear each other through their
  SIP legs. When those end, the rep stays while somebody else is in;
* a rep who has left ends the calls of all who are in but the partner's, which SIP
  ends.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from gateway.sessions.wire import EndReason, Participant

# The rep among them (design 010). Who waits counts too.
MAX_MEMBERS = 5

# A call's name in its meeting; the stream id by which others receive what it sends.
MemberId = NewType("MemberId", str)

# A leader's call that ended so says nothing of the rep: the next may try.
_GAVE_UP = frozenset(
    {
        EndReason.CANCELLED_HERE,
        EndReason.HUNG_UP_HERE,
        EndReason.CLIENT_LOST,
        EndReason.MEDIA_FAILED,
    }
)


class MeetingFull(Exception):
    """No more than :data:`MAX_MEMBERS`."""


class Place(enum.Enum):
    """Of a guest, see the module."""

    WAITS = enum.auto()
    LEADS = enum.auto()
    IN = enum.auto()
    APART = enum.auto()
    LEAVES = enum.auto()


@dataclass(frozen=True, slots=True)
class Lead:
    """This guest calls the rep, by an INVITE of its own."""

    member: MemberId


@dataclass(frozen=True, slots=True)
class Enter:
    """This guest has got through: the rep is there."""

    member: MemberId


@dataclass(frozen=True, slots=True)
class End:
    """This call ends, the rep's or a guest's, from its own point of view."""

    member: MemberId
    reason: EndReason
    sip_code: int | None = None


Effect = Lead | Enter | End


@dataclass(frozen=True, slots=True)
class Seat:
    """What somebody who is in gets, when that is more than their own SIP call.

    Attributes:
        partner: whom they hear through that.
        others: everybody else who is in, the host first.
    """

    partner: MemberId | None
    others: tuple[Participant, ...]


@dataclass(slots=True)
class _Guest:
    name: str
    place: Place = Place.WAITS


class Meeting:
    """See the module; ``host_name`` as it is shown to guests."""

    def __init__(self, host_name: str) -> None:
        self._host_name = host_name
        # In the order in which they came.
        self._guests: dict[MemberId, _Guest] = {}
        # The rep's call, while it is in.
        self._host: MemberId | None = None
        # Whose INVITE that answered; None when their SIP legs have ended.
        self._partner: MemberId | None = None
        # The rep's call has a SIP leg still.
        self._host_has_leg = False

    # What has happened ----------------------------------------------------------------

    def join(self, member: MemberId, name: str) -> tuple[Effect, ...]:
        """A guest has come.

        Raises:
            MeetingFull: nothing has changed.
        """
        here = [g for g in self._guests.values() if g.place is not Place.LEAVES]
        if len(here) + 1 >= MAX_MEMBERS:
            raise MeetingFull
        self._guests[member] = _Guest(name)
        return self._advance()

    def host_answered(self, host: MemberId, leader: MemberId) -> tuple[Effect, ...]:
        """The rep took the leader's call in a browser here."""
        if self._host is not None or self.place(leader) is not Place.LEADS:
            return ()
        self._host, self._partner, self._host_has_leg = host, leader, True
        return self._advance()

    def answered(self, leader: MemberId) -> tuple[Effect, ...]:
        """The leader's INVITE was answered, by whatever device."""
        if self.place(leader) is not Place.LEADS:
            return ()
        is_here = self._partner == leader
        self._guests[leader].place = Place.IN if is_here else Place.APART
        return self._advance()

    def host_cut_off(self, host: MemberId) -> bool:
        """The SIP leg of the rep's call has ended; whether the call lives on."""
        if host != self._host:
            return False
        self._host_has_leg = False
        self._part()
        return self._has_company

    def host_left(self, host: MemberId, reason: EndReason) -> tuple[Effect, ...]:
        """The rep's call is over."""
        if host != self._host:
            return ()
        self._host = None
        self._part()
        so = (
            EndReason.INVITE_OVER
            if reason is EndReason.INVITE_OVER
            else EndReason.HUNG_UP_THERE
        )
        return (*self._dismiss(Place.IN, so, None), *self._advance())

    def left(
        self, member: MemberId, reason: EndReason | None, sip_code: int | None = None
    ) -> tuple[Effect, ...]:
        """A guest's call is over; ``reason`` None: it never began."""
        guest = self._guests.pop(member, None)
        if guest is None:
            return ()
        if member == self._partner:
            self._partner = None
        effects: tuple[Effect, ...] = ()
        is_of_rep = reason is not None and reason not in _GAVE_UP
        if guest.place is Place.LEADS and is_of_rep and reason is not None:
            effects = self._dismiss(Place.WAITS, reason, sip_code)
        if self._host is not None and not self._host_has_leg and not self._has_company:
            effects = (*effects, End(self._host, EndReason.HUNG_UP_THERE))
            self._host = None
        return (*effects, *self._advance())

    # How it stands --------------------------------------------------------------------

    def place(self, member: MemberId) -> Place | None:
        """Of a guest; None: not here."""
        guest = self._guests.get(member)
        return None if guest is None else guest.place

    @property
    def host(self) -> MemberId | None:
        """The rep's call that is in."""
        return self._host

    @property
    def seats(self) -> Mapping[MemberId, Seat]:
        """Of all who are in, but a leader and a rep who are alone with each other."""
        if self._host is None:
            return {}
        guests = {m: g for m, g in self._guests.items() if g.place is Place.IN}
        if not guests or set(guests) == {self._partner}:
            return {}
        everybody = [Participant(id=self._host, name=self._host_name, is_host=True)]
        everybody += [Participant(id=m, name=g.name) for m, g in guests.items()]
        return {
            member: Seat(partner, _seen(everybody, by=member, partner=partner))
            for member in (self._host, *guests)
            for partner in (self._partner_of(member),)
        }

    def _partner_of(self, member: MemberId) -> MemberId | None:
        if member == self._host:
            return self._partner
        return self._host if member == self._partner else None

    # ----------------------------------------------------------------------------------

    @property
    def _has_company(self) -> bool:
        return any(guest.place is Place.IN for guest in self._guests.values())

    def _part(self) -> None:
        """The SIP call of the rep and the leader has ended, for the rep."""
        partner = None if self._partner is None else self._guests.get(self._partner)
        if partner is not None and partner.place is Place.IN:
            partner.place = Place.APART
        self._partner = None

    def _dismiss(
        self, place: Place, reason: EndReason, sip_code: int | None
    ) -> tuple[Effect, ...]:
        going = [m for m, guest in self._guests.items() if guest.place is place]
        for member in going:
            self._guests[member].place = Place.LEAVES
        return tuple(End(member, reason, sip_code) for member in going)

    def _advance(self) -> tuple[Effect, ...]:
        waiting = [m for m, g in self._guests.items() if g.place is Place.WAITS]
        if self._host is not None:
            for member in waiting:
                self._guests[member].place = Place.IN
            return tuple(Enter(member) for member in waiting)
        leads = any(guest.place is Place.LEADS for guest in self._guests.values())
        if waiting and not leads:
            self._guests[waiting[0]].place = Place.LEADS
            return (Lead(waiting[0]),)
        return ()


def _seen(
    everybody: list[Participant], *, by: MemberId, partner: MemberId | None
) -> tuple[Participant, ...]:
    """Without oneself; the partner's is the call's own stream."""
    return tuple(
        each.model_copy(update={"id": ""}) if each.id == partner else each
        for each in everybody
        if each.id != by
    )
