"""Two machines joined by a bad network, and machines in random weather."""

from __future__ import annotations

import heapq
import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sip.errors import LocalProtocolError
from sip.message import Request, Response
from sip.transaction import (
    Deliver,
    Effects,
    Fail,
    Send,
    SendCancel,
    State,
    Terminate,
    TimerValues,
    Transaction,
)
from sip.transaction_ict import InviteClientTransaction
from sip.transaction_ist import InviteServerTransaction
from sip.transaction_nict import NonInviteClientTransaction
from sip.transaction_nist import NonInviteServerTransaction
from tests.sip.test_transactions import request, response

TIMERS = TimerValues()
Client = InviteClientTransaction | NonInviteClientTransaction
Server = InviteServerTransaction | NonInviteServerTransaction


class Joint:
    """A client and a server machine, and a network that loses, repeats, delays."""

    def __init__(self, method: str, status: int, seed: int, loss: float) -> None:
        self.now = 0.0
        self.method = method
        self.final = response(status, method)
        self.rng = random.Random(seed)
        self.loss = loss
        self.client: Client
        if method == "INVITE":
            self.client = InviteClientTransaction(
                request(method), reliable=False, timers=TIMERS
            )
        else:
            self.client = NonInviteClientTransaction(
                request(method), reliable=False, timers=TIMERS
            )
        self.server: Server | None = None
        self.flying: list[tuple[float, int, bool, Request | Response]] = []
        self.order = itertools.count()
        self.finals: list[int] = []
        self.requests = 0
        self.acks = 0
        self.failed = False
        self.client_gone = self.server_gone = False

    def run(self) -> None:
        self.carry_out(True, self.client.start(0))
        while self.step():
            assert self.now < 1000

    def step(self) -> bool:
        times = [each[0] for each in self.flying[:1]]
        machines: list[Transaction] = [] if self.client_gone else [self.client]
        if self.server is not None and not self.server_gone:
            machines.append(self.server)
        times += [due for each in machines if (due := each.get_timer()) is not None]
        if not times:
            return False
        self.now = max(self.now, min(times))
        for machine in machines:
            effects = machine.handle_timer(self.now)
            self.carry_out(machine is self.client, effects)
        while self.flying and self.flying[0][0] <= self.now:
            _, _, to_server, message = heapq.heappop(self.flying)
            self.arrive(to_server, message)
        return True

    def send(self, to_server: bool, message: Request | Response) -> None:
        copies = 0 if self.rng.random() < self.loss else self.rng.choice((1, 1, 2))
        for _ in range(copies):
            # longer than T1, so that messages overtake each other
            at = self.now + self.rng.uniform(0.01, 0.8)
            heapq.heappush(self.flying, (at, next(self.order), to_server, message))

    def arrive(self, to_server: bool, message: Request | Response) -> None:
        if isinstance(message, Response):
            if not self.client_gone:
                effects = self.client.receive_response(message, self.now)
                self.carry_out(True, effects)
            return
        if self.server is not None:
            if not self.server_gone:
                effects = self.server.receive_request(message, self.now)
                self.carry_out(False, effects)
            return
        if message.method == "ACK":
            return
        self.requests += 1
        if self.method == "INVITE":
            self.server = InviteServerTransaction(
                message, reliable=False, timers=TIMERS
            )
        else:
            self.server = NonInviteServerTransaction(
                message, reliable=False, timers=TIMERS
            )
        self.carry_out(False, self.server.start(self.now))
        self.carry_out(False, self.server.send_response(self.final, self.now))

    def carry_out(self, is_client: bool, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    self.acks += (
                        isinstance(message, Request) and message.method == "ACK"
                    )
                    self.send(is_client, message)
                case Deliver(Response() as message):
                    if message.status >= 200:
                        self.finals.append(message.status)
                case Fail():
                    self.failed = self.failed or is_client
                case Terminate() if is_client:
                    self.client_gone = True
                case Terminate():
                    self.server_gone = True
                case Deliver() | SendCancel():
                    pass


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(["INVITE", "BYE"]),
    status=st.sampled_from([486, 603, 301]),
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.5]),
)
def test_roundtrip_in_a_bad_network(
    method: str, status: int, seed: int, loss: float
) -> None:
    """One request, one outcome, and in the end nothing is left."""
    joint = Joint(method, status, seed, loss)
    joint.run()
    assert joint.requests <= 1
    assert joint.client_gone
    assert joint.server is None or joint.server_gone
    assert joint.finals == ([] if joint.failed else [status])
    if loss == 0:
        assert joint.finals == [status]
        assert joint.acks >= (method == "INVITE")


