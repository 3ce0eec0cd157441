"""Registrations as the user holds them, and the pace at which they are sent."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable

from sip.account import Account
from sip.clock import Clock, TimerHandle
from sip.core import Core
from sip.errors import LocalProtocolError
from sip.exchange import Exchange, Reply
from sip.registration import (
    Changed,
    Effects,
    RegistrationMachine,
    RegistrationState,
    SendRegister,
    contact_user,
)
from sip.transport import Target
from sip.uri import Uri

_log = logging.getLogger("sip.registration")

# How long stop() waits for the registrar before it forgets the binding.
STOP_TIMEOUT_S = 2.0


class RegistrationPacer:
    """Spreads REGISTERs of thousands of accounts, as after a restart.

    Args:
        rate_per_s: sent in the long run.
        burst: sent at once after a pause.
    """

    def __init__(self, clock: Clock, *, rate_per_s: float, burst: int) -> None:
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled_at = clock.now()
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, send: Callable[[], None]) -> None:
        """Call ``send`` when its turn comes, at once if that is now."""
        self._waiting.append(send)
        if self._timer is None:
            self._run()

    def close(self) -> None:
        """Forget all that wait."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        now = self._clock.now()
        gained = (now - self._filled_at) * self._rate_per_s
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        # The fraction forgives what rounding takes from a timer that fired in time.
        while self._waiting and self._tokens >= 0.999:
            self._tokens -= 1
            self._waiting.popleft()()
        if self._waiting:
            wait_s = (1 - self._tokens) / self._rate_per_s
            self._timer = self._clock.call_at(now + wait_s, self._run)


class Registration:
    """One account's binding; made by ``UserAgent.registration``.

    ``on_change`` is told every new ``state``, from the event loop.
    """

    def __init__(
        self,
        core: Core,
        pacer: RegistrationPacer,
        account: Account,
        on_change: Callable[[RegistrationState], None],
        on_gone: Callable[[Registration], None],
    ) -> None:
        self.account = account
        self._core = core
        self._pacer = pacer
        self._on_change = on_change
        self._on_gone = on_gone
        self._next_hops = account.outbound_proxies or (account.registrar_uri,)
        transport = core.transport_for(self._next_hops[0], account.transport)
        self._machine = RegistrationMachine(
            account,
            contact=core.contact(contact_user(core.rng), transport),
            call_id=core.new_call_id(),
            rng=core.rng,
        )
        self._exchange: Exchange | None = None
        self._timer: TimerHandle | None = None
        # The way by which the registrar reaches us.
        self._held: Target | None = None
        self._connection: int | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._is_closed = False

    @property
    def state(self) -> RegistrationState:
        """What to show now."""
        return self._machine.shown

    @property
    def contact(self) -> Uri:
        """Our contact; its user part is nobody else's."""
        return self._machine.contact

    def start(self) -> None:
        """Register, and stay so.

        Raises:
            LocalProtocolError: it was stopped; make another one.
        """
        if self._is_closed:
            raise LocalProtocolError("a stopped registration does not start again")
        self._core.presence(self.account).contact_user = self.contact.user or ""
        self._run(self._machine.start(self._now()))

    def retry(self) -> None:
        """Try at once, after a failure or to refresh; nothing once it is stopped."""
        if self._is_closed:
            return
        self._core.presence(self.account).digest.forget()
        self._run(self._machine.retry(self._now()))

    async def stop(self, *, unregister: bool = True) -> None:
        """Remove the binding; returns when it is gone, at most after two seconds."""
        self._run(self._machine.stop(self._now(), unregister=unregister))
        if self._machine.is_awaiting:
            self._stopped = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._stopped
            except TimeoutError:
                self._run(self._machine.stop(self._now(), unregister=False))
            finally:
                self._stopped = None
        self.close()

    def connection_lost(self, connection: int) -> None:
        """A connection is gone: was it ours?; for the agent."""
        if connection == self._connection:
            self._connection = None
            self._run(self._machine.connection_lost(self._now()))

    def close(self) -> None:
        """Forget everything at once; for the agent."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._exchange is not None:
            self._exchange.abandon()
            self._exchange = None
        self._hold(None)
        self._on_gone(self)

    def _now(self) -> float:
        return self._core.clock.now()

    def _run(self, effects: Effects) -> None:
        self._arm()
        for effect in effects:
            match effect:
                case SendRegister(_, is_removal=True):
                    self._send(effect)
                case SendRegister():
                    self._pacer.submit(functools.partial(self._send, effect))
                case Changed(state):
                    self._changed(state)
        stopped = self._stopped
        if stopped is not None and not stopped.done() and not self._machine.is_awaiting:
            stopped.set_result(None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._machine.get_timer()
        if due is not None:
            self._timer = self._core.clock.call_at(due, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._run(self._machine.handle_timer(self._now()))

    def _send(self, effect: SendRegister) -> None:
        if not self._machine.is_awaiting:
            # stopped while it waited for its turn
            return
        if self._exchange is not None:
            self._exchange.abandon()
        effect.request.headers.add("User-Agent", self._core.user_agent)
        self._exchange = Exchange(
            self._core,
            effect.request,
            next_hops=self._next_hops,
            on_reply=self._replied,
            digest=self._core.presence(self.account).digest,
            next_cseq=self._machine.next_cseq,
            transport=self.account.transport,
            trusts_targets=True,
        )
        self._exchange.start()

    def _replied(self, reply: Reply) -> None:
        if reply.response.is_provisional:
            return
        self._exchange = None
        if reply.response.is_success:
            self._connection = reply.connection
            self._hold(reply.target)
        effects = self._machine.receive_reply(
            reply.response,
            self._now(),
            is_local=reply.is_local,
            refusal=reply.refusal,
        )
        presence = self._core.presence(self.account)
        presence.service_route = self._machine.service_route
        self._run(effects)

    def _hold(self, target: Target | None) -> None:
        held, self._held = self._held, target
        if target is not None:
            self._core.wire.hold(target)
        if held is not None:
            self._core.wire.release(held)

    def _changed(self, state: RegistrationState) -> None:
        if state.status == "failed":
            self._core.counters.count("registrations_failed")
            _log.info(
                "registration of %s failed: %s (%s)",
                self.account.aor,
                state.problem,
                state.sip_code,
            )
        # From the loop, like every event: never from inside start() or retry().
        self._core.clock.call_at(self._now(), lambda: self._tell(state))

    def _tell(self, state: RegistrationState) -> None:
        try:
            self._on_change(state)
        except Exception:
            # A user's mistake must not stop the protocol; this is the root.
            self._core.counters.count("callback_errors")
            _log.exception("%s of %s was not handled", state, self.account.aor)
