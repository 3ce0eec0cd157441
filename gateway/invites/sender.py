"""Takes waiting mails to the mail server, each of them once.

Before the message leaves, the row says ``sending``; after the answer, what became of
it. A crash between the two leaves a row that is found at the next start and becomes
``uncertain``: a mail may be lost in that moment, never doubled. What the server puts
off is tried again with back-off and full jitter, as long as the invite lasts.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.identity.users import UserKey
from gateway.invites.model import InviteKey, Mail
from gateway.invites.smtp import (
    MailDelayed,
    MailRefused,
    MailTransport,
    MailUncertain,
)
from gateway.storage.database import StorageError
from gateway.storage.mails import MailRowState, MailStore

logger = logging.getLogger(__name__)

BACKOFF_BASE_S = 5.0
BACKOFF_CAP_S = 900.0
MIN_DELAY_S = 1.0
GIVE_UP_AFTER_S = 2 * 86400.0
MAX_AT_ONCE = 8
MAX_PER_TENANT = 4
# The clock may be set, and another process may have kept a mail.
MAX_SLEEP_S = 60.0
STORAGE_PAUSE_S = 1.0
# A message that is under way at the end of the service is worth this.
FINISH_WITHIN_S = 8.0

Compose = Callable[[Mail], bytes]
# Where reports about a mail go (RFC 5321 2.3.4's reverse-path).
ReturnPath = Callable[[Mail], str]


@dataclass(frozen=True, slots=True)
class MailNews:
    """A mail of this host's invite is in another state."""

    host: UserKey
    invite: InviteKey


@dataclass(slots=True)
class MailCounters:
    """All grow but ``waiting``, which is as of the last look."""

    sent: int = 0
    retried: int = 0
    failed: int = 0
    uncertain: int = 0
    replaced: int = 0
    waiting: int = 0


