"""Registration: the machine alone, then against a scripted registrar."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sip
from sip.digest import Refusal
from sip.errors import LocalProtocolError
from sip.headers import CSeq
from sip.message import Request, Response
from sip.registering import RegistrationPacer
from sip.registration import (
    BACKOFF_MAX_S,
    Changed,
    Effects,
    Input,
    RegistrationMachine,
    RegistrationState,
    SendRegister,
    State,
)
from sip.transport import Target
from tests.sip.peers import EXPIRY_S, Bench, VirtualClock, account

CONTACT = sip.Uri.parse("sip:0123456789abcdef@198.51.100.7:5060")


def machine(seed: int = 1) -> RegistrationMachine:
    return RegistrationMachine(
        account(), contact=CONTACT, call_id="boot", rng=random.Random(seed)
    )


def sent(effects: Effects) -> Request:
    (request,) = [each.request for each in effects if isinstance(each, SendRegister)]
    return request


def shown(effects: Effects) -> RegistrationState:
    (state,) = [each.state for each in effects if isinstance(each, Changed)]
    return state


def ok(*contacts: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(
        200, None, [*(("Contact", contact) for contact in contacts), *headers]
    )


OURS = f"<{CONTACT}>;expires=600"


def registered(seed: int = 1) -> RegistrationMachine:
    each = machine(seed)
    each.start(0)
    each.receive_reply(ok(OURS), 1)
    return each


class TestMachine:
    def test_the_request(self) -> None:
        request = sent(machine().start(0))
        assert str(request.uri) == "sip:example.com"
        assert request.from_.uri == request.to.uri == account().aor
        assert request.to.tag is None
        assert str(request.cseq) == "1 REGISTER"
        (contact,) = request.contacts
        assert contact.uri == CONTACT
        assert contact.param("+sip.instance") == f"<{account().instance_id}>"
        assert contact.param("reg-id") == "1"
        assert request.expires == 600

    def test_one_call_id_and_a_growing_cseq(self) -> None:
        each = machine()
        first = sent(each.start(0))
        each.receive_reply(ok(OURS), 1)
        due = each.get_timer()
        assert due is not None
        second = sent(each.handle_timer(due))
        assert second.call_id == first.call_id
        assert second.from_.tag == first.from_.tag
        assert second.cseq.number > first.cseq.number
        assert each.shown.status == "registered"

    @pytest.mark.parametrize("seed", range(20))
    def test_the_refresh_is_after_half_to_nine_tenths_of_our_time(
        self, seed: int
    ) -> None:
        each = machine(seed)
        each.start(0)
        state = shown(
            each.receive_reply(
                ok(
                    "<sip:other@192.0.2.5>;expires=7200",
                    f"<{CONTACT}>;expires=200;received=x",
                ),
                0,
            )
        )
        assert state == RegistrationState("registered", expires_s=200)
        due = each.get_timer()
        assert due is not None
        assert 100 <= due <= 180

    def test_our_binding_is_known_by_its_instance_too(self) -> None:
        each = machine()
        each.start(0)
        instance = account().instance_id
        state = shown(
            each.receive_reply(
                ok(
                    '<sip:x@192.0.2.5>;expires=9;+sip.instance="<urn:other>";reg-id=1',
                    f'<sip:y@192.0.2.6>;expires=77;+sip.instance="<{instance}>";reg-id=1',
                ),
                0,
            )
        )
        assert state.expires_s == 77

    def test_without_a_contact_the_expires_header_counts(self) -> None:
        each = machine()
        each.start(0)
        assert shown(
            each.receive_reply(ok(headers=[("Expires", "55")]), 0)
        ).expires_s == (55)

    def test_service_route_is_kept(self) -> None:
        each = machine()
        each.start(0)
        each.receive_reply(
            ok(OURS, headers=[("Service-Route", "<sip:p1;lr>, <sip:p2;lr>")]), 0
        )
        assert [str(route) for route in each.service_route] == [
            "<sip:p1;lr>",
            "<sip:p2;lr>",
        ]

    def test_423(self) -> None:
        each = machine()
        each.start(0)
        brief = Response(423, None, [("Min-Expires", "1800")])
        assert sent(each.receive_reply(brief, 0)).expires == 1800
        greedy = Response(423, None, [("Min-Expires", "999999999")])
        assert shown(each.receive_reply(greedy, 0)).problem == "refused"

    @pytest.mark.parametrize(
        ("status", "refusal", "problem"),
        [
            (401, Refusal.WRONG_PASSWORD, "wrong_password"),
            (407, Refusal.WRONG_PASSWORD, "wrong_password"),
            (401, Refusal.FOREIGN_REALM, "refused"),
            (401, None, "refused"),
            (403, None, "refused"),
        ],
    )
    def test_no_lock_out(
        self, status: int, refusal: Refusal | None, problem: str
    ) -> None:
        each = machine()
        each.start(0)
        state = shown(each.receive_reply(Response(status), 0, refusal=refusal))
        assert (state.status, state.problem) == ("failed", problem)
        assert (state.sip_code, state.retry_in_s) == (status, None)
        assert each.get_timer() is None
        assert each.start(0) == []
        assert each.connection_lost(0) == []
        assert sent(each.retry(0)).cseq.number == 2

    @pytest.mark.parametrize(
        ("status", "is_local", "problem", "code"),
        [
            (408, True, "unreachable", None),
            (503, True, "unreachable", None),
            (408, False, "unavailable", 408),
            (500, False, "unavailable", 500),
            (404, False, "refused", 404),
        ],
    )
    def test_other_failures_are_tried_again(
        self, status: int, is_local: bool, problem: str, code: int | None
    ) -> None:
        each = machine()
        each.start(0)
        state = shown(each.receive_reply(Response(status), 0, is_local=is_local))
        assert (state.problem, state.sip_code) == (problem, code)
        assert state.retry_in_s is not None
        assert 15 <= state.retry_in_s <= 30
        assert each.get_timer() == state.retry_in_s
        assert sent(each.handle_timer(state.retry_in_s)).cseq.number == 2

    def test_the_back_off_grows_to_half_an_hour_and_is_forgotten(self) -> None:
        each = machine()
        each.start(0)
        for failures in range(12):
            state = shown(each.receive_reply(Response(500), 0))
            ceiling = min(30 * 2**failures, BACKOFF_MAX_S)
            assert state.retry_in_s is not None
            assert ceiling / 2 <= state.retry_in_s <= ceiling
            each.handle_timer(state.retry_in_s)
        each.receive_reply(ok(OURS), 0)
        each.retry(0)
        state = shown(each.receive_reply(Response(500), 0))
        assert state.retry_in_s is not None
        assert state.retry_in_s <= 30

    def test_retry_after_is_the_least(self) -> None:
        each = machine()
        each.start(0)
        later = Response(503, None, [("Retry-After", "120")])
        assert shown(each.receive_reply(later, 0)).retry_in_s == 120

    def test_a_lost_connection_registers_at_once(self) -> None:
        each = registered()
        effects = each.connection_lost(2)
        assert shown(effects).status == "registering"
        assert sent(effects).expires == 600

    def test_stop(self) -> None:
        each = registered()
        request = sent(each.stop(2))
        assert request.expires == 0
        assert request.contacts[0].uri == CONTACT
        assert request.contacts[0].param("expires") == "0"
        assert not request.has_contact_wildcard
        assert shown(each.receive_reply(ok(), 3)).status == "unregistered"
        assert each.get_timer() is None

    def test_stop_while_an_answer_is_awaited(self) -> None:
        each = machine()
        each.start(0)
        assert each.stop(0) == []
        assert sent(each.receive_reply(ok(OURS), 1)).expires == 0
        assert shown(each.receive_reply(Response(500), 2)).status == "unregistered"

    def test_an_outcome_that_nobody_awaits(self) -> None:
        with pytest.raises(LocalProtocolError):
            machine().receive_reply(ok(), 0)

    @settings(max_examples=200, deadline=None)
    @given(
        steps=st.lists(
            st.sampled_from(["start", "stop", "abandon", "retry", "lost", "time"])
            | st.sampled_from([200, 401, 403, 423, 500, 503]),
            max_size=40,
        ),
        seed=st.integers(0, 100),
    )
    def test_any_order(self, steps: list[str | int], seed: int) -> None:
        """Never two requests at once, CSeq only grows, every state is sane."""
        each, now, numbers = machine(seed), 0.0, [0]
        for step in steps:
            now += 1
            was_awaiting = each.is_awaiting
            effects: Effects = []
            match step:
                case "start":
                    effects = each.start(now)
                case "stop" | "abandon":
                    effects = each.stop(now, unregister=step == "stop")
                case "retry":
                    effects = each.retry(now)
                case "lost":
                    effects = each.connection_lost(now)
                case "time":
                    now = max(now, each.get_timer() or now)
                    effects = each.handle_timer(now)
                case int() if each.is_awaiting:
                    was_awaiting = False
                    effects = each.receive_reply(Response(step), now)
            requests = [e.request for e in effects if isinstance(e, SendRegister)]
            assert len(requests) <= 1
            assert not (requests and was_awaiting)
            assert not requests or each.is_awaiting
            numbers += [request.cseq.number for request in requests]
            assert numbers == sorted(set(numbers))
            assert (each.get_timer() is not None) == (
                each.state in (State.REGISTERED, State.WAITING)
            )
            assert (each.shown.problem is not None) == (each.shown.status == "failed")

    def test_the_table_is_of_this_machine(self) -> None:
        assert {event for _, event in RegistrationMachine.TABLE} == set(Input)
        assert {state for state, _ in RegistrationMachine.TABLE} == set(State)


def challenge(nonce: str, *, stale: bool = False) -> tuple[str, str]:
    suffix = ", stale=true" if stale else ""
    return (
        "WWW-Authenticate",
        f'Digest realm="example.com", nonce="{nonce}", qop="auth", '
        f"algorithm=SHA-256{suffix}",
    )


def granted(request: Request) -> list[tuple[str, str]]:
    """All bindings of the AoR, another phone's first."""
    mine = request.contacts[0].uri
    return [
        ("Contact", "<sip:desk@192.0.2.50>;expires=3600"),
        ("Contact", f"<{mine}>;expires=100"),
    ]


