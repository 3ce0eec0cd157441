"""The layer as a stateful forking proxy uses it, and how it matches messages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import pytest

import sip
from sip.compose import without_top_via
from sip.errors import LocalProtocolError
from sip.message import Request, Response
from sip.parser import parse_datagram
from sip.transaction import FailureKind, State, TimerValues
from sip.transaction_layer import ServerTransaction, TransactionLayer
from sip.transport import Source, Target
from tests.sip.peers import EXPIRY_S, PROXY, MemoryWire, VirtualClock


class Branch:
    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.failures: list[FailureKind] = []

    def on_response(self, response: Response) -> None:
        self.responses.append(response)

    def on_failure(self, kind: FailureKind) -> None:
        self.failures.append(kind)


class Proxy:
    """Keeps what it is told; the tests do the proxying."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.wire = MemoryWire(self.clock)
        self.counters = sip.Counters()
        self.layer = TransactionLayer(
            wire=self.wire,
            user=self,
            clock=self.clock,
            rng=random.Random(1),
            timers=TimerValues(),
            counters=self.counters,
            max_server_transactions=4,
        )
        self.requests: list[ServerTransaction] = []
        self.acks: list[Request] = []
        self.cancels: list[Request] = []
        self.failures: list[FailureKind] = []

    def screen(
        self, request: Request, source: Source
    ) -> Response | Literal["accept", "drop"]:
        return "accept"

    def on_request(self, transaction: ServerTransaction) -> None:
        transaction.user = self
        self.requests.append(transaction)

    def on_ack(self, ack: Request, source: Source) -> None:
        self.acks.append(ack)

    def on_cancel(self, cancel: Request) -> None:
        self.cancels.append(cancel)

    def on_failure(self, kind: FailureKind) -> None:
        self.failures.append(kind)

    def receive(self, message: Request | Response, source: Source = PROXY) -> None:
        self.layer.receive(parse_datagram(message.to_bytes()), source)
        self.clock.advance()

    def sent(self) -> list[Request | Response]:
        self.clock.advance()
        messages = [each.message for each in self.wire.sent]
        self.wire.sent.clear()
        return messages


def request(
    method: str = "INVITE",
    *,
    branch: str = "z9hG4bKup",
    call_id: str = "c",
    to_tag: str = "",
    number: int = 1,
    uri: str = "sip:bob@example.com",
    more: Sequence[tuple[str, str]] = (),
) -> Request:
    tag = f";tag={to_tag}" if to_tag else ""
    suffix = f";branch={branch}" if branch else ""
    return Request(
        method,
        sip.Uri.parse(uri),
        [
            ("Via", f"SIP/2.0/UDP 192.0.2.1:5060{suffix}"),
            ("From", "<sip:ana@example.net>;tag=a"),
            ("To", f"<sip:bob@example.com>{tag}"),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            *more,
        ],
    )


def test_a_fork_and_several_2xx_upstream() -> None:
    proxy = Proxy()
    proxy.receive(request())
    (upstream,) = proxy.requests
    branches = [Branch(), Branch(), Branch()]
    downstream = [
        proxy.layer.send_request(
            upstream.request, Target("udp", f"192.0.2.{10 + number}", 5060), branch
        )
        for number, branch in enumerate(branches)
    ]
    forwarded = proxy.sent()
    assert len({each.via.branch for each in forwarded}) == 3
    assert all(len(each.vias) == 2 for each in forwarded)
    # two of them answer; both 2xx go upstream (RFC 6026 7.1)
    for number in (0, 1):
        sent = downstream[number].request
        proxy.receive(sip.create_response(sent, 200, to_tag=f"t{number}"))
        upstream.respond(without_top_via(branches[number].responses[0]))
    answers = proxy.sent()
    assert [each.to.tag for each in answers] == ["t0", "t1"]
    assert all(each.via.branch == "z9hG4bKup" for each in answers)
    # the third rings, and is cancelled
    proxy.receive(sip.create_response(downstream[2].request, 180, to_tag="t2"))
    downstream[2].cancel([("Reason", str(sip.COMPLETED_ELSEWHERE))])
    (cancel,) = proxy.sent()
    assert isinstance(cancel, Request)
    assert cancel.method == "CANCEL"
    assert len(cancel.vias) == 1
    assert cancel.reasons == (sip.COMPLETED_ELSEWHERE,)
    proxy.receive(sip.create_response(cancel, 200))
    proxy.receive(sip.create_response(downstream[2].request, 487, to_tag="t2"))
    (ack,) = proxy.sent()
    assert ack.cseq.method == "ACK"
    # the caller's ACKs of the 2xx belong to nobody, and are passed on
    proxy.receive(request("ACK", branch="z9hG4bKack", to_tag="t0"))
    (passed,) = proxy.acks
    proxy.layer.send_stateless(passed, Target("udp", "192.0.2.10", 5060))
    (onward,) = proxy.sent()
    assert len(onward.vias) == 2
    proxy.clock.advance(2 * EXPIRY_S)
    assert len(proxy.layer) == 0
    assert proxy.clock.pending == 0


