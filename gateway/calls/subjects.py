"""Whom calls are about in the CRM, and what becomes of their activities there."""

from __future__ import annotations

from gateway.activities.composer import about_of
from gateway.activities.work_view import refused_next_step, written_next_step
from gateway.calls import people
from gateway.calls.call import Call
from gateway.calls.desks import Desk, unknown_call
from gateway.calls.requests import RequestTable
from gateway.calls.switchboard import Switchboard
from gateway.calls.work import Worked
from gateway.crm.connector import Connector
from gateway.identity.users import UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallChooseRecord,
    CallResult,
    ContactCreate,
    ContactCreateResult,
    ErrorKind,
    Record,
    RecordSearch,
    RecordSearchResult,
)


class Subjects:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def add_to(self, requests: RequestTable) -> None:
        requests.add(CallChooseRecord, self.choose)
        requests.add(ContactCreate, self.create_contact)
        requests.add(RecordSearch, self.search)

    async def choose(self, desk: Desk, params: CallChooseRecord) -> CallResult:
        """``call.choose_record``"""
        call = desk.find(params.call_id)
        if call is None:
            raise unknown_call()
        for record in call.view().match.records:
            if record.id == params.record_id:
                self._name(call, record)
                return CallResult(call=call.view())
        raise RequestError(
            ErrorKind.BAD_REQUEST, "That record is no match of the call."
        )

    async def create_contact(
        self, desk: Desk, params: ContactCreate
    ) -> ContactCreateResult:
        """``contact.create``"""
        record = await people.create_contact(self._connector(desk), desk.user, params)
        if params.call_id is not None:
            call = desk.find(params.call_id)
            if call is not None:
                self._name(call, record)
        return ContactCreateResult(record=record)

    async def search(self, desk: Desk, params: RecordSearch) -> RecordSearchResult:
        """``record.search``"""
        found = await people.find_people(self._connector(desk), desk.user, params.text)
        return RecordSearchResult(records=found)

    def _name(self, call: Call, record: Record) -> None:
        """The call is about this record, even when it is over and logged."""
        # The rep said so: as good as an equal number.
        call.chosen(record.model_copy(update={"certainty": "exact"}))
        self._keep_choice(call)
        if call.invite is not None and (attempt := call.invite.attempt.call):
            # That is where the activity is.
            attempt.chosen(record.model_copy(update={"certainty": "exact"}))
            self._keep_choice(attempt)

    def _keep_choice(self, call: Call) -> None:
        kept = call.record()
        if call.is_over and kept.record is not None:
            self._board.services.journal.record_chosen(
                call.user,
                kept.call_id,
                kept.record,
                about_of(kept, self._board.tenant(call.user.key).work().logging),
            )

    def _connector(self, desk: Desk) -> Connector:
        connector = self._board.tenant(desk.user.key).connector
        if connector is None:
            raise RequestError(ErrorKind.CRM_REFUSED, "No CRM is configured.")
        return connector

    # News -----------------------------------------------------------------------------

    def activity_changed(
        self, user: UserKey, call_id: str, activity: ActivityView
    ) -> None:
        """The activity writer's news, for the widget."""
        if (call := self._concerned(user, call_id)) is not None:
            call.activity_changed(activity)

    def next_step_changed(
        self, user: UserKey, call_id: str, news: ActivityView
    ) -> None:
        """News of the task for later: shown at the call if it was refused."""
        call = self._concerned(user, call_id)
        if call is None:
            return
        old = new = call.view().activity
        if news.state is ActivityState.FAILED:
            new = refused_next_step(old, news.problem)
        elif news.state is ActivityState.WRITTEN:
            new = written_next_step(old)
        if new != old:
            call.activity_changed(new)

    def _concerned(self, user: UserKey, call_id: str) -> Worked | None:
        """Whom the news of an activity are for."""
        desk = self._board.desks.get(user)
        return (
            (desk and desk.find(call_id))
            or self._hosts_side(user.tenant, call_id)
            or self._board.work.old(user.tenant, user.user, call_id)
        )

    def _hosts_side(self, tenant: str, record_id: str) -> Call | None:
        """Of a guest's attempt: what is written of it is news for the host."""
        return next(
            (
                call
                for desk in self._board.desks_of(tenant)
                if not desk.user.is_guest
                for call in (*desk.calls.values(), *desk.ended.values())
                if call.invite and call.invite.attempt.record_id == record_id
            ),
            None,
        )
