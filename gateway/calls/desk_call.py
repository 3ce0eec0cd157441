"""A call that the rep has on the desk phone: shown, matched, kept; never touched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from gateway.activities.record import CallRecord
from gateway.calls.guest_calls import CallInvite
from gateway.calls.machine import CallInput, CallMachine, WrongState
from gateway.calls.ports import Services
from gateway.calls.subject import Subject
from gateway.calls.work import Worksheet
from gateway.identity.users import User
from gateway.sessions.wire import (
    ActivityView,
    CallAnsweredEvent,
    CallDevice,
    CallDirection,
    CallEndedEvent,
    CallIncomingEvent,
    CallRingingEvent,
    CallState,
    CallType,
    CallUpdatedEvent,
    CallView,
    EndReason,
    Event,
    Match,
    Peer,
    Record,
)

logger = logging.getLogger(__name__)

# What a call in that state is told by.
_EVENTS = {
    CallState.RINGING: CallIncomingEvent,
    CallState.CALLING: CallUpdatedEvent,
    CallState.ALERTING: CallRingingEvent,
    CallState.ACTIVE: CallAnsweredEvent,
}


class DeskCall:
    """See the module. What comes too late, or would lead back, changes nothing.

    Args:
        started_at: Unix seconds.
        invite: of a guest's call that rang here before; the guest's attempt is what
            is logged then.
        sheet: what the rep writes down about it.
        on_end: told when it is over and kept.
    """

    def __init__(
        self,
        call_id: str,
        user: User,
        direction: CallDirection,
        peer: Peer,
        *,
        services: Services,
        subject: Subject,
        started_at: float,
        type: CallType,
        sheet: Worksheet,
        invite: CallInvite | None = None,
        on_end: Callable[[DeskCall], None],
    ) -> None:
        self.call_id = call_id
        self.user = user
        self.peer = peer
        self.subject = subject
        self.invite = invite
        self.sheet = sheet
        self.type = type
        self._on_end = on_end
        self._services = services
        self._machine = CallMachine(direction, now=started_at)

    @property
    def is_over(self) -> bool:
        return self._machine.is_over

    @property
    def state(self) -> CallState:
        return self._machine.state

    def view(self) -> CallView:
        """The call as the browser protocol shows it."""
        machine = self._machine
        answered_at, ended_at = machine.answered_at, machine.ended_at
        invite = self.invite
        return CallView(
            call_id=self.call_id,
            direction=machine.direction,
            state=machine.state,
            peer=self.peer,
            match=self.subject.match,
            started_at=_ms(machine.started_at),
            answered_at=None if answered_at is None else _ms(answered_at),
            ended_at=None if ended_at is None else _ms(ended_at),
            end_reason=machine.end_reason,
            sip_code=machine.sip_code,
            activity=self._activity,
            # The gateway ends it with its time nowhere but in browsers.
            invite=None if invite is None else invite.ref(is_over=True),
            type=self.type,
            device=CallDevice.DESK_PHONE,
            work=self.sheet.view(self.record(), self._activity),
        )

    @property
    def _activity(self) -> ActivityView:
        if self.invite is None:
            return self.subject.activity
        return self.invite.attempt.activity

    def to_keep(self) -> Iterator[tuple[User, CallRecord]]:
        """Each record that its work belongs to, and whose activity that is."""
        yield self.user, self.record()
        attempt = None if self.invite is None else self.invite.attempt.call
        if attempt is not None and attempt.sheet is self.sheet:
            yield from attempt.to_keep()

    def record(self) -> CallRecord:
        """The call as it is kept."""
        machine = self._machine
        own = CallRecord(
            call_id=self.call_id,
            user=self.user.key,
            direction=machine.direction,
            number=self.peer.number,
            e164=self.peer.e164,
            display_name=self.peer.display_name,
            record=self.subject.record,
            started_at=machine.started_at,
            answered_at=machine.answered_at,
            ended_at=machine.ended_at,
            reason=machine.end_reason,
            sip_code=machine.sip_code,
            type=self.type,
            device=CallDevice.DESK_PHONE,
            work=self.sheet.work,
        )
        return own if self.invite is None else self.invite.kept(own)

    def begin(
        self, state: CallState, *, was_kept: bool, answered_at: float | None = None
    ) -> None:
        """Keep it, in its first state; :meth:`show` tells the rep.

        Args:
            was_kept: under its id, as a call that ended.
            answered_at: Unix seconds, if that is longer ago.
        """
        if was_kept:
            self._services.journal.resumed(self.record())
        else:
            self._services.journal.started(self.record())
        if state is not self.state:
            self._apply(state, answered_at)

    def show(self) -> None:
        """Tell the rep of its state."""
        self._publish(_EVENTS[self.state], call=self.view())

    def move(self, state: CallState) -> None:
        """It is alerting, or active."""
        if self._apply(state, None):
            self.show()

    def _apply(self, state: CallState, at: float | None) -> bool:
        """Whether it is in another state now; ``at``: Unix seconds, None for now."""
        at = self._services.now() if at is None else at
        try:
            if state is CallState.ACTIVE:
                if self.state is CallState.RINGING:
                    self._machine.apply(CallInput.ACCEPT, now=at)
                self._machine.apply(CallInput.CONNECT, now=at)
                self._services.journal.answered(self.user.key, self.call_id, at)
                return True
            if self.state is CallState.CALLING and state is CallState.ALERTING:
                self._machine.apply(CallInput.ALERT, now=at)
                return True
        except WrongState as error:
            logger.debug("call %s: too late: %s", self.call_id, error)
        return False

    def finish(
        self,
        reason: EndReason,
        *,
        at: float | None = None,
        sip_code: int | None = None,
    ) -> None:
        """It is over, since ``at`` (Unix seconds); the first reason counts."""
        now = self._services.now() if at is None else at
        now = max(now, self._machine.answered_at or self._machine.started_at)
        if not self._machine.end(reason, now=now, sip_code=sip_code):
            return
        logger.info("= call %s ENDED (%s) on the desk phone", self.call_id, reason)
        self.sheet.end(self.record())
        activity = self._services.journal.ended(
            self.user, self.record(), match_is_open=self.subject.is_open
        )
        if self.invite is None:
            self.subject.activity = activity
        self._publish(CallEndedEvent, call=self.view())
        self._on_end(self)

    def searching(self) -> None:
        """The CRM is being asked whom it is with."""
        self.subject.searching()
        self._publish(CallUpdatedEvent, call=self.view())

    def match_found(self, match: Match) -> None:
        """The CRM's answer, whenever it comes."""
        if self.subject.found(match):
            self._publish(CallUpdatedEvent, call=self.view())

    def chosen(self, record: Record) -> None:
        """The rep says whom it is with; also after the end."""
        self.subject.choose(
            record.model_copy(update={"certainty": "exact"}), is_shown=True
        )
        self._publish(CallUpdatedEvent, call=self.view())
        kept = self.record()
        if self.is_over and kept.record is not None:
            about = None if kept.invite is None else kept.invite.about
            self._services.journal.record_chosen(
                self.user, self.call_id, kept.record, about
            )

    def activity_changed(self, activity: ActivityView) -> None:
        """The activity writer's news about this call."""
        self.subject.activity = activity
        self._publish(CallUpdatedEvent, call=self.view())

    def _publish(self, event: type[Event], **fields: object) -> None:
        self._services.publisher.publish(self.user.key, event, **fields)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
