"""Reads what mail servers report about mails that had left, and tells their reps.

A report counts by its address alone: the return path of one mail, which only the
service can make (:mod:`gateway.invites.return_path`). What comes to other addresses is
other people's mail: it is counted and left as it is.

A report is read once, by the position in the mailbox; should that be lost, a second
time changes nothing, because of what the mail's row says by then.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.invites.delivery_report import DeliveryReport, Outcome, read_report
from gateway.invites.mailbox import Found, MailboxError, News, Position, Reading
from gateway.invites.return_path import ReturnPaths
from gateway.invites.sender import MailNews
from gateway.storage.database import StorageError
from gateway.storage.mailbox_positions import MailboxPositions
from gateway.storage.mails import MailStore

logger = logging.getLogger(__name__)

BACKOFF_CAP_S = 900.0
# In one visit; after that others may use the connection slots of the mail server.
MAX_ROUNDS = 20

_T = TypeVar("_T")


class MailboxDoor(Protocol):
    """Of :class:`gateway.invites.mailbox.Mailbox`; blocking but for ``interrupt``."""

    @property
    def name(self) -> str: ...
    def open(self) -> Reading: ...
    def close(self) -> None: ...
    def interrupt(self) -> None: ...


@dataclass(frozen=True, slots=True)
class BounceBox:
    """A tenant's mailbox, its return paths, and how often it is looked at."""

    mailbox: MailboxDoor
    paths: ReturnPaths
    every_s: float


@dataclass(slots=True)
class BounceCounters:
    """All only grow. ``strangers``: to other addresses; ``forged``: with a tag that
    is not ours; ``answers``: automatic ones to our mails; ``repeated``: said before;
    ``left_behind``: handled, but could not be put aside."""

    visits: int = 0
    visits_failed: int = 0
    bounced: int = 0
    delayed: int = 0
    delivered: int = 0
    answers: int = 0
    repeated: int = 0
    strangers: int = 0
    forged: int = 0
    unreadable: int = 0
    left_behind: int = 0


class BounceReader:
    """Run :meth:`run` as one task, and cancel it.

    Args:
        boxes: by tenant; the others have none.
        on_news: told of every change, in the event loop.
        rng: for jitter.
    """

    def __init__(
        self,
        boxes: Mapping[str, BounceBox],
        mails: MailStore,
        positions: MailboxPositions,
        *,
        on_news: Callable[[MailNews], None],
        rng: random.Random,
    ) -> None:
        self.counters = BounceCounters()
        self._boxes = boxes
        self._mails = mails
        self._positions = positions
        self._on_news = on_news
        self._rng = rng

    async def run(self) -> None:
        """Look into every mailbox now and then, for ever."""
        async with asyncio.TaskGroup() as group:
            for tenant in self._boxes:
                group.create_task(self._watch(tenant), name=f"bounces of {tenant}")
            # Without a mailbox too: a task that ends is one that has failed.
            await asyncio.Event().wait()

    async def visit(self, tenant: str) -> None:
        """Read what is new in a tenant's mailbox.

        Raises:
            MailboxError, StorageError: later, then; nothing is lost.
        """
        box = self._boxes[tenant]
        position = Position(*await self._positions.get(tenant, box.mailbox.name))
        try:
            # Within: cancelled as it opens, it is open all the same.
            reading = await _in_thread(box.mailbox, box.mailbox.open)
            for _ in range(MAX_ROUNDS):
                news = await self._read(tenant, box, reading, position)
                position = news.position
                if not news.has_more:
                    break
        finally:
            await _in_thread(box.mailbox, box.mailbox.close)
        self.counters.visits += 1

    async def _watch(self, tenant: str) -> None:
        failures = 0
        every_s = self._boxes[tenant].every_s
        while True:
            try:
                await self.visit(tenant)
                if failures:
                    logger.info("bounces of %s: the mailbox is read again", tenant)
                failures = 0
            except (MailboxError, StorageError) as error:
                failures += 1
                logger.warning("bounces of %s: %s", tenant, error)
            except Exception:
                # The root of this tenant's reading: the others go on.
                failures += 1
                logger.exception("bounces of %s", tenant)
            self.counters.visits_failed += failures > 0
            longest_s = max(BACKOFF_CAP_S, every_s)
            pause_s = min(longest_s, every_s * 2.0 ** min(failures, 20))
            await asyncio.sleep(pause_s * self._rng.uniform(0.8, 1.0))

    async def _read(
        self, tenant: str, box: BounceBox, reading: Reading, since: Position
    ) -> News:
        news, reports = await _in_thread(box.mailbox, lambda: _look(reading, since))
        handled = [
            found.uid
            for found, report in zip(news.messages, reports, strict=True)
            if await self._handle(tenant, box.paths, report)
        ]
        try:
            await _in_thread(box.mailbox, lambda: reading.put_aside(handled))
        except MailboxError as error:
            # What it says is kept; one who looks into the mailbox sees it unread.
            self.counters.left_behind += len(handled)
            logger.error("bounces of %s cannot be put aside: %s", tenant, error)
        if news.position != since:
            await self._positions.put(
                tenant,
                box.mailbox.name,
                uid_validity=news.position.uid_validity,
                last_uid=news.position.last_uid,
            )
        return news

    async def _handle(
        self, tenant: str, paths: ReturnPaths, report: DeliveryReport
    ) -> bool:
        """Whether it was a report about a mail of ours."""
        counters = self.counters
        mail_id = await self._mail_of(tenant, paths, report)
        if report.outcome is Outcome.UNREADABLE:
            counters.unreadable += 1
            return False
        if mail_id is None:
            counters.strangers += 1
            return False
        match report.outcome:
            case Outcome.FAILED:
                owners = await self._mails.bounced(tenant, mail_id, report.reason)
                counters.bounced += owners is not None
            case Outcome.DELAYED:
                owners = await self._mails.delayed(tenant, mail_id, report.reason)
                counters.delayed += owners is not None
            case Outcome.DELIVERED:
                owners = await self._mails.arrived(tenant, mail_id)
                counters.delivered += 1
            case _:
                # Somebody's own words: for people, and left where it is.
                counters.answers += 1
                return False
        if owners is None:
            counters.repeated += report.outcome is not Outcome.DELIVERED
            return True
        host, invite = owners
        logger.info("mail %d of invite %s: %s", mail_id, invite, report.outcome)
        self._on_news(MailNews(host, invite))
        return True

    async def _mail_of(
        self, tenant: str, paths: ReturnPaths, report: DeliveryReport
    ) -> int | None:
        for address in report.addresses:
            mail_id = paths.mail_id(address)
            if mail_id is None:
                continue
            guest_id = await self._mails.guest_of(tenant, mail_id)
            if guest_id is not None and paths.is_of(address, mail_id, guest_id):
                return mail_id
            self.counters.forged += 1
        return None


def _look(reading: Reading, since: Position) -> tuple[News, list[DeliveryReport]]:
    """In the thread too: a message of strangers may take long to read."""
    news = reading.news(since)
    return news, [_report_of(found) for found in news.messages]


def _report_of(found: Found) -> DeliveryReport:
    try:
        return read_report(found.data)
    except Exception:
        # Whatever it is: the next ones are not held up by it.
        logger.exception("message %d cannot be read", found.uid)
        return DeliveryReport(Outcome.UNREADABLE)


async def _in_thread(mailbox: MailboxDoor, work: Callable[[], _T]) -> _T:
    """Cancelled, it ends the connection and waits for the thread."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        mailbox.interrupt()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise
