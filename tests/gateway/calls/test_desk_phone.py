"""What is made of dialog-info: documents in any order, one life for each call."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.calls.desk_phone import (
    LOST_S,
    MAX_CALL_S,
    MAX_FOLLOWED,
    SETTLE_S,
    Began,
    Change,
    DeskPhoneTracker,
    Ended,
    Moved,
    Owner,
)
from gateway.sessions.wire import CallDirection, CallState, EndReason
from sip import Uri
from sip.dialog_info import DialogInfo, Party, WatchedDialog, WatchedState

ANA = Party(identity=Uri.parse("sip:+16465550175@acme.example"), display_name="Ana")
EARLY, CONFIRMED = WatchedState.EARLY, WatchedState.CONFIRMED
TERMINATED, TRYING = WatchedState.TERMINATED, WatchedState.TRYING


def dialog(
    state: WatchedState,
    sip_id: str = "c1",
    *,
    id: str = "",
    out: bool = False,
    **more: object,
) -> WatchedDialog:
    return WatchedDialog(
        id=id or f"d-{sip_id}",
        state=state,
        call_id=sip_id,
        direction="initiator" if out else "recipient",
        remote=ANA,
        **more,
    )


class Desk:
    """A tracker, its clock, and whose the calls are."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.version = 0
        self.owners: dict[str, Owner] = {}
        self.tracker = DeskPhoneTracker(
            lambda sip_id: self.owners.get(sip_id, Owner.NOBODYS)
        )
        self.tell()

    def tell(
        self,
        *dialogs: WatchedDialog,
        full: bool = True,
        first: bool = False,
        version: int | None = None,
    ) -> list[Change]:
        if version is None:
            self.version += 1
            version = self.version
        info = DialogInfo(version, full, "sip:1000@acme.example", dialogs)
        changes, self.is_missing = self.tracker.receive(info, self.now, is_first=first)
        return changes

    def wait(self, seconds: float) -> list[Change]:
        self.now += seconds
        return self.tracker.handle_timer(self.now)


def test_a_call_that_rang_here_and_was_answered_at_the_desk() -> None:
    desk = Desk()
    desk.owners["c1"] = Owner.RINGS_HERE
    assert desk.tell(dialog(EARLY)) == []
    assert desk.wait(SETTLE_S) == []
    # The NOTIFY may overtake the CANCEL.
    assert desk.tell(dialog(CONFIRMED)) == []
    desk.owners["c1"] = Owner.PASSED
    assert desk.tracker.look(desk.now) == [
        Began("c1", CallDirection.INBOUND, CallState.ACTIVE, ANA, continues=True)
    ]
    assert desk.tell() == [Ended("c1", EndReason.HUNG_UP_HERE, desk.now)]


def test_a_call_that_stopped_ringing_here_is_not_shown_until_it_is_answered() -> None:
    desk = Desk()
    desk.owners["c1"] = Owner.PASSED
    assert desk.tell(dialog(EARLY)) == []
    assert desk.wait(10 * SETTLE_S) == []
    [began] = desk.tell(dialog(CONFIRMED))
    assert isinstance(began, Began)


@pytest.mark.parametrize("state", [TRYING, EARLY, CONFIRMED])
def test_ours_are_not_followed(state: WatchedState) -> None:
    desk = Desk()
    desk.owners["c1"] = Owner.OURS
    assert desk.tell(dialog(state), dialog(state, out=True, id="other")) == []
    assert desk.tell() == []


def test_one_that_rings_at_the_desk_alone_is_shown_when_it_has_settled() -> None:
    desk = Desk()
    assert desk.tell(dialog(EARLY)) == []
    assert desk.tracker.get_timer() == desk.now + SETTLE_S
    [began] = desk.wait(SETTLE_S)
    assert began == Began("c1", CallDirection.INBOUND, CallState.RINGING, ANA)
    assert desk.tell(dialog(CONFIRMED)) == [Moved("c1", CallState.ACTIVE)]
    assert desk.tell(dialog(CONFIRMED)) == []


def test_its_invite_to_us_comes_a_little_later() -> None:
    desk = Desk()
    assert desk.tell(dialog(EARLY)) == []
    desk.owners["c1"] = Owner.RINGS_HERE
    assert desk.wait(SETTLE_S) == []
    assert desk.tracker.get_timer() is None


def test_dialled_at_the_desk() -> None:
    desk = Desk()
    [began] = desk.tell(dialog(TRYING, out=True))
    assert isinstance(began, Began)
    assert began.state is CallState.CALLING
    assert desk.tell(dialog(EARLY, out=True)) == [Moved("c1", CallState.ALERTING)]
    # What is behind is no news.
    assert desk.tell(dialog(TRYING, out=True)) == []
    assert desk.tell(dialog(CONFIRMED, out=True)) == [Moved("c1", CallState.ACTIVE)]