async def test_against_a_scripted_registrar(bench: Bench) -> None:
    seen: list[RegistrationState] = []
    registration = bench.agent.registration(bench.account, seen.append)
    registration.start()
    first = bench.request("REGISTER")
    assert first.headers.get("Authorization") is None
    bench.reply(first, 401, headers=[challenge("one")])
    second = bench.request("REGISTER")
    assert second.call_id == first.call_id
    assert second.via.branch != first.via.branch
    assert second.cseq == CSeq(2, "REGISTER")
    assert 'nonce="one"' in (second.headers.get("Authorization") or "")
    bench.reply(second, 200, contact="", headers=granted(second))
    bench.run()
    assert [state.status for state in seen] == ["registering", "registered"]
    assert seen[-1].expires_s == 100
    assert bench.wire.held == [Target("udp", "192.0.2.1", 5060)]
    # the refresh uses the nonce again, and is stale
    bench.wait(90)
    refresh = bench.request("REGISTER")
    assert "nc=00000002" in (refresh.headers.get("Authorization") or "")
    bench.reply(refresh, 401, headers=[challenge("two", stale=True)])
    again = bench.request("REGISTER")
    assert 'nonce="two"' in (again.headers.get("Authorization") or "")
    bench.reply(again, 200, contact="", headers=granted(again))
    assert [state.status for state in seen] == ["registering", "registered"]
    stopping = asyncio.ensure_future(registration.stop())
    await asyncio.sleep(0)
    leaving = bench.request("REGISTER")
    assert leaving.expires == 0
    bench.reply(leaving, 200, contact="")
    await stopping
    bench.run()
    assert seen[-1].status == "unregistered"
    assert bench.wire.held == []


