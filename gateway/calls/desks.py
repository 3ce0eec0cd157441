"""One user's telephone, and the calls on it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import sip
from gateway.calls.call import Call
from gateway.calls.conference import Conferences
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind

# Ended calls whose view can still change (activity written, contact created).
REMEMBERED_CALLS = 50


@dataclass(slots=True)
class Desk:
    """From sign-in to sign-out; a guest has no registration."""

    user: User
    registration: sip.Registration | None
    state: wire.Registration
    is_attached: bool = True
    calls: dict[str, Call] = field(default_factory=dict)
    ended: OrderedDict[str, Call] = field(default_factory=OrderedDict)
    account: sip.Account | None = None
    presence: wire.PresenceState = wire.PresenceState.AVAILABLE
    # The call or conference that the rep took last; "" when that is over.
    floor: str = ""
    conferences: Conferences = field(default_factory=Conferences)

    def call(self, call_id: str) -> Call:
        """One that goes on.

        Raises:
            RequestError: it has ended, or there never was one.
        """
        call = self.calls.get(call_id)
        if call is None:
            if call_id in self.ended:
                raise RequestError(ErrorKind.CALL_WRONG_STATE, "The call has ended.")
            raise unknown_call()
        return call

    def find(self, call_id: str) -> Call | None:
        """One that goes on, or ended not long ago."""
        return self.calls.get(call_id) or self.ended.get(call_id)

    def check_room(self, call_id: str, at_most: int) -> None:
        """Whether the user may begin a call of this id.

        Raises:
            RequestError: the id is used already, or they have ``at_most`` calls.
        """
        if call_id in self.calls or call_id in self.ended:
            raise RequestError(ErrorKind.OP_CONFLICT, "The call id is used already.")
        if len(self.calls) >= at_most:
            raise RequestError(
                ErrorKind.CALL_LIMIT, f"Not more than {at_most} calls at once."
            )

    def remember(self, call: Call) -> None:
        """It is over; what becomes of its activity is still shown."""
        self.ended[call.call_id] = call
        while len(self.ended) > REMEMBERED_CALLS:
            self.ended.popitem(last=False)


def unknown_call() -> RequestError:
    return RequestError(ErrorKind.CALL_UNKNOWN, "There is no such call.")


def registration_view(status: sip.RegistrationState) -> wire.Registration:
    """As the browser protocol shows it."""
    return wire.Registration(
        state=wire.RegistrationState(status.status),
        problem=None
        if status.problem is None
        else wire.RegistrationProblem(status.problem),
        sip_code=status.sip_code,
        retry_in_s=None if status.retry_in_s is None else round(status.retry_in_s),
    )
