"""The life of a session: hello, resume, takeover, detach, sign-out, drain."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.directory import SessionLimits
from gateway.sessions.wire import ErrorKind
from tests.gateway.sessions.fakes import ANA, BEN, EVE, World, eventually


def seqs(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


async def test_hello_opens_a_session_with_a_snapshot(world: World) -> None:
    page = world.page()
    result = await page.hello()
    assert result["seq"] == 0
    assert result["snapshot"]["user"]["name"] == "Ana Ruiz"
    assert result["resume_window_s"] == 120
    assert world.backend.log == [
        ("opened", "acme/ana"),
        ("snapshot", "acme/ana"),
        ("attached", "acme/ana"),
    ]


async def test_events_are_numbered_without_gaps_from_one(world: World) -> None:
    page = world.page()
    await page.hello()
    for number in range(5):
        world.backend.ring(ANA, f"c{number}")
    assert seqs(page.outlet.events) == [1, 2, 3, 4, 5]
    assert page.outlet.events[0]["at"] == int(world.clock.now * 1000)


async def test_what_the_backend_publishes_while_opening_is_in_the_snapshot(
    world: World,
) -> None:
    world.backend.open_gate = asyncio.Event()
    page = world.page()
    hello = asyncio.ensure_future(page.hello())
    await eventually(lambda: ("opened", "acme/ana") in world.backend.log)
    world.backend.ring(ANA, "early")
    world.backend.open_gate.set()
    result = await hello
    assert result["seq"] == 1
    assert [call["call_id"] for call in result["snapshot"]["calls"]] == ["early"]
    assert page.outlet.events == []


async def test_two_pages_that_say_hello_at_once_open_one_session(world: World) -> None:
    world.backend.open_gate = asyncio.Event()
    first, second = world.page("a"), world.page("b")
    hellos = asyncio.gather(first.hello(), second.hello())
    await asyncio.sleep(0)
    world.backend.open_gate.set()
    results = await hellos
    assert results[0]["session_id"] == results[1]["session_id"]
    assert world.backend.log.count(("opened", "acme/ana")) == 1
    assert [page.outlet.closed for page in (first, second)].count(None) == 1


async def test_a_client_that_leaves_while_opening_does_not_undo_it(
    world: World,
) -> None:
    world.backend.open_gate = asyncio.Event()
    hello = asyncio.ensure_future(world.page().hello())
    await eventually(lambda: ("opened", "acme/ana") in world.backend.log)
    hello.cancel()
    await asyncio.wait((hello,))
    world.backend.open_gate.set()
    await world.page("other").hello()
    assert world.backend.log.count(("opened", "acme/ana")) == 1


async def test_an_unattached_session_of_a_client_that_left_expires(
    world: World,
) -> None:
    world.backend.open_gate = asyncio.Event()
    hello = asyncio.ensure_future(world.page().hello())
    await eventually(lambda: ("opened", "acme/ana") in world.backend.log)
    hello.cancel()
    world.backend.open_gate.set()
    await eventually(lambda: world.directory.counters.sessions_opened == 1)
    world.clock.advance(121)
    await world.directory.sweep()
    assert world.backend.log[-1] == ("closed", "acme/ana")


async def test_resume_replays_exactly_what_was_missed(world: World) -> None:
    old = world.page()
    await old.hello()
    world.backend.ring(ANA, "c1")
    old.conversation.lost()
    world.backend.ring(ANA, "c2")
    world.backend.ring(ANA, "c3")
    new = world.page()
    result = await new.resume(old, last_seq=1)
    assert result["resumed"] is True
    assert result["replay_from"] == 2
    assert result["seq"] == 3
    assert "snapshot" not in result
    assert "id" in new.outlet.frames[0]
    assert seqs(new.outlet.events) == [2, 3]
    world.backend.ring(ANA, "c4")
    assert seqs(new.outlet.events) == [2, 3, 4]
    assert world.backend.log.count(("detached", "acme/ana")) == 1


async def test_resume_works_while_the_old_socket_looks_alive(world: World) -> None:
    old = world.page()
    await old.hello()
    world.backend.ring(ANA, "c1")
    new = world.page()
    await new.resume(old, last_seq=0)
    assert seqs(new.outlet.events) == [1]
    # Not told that another page took over: it is the same one.
    assert [event["type"] for event in old.outlet.events] == ["call.incoming"]
    assert old.outlet.closed is not None
    old.conversation.lost()
    assert ("detached", "acme/ana") not in world.backend.log
    world.backend.ring(ANA, "c2")
    assert seqs(new.outlet.events) == [1, 2]


async def test_resume_past_the_ring_gets_a_snapshot(world: World) -> None:
    old = world.page()
    await old.hello()
    old.conversation.lost()
    for number in range(wire.RING_EVENTS + 1):
        world.backend.ring(ANA, f"c{number % 3}")
    new = world.page()
    result = await new.resume(old, last_seq=0)
    assert result["resumed"] is False
    assert result["seq"] == wire.RING_EVENTS + 1
    assert "replay_from" not in result
    assert len(result["snapshot"]["calls"]) == 3
    assert new.outlet.events == []


async def test_resume_from_the_future_gets_a_snapshot(world: World) -> None:
    old = world.page()
    await old.hello()
    result = await world.page().resume(old, last_seq=99)
    assert result["resumed"] is False
    assert result["seq"] == 0


async def test_an_acknowledged_event_is_not_kept(world: World) -> None:
    page = world.page()
    await page.hello()
    world.backend.ring(ANA, "c1")
    world.backend.ring(ANA, "c2")
    assert await page.result("session.ack", seq=2) == {}
    page.conversation.lost()
    result = await world.page().resume(page, last_seq=1)
    assert result["resumed"] is False


async def test_an_ack_of_an_event_that_is_not_there_yet_is_refused(
    world: World,
) -> None:
    page = world.page()
    await page.hello()
    assert await page.kind("session.ack", seq=1) == "bad_request"


# Takeover -----------------------------------------------------------------------------


async def test_a_reload_takes_over_from_a_half_dead_socket(world: World) -> None:
    old = world.page("load-1")
    await old.hello()
    world.backend.ring(ANA, "live")
    new = world.page("load-2")
    result = await new.hello()
    assert result["session_id"] == old.session_id
    assert [call["call_id"] for call in result["snapshot"]["calls"]] == ["live"]
    assert old.outlet.events[-1]["type"] == "session.superseded"
    assert old.outlet.events[-1]["seq"] == result["seq"] == 2
    assert old.outlet.closed is not None
    assert old.outlet.closed[0] == wire.CLOSE_SUPERSEDED
    assert ("detached", "acme/ana") not in world.backend.log
    assert world.backend.log.count(("opened", "acme/ana")) == 1
    world.backend.ring(ANA, "next")
    assert seqs(new.outlet.events) == [3]


async def test_the_superseded_page_can_do_nothing_more(world: World) -> None:
    old = world.page("load-1")
    await old.hello()
    world.backend.ring(ANA, "c1")
    new = world.page("load-2")
    await new.hello()
    await old.say("call.hangup", op_id="op", call_id="c1")
    await new.result("history.list")
    assert [method for _, method, _ in world.backend.performed] == ["history.list"]
    old.conversation.lost()
    assert ("detached", "acme/ana") not in world.backend.log


async def test_the_superseded_page_is_told_so_when_it_resumes(world: World) -> None:
    old = world.page("load-1")
    await old.hello()
    await world.page("load-2").hello()
    back = world.page("load-1")
    kind = await back.kind(
        "session.resume",
        session_id=old.session_id,
        resume_token=old.token,
        instance_id="load-1",
        last_seq=0,
    )
    assert kind == "session.superseded"


async def test_a_page_that_yields_leaves_the_session_to_a_calls_window(
    world: World,
) -> None:
    window = world.page("window")
    hello = {**window.hello_params(), "caps": [wire.CAP_CALL_WINDOW]}
    await window.result("session.hello", **hello)
    world.backend.ring(ANA, "c1")

    async def yields() -> str | None:
        page = world.page("frame")
        asked = {**page.hello_params(), "caps": [wire.CAP_YIELDS]}
        response = await page.ask("session.hello", **asked)
        error = response.get("error")
        return error["data"]["kind"] if error else None

    assert await yields() == "session.superseded"
    assert window.outlet.closed is None
    assert [event["type"] for event in window.outlet.events] == ["call.incoming"]
    window.conversation.lost()
    world.clock.now += 4.9
    assert await yields() == "session.superseded", "the window may be reloading"
    world.clock.now += 0.2
    assert await yields() is None


async def test_yielding_is_to_windows_alone_and_a_wish_is_no_yielding(
    world: World,
) -> None:
    for caps in ([], [wire.CAP_CALL_WINDOW], [], [wire.CAP_YIELDS], [wire.CAP_YIELDS]):
        page = world.page(f"load-{caps}")
        await page.result("session.hello", **{**page.hello_params(), "caps": caps})
        assert page.outlet.closed is None


# Tokens -------------------------------------------------------------------------------


async def resume_kind(
    world: World, *, session_id: str, token: str, instance_id: str = "page-1"
) -> str:
    return await world.page().kind(
        "session.resume",
        session_id=session_id,
        resume_token=token,
        instance_id=instance_id,
        last_seq=0,
    )


async def test_a_resume_token_works_once(world: World) -> None:
    old = world.page()
    await old.hello()
    await world.page().resume(old, last_seq=0)
    kind = await resume_kind(world, session_id=old.session_id, token=old.token)
    assert kind == "session.unknown"
    assert world.directory.counters.resumes_refused == 1


async def test_a_stolen_resume_token_is_refused_and_burnt(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    old = world.page()
    await old.hello()
    kind = await resume_kind(
        world, session_id=old.session_id, token=old.token, instance_id="thief"
    )
    assert kind == "session.unknown"
    assert world.directory.counters.resume_tokens_stolen == 1
    assert "acme/ana" in caplog.text
    assert old.token not in caplog.text
    # Not even its owner can use it now; the owner says hello.
    kind = await resume_kind(world, session_id=old.session_id, token=old.token)
    assert kind == "session.unknown"


async def test_a_session_id_alone_is_useless(world: World) -> None:
    old = world.page()
    await old.hello()
    kind = await resume_kind(world, session_id=old.session_id, token="guess")
    assert kind == "session.unknown"
    # And it does not burn the token.
    assert (await world.page().resume(old, last_seq=0))["resumed"] is True


async def test_a_token_of_one_session_does_not_open_another(world: World) -> None:
    ana, eve = world.page(), world.page()
    await ana.hello(ANA)
    await eve.hello(EVE)
    kind = await resume_kind(world, session_id=ana.session_id, token=eve.token)
    assert kind == "session.unknown"


async def test_after_sign_out_nothing_resumes(world: World) -> None:
    page = world.page()
    await page.hello()
    spare_ticket = world.ticket(ANA)
    assert await page.result("session.close", op_id="bye") == {}
    assert page.outlet.closed == (1000, "signed out")
    assert world.backend.log[-1] == ("signed_out", "acme/ana")
    kind = await resume_kind(world, session_id=page.session_id, token=page.token)
    assert kind == "session.unknown"
    other = world.page()
    assert (
        await other.kind(
            "session.hello", **(other.hello_params() | {"ticket": spare_ticket})
        )
        == "auth.denied"
    )
    assert [grant.token_id for grant in world.revoked] == ["token-of-acme/ana"]
    assert world.directory.session_count == 0


async def test_a_ticket_works_once(world: World) -> None:
    ticket = world.ticket()
    page, thief = world.page(), world.page("thief")
    await page.result("session.hello", **(page.hello_params() | {"ticket": ticket}))
    kind = await thief.kind(
        "session.hello", **(thief.hello_params() | {"ticket": ticket})
    )
    assert kind == "auth.denied"
    assert thief.outlet.closed is not None
    assert thief.outlet.closed[0] == wire.CLOSE_NO_HELLO
    assert page.outlet.closed is None


async def test_a_user_who_is_gone_neither_enters_nor_resumes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = world.page()
    await page.hello()
    monkeypatch.setattr(world.users, "user", lambda key: None)
    kind = await resume_kind(world, session_id=page.session_id, token=page.token)
    assert kind == "auth.denied"
    other = world.page()
    assert await other.kind("session.hello", **other.hello_params()) == "auth.denied"


# Windows ------------------------------------------------------------------------------


async def test_nobody_comes_back_within_the_window(world: World) -> None:
    page = world.page()
    await page.hello()
    page.conversation.lost()
    assert world.backend.log[-1] == ("detached", "acme/ana")
    world.clock.advance(119.9)
    await world.directory.sweep()
    assert world.directory.session_count == 1
    world.clock.advance(0.2)
    await world.directory.sweep()
    assert world.backend.log[-1] == ("closed", "acme/ana")
    assert world.directory.session_count == 0
    kind = await resume_kind(world, session_id=page.session_id, token=page.token)
    assert kind == "session.unknown"


async def test_coming_back_stops_the_window(world: World) -> None:
    old = world.page()
    await old.hello()
    old.conversation.lost()
    world.clock.advance(100)
    new = world.page()
    await new.resume(old, last_seq=0)
    world.clock.advance(100)
    await world.directory.sweep()
    assert world.directory.session_count == 1
    new.conversation.lost()
    world.clock.advance(100)
    await world.directory.sweep()
    assert world.directory.session_count == 1


async def test_the_window_ends_by_itself() -> None:
    world = World(limits=SessionLimits(resume_window_s=0.0))
    page = world.page()
    await page.hello()
    page.conversation.lost()
    await eventually(lambda: world.directory.session_count == 0)
    assert world.backend.log[-1] == ("closed", "acme/ana")
    await world.directory.close()


async def test_hello_while_the_session_closes_opens_another(world: World) -> None:
    page = world.page()
    await page.hello()
    page.conversation.lost()
    world.backend.close_gate = asyncio.Event()
    world.clock.advance(121)
    sweep = asyncio.ensure_future(world.directory.sweep())
    await eventually(lambda: world.backend.log[-1][0] == "closed")
    fresh = world.page("fresh")
    hello = asyncio.ensure_future(fresh.hello())
    await asyncio.sleep(0)
    world.backend.close_gate.set()
    await sweep
    result = await hello
    assert result["session_id"] != page.session_id
    assert world.backend.log.count(("opened", "acme/ana")) == 2


async def test_nobody_gets_events_without_a_session(world: World) -> None:
    world.backend.ring(ANA, "c1")
    assert world.directory.counters.events_without_session == 1


# Failures of the backend --------------------------------------------------------------


async def test_a_session_that_cannot_open_is_an_internal_error(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.backend.failing.add("opened")
    page = world.page()
    response = await page.ask("session.hello", **page.hello_params())
    error = response["error"]
    assert error["code"] == -32603
    assert error["data"]["kind"] == "internal"
    assert error["data"]["trace_id"] in caplog.text
    assert "scripted" not in error["message"]
    world.backend.failing.clear()
    await world.page().hello()


async def test_a_backend_that_refuses_to_open_says_why(world: World) -> None:
    async def refuse(user: object) -> None:
        raise RequestError(ErrorKind.POLICY_DENIED, "Not today.")

    world.backend.session_opened = refuse  # type: ignore[method-assign]
    page = world.page()
    assert await page.kind("session.hello", **page.hello_params()) == "policy.denied"


async def test_a_hello_without_a_snapshot_leaves_the_old_page_alone(
    world: World,
) -> None:
    old = world.page("load-1")
    await old.hello()
    world.backend.failing.add("snapshot")
    new = world.page("load-2")
    assert await new.kind("session.hello", **new.hello_params()) == "internal"
    assert old.outlet.closed is None
    world.backend.ring(ANA, "c1")
    assert seqs(old.outlet.events) == [1]


@pytest.mark.parametrize("failing", ["attached", "detached", "closed"])
async def test_other_failures_are_logged_once_and_the_session_lives(
    world: World, caplog: pytest.LogCaptureFixture, failing: str
) -> None:
    world.backend.failing.add(failing)
    page = world.page()
    await page.hello()
    page.conversation.lost()
    world.clock.advance(121)
    await world.directory.sweep()
    assert world.directory.session_count == 0
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_backend_that_hangs_while_closing_is_left_behind() -> None:
    world = World(limits=SessionLimits(transition_timeout_s=0.01))
    page = world.page()
    await page.hello()
    world.backend.close_gate = asyncio.Event()
    await page.result("session.close", op_id="bye")
    assert world.directory.session_count == 0
    await world.directory.close()


# Drain --------------------------------------------------------------------------------


async def test_drain_tells_the_clients_and_opens_nothing_new(world: World) -> None:
    ana, ben = world.page(), world.page()
    await ana.hello()
    world.directory.drain()
    world.directory.drain()
    assert [event["type"] for event in ana.outlet.events] == ["server.notice"]
    response = await ben.ask("session.hello", **ben.hello_params(BEN))
    assert response["error"]["data"]["kind"] == "drain"
    assert response["error"]["data"]["retryable"] is True
    assert ben.outlet.closed is not None
    assert ben.outlet.closed[0] == wire.CLOSE_DRAIN
    # Who is in a call may reload and go on.
    assert (await world.page("reload").hello())["session_id"] == ana.session_id


async def test_close_ends_every_socket_and_session(world: World) -> None:
    ana, ben = world.page(), world.page()
    await ana.hello(ANA)
    await ben.hello(BEN)
    ben.conversation.lost()
    await world.directory.close()
    assert ana.outlet.events[-1]["type"] == "server.notice"
    assert ana.outlet.closed is not None
    assert ana.outlet.closed[0] == wire.CLOSE_DRAIN
    assert json.loads(ana.outlet.closed[1]) == {"retry_after": 2}
    assert sorted(world.backend.log[-2:]) == [
        ("closed", "acme/ana"),
        ("closed", "acme/ben"),
    ]


async def test_too_many_sessions_are_refused() -> None:
    world = World(limits=SessionLimits(max_sessions=1))
    await world.page().hello(ANA)
    page = world.page()
    assert await page.kind("session.hello", **page.hello_params(BEN)) == "rate.limited"
    await world.directory.close()


async def test_who_is_expelled_is_out_with_all_that_let_them_in(world: World) -> None:
    page, other = world.page("one"), world.page("other")
    await page.hello()
    await other.hello(BEN)
    unused = world.ticket()
    world.directory.expel(ANA.key)
    assert page.outlet.closed is not None
    assert page.outlet.closed[0] == wire.CLOSE_NO_HELLO
    assert world.tickets.redeem(unused) is None
    assert [grant.user for grant in world.revoked] == [ANA.key]
    await eventually(lambda: world.directory.session_count == 1)
    assert ("signed_out", str(ANA.key)) in world.backend.log
    assert other.outlet.closed is None
    world.directory.expel(ANA.key)