def test_each_fork_of_a_call_in_a_dialog_of_its_own() -> None:
    desk = Desk()
    forks = (dialog(EARLY, id="a"), dialog(TRYING, id="b"))
    desk.tell(*forks)
    assert len(desk.wait(SETTLE_S)) == 1
    answered = (dialog(TERMINATED, id="a"), dialog(CONFIRMED, id="b"))
    assert desk.tell(*answered, full=False) == [Moved("c1", CallState.ACTIVE)]
    [ended] = desk.tell(dialog(TERMINATED, id="b"), full=False)
    assert isinstance(ended, Ended)


def test_no_call_without_a_call_id() -> None:
    desk = Desk()
    assert desk.tell(dialog(CONFIRMED, "", id="x")) == []


@pytest.mark.parametrize(
    ("out", "answered", "last", "reason", "code"),
    [
        (False, True, {"event": "remote-bye"}, EndReason.HUNG_UP_THERE, None),
        (False, True, {"event": "local-bye"}, EndReason.HUNG_UP_HERE, None),
        (False, False, {"event": "cancelled", "code": 487}, EndReason.MISSED, 487),
        (False, False, {}, EndReason.MISSED, None),
        (
            False,
            False,
            {"event": "rejected", "code": 603},
            EndReason.DECLINED_ELSEWHERE,
            603,
        ),
        (True, False, {"event": "rejected", "code": 486}, EndReason.BUSY, 486),
        (True, False, {"event": "cancelled"}, EndReason.CANCELLED_HERE, None),
        (True, False, {}, EndReason.NO_ANSWER, None),
    ],
)
def test_why_it_ended(
    out: bool, answered: bool, last: dict[str, object], reason: EndReason, code: int
) -> None:
    desk = Desk()
    desk.tell(dialog(EARLY, out=out))
    desk.wait(SETTLE_S)
    if answered:
        desk.tell(dialog(CONFIRMED, out=out))
    ended = desk.tell(dialog(TERMINATED, out=out, **last))
    assert ended == [Ended("c1", reason, desk.now, code)]


def test_it_ends_once_whatever_is_said_afterwards() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED))
    assert len(desk.tell()) == 1
    assert desk.tell(dialog(CONFIRMED)) == []
    assert desk.tell(dialog(TERMINATED)) == []
    # Late and repeated ones.
    assert desk.tell(dialog(CONFIRMED), version=1) == []


def test_a_terminated_dialog_is_known_by_its_id_alone() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED))
    gone = WatchedDialog(id="d-c1", state=TERMINATED)
    [ended] = desk.tell(gone, full=False)
    assert isinstance(ended, Ended)


def test_a_gap_ends_nothing_but_what_is_named() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED), dialog(CONFIRMED, "c2"))
    desk.version += 1
    [ended] = desk.tell(dialog(TERMINATED, "c2"), full=False)
    assert isinstance(ended, Ended)
    assert desk.is_missing
    assert not desk.tracker.sees
    assert desk.wait(LOST_S / 2) == []
    assert len(desk.tell()) == 1
    assert desk.tracker.sees


def test_a_subscription_that_is_lost_and_comes_back_in_time() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED))
    desk.tracker.lost(desk.now)
    assert desk.wait(LOST_S - 1) == []
    assert desk.tell(dialog(CONFIRMED), first=True, version=0) == []
    assert desk.wait(LOST_S) == []
    # Absent from the first partial one, it may go on still.
    assert desk.tell(full=False, first=True, version=0) == []
    assert desk.is_missing


def test_what_has_not_settled_when_the_subscription_is_lost() -> None:
    desk = Desk()
    desk.tell(dialog(EARLY))
    desk.tracker.lost(desk.now)
    assert desk.tracker.get_timer() is None
    assert desk.wait(SETTLE_S) == []
    assert desk.tell(dialog(EARLY), first=True, version=0) == []
    assert len(desk.wait(SETTLE_S)) == 1


def test_a_call_does_not_outlive_the_loss_of_its_subscription() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED))
    lost_at = desk.now
    desk.tracker.lost(lost_at)
    assert desk.tracker.get_timer() == lost_at + LOST_S
    # As long as it was known to live.
    assert desk.wait(LOST_S) == [Ended("c1", EndReason.SERVER_UNAVAILABLE, lost_at)]
    assert desk.tracker.is_idle
    assert desk.tell(dialog(CONFIRMED), first=True, version=0) == []


def test_nothing_lasts_for_ever() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED))
    [ended] = desk.wait(MAX_CALL_S)
    assert isinstance(ended, Ended)
    assert desk.tell(dialog(CONFIRMED)) == []


def test_too_many_are_not_followed() -> None:
    desk = Desk()
    many = [dialog(CONFIRMED, f"c{n}") for n in range(3 * MAX_FOLLOWED)]
    assert len(desk.tell(*many)) == MAX_FOLLOWED


