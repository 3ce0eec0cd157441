"""What a rep writes down about a call, and what becomes of it."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field

from gateway.sessions.wire.base import Id, Record, ShortText, Wire

MAX_NOTES_CHARS = 16_000
MAX_VISITED = 50

Notes = Annotated[str, Field(max_length=MAX_NOTES_CHARS)]


class WorkState(enum.StrEnum):
    """``none``: this call is not to be logged; ``open``: it goes on; ``wrap_up``: it is
    over and its activity waits for the rep, until ``saves_at`` if that is given;
    ``saved``: handed over to be written."""

    NONE = "none"
    OPEN = "open"
    WRAP_UP = "wrap_up"
    SAVED = "saved"


class NextStep(Wire):
    """A task for later, in the CRM, due on ``on``, a day as ISO 8601 writes it."""

    subject: Annotated[str, Field(min_length=1, max_length=255)]
    on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class WorkView(Wire):
    """``about``: what the activity is related to besides the person, as the rep chose,
    or the last one visited. ``visited``: records opened during the call, oldest first.
    ``saves_at``: Unix ms when wrap-up ends by itself."""

    state: WorkState = WorkState.NONE
    notes: Notes = ""
    disposition: ShortText = ""
    about: Record | None = None
    next_step: NextStep | None = None
    visited: tuple[Record, ...] = ()
    saves_at: int | None = None


class WorkChange(Wire):
    """Also after the end, and after it was saved: the activity is then written again.

    What is absent stays; ``clear`` names what is to be empty. ``keep_open``: wrap-up
    waits for ``work.save`` (true), or ends by itself again (false)."""

    op_id: Id
    call_id: Id
    notes: Notes | None = None
    disposition: ShortText | None = None
    about: Record | None = None
    next_step: NextStep | None = None
    clear: tuple[ShortText, ...] = ()
    keep_open: bool | None = None


class WorkSave(Wire):
    """End wrap-up now. ``field`` of the error names what the rules still ask for."""

    op_id: Id
    call_id: Id


class WorkVisit(Wire):
    """The rep has opened this record: it belongs to all calls that are up."""

    op_id: Id
    record: Record


class ActivityRetry(Wire):
    """Try again to write an activity that failed."""

    op_id: Id
    call_id: Id
