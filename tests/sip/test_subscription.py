"""Subscriptions: the machine alone, then against a scripted notifier (RFC 6665)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sip
from sip.digest import Refusal
from sip.message import Request, Response
from sip.registration import BACKOFF_MAX_S
from sip.subscription import (
    AnswerNotify,
    Changed,
    Effects,
    Input,
    Notified,
    SendSubscribe,
    State,
    SubscriptionMachine,
)
from sip.transport import Source
from tests.sip.peers import EXPIRY_S, PROXY, Bench, account

CONTACT = sip.Uri.parse("sip:0123456789abcdef@198.51.100.7:5060")
TARGET = sip.Uri.parse("sip:rep@example.com")
TYPE = "application/dialog-info+xml"


def machine(seed: int = 1) -> SubscriptionMachine:
    return SubscriptionMachine(
        account(),
        TARGET,
        event="dialog",
        accept=(TYPE,),
        contact=CONTACT,
        expires_s=600,
        first_notify_s=EXPIRY_S,
        rng=random.Random(seed),
    )


def sent(effects: Effects) -> SendSubscribe:
    (found,) = [each for each in effects if isinstance(each, SendSubscribe)]
    return found


def shown(effects: Effects) -> sip.SubscriptionInfo:
    (info,) = [each.info for each in effects if isinstance(each, Changed)]
    return info


def answer(effects: Effects) -> int:
    (status,) = [each.status for each in effects if isinstance(each, AnswerNotify)]
    return status


def ok(expires: int | None = 600, contact: str = "sip:as@192.0.2.8") -> Response:
    lines = [("Contact", f"<{contact}>")]
    if expires is not None:
        lines.append(("Expires", str(expires)))
    return Response(200, None, lines)


def notify(
    each: SubscriptionMachine,
    state: str | None = "active;expires=600",
    *,
    tag: str = "as",
    cseq: int = 1,
    event: str = "dialog",
    body: bytes = b"",
    content_type: str = TYPE,
    contact: str = "<sip:as@192.0.2.9>",
    record_routes: Sequence[str] = (),
) -> Request:
    call_id, local_tag = each.key
    headers = [
        *(("Record-Route", route) for route in record_routes),
        ("From", f"<sip:rep@example.com>;tag={tag}"),
        ("To", f"<sip:rep@example.com>;tag={local_tag}"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} NOTIFY"),
        ("Contact", contact),
        ("Event", event),
    ]
    if state is not None:
        headers.append(("Subscription-State", state))
    if body:
        headers.append(("Content-Type", content_type))
    return Request("NOTIFY", CONTACT, headers, body)


def active(seed: int = 1, expires: int = 600) -> SubscriptionMachine:
    each = machine(seed)
    each.start(0)
    each.receive_reply(ok(expires), 1)
    assert answer(each.receive_notify(notify(each, "active"), 1)) == 200
    assert each.state is State.ACTIVE
    return each


def refreshing(seed: int = 1) -> SubscriptionMachine:
    each = active(seed)
    sent(each.handle_timer(each.get_timer() or 0))
    assert each.state is State.REFRESHING
    return each


class TestMachine:
    def test_the_request(self) -> None:
        effect = sent(machine().start(0))
        request = effect.request
        assert effect.next_hop is None
        assert str(request.uri) == "sip:rep@example.com"
        assert request.to.tag is None
        assert request.from_.uri == account().aor
        assert request.headers.get("Event") == "dialog"
        assert request.headers.get("Accept") == TYPE
        assert request.expires == 600
        assert request.contact is not None
        assert request.contact.uri == CONTACT

    def test_a_notify_after_the_2xx(self) -> None:
        each = machine()
        assert shown(each.start(0)).status == "subscribing"
        assert each.receive_reply(ok(), 1) == []
        effects = each.receive_notify(notify(each, body=b"<x/>"), 2)
        assert answer(effects) == 200
        assert shown(effects).status == "active"
        assert [e.notification for e in effects if isinstance(e, Notified)] == [
            sip.Notification(TYPE, b"<x/>", is_first=True)
        ]

    def test_a_notify_before_the_2xx(self) -> None:
        each = machine()
        each.start(0)
        assert shown(each.receive_notify(notify(each), 1)).status == "active"
        assert each.get_timer() is None
        assert each.receive_reply(ok(100), 2) == []
        assert each.state is State.ACTIVE
        assert 52 <= (each.get_timer() or 0) <= 92

    def test_the_dialog_is_that_of_the_notify(self) -> None:
        each = machine()
        first = sent(each.start(0)).request
        each.receive_reply(ok(contact="sip:proxy@192.0.2.77"), 1)
        routes = ["<sip:192.0.2.1;lr>", "<sip:192.0.2.2;lr>"]
        each.receive_notify(notify(each, record_routes=routes), 1)
        effect = sent(each.handle_timer(each.get_timer() or 0))
        assert effect.next_hop == sip.Uri.parse("sip:192.0.2.1;lr")
        request = effect.request
        assert str(request.uri) == "sip:as@192.0.2.9"
        assert [str(route) for route in request.routes] == routes
        assert request.to.tag == "as"
        assert request.call_id == first.call_id
        assert request.cseq.number == 2
        # the 2xx of a refresh, and every NOTIFY, move the remote target
        each.receive_reply(ok(contact="sip:as@192.0.2.10"), 500)
        assert str(sent(each.retry(501)).request.uri) == "sip:as@192.0.2.10"
        each.receive_notify(notify(each, cseq=2, contact="<sip:as@192.0.2.11>"), 501)
        each.receive_reply(Response(200), 502)
        assert str(sent(each.retry(503)).request.uri) == "sip:as@192.0.2.11"

    def test_the_first_fork_wins(self) -> None:
        each = active()
        assert answer(each.receive_notify(notify(each, tag="other"), 2)) == 481
        assert answer(each.receive_notify(notify(each, cseq=2), 2)) == 200

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"state": None}, 400),
            ({"event": "presence"}, 489),
            ({"event": "dialog;id=1"}, 489),
            ({"body": b"x", "content_type": "text/plain"}, 415),
            ({"cseq": 0}, 500),
        ],
    )
    def test_notifies_that_are_not_taken(
        self, changes: dict[str, object], status: int
    ) -> None:
        each = active()
        request = notify(each, **{"cseq": 2, **changes})  # type: ignore[arg-type]
        assert answer(each.receive_notify(request, 2)) == status
        assert each.state is State.ACTIVE

    def test_pending(self) -> None:
        each = machine()
        each.start(0)
        each.receive_reply(ok(), 1)
        assert shown(each.receive_notify(notify(each, "pending"), 1)).status == (
            "pending"
        )
        effects = each.receive_notify(notify(each, "active", cseq=2), 2)
        assert shown(effects).status == "active"

    def test_nobody_notifies(self) -> None:
        each = machine()
        each.start(0)
        each.receive_reply(ok(), 1)
        assert each.get_timer() == 1 + EXPIRY_S
        info = shown(each.handle_timer(1 + EXPIRY_S))
        assert (info.status, info.problem) == ("failed", "unavailable")
        # a NOTIFY of it that comes now ends it there
        assert answer(each.receive_notify(notify(each), 40)) == 481
        due = each.get_timer()
        assert due is not None
        assert 15 <= due - 1 - EXPIRY_S <= 30
        sent(each.handle_timer(due))

    @pytest.mark.parametrize("seed", range(10))
    def test_the_refresh_is_after_half_to_nine_tenths(self, seed: int) -> None:
        due = active(seed, 200).get_timer()
        assert due is not None
        assert 101 <= due <= 181

    def test_more_than_was_asked_for_is_not_believed(self) -> None:
        assert (active(expires=10**9).get_timer() or 0) <= 541

    def test_a_notify_may_shorten_it(self) -> None:
        each = active()
        each.receive_notify(notify(each, "active;expires=599", cseq=2), 1)
        assert (each.get_timer() or 0) > 300
        each.receive_notify(notify(each, "active;expires=100", cseq=3), 1)
        assert 51 <= (each.get_timer() or 0) <= 91

    def test_423(self) -> None:
        each = machine()
        each.start(0)
        brief = Response(423, None, [("Min-Expires", "1800")])
        assert sent(each.receive_reply(brief, 1)).request.expires == 1800
        each.receive_reply(ok(1800), 2)
        each.receive_notify(notify(each, "active"), 2)
        assert sent(each.retry(3)).request.expires == 1800
        again = Response(423, None, [("Min-Expires", "3600")])
        effect = sent(each.receive_reply(again, 4))
        assert effect.request.expires == 3600
        assert effect.next_hop is not None
        for senseless in ("1", "x", "99999999"):
            each = machine()
            each.start(0)
            brief = Response(423, None, [("Min-Expires", senseless)])
            assert shown(each.receive_reply(brief, 1)).problem == "unavailable"

    @pytest.mark.parametrize(
        ("status", "refusal", "problem"),
        [
            (489, None, "unsupported"),
            (405, None, "unsupported"),
            (501, None, "unsupported"),
            (403, None, "refused"),
            (603, None, "refused"),
            (407, Refusal.WRONG_PASSWORD, "wrong_password"),
            (401, Refusal.NO_CHALLENGE, "refused"),
        ],
    )
    @pytest.mark.parametrize("make", [machine, refreshing])
    def test_what_waits_for_retry(
        self, make: object, status: int, refusal: Refusal | None, problem: str
    ) -> None:
        each: SubscriptionMachine = make()  # type: ignore[operator]
        each.start(0)
        info = shown(each.receive_reply(Response(status), 400, refusal=refusal))
        assert (info.status, info.problem, info.sip_code) == ("failed", problem, status)
        assert each.get_timer() is None
        assert sent(each.retry(500)).next_hop is None

    def test_back_off_grows_by_lot(self) -> None:
        each = machine()
        each.start(0)
        now = 0.0
        for failures in range(10):
            info = shown(each.receive_reply(Response(503), now))
            assert info.problem == "unavailable"
            ceiling = min(30 * 2**failures, BACKOFF_MAX_S)
            assert info.retry_in_s is not None
            assert ceiling / 2 <= info.retry_in_s <= ceiling
            now = each.get_timer() or 0
            sent(each.handle_timer(now))

    def test_retry_after(self) -> None:
        each = machine()
        each.start(0)
        busy = Response(503, None, [("Retry-After", "700")])
        assert shown(each.receive_reply(busy, 1)).retry_in_s == 700

    def test_unreachable(self) -> None:
        each = machine()
        each.start(0)
        info = shown(each.receive_reply(Response(408), 1, is_local=True))
        assert (info.problem, info.sip_code) == ("unreachable", None)

    def test_481_to_a_refresh_begins_anew(self) -> None:
        each = refreshing()
        old = each.key
        effects = each.receive_reply(Response(481), 400)
        effect = sent(effects)
        assert effect.next_hop is None
        assert effect.request.to.tag is None
        assert each.key != old
        assert effect.request.cseq.number == 1
        assert shown(effects).status == "subscribing"

    def test_481_to_a_beginning_waits(self) -> None:
        each = machine()
        each.start(0)
        assert shown(each.receive_reply(Response(481), 1)).retry_in_s is not None

    @pytest.mark.parametrize("reason", ["deactivated", "timeout"])
    def test_ended_for_now(self, reason: str) -> None:
        each = active()
        effects = each.receive_notify(
            notify(each, f"terminated;reason={reason}", cseq=2), 100
        )
        info = shown(effects)
        assert (info.problem, info.reason) == ("ended", reason)
        assert info.retry_in_s is not None
        assert info.retry_in_s <= 2
        sent(each.handle_timer(102))

    def test_one_that_never_lasts_backs_off(self) -> None:
        each = machine()
        each.start(0)
        now, waits = 0.0, []
        for _ in range(6):
            each.receive_reply(ok(), now)
            each.receive_notify(notify(each, "active"), now)
            info = shown(
                each.receive_notify(
                    notify(each, "terminated;reason=deactivated", cseq=2), now + 1
                )
            )
            waits.append(info.retry_in_s or 0)
            now = each.get_timer() or 0
            sent(each.handle_timer(now))
        assert waits[0] >= 15
        assert waits[-1] >= 16 * waits[0] / 2

    @pytest.mark.parametrize(
        ("state", "least"),
        [
            ("terminated;reason=probation;retry-after=900", 900),
            ("terminated;reason=giveup", 15),
            ("terminated", 15),
            ("terminated;reason=something-new;retry-after=40", 40),
            ("terminated;reason=timeout;retry-after=50", 50),
        ],
    )
    def test_ended_for_a_while(self, state: str, least: float) -> None:
        each = active()
        info = shown(each.receive_notify(notify(each, state, cseq=2), 100))
        assert info.problem == "ended"
        assert (info.retry_in_s or 0) >= least

    @pytest.mark.parametrize("reason", ["rejected", "noresource", "invariant"])
    def test_ended_for_good(self, reason: str) -> None:
        each = active()
        body = b"<x/>"
        effects = each.receive_notify(
            notify(each, f"terminated;reason={reason}", cseq=2, body=body), 100
        )
        info = shown(effects)
        assert (info.problem, info.reason) == ("refused", reason)
        assert each.get_timer() is None
        assert [e.notification.is_last for e in effects if isinstance(e, Notified)] == [
            True
        ]
        sent(each.retry(200))

    def test_ended_before_it_began(self) -> None:
        each = machine()
        each.start(0)
        info = shown(each.receive_notify(notify(each, "terminated;reason=rejected"), 1))
        assert info.problem == "refused"
        # its 2xx comes late
        assert each.receive_reply(ok(), 2) == []
        assert each.state is State.STUCK

    def test_stop(self) -> None:
        each = active()
        effect = sent(each.stop(2))
        assert effect.is_removal
        assert effect.request.expires == 0
        assert each.receive_reply(ok(0), 3) == []
        effects = each.receive_notify(
            notify(each, "terminated;reason=timeout", cseq=2, body=b"<x/>"), 3
        )
        assert answer(effects) == 200
        assert not any(isinstance(e, Notified) for e in effects)
        assert shown(effects).status == "unsubscribed"
        assert each.is_over

    def test_stop_and_no_last_notify(self) -> None:
        each = active()
        each.stop(2)
        due = each.get_timer()
        assert due is not None
        each.handle_timer(due)
        assert each.is_over

    def test_stop_while_it_begins(self) -> None:
        each = machine()
        each.start(0)
        assert each.stop(1) == []
        each.receive_reply(ok(), 2)
        assert each.is_over
        # and with a NOTIFY in between there is something to be ended
        each = machine()
        each.start(0)
        each.stop(1)
        assert answer(each.receive_notify(notify(each), 1)) == 200
        assert sent(each.receive_reply(ok(), 2)).is_removal

    def test_only_sip_uris(self) -> None:
        with pytest.raises(sip.LocalProtocolError):
            SubscriptionMachine(
                account(),
                sip.Uri.parse("tel:+1555"),
                event="dialog",
                accept=(TYPE,),
                contact=CONTACT,
                expires_s=600,
                first_notify_s=EXPIRY_S,
                rng=random.Random(1),
            )


moves = st.one_of(
    st.sampled_from(["start", "retry", "stop", "abandon", "timer"]),
    st.sampled_from([200, 202, 401, 403, 408, 423, 481, 489, 503]),
    st.sampled_from(
        ["active", "pending;expires=5", "terminated", "terminated;reason=rejected", ""]
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(moves, max_size=40))
def test_any_order(steps: list[str | int]) -> None:
    """Whatever happens: it can be stopped, waits for something, and stays bounded."""
    each = machine()
    now = 0.0
    for cseq, step in enumerate(steps, 1):
        now += 1
        match step:
            case "start":
                each.start(now)
            case "retry":
                each.retry(now)
            case "stop":
                each.stop(now)
            case "abandon":
                each.stop(now, unsubscribe=False)
            case "timer":
                now = max(now, each.get_timer() or 0)
                each.handle_timer(now)
            case int():
                each.receive_reply(Response(step), now)
            case str():
                each.receive_notify(notify(each, step, cseq=cseq), now)
        timed = (State.AWAITING, State.ACTIVE, State.WAITING, State.REMOVING)
        assert (each.get_timer() is not None) == (each.state in timed)
    each.stop(now, unsubscribe=False)
    assert each.is_over
    assert each.get_timer() is None
    assert all(isinstance(key[1], Input) for key in SubscriptionMachine.TABLE)


# -- through the agent -----------------------------------------------------------------


class Watch:
    """A subscription of the bench's agent, and what was told of it."""

    def __init__(self, bench: Bench) -> None:
        self.bodies: list[sip.Notification] = []
        self.infos: list[sip.SubscriptionInfo] = []
        self.subscription = bench.agent.subscription(
            bench.account,
            TARGET,
            event="dialog",
            accept=[TYPE.upper()],
            on_notify=self.bodies.append,
            on_change=self.infos.append,
        )
        self.bench = bench

    def begin(self) -> Request:
        self.subscription.start()
        return self.bench.request("SUBSCRIBE")

    def notify(
        self,
        subscribe: Request,
        state: str = "active",
        *,
        body: str | None = "<x/>",
        tag: str = "as",
        source: Source = PROXY,
    ) -> None:
        self.bench.cseq += 1
        request = Request(
            "NOTIFY",
            sip.Uri.parse("sip:rep@198.51.100.7"),
            [
                ("Via", self.bench.via()),
                ("From", f"<sip:rep@example.com>;tag={tag}"),
                ("To", subscribe.headers.get("From") or ""),
                ("Call-ID", subscribe.call_id),
                ("CSeq", f"{self.bench.cseq} NOTIFY"),
                ("Contact", "<sip:as@192.0.2.9>"),
                ("Event", "dialog"),
                ("Subscription-State", state),
            ],
        )
        if body is not None:
            request.headers.add("Content-Type", TYPE)
            request.body = body.encode()
        self.bench.deliver(request, source)


