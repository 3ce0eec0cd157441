"""User agents against a real registrar and forking proxy."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import sip
from sip.dialog_info import (
    MEDIA_TYPE,
    DialogTable,
    WatchedDialog,
    WatchedState,
    parse_dialog_info,
)
from tests.sip.phones import Phone
from tests.system.kamailio import PRESENCE_MODULES, Kamailio

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd"),
]

USERS = {"1000": "pw1000", "1001": "pw1001", "1002": "pw1002"}


@asynccontextmanager
async def started(*phones: Phone) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for phone in phones:
            await stack.enter_async_context(phone)
        yield


def phone(proxy: Kamailio, user: str, *, password: str | None = None) -> Phone:
    return Phone(
        user,
        domain=proxy.domain,
        password=USERS[user] if password is None else password,
        server=("127.0.0.1", proxy.port),
    )


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_registers_refreshes_and_leaves(algorithm: str, transport: str) -> None:
    async with Kamailio(users=USERS, algorithm=algorithm) as proxy:  # type: ignore[arg-type]
        one = Phone(
            "1000",
            domain=proxy.domain,
            password="pw1000",
            server=("127.0.0.1", proxy.port),
            transport=transport,  # type: ignore[arg-type]
            expires_s=3,
        )
        async with one:
            await one.registered()
            assert "sip:" + (one.registration.contact.user or "") in (
                await proxy.contacts()
            )
            await proxy.wait_for_log("REGISTERED 1000", count=2)
            # the nonce of the first challenge is used again: one challenge in all
            assert len(proxy.log_lines("CHALLENGE REGISTER")) == 1
        await proxy.wait_for_log("REGISTERED 1000.*expires=0")
        assert (one.registration.contact.user or "?") not in await proxy.contacts()


async def test_another_phones_binding_comes_first_and_does_not_matter() -> None:
    async with Kamailio(users=USERS) as proxy:
        first, second = phone(proxy, "1000"), phone(proxy, "1000")
        async with started(first, second):
            await first.registered()
            await second.registered()
            assert second.registration.state.expires_s == 600
            assert (await proxy.contacts()).count("Address:") == 2


@pytest.mark.parametrize("nonce", ["one_time", "short"])
async def test_stale_nonces_cost_no_failure(nonce: str) -> None:
    async with Kamailio(users=USERS, nonce=nonce) as proxy:  # type: ignore[arg-type]
        one = phone(proxy, "1000")
        one.expires_s = 4
        async with one:
            await one.registered()
            await proxy.wait_for_log("REGISTERED 1000", count=3, timeout_s=20)
            assert proxy.log_lines("CHALLENGE REGISTER 1000 code=-(4|6)")
            assert {state.status for state in one.states} == {
                "registering",
                "registered",
            }


async def test_a_wrong_password_is_tried_once() -> None:
    async with Kamailio(users=USERS) as proxy:
        one = phone(proxy, "1000", password="wrong")
        async with one:
            await one.reached("failed")
            assert one.states[-1].problem == "wrong_password"
            assert one.states[-1].sip_code == 401
            assert one.states[-1].retry_in_s is None
            # no try but the one without and the one with credentials
            assert len(proxy.log_lines("REQUEST REGISTER")) == 2


@pytest.mark.parametrize("nonce", ["normal", "one_time"])
async def test_a_call_through_the_record_routing_proxy(nonce: str) -> None:
    async with Kamailio(users=USERS, nonce=nonce) as proxy:  # type: ignore[arg-type]
        caller, callee = phone(proxy, "1000"), phone(proxy, "1001")
        async with started(caller, callee):
            await caller.registered()
            await callee.registered()
            callee.answers_with = "v=0\r\ns=answer\r\n"
            call = caller.dial("1001", "v=0\r\ns=offer\r\n")
            answered = await caller.event(sip.Answered)
            assert answered.sdp == "v=0\r\ns=answer\r\n"
            await callee.event(sip.Confirmed)
            call.reinvite("v=0\r\ns=hold\r\n")
            await callee.event(sip.Offer)
            callee.calls[0].accept_offer("v=0\r\ns=held\r\n")
            await caller.event(sip.OfferAnswered)
            callee.calls[0].info("application/dtmf-relay", b"Signal=5\r\n")
            assert (await caller.event(sip.InfoReceived)).body == b"Signal=5\r\n"
            callee.calls[0].hangup()
            await caller.event(sip.RemoteHangup)
            await callee.event(sip.LocalEnd)
        assert not proxy.log_lines("MISSING ROUTE")


async def test_a_call_over_tcp() -> None:
    async with Kamailio(users=USERS) as proxy:
        caller, callee = phone(proxy, "1000"), phone(proxy, "1001")
        caller.transport = callee.transport = "tcp"
        async with started(caller, callee):
            await caller.registered()
            await callee.registered()
            callee.answers_with = "v=0\r\n"
            call = caller.dial("1001", "v=0\r\n" + "a=x\r\n" * 400)
            await caller.event(sip.Answered)
            await callee.event(sip.Confirmed)
            call.hangup()
            await callee.event(sip.RemoteHangup)
            assert caller.agent.counters["connections_opened"] == 1
        assert not proxy.log_lines("MISSING ROUTE")


@pytest.mark.parametrize("status", [486, 603, 503, 404])
async def test_fixed_answers(status: int) -> None:
    async with Kamailio(users=USERS) as proxy:
        caller = phone(proxy, "1000")
        async with caller:
            await caller.registered()
            caller.dial(str(status))
            rejected = await caller.event(sip.Rejected)
            assert rejected.status == status
            assert not rejected.local
            assert rejected.retry_after == (3 if status == 503 else None)


async def test_one_of_three_answers_and_the_others_learn_it() -> None:
    async with Kamailio(users=USERS) as proxy:
        caller = phone(proxy, "1000")
        desk, widget, mobile = (phone(proxy, "1001") for _ in range(3))
        async with started(caller, desk, widget, mobile):
            for each in (caller, desk, widget, mobile):
                await each.registered()
            call = caller.dial("1001")
            for each in (desk, widget, mobile):
                await each.called()
            widget.calls[0].answer("v=0\r\n")
            await caller.event(sip.Answered)
            await widget.event(sip.Confirmed)
            for loser in (desk, mobile):
                cancelled = await loser.event(sip.Cancelled)
                assert sip.COMPLETED_ELSEWHERE in cancelled.reasons
            branches = {
                event.dialog_id
                for event in caller.events
                if isinstance(event, sip.Progress)
            }
            assert len(branches) == 3
            call.hangup()
            await widget.event(sip.RemoteHangup)
        assert not proxy.log_lines("MISSING ROUTE")


async def test_two_contacts_on_one_agent_are_rung_as_two() -> None:
    """A proxy's fork may reach one user agent twice; this is no merged request."""
    async with Kamailio(users=USERS) as proxy:
        caller, callee = phone(proxy, "1000"), phone(proxy, "1001")
        async with started(caller, callee):
            await caller.registered()
            await callee.registered()
            again = asyncio.Event()
            second = callee.agent.registration(
                dataclasses.replace(callee.account, instance_id="urn:uuid:another"),
                lambda state: again.set() if state.status == "registered" else None,
            )
            second.start()
            await asyncio.wait_for(again.wait(), 5)
            call = caller.dial("1001")
            await callee.called(2)
            call.hangup()
            await callee.event(sip.Cancelled, count=2)
            await caller.event(sip.LocalEnd)