async def test_a_wrong_password_is_sent_once(bench: Bench) -> None:
    seen: list[RegistrationState] = []
    registration = bench.agent.registration(bench.account, seen.append)
    registration.start()
    bench.reply(bench.request("REGISTER"), 401, headers=[challenge("one")])
    bench.reply(bench.request("REGISTER"), 401, headers=[challenge("two")])
    bench.quiet()
    assert seen[-1] == RegistrationState(
        "failed", problem="wrong_password", sip_code=401
    )
    bench.run(3600)
    bench.quiet()
    registration.retry()
    assert bench.request("REGISTER").headers.get("Authorization") is None


async def test_a_silent_registrar(bench: Bench) -> None:
    seen: list[RegistrationState] = []
    bench.agent.registration(bench.account, seen.append).start()
    bench.run(EXPIRY_S)
    assert {sent.message.cseq.number for sent in bench.drain()} == {1}
    unreachable = seen[-1]
    assert (unreachable.problem, unreachable.sip_code) == ("unreachable", None)
    bench.run(30)
    bench.reply(bench.request("REGISTER"), 503, headers=[("Retry-After", "99")])
    bench.run()
    assert seen[-1].problem == "unavailable"
    assert seen[-1].retry_in_s == 99
    bench.drain()


async def test_a_challenge_of_a_foreign_realm_gets_no_credentials() -> None:
    bench = await Bench(realms=("example.com",)).start()
    seen: list[RegistrationState] = []
    bench.agent.registration(bench.account, seen.append).start()
    bench.reply(
        bench.request("REGISTER"),
        401,
        headers=[("WWW-Authenticate", 'Digest realm="evil", nonce="n", qop="auth"')],
    )
    bench.quiet()
    assert seen[-1].problem == "refused"
    await bench.finish()


