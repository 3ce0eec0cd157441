"""The machine of a meeting: who leads, who waits, who is in, and who meets whom."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

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
from gateway.sessions.wire import EndReason, Participant

ANA, BEN, CY, DI, REP = map(MemberId, ("ana", "ben", "cy", "di", "rep"))


def met(*, with_ben: bool = True) -> Meeting:
    """Ana's call has reached the rep's browser; Ben waited."""
    meeting = Meeting("Robin")
    assert meeting.join(ANA, "Ana") == (Lead(ANA),)
    if with_ben:
        assert meeting.join(BEN, "Ben") == ()
    assert meeting.host_answered(REP, ANA) == ((Enter(BEN),) if with_ben else ())
    assert meeting.answered(ANA) == ()
    return meeting


def test_a_call_of_two_is_no_room() -> None:
    assert met(with_ben=False).seats == {}


def test_three_meet_and_the_first_two_hear_each_other_by_sip() -> None:
    robin = Participant(id=REP, name="Robin", is_host=True)
    ana, ben = Participant(id=ANA, name="Ana"), Participant(id=BEN, name="Ben")
    own = {"id": ""}
    assert met().seats == {
        REP: Seat(ANA, (ana.model_copy(update=own), ben)),
        ANA: Seat(REP, (robin.model_copy(update=own), ben)),
        BEN: Seat(None, (robin, ana)),
    }


def test_the_leader_hears_of_the_answer_later_than_those_who_wait() -> None:
    meeting = Meeting("Robin")
    meeting.join(ANA, "Ana")
    meeting.join(BEN, "Ben")
    meeting.host_answered(REP, ANA)
    assert set(meeting.seats) == {REP, BEN}
    # So that nothing of hers goes there twice when she is in.
    assert meeting.seats[REP].partner == ANA
    meeting.answered(ANA)
    assert set(meeting.seats) == {REP, ANA, BEN}


@pytest.mark.parametrize(
    "reason",
    [
        EndReason.DECLINED_THERE,
        EndReason.BUSY,
        EndReason.NO_ANSWER,
        EndReason.UNREACHABLE,
        EndReason.UNKNOWN_NUMBER,
        EndReason.SERVER_UNAVAILABLE,
        EndReason.INVITE_OVER,
        EndReason.FAILED,
    ],
)
def test_what_the_rep_says_to_the_leader_is_said_to_all(reason: EndReason) -> None:
    meeting = Meeting("Robin")
    for member in (ANA, BEN, CY):
        meeting.join(member, member)
    assert meeting.left(ANA, reason, 603) == (
        End(BEN, reason, 603),
        End(CY, reason, 603),
    )
    # Whoever comes now begins anew.
    assert meeting.join(DI, "Di") == (Lead(DI),)


@pytest.mark.parametrize(
    "reason",
    [None, EndReason.CANCELLED_HERE, EndReason.CLIENT_LOST, EndReason.MEDIA_FAILED],
)
def test_a_leader_who_gives_up_is_followed_by_the_next(
    reason: EndReason | None,
) -> None:
    meeting = Meeting("Robin")
    for member in (ANA, BEN, CY):
        meeting.join(member, member)
    assert meeting.left(ANA, reason) == (Lead(BEN),)
    assert meeting.left(CY, EndReason.CANCELLED_HERE) == ()


def test_an_answer_on_another_device_lets_the_next_lead() -> None:
    meeting = Meeting("Robin")
    meeting.join(ANA, "Ana")
    meeting.join(BEN, "Ben")
    assert meeting.answered(ANA) == (Lead(BEN),)
    assert meeting.place(ANA) is Place.APART
    # The rep's browser was late: that call ends by itself.
    assert meeting.host_answered(REP, ANA) == ()
    assert meeting.host is None
    meeting.host_answered(REP, BEN)
    meeting.answered(BEN)
    assert meeting.seats == {}
    assert meeting.join(CY, "Cy") == (Enter(CY),)
    assert set(meeting.seats) == {REP, BEN, CY}
    # Who is apart goes on when the rep's browser goes.
    assert meeting.host_left(REP, EndReason.HUNG_UP_HERE) == (
        End(CY, EndReason.HUNG_UP_THERE),
    )
    assert meeting.place(ANA) is Place.APART


def test_an_answer_to_a_leader_who_has_gone_is_none() -> None:
    meeting = Meeting("Robin")
    meeting.join(ANA, "Ana")
    meeting.join(BEN, "Ben")
    meeting.left(ANA, EndReason.CANCELLED_HERE)
    assert meeting.host_answered(REP, ANA) == ()
    assert not meeting.host_cut_off(REP)


def test_the_rep_lives_on_while_somebody_is_in() -> None:
    meeting = met()
    assert meeting.left(ANA, EndReason.HUNG_UP_HERE) == ()
    assert meeting.host_cut_off(REP)
    assert set(meeting.seats) == {REP, BEN}
    assert meeting.seats[REP].partner is None
    assert meeting.join(CY, "Cy") == (Enter(CY),)
    meeting.left(BEN, EndReason.HUNG_UP_HERE)
    assert meeting.left(CY, EndReason.CLIENT_LOST) == (
        End(REP, EndReason.HUNG_UP_THERE),
    )
    # Not in any more, even if it takes a moment.
    assert meeting.join(DI, "Di") == (Lead(DI),)


def test_a_call_of_two_ends_with_its_sip_leg() -> None:
    meeting = met(with_ben=False)
    assert not meeting.host_cut_off(REP)


def test_a_leg_that_outlives_the_last_guest_ends_by_sip() -> None:
    meeting = met()
    meeting.left(ANA, EndReason.HUNG_UP_HERE)
    # The BYE is on its way to the rep.
    assert meeting.left(BEN, EndReason.HUNG_UP_HERE) == ()
    assert not meeting.host_cut_off(REP)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (EndReason.HUNG_UP_HERE, EndReason.HUNG_UP_THERE),
        (EndReason.CLIENT_LOST, EndReason.HUNG_UP_THERE),
        (EndReason.MEDIA_FAILED, EndReason.HUNG_UP_THERE),
        (EndReason.INVITE_OVER, EndReason.INVITE_OVER),
    ],
)
def test_the_meeting_is_the_reps(reason: EndReason, told: EndReason) -> None:
    meeting = met()
    # Ana's call ends by SIP, as any call.
    assert meeting.host_left(REP, reason) == (End(BEN, told),)
    assert meeting.seats == {}
    assert meeting.place(ANA) is Place.APART
    assert meeting.left(BEN, told) == ()


def test_five_at_most_and_who_is_about_to_leave_takes_no_place() -> None:
    meeting = Meeting("Robin")
    for member in (ANA, BEN, CY, DI):
        meeting.join(member, member)
    with pytest.raises(MeetingFull):
        meeting.join(MemberId("eve"), "Eve")
    meeting.left(ANA, EndReason.BUSY)
    assert meeting.join(MemberId("eve"), "Eve") == (Lead(MemberId("eve")),)


class Meetings(RuleBasedStateMachine):
    """Everything in any order, with calls that do as they are told, sooner or later."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = Meeting("Robin")
        self.made = 0
        # Guests' calls: what SIP has of each. "": no INVITE yet.
        self.legs: dict[MemberId, str] = {}
        self.in_room: set[MemberId] = set()
        # Told to end, but not over.
        self.ending: dict[MemberId, EndReason] = {}
        # The rep's calls: (whose INVITE, state).
        self.hosts: dict[MemberId, list[object]] = {}

    def do(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            member = effect.member
            # Nobody is told anything after its end.
            assert member in self.legs or member in self.hosts
            match effect:
                case Lead():
                    assert self.legs[member] == ""
                    self.legs[member] = "rings"
                case Enter():
                    assert self.legs[member] == ""
                    assert self.meeting.host is not None
                    self.in_room.add(member)
                case End(reason=reason):
                    assert member not in self.ending
                    self.ending[member] = reason

    def new(self) -> MemberId:
        self.made += 1
        return MemberId(f"m{self.made}")

    def guest_ends(self, member: MemberId, reason: EndReason) -> None:
        state = self.legs.pop(member)
        self.in_room.discard(member)
        self.ending.pop(member, None)
        self.do(self.meeting.left(member, reason))
        # Its CANCEL or BYE reaches the rep's side.
        for host, call in list(self.hosts.items()):
            if call[0] == member and call[1] == "rings":
                del self.hosts[host]
            elif call[0] == member and state == "talks":
                call[2] = False

    def host_ends(self, host: MemberId, reason: EndReason) -> None:
        leader, _, has_leg = self.hosts.pop(host)
        self.ending.pop(host, None)
        self.do(self.meeting.host_left(host, reason))
        if has_leg and leader in self.legs:
            self.guest_ends(leader, EndReason.HUNG_UP_THERE)  # type: ignore[arg-type]

    @rule()
    def join(self) -> None:
        member = self.new()
        self.legs[member] = ""
        try:
            self.do(self.meeting.join(member, member))
        except MeetingFull:
            del self.legs[member]
            here = [m for m in self.legs if m not in self.ending]
            assert len(here) == MAX_MEMBERS - 1

    @rule()
    @precondition(lambda self: "rings" in self.legs.values())
    def rings_at_the_rep(self) -> None:
        (leader,) = [m for m, leg in self.legs.items() if leg == "rings"]
        if all(call[0] != leader for call in self.hosts.values()):
            self.hosts[self.new()] = [leader, "rings", True]

    @rule(data=st.data())
    @precondition(lambda self: self.hosts)
    def the_rep_answers(self, data: st.DataObject) -> None:
        host = data.draw(st.sampled_from(sorted(self.hosts)))
        call = self.hosts[host]
        if call[1] == "rings":
            call[1] = "talks"
            self.do(self.meeting.host_answered(host, call[0]))  # type: ignore[arg-type]

    @rule()
    @precondition(lambda self: "rings" in self.legs.values())
    def the_rep_takes_the_leaders_call(self) -> None:
        """What mostly happens, in one step, so that more can come of it."""
        self.rings_at_the_rep()
        (leader,) = [m for m, leg in self.legs.items() if leg == "rings"]
        for host, call in list(self.hosts.items()):
            if call[0] == leader and call[1] == "rings":
                call[1] = "talks"
                self.do(self.meeting.host_answered(host, leader))
        self.the_leader_is_answered()

    @rule()
    @precondition(lambda self: "rings" in self.legs.values())
    def the_leader_is_answered(self) -> None:
        (leader,) = [m for m, leg in self.legs.items() if leg == "rings"]
        self.legs[leader] = "talks"
        self.do(self.meeting.answered(leader))
        # Where it rang and was not taken, it stops.
        for host, call in list(self.hosts.items()):
            if call[0] == leader and call[1] == "rings":
                self.host_ends_unheard(host)

    def host_ends_unheard(self, host: MemberId) -> None:
        del self.hosts[host]
        self.do(self.meeting.host_left(host, EndReason.ANSWERED_ELSEWHERE))

    @rule(data=st.data(), reason=st.sampled_from(list(EndReason)), bye=st.booleans())
    @precondition(lambda self: self.legs)
    def a_guest_ends(self, data: st.DataObject, reason: EndReason, bye: bool) -> None:
        self.guest_ends(data.draw(st.sampled_from(sorted(self.legs))), reason)
        for host, call in list(self.hosts.items()):
            if bye and call[2] is False:
                self.cut_off(host)

    @rule(data=st.data(), reason=st.sampled_from(list(EndReason)))
    @precondition(lambda self: self.hosts)
    def a_call_of_the_reps_ends(self, data: st.DataObject, reason: EndReason) -> None:
        self.host_ends(data.draw(st.sampled_from(sorted(self.hosts))), reason)

    @rule(data=st.data())
    @precondition(lambda self: any(call[2] is False for call in self.hosts.values()))
    def a_bye_reaches_the_rep(self, data: st.DataObject) -> None:
        cut = sorted(h for h, call in self.hosts.items() if call[2] is False)
        self.cut_off(data.draw(st.sampled_from(cut)))

    @rule()
    @precondition(lambda self: self.meeting.host is not None)
    def the_server_ends_the_reps_leg(self) -> None:
        """As it does when another device's answer came first."""
        host = self.meeting.host
        assert host is not None
        if self.hosts[host][2] is not None:
            self.cut_off(host)

    def cut_off(self, host: MemberId) -> None:
        self.hosts[host][2] = None
        if not self.meeting.host_cut_off(host):
            self.host_ends(host, EndReason.HUNG_UP_THERE)

    @rule(data=st.data())
    @precondition(lambda self: self.ending)
    def who_was_told_to_end_ends(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(sorted(self.ending)))
        reason = self.ending[member]
        if member in self.legs:
            self.guest_ends(member, reason)
        else:
            self.host_ends(member, reason)

    @invariant()
    def one_invite_rings(self) -> None:
        assert list(self.legs.values()).count("rings") <= 1

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        waiting = [m for m in self.legs if self.meeting.place(m) is Place.WAITS]
        if self.meeting.host is not None:
            assert not waiting
        elif waiting:
            assert "rings" in self.legs.values()

    @invariant()
    def the_rep_stays_as_long_as_somebody_is_there(self) -> None:
        host = self.meeting.host
        if host is not None:
            has_leg = self.hosts[host][2] is not None
            assert has_leg or self.in_room - set(self.ending)
        # And who has no leg any more, and nobody, has been told to end.
        for other, call in self.hosts.items():
            if call[2] is None and other != host:
                assert other in self.ending

    @invariant()
    def who_talks_with_the_reps_browser_is_in(self) -> None:
        host = self.meeting.host
        for member, leg in self.legs.items():
            if leg == "talks" and member not in self.in_room:
                is_partner = (
                    host is not None
                    and self.hosts[host][0] == member
                    and self.hosts[host][2] is not None
                )
                assert (self.meeting.place(member) is Place.IN) == is_partner

    @invariant()
    def who_is_in_has_a_rep(self) -> None:
        for member in self.in_room - set(self.ending):
            assert self.meeting.place(member) is Place.IN
            assert self.meeting.host is not None

    @invariant()
    def all_who_meet_know_of_each_other(self) -> None:
        seats = self.meeting.seats
        assert not seats or len(seats) >= 2
        for member, seat in seats.items():
            partner = seat.partner
            if partner in seats:
                assert seats[partner].partner == member
            # Only a rep whose answer the leader has not heard of yet.
            elif partner is not None:
                assert self.legs[partner] == "rings"
            known = {p.id or partner for p in seat.others}
            assert known == set(seats) - {member}
            assert sum(p.is_host for p in seat.others) == (member != self.meeting.host)


TestMeetings = Meetings.TestCase
TestMeetings.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
