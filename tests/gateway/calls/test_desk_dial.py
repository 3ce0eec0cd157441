"""Dialling by the desk phone, as its leg's events drive it."""

from __future__ import annotations

import pytest

import sip
from gateway.calls.desk_dial import FOLLOW_S, DeskDial, State, silent_offer
from gateway.sessions.wire import EndReason
from sip.hold import is_hold
from sip.sdp import SessionDescription
from tests.gateway.calls.fakes import FakeClock, FakeLeg

TARGET = sip.Uri.parse("sip:+12025550143@acme.example")
RING_S = 90.0
HANGUP = ("hangup", None)
REFER = ("transfer", str(TARGET))


class Desk:
    """The call, its clock, and the leg to the phone."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[object] = []
        self.leg = FakeLeg()
        self.dial = DeskDial(
            self, TARGET, "silence", later=self.clock.later, ring_s=RING_S
        )
        self.dial.begin(self.leg)

    def desk_rings(self) -> None:
        self.told.append("rings")

    def target_answered(self) -> None:
        self.told.append("answered")

    def dial_failed(self, reason: EndReason, sip_code: int | None) -> None:
        self.told.append((reason, sip_code))

    def picked_up(self) -> Desk:
        self.dial.hear(sip.Progress(180, None, "fork"))
        self.dial.hear(sip.Answered("their sdp"))
        return self


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_rings_is_referred_and_left_alone(desk: Desk) -> None:
    desk.picked_up()
    assert desk.told == ["rings"]
    assert desk.leg.did == [REFER]
    assert desk.dial.awaits_call
    desk.dial.followed()
    assert not desk.dial.awaits_call
    desk.dial.hear(sip.TransferProgress(180, False))
    assert desk.leg.did == [REFER]
    desk.dial.hear(sip.TransferProgress(200, True))
    assert desk.told == ["rings", "answered"]
    assert desk.leg.did == [REFER, HANGUP]
    desk.dial.hear(sip.LocalEnd())
    assert desk.clock.waiting == 0


def test_seen_to_be_answered_before_the_phone_says_so(desk: Desk) -> None:
    desk.picked_up()
    desk.dial.followed()
    desk.dial.connected()
    assert desk.leg.did == [REFER, HANGUP]
    desk.dial.hear(sip.TransferProgress(486, True))
    assert desk.told == ["rings"]


def test_seen_only_after_the_phone_said_so(desk: Desk) -> None:
    desk.picked_up()
    desk.dial.hear(sip.TransferProgress(200, True))
    assert desk.dial.awaits_call
    desk.dial.followed()
    assert desk.dial.state is State.DONE
    assert desk.clock.waiting == 0


def test_a_call_that_is_never_seen_ends(desk: Desk) -> None:
    desk.picked_up()
    desk.dial.hear(sip.TransferProgress(200, True))
    desk.clock.advance(FOLLOW_S)
    assert desk.told[-1] == (EndReason.SERVER_UNAVAILABLE, None)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (sip.Rejected(603, local=False), (EndReason.CANCELLED_HERE, 603)),
        (sip.Rejected(486, local=False), (EndReason.CANCELLED_HERE, 486)),
        (sip.Rejected(480, local=False), (EndReason.UNREACHABLE, 480)),
        (sip.Rejected(503, local=False), (EndReason.SERVER_UNAVAILABLE, 503)),
        (sip.Rejected(408, local=True), (EndReason.SERVER_UNAVAILABLE, None)),
    ],
)
def test_the_phone_is_not_picked_up(
    desk: Desk, event: sip.Rejected, told: object
) -> None:
    desk.dial.hear(event)
    assert desk.told == [told]
    assert desk.leg.did == []
    assert desk.clock.waiting == 0


def test_it_rings_too_long(desk: Desk) -> None:
    desk.clock.advance(RING_S)
    assert desk.told == [(EndReason.CANCELLED_HERE, None)]
    assert desk.leg.did == [HANGUP]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (sip.TransferRefused(405), (EndReason.NOT_ALLOWED, 405)),
        (sip.TransferRefused(408, local=True), (EndReason.FAILED, None)),
        (sip.TransferProgress(486, True), (EndReason.BUSY, 486)),
        (sip.TransferProgress(404, True), (EndReason.UNKNOWN_NUMBER, 404)),
    ],
)
def test_the_phone_cannot_call_it(
    desk: Desk, event: sip.CallEvent, told: object
) -> None:
    desk.picked_up().dial.hear(event)
    assert desk.told == ["rings", told]
    assert desk.leg.did == [REFER, HANGUP]
    assert desk.clock.waiting == 0


def test_a_phone_that_reports_nothing_is_followed_all_the_same(desk: Desk) -> None:
    desk.picked_up()
    desk.dial.followed()
    desk.clock.advance(RING_S)
    assert desk.told == ["rings"]
    assert desk.leg.did == [REFER, HANGUP]


def test_a_phone_that_reports_nothing_and_calls_nobody(desk: Desk) -> None:
    desk.picked_up()
    desk.clock.advance(RING_S)
    assert desk.told == ["rings", (EndReason.FAILED, None)]


def test_a_phone_that_hangs_up_as_soon_as_it_was_asked(desk: Desk) -> None:
    desk.picked_up().dial.hear(sip.RemoteHangup())
    assert desk.dial.awaits_call
    desk.dial.followed()
    assert desk.told == ["rings"]
    assert desk.leg.did == [REFER]


def test_put_down_before_it_was_asked(desk: Desk) -> None:
    desk.dial.hear(sip.LocalEnd())
    assert desk.told == [(EndReason.CANCELLED_HERE, None)]


def test_what_a_phone_may_do_meanwhile(desk: Desk) -> None:
    desk.picked_up()
    desk.dial.hear(sip.Offer("held"))
    desk.dial.hear(sip.TransferRequested(TARGET))
    assert desk.leg.did == [
        REFER,
        ("accept_offer", "silence"),
        ("refuse_transfer", 603),
    ]


@pytest.mark.parametrize(
    ("host", "version"), [("192.0.2.1", "IP4"), ("2001:db8::1", "IP6"), ("gw", "IP4")]
)
def test_the_offer_in_which_nothing_is_heard(host: str, version: str) -> None:
    text = silent_offer(host)
    description = SessionDescription.parse(text)
    assert f"c=IN {version} {host}" in text
    assert "0.0.0.0" not in text
    assert len(description.media) == 1
    assert is_hold(text)