def test_subscribes_by_the_accounts_way(bench: Bench) -> None:
    watch = Watch(bench)
    subscribe = watch.begin()
    watch.notify(subscribe)
    bench.response(200, "NOTIFY")
    bench.reply(subscribe, 200, headers=[("Expires", "600")])
    watch.notify(subscribe, body=None)
    bench.response(200, "NOTIFY")
    watch.notify(subscribe, tag="fork")
    bench.response(481, "NOTIFY")
    bench.run()
    assert watch.bodies == [sip.Notification(TYPE, b"<x/>", is_first=True)]
    assert [info.status for info in watch.infos] == ["subscribing", "active"]
    assert watch.subscription.state.status == "active"
    watch.subscription.retry()
    refresh = bench.request("SUBSCRIBE")
    assert str(refresh.uri) == "sip:as@192.0.2.9"
    bench.reply(refresh, 200)


def test_a_challenge(bench: Bench) -> None:
    watch = Watch(bench)
    first = watch.begin()
    challenge = 'Digest realm="example.com", nonce="n", qop="auth"'
    bench.reply(first, 407, headers=[("Proxy-Authenticate", challenge)])
    again = bench.request("SUBSCRIBE")
    assert again.cseq.number == 2
    bench.reply(again, 200)
    watch.notify(again)
    bench.response(200, "NOTIFY")
    watch.subscription.retry()
    # one number after the other, also across the challenge
    refresh = bench.request("SUBSCRIBE")
    assert refresh.cseq.number == 3
    bench.reply(refresh, 481)
    anew = bench.request("SUBSCRIBE")
    assert anew.call_id != first.call_id
    watch.notify(refresh)
    bench.response(481, "NOTIFY")
    watch.notify(anew)
    bench.response(200, "NOTIFY")
    bench.run()
    assert [each.is_first for each in watch.bodies] == [True, True]


