"""Operations once, calls in order, calls in parallel, failures contained."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.directory import SessionLimits
from gateway.sessions.wire import ErrorKind, Wire
from tests.gateway.sessions.fakes import ANA, Page, World, call_view, eventually


class Gated:
    """A backend method that waits until its call is released."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.finished: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    def release(self, op_id: str) -> None:
        self._gates.setdefault(op_id, asyncio.Event()).set()

    async def __call__(self, user: User, params: Wire) -> Wire:
        op_id: str = params.op_id  # type: ignore[attr-defined]
        self.started.append(op_id)
        await self._gates.setdefault(op_id, asyncio.Event()).wait()
        self.finished.append(op_id)
        if isinstance(params, wire.ContactCreate):
            record = wire.Record(id="1", kind="Contact", name="x")
            return wire.ContactCreateResult(record=record)
        return wire.CallResult(call=call_view("c"))


async def greeted(world: World) -> Page:
    page = world.page()
    await page.hello()
    return page


async def test_requests_of_one_call_run_in_order_and_calls_in_parallel(
    world: World,
) -> None:
    page, gated = await greeted(world), Gated()
    world.backend.hooks["call.hangup"] = gated
    world.backend.hooks["call.reject"] = gated
    await page.say("call.hangup", op_id="a1", call_id="a")
    await page.say("call.reject", op_id="a2", call_id="a")
    await page.say("call.hangup", op_id="a3", call_id="a")
    await page.say("call.hangup", op_id="b1", call_id="b")
    await eventually(lambda: gated.started == ["a1", "b1"])
    gated.release("a2")
    gated.release("a3")
    gated.release("b1")
    await eventually(lambda: gated.finished == ["b1"])
    assert gated.started == ["a1", "b1"]
    gated.release("a1")
    await eventually(lambda: gated.finished == ["b1", "a1", "a2", "a3"])


async def test_a_slow_crm_does_not_delay_a_hangup(world: World) -> None:
    page, gated = await greeted(world), Gated()
    world.backend.ring(ANA, "a")
    world.backend.hooks["contact.create"] = gated
    await page.say("contact.create", op_id="slow", last_name="Ruiz", call_id="a")
    await eventually(lambda: gated.started == ["slow"])
    await page.result("call.hangup", op_id="bye", call_id="a")
    assert gated.finished == []
    gated.release("slow")


async def test_a_response_follows_the_events_it_caused(world: World) -> None:
    page = await greeted(world)
    world.backend.ring(ANA, "a")
    request_id = await page.say("call.hangup", op_id="o", call_id="a")
    await page.outlet.until(lambda: page.outlet.response(request_id) is not None)
    kinds = [
        frame["params"]["type"] if "params" in frame else frame["id"]
        for frame in page.outlet.frames[1:]
    ]
    assert kinds == ["call.incoming", "call.ended", request_id]


async def test_the_same_op_is_done_once(world: World) -> None:
    page = await greeted(world)
    world.backend.ring(ANA, "a")
    first = await page.result("call.hangup", op_id="o", call_id="a")
    again = await page.result("call.hangup", op_id="o", call_id="a")
    assert again == first
    assert len(world.backend.performed) == 1
    assert [event["type"] for event in page.outlet.events].count("call.ended") == 1


async def test_a_retry_while_the_first_runs_waits_for_the_same_outcome(
    world: World,
) -> None:
    page, gated = await greeted(world), Gated()
    world.backend.hooks["call.hangup"] = gated
    first = await page.say("call.hangup", op_id="o", call_id="a")
    retry = await page.say("call.hangup", op_id="o", call_id="a")
    await eventually(lambda: gated.started == ["o"])
    assert page.outlet.response(retry) is None
    gated.release("o")
    await page.outlet.until(lambda: page.outlet.response(retry) is not None)
    one, two = page.outlet.response(first), page.outlet.response(retry)
    assert one is not None
    assert two is not None
    assert one["result"] == two["result"]
    assert gated.started == ["o"]


async def test_a_retry_after_a_reload_too(world: World) -> None:
    old, gated = await greeted(world), Gated()
    world.backend.hooks["call.hangup"] = gated
    await old.say("call.hangup", op_id="o", call_id="a")
    new = world.page("reloaded")
    await new.hello()
    retry = asyncio.ensure_future(new.result("call.hangup", op_id="o", call_id="a"))
    await eventually(lambda: world.directory.counters.ops_replayed == 1)
    gated.release("o")
    assert (await retry)["call"]["call_id"] == "c"
    assert gated.started == ["o"]
    assert old.outlet.response(2) is None


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("call.hangup", {"call_id": "b"}),
        ("call.reject", {"call_id": "a"}),
        ("contact.create", {"last_name": "x"}),
    ],
)
async def test_an_op_id_for_something_else_is_a_conflict(
    world: World, method: str, params: dict[str, Any]
) -> None:
    page = await greeted(world)
    world.backend.ring(ANA, "a")
    await page.result("call.hangup", op_id="o", call_id="a")
    response = await page.ask(method, op_id="o", **params)
    assert response["error"]["data"]["kind"] == "op.conflict"
    assert response["error"]["data"]["op_id"] == "o"
    assert len(world.backend.performed) == 1


async def test_an_error_is_replayed_too(world: World) -> None:
    page = await greeted(world)
    first = await page.ask("call.hangup", op_id="o", call_id="nobody")
    assert first["error"]["code"] == -32000
    assert first["error"]["data"]["kind"] == "call.unknown"
    world.backend.ring(ANA, "nobody")
    again = await page.ask("call.hangup", op_id="o", call_id="nobody")
    assert again["error"] == first["error"]