async def test_a_lost_connection_registers_anew() -> None:
    bench = await Bench(
        outbound_proxies=(sip.Uri.parse("sip:192.0.2.1;transport=tcp"),)
    ).start()
    seen: list[RegistrationState] = []
    bench.agent.registration(bench.account, seen.append).start()
    sent_first = bench.take()
    assert sent_first.target.transport == "tcp"
    first = sent_first.message
    assert isinstance(first, Request)
    assert first.contacts[0].uri.param("transport") == "tcp"
    bench.reply(first, 200, contact="", headers=granted(first))
    bench.agent.connection_lost(1)
    again = bench.request("REGISTER")
    assert again.cseq.number > first.cseq.number
    assert [state.status for state in seen] == [
        "registering",
        "registered",
        "registering",
    ]
    await bench.finish()


async def test_service_route_and_contact_are_used_by_calls(bench: Bench) -> None:
    registration = bench.agent.registration(bench.account, lambda state: None)
    registration.start()
    request = bench.request("REGISTER")
    bench.reply(
        request,
        200,
        contact="",
        headers=[*granted(request), ("Service-Route", "<sip:192.0.2.88;lr>")],
    )
    bench.call()
    invite = bench.request("INVITE")
    assert invite.headers.get_all("Route") == ["<sip:192.0.2.88;lr>"]
    assert invite.contact is not None
    assert invite.contact.uri.user == registration.contact.user


async def test_thousands_of_registrations_are_spread(bench: Bench) -> None:
    for number in range(200):
        each = account(aor=sip.Uri.parse(f"sip:{number}@example.com"))
        bench.agent.registration(each, lambda state: None).start()
    assert len(bench.drain()) == 50
    bench.run(1)
    second = [
        sent
        for sent in bench.drain()
        if isinstance(sent.message, Request) and sent.at > 1000.0
    ]
    fresh = {sent.message.call_id for sent in second}
    assert 95 <= len(fresh) <= 101


def test_the_pacer_forgets_what_waits_when_it_is_closed() -> None:
    clock = VirtualClock()
    done: list[int] = []
    pacer = RegistrationPacer(clock, rate_per_s=10, burst=1)
    for number in range(5):
        pacer.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert (done, len(pacer)) == ([0], 4)
    clock.advance(0.11)
    assert done == [0, 1]
    pacer.close()
    clock.advance(10)
    assert done == [0, 1]
    assert clock.pending == 0
