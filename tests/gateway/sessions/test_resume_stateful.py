"""A client that loses its sockets at random never misses, repeats or reorders.

The client keeps a picture from snapshots and events; whenever it is connected and
has heard everything, its picture is the server's. Socket losses, half-dead sockets,
reloads, lost resume answers, expiry and bursts larger than the ring are mixed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.sessions import wire
from tests.gateway.sessions.fakes import ANA, Page, World, call_view


class Client:
    """What one page knows; reads its socket only when told to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.load = 0
        self.page: Page | None = None
        self.last_page: Page | None = None
        self.last_seq = 0
        self.calls: set[str] = set()
        self._read = 0
        # Events heard since the last snapshot, for the exactly-once check.
        self.heard: list[int] = []

    async def hello(self) -> None:
        self.load += 1
        page = self.world.page(f"load-{self.load}")
        self._take_snapshot(await page.hello())
        self._attach(page)

    async def resume(self) -> bool:
        assert self.last_page is not None
        page = self.world.page(self.last_page.instance_id)
        response = await page.ask(
            "session.resume",
            session_id=self.last_page.session_id,
            resume_token=self.last_page.token,
            instance_id=page.instance_id,
            last_seq=self.last_seq,
        )
        if "error" in response:
            page.conversation.lost()
            return False
        result = response["result"]
        page.session_id = self.last_page.session_id
        page.token = result["resume_token"]
        if not result["resumed"]:
            self._take_snapshot(result)
        self._attach(page)
        return True

    def read(self) -> None:
        """Take in everything that has arrived."""
        assert self.page is not None
        frames = self.page.outlet.frames
        for frame in frames[self._read :]:
            if frame.get("method") == "event":
                self._take_event(frame["params"])
        self._read = len(frames)

    def leave(self) -> Page:
        """The page stops hearing; what it has not read is lost to it."""
        assert self.page is not None
        self.last_page, self.page = self.page, None
        return self.last_page

    def _attach(self, page: Page) -> None:
        self.page = page
        self._read = 0

    def _take_snapshot(self, result: dict[str, Any]) -> None:
        self.last_seq = result["seq"]
        self.calls = {call["call_id"] for call in result["snapshot"]["calls"]}
        self.heard = []

    def _take_event(self, event: dict[str, Any]) -> None:
        assert event["seq"] == self.last_seq + 1
        self.last_seq = event["seq"]
        self.heard.append(event["seq"])
        match event["type"]:
            case "call.incoming":
                self.calls.add(event["call"]["call_id"])
            case "call.ended":
                self.calls.discard(event["call"]["call_id"])


class ResumeMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World()
        self.client = Client(self.world)
        # Sockets that the client has left and the server takes for alive.
        self.half_dead: list[Page] = []
        self.next_call = 0

    def teardown(self) -> None:
        self.runner.run(self.world.directory.close())
        self.runner.close()

    @property
    def server_calls(self) -> dict[str, wire.CallView]:
        return self.world.backend.calls.setdefault(ANA.key, {})

    @initialize()
    def open(self) -> None:
        self.runner.run(self.client.hello())

    @rule(count=st.sampled_from([1, 2, 5, wire.RING_EVENTS + 3]))
    def things_happen(self, count: int) -> None:
        if self.world.directory.session_count == 0:
            return
        for _ in range(count):
            if len(self.server_calls) > 3:
                call_id = next(iter(self.server_calls))
                del self.server_calls[call_id]
                self.world.directory.publish(
                    ANA.key, wire.CallEndedEvent, call=call_view(call_id)
                )
            else:
                self.next_call += 1
                self.world.backend.ring(ANA, f"c{self.next_call}")

    @precondition(lambda self: self.client.page is not None)
    @rule()
    def the_client_reads(self) -> None:
        self.client.read()

    @precondition(lambda self: self.client.page is not None)
    @rule()
    def the_client_acknowledges(self) -> None:
        self.client.read()
        page = self.client.page
        assert page is not None
        # A second apart, or the rate limit would be what is tested.
        self.world.clock.advance(1)
        self.runner.run(page.result("session.ack", seq=self.client.last_seq))

    @precondition(lambda self: self.client.page is not None)
    @rule(is_noticed=st.booleans(), has_read=st.booleans())
    def the_socket_is_lost(self, is_noticed: bool, has_read: bool) -> None:
        if has_read:
            self.client.read()
        page = self.client.leave()
        if is_noticed:
            self.in_loop(page.conversation.lost)
        else:
            self.half_dead.append(page)

    @precondition(lambda self: self.half_dead)
    @rule()
    def the_server_notices_a_dead_socket(self) -> None:
        self.in_loop(self.half_dead.pop(0).conversation.lost)

    @precondition(lambda self: self.client.page is None)
    @rule()
    def the_client_comes_back(self) -> None:
        if not self.runner.run(self.client.resume()):
            self.runner.run(self.client.hello())

    @precondition(lambda self: self.client.page is None)
    @rule()
    def the_answer_to_a_resume_is_lost(self) -> None:
        client = self.client
        old = client.last_page
        assert old is not None
        kept = (client.last_seq, set(client.calls), list(client.heard), old.token)
        if self.runner.run(client.resume()):
            page = client.leave()
            self.in_loop(page.conversation.lost)
            # The client knows nothing of it: it still has what it had.
            client.last_page = old
            client.last_seq, client.calls, client.heard, old.token = kept

    @rule()
    def the_page_is_reloaded(self) -> None:
        if self.client.page is not None:
            self.half_dead.append(self.client.leave())
        self.runner.run(self.client.hello())

    @rule(seconds=st.sampled_from([1.0, 60.0, 121.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.runner.run(self.world.directory.sweep())

    @invariant()
    def the_picture_is_right(self) -> None:
        if self.client.page is None:
            return
        self.client.read()
        assert self.client.calls == set(self.server_calls)
        heard = self.client.heard
        assert heard == list(range(heard[0], heard[0] + len(heard))) if heard else True

    @invariant()
    def there_is_at_most_one_session_and_no_fault(self) -> None:
        assert self.world.directory.session_count <= 1
        assert self.world.directory.counters.internal_errors == 0
        if self.client.page is not None:
            assert self.world.directory.attached_count == 1

    def in_loop(self, act: Any) -> None:
        async def run() -> None:
            act()

        self.runner.run(run())


ResumeMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None
)
TestResume = ResumeMachine.TestCase