async def test_an_op_is_forgotten_after_ten_minutes(world: World) -> None:
    page = await greeted(world)
    world.backend.ring(ANA, "a")
    await page.result("call.hangup", op_id="o", call_id="a")
    world.clock.advance(wire.OP_MEMORY_S + 1)
    await page.result("call.hangup", op_id="o", call_id="a")
    assert len(world.backend.performed) == 2


async def test_errors_carry_what_the_backend_says(world: World) -> None:
    async def refuse(user: User, params: Wire) -> Wire:
        raise RequestError(
            ErrorKind.CRM_DUPLICATE,
            "There is one already.",
            retryable=True,
            sip_code=486,
            records=(wire.Record(id="1", kind="Contact", name="Ana"),),
        )

    page = await greeted(world)
    world.backend.hooks["contact.create"] = refuse
    response = await page.ask("contact.create", op_id="o", last_name="Ruiz")
    data = response["error"]["data"]
    assert response["error"]["message"] == "There is one already."
    assert (data["kind"], data["retryable"], data["sip_code"], data["op_id"]) == (
        "crm.duplicate",
        True,
        486,
        "o",
    )
    assert data["records"][0]["name"] == "Ana"


@pytest.mark.parametrize("failure", ["raises", "wrong type", "cancelled"])
async def test_a_fault_is_logged_once_and_ends_one_request(
    world: World, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    async def broken(user: User, params: Wire) -> Wire:
        match failure:
            case "raises":
                raise LookupError("a secret detail")
            case "cancelled":
                raise asyncio.CancelledError
            case _:
                return wire.Empty()

    page = await greeted(world)
    world.backend.ring(ANA, "a")
    world.backend.hooks["call.reject"] = broken
    await page.say("call.reject", op_id="o", call_id="a")
    await page.result("call.hangup", op_id="p", call_id="a")
    response = page.outlet.response(2)
    assert response is not None
    error = response["error"]
    assert (error["code"], error["data"]["kind"]) == (-32603, "internal")
    assert "secret" not in error["message"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert error["data"]["trace_id"] in caplog.text


async def test_a_backend_that_hangs_does_not_swallow_the_hangup() -> None:
    world = World(limits=SessionLimits(perform_timeout_s=0.01))
    page, gated = await greeted(world), Gated()
    world.backend.ring(ANA, "a")
    world.backend.hooks["call.reject"] = gated
    assert await page.kind("call.reject", op_id="o", call_id="a") == "internal"
    await page.result("call.hangup", op_id="p", call_id="a")
    await world.directory.close()


async def test_too_many_waiting_requests_are_refused() -> None:
    world = World(limits=SessionLimits(max_requests_in_flight=2))
    page, gated = await greeted(world), Gated()
    world.backend.hooks["call.hangup"] = gated
    await page.say("call.hangup", op_id="1", call_id="a")
    await page.say("call.hangup", op_id="2", call_id="a")
    assert await page.kind("call.hangup", op_id="3", call_id="a") == "rate.limited"
    assert await page.kind("history.list") == "rate.limited"
    # It was not recorded: later it can be done.
    gated.release("1")
    gated.release("2")
    gated.release("3")
    await eventually(lambda: gated.finished == ["1", "2"])
    assert "call" in await page.result("call.hangup", op_id="3", call_id="a")
    await world.directory.close()


async def test_too_many_retries_of_a_running_op_are_refused(world: World) -> None:
    page, gated = await greeted(world), Gated()
    world.backend.hooks["call.hangup"] = gated
    for _ in range(16):
        await page.say("call.hangup", op_id="o", call_id="a")
    assert await page.kind("call.hangup", op_id="o", call_id="a") == "rate.limited"
    gated.release("o")


async def test_what_runs_when_the_session_ends_is_cancelled(world: World) -> None:
    page, gated = await greeted(world), Gated()
    world.backend.hooks["call.hangup"] = gated
    await page.say("call.hangup", op_id="o", call_id="a")
    await eventually(lambda: gated.started == ["o"])
    await page.result("session.close", op_id="bye")
    assert gated.finished == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_requests_during_sign_out_are_refused(world: World) -> None:
    page = await greeted(world)
    world.backend.close_gate = asyncio.Event()
    await page.say("session.close", op_id="bye")
    assert await page.kind("call.hangup", op_id="o", call_id="a") == "session.unknown"
    assert page.outlet.closed is None
    world.backend.close_gate.set()
    await page.outlet.until(lambda: page.outlet.closed is not None)


async def test_a_second_greeting_is_refused(world: World) -> None:
    page = await greeted(world)
    assert await page.kind("session.hello", **page.hello_params()) == "bad_request"


async def test_more_than_a_hundred_frames_a_second_are_refused(world: World) -> None:
    page = await greeted(world)
    for _ in range(wire.MAX_MESSAGES_PER_S - 1):
        await page.result("ping")
    assert await page.kind("ping") == "rate.limited"
    world.clock.advance(0.1)
    await page.result("ping")
    for _ in range(wire.MAX_MESSAGES_PER_S * 3):
        await page.say("ping")
    assert page.outlet.closed is not None
    assert page.outlet.closed[0] == wire.CLOSE_RATE_LIMITED


async def test_a_notification_is_not_answered(world: World) -> None:
    page = await greeted(world)
    before = len(page.outlet.frames)
    await page.conversation.receive('{"jsonrpc":"2.0","method":"ping"}')
    ack = '{"jsonrpc":"2.0","method":"session.ack","params":{"seq":99}}'
    await page.conversation.receive(ack)
    assert len(page.outlet.frames) == before
