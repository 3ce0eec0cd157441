"""Whom a rep may call as they type: favourites, colleagues, people of the CRM.

What is here is here at once; the CRM gets two seconds, and one question of each rep at
a time: of those that wait, the newest is asked, since the rep has typed on since.
"""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from gateway.activities.work_view import to_wire
from gateway.calls.people import crm_user
from gateway.crm.connector import Connector, CrmError, CrmRecord
from gateway.crm.numbers import NumberError, normalise, to_show
from gateway.identity.users import User, UserKey
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import DirectoryEntry, EntryKind, EntryState, ErrorKind
from gateway.sessions.wire.people import MAX_FAVOURITES

logger = logging.getLogger(__name__)

MAX_ENTRIES = 20
CRM_WITHIN_S = 2.0


class Favourites(Protocol):
    """Where they are kept, by the number as it is dialled."""

    async def list(self, user: UserKey) -> tuple[Mapping[str, Any], ...]: ...

    async def put(
        self,
        user: UserKey,
        number: str,
        entry: Mapping[str, Any],
        *,
        now: float,
        at_most: int,
    ) -> bool:
        """False: there are ``at_most`` already."""

    async def remove(self, user: UserKey, number: str) -> None: ...


@dataclass(slots=True)
class _Turn:
    """Of one rep's questions to the CRM; the last one that came counts."""

    lock: asyncio.Lock
    newest: int = 0
    waiting: int = 0


class Directory:
    """See the module.

    Args:
        colleagues: all users of a tenant.
        state_of: what is known of a user's phone.
        now: Unix seconds.
    """

    def __init__(
        self,
        *,
        favourites: Favourites,
        colleagues: Callable[[str], Iterable[User]],
        connectors: Mapping[str, Connector],
        state_of: Callable[[UserKey], EntryState],
        now: Callable[[], float],
        crm_within_s: float = CRM_WITHIN_S,
    ) -> None:
        self._favourites = favourites
        self._colleagues = colleagues
        self._connectors = connectors
        self._state_of = state_of
        self._now = now
        self._crm_within_s = crm_within_s
        self._turns: dict[UserKey, _Turn] = {}

    async def search(self, user: User, text: str) -> wire.DirectorySearchResult:
        """Favourites first, then colleagues, then CRM records."""
        wanted = _words(text)
        mine = self._by_number(user, await self._kept(user.key))
        colleagues = {
            _key(one.number, user.country): one
            for one in self._colleagues(user.key.tenant)
            if one.key != user.key and one.number and not one.is_guest
        }
        entries = {
            key: self._now_known(entry, colleagues.get(key))
            for key, entry in mine.items()
            if _is_meant(wanted, entry.name, entry.number, entry.company)
        }
        if not wanted:
            return _result(entries.values(), is_complete=True)
        found = [
            (key, one)
            for key, one in colleagues.items()
            if _is_meant(wanted, one.name, one.number, one.email)
        ]
        for key, one in sorted(found, key=lambda pair: pair[1].name.casefold()):
            entries.setdefault(key, self._colleague(one))
        if len(entries) >= MAX_ENTRIES:
            return _result(entries.values(), is_complete=True)
        records = await self._records(user, text)
        for record in records or ():
            entry = _of_record(record, user.country)
            key = _key(entry.number, user.country)
            if key in mine:
                entry = entry.model_copy(update={"is_favourite": True})
            entries.setdefault(key, entry)
        return _result(entries.values(), is_complete=records is not None)

    async def set_favourite(self, user: User, params: wire.FavouriteSet) -> None:
        """Remember or forget a number.

        Raises:
            RequestError: it is no number, or there are too many.
        """
        try:
            number = normalise(params.entry.number, user.country).dial
        except NumberError as error:
            raise RequestError(
                ErrorKind.NUMBER_INVALID, str(error), field="entry.number"
            ) from None
        if not params.is_favourite:
            await self._favourites.remove(user.key, number)
            return
        kept = params.entry.model_dump(
            mode="json", exclude={"state", "is_favourite"}, exclude_defaults=True
        )
        if not await self._favourites.put(
            user.key, number, kept, now=self._now(), at_most=MAX_FAVOURITES
        ):
            raise RequestError(
                ErrorKind.BAD_REQUEST, f"Not more than {MAX_FAVOURITES} favourites."
            )

    async def _kept(self, user: UserKey) -> tuple[DirectoryEntry, ...]:
        found = []
        for row in await self._favourites.list(user):
            try:
                entry = DirectoryEntry.model_validate({**row, "is_favourite": True})
            except ValidationError:
                logger.warning("a favourite of %s cannot be read", user)
                continue
            found.append(entry)
        return tuple(found)

    @staticmethod
    def _by_number(
        user: User, entries: tuple[DirectoryEntry, ...]
    ) -> dict[str, DirectoryEntry]:
        return {_key(entry.number, user.country): entry for entry in entries}

    def _now_known(
        self, entry: DirectoryEntry, colleague: User | None
    ) -> DirectoryEntry:
        """A favourite as it is today: a colleague by name and phone."""
        if colleague is None:
            return entry
        today = self._colleague(colleague)
        return today.model_copy(update={"is_favourite": True})

    def _colleague(self, user: User) -> DirectoryEntry:
        return DirectoryEntry(
            kind=EntryKind.COLLEAGUE,
            name=user.name[:255],
            number=user.number[:255],
            company=user.company[:255],
            state=self._state_of(user.key),
        )

    async def _records(self, user: User, text: str) -> tuple[CrmRecord, ...] | None:
        """None: the CRM has not said, or there is a newer question."""
        connector = self._connectors.get(user.key.tenant)
        if connector is None:
            return ()
        turn = self._turns.setdefault(user.key, _Turn(asyncio.Lock()))
        turn.newest = mine = turn.newest + 1
        turn.waiting += 1
        try:
            async with asyncio.timeout(self._crm_within_s), turn.lock:
                if turn.newest != mine:
                    return None
                return await connector.find_callable(crm_user(user), text)
        except (CrmError, TimeoutError) as error:
            logger.info("no numbers from the CRM for %s: %s", user.key, error)
            return None
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[user.key]