async def test_stop_ends_it(bench: Bench) -> None:
    watch = Watch(bench)
    subscribe = watch.begin()
    bench.reply(subscribe, 200)
    watch.notify(subscribe)
    bench.response(200, "NOTIFY")
    stopping = asyncio.ensure_future(watch.subscription.stop())
    await asyncio.sleep(0)
    removal = bench.request("SUBSCRIBE")
    assert removal.expires == 0
    bench.reply(removal, 200, headers=[("Expires", "0")])
    watch.notify(subscribe, "terminated;reason=timeout")
    bench.response(200, "NOTIFY")
    await asyncio.wait_for(stopping, 1)
    bench.run()
    assert watch.infos[-1].status == "unsubscribed"
    with pytest.raises(sip.LocalProtocolError):
        watch.subscription.start()
    watch.subscription.retry()
    bench.quiet()
    await watch.subscription.stop()


async def test_the_agent_ends_it(bench: Bench) -> None:
    """Nothing is left, see ``Bench.finish``, with nobody who answers."""
    watch = Watch(bench)
    bench.reply(watch.begin(), 200)
    never_started = Watch(bench)
    assert never_started.subscription.state.status == "unsubscribed"


def test_a_users_mistake_stops_nothing(bench: Bench) -> None:
    def fails(news: object) -> None:
        raise RuntimeError("mistake")

    subscription = bench.agent.subscription(
        bench.account,
        TARGET,
        event="dialog",
        accept=[TYPE],
        on_notify=fails,
        on_change=fails,
    )
    subscription.start()
    bench.reply(bench.request("SUBSCRIBE"), 489)
    bench.run()
    assert bench.agent.counters["callback_errors"] == 2
    assert bench.agent.counters["subscriptions_failed"] == 1
    assert subscription.state.problem == "unsupported"


