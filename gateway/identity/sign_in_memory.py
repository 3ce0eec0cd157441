"""Sign-ins that last as long as the process: for a service without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.identity.sign_ins import Ending, SignIn


class InMemorySignIns:
    """Implements :class:`gateway.identity.sign_ins.SignInStore`."""

    def __init__(self) -> None:
        self._rows: dict[str, SignIn] = {}

    async def add(self, sign_in: SignIn) -> None:
        self._rows[sign_in.sign_in_id] = sign_in

    async def get(self, sign_in_id: str) -> SignIn | None:
        return self._rows.get(sign_in_id)

    async def open(self) -> Sequence[SignIn]:
        return [row for row in self._rows.values() if row.ended_at is None]

    async def ended_since(self, at: float) -> Sequence[SignIn]:
        return [row for row in self._rows.values() if (row.ended_at or 0) >= at > 0]

    async def rotate(self, sign_in_id: str, generation: int, at: float) -> bool:
        row = self._rows.get(sign_in_id)
        if row is None or row.ended_at is not None or row.generation != generation:
            return False
        self._rows[sign_in_id] = replace(row, generation=generation + 1, used_at=at)
        return True

    async def end(self, endings: Mapping[str, Ending], at: float) -> None:
        for sign_in_id, ending in endings.items():
            row = self._rows.get(sign_in_id)
            if row is not None and row.ended_at is None:
                self._rows[sign_in_id] = replace(row, ended_at=at, ending=ending)

    async def forget(self, before: float) -> None:
        for row in list(self._rows.values()):
            if row.ended_at is not None and row.ended_at < before:
                del self._rows[row.sign_in_id]
