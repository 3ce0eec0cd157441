"""What the parts of a user agent share: its layer, transports, clock and accounts."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sip.account import Account
from sip.clock import Clock
from sip.counters import Counters
from sip.dialog import DialogId, EndedDialogs
from sip.digest import DigestClient
from sip.locate import LocateError, Locator
from sip.transaction import TimerValues
from sip.transaction_layer import TransactionLayer
from sip.transport import Protocols, Target, Wire
from sip.uri import NameAddr, Uri

if TYPE_CHECKING:
    from sip.call import Call
    from sip.session import Session
    from sip.subscribing import Subscription

_log = logging.getLogger("sip.agent")

# RFC 3261 20.5; PRACK is added with its support.
ALLOWED_METHODS = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "NOTIFY",
    "REFER",
)
ALLOW = ("Allow", ", ".join(ALLOWED_METHODS))
# RFC 3261 20.37; of these "replaces" alone may be required of an INVITE.
SUPPORTED = ("Supported", "replaces, norefersub")


@dataclass(slots=True)
class Presence:
    """An account while it is in use.

    Attributes:
        digest: its credentials, with the nonces known so far.
        contact_user: user part of the contact that its requests carry.
        service_route: of its registration, preloaded on requests outside of dialogs.
    """

    digest: DigestClient
    contact_user: str
    service_route: tuple[NameAddr, ...] = ()


class Locating(Protocol):
    """A look-up that may be given up."""

    def cancel(self) -> object:
        """Forget about it; the callback will not be called."""


@dataclass(slots=True, kw_only=True)
class Core:
    """The shared parts. ``layer`` is set right after construction."""

    clock: Clock
    rng: random.Random
    timers: TimerValues
    counters: Counters
    wire: Wire
    locator: Locator
    user_agent: str
    # How long an INVITE may ring here that nobody answers or cancels.
    max_ring_s: float
    layer: TransactionLayer
    presences: dict[Account, Presence]
    # Of every dialog, early ones included.
    sessions: dict[DialogId, Session]
    ended: EndedDialogs
    # By Call-ID and our tag: any fork may be the first to notify.
    subscriptions: dict[tuple[str, str], Subscription]
    # Every call that is not quite over.
    calls: set[Call]
    tasks: set[asyncio.Task[None]]
    # Called whenever a call or session is gone.
    idle_changed: Callable[[], None]

    def presence(self, account: Account) -> Presence:
        """The account's shared state, made at its first use."""
        presence = self.presences.get(account)
        if presence is None:
            digest = DigestClient(
                account.username,
                account.password,
                hosts=account.own_hosts,
                realms=account.realms,
                algorithms=account.algorithms,
                rng=self.rng,
            )
            user = f"{self.rng.getrandbits(80):020x}"
            presence = self.presences[account] = Presence(digest, user)
        return presence

    def new_call_id(self) -> str:
        """A Call-ID with 128 random bits, which tells nothing about this host."""
        return f"{self.rng.getrandbits(128):032x}"

    def contact(self, user: str, transport: Protocols) -> Uri:
        """Our contact as others reach it by that transport."""
        host, port = self.wire.sent_by(transport)
        params = () if transport == "udp" else (("transport", transport),)
        return Uri("sip", user=user, host=host, port=port, params=params)

    def transport_for(self, uri: Uri, preferred: Protocols | None) -> Protocols:
        """Which transport's contact a request to ``uri`` carries."""
        asked = uri.param("transport")
        for transport in ("udp", "tcp"):
            if asked and asked.lower() == transport and self.wire.supports(transport):
                return transport
        if preferred is not None and self.wire.supports(preferred):
            return preferred
        return "udp" if self.wire.supports("udp") else "tcp"

    def locate(
        self,
        uris: tuple[Uri, ...],
        transport: Protocols | None,
        found: Callable[[list[Target]], None],
    ) -> Locating | None:
        """Find the targets of all URIs, in order, and hand them to ``found``.

        Returns:
            None when ``found`` was called already, because no look-up was needed.
        """
        known: list[Target] = []
        try:
            for uri in uris:
                targets = self.locator.locate_now(uri, transport)
                if targets is None:
                    break
                known += targets
            else:
                found(known)
                return None
        except LocateError as error:
            _log.info("no way to %s: %s", uris, error)
            found([])
            return None
        return self.spawn(self._look_up(uris, transport, found))

    async def _look_up(
        self,
        uris: tuple[Uri, ...],
        transport: Protocols | None,
        found: Callable[[list[Target]], None],
    ) -> None:
        targets: list[Target] = []
        for uri in uris:
            try:
                targets += await self.locator.locate(uri, transport)
            except LocateError as error:
                _log.info("no way to %s: %s", uri, error)
        found(targets)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task that ``close`` of the agent ends."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.counters.count("callback_errors")
            _log.error("a task of the user agent failed", exc_info=error)


def next_hops(
    account: Account, service_route: tuple[NameAddr, ...], target: Uri
) -> tuple[Uri, ...]:
    """Where a request outside of dialogs goes first.

    Calls within the account's own domain go to where it registers, even if its DNS
    says nothing: that is what an application server is for.
    """
    if account.outbound_proxies:
        return account.outbound_proxies
    if service_route:
        return (service_route[0].uri,)
    if target.host.lower() == account.aor.host.lower() and target.port is None:
        return (account.registrar_uri,)
    return (target,)
