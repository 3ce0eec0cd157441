"""What the org was asked, for assertions: the last requests, secrets left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

JOURNAL_LENGTH = 5000
BODY_LENGTH = 20_000


@dataclass(slots=True)
class Entry:
    """One request, or one Open CTI call (path ``/opencti/<methodName>``).

    ``status`` is 0 while it is not answered or if the connection was closed
    instead; ``fault`` names the order that hit it.
    """

    number: int
    at: float
    method: str
    path: str
    query: str = ""
    user: str = ""
    body: str = ""
    status: int = 0
    fault: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Journal:
    """A ring of entries; ``total`` counts those that fell out, too."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=JOURNAL_LENGTH)
        self.total = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self, *, at: float, method: str, path: str, query: str = "", body: str = ""
    ) -> Entry:
        self.total += 1
        entry = Entry(self.total, at, method, path, query, body=body[:BODY_LENGTH])
        self._entries.append(entry)
        return entry

    def requests(self, method: str = "", path: str = "") -> list[Entry]:
        """Entries of this method whose path contains ``path``."""
        return [
            e for e in self if (not method or e.method == method) and path in e.path
        ]

    def clear(self) -> None:
        self._entries.clear()
