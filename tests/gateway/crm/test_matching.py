"""Caller matching never stands in a call's way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.crm.connector import (
    Activity,
    ContactDraft,
    CrmRecord,
    CrmUnavailable,
    CrmUser,
    WrittenActivity,
)
from gateway.crm.matching import Matcher, MatchResult
from gateway.sessions.wire import MatchState

ALEX = CrmUser("acme", "005", "alex@acme.example")
ANA = CrmRecord("003", "Contact", "Ana", "https://x/003")


class Crm:
    """Answers as it is told to."""

    def __init__(self, answer: Callable[[], Awaitable[tuple[CrmRecord, ...]]]) -> None:
        self._answer = answer

    async def find_by_number(self, user: CrmUser, e164: str) -> tuple[CrmRecord, ...]:
        return await self._answer()

    async def create_contact(self, user: CrmUser, draft: ContactDraft) -> CrmRecord:
        raise AssertionError

    async def write_activity(self, activity: Activity) -> WrittenActivity:
        raise AssertionError

    async def close(self) -> None:
        return


async def found() -> tuple[CrmRecord, ...]:
    return (ANA,)


async def none() -> tuple[CrmRecord, ...]:
    return ()


async def away() -> tuple[CrmRecord, ...]:
    raise CrmUnavailable("Salesforce cannot be reached")


async def broken() -> tuple[CrmRecord, ...]:
    raise ZeroDivisionError


async def never() -> tuple[CrmRecord, ...]:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("answer", "state", "problem"),
    [
        (found, MatchState.FOUND, ""),
        (none, MatchState.NONE, ""),
        (away, MatchState.FAILED, "Salesforce cannot be reached"),
        (broken, MatchState.FAILED, "Internal error"),
    ],
)
async def test_what_the_crm_says_is_delivered_once(
    answer: Callable[[], Awaitable[tuple[CrmRecord, ...]]],
    state: MatchState,
    problem: str,
) -> None:
    results: asyncio.Queue[MatchResult] = asyncio.Queue()
    matcher = Matcher(Crm(answer))
    matcher.start(ALEX, "+14155551212", results.put_nowait)
    result = await results.get()
    assert (result.state, result.problem, result.is_final) == (state, problem, True)
    assert result.records == ((ANA,) if state is MatchState.FOUND else ())
    await matcher.close()
    assert results.empty()


async def test_a_late_answer_comes_as_an_update() -> None:
    gate = asyncio.Event()

    async def late() -> tuple[CrmRecord, ...]:
        await gate.wait()
        return (ANA,)

    results: asyncio.Queue[MatchResult] = asyncio.Queue()
    matcher = Matcher(Crm(late), budget_s=0.01)
    matcher.start(ALEX, "+14155551212", results.put_nowait)
    first = await results.get()
    assert (first.state, first.is_final) == (MatchState.FAILED, False)
    gate.set()
    second = await results.get()
    assert (second.records, second.is_final) == ((ANA,), True)
    await matcher.close()


async def test_a_crm_that_never_answers_is_given_up() -> None:
    results: asyncio.Queue[MatchResult] = asyncio.Queue()
    matcher = Matcher(Crm(never), budget_s=0.01, give_up_after_s=0.02)
    matcher.start(ALEX, "+14155551212", results.put_nowait)
    assert not (await results.get()).is_final
    assert (await results.get()).is_final
    await matcher.close()


async def test_without_a_number_or_a_crm_there_is_nothing_to_ask() -> None:
    results: list[MatchResult] = []
    Matcher(None).start(ALEX, "+14155551212", results.append)
    Matcher(Crm(broken)).start(ALEX, "", results.append)()
    assert [result.state for result in results] == [MatchState.NONE] * 2


async def test_ended_searches_are_silent_and_their_number_is_bounded() -> None:
    results: list[MatchResult] = []
    matcher = Matcher(Crm(never), budget_s=0.01, max_at_once=1)
    cancel = matcher.start(ALEX, "+14155551212", results.append)
    matcher.start(ALEX, "+14155551212", results.append)
    assert [result.problem for result in results] == ["Too many searches"]
    cancel()
    await matcher.close()
    await asyncio.sleep(0.02)
    assert len(results) == 1