async def test_the_caller_cancels() -> None:
    async with Kamailio(users=USERS) as proxy:
        caller, callee = phone(proxy, "1000"), phone(proxy, "1001")
        async with started(caller, callee):
            await caller.registered()
            await callee.registered()
            call = caller.dial("1001")
            await callee.called()
            call.hangup()
            await callee.event(sip.Cancelled)
            assert caller.events[-1] == sip.LocalEnd()
            await proxy.wait_for_log("REPLY 487 INVITE")


async def test_an_attended_transfer() -> None:
    """RFC 5589 7.1 with all three on this library: nobody is lost on the way."""
    async with Kamailio(users=USERS) as proxy:
        ana, bob, carol = (phone(proxy, user) for user in USERS)
        async with started(ana, bob, carol):
            for each in (ana, bob, carol):
                await each.registered()
                each.answers_with = "v=0\r\n"
            first = ana.dial("1001")
            await bob.event(sip.Confirmed)
            second = ana.dial("1002")
            await carol.event(sip.Confirmed)
            # To the AoR: servers do not relay to a Contact that has no route.
            first.transfer(second.remote.uri, replaces=second.as_replaces)
            wanted = await bob.event(sip.TransferRequested)
            assert wanted.referred_by is not None
            assert wanted.referred_by.uri == ana.account.aor
            (held,) = bob.calls
            assert held.accept_transfer()
            bob.agent.call(
                bob.account,
                wanted.target,
                "v=0\r\n",
                bob.hear,
                replaces=wanted.replaces,
                referred_by=wanted.referred_by,
            )
            await carol.called(2)
            assert carol.calls[1].replaced is carol.calls[0]
            await carol.event(sip.Replaced)
            await carol.event(sip.Confirmed, count=2)
            held.report_transfer(200)
            await ana.outcome(sip.TransferProgress(200, True, "OK"))
            await ana.event(sip.RemoteHangup)
            first.hangup()
            await bob.event(sip.RemoteHangup)
            assert not ana.agent.calls
        assert not proxy.log_lines("MISSING ROUTE")


