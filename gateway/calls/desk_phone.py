"""Which calls a rep has on other devices, from dialog-info of their address. Pure.

Driven by documents (:meth:`DeskPhoneTracker.receive`), by what becomes of our own legs
(``look``), by the subscription's loss (``lost``) and by time; gives what has become of
the calls that are none of ours. Dialogs are put together by Call-ID, since a server
shows a call that it forks once or once for each device:

* Without a Call-ID nobody knows whose a dialog is: it is not followed.
* A call that rings here is shown by its own leg. It is followed as soon as it is
  answered and the leg has ended without an answer (``continues``).
* One that rings elsewhere alone is shown after :data:`SETTLE_S`: its INVITE to us may
  be on the way still.
* A call ends when a whole document, or one in sequence, does not have it any more, or
  names it as terminated. It ends once: what is said of it afterwards is old.
* While nobody tells (``lost``, or a document is missing) calls stay as they were, and
  end as broken off after :data:`LOST_S`, at the time they were last known to live.
* Nothing lasts longer than :data:`MAX_CALL_S`, whatever the server says.
"""

from __future__ import annotations

import enum
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.calls.outcome import of_rejection
from gateway.sessions.wire import CallDirection, CallState, EndReason
from sip.dialog_info import DialogInfo, DialogTable, Party, WatchedDialog, WatchedState

logger = logging.getLogger(__name__)

SETTLE_S = 1.0
LOST_S = 120.0
MAX_CALL_S = 12 * 3600.0
# A rep has one or two; more are a fault of whoever reports them.
MAX_FOLLOWED = 8
REMEMBERED_ENDS = 256


class Owner(enum.Enum):
    """Whose a Call-ID is. OURS: made or answered here; RINGS_HERE: it may be yet;
    PASSED: it rang here, and that is over; NOBODYS: never seen."""

    OURS = enum.auto()
    RINGS_HERE = enum.auto()
    PASSED = enum.auto()
    NOBODYS = enum.auto()


@dataclass(frozen=True, slots=True)
class Began:
    """A call on another device, in its first state to be shown.

    Attributes:
        sip_id: Call-ID.
        continues: it rang here before.
        is_old: it was answered before anybody looked.
        duration_s: how long it lasts already, if that was said.
    """

    sip_id: str
    direction: CallDirection
    state: CallState
    remote: Party
    continues: bool = False
    is_old: bool = False
    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """It is in another state; never back, and never ENDED."""

    sip_id: str
    state: CallState


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over. ``at``: the clock's time, seconds; ``sip_code``: if one was said."""

    sip_id: str
    reason: EndReason
    at: float
    sip_code: int | None = None


Change = Began | Moved | Ended

_STATES = {
    CallDirection.INBOUND: {
        WatchedState.TRYING: CallState.RINGING,
        WatchedState.PROCEEDING: CallState.RINGING,
        WatchedState.EARLY: CallState.RINGING,
        WatchedState.CONFIRMED: CallState.ACTIVE,
    },
    CallDirection.OUTBOUND: {
        WatchedState.TRYING: CallState.CALLING,
        WatchedState.PROCEEDING: CallState.CALLING,
        WatchedState.EARLY: CallState.ALERTING,
        WatchedState.CONFIRMED: CallState.ACTIVE,
    },
}
_PROGRESS = (
    CallState.CALLING,
    CallState.RINGING,
    CallState.ALERTING,
    CallState.ACTIVE,
)
# The furthest of a call's dialogs says how it stands.
_FURTHEST = (
    WatchedState.TRYING,
    WatchedState.PROCEEDING,
    WatchedState.EARLY,
    WatchedState.CONFIRMED,
)


@dataclass(slots=True)
class _Followed:
    direction: CallDirection
    state: CallState
    began_at: float


