"""The pure parts alone: event log, op memory, resume token, message rate."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sessions import wire
from gateway.sessions.event_log import EventLog
from gateway.sessions.message_rate import MessageRate, RateVerdict
from gateway.sessions.op_memory import OpConflictError, OpMemory
from gateway.sessions.resume_token import MAX_TOKENS, ResumeTokens, TokenVerdict


def log_of(count: int, **limits: int) -> EventLog:
    log = EventLog(**limits)
    for number in range(1, count + 1):
        assert log.append(f"e{number}", now=0.0) == number
    return log


def test_the_ring_keeps_the_newest_by_count() -> None:
    log = log_of(5, max_events=3)
    assert log.since(2, now=0.0) == ("e3", "e4", "e5")
    assert log.since(1, now=0.0) is None
    assert log.since(5, now=0.0) == ()
    assert log.since(6, now=0.0) is None
    assert log.dropped == 2


def test_the_ring_is_bounded_in_bytes_of_utf8() -> None:
    log = EventLog(max_bytes=10)
    log.append("é" * 3, now=0.0)
    log.append("é" * 2, now=0.0)
    assert log.size_bytes == 10
    log.append("x", now=0.0)
    assert log.size_bytes == 5
    assert log.since(0, now=0.0) is None
    assert log.since(1, now=0.0) == ("éé", "x")


def test_an_event_larger_than_the_ring_is_numbered_and_not_kept() -> None:
    log = EventLog(max_bytes=10)
    assert log.append("x" * 11, now=0.0) == 1
    assert log.since(0, now=0.0) is None
    assert log.since(1, now=0.0) == ()
    assert log.append("y", now=0.0) == 2


def test_old_events_are_not_kept() -> None:
    log = EventLog(max_age_s=150.0)
    log.append("e1", now=0.0)
    log.append("e2", now=100.0)
    assert log.since(0, now=150.0) == ("e1", "e2")
    assert log.since(0, now=151.0) is None
    assert log.since(1, now=151.0) == ("e2",)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "ack", "since"]), st.integers(0, 60)),
        max_size=80,
    )
)
def test_what_is_given_is_always_the_exact_tail(steps: list[tuple[str, int]]) -> None:
    log = EventLog(max_events=8, max_bytes=40)
    frames: list[str] = []
    for what, number in steps:
        if what == "append":
            frames.append("x" * (number % 12))
            assert log.append(frames[-1], now=0.0) == len(frames)
        elif what == "ack" and number <= log.head:
            log.acknowledge(number)
        elif what == "ack":
            with pytest.raises(ValueError, match="no event"):
                log.acknowledge(number)
        else:
            tail = log.since(number, now=0.0)
            assert tail is None or list(tail) == frames[number:]
        assert len(log) <= 8
        assert log.size_bytes <= 40
        assert log.head == len(frames)


# Operations ---------------------------------------------------------------------------


def finish(memory: OpMemory, op_id: str, outcome: str, *, now: float = 0.0) -> None:
    operation = memory.begin(op_id, b"f", lambda _: None)
    memory.finish(operation, outcome, now=now)


def test_a_running_operation_is_found_and_joined() -> None:
    memory, heard = OpMemory(), []
    operation = memory.begin("o", b"f", lambda outcome: heard.append(("a", outcome)))
    found = memory.find("o", b"f", now=0.0)
    assert found is operation
    memory.join(found, lambda outcome: heard.append(("b", outcome)))
    assert heard == []
    memory.finish(operation, "done", now=0.0)
    memory.join(operation, lambda outcome: heard.append(("c", outcome)))
    assert heard == [("a", "done"), ("b", "done"), ("c", "done")]


def test_another_fingerprint_is_a_conflict_while_running_and_after() -> None:
    memory = OpMemory()
    operation = memory.begin("o", b"f", lambda _: None)
    with pytest.raises(OpConflictError):
        memory.find("o", b"g", now=0.0)
    memory.finish(operation, "done", now=0.0)
    with pytest.raises(OpConflictError):
        memory.find("o", b"g", now=0.0)


def test_operations_are_forgotten_by_age_count_and_size_but_not_while_running() -> None:
    memory = OpMemory(max_age_s=10.0, max_count=3, max_bytes=100)
    running = memory.begin("running", b"f", lambda _: None)
    finish(memory, "old", "x")
    assert memory.find("old", b"f", now=10.0) is not None
    assert memory.find("old", b"f", now=10.1) is None
    for number in range(4):
        finish(memory, f"n{number}", "x", now=20.0)
    assert memory.find("n1", b"f", now=20.0) is None
    assert memory.find("n3", b"f", now=20.0) is not None
    finish(memory, "large", "x" * 99, now=20.0)
    assert memory.find("n3", b"f", now=20.0) is not None
    finish(memory, "larger", "x" * 100, now=20.0)
    assert memory.find("large", b"f", now=20.0) is None
    assert memory.find("running", b"f", now=1e9) is running


# Resume tokens ------------------------------------------------------------------------


def token_of(session_id: str = "s", user: str = "acme/ana") -> ResumeTokens:
    numbers = itertools.count(1)
    return ResumeTokens(
        session_id,
        user,
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
    )


def test_a_token_is_good_once_and_only_for_its_page() -> None:
    token = token_of()
    first = token.rotate("page")
    assert token.present(first, "page", 0.0) is TokenVerdict.VALID
    assert token.present(first, "page", 0.0) is TokenVerdict.UNKNOWN
    second = token.rotate("page")
    assert second != first
    assert token.present(first, "page", 0.0) is TokenVerdict.UNKNOWN
    assert token.present(second, "other", 0.0) is TokenVerdict.WRONG_INSTANCE
    assert token.present(second, "page", 0.0) is TokenVerdict.UNKNOWN


def test_a_token_is_bound_to_session_and_user() -> None:
    first = token_of()
    text = first.rotate("page")
    for other in (token_of(session_id="t"), token_of(user="evil/ana")):
        # The same random bytes, so the very same text was issued there too.
        assert other.rotate("page") == text
        assert other._kept != first._kept


def test_a_superseded_page_is_told_so_and_no_other() -> None:
    tokens = token_of()
    old = tokens.rotate("old")
    new = tokens.rotate("new")
    tokens.supersede("old")
    assert tokens.present(old, "old", 0.0) is TokenVerdict.SUPERSEDED
    assert tokens.present(old, "thief", 0.0) is TokenVerdict.UNKNOWN
    assert tokens.present(new, "new", 0.0) is TokenVerdict.VALID


def test_each_page_has_a_token_and_can_spoil_only_its_own() -> None:
    tokens = token_of()
    one, two = tokens.rotate("one"), tokens.rotate("two")
    assert tokens.present(one, "two", 0.0) is TokenVerdict.WRONG_INSTANCE
    assert tokens.present(two, "two", 0.0) is TokenVerdict.VALID
    assert tokens.present(one, "one", 0.0) is TokenVerdict.UNKNOWN


def test_a_page_that_is_gone_has_a_window_to_come_back() -> None:
    tokens = token_of()
    late, early = tokens.rotate("late"), tokens.rotate("early")
    tokens.limit("late", 120.0)
    tokens.limit("early", 120.0)
    assert tokens.present(early, "early", 120.0) is TokenVerdict.VALID
    assert tokens.present(late, "late", 120.1) is TokenVerdict.UNKNOWN


def test_tokens_of_pages_without_number_are_not_kept() -> None:
    tokens = token_of()
    issued = [tokens.rotate(f"page-{number}") for number in range(MAX_TOKENS + 1)]
    assert tokens.present(issued[0], "page-0", 0.0) is TokenVerdict.UNKNOWN
    assert tokens.present(issued[1], "page-1", 0.0) is TokenVerdict.VALID


def test_tokens_are_not_kept_readable() -> None:
    token = token_of()
    assert token.rotate("page") not in repr(vars(token))


# Rate ---------------------------------------------------------------------------------


def test_a_steady_hundred_a_second_is_accepted_for_ever() -> None:
    rate = MessageRate()
    for number in range(1000):
        assert rate.receive(number * 0.0101) is RateVerdict.ACCEPT


def test_a_burst_is_accepted_refused_closed() -> None:
    rate = MessageRate(per_s=3)
    verdicts = [rate.receive(0.0) for _ in range(7)]
    assert verdicts == [
        *[RateVerdict.ACCEPT] * 3,
        *[RateVerdict.REFUSE] * 3,
        RateVerdict.CLOSE,
    ]


def test_waiting_after_a_refusal_helps() -> None:
    rate = MessageRate()
    for _ in range(wire.MAX_MESSAGES_PER_S + 1):
        rate.receive(0.0)
    assert rate.receive(0.001) is RateVerdict.REFUSE
    assert rate.receive(1.0) is RateVerdict.ACCEPT
    # A clock that jumps back gives nothing.
    assert rate.receive(0.5) is RateVerdict.ACCEPT
