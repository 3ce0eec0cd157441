"""Tickets, attempt limits and TURN credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.tickets import Tickets, TicketsExhaustedError
from gateway.identity.tokens import AccessGrant
from gateway.identity.turn import TurnConfig, TurnServer
from gateway.identity.users import UserKey

ANA = AccessGrant(UserKey("acme", "ana"), "t1", 0.0)
EVE = AccessGrant(UserKey("evil", "eve"), "t2", 0.0)


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def tickets(clock: Clock, *, limit: int = 100, limit_per_user: int = 16) -> Tickets:
    numbers = itertools.count(1)
    return Tickets(
        clock=clock,
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        limit=limit,
        limit_per_user=limit_per_user,
    )


def test_a_ticket_works_once_for_its_user() -> None:
    desk = tickets(Clock())
    ana, eve = desk.issue(ANA), desk.issue(EVE)
    assert desk.redeem(eve) is EVE
    assert desk.redeem(ana) is ANA
    assert desk.redeem(ana) is None
    assert desk.redeem("guess") is None
    assert desk.redeem("\ud800") is None
    assert len(desk) == 0


def test_a_ticket_lasts_thirty_seconds() -> None:
    clock = Clock()
    desk = tickets(clock)
    early, late = desk.issue(ANA), desk.issue(ANA)
    clock.now = 29.9
    assert desk.redeem(early) is ANA
    clock.now = 30.0
    assert desk.redeem(late) is None
    assert len(desk) == 0


def test_a_ticket_is_not_kept_readable() -> None:
    desk = tickets(Clock())
    ticket = desk.issue(ANA)
    assert len(base64.urlsafe_b64decode(ticket + "=")) == 32
    assert ticket not in repr(vars(desk))


def test_tickets_are_bounded_per_user_and_in_all() -> None:
    clock = Clock()
    desk = tickets(clock, limit=3, limit_per_user=2)
    desk.issue(ANA)
    desk.issue(ANA)
    with pytest.raises(TicketsExhaustedError):
        desk.issue(ANA)
    desk.issue(EVE)
    with pytest.raises(TicketsExhaustedError):
        desk.issue(EVE)
    clock.now = 31
    desk.issue(EVE)


def test_sign_out_revokes_the_users_tickets() -> None:
    desk = tickets(Clock())
    ana, eve = desk.issue(ANA), desk.issue(EVE)
    desk.revoke(ANA.user)
    assert desk.redeem(ana) is None
    assert desk.redeem(eve) is EVE


def test_attempts_run_out_and_come_back() -> None:
    clock = Clock()
    attempts = Attempts(AttemptLimit(count=3, per_s=30.0), clock=clock)
    assert [attempts.take("a") for _ in range(4)] == [True, True, True, False]
    assert attempts.take("b")
    clock.now = 9.9
    assert not attempts.take("a")
    clock.now = 10.1
    assert attempts.take("a")
    assert not attempts.take("a")


def test_a_good_attempt_does_not_count() -> None:
    attempts = Attempts(AttemptLimit(count=1, per_s=30.0), clock=Clock())
    for _ in range(5):
        assert attempts.take("a")
        attempts.give_back("a")
    assert len(attempts) == 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 2), st.booleans()), max_size=100)
)
def test_attempts_are_bounded_in_number_and_in_memory(
    steps: list[tuple[int, float, bool]],
) -> None:
    clock = Clock()
    attempts = Attempts(AttemptLimit(count=2, per_s=10.0), clock=clock, max_keys=10)
    taken: dict[int, list[float]] = {}
    for key, advance, is_good in steps:
        clock.now += advance
        if attempts.take(key):
            if is_good:
                attempts.give_back(key)
            else:
                taken.setdefault(key, []).append(clock.now)
        recent = [at for at in taken.get(key, []) if at > clock.now - 10.0]
        assert len(recent) <= 4
        assert len(attempts) <= 10


def test_turn_credentials_are_what_the_server_computes() -> None:
    config = TurnConfig(urls=("turn:t.example",), secret="shared", ttl_s=600)
    credentials = TurnServer(config, clock=Clock(1000.0)).mint(ANA.user)
    assert credentials is not None
    expiry, _, who = credentials.username.partition(":")
    assert expiry == "1600"
    assert "ana" not in who
    mac = hmac.new(b"shared", credentials.username.encode(), hashlib.sha1).digest()
    assert credentials.credential == base64.b64encode(mac).decode()
    assert "shared" not in repr(config)
    assert credentials.credential not in repr(credentials)


def test_without_secret_or_servers_there_are_no_credentials() -> None:
    assert TurnServer(TurnConfig(), clock=Clock()).mint(ANA.user) is None
    only_stun = TurnConfig(urls=("stun:s.example",))
    assert TurnServer(only_stun, clock=Clock()).mint(ANA.user) is None


def test_turn_credentials_last_an_hour_at_most() -> None:
    with pytest.raises(ValueError, match="3600"):
        TurnConfig(ttl_s=3601)