@pytest.mark.parametrize("seed", range(20))
def test_roundtrip_of_a_2xx(seed: int) -> None:
    """The user repeats it; every copy that arrives is delivered."""
    joint = Joint("INVITE", 200, seed, 0.0)
    joint.run()
    assert joint.finals
    assert set(joint.finals) == {200}
    assert joint.client_gone
    assert joint.server_gone


class Weather(RuleBasedStateMachine):
    """Anything may happen at any time; the machines keep their promises."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machines: list[Transaction] = [
            InviteClientTransaction(request(), reliable=False, timers=TIMERS),
            NonInviteClientTransaction(request("BYE"), reliable=False, timers=TIMERS),
            InviteServerTransaction(request(), reliable=False, timers=TIMERS),
            NonInviteServerTransaction(request("BYE"), reliable=False, timers=TIMERS),
        ]
        self.told: dict[int, list[str]] = {}
        self.gone: set[int] = set()
        for machine in self.machines:
            assert not isinstance(machine, Server) or machine.start(0) == []
            if isinstance(machine, Client):
                machine.start(0)

    def note(self, machine: Transaction, effects: Effects) -> None:
        key = id(machine)
        assert key not in self.gone or not effects
        for effect in effects:
            match effect:
                case Terminate():
                    self.gone.add(key)
                case Deliver(Response() as message) if message.status >= 200:
                    kind = "2xx" if message.status < 300 else "failure"
                    self.told.setdefault(key, []).append(kind)
                case Fail():
                    self.told.setdefault(key, []).append("none")
                case _:
                    pass

    @rule(status=st.sampled_from([100, 180, 200, 299, 302, 401, 486, 503, 603]))
    def response_arrives(self, status: int) -> None:
        for machine in self.machines:
            if isinstance(machine, Client):
                message = response(status, machine.request.method)
                self.note(machine, machine.receive_response(message, self.now))

    @rule()
    def request_comes_again(self) -> None:
        for machine in self.machines:
            if isinstance(machine, Server):
                effects = machine.receive_request(machine.request, self.now)
                self.note(machine, effects)

    @rule()
    def ack_arrives(self) -> None:
        machine = self.machines[2]
        assert isinstance(machine, InviteServerTransaction)
        self.note(machine, machine.receive_request(request("ACK"), self.now))

    @rule(status=st.sampled_from([100, 180, 200, 486, 603]))
    def user_answers(self, status: int) -> None:
        for machine in self.machines:
            if not isinstance(machine, Server):
                continue
            before = machine.state
            try:
                message = response(status, machine.request.method)
                effects = machine.send_response(message, self.now)
            except LocalProtocolError:
                assert machine.state is before
            else:
                self.note(machine, effects)

    @rule()
    def user_cancels(self) -> None:
        machine = self.machines[0]
        assert isinstance(machine, InviteClientTransaction)
        effects = machine.cancel(self.now)
        assert not effects or machine.state is State.PROCEEDING
        self.note(machine, effects)

    @rule()
    def transport_fails(self) -> None:
        for machine in self.machines:
            self.note(machine, machine.receive_transport_error(self.now))

    @rule(seconds=st.floats(0.01, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for machine in self.machines:
            self.note(machine, machine.handle_timer(self.now))

    @invariant()
    def one_outcome(self) -> None:
        for machine in self.machines[:2]:
            told = self.told.get(id(machine), [])
            if told and told[0] == "2xx" and machine.request.method == "INVITE":
                assert set(told) == {"2xx"}
            else:
                assert len(told) <= 1

    @invariant()
    def the_dead_have_no_timers(self) -> None:
        for machine in self.machines:
            if machine.state is State.TERMINATED:
                assert id(machine) in self.gone
                assert machine.get_timer() is None

    @invariant()
    def timers_are_ahead(self) -> None:
        for machine in self.machines:
            due = machine.get_timer()
            assert due is None or due <= self.now + TIMERS.expiry_s

    def teardown(self) -> None:
        """Left alone, everything ends, but an INVITE that waits for its user."""
        self.now += 200
        for machine in self.machines:
            self.note(machine, machine.handle_timer(self.now))
            if machine.state is State.PROCEEDING and machine.request.method == "INVITE":
                continue
            assert machine.state is State.TERMINATED


TestWeather = Weather.TestCase
TestWeather.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
