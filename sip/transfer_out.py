"""A REFER of ours, from asking to the last report (RFC 3515, 4488, 6665).

============  =====================================================================
ASKED         the REFER is on its way
ACCEPTED      2xx or a report came: the peer tries, more reports may follow
DONE          the one final thing was told
============  =====================================================================

* A report may overtake the 2xx; it proves acceptance as well.
* A report of 200 and above is the outcome, whatever its Subscription-State says. One
  that ends the subscription before leaves the outcome unknown: so do peers that accept,
  report ``100 Trying`` as their last word, and call.
* Without a report within ``64*T1`` after the 2xx (Timer N), or within the time that the
  last report granted, the outcome is unknown too.
* A 2xx with ``Refer-Sub: false`` announces no reports (RFC 4488 4).
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sip.call_events import TransferProgress, TransferRefused
from sip.events import SubscriptionState
from sip.sipfrag import StatusLine

_log = logging.getLogger("sip.call")

# What a report grants when it does not say, and at most.
DEFAULT_EXPIRES_S = 180
MAX_EXPIRES_S = 300
# A last report that is sent when the time is over needs some to arrive.
GRACE_S = 4.0
# A peer that changes its mind more often is not listened to until the outcome.
MAX_PROGRESS = 32


class State(enum.StrEnum):
    """See the module's text."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    DONE = "done"


class Input(enum.StrEnum):
    """What the machine reacts to."""

    ACCEPTED = "2xx"
    ACCEPTED_SILENTLY = "2xx without reports"
    REFUSED = "3xx-6xx"
    PROGRESS = "report 1xx"
    OUTCOME = "report 2xx-6xx"
    ENDED = "last report without outcome"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class _News:
    """What came with an input."""

    status: int = 0
    phrase: str = ""
    is_local: bool = False
    expires_s: int | None = None


Told = list[TransferProgress | TransferRefused]
Table = Mapping[tuple[State, Input], tuple[State, Callable[..., Told]]]


class TransferOut:
    """One REFER of ours.

    Args:
        first_report_s: how long the first report may take after the 2xx, ``64*T1``.
    """

    def __init__(self, *, first_report_s: float) -> None:
        self.state = State.ASKED
        self._first_report_s = first_report_s
        # The last provisional status told; the same again is no news.
        self._told = 0
        self._told_count = 0
        self._deadline: float | None = None

    @property
    def is_done(self) -> bool:
        """Whether the final event was given."""
        return self.state is State.DONE

    def get_timer(self) -> float | None:
        """When ``handle_timer`` is due."""
        return self._deadline

    def handle_timer(self, now: float) -> Told:
        """No report came in time."""
        if self._deadline is None or self._deadline > now:
            return []
        return self._step(Input.TIMER, _News(), now)

    def receive_reply(
        self,
        status: int,
        now: float,
        *,
        phrase: str = "",
        is_local: bool = False,
        has_reports: bool = True,
    ) -> Told:
        """Take the final response to the REFER."""
        if status >= 300:
            event = Input.REFUSED
        else:
            event = Input.ACCEPTED if has_reports else Input.ACCEPTED_SILENTLY
        return self._step(event, _News(status, phrase, is_local), now)

    def receive_report(
        self, state: SubscriptionState | None, line: StatusLine | None, now: float
    ) -> Told:
        """Take a NOTIFY; ``line`` None: without a fragment that can be read.

        Without Subscription-State, as old phones send it, it counts as active.
        """
        is_last = state is not None and state.is_terminated
        status = 0 if line is None else line.status
        if status >= 200:
            event = Input.OUTCOME
        else:
            event = Input.ENDED if is_last else Input.PROGRESS
        phrase = "" if line is None else line.reason_phrase
        expires_s = None if state is None else state.expires
        return self._step(event, _News(status, phrase, expires_s=expires_s), now)

    def _step(self, event: Input, news: _News, now: float) -> Told:
        row = self.TABLE.get((self.state, event))
        if row is None:
            return []
        was, (self.state, action) = self.state, row
        if was is not self.state:
            _log.debug("= transfer by us %s -> %s (%s)", was, self.state, event)
        return action(self, news, now)

    # -- actions -----------------------------------------------------------------------

    def _accepted(self, news: _News, now: float) -> Told:
        self._deadline = now + self._first_report_s
        return self._tell_progress(100, "")

    def _progress(self, news: _News, now: float) -> Told:
        granted = DEFAULT_EXPIRES_S if news.expires_s is None else news.expires_s
        self._deadline = now + min(granted, MAX_EXPIRES_S) + GRACE_S
        return self._tell_progress(news.status or 100, news.phrase)

    def _tell_progress(self, status: int, phrase: str) -> Told:
        if status == self._told or self._told_count >= MAX_PROGRESS:
            return []
        self._told = status
        self._told_count += 1
        return [TransferProgress(status, False, phrase)]

    def _refused(self, news: _News, now: float) -> Told:
        self._deadline = None
        return [TransferRefused(news.status, news.phrase, news.is_local)]

    def _outcome(self, news: _News, now: float) -> Told:
        self._deadline = None
        return [TransferProgress(news.status, True, news.phrase)]

    def _unknown(self, news: _News, now: float) -> Told:
        self._deadline = None
        return [TransferProgress(None, True)]

    TABLE: ClassVar[Table] = {
        (State.ASKED, Input.ACCEPTED): (State.ACCEPTED, _accepted),
        (State.ASKED, Input.ACCEPTED_SILENTLY): (State.DONE, _unknown),
        (State.ASKED, Input.REFUSED): (State.DONE, _refused),
        (State.ASKED, Input.PROGRESS): (State.ACCEPTED, _progress),
        (State.ASKED, Input.OUTCOME): (State.DONE, _outcome),
        (State.ASKED, Input.ENDED): (State.DONE, _unknown),
        (State.ACCEPTED, Input.PROGRESS): (State.ACCEPTED, _progress),
        (State.ACCEPTED, Input.OUTCOME): (State.DONE, _outcome),
        (State.ACCEPTED, Input.ENDED): (State.DONE, _unknown),
        (State.ACCEPTED, Input.TIMER): (State.DONE, _unknown),
    }
