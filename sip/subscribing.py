"""Subscriptions as the user holds them (RFC 6665)."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

from sip.account import Account
from sip.clock import Alarm
from sip.core import Core, next_hops
from sip.errors import LocalProtocolError
from sip.exchange import Exchange, Reply
from sip.registering import RegistrationPacer
from sip.subscription import (
    AnswerNotify,
    Changed,
    Effects,
    Notification,
    Notified,
    SendSubscribe,
    SubscriptionInfo,
    SubscriptionMachine,
)
from sip.transaction_layer import ServerTransaction
from sip.uri import Uri

_log = logging.getLogger("sip.subscription")

# How long stop() waits for the notifier before it forgets the subscription.
STOP_TIMEOUT_S = 2.0
DEFAULT_EXPIRES_S = 600


class Subscription:
    """One subscription; made by ``UserAgent.subscription``.

    ``on_notify`` and ``on_change`` are called from the event loop, in the order in
    which things happened, never from inside a method of this class.
    """

    def __init__(
        self,
        core: Core,
        pacer: RegistrationPacer,
        account: Account,
        target: Uri,
        *,
        event: str,
        accept: tuple[str, ...],
        expires_s: int,
        on_notify: Callable[[Notification], None],
        on_change: Callable[[SubscriptionInfo], None],
        on_gone: Callable[[Subscription], None],
    ) -> None:
        self.account = account
        self.target = target
        self._core = core
        self._pacer = pacer
        self._on_notify = on_notify
        self._on_change = on_change
        self._on_gone = on_gone
        presence = core.presence(account)
        self._digest = presence.digest
        hops = next_hops(account, presence.service_route, target)
        self._transport = core.transport_for(hops[0], account.transport)
        self._machine = SubscriptionMachine(
            account,
            target,
            event=event,
            accept=accept,
            contact=core.contact(presence.contact_user, self._transport),
            expires_s=expires_s,
            first_notify_s=core.timers.expiry_s,
            rng=core.rng,
        )
        self._exchange: Exchange | None = None
        self._alarm = Alarm(core.clock, self._due)
        self._key: tuple[str, str] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._is_closed = False

    @property
    def state(self) -> SubscriptionInfo:
        """What to show now."""
        return self._machine.shown

    def start(self) -> None:
        """Subscribe, and stay so.

        Raises:
            LocalProtocolError: it was stopped; make another one.
        """
        if self._is_closed:
            raise LocalProtocolError("a stopped subscription does not start again")
        self._run(self._machine.start(self._now()))

    def retry(self) -> None:
        """Try at once after a failure, or fetch the whole state anew."""
        if not self._is_closed:
            self._run(self._machine.retry(self._now()))

    async def stop(self, *, unsubscribe: bool = True) -> None:
        """End it; returns when it is gone, at most after two seconds."""
        if self._is_closed:
            return
        self._run(self._machine.stop(self._now(), unsubscribe=unsubscribe))
        if not self._machine.is_over:
            self._stopped = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self._stopped
            except TimeoutError:
                self._run(self._machine.stop(self._now(), unsubscribe=False))
            finally:
                self._stopped = None
        self.close()

    def close(self) -> None:
        """Forget everything at once; for the agent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._alarm.set(None)
        if self._exchange is not None:
            self._exchange.abandon()
            self._exchange = None
        self._rekey(None)
        self._on_gone(self)

    def receive_notify(self, transaction: ServerTransaction) -> None:
        """Take a NOTIFY with its Call-ID and tag; for the agent."""
        self._run(
            self._machine.receive_notify(transaction.request, self._now()), transaction
        )

    def _now(self) -> float:
        return self._core.clock.now()

    def _due(self) -> None:
        self._run(self._machine.handle_timer(self._now()))

    def _run(
        self, effects: Effects, transaction: ServerTransaction | None = None
    ) -> None:
        self._alarm.set(self._machine.get_timer())
        for effect in effects:
            match effect:
                case AnswerNotify():
                    assert transaction is not None
                    transaction.answer(effect.status, headers=effect.headers)
                case SendSubscribe(_, next_hop=None):
                    self._rekey(self._machine.key)
                    self._pacer.submit(functools.partial(self._send, effect))
                case SendSubscribe():
                    self._send(effect)
                case Notified():
                    self._tell(self._on_notify, effect.notification)
                case Changed():
                    self._changed(effect.info)
        stopped = self._stopped
        if stopped is not None and not stopped.done() and self._machine.is_over:
            stopped.set_result(None)

    def _rekey(self, key: tuple[str, str] | None) -> None:
        """Be found by the NOTIFYs of the present beginning, and by no others."""
        old, self._key = self._key, key
        if old is not None and self._core.subscriptions.get(old) is self:
            del self._core.subscriptions[old]
        if key is not None:
            self._core.subscriptions[key] = self

    def _send(self, effect: SendSubscribe) -> None:
        if self._is_closed or effect.request.call_id != self._machine.key[0]:
            # stopped or begun anew while it waited for its turn
            return
        if self._exchange is not None:
            self._exchange.abandon()
        request = effect.request
        hops: tuple[Uri, ...]
        if effect.next_hop is not None:
            hops = (effect.next_hop,)
        else:
            route = self._core.presence(self.account).service_route
            hops = next_hops(self.account, route, self.target)
            for each in reversed(route):
                request.headers.prepend("Route", str(each))
        request.headers.add("User-Agent", self._core.user_agent)
        self._exchange = Exchange(
            self._core,
            request,
            next_hops=hops,
            on_reply=self._replied,
            digest=self._digest,
            next_cseq=self._machine.next_cseq,
            transport=self.account.transport,
            trusts_targets=effect.next_hop is None and hops != (self.target,),
        )
        # Not from inside: the reply may come at once, and our caller is not ready.
        self._core.clock.call_at(self._now(), self._exchange.start)

    def _replied(self, reply: Reply) -> None:
        if reply.response.is_provisional:
            return
        self._exchange = None
        self._run(
            self._machine.receive_reply(
                reply.response,
                self._now(),
                is_local=reply.is_local,
                refusal=reply.refusal,
            )
        )

    def _changed(self, info: SubscriptionInfo) -> None:
        if info.status == "failed":
            self._core.counters.count("subscriptions_failed")
            _log.info(
                "subscription of %s to %s failed: %s %s (%s)",
                self.account.aor,
                self._machine.event,
                info.problem,
                info.reason,
                info.sip_code,
            )
        self._tell(self._on_change, info)

    def _tell(
        self, callback: Callable[..., None], news: Notification | SubscriptionInfo
    ) -> None:
        self._core.clock.call_at(
            self._now(), functools.partial(self._told, callback, news)
        )

    def _told(
        self, callback: Callable[..., None], news: Notification | SubscriptionInfo
    ) -> None:
        try:
            callback(news)
        except Exception:
            # A user's mistake must not stop the protocol; this is the root.
            self._core.counters.count("callback_errors")
            # Not the body: it names who talks with whom.
            _log.exception(
                "news of the subscription of %s was not handled", self.account.aor
            )