def test_cancel_from_upstream() -> None:
    proxy = Proxy()
    proxy.receive(request())
    proxy.receive(request("CANCEL"))
    (ok,) = proxy.sent()
    assert isinstance(ok, Response)
    assert (ok.status, ok.cseq.method) == (200, "CANCEL")
    assert len(proxy.cancels) == 1
    proxy.receive(request("CANCEL"))
    assert len(proxy.cancels) == 1
    assert len(proxy.sent()) == 1


def test_an_ack_for_a_failure_is_swallowed() -> None:
    proxy = Proxy()
    proxy.receive(request())
    proxy.requests[0].answer(486)
    proxy.receive(request("ACK", to_tag="x"))
    assert proxy.requests[0].state is State.CONFIRMED
    assert proxy.acks == []


def test_a_client_of_rfc_2543_is_matched_without_branch() -> None:
    """RFC 3261 17.2.3."""
    proxy = Proxy()
    proxy.receive(request(branch="1"))
    proxy.receive(request(branch="1"))
    assert len(proxy.requests) == 1
    proxy.requests[0].answer(486)
    (busy,) = proxy.sent()
    proxy.receive(request("ACK", branch="1", to_tag="other"))
    assert len(proxy.acks) == 1
    proxy.receive(request("ACK", branch="1", to_tag=busy.to.tag or ""))
    assert len(proxy.acks) == 1
    assert proxy.requests[0].state is State.CONFIRMED
    proxy.receive(request(branch="1", number=2))
    assert len(proxy.requests) == 2


def test_the_same_branch_of_another_host_is_another_transaction() -> None:
    proxy = Proxy()
    proxy.receive(request())
    other = request()
    other.headers.set("Via", "SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKup")
    proxy.receive(other)
    assert len(proxy.requests) == 2


def test_a_request_uri_tells_forks_from_merges() -> None:
    proxy = Proxy()
    proxy.receive(request())
    proxy.receive(request(branch="z9hG4bKsecond"))
    proxy.receive(request(branch="z9hG4bKthird", uri="sip:other@example.com"))
    merged = [proxy.layer.is_merged(each) for each in proxy.requests]
    assert merged == [False, True, False]


def test_state_is_bounded() -> None:
    proxy = Proxy()
    for number in range(10):
        proxy.receive(request(branch=f"z9hG4bK{number}", call_id=str(number)))
    assert len(proxy.requests) == 4
    assert proxy.counters["requests_dropped_overload"] == 6


def test_a_transport_that_refuses_is_told_later_and_once() -> None:
    proxy = Proxy()
    target = Target("udp", "192.0.2.10", 5060)
    proxy.wire.refused.add(target)
    branch = Branch()
    proxy.layer.send_request(request("OPTIONS"), target, branch)
    assert branch.failures == []
    proxy.clock.advance()
    assert branch.failures == [FailureKind.TRANSPORT]
    assert len(proxy.layer) == 0


def test_only_an_invite_is_cancelled() -> None:
    proxy = Proxy()
    transaction = proxy.layer.send_request(
        request("OPTIONS"), Target("udp", "192.0.2.10", 5060), Branch()
    )
    with pytest.raises(LocalProtocolError):
        transaction.cancel()


def test_an_answer_that_must_not_be_sent_changes_nothing() -> None:
    proxy = Proxy()
    proxy.receive(request())
    with pytest.raises(sip.InvalidValue):
        proxy.requests[0].answer(486, "Busy\r\nX-Evil: 1")
    assert proxy.requests[0].is_answerable
    assert proxy.sent() == []


def test_nothing_that_arrives_can_hurt() -> None:
    """Random messages of random methods, tags and branches, in random order."""
    rng = random.Random(7)
    proxy = Proxy()
    for _ in range(600):
        method = rng.choice(["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "X"])
        message: Request | Response = request(
            method,
            branch=rng.choice(["", "z9hG4bK1", "z9hG4bK2", "old"]),
            call_id=rng.choice("ab"),
            to_tag=rng.choice(["", "t"]),
            number=rng.randint(1, 3),
        )
        if rng.random() < 0.3:
            assert isinstance(message, Request)
            message = sip.create_response(message, rng.choice([100, 200, 404]))
        proxy.receive(message)
        for transaction in proxy.requests:
            if transaction.is_answerable and rng.random() < 0.3:
                transaction.answer(rng.choice([200, 404]))
        proxy.clock.advance(rng.choice([0, 0.1, 5]))
        assert len(proxy.layer) <= 5
    proxy.layer.close()
    assert proxy.clock.pending == 0
