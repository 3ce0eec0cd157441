"""What was found for a number a moment ago, and contacts too new for the index.

Keyed by the Salesforce user who asked: another may not see the same records.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.crm.connector import CrmRecord
from gateway.crm.numbers import Likeness, Number, compare
from gateway.crm.salesforce import people
from gateway.crm.salesforce.assumptions import INDEX_LAG_S

FOUND_S = 60.0
NOT_FOUND_S = 10.0
MAX_NUMBERS = 5_000
MAX_FRESH = 500


class NumberCache:
    """Results of searches, for a minute, and of fruitless ones for ten seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: OrderedDict[
            tuple[str, str], tuple[float, tuple[CrmRecord, ...]]
        ] = OrderedDict()

    def get(self, username: str, e164: str) -> tuple[CrmRecord, ...] | None:
        entry = self._entries.get((username, e164))
        if entry is None or entry[0] <= self._clock():
            return None
        return entry[1]

    def put(self, username: str, e164: str, found: tuple[CrmRecord, ...]) -> None:
        until = self._clock() + (FOUND_S if found else NOT_FOUND_S)
        self._entries[username, e164] = (until, found)
        self._entries.move_to_end((username, e164))
        while len(self._entries) > MAX_NUMBERS:
            self._entries.popitem(last=False)

    def forget_user(self, username: str) -> None:
        """Their next searches ask again, whatever the number."""
        for key in [key for key in self._entries if key[0] == username]:
            del self._entries[key]


@dataclass(frozen=True, slots=True)
class _Fresh:
    username: str
    record: CrmRecord
    until: float


class FreshContacts:
    """Contacts that were created here and that a search may not find yet."""

    def __init__(self, clock: Callable[[], float], country: str) -> None:
        self._clock = clock
        self._country = country
        self._contacts: list[_Fresh] = []

    def add(self, username: str, record: CrmRecord) -> None:
        fresh = _Fresh(username, record, self._clock() + INDEX_LAG_S)
        self._contacts = [*self._contacts, fresh][-MAX_FRESH:]

    def named(self, username: str, words: tuple[str, ...]) -> tuple[CrmRecord, ...]:
        """Those whose name and e-mail have words that begin so, newest first."""
        return tuple(
            fresh.record
            for fresh in self._living()
            if fresh.username == username and people.is_meant(fresh.record, words)
        )

    def matching(self, username: str, wanted: Number) -> tuple[CrmRecord, ...]:
        """Those with exactly this number, newest first."""
        return tuple(
            fresh.record
            for fresh in self._living()
            if fresh.username == username
            and compare(wanted, fresh.record.phone, self._country) is Likeness.EXACT
        )

    def _living(self) -> tuple[_Fresh, ...]:
        now = self._clock()
        self._contacts = [fresh for fresh in self._contacts if fresh.until > now]
        return tuple(reversed(self._contacts))
