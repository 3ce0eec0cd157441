"""A REFER of the peer's, from being asked to the last report (RFC 3515, 4488, 6665).

============  =====================================================================
ASKED         our user decides; the REFER is not answered yet
ACTIVE        202 was sent; the peer is subscribed to reports
DONE          refused, the last report was sent, or no reports are wanted
============  =====================================================================

* A REFER is no INVITE: its sender gives up after ``64*T1``. Who has not decided after
  half of that has refused (603). People are asked after ``accept``.
* Acceptance is reported at once as ``100 Trying`` (2.4.4).
* A report of 200 and above is the last; so is the one when the time granted is over or
  the peer unsubscribes, which repeats what was reported before.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sip.errors import LocalProtocolError
from sip.events import SubscriptionState
from sip.sipfrag import StatusLine

_log = logging.getLogger("sip.call")

# How long reports may go on; a phone may ring for so long.
EXPIRES_S = 180


class State(enum.StrEnum):
    """See the module's text."""

    ASKED = "asked"
    ACTIVE = "active"
    DONE = "done"


class Input(enum.StrEnum):
    """What the machine reacts to."""

    ACCEPT = "accept"
    ACCEPT_SILENTLY = "accept without reports"
    REFUSE = "refuse"
    PROGRESS = "report 1xx"
    OUTCOME = "report 2xx-6xx"
    REFRESH = "SUBSCRIBE"
    UNSUBSCRIBE = "SUBSCRIBE with Expires 0"
    LOST = "report not taken"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class AnswerRefer:
    """Answer the REFER."""

    status: int
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class SendReport:
    """Send a NOTIFY."""

    line: StatusLine
    state: SubscriptionState


Effects = list[AnswerRefer | SendReport]
Table = Mapping[tuple[State, Input], tuple[State, Callable[..., Effects]]]

_TRYING = StatusLine(100, "Trying")


class TransferIn:
    """One REFER of the peer's.

    Args:
        decide_s: how long our user may take, ``32*T1``.
        wants_reports: what the REFER says.
    """

    def __init__(self, now: float, *, decide_s: float, wants_reports: bool) -> None:
        self.state = State.ASKED
        self._wants_reports = wants_reports
        self._line = _TRYING
        self._deadline: float | None = now + decide_s

    @property
    def is_done(self) -> bool:
        """Whether nothing more will be sent."""
        return self.state is State.DONE

    @property
    def is_reporting(self) -> bool:
        """Whether the peer is subscribed."""
        return self.state is State.ACTIVE

    def get_timer(self) -> float | None:
        """When ``handle_timer`` is due."""
        return self._deadline

    def handle_timer(self, now: float) -> Effects:
        """Nobody decided, or the time granted is over."""
        if self._deadline is None or self._deadline > now:
            return []
        return self._step(Input.TIMER, 603, now)

    def accept(self, now: float) -> Effects:
        """Our user will try."""
        event = Input.ACCEPT if self._wants_reports else Input.ACCEPT_SILENTLY
        return self._step(event, 202, now)

    def refuse(self, status: int, now: float) -> Effects:
        """Our user will not.

        Raises:
            LocalProtocolError: the status refuses nothing.
        """
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} refuses nothing")
        return self._step(Input.REFUSE, status, now)

    def report(self, line: StatusLine, now: float) -> Effects:
        """Say how the call to the target stands.

        Raises:
            LocalProtocolError: no status of a response.
        """
        if not 100 <= line.status <= 699:
            raise LocalProtocolError(f"{line.status} is no status of a response")
        if self.state is State.ACTIVE:
            self._line = line
        event = Input.PROGRESS if line.status < 200 else Input.OUTCOME
        return self._step(event, line.status, now)

    def receive_subscribe(self, expires_s: int, now: float) -> Effects:
        """The peer refreshes or ends its subscription (2.4.4)."""
        event = Input.REFRESH if expires_s else Input.UNSUBSCRIBE
        return self._step(event, 0, now)

    def lost(self, now: float) -> Effects:
        """The peer did not take a report."""
        return self._step(Input.LOST, 0, now)

    def expires_s(self, now: float) -> int:
        """What is left of the time granted, in whole seconds."""
        return 0 if self._deadline is None else max(round(self._deadline - now), 0)

    def _step(self, event: Input, status: int, now: float) -> Effects:
        row = self.TABLE.get((self.state, event))
        if row is None:
            return []
        was, (self.state, action) = self.state, row
        if was is not self.state:
            _log.debug("= transfer by the peer %s -> %s (%s)", was, self.state, event)
        return action(self, status, now)

    # -- actions -----------------------------------------------------------------------

    def _accept(self, status: int, now: float) -> Effects:
        self._deadline = now + EXPIRES_S
        return [AnswerRefer(202), *self._report(status, now)]

    def _accept_silently(self, status: int, now: float) -> Effects:
        self._deadline = None
        return [AnswerRefer(202, is_silent=True)]

    def _refuse(self, status: int, now: float) -> Effects:
        self._deadline = None
        return [AnswerRefer(status)]

    def _report(self, status: int, now: float) -> Effects:
        state = SubscriptionState("active", expires=self.expires_s(now))
        return [SendReport(self._line, state)]

    def _refresh(self, status: int, now: float) -> Effects:
        self._deadline = now + EXPIRES_S
        return self._report(status, now)

    def _last(self, status: int, now: float) -> Effects:
        self._deadline = None
        state = SubscriptionState("terminated", reason="noresource")
        return [SendReport(self._line, state)]

    def _over(self, status: int, now: float) -> Effects:
        self._deadline = None
        state = SubscriptionState("terminated", reason="timeout")
        return [SendReport(self._line, state)]

    def _nothing(self, status: int, now: float) -> Effects:
        self._deadline = None
        return []

    TABLE: ClassVar[Table] = {
        (State.ASKED, Input.ACCEPT): (State.ACTIVE, _accept),
        (State.ASKED, Input.ACCEPT_SILENTLY): (State.DONE, _accept_silently),
        (State.ASKED, Input.REFUSE): (State.DONE, _refuse),
        (State.ASKED, Input.TIMER): (State.DONE, _refuse),
        (State.ACTIVE, Input.PROGRESS): (State.ACTIVE, _report),
        (State.ACTIVE, Input.OUTCOME): (State.DONE, _last),
        (State.ACTIVE, Input.REFRESH): (State.ACTIVE, _refresh),
        (State.ACTIVE, Input.UNSUBSCRIBE): (State.DONE, _over),
        (State.ACTIVE, Input.TIMER): (State.DONE, _over),
        (State.ACTIVE, Input.LOST): (State.DONE, _nothing),
    }