def _result(
    entries: Iterable[DirectoryEntry], *, is_complete: bool
) -> wire.DirectorySearchResult:
    first = sorted(entries, key=lambda entry: not entry.is_favourite)
    return wire.DirectorySearchResult(
        entries=tuple(first[:MAX_ENTRIES]), is_complete=is_complete
    )


def _of_record(record: CrmRecord, country: str) -> DirectoryEntry:
    number = record.phone
    try:
        read = normalise(number, country)
        number = to_show(read.dial, read.e164, country)
    except NumberError:
        # As it is written there; who dials it is told what is wrong.
        logger.debug("a CRM record has a number that no phone dials")
    return DirectoryEntry(
        kind=EntryKind.RECORD,
        name=record.name[:255],
        number=number[:255],
        company=record.company[:255],
        record=to_wire(record),
    )


def _key(number: str, country: str) -> str:
    """The number as it is dialled, however it is written."""
    try:
        return normalise(number, country).dial
    except NumberError:
        return number


def _words(text: str) -> tuple[str, ...]:
    return tuple(_plain(text).split())


def _is_meant(
    wanted: tuple[str, ...], name: str, number: str, beside: str = ""
) -> bool:
    """Whether each word begins one of theirs, or the whole is a part of the number."""
    whole = "".join(wanted)
    if whole.isdigit() and whole in "".join(filter(str.isdigit, number)):
        return True
    has = _plain(f"{name} {beside} {number}").split()
    return all(any(word.startswith(start) for word in has) for start in wanted)


def _plain(text: str) -> str:
    """Letters without their accents, and digits, in words; what they stand between
    parts them."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(
        char if char.isalnum() else " "
        for char in parts
        if unicodedata.category(char)[0] != "M"
    )