class MailSender:
    """Run :meth:`run` as one task; :meth:`wake` it when there is something new.

    Args:
        transports: by tenant; a tenant without one has no mail.
        compose: the message's bytes, the same at each attempt.
        return_path: of a mail.
        on_news: told of every change, in the event loop.
        now: Unix seconds.
        rng: for jitter.
    """

    def __init__(
        self,
        mails: MailStore,
        transports: Mapping[str, MailTransport],
        *,
        compose: Compose,
        return_path: ReturnPath,
        on_news: Callable[[MailNews], None],
        now: Callable[[], float],
        rng: random.Random,
        max_per_tenant: int = MAX_PER_TENANT,
        max_at_once: int = MAX_AT_ONCE,
        finish_within_s: float = FINISH_WITHIN_S,
    ) -> None:
        self.counters = MailCounters()
        self._mails = mails
        self._transports = transports
        self._compose = compose
        self._return_path = return_path
        self._on_news = on_news
        self._now = now
        self._rng = rng
        self._max_per_tenant = max_per_tenant
        self._max_at_once = max_at_once
        self._finish_within_s = finish_within_s
        self._in_flight: dict[int, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_closing = False

    def wake(self) -> None:
        """Something may be due: look now."""
        self._wake.set()

    async def close(self) -> None:
        """Start nothing more; :meth:`run` ends when what is under way has."""
        self._is_closing = True
        self._wake.set()

    async def run(self) -> None:
        """Send until :meth:`close`."""
        try:
            await self._recover()
            while not self._is_closing:
                self._wake.clear()
                try:
                    looked_at = self._now()
                    await self._start_due(looked_at)
                    wait_s = await self._time_to_next(looked_at)
                except StorageError as error:
                    logger.warning("the mails cannot be read: %s", error)
                    wait_s = STORAGE_PAUSE_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            await self._finish()

    async def _finish(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._finish_within_s)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _recover(self) -> None:
        while not self._is_closing:
            try:
                found = await self._mails.recover()
            except StorageError as error:
                logger.warning("the mails cannot be read: %s", error)
                await asyncio.sleep(STORAGE_PAUSE_S)
                continue
            self.counters.uncertain += len(found)
            for host, invite in found:
                logger.warning("invite %s: a mail is uncertain after a crash", invite)
                self._on_news(MailNews(host, invite))
            return

    async def _start_due(self, now: float) -> None:
        counts = await self._mails.counts()
        self.counters.waiting = counts.get(MailRowState.WAITING, 0)
        free = self._max_at_once - len(self._in_flight)
        if free <= 0:
            return
        due = await self._mails.due(
            now, limit=4 * self._max_at_once, exclude=self._in_flight
        )
        for mail in due:
            tenant = mail.invite.tenant
            busy = sum(each == tenant for each in self._in_flight.values())
            if free <= 0 or busy >= self._max_per_tenant:
                continue
            free -= 1
            self._in_flight[mail.id] = tenant
            task = asyncio.create_task(self._settle(mail), name=f"mail {mail.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _time_to_next(self, looked_at: float) -> float:
        at = await self._mails.next_due(exclude=self._in_flight)
        # One that was due then and was not started waits for another's end, which
        # wakes us; one that has become due since does not.
        if at is None or at <= looked_at:
            return MAX_SLEEP_S
        return min(MAX_SLEEP_S, max(0.0, at - self._now()))

    async def _settle(self, mail: Mail) -> None:
        try:
            await self._send(mail)
        except StorageError as error:
            logger.warning("mail %d of invite %s: %s", mail.id, mail.invite, error)
        except Exception:
            # The root of this mail: the row stays as it is, the others go on.
            logger.exception("mail %d of invite %s", mail.id, mail.invite)
        finally:
            del self._in_flight[mail.id]
            self._wake.set()

    async def _send(self, mail: Mail) -> None:
        transport = self._transports.get(mail.invite.tenant)
        if transport is None:
            await self._failed(mail, "E-mail is not set up for this company.")
            return
        if self._now() >= mail.content.ends_at:
            await self._failed(mail, "The time of the call was over before it left.")
            return
        has_left = False

        async def leaving() -> bool:
            nonlocal has_left
            has_left = await self._mails.begin(mail)
            return has_left

        try:
            message = self._compose(mail)
            is_sent = await transport.deliver(
                message,
                sender=self._return_path(mail),
                recipient=mail.content.guest_email,
                leaving=leaving,
            )
        except MailRefused as error:
            await self._failed(mail, str(error))
        except MailDelayed as error:
            await self._again(mail, str(error), is_setup=error.is_setup)
        except MailUncertain as error:
            await self._uncertain(mail, str(error))
        except asyncio.CancelledError:
            # The next start finds the row as it is, if it cannot be settled now.
            raise
        except Exception:
            logger.exception("mail %d of invite %s", mail.id, mail.invite)
            if has_left:
                await self._uncertain(mail, "Internal error while it was being sent.")
            else:
                await self._again(mail, "Internal error", is_setup=True)
        else:
            await self._done(mail, is_sent=is_sent)

    async def _done(self, mail: Mail, *, is_sent: bool) -> None:
        if not is_sent:
            self.counters.replaced += 1
            return
        # Not kept if it is known to have bounced: a report can be faster.
        await self._keep(mail, MailRowState.SENT, "")
        self.counters.sent += 1

    async def _failed(self, mail: Mail, problem: str) -> None:
        logger.warning("mail %d of invite %s failed: %s", mail.id, mail.invite, problem)
        if await self._keep(mail, MailRowState.FAILED, problem):
            self.counters.failed += 1

    async def _uncertain(self, mail: Mail, problem: str) -> None:
        logger.warning("mail %d of invite %s: %s", mail.id, mail.invite, problem)
        if await self._keep(mail, MailRowState.UNCERTAIN, problem):
            self.counters.uncertain += 1

    async def _again(self, mail: Mail, problem: str, *, is_setup: bool) -> None:
        now = self._now()
        # Full jitter: after an outage they must not come back in step.
        exponent = min(mail.attempts + (2 if is_setup else 0), 20)
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**exponent)
        due_at = now + max(MIN_DELAY_S, self._rng.uniform(0.0, ceiling))
        give_up_at = min(mail.created_at + GIVE_UP_AFTER_S, mail.content.ends_at)
        if due_at >= give_up_at:
            await self._failed(mail, problem)
            return
        log = logger.error if is_setup else logger.info
        log("mail %d of invite %s waits: %s", mail.id, mail.invite, problem)
        await self._insist(
            lambda: self._mails.again(mail, due_at=due_at, problem=problem)
        )
        self.counters.retried += 1
        self._on_news(MailNews(mail.host, mail.invite))

    async def _keep(self, mail: Mail, state: MailRowState, problem: str) -> bool:
        is_kept = await self._insist(
            lambda: self._mails.settle(mail, state, problem=problem)
        )
        self._on_news(MailNews(mail.host, mail.invite))
        return is_kept

    async def _insist(self, store: Callable[[], Awaitable[bool]]) -> bool:
        """What is known of a mail must be kept, however long the database is away."""
        while True:
            try:
                return await store()
            except StorageError as error:
                logger.warning("a mail's state waits for the database: %s", error)
                await asyncio.sleep(STORAGE_PAUSE_S)