@pytest.mark.needs(PRESENCE_MODULES)
async def test_the_calls_of_a_desk_phone_are_followed() -> None:
    async with Kamailio(users=USERS, presence=True) as proxy:
        rep, desk, customer = (phone(proxy, user) for user in USERS)
        async with started(rep, desk, customer):
            for each in (rep, desk, customer):
                await each.registered()
            watch = Watch(rep, desk)
            await watch.until(lambda: watch.is_active and not watch.dialogs)
            call = customer.dial("1001")
            await desk.called()
            await watch.until(lambda: watch.states == [WatchedState.EARLY])
            (seen,) = watch.dialogs
            assert seen.direction == "recipient"
            assert seen.call_id == call.call_id
            assert seen.remote.identity == customer.account.aor
            desk.calls[0].answer("v=0\r\n")
            await watch.until(lambda: watch.states == [WatchedState.CONFIRMED])
            call.hangup()
            await watch.until(lambda: not watch.dialogs)
            # a refresh brings the whole state, and the end is confirmed
            before = watch.notifications
            watch.subscription.retry()
            await watch.until(lambda: watch.notifications > before)
            await watch.subscription.stop()
            assert watch.subscription.state.status == "unsubscribed"
        assert not proxy.log_lines("MISSING ROUTE")


@pytest.mark.needs(PRESENCE_MODULES)
async def test_a_package_that_the_server_does_not_know() -> None:
    async with Kamailio(users=USERS, presence=True) as proxy:
        rep = phone(proxy, "1000")
        async with rep:
            await rep.registered()
            watch = Watch(rep, rep, event="nonsense")
            await watch.until(lambda: watch.subscription.state.problem is not None)
            assert watch.subscription.state.problem == "unsupported"
            assert watch.subscription.state.sip_code == 489


class Watch:
    """A subscription of one phone to the calls of another."""

    def __init__(self, of: Phone, to: Phone, *, event: str = "dialog") -> None:
        self.table = DialogTable()
        self.notifications = 0
        self._signal = asyncio.Event()
        self.subscription = of.agent.subscription(
            of.account,
            to.account.aor,
            event=event,
            accept=[MEDIA_TYPE],
            on_notify=self._notified,
            on_change=lambda info: self._signal.set(),
        )
        self.subscription.start()

    def _notified(self, news: sip.Notification) -> None:
        if news.is_first:
            self.table.reset()
        assert not self.table.apply(parse_dialog_info(news.body))
        self.notifications += 1
        self._signal.set()

    @property
    def is_active(self) -> bool:
        return self.subscription.state.status == "active" and self.notifications > 0

    @property
    def dialogs(self) -> list[WatchedDialog]:
        return list(self.table.dialogs.values())

    @property
    def states(self) -> list[WatchedState]:
        return [each.state for each in self.dialogs]

    async def until(self, holds: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(10):
                while not holds():
                    self._signal.clear()
                    await self._signal.wait()
        except TimeoutError:
            raise AssertionError(f"{self.dialogs} {self.subscription.state}") from None
