"""What reps write down about calls: those that go on, in wrap-up, or long over.

The work of a call is on its :class:`Worksheet`; both sides of a guest's call share one,
since the activity is the attempt's and the host is who writes. A change is told at once
and kept half a second later, or when the call ends or is saved: the journal takes the
newest and nothing older.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from gateway.activities.logging_rules import LoggingRules
from gateway.activities.record import CallRecord
from gateway.activities.work import (
    NO_WORK,
    Change,
    NextStep,
    Work,
    changed,
    saved,
    suggested,
    visited,
)
from gateway.activities.work_view import to_crm, tried_again, work_view
from gateway.calls.desks import Desk, unknown_call
from gateway.calls.ports import Alarm, KeptCall, Services
from gateway.calls.requests import RequestTable
from gateway.crm.connector import CrmRecord
from gateway.identity.users import User, UserKey
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallState,
    CallView,
    ErrorKind,
)

KEEP_WITHIN_S = 0.5
# Calls of before that a session has asked about.
REMEMBERED_OLD_CALLS = 50
PEOPLE = frozenset({"Contact", "Lead"})


@dataclass(frozen=True, slots=True)
class WorkRules:
    """What a tenant wants of its reps' work.

    Attributes:
        is_logged: there is a CRM to write to.
        dispositions: to choose from; empty: any word will do.
    """

    is_logged: bool = False
    wrap_up_s: int = 0
    dispositions: tuple[str, ...] = ()
    disposition_required: bool = False
    logging: LoggingRules = field(default_factory=LoggingRules)


class Worksheet:
    """One call's work.

    Args:
        rules: as they are at any moment.
        now: Unix seconds.
    """

    def __init__(
        self,
        rules: Callable[[], WorkRules],
        now: Callable[[], float],
        work: Work = NO_WORK,
    ) -> None:
        self.rules = rules
        self.work = work
        self._now = now

    def end(self, call: CallRecord) -> None:
        """The call is over: wrap-up begins; only the first end counts."""
        record = call.in_wrap_up(now=self._now(), wrap_up_s=self.rules().wrap_up_s)
        self.work = record.work

    def view(self, call: CallRecord, activity: ActivityView) -> wire.WorkView:
        """As it is shown. ``call`` has this work on it."""
        rules = self.rules()
        is_over = call.ended_at is not None
        return work_view(
            call.work,
            is_over=is_over,
            is_logged=activity.state is not ActivityState.NONE
            if is_over
            else rules.is_logged and rules.logging.wants(call),
            about_kinds=rules.logging.about_kinds,
            now=self._now(),
        )


class Worked(Protocol):
    """A call that can be written on: it goes on, ended lately, or is an old one."""

    @property
    def call_id(self) -> str: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def state(self) -> CallState: ...
    @property
    def sheet(self) -> Worksheet: ...
    def view(self) -> CallView: ...
    def activity_changed(self, activity: ActivityView) -> None: ...
    def to_keep(self) -> Iterator[tuple[User, CallRecord]]:
        """Each record that its work belongs to, and whose activity that is."""


class OldCall:
    """A call of the history.

    Args:
        attempt: of a guest, by which its activity is; None: it is its own.
        tell: the user's session, of its view.
    """

    is_over = True
    state = CallState.ENDED

    def __init__(
        self,
        kept: KeptCall,
        attempt: CallRecord | None,
        user: User,
        sheet: Worksheet,
        tell: Callable[[CallView], None],
    ) -> None:
        self.sheet = sheet
        self.call_id = kept.call.call_id
        self._kept = kept
        self._attempt = attempt
        self._user = user
        self._activity = kept.view.activity
        self._tell = tell

    @property
    def activity_keys(self) -> set[tuple[str, str]]:
        """(user, call id) under which the news of its activity come."""
        own = self._attempt or self._kept.call
        return {(own.user.user, own.call_id)}

    def view(self) -> CallView:
        record = replace(self._kept.call, work=self.sheet.work)
        return self._kept.view.model_copy(
            update={
                "activity": self._activity,
                "work": self.sheet.view(record, self._activity),
            }
        )

    def activity_changed(self, activity: ActivityView) -> None:
        self._activity = activity
        self._tell(self.view())

    def to_keep(self) -> Iterator[tuple[User, CallRecord]]:
        for record in (self._kept.call, self._attempt):
            if record is not None:
                yield self._user, replace(record, work=self.sheet.work)


class WorkDesk:
    """All users' work; see the module.

    Args:
        rules_of: of a tenant, as they are now.

    Attributes:
        others: a user's calls on other devices, whose views others show.
    """

    def __init__(
        self, services: Services, rules_of: Callable[[str], WorkRules]
    ) -> None:
        self._services = services
        self._rules_of = rules_of
        self.others: Callable[[UserKey], Iterable[Worked]] = lambda _: ()
        self._old: dict[UserKey, OrderedDict[str, OldCall]] = {}
        # Changes that are to be kept, and ends of wrap-up that are to be told.
        self._keeping: dict[tuple[UserKey, str], tuple[Alarm, Worked]] = {}
        self._ending: dict[tuple[UserKey, str], Alarm] = {}

    def sheet(self, tenant: str, work: Work = NO_WORK) -> Worksheet:
        """For a call of this tenant."""
        return Worksheet(partial(self._rules_of, tenant), self._services.now, work)

    def rules(self, tenant: str) -> wire.WidgetRules:
        """What the widget must know of them."""
        rules = self._rules_of(tenant)
        return wire.WidgetRules(
            dispositions=rules.dispositions,
            disposition_required=rules.disposition_required,
            wrap_up_s=rules.wrap_up_s,
        )

    # Sessions -------------------------------------------------------------------------

    async def opened(self, user: User) -> None:
        """A rep is here: what waits for them since before shows again."""
        try:
            waiting = await self._services.journal.in_wrap_up(user.key)
        except RequestError:
            # It is written in time all the same, and in the history.
            return
        for kept in reversed(waiting):
            self._arm(user, await self._remember(user, kept))

    def closed(self, user: UserKey) -> None:
        """Nobody is there any more: keep at once what is to be kept."""
        for key in [key for key in self._keeping if key[0] == user]:
            self._keep_now(*key)
        for key in [key for key in self._ending if key[0] == user]:
            self._ending.pop(key).cancel()
        self._old.pop(user, None)

    def waiting(self, desk: Desk) -> Iterator[CallView]:
        """Ended calls in wrap-up, for the snapshot."""
        old = self._old.get(desk.user.key, OrderedDict())
        others = (call for call in self.others(desk.user.key) if call.is_over)
        calls: list[Worked] = [*old.values(), *desk.ended.values(), *others]
        # What rang here and went on elsewhere is one call: the latter.
        for call in {call.call_id: call for call in calls}.values():
            view = call.view()
            if view.work.state is wire.WorkState.WRAP_UP:
                yield view

    # Requests -------------------------------------------------------------------------

    def add_to(self, requests: RequestTable) -> None:
        requests.add(wire.WorkChange, self.change)
        requests.add(wire.WorkSave, self.save)
        requests.add(wire.WorkVisit, self.visit)
        requests.add(wire.ActivityRetry, self.retry)

    async def change(self, desk: Desk, params: wire.WorkChange) -> wire.CallResult:
        call = await self._find(desk, params.call_id)
        rules = self._rules_of(desk.user.key.tenant)
        _check(params, rules)
        step = params.next_step
        try:
            work = changed(
                call.sheet.work,
                Change(
                    notes=params.notes,
                    disposition=params.disposition,
                    about=None if params.about is None else to_crm(params.about),
                    next_step=None if step is None else NextStep(step.subject, step.on),
                    clear=frozenset(params.clear),
                    keep_open=params.keep_open,
                ),
                now=self._services.now(),
                wrap_up_s=rules.wrap_up_s,
                new_id=str(uuid.uuid4()),
            )
        except ValueError as error:
            raise RequestError(
                ErrorKind.BAD_REQUEST, str(error), field="clear"
            ) from None
        return wire.CallResult(call=self._changed(desk, call, work))

    async def save(self, desk: Desk, params: wire.WorkSave) -> wire.CallResult:
        call = await self._find(desk, params.call_id)
        if not call.is_over:
            raise RequestError(ErrorKind.CALL_WRONG_STATE, "The call goes on.")
        if (
            self._rules_of(desk.user.key.tenant).disposition_required
            and not call.sheet.work.disposition
            and call.view().work.state is not wire.WorkState.NONE
        ):
            raise RequestError(
                ErrorKind.BAD_REQUEST, "A disposition is needed.", field="disposition"
            )
        work = saved(call.sheet.work, now=self._services.now())
        view = self._changed(desk, call, work)
        self._keep_now(desk.user.key, call.call_id)
        return wire.CallResult(call=view)

    async def visit(self, desk: Desk, params: wire.WorkVisit) -> wire.Empty:
        """The record belongs to what the rep is in: to a call that only rings, if there
        is nothing else."""
        calls: list[Worked] = [c for c in desk.calls.values() if c.is_announced]
        calls += [call for call in self.others(desk.user.key) if not call.is_over]
        up = [call for call in calls if call.state is not wire.CallState.RINGING]
        for call in up or calls:
            work = visited(call.sheet.work, to_crm(params.record))
            self._changed(desk, call, work)
        return wire.Empty()

    def suggest(self, desk: Desk, call: Worked, about: CrmRecord) -> None:
        """The caller has said what the call is about."""
        self._changed(desk, call, suggested(call.sheet.work, about))

    async def retry(self, desk: Desk, params: wire.ActivityRetry) -> wire.CallResult:
        call = await self._find(desk, params.call_id)
        failed = call.view().activity
        if failed.state is not ActivityState.FAILED:
            raise RequestError(ErrorKind.CALL_WRONG_STATE, "Nothing has failed.")
        is_waiting = False
        for _, record in call.to_keep():
            is_waiting |= await self._services.journal.retry_activity(
                record.user, record.call_id
            )
        # Unless its news has come meanwhile.
        if is_waiting and call.view().activity == failed:
            call.activity_changed(tried_again(failed))
        return wire.CallResult(call=call.view())

    # News -----------------------------------------------------------------------------

    def ended(self, user: User, call: Worked) -> None:
        """A call is over, and kept with its work."""
        if (pending := self._keeping.pop((user.key, call.call_id), None)) is not None:
            pending[0].cancel()
        self._arm(user, call)

    def old(self, tenant: str, user: str, call_id: str) -> OldCall | None:
        """Of whom the news of this activity are."""
        return next(
            (
                call
                for key, calls in self._old.items()
                if key.tenant == tenant
                for call in calls.values()
                if (user, call_id) in call.activity_keys
            ),
            None,
        )

    # Within ---------------------------------------------------------------------------

    async def _find(self, desk: Desk, call_id: str) -> Worked:
        """One of the user's calls, however old.

        Raises:
            RequestError: there is none, or the history is away.
        """
        key = desk.user.key
        # A call that rang here and went on elsewhere is there.
        for other in self.others(key):
            if other.call_id == call_id:
                return other
        if (call := desk.find(call_id)) is not None:
            return call
        if (old := self._old.get(key, OrderedDict()).get(call_id)) is not None:
            return old
        kept = await self._services.journal.find(key, call_id)
        if kept is None:
            raise unknown_call()
        return await self._remember(desk.user, kept)

    async def _remember(self, user: User, kept: KeptCall) -> OldCall:
        attempt: KeptCall | None = None
        invite = kept.call.invite
        if invite is not None and invite.attempt_id and not invite.is_attempt:
            guest = UserKey(user.key.tenant, invite.guest_user)
            attempt = await self._services.journal.find(guest, invite.attempt_id)
        calls = self._old.setdefault(user.key, OrderedDict())
        if kept.call.call_id in calls:
            # Another request was first while we read.
            return calls[kept.call.call_id]
        call = OldCall(
            kept,
            None if attempt is None else attempt.call,
            user,
            self.sheet(user.key.tenant, kept.call.work),
            lambda view: self._tell(user.key, view),
        )
        calls[call.call_id] = call
        while len(calls) > REMEMBERED_OLD_CALLS:
            gone, _ = calls.popitem(last=False)
            self._keep_now(user.key, gone)
        return call

    def _changed(self, desk: Desk, call: Worked, work: Work) -> CallView:
        if work is call.sheet.work:
            return call.view()
        call.sheet.work = work
        key = (desk.user.key, call.call_id)
        if key not in self._keeping:
            alarm = self._services.later(KEEP_WITHIN_S, partial(self._keep_now, *key))
            self._keeping[key] = (alarm, call)
        self._arm(desk.user, call)
        view = call.view()
        self._tell(desk.user.key, view)
        return view

    def _keep_now(self, user: UserKey, call_id: str) -> None:
        """What was changed and not yet kept."""
        pending = self._keeping.pop((user, call_id), None)
        if pending is None:
            return
        alarm, call = pending
        alarm.cancel()
        for owner, record in call.to_keep():
            self._services.journal.worked(owner, record)

    def _arm(self, user: User, call: Worked) -> None:
        """Tell when wrap-up ends by itself."""
        key = (user.key, call.call_id)
        if (alarm := self._ending.pop(key, None)) is not None:
            alarm.cancel()
        work, now = call.sheet.work, self._services.now()
        if call.is_over and work.due_at is not None and work.in_wrap_up(now):
            self._ending[key] = self._services.later(
                work.due_at - now, partial(self._ended_by_itself, user, call)
            )

    def _ended_by_itself(self, user: User, call: Worked) -> None:
        del self._ending[user.key, call.call_id]
        if call.sheet.work.in_wrap_up(self._services.now()):
            # The alarm's clock is not the wall's.
            self._arm(user, call)
            return
        self._tell(user.key, call.view())

    def _tell(self, user: UserKey, view: CallView) -> None:
        self._services.publisher.publish(user, wire.CallUpdatedEvent, call=view)


def _check(params: wire.WorkChange, rules: WorkRules) -> None:
    """Raises RequestError: the tenant's rules do not have what was chosen."""
    chosen = params.disposition
    if chosen and rules.dispositions and chosen not in rules.dispositions:
        raise RequestError(
            ErrorKind.BAD_REQUEST, "There is no such disposition.", field="disposition"
        )
    kinds = rules.logging.about_kinds | PEOPLE
    if params.about is not None and params.about.kind not in kinds:
        raise RequestError(
            ErrorKind.BAD_REQUEST,
            f"Activities cannot be about a {params.about.kind}.",
            field="about",
        )
