"""Several pages of one user on one session: who is told what, who may do what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.sessions import wire
from gateway.sessions.directory import SessionLimits
from gateway.sessions.roles import OWNER_METHODS
from tests.gateway.sessions.fakes import ANA, BEN, EVE, OFFER, Page, World

OBSERVES: dict[str, Any] = {"role": "observer"}


async def look_on(world: World, name: str, **more: Any) -> Page:
    page = world.page(name)
    await page.hello(**OBSERVES, **more)
    return page


async def owner_by(page: Page) -> str:
    """As the last thing that the page heard of it says."""
    told = [e["owner"] for e in page.outlet.events if e["type"] == "session.owner"]
    if told:
        return str(told[-1]["instance_id"])
    return str(page.outlet.frames[0]["result"]["owner"]["instance_id"])


async def test_an_observer_hears_all_and_disturbs_nobody(world: World) -> None:
    owner = await look_on(world, "one")
    world.backend.ring(ANA, "c1")
    observer = world.page("two")
    result = await observer.hello(**OBSERVES)
    assert result["owner"]["instance_id"] == "one"
    assert [call["call_id"] for call in result["snapshot"]["calls"]] == ["c1"]
    world.backend.ring(ANA, "c2")
    for page in (owner, observer):
        assert page.outlet.closed is None
        assert page.outlet.events[-1]["seq"] == 2
        assert {event["type"] for event in page.outlet.events} == {"call.incoming"}
    assert world.directory.counters.takeovers == 0
    assert world.backend.log.count(("opened", "acme/ana")) == 1


async def test_the_phone_is_taken_and_its_owner_looks_on(world: World) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    world.backend.ring(ANA, "c1")
    assert await observer.result("session.take") == {}
    for page in (owner, observer):
        assert await owner_by(page) == "two"
        assert page.outlet.closed is None
    seqs = [[event["seq"] for event in p.outlet.events] for p in (owner, observer)]
    assert seqs == [[1, 2], [1, 2]]
    # Again it changes nothing.
    await observer.result("session.take")
    assert len(observer.outlet.events) == 2
    params = {"op_id": "o", "call_id": "c1", "offer": OFFER}
    assert await owner.kind("call.answer", **params) == "session.observer"
    assert "call" in await observer.result("call.answer", **params)
    assert world.directory.counters.takeovers == 1


async def test_what_an_observer_may_do(world: World) -> None:
    await look_on(world, "one")
    observer = await look_on(world, "two")
    world.backend.ring(ANA, "c1")
    media = {"op_id": "m", "call_id": "c1", "generation": 1}
    refused: dict[str, dict[str, Any]] = {
        "call.answer": media | {"offer": OFFER},
        "call.media": media | {"offer": OFFER, "reason": "reload"},
        "call.trickle": {"call_id": "c1", "generation": 1, "candidate": None},
        "call.create": {"op_id": "n", "call_id": "c9", "to": "1", "offer": OFFER},
        "call.join": {"op_id": "j", "call_id": "c9", "offer": OFFER},
        "session.mute": {"call_ids": ["c1"]},
    }
    assert refused.keys() >= OWNER_METHODS
    for method, params in refused.items():
        params = {key: value for key, value in params.items() if value is not None}
        assert await observer.kind(method, **params) == "session.observer", method
    # Neither does leaving out the offer help.
    bare = {"op_id": "b", "call_id": "c9", "to": "1"}
    assert await observer.kind("call.create", **bare) == "session.observer"
    assert world.backend.performed == []
    await observer.result("call.create", **bare, device="desk_phone")
    await observer.result("call.hold", op_id="h", call_id="c1")
    await observer.result("call.dtmf", op_id="d", call_id="c1", digits="1")
    await observer.result("work.change", op_id="w", call_id="c1", notes="Called.")
    await observer.result("call.hangup", op_id="x", call_id="c1")


@pytest.mark.parametrize("method", sorted(wire.METHODS))
def test_every_method_is_thought_about(method: str) -> None:
    """A new one that carries an offer is the owner's."""
    fields = wire.METHODS[method][0].model_fields
    carries_media = "offer" in fields or "candidate" in fields
    about_media = OWNER_METHODS - {"session.mute"} | {"call.create"}
    assert carries_media == (method in about_media)


async def test_what_is_muted_stays_so_where_the_phone_goes(world: World) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    await owner.result("session.mute", call_ids=["c1"])
    await owner.result("session.mute", call_ids=["c1"])
    (told,) = observer.outlet.events
    assert told["owner"] == {"instance_id": "one", "is_window": False, "muted": ["c1"]}
    await observer.result("session.take")
    assert observer.outlet.events[-1]["owner"]["muted"] == ["c1"]
    result = await world.page("three").hello(**OBSERVES)
    assert result["owner"]["muted"] == ["c1"]
    too_many = [f"c{number}" for number in range(wire.MAX_MUTED + 1)]
    assert await observer.kind("session.mute", call_ids=too_many) == "bad_request"


