"""What a rep writes down about a call, and when that is due to be written. Pure.

Each change gives a new :class:`Work` of a higher revision; whoever keeps it takes no
older one for a newer one. Until the call ends nothing is due. Then it is wrap-up until
``due_at``; afterwards the work is handed over, and a change is a correction, due once
the rep has stopped typing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from gateway.crm.connector import CrmRecord
from gateway.sessions.wire import MAX_VISITED

# Wrap-up that the rep keeps open ends by itself then.
KEPT_OPEN_S = 3600.0
# Corrections come by the keystroke: one write for a run of them.
CORRECTION_S = 5.0

CLEARABLE = frozenset({"notes", "disposition", "about", "next_step"})


@dataclass(frozen=True, slots=True)
class NextStep:
    """A task for later; ``on`` is a day as ISO 8601 writes it."""

    subject: str
    on: str


@dataclass(frozen=True, slots=True)
class Work:
    """Of one call. Times are Unix seconds.

    Attributes:
        revision: counts changes; 0: the rep has written nothing.
        about: what the activity is related to besides the person, as the rep chose.
        next_id: names the task for later in the CRM, once there has been one.
        visited: records opened during the call, the last one last.
        due_at: wrap-up ends then; None while the call goes on.
        latest_at: however it is put off, it ends then.
        corrected_at: when a correction of what was handed over is due; 0: none.
        is_kept_open: wrap-up waits for the rep, as long as it may.
    """

    revision: int = 0
    notes: str = ""
    disposition: str = ""
    about: CrmRecord | None = None
    next_step: NextStep | None = None
    next_id: str = ""
    visited: tuple[CrmRecord, ...] = ()
    due_at: float | None = None
    latest_at: float = 0.0
    corrected_at: float = 0.0
    is_kept_open: bool = False

    @property
    def is_written_on(self) -> bool:
        """Whether the rep has said anything; opening records says nothing."""
        return bool(self.notes or self.disposition or self.about or self.next_step)

    @property
    def write_at(self) -> float:
        """When what is written here is due in the CRM; 0 while the call goes on."""
        return 0.0 if self.due_at is None else max(self.due_at, self.corrected_at)

    def in_wrap_up(self, now: float) -> bool:
        return self.due_at is not None and now < self.due_at

    def last_visited(self, kinds: Collection[str]) -> CrmRecord | None:
        """The last record visited of these kinds."""
        return next((r for r in reversed(self.visited) if r.kind in kinds), None)


NO_WORK = Work()


@dataclass(frozen=True, slots=True)
class Change:
    """What the rep asks for: None stays, and what ``clear`` names becomes empty."""

    notes: str | None = None
    disposition: str | None = None
    about: CrmRecord | None = None
    next_step: NextStep | None = None
    clear: frozenset[str] = frozenset()
    keep_open: bool | None = None


def changed(
    work: Work, change: Change, *, now: float, wrap_up_s: float, new_id: str
) -> Work:
    """The work after the change; the same object if that changes nothing.

    Args:
        wrap_up_s: how long wrap-up lasts when it is not kept open any more.
        new_id: for the task for later, if this is the first one.

    Raises:
        ValueError: ``clear`` names something that cannot be empty.
    """
    if unknown := change.clear - CLEARABLE:
        raise ValueError(f"{min(unknown)} cannot be cleared")
    said = {
        name: value
        for name in ("notes", "disposition", "about", "next_step")
        if (value := getattr(change, name)) is not None
    }
    said |= {name: getattr(NO_WORK, name) for name in change.clear}
    new = replace(work, **said)
    if new.next_step is not None and not new.next_id:
        new = replace(new, next_id=new_id)
    was_written = work.due_at is not None and not work.in_wrap_up(now)
    if was_written:
        if new == work:
            return work
        new = replace(new, corrected_at=now + CORRECTION_S)
    elif change.keep_open is not None and change.keep_open != work.is_kept_open:
        new = replace(new, is_kept_open=change.keep_open)
        if new.due_at is not None:
            due_at = new.latest_at if change.keep_open else now + wrap_up_s
            new = replace(new, due_at=min(due_at, new.latest_at))
    return work if new == work else replace(new, revision=work.revision + 1)


def visited(work: Work, record: CrmRecord) -> Work:
    """The rep has opened this record: once in the list, and the last one."""
    if work.visited and work.visited[-1] == record:
        return work
    others = (each for each in work.visited if each.id != record.id)
    return replace(
        work,
        visited=(*others, record)[-MAX_VISITED:],
        revision=work.revision + 1,
    )


def suggested(work: Work, record: CrmRecord) -> Work:
    """The caller has said that it is about this record: as if it had been opened before
    all others."""
    if any(each.id == record.id for each in work.visited):
        return work
    return replace(
        work,
        visited=(record, *work.visited)[:MAX_VISITED],
        revision=work.revision + 1,
    )


def ended(work: Work, *, now: float, wrap_up_s: float) -> Work:
    """The call is over: due when wrap-up is; only the first end counts."""
    if work.due_at is not None:
        return work
    latest_at = now + max(KEPT_OPEN_S, wrap_up_s)
    is_put_off = work.is_kept_open and wrap_up_s > 0
    return replace(
        work,
        due_at=latest_at if is_put_off else now + wrap_up_s,
        latest_at=latest_at,
        revision=work.revision + 1,
    )


def reopened(work: Work) -> Work:
    """The call goes on after all: wrap-up is for its real end."""
    if work.due_at is None:
        return work
    return replace(
        work, due_at=None, latest_at=0.0, corrected_at=0.0, revision=work.revision + 1
    )


def saved(work: Work, *, now: float) -> Work:
    """The rep is done: due now. While the call goes on there is nothing to end."""
    if work.write_at <= now:
        return work
    revision = work.revision + 1
    if work.in_wrap_up(now):
        return replace(work, due_at=now, is_kept_open=False, revision=revision)
    return replace(work, corrected_at=now, revision=revision)


def contacts(records: Iterable[CrmRecord]) -> tuple[str, ...]:
    """Ids of the contacts among them, each once."""
    return tuple(dict.fromkeys(r.id for r in records if r.kind == "Contact"))