class DeskPhoneTracker:
    """Of one rep, over all their subscriptions one after the other.

    Args:
        owner: whose a Call-ID is, now.
    """

    def __init__(self, owner: Callable[[str], Owner]) -> None:
        self._owner = owner
        self._table = DialogTable()
        # Nothing is missing: what the table does not have, does not exist.
        self._is_complete = False
        # Whether a whole document was ever seen.
        self._has_looked = False
        # Since when nobody tells; None while the subscription stands.
        self._blind_since: float | None = None
        self._is_lost = False
        self._followed: dict[str, _Followed] = {}
        # Since when calls that may ring here too are known.
        self._settling: dict[str, float] = {}
        self._over: OrderedDict[str, None] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """No call is followed."""
        return not self._followed

    @property
    def sees(self) -> bool:
        """Whether calls would be noticed now."""
        return self._is_complete and self._blind_since is None

    def receive(
        self, info: DialogInfo, now: float, *, is_first: bool
    ) -> tuple[list[Change], bool]:
        """Take a document; ``is_first`` of a new subscription.

        Returns:
            What has changed, and whether the whole state is to be fetched.
        """
        if is_first:
            self._table.reset()
            self._is_complete = False
        before = dict(self._table.dialogs)
        self._is_lost = False
        version = self._table.version
        if version is not None and info.version <= version:
            return [], False
        is_missing = self._table.apply(info)
        if info.is_full:
            self._is_complete = True
        elif is_missing:
            self._is_complete = False
        if self._is_complete:
            self._blind_since = None
        elif self._blind_since is None:
            self._blind_since = now
        ends = {
            (dialog.call_id or before[dialog.id].call_id): dialog
            for dialog in info.dialogs
            if dialog.state is WatchedState.TERMINATED
            and (dialog.call_id or dialog.id in before)
        }
        changes = self._settle(now, ends)
        self._has_looked = self._has_looked or self._is_complete
        return changes, is_missing

    def look(self, now: float) -> list[Change]:
        """Something has become of one of our own legs."""
        return self._settle(now, {})

    def lost(self, now: float) -> None:
        """The subscription does not stand."""
        self._is_lost = True
        self._settling.clear()
        if self._blind_since is None:
            self._blind_since = now

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due."""
        due = [at + SETTLE_S for at in self._settling.values()]
        if self._followed:
            due += [each.began_at + MAX_CALL_S for each in self._followed.values()]
            due += [
                since + LOST_S
                for each in self._followed.values()
                if (since := self._unseen_since(each)) is not None
            ]
        return min(due, default=None)

    def handle_timer(self, now: float) -> list[Change]:
        """Some time has passed."""
        changes: list[Change] = []
        for sip_id, each in tuple(self._followed.items()):
            since = self._unseen_since(each)
            if since is not None and now >= since + LOST_S:
                changes.append(self._break_off(sip_id, since))
            elif now >= each.began_at + MAX_CALL_S:
                logger.warning("a call on another device lasted too long; given up")
                changes.append(self._break_off(sip_id, now))
        return changes + self._settle(now, {})

    def stop(self, now: float) -> list[Change]:
        """Nobody will look any more: end all as broken off."""
        self._settling.clear()
        at = now if self._blind_since is None else self._blind_since
        return [self._break_off(sip_id, at) for sip_id in tuple(self._followed)]

    def _unseen_since(self, each: _Followed) -> float | None:
        if self._blind_since is None:
            return None
        return max(self._blind_since, each.began_at)

    # -- the calls ---------------------------------------------------------------------

    def _settle(self, now: float, ends: dict[str, WatchedDialog]) -> list[Change]:
        calls = _by_call(self._table.dialogs.values())
        changes: list[Change] = []
        for sip_id, each in tuple(self._followed.items()):
            is_gone = sip_id not in calls
            if is_gone and (self._is_complete or sip_id in ends):
                changes.append(self._end(sip_id, each, ends.get(sip_id), now))
        for sip_id in tuple(self._settling):
            if sip_id not in calls:
                del self._settling[sip_id]
        for sip_id, dialog in () if self._is_lost else calls.items():
            followed = self._followed.get(sip_id)
            if followed is None:
                changes += self._consider(sip_id, dialog, now)
                continue
            state = _STATES[followed.direction][dialog.state]
            if _PROGRESS.index(state) > _PROGRESS.index(followed.state):
                followed.state = state
                changes.append(Moved(sip_id, state))
        return changes

    def _consider(
        self, sip_id: str, dialog: WatchedDialog, now: float
    ) -> Iterable[Change]:
        """A call that is not followed (yet)."""
        owner = self._owner(sip_id)
        is_answered = dialog.state is WatchedState.CONFIRMED
        if sip_id in self._over or owner in (Owner.OURS, Owner.RINGS_HERE):
            self._settling.pop(sip_id, None)
            return
        if owner is Owner.PASSED and not is_answered:
            # The rep has seen it here already.
            self._settling.pop(sip_id, None)
            return
        direction = CallDirection.INBOUND
        if dialog.direction == "initiator":
            direction = CallDirection.OUTBOUND
        elif not is_answered:
            since = self._settling.setdefault(sip_id, now)
            if now < since + SETTLE_S:
                return
        self._settling.pop(sip_id, None)
        if len(self._followed) >= MAX_FOLLOWED:
            return
        state = _STATES[direction][dialog.state]
        self._followed[sip_id] = _Followed(direction, state, now)
        yield Began(
            sip_id,
            direction,
            state,
            dialog.remote,
            continues=owner is Owner.PASSED,
            is_old=is_answered and not self._has_looked,
            duration_s=dialog.duration_s,
        )

    def _end(
        self, sip_id: str, each: _Followed, last: WatchedDialog | None, now: float
    ) -> Ended:
        self._forget(sip_id)
        code = None if last is None else last.code
        event = "" if last is None else last.event
        reason = _reason(each, event, code)
        return Ended(sip_id, reason, now, None if each.state is _ACTIVE else code)

    def _break_off(self, sip_id: str, at: float) -> Ended:
        self._forget(sip_id)
        return Ended(sip_id, EndReason.SERVER_UNAVAILABLE, at)

    def _forget(self, sip_id: str) -> None:
        del self._followed[sip_id]
        self._over[sip_id] = None
        while len(self._over) > REMEMBERED_ENDS:
            self._over.popitem(last=False)


_ACTIVE = CallState.ACTIVE


def _by_call(dialogs: Iterable[WatchedDialog]) -> dict[str, WatchedDialog]:
    """By Call-ID, each as the furthest of its dialogs is."""
    calls: dict[str, WatchedDialog] = {}
    for dialog in dialogs:
        if not dialog.call_id:
            continue
        known = calls.get(dialog.call_id)
        if known is None or _FURTHEST.index(dialog.state) > _FURTHEST.index(
            known.state
        ):
            calls[dialog.call_id] = dialog
    return calls


def _reason(each: _Followed, event: str, code: int | None) -> EndReason:
    """Why it ended, as far as RFC 4235 3.7.1 lets servers say; many say nothing."""
    if each.state is _ACTIVE:
        if event == "remote-bye":
            return EndReason.HUNG_UP_THERE
        return EndReason.HUNG_UP_HERE
    if each.direction is CallDirection.INBOUND:
        is_refused = event == "rejected" and code != 487
        return EndReason.DECLINED_ELSEWHERE if is_refused else EndReason.MISSED
    if event in ("cancelled", "local-bye") or code == 487:
        return EndReason.CANCELLED_HERE
    if code is not None and code >= 300:
        return of_rejection(code)
    return EndReason.NO_ANSWER
