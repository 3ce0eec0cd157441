"""Whom a call is about in the CRM, and how its activity stands there."""

from __future__ import annotations

from gateway.crm.connector import CrmRecord
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    Match,
    MatchState,
    Record,
)


class Subject:
    """Of one call.

    Args:
        record: what the rep dialled from.
        match: what is known of the other party already.
    """

    def __init__(self, record: Record | None, match: Match | None) -> None:
        self.match = match or Match(
            state=MatchState.FOUND if record else MatchState.NONE,
            records=(record,) if record else (),
        )
        self.activity = ActivityView(state=ActivityState.NONE)
        # The record the rep meant: dialled from, chosen, or created during the call.
        self._chosen = record

    @property
    def is_open(self) -> bool:
        """Nobody has said yet who the other party is, but somebody may."""
        return self.match.state in (MatchState.SEARCHING, MatchState.FAILED)

    def searching(self) -> None:
        """The CRM is being asked."""
        self.match = Match(state=MatchState.SEARCHING)

    def forget(self) -> None:
        """It is somebody else who is to be found."""
        self._chosen = None
        self.match = Match(state=MatchState.NONE)

    def found(self, match: Match) -> bool:
        """The CRM's answer; False if the rep has said already who it is."""
        if self._chosen is not None:
            return False
        self.match = match
        return True

    def choose(self, record: Record, *, is_shown: bool) -> None:
        """The rep says who it is; ``is_shown`` False: whoever sees the call may not
        know."""
        self._chosen = record
        if is_shown:
            records = (record, *(r for r in self.match.records if r.id != record.id))
            self.match = Match(state=MatchState.FOUND, records=records)

    @property
    def record(self) -> CrmRecord | None:
        """Whom the activity belongs to: never a guess among several."""
        record = self._chosen
        if record is None and len(self.match.records) == 1:
            record = self.match.records[0]
        if record is None or record.certainty != "exact":
            return None
        return CrmRecord(
            id=record.id,
            kind=record.kind,
            name=record.name,
            url=record.url,
            company=record.company,
            phone=record.phone,
            email=record.email,
        )