def test_strangers_notify_nobody(bench: Bench) -> None:
    watch = Watch(bench)
    subscribe = watch.begin()
    forged = subscribe.copy()
    forged.headers.set("Call-ID", "guessed")
    watch.notify(forged)
    bench.response(481, "NOTIFY")
    bench.run()
    assert not watch.bodies


@pytest.mark.parametrize("untrusted", ["reject", "drop"])
async def test_notifies_come_from_where_calls_may_come_from(untrusted: str) -> None:
    """RFC 6665 7.3: who has overheard Call-ID and tags still is not the server."""
    bench = await Bench(trusted_sources=("192.0.2.1",), untrusted=untrusted).start()
    watch = Watch(bench)
    subscribe = watch.begin()
    stranger = Source("udp", "203.0.113.5", 5060)
    # Before there is a dialog, and within it.
    for _ in range(2):
        watch.notify(subscribe, body="<forged/>", source=stranger)
        watch.notify(subscribe, "terminated", source=stranger)
        if untrusted == "reject":
            for _ in range(2):
                bench.response(403, "NOTIFY")
        bench.quiet()
        watch.notify(subscribe)
        bench.response(200, "NOTIFY")
    bench.reply(subscribe, 200)
    bench.run()
    assert [each.body for each in watch.bodies] == [b"<x/>", b"<x/>"]
    assert watch.subscription.state.status == "active"
    assert bench.agent.counters["requests_untrusted"] == 4
    await bench.finish()
