"""Who holds whom, and how our descriptions say so."""

from __future__ import annotations

from gateway.calls.hold import HoldState, OurDescriptions
from sip.sdp import Direction
from tests.gateway.calls.descriptions import audio_of, phone, version_of, video_of

BOTH, SEND, TAKE = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY
NOTHING = Direction.INACTIVE


def agreed(state: HoldState, theirs: Direction = BOTH) -> None:
    state.told()
    state.agreed(phone(audio=theirs))


def test_the_far_end_is_told_once_of_each_change() -> None:
    state = HoldState()
    agreed(state)
    assert not state.sip_is_behind
    state.is_held = True
    assert state.sip_is_behind
    agreed(state, TAKE)
    assert not state.sip_is_behind
    state.is_held = False
    assert state.sip_is_behind


def test_a_conference_goes_on_without_the_rep() -> None:
    state = HoldState(is_held=True, is_mixed=True)
    assert not state.holds_far_end
    assert not state.sip_is_behind
    state.is_mixed = False
    assert state.sip_is_behind


def test_a_refused_hold_is_not_asked_for_again_but_taken_back() -> None:
    state = HoldState()
    agreed(state)
    state.is_held = True
    state.told()
    assert not state.refused(488)
    assert not state.sip_is_behind
    state.is_held = False
    # Whatever the far end made of it: that we do not hold is told.
    assert state.sip_is_behind


def test_a_refused_retrieval_leaves_it_on_hold() -> None:
    state = HoldState(is_held=True)
    agreed(state, TAKE)
    state.is_held = False
    state.told()
    assert state.refused(500)
    assert state.is_held
    assert not state.sip_is_behind


def test_what_was_overtaken_is_told_anew_unless_the_answer_said_it() -> None:
    state = HoldState()
    agreed(state)
    state.is_held = True
    state.told()
    assert not state.refused(491)
    assert state.sip_is_behind
    agreed(state, BOTH)
    assert not state.refused(491)
    assert not state.sip_is_behind


def test_what_the_far_end_does_is_in_its_newest_description() -> None:
    state = HoldState()
    for theirs, is_held in (
        (BOTH, False),
        (SEND, True),
        (NOTHING, True),
        (TAKE, False),
    ):
        agreed(state, theirs)
        assert state.is_held_there is is_held


def test_directions_are_ours_and_versions_count_what_was_sent() -> None:
    write = OurDescriptions().write
    first = write(phone(version=1), holds=False)
    assert (audio_of(first), version_of(first)) == (BOTH, 1)
    held = write(phone(version=1), holds=True)
    assert (audio_of(held), version_of(held)) == (SEND, 2)
    assert "0.0.0.0" not in held
    again = write(phone(version=1), holds=True)
    assert version_of(again) == 2
    # The engine's second version is the third one that the far end sees.
    retrieved = write(phone(version=2), holds=False)
    assert (audio_of(retrieved), version_of(retrieved)) == (BOTH, 3)
    assert version_of(write(phone(version=7, audio=TAKE), holds=True)) > 3


def test_an_answer_to_one_who_holds_is_inactive_and_video_rests_too() -> None:
    write = OurDescriptions().write
    assert audio_of(write(phone(audio=TAKE), holds=True)) is NOTHING
    assert video_of(write(phone(BOTH), holds=True)) is SEND


def test_what_cannot_be_read_is_sent_as_it_is() -> None:
    assert OurDescriptions().write("our offer", holds=True) == "our offer"
