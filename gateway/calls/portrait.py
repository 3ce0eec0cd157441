"""A call as the browser protocol shows it, and as it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.activities.record import CallRecord
from gateway.identity.users import User
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallView,
    Peer,
    VideoView,
    WorkView,
)

if TYPE_CHECKING:
    from gateway.calls.call import Call


def view_of(call: Call) -> CallView:
    """For the user's session."""
    machine = call.machine
    invite = call.invite
    return CallView(
        call_id=call.call_id,
        direction=machine.direction,
        state=machine.state,
        peer=call.peer,
        match=call.subject.match,
        started_at=_ms(machine.started_at),
        answered_at=None if machine.answered_at is None else _ms(machine.answered_at),
        ended_at=None if machine.ended_at is None else _ms(machine.ended_at),
        end_reason=machine.end_reason,
        sip_code=machine.sip_code,
        media_generation=call.media.generation,
        activity=activity_of(call),
        invite=None if invite is None else invite.ref(is_over=machine.is_over),
        video=VideoView() if machine.is_over else call.media.video.view,
        participants=() if machine.is_over else call.attendance.participants,
        type=call.type,
        held_here=call.holding.is_held_here,
        # To the rep it is the same: there is nobody who would hear them.
        held_there=call.holding.is_held_there or call.referred.is_alone,
        conference="" if machine.is_over else call.holding.conference,
        consults_for=call.consults_for,
        transfer=call.handover.view,
        transferred_by=call.succession.transferred_by,
        caller_key=call.caller_key,
        # A guest is not to see it.
        work=WorkView()
        if call.is_guests
        else call.sheet.view(record_of(call), activity_of(call)),
    )


def record_of(call: Call) -> CallRecord:
    """For the history and the CRM."""
    machine = call.machine
    own = CallRecord(
        call_id=call.call_id,
        user=call.user.key,
        direction=machine.direction,
        number=call.peer.number,
        e164=call.peer.e164,
        display_name=call.peer.display_name,
        record=call.subject.record,
        started_at=machine.started_at,
        answered_at=machine.answered_at,
        ended_at=machine.ended_at,
        reason=machine.end_reason,
        sip_code=machine.sip_code,
        type=call.type,
        transferred_to=_named(call.handover.transferred_to),
        work=call.sheet.work,
        earlier=call.succession.earlier,
    )
    return own if call.invite is None else call.invite.kept(own)


def activity_of(call: Call) -> ActivityView:
    """What is shown of it: of an invite's call, that of the guest's attempt."""
    if call.invite is None:
        return call.subject.activity
    if call.is_guests:
        return ActivityView(state=ActivityState.NONE)
    return call.invite.attempt.activity


def owner_of(call: Call) -> User:
    """Whose activity it is."""
    if call.invite is not None and call.invite.is_guests:
        return call.invite.guest_pass.host
    return call.user


def records_to_keep(call: Call) -> Iterator[tuple[User, CallRecord]]:
    """Each record that the call's work belongs to, and whose activity that is."""
    yield owner_of(call), record_of(call)
    attempt = None if call.invite is None else call.invite.attempt.call
    if attempt is not None and attempt is not call and attempt.sheet is call.sheet:
        yield owner_of(attempt), record_of(attempt)


def _named(peer: Peer | None) -> str:
    if peer is None:
        return ""
    number = peer.national or peer.number
    return f"{peer.display_name} ({number})" if peer.display_name else number


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
