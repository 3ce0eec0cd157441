"""A rep's work on a call as the browser protocol shows it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from gateway.activities.work import Work
from gateway.crm.connector import CrmRecord, MatchCertainty
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    NextStep,
    Record,
    WorkState,
    WorkView,
)

NEXT_STEP_PROBLEM = "Next step: "


def work_view(
    work: Work,
    *,
    is_over: bool,
    is_logged: bool,
    about_kinds: Collection[str],
    now: float,
) -> WorkView:
    """``about_kinds``: of what an activity may be about; ``now``: Unix seconds."""
    state = _state(work, is_over=is_over, is_logged=is_logged, now=now)
    about = work.about or work.last_visited(about_kinds)
    counts = state is WorkState.WRAP_UP and not work.is_kept_open
    return WorkView(
        state=state,
        notes=work.notes,
        disposition=work.disposition,
        about=None if about is None else to_wire(about),
        next_step=None
        if work.next_step is None
        else NextStep(subject=work.next_step.subject, on=work.next_step.on),
        visited=tuple(map(to_wire, work.visited)),
        saves_at=round(work.due_at * 1000)
        if counts and work.due_at is not None
        else None,
    )


def _state(work: Work, *, is_over: bool, is_logged: bool, now: float) -> WorkState:
    if not is_logged:
        return WorkState.NONE
    if not is_over:
        return WorkState.OPEN
    return WorkState.WRAP_UP if work.in_wrap_up(now) else WorkState.SAVED


def refused_next_step(view: ActivityView, problem: str) -> ActivityView:
    """The call's activity is there, its task for later is not."""
    return view.model_copy(
        update={
            "state": ActivityState.FAILED,
            "problem": f"{NEXT_STEP_PROBLEM}{problem}"[:255],
        }
    )


def written_next_step(view: ActivityView) -> ActivityView:
    """The task for later is there after all; nothing new if it never was refused."""
    if not view.problem.startswith(NEXT_STEP_PROBLEM):
        return view
    return view.model_copy(update={"state": ActivityState.WRITTEN, "problem": ""})


def tried_again(view: ActivityView) -> ActivityView:
    """Of one that was refused. What was refused is known from its problem."""
    is_next_step = view.problem.startswith(NEXT_STEP_PROBLEM)
    return view.model_copy(
        update={
            "state": ActivityState.WAITING,
            "problem": NEXT_STEP_PROBLEM if is_next_step else "",
        }
    )


def to_wire(record: CrmRecord) -> Record:
    return Record(
        id=record.id,
        kind=record.kind[:255],
        name=record.name[:255],
        url=record.url,
        company=record.company[:255],
        phone=record.phone[:255],
        email=record.email[:255],
        certainty=record.certainty.value,
    )


def to_crm(record: Record) -> CrmRecord:
    return CrmRecord(
        id=record.id,
        kind=record.kind,
        name=record.name,
        url=record.url,
        company=record.company,
        phone=record.phone,
        email=record.email,
        certainty=MatchCertainty(record.certainty),
    )