def test_what_was_answered_before_anybody_looked_is_old() -> None:
    tracker = DeskPhoneTracker(lambda sip_id: Owner.NOBODYS)
    info = DialogInfo(1, True, "", (dialog(CONFIRMED, duration_s=60),))
    [began], _ = tracker.receive(info, 5.0, is_first=True)
    assert isinstance(began, Began)
    assert (began.is_old, began.duration_s) == (True, 60)
    info = DialogInfo(2, True, "", (*info.dialogs, dialog(CONFIRMED, "c2")))
    [began], _ = tracker.receive(info, 6.0, is_first=False)
    assert isinstance(began, Began)
    assert not began.is_old


def test_when_nobody_looks_any_more() -> None:
    desk = Desk()
    desk.tell(dialog(CONFIRMED))
    assert len(desk.tracker.stop(desk.now)) == 1
    assert desk.tracker.get_timer() is None


IDS = st.sampled_from(["c1", "c2", "c3"])
NEXT = {
    TRYING: (TRYING, EARLY, CONFIRMED, TERMINATED),
    EARLY: (EARLY, CONFIRMED, TERMINATED),
    CONFIRMED: (CONFIRMED, TERMINATED),
    TERMINATED: (TERMINATED,),
}
LEGS = {
    Owner.NOBODYS: (Owner.NOBODYS, Owner.RINGS_HERE),
    Owner.RINGS_HERE: (Owner.RINGS_HERE, Owner.PASSED, Owner.OURS),
    Owner.PASSED: (Owner.PASSED,),
    Owner.OURS: (Owner.OURS,),
}
RANK = [CallState.CALLING, CallState.RINGING, CallState.ALERTING, CallState.ACTIVE]


class AnyOrder(RuleBasedStateMachine):
    """A server whose documents are lost, late, repeated and partial."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.there: dict[str, WatchedDialog] = {}
        self.sent: list[tuple[DialogInfo, bool]] = []
        self.version = 0
        self.is_new = True
        self.lives: dict[str, list[Change]] = {}

    @rule(sip_id=IDS, out=st.booleans(), step=st.integers(0, 3))
    def something_happens(self, sip_id: str, out: bool, step: int) -> None:
        known = self.there.get(sip_id)
        state = (
            TRYING
            if known is None
            else NEXT[known.state][step % 4 % len(NEXT[known.state])]
        )
        is_out = out if known is None else known.direction == "initiator"
        self.there[sip_id] = dialog(state, sip_id, out=is_out)

    @rule(sip_id=IDS, step=st.integers(0, 2))
    def our_leg(self, sip_id: str, step: int) -> None:
        owners = self.desk.owners
        choices = LEGS[owners.get(sip_id, Owner.NOBODYS)]
        owners[sip_id] = choices[step % len(choices)]
        if self.lives.get(sip_id) and owners[sip_id] is not Owner.PASSED:
            # No INVITE comes for what settled without one.
            owners[sip_id] = Owner.NOBODYS
        self.take(self.desk.tracker.look(self.desk.now))

    @rule(full=st.booleans(), sip_id=IDS)
    def the_server_writes(self, full: bool, sip_id: str) -> None:
        self.version += 1
        chosen = [d for d in self.there.values() if full or d.call_id == sip_id]
        self.sent.append(
            (DialogInfo(self.version, full, "", tuple(chosen)), self.is_new)
        )
        self.is_new = False

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 5), again=st.booleans())
    def one_arrives(self, which: int, again: bool) -> None:
        place = which % len(self.sent)
        info, is_first = self.sent[place]
        if not again:
            del self.sent[place]
        changes, _ = self.desk.tracker.receive(info, self.desk.now, is_first=is_first)
        self.take(changes)

    @precondition(lambda self: self.sent)
    @rule()
    def one_is_lost(self) -> None:
        del self.sent[0]

    @rule()
    def the_subscription_is_lost(self) -> None:
        self.desk.tracker.lost(self.desk.now)
        self.sent.clear()
        self.is_new = True

    @rule(seconds=st.sampled_from([0.1, SETTLE_S, LOST_S / 2, LOST_S, MAX_CALL_S]))
    def time_passes(self, seconds: float) -> None:
        self.take(self.desk.wait(seconds))
        due = self.desk.tracker.get_timer()
        assert due is None or due > self.desk.now

    def take(self, changes: list[Change]) -> None:
        for change in changes:
            life = self.lives.setdefault(change.sip_id, [])
            if isinstance(change, Began):
                assert not life
                assert self.desk.owners.get(change.sip_id) not in (
                    Owner.OURS,
                    Owner.RINGS_HERE,
                )
            else:
                assert life
                assert not isinstance(life[-1], Ended)
            if isinstance(change, Moved):
                assert RANK.index(change.state) > RANK.index(life[-1].state)
            life.append(change)

    @invariant()
    def it_knows_what_it_follows(self) -> None:
        open_ = [
            life for life in self.lives.values() if not isinstance(life[-1], Ended)
        ]
        assert self.desk.tracker.is_idle is not bool(open_)

    def teardown(self) -> None:
        """All calls end, and that is told at last."""
        self.version += 1
        info = DialogInfo(self.version + 99, True, "", ())
        self.take(self.desk.tracker.receive(info, self.desk.now, is_first=False)[0])
        assert self.desk.tracker.is_idle


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
