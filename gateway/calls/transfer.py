"""A call that the rep hands over, from asking to the outcome. Pure.

Blind or attended, the far end is put on hold first, then asked to call the target
(REFER). Where it will not, the gateway *joins*: it calls the target itself, or brings
together two calls that are there already.

===========  ========================================================================
IDLE         no transfer, or the rep took the call back
HOLDING      the far end is about to know that it is on hold
REFERRED     it was asked
JOINING      the gateway does it
UNKNOWN      the far end agreed and then said nothing; shown as failed
FAILED       the rep still has the call, on hold
DONE         the far end talks to the target
===========  ========================================================================

* Nobody can take back a REFER. What its reports say is of no interest after the rep
  has taken the call, and until they end there is no other: the gateway joins.
* After UNKNOWN the far end may well have got through: hanging up our call then is what
  phones do that have.
* Attended, both far ends are there: what a wrong route or an old phone spoils
  (Replaces is known to few) the gateway mends, but not what a person refuses.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping

from gateway.sessions.wire import TransferState

logger = logging.getLogger(__name__)

# Said by people, or by their phones for them.
DECLINED = frozenset({486, 600, 603})


class Step(enum.StrEnum):
    """See the module's text."""

    IDLE = "idle"
    HOLDING = "holding"
    REFERRED = "referred"
    JOINING = "joining"
    UNKNOWN = "unknown"
    FAILED = "failed"
    DONE = "done"


class Input(enum.StrEnum):
    """What can happen to a transfer."""

    ASK = "ask"
    HELD = "far end held"
    REFUSED = "far end does not transfer"
    ANSWERED = "target answered"
    REJECTED = "target rejected"
    MENDABLE = "target not reached, and it is here"
    SILENT = "no final report"
    JOINED = "joined"
    TAKE_BACK = "take back"


class Effect(enum.Enum):
    """What is to be done after an input."""

    NOTHING = enum.auto()
    REFER = enum.auto()
    JOIN = enum.auto()
    # What was begun in order to join is not wanted any more.
    GIVE_UP = enum.auto()
    END = enum.auto()


_S = Step
_I = Input
_E = Effect
UNDER_WAY = frozenset({_S.HOLDING, _S.REFERRED, _S.JOINING})
TRANSITIONS: Mapping[tuple[Step, Input], tuple[Step, Effect]] = {
    **{
        (step, _I.ASK): (_S.HOLDING, _E.NOTHING)
        for step in (_S.IDLE, _S.FAILED, _S.UNKNOWN)
    },
    (_S.HOLDING, _I.HELD): (_S.REFERRED, _E.REFER),
    (_S.HOLDING, _I.REFUSED): (_S.JOINING, _E.JOIN),
    (_S.REFERRED, _I.REFUSED): (_S.JOINING, _E.JOIN),
    (_S.REFERRED, _I.MENDABLE): (_S.JOINING, _E.JOIN),
    (_S.REFERRED, _I.REJECTED): (_S.FAILED, _E.NOTHING),
    (_S.REFERRED, _I.SILENT): (_S.UNKNOWN, _E.NOTHING),
    (_S.REFERRED, _I.ANSWERED): (_S.DONE, _E.END),
    (_S.JOINING, _I.REJECTED): (_S.FAILED, _E.GIVE_UP),
    (_S.JOINING, _I.JOINED): (_S.DONE, _E.NOTHING),
    (_S.HOLDING, _I.TAKE_BACK): (_S.IDLE, _E.NOTHING),
    (_S.REFERRED, _I.TAKE_BACK): (_S.IDLE, _E.NOTHING),
    (_S.JOINING, _I.TAKE_BACK): (_S.IDLE, _E.GIVE_UP),
    (_S.UNKNOWN, _I.TAKE_BACK): (_S.IDLE, _E.NOTHING),
    (_S.FAILED, _I.TAKE_BACK): (_S.IDLE, _E.NOTHING),
}


class Transfer:
    """Of one call; the last one that was asked for.

    Attributes:
        is_accepted: the far end has agreed to it, and nothing is said against it yet.
        sip_code: why it failed.
    """

    def __init__(self) -> None:
        self.step = Step.IDLE
        self.is_accepted = False
        self.sip_code: int | None = None
        self._is_attended = False
        self._rings = False
        # The last report of a REFER of ours has yet to come.
        self._is_reporting = False

    @property
    def is_under_way(self) -> bool:
        return self.step in UNDER_WAY

    @property
    def state(self) -> TransferState | None:
        """As it is shown."""
        match self.step:
            case Step.IDLE | Step.DONE:
                return None
            case Step.UNKNOWN | Step.FAILED:
                return TransferState.FAILED
            case Step.HOLDING:
                return TransferState.ASKED
            case Step.REFERRED if not self.is_accepted:
                return TransferState.ASKED
            case Step.REFERRED | Step.JOINING:
                return TransferState.RINGING if self._rings else TransferState.TRYING

    def ask(self, *, is_attended: bool) -> bool:
        """The rep wants it; False: not now."""
        if (self.step, _I.ASK) not in TRANSITIONS:
            return False
        self._apply(_I.ASK)
        self._is_attended = is_attended
        self.is_accepted = self._rings = False
        self.sip_code = None
        return True

    def held(self) -> Effect:
        """The far end knows that it is on hold, or will not hear of it."""
        if self.step is not Step.HOLDING:
            return Effect.NOTHING
        if self._is_reporting:
            return self._apply(_I.REFUSED)
        self._is_reporting = True
        return self._apply(_I.HELD)

    def reported(self, status: int | None, *, is_final: bool) -> Effect:
        """Of a REFER of ours; status None: nobody will say how it ended."""
        if is_final:
            self._is_reporting = False
        if self.step is not Step.REFERRED:
            return Effect.NOTHING
        self.is_accepted = True
        if not is_final:
            self._rings |= (status or 0) >= 180
            return Effect.NOTHING
        if status is None:
            return self._apply(_I.SILENT)
        if status < 300:
            return self._apply(_I.ANSWERED)
        self.sip_code = status
        self.is_accepted = False
        is_mendable = self._is_attended and status not in DECLINED
        return self._apply(_I.MENDABLE if is_mendable else _I.REJECTED)

    def refused(self) -> Effect:
        """The far end will not transfer."""
        self._is_reporting = False
        if self.step is Step.REFERRED:
            self._rings = False
        return self._apply(_I.REFUSED)

    def rings(self) -> None:
        """The target does, called by the gateway."""
        self._rings |= self.step is Step.JOINING

    def joined(self) -> None:
        """The gateway has brought the far ends together."""
        self._apply(_I.JOINED)

    def not_joined(self, sip_code: int | None) -> Effect:
        """The gateway could not."""
        if self.step is Step.JOINING:
            self.sip_code = sip_code
        return self._apply(_I.REJECTED) if self.step is Step.JOINING else _E.NOTHING

    def take_back(self) -> Effect:
        """The rep talks to the far end again."""
        return self._apply(_I.TAKE_BACK)

    def _apply(self, given: Input) -> Effect:
        row = TRANSITIONS.get((self.step, given))
        if row is None:
            return Effect.NOTHING
        was, (self.step, effect) = self.step, row
        logger.debug("= transfer %s -> %s (%s)", was, self.step, given)
        return effect
