"""What a caller typed: read from the INVITE, and looked up before the number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from gateway.calls.caller_key import MAX_KEY, CallerKeyRule, caller_key
from gateway.crm.connector import CrmRecord, CrmRefused, FoundByKey
from gateway.sessions import wire
from gateway.sessions.wire import MatchState
from tests.gateway.calls.fakes import ROBIN, FakeLeg, World, settle

UUI = CallerKeyRule("User-to-User", fields={"Case": "CaseNumber"})
PLAIN = CallerKeyRule("X-Caller-Key", fields={"Case": "CaseNumber"})

ANA = CrmRecord("003A", "Contact", "Ana Ruiz", "https://crm/003A")
BEN = CrmRecord("003B", "Contact", "Ben Roy", "https://crm/003B")
CASE = CrmRecord("500A", "Case", "00001026 Late", "https://crm/500A")
THING = CrmRecord("a00A", "Thing__c", "T-1", "https://crm/a00A")


def read(rule: CallerKeyRule, *lines: tuple[str, str]) -> str:
    return caller_key(rule, sip.Headers(lines))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("00001026", "00001026"),
        ('"AC-1026"', "AC-1026"),
        ("3130323623;encoding=hex", "1026"),
        ("0431303236;purpose=isdn-uui;encoding=hex", "1026"),
        ("00313032360000;encoding=hex", "1026"),
        ('"1026#"', "1026"),
        ("4dc3bc6c6c6572;encoding=hex", "Müller"),
        # no text at all, then one that is
        ("ff;encoding=hex, 77", "77"),
        ("zz;encoding=hex", ""),
        ('"a\tb"', ""),
        ("1" * (MAX_KEY + 1), ""),
        ("", ""),
    ],
)
def test_user_to_user(value: str, key: str) -> None:
    assert read(UUI, ("User-to-User", value)) == key


def test_an_encoding_that_no_value_names() -> None:
    value = ("User-to-User", "31303236")
    assert read(UUI, value) == "31303236"
    assert read(CallerKeyRule("user-to-user", "hex"), value) == "1026"
    isdn = ("User-to-User", "31;purpose=isdn-uui")
    assert read(UUI, isdn) == "1"
    assert read(CallerKeyRule("User-to-User", "text"), isdn) == "31"


def test_another_header() -> None:
    assert read(PLAIN, ("x-caller-key", ' "10 26" ')) == "10 26"
    assert read(PLAIN, ("User-to-User", "1")) == ""
    assert read(CallerKeyRule(), ("X-Caller-Key", "1")) == ""


@given(
    st.sampled_from([UUI, PLAIN, CallerKeyRule("User-to-User", "hex")]),
    st.lists(st.text(max_size=80) | st.from_regex(r"[0-9a-f]{2,40}(;encoding=hex)?\Z")),
)
def test_any_header_gives_a_key_or_none(rule: CallerKeyRule, values: list[str]) -> None:
    key = read(rule, *((rule.header, value) for value in values))
    assert len(key) <= MAX_KEY
    assert key.isprintable()
    assert key == key.strip()
    # What the page is told of it is taken by the protocol.
    key.encode()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(caller_key=UUI)
    task = asyncio.create_task(world.service.run())
    await world.service.session_opened(ROBIN)
    yield world
    await world.service.close()
    await asyncio.wait_for(task, 5)


async def ring(
    world: World,
    key: str = "1026",
    remote: str = '"Ana" <sip:+16465550175@acme.example>',
) -> FakeLeg:
    leg = FakeLeg(world.accounts[ROBIN.key], remote=remote)
    leg.request.headers.add("User-to-User", key)
    world.service.on_invite(leg)
    await settle()
    return leg


async def test_a_case_leads_to_its_contact_and_is_what_it_is_about(
    world: World,
) -> None:
    world.connector.by_key = FoundByKey((ANA,), CASE)
    world.connector.records = (BEN,)
    leg = await ring(world)
    call = world.call()
    assert call.caller_key == "1026"
    assert [record.name for record in call.match.records] == ["Ana Ruiz"]
    assert call.work.about is not None
    assert call.work.about.id == CASE.id
    assert world.connector.asked[0] == "1026 in {'Case': 'CaseNumber'}"
    leg.on_event(sip.Cancelled(()))
    await settle()
    (activity,) = world.journal.written
    assert (activity.who_id, activity.what_id) == (ANA.id, CASE.id)


@pytest.mark.parametrize("about", [None, CASE])
async def test_a_key_that_leads_to_nobody_leaves_it_to_the_number(
    world: World, about: CrmRecord | None
) -> None:
    world.connector.by_key = FoundByKey((), about)
    world.connector.records = (BEN,)
    await ring(world)
    call = world.call()
    assert [record.name for record in call.match.records] == ["Ben Roy"]
    assert (call.work.about is not None) == (about is not None)


async def test_what_takes_no_activities_is_not_what_it_is_about(world: World) -> None:
    world.connector.by_key = FoundByKey((ANA,), THING)
    await ring(world)
    assert world.call().work.about is None


@pytest.mark.parametrize(
    ("error", "by_key", "state"),
    [
        (None, FoundByKey((ANA,)), MatchState.FOUND),
        (None, FoundByKey(), MatchState.NONE),
        (CrmRefused("no"), FoundByKey(), MatchState.FAILED),
    ],
)
async def test_a_caller_without_a_number(
    world: World, error: CrmRefused | None, by_key: FoundByKey, state: MatchState
) -> None:
    world.connector.by_key, world.connector.error = by_key, error
    await ring(world, remote="<sip:anonymous@anonymous.invalid>")
    assert world.call().match.state is state
    assert len(world.connector.asked) == 1


async def test_it_rings_before_the_crm_answers(world: World) -> None:
    world.connector.may_answer.clear()
    leg = await ring(world)
    assert leg.did == [("ring",)]
    assert world.call().match.state is MatchState.SEARCHING
    assert world.call().caller_key == "1026"
    world.connector.by_key = FoundByKey((ANA,))
    world.connector.may_answer.set()
    await settle()
    assert world.call().match.state is MatchState.FOUND


async def test_a_key_of_nothing_is_shown_and_not_looked_up(world: World) -> None:
    await ring(world, key="zz;encoding=hex")
    assert world.call().caller_key == ""
    assert world.connector.asked == ["+16465550175"]


async def test_the_rep_may_say_who_it_is_and_the_case_stays(world: World) -> None:
    world.connector.by_key = FoundByKey((ANA, BEN), CASE)
    leg = await ring(world)
    call_id = world.call().call_id
    leg.on_event(sip.Cancelled(()))
    await settle()
    choice = wire.CallChooseRecord(op_id="1", call_id=call_id, record_id=BEN.id)
    await world.service.perform(ROBIN, "call.choose_record", choice)
    assert [record.id for _, record in world.journal.renamed] == [BEN.id]
    assert world.journal.renamed_about == [CASE]