async def test_the_owner_closes_and_one_observer_has_the_phone(world: World) -> None:
    owner = await look_on(world, "one")
    two, three = await look_on(world, "two"), await look_on(world, "three")
    owner.conversation.lost()
    (session,) = world.directory._sessions.values()
    world.clock.advance(wire.OWNER_GRACE_S - 0.1)
    world.directory.elect(session)
    assert two.outlet.events == three.outlet.events == []
    assert world.backend.log[-1] != ("detached", "acme/ana")
    world.clock.advance(0.2)
    world.directory.elect(session)
    world.directory.elect(session)
    assert await owner_by(two) == await owner_by(three) == "three"
    assert len(two.outlet.events) == 1
    assert world.directory.counters.elections == 1


async def test_the_election_comes_by_itself() -> None:
    world = World(limits=SessionLimits(owner_grace_s=0.0))
    try:
        owner, observer = await look_on(world, "one"), await look_on(world, "two")
        owner.conversation.lost()
        await observer.outlet.until(lambda: len(observer.outlet.events) == 1)
        assert await owner_by(observer) == "two"
    finally:
        await world.directory.close()


async def test_the_owner_resumes_within_its_grace(world: World) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    owner.conversation.lost()
    world.backend.ring(ANA, "c1")
    back = world.page("one")
    result = await back.resume(owner, last_seq=0)
    assert result["owner"]["instance_id"] == "one"
    assert [event["seq"] for event in back.outlet.events] == [1]
    (session,) = world.directory._sessions.values()
    world.clock.advance(60)
    world.directory.elect(session)
    assert len(observer.outlet.events) == 1, "the call alone"


async def test_an_owner_that_is_late_looks_on(world: World) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    owner.conversation.lost()
    await observer.result("session.take")
    back = world.page("one")
    result = await back.resume(owner, last_seq=0)
    assert result["owner"]["instance_id"] == "two"
    assert observer.outlet.closed is None
    assert await back.kind("call.answer", op_id="o", call_id="c", offer=OFFER) == (
        "session.observer"
    )


async def test_each_page_resumes_with_its_own_token_and_no_others(
    world: World,
) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    observer.conversation.lost()
    thief = world.page("two")
    params = {
        "session_id": owner.session_id,
        "resume_token": owner.token,
        "instance_id": "two",
        "last_seq": 0,
    }
    assert await thief.kind("session.resume", **params) == "session.unknown"
    assert world.directory.counters.resume_tokens_stolen == 1
    back = world.page("two")
    assert (await back.resume(observer, last_seq=0))["resumed"] is True


async def test_acknowledgements_of_observers_free_nothing(world: World) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    world.backend.ring(ANA, "c1")
    await observer.result("session.ack", seq=1)
    assert await observer.kind("session.ack", seq=2) == "bad_request"
    await look_on(world, "three")
    owner.conversation.lost()
    result = await world.page("one").resume(owner, last_seq=0)
    assert result["replay_from"] == 1


async def test_old_clients_have_the_phone_as_ever(world: World) -> None:
    observer = await look_on(world, "two")
    old, older = world.page("old"), world.page("older")
    await older.hello()
    await old.hello()
    assert older.outlet.events[-1]["type"] == "session.superseded"
    assert older.outlet.closed is not None
    assert older.outlet.closed[0] == wire.CLOSE_SUPERSEDED
    assert observer.outlet.closed is None
    assert await owner_by(observer) == "old"
    # The log is one for all.
    seqs = [event["seq"] for event in observer.outlet.events]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_a_page_with_the_same_name_of_another_user_takes_nothing(
    world: World,
) -> None:
    ana = await look_on(world, "page")
    for user in (BEN, EVE):
        other = world.page("page")
        result = await other.hello(user, **OBSERVES, instead_of="page")
        assert result["session_id"] != ana.session_id
        await other.result("session.take")
        other.conversation.lost()
    world.backend.ring(ANA, "c1")
    assert [event["type"] for event in ana.outlet.events] == ["call.incoming"]
    assert ana.outlet.closed is None


async def test_a_ninth_page_takes_the_place_of_one_not_used(world: World) -> None:
    pages = [await look_on(world, f"page-{n}") for n in range(wire.MAX_PAGES)]
    await pages[1].result("history.list")
    await look_on(world, "one-more")
    closed = [page.instance_id for page in pages if page.outlet.closed]
    assert closed == ["page-2"]
    assert pages[2].outlet.closed is not None
    assert pages[2].outlet.closed[0] == wire.CLOSE_SUPERSEDED
    assert world.directory.counters.observers_evicted == 1


async def test_signing_out_in_one_page_signs_out_all(world: World) -> None:
    owner, observer = await look_on(world, "one"), await look_on(world, "two")
    await observer.result("session.close", op_id="bye")
    assert observer.outlet.closed == (1000, "signed out")
    assert owner.outlet.closed is not None
    assert owner.outlet.closed[0] == wire.CLOSE_SIGNED_OUT


async def test_at_drain_all_are_told_and_closed(world: World) -> None:
    pages = [await look_on(world, name) for name in ("one", "two")]
    pages[0].conversation.lost()
    await asyncio.wait_for(world.directory.close(), 5)
    assert pages[1].outlet.closed is not None
    assert pages[1].outlet.closed[0] == wire.CLOSE_DRAIN
