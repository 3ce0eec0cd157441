"""Control of calls that are up, and whether new ones may disturb."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field

from gateway.sessions.wire.base import Event, Id, Wire


class CallHold(Wire):
    """Put a call on hold: the other party hears music. In a conference the rep alone is
    out of it, and the others go on. ``call.wrong_state`` in a meeting with further
    guests."""

    op_id: Id
    call_id: Id


class CallRetrieve(Wire):
    """Take it back, and with it the conference that it is in; other calls that are
    active are put on hold (a swap)."""

    op_id: Id
    call_id: Id


class CallTransfer(Wire):
    """Hand the other party over: to ``to`` (blind), or to the other party of
    ``to_call`` (attended). The call shows how it goes; it ends as ``transferred``, and
    ``to_call`` with it, or stays when it failed."""

    op_id: Id
    call_id: Id
    to: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    to_call: Id | None = None


class CallMerge(Wire):
    """Make one conference of these calls, or bring them into the one that one is in,
    with the rep in it. At most eight are in one (``call.limit``). ``conference`` of
    their views is the same then; it ends when fewer than two are left."""

    op_id: Id
    call_ids: Annotated[tuple[Id, ...], Field(min_length=2, max_length=8)]


class CallSplit(Wire):
    """Take the call out of its conference, on hold. With two left, the conference goes
    on; with one, that is an ordinary call again."""

    op_id: Id
    call_id: Id


class PresenceState(enum.StrEnum):
    """``do_not_disturb``: calls do not ring here; other devices may."""

    AVAILABLE = "available"
    DO_NOT_DISTURB = "do_not_disturb"


class PresenceSet(Wire):
    op_id: Id
    state: PresenceState


class PresenceChangedEvent(Event):
    type: Literal["presence.changed"] = "presence.changed"
    state: PresenceState
