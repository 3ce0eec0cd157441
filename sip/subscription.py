"""A subscription to an event package, from the subscriber's side (RFC 6665 4.1).

The machine is driven by its user (``start``, ``stop``, ``retry``), by final responses
(``receive_reply``), by NOTIFYs (``receive_notify``), and by time. It returns effects:
SUBSCRIBEs to send, answers to NOTIFYs, notifications, and states to show.

============  =====================================================================
SUBSCRIBING   a SUBSCRIBE outside of any dialog is on its way
AWAITING      2xx came, its NOTIFY has not
ACTIVE        notified: the dialog stands
REFRESHING    a SUBSCRIBE is on its way while the dialog stands
WAITING       failed or ended, the next try is due at the timer
STUCK         refused for good, until ``retry``
STOPPING      ``stop`` came while an answer was awaited
REMOVING      the SUBSCRIBE that ends it was sent; its last NOTIFY is awaited
============  =====================================================================

* The first NOTIFY makes the dialog, whether it comes before or after the 2xx (4.4.1).
  NOTIFYs of other forks are answered 481, which ends them.
* Without a NOTIFY in ``64*T1`` after the 2xx (Timer N) it has failed (4.1.2.4).
* Each new beginning has a new Call-ID, so that nothing of the old one is mistaken.
* 481 to a refresh begins anew at once. What failed otherwise waits 50 to 100 % of
  ``min(1800 s, 30 s * 2**n)``, at least Retry-After; so does what the notifier ends,
  save ``deactivated`` and ``timeout`` of one that had lasted (4.1.3).
* Refusals that the same request would meet again (403, 405, 489, 603, a wrong password,
  ``rejected``, ``noresource``, ``invariant``) wait for ``retry``.
"""

from __future__ import annotations

import enum
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sip.account import Account
from sip.compose import MAX_FORWARDS, HeaderLines
from sip.dialog import Dialog
from sip.digest import Refusal
from sip.errors import LocalProtocolError
from sip.events import Event, SubscriptionState
from sip.headers import CSeq, Headers
from sip.message import Request, Response
from sip.registration import (
    BACKOFF_BASE_S,
    BACKOFF_MAX_S,
    BACKOFF_SHARE,
    MAX_EXPIRES_S,
    MIN_REFRESH_S,
    REFRESH_SHARE,
)
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.subscription")

# Of those that were deactivated together, not all come back in the same moment.
AGAIN_S = (0.0, 2.0)
# How long the NOTIFY that confirms the end is waited for.
REMOVING_S = 2.0

UNSUPPORTED = frozenset({405, 406, 415, 416, 420, 489, 501})
REFUSED = frozenset({401, 403, 407, 603, 604})
ENDED_FOR_GOOD = frozenset({"rejected", "noresource", "invariant"})
ENDED_FOR_NOW = frozenset({"deactivated", "timeout"})

Problem = Literal[
    "unsupported", "refused", "wrong_password", "unreachable", "unavailable", "ended"
]


@dataclass(frozen=True, slots=True)
class SubscriptionInfo:
    """How a subscription stands, as its user is shown.

    Attributes:
        status: ``pending``: accepted, but nobody has approved of it yet; ``failed``
            also while the next try is being waited for.
        problem: of ``failed``. ``unsupported``, ``refused`` and ``wrong_password`` wait
            for ``retry``; ``ended``: the notifier ended it, ``reason`` says why.
        sip_code: the final status behind the problem; None when nothing came.
        retry_in_s: when the next try is due; None when none is.
    """

    status: Literal["unsubscribed", "subscribing", "pending", "active", "failed"]
    problem: Problem | None = None
    sip_code: int | None = None
    reason: str = ""
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """The body of a NOTIFY.

    Attributes:
        is_first: of a new dialog: what was known from before is void.
        is_last: the subscription is ended; another may follow by itself.
    """

    content_type: str
    body: bytes
    is_first: bool = False
    is_last: bool = False


class State(enum.StrEnum):
    """See the module's text."""

    IDLE = "idle"
    SUBSCRIBING = "subscribing"
    AWAITING = "awaiting"
    ACTIVE = "active"
    REFRESHING = "refreshing"
    WAITING = "waiting"
    STUCK = "stuck"
    STOPPING = "stopping"
    REMOVING = "removing"


class Input(enum.StrEnum):
    """What the machine reacts to."""

    START = "start"
    STOP = "stop"
    ABANDON = "abandon"
    RETRY = "retry"
    TIMER = "timer"
    GRANTED = "2xx"
    GRANTED_UNNOTIFIED = "2xx before a NOTIFY"
    TOO_BRIEF = "423"
    GONE = "481"
    FAILED = "failed"
    BARRED = "barred"
    NOTIFIED = "NOTIFY"
    ENDED = "NOTIFY terminated"
    REJECTED = "NOTIFY terminated for good"


@dataclass(frozen=True, slots=True)
class SendSubscribe:
    """Send this request; its outcome goes to ``receive_reply``.

    ``next_hop`` None: outside of a dialog, by the account's own way.
    """

    request: Request
    next_hop: Uri | None
    is_removal: bool = False


@dataclass(frozen=True, slots=True)
class AnswerNotify:
    """Answer the NOTIFY."""

    status: int
    headers: HeaderLines = ()


@dataclass(frozen=True, slots=True)
class Notified:
    """Hand this on."""

    notification: Notification


@dataclass(frozen=True, slots=True)
class Changed:
    """Show this."""

    info: SubscriptionInfo


Effect = SendSubscribe | AnswerNotify | Notified | Changed
Effects = list[Effect]
Table = Mapping[tuple[State, Input], tuple[State, Callable[..., Effects]]]


@dataclass(frozen=True, slots=True)
class _News:
    """What came with an input."""

    response: Response | None = None
    is_local: bool = False
    refusal: Refusal | None = None
    state: SubscriptionState | None = None


class SubscriptionMachine:
    """One subscription of one account.

    Args:
        accept: media types that are read, lower case.
        contact: ours, where NOTIFYs come to.
        first_notify_s: Timer N, ``64*T1``.
    """

    def __init__(
        self,
        account: Account,
        target: Uri,
        *,
        event: str,
        accept: tuple[str, ...],
        contact: Uri,
        expires_s: int,
        first_notify_s: float,
        rng: random.Random,
    ) -> None:
        if not target.is_sip:
            raise LocalProtocolError("only SIP URIs can be subscribed to")
        self.account = account
        self.target = target.without_headers()
        self.event = Event(event)
        self.accept = accept
        self.state = State.IDLE
        self.shown = SubscriptionInfo("unsubscribed")
        self._contact = contact
        # What we ask for; raised by 423.
        self._expires_s = expires_s
        self._first_notify_s = first_notify_s
        self._rng = rng
        self._call_id = ""
        self._local = account.address
        self._cseq = 0
        self._dialog: Dialog | None = None
        # Whether no body of this dialog was handed on yet.
        self._is_fresh = True
        # Since when it is notified, to tell one that lasted from one that never did.
        self._notified_at: float | None = None
        self._ends_at = 0.0
        self._failures = 0
        self._deadline: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done."""
        return self.state is State.IDLE

    @property
    def key(self) -> tuple[str, str]:
        """Call-ID and our tag, by which its NOTIFYs are found."""
        return self._call_id, self._local.tag or ""

    def next_cseq(self) -> int:
        """The number for a further try of the request under way (RFC 3261 22.2)."""
        self._cseq += 1
        if self._dialog is not None:
            self._dialog.local_cseq = self._cseq
        return self._cseq

    def get_timer(self) -> float | None:
        """When ``handle_timer`` is due."""
        return self._deadline

    def handle_timer(self, now: float) -> Effects:
        """A refresh or the next try is due, or somebody was silent for too long."""
        if self._deadline is None or self._deadline > now:
            return []
        self._deadline = None
        return self._step(Input.TIMER, _News(), now)

    def start(self, now: float) -> Effects:
        """Subscribe; without effect when it is under way."""
        return self._step(Input.START, _News(), now)

    def retry(self, now: float) -> Effects:
        """Try again now; of one that is active this fetches the whole state."""
        return self._step(Input.RETRY, _News(), now)

    def stop(self, now: float, *, unsubscribe: bool = True) -> Effects:
        """End it politely, or only forget it."""
        return self._step(Input.STOP if unsubscribe else Input.ABANDON, _News(), now)

    def receive_reply(
        self,
        response: Response,
        now: float,
        *,
        is_local: bool = False,
        refusal: Refusal | None = None,
    ) -> Effects:
        """Take the final outcome of a SUBSCRIBE.

        Args:
            is_local: the response was made here because none came (408, 503).
            refusal: why a challenge (401, 407) was not answered.
        """
        news = _News(response, is_local, refusal)
        return self._step(self._classify(news, response), news, now)

    def _classify(self, news: _News, response: Response) -> Input:
        status = response.status
        if status < 300:
            is_notified = self._dialog is not None
            return Input.GRANTED if is_notified else Input.GRANTED_UNNOTIFIED
        if status == 423:
            wanted = response.min_expires or 0
            if self._expires_s < wanted <= MAX_EXPIRES_S:
                return Input.TOO_BRIEF
            return Input.FAILED
        if status == 481:
            return Input.GONE
        if status in UNSUPPORTED:
            return Input.BARRED
        if status in REFUSED and news.refusal is not Refusal.STALE_LOOP:
            return Input.BARRED
        return Input.FAILED

    def receive_notify(self, request: Request, now: float) -> Effects:
        """Take a NOTIFY that has our Call-ID and tag."""
        state = SubscriptionState.of_headers(request.headers)
        if state is None:
            return [AnswerNotify(400)]
        if Event.of_headers(request.headers) != self.event:
            return [AnswerNotify(489)]
        if not self._belongs(request):
            return [AnswerNotify(481)]
        if request.body and request.content_type not in self.accept:
            return [AnswerNotify(415, [("Accept", ", ".join(self.accept))])]
        dialog = self._dialog
        if dialog is None:
            dialog = self._dialog = Dialog.as_subscriber(
                request,
                local=self._local,
                target=self.target,
                local_cseq=self._cseq,
            )
        elif not dialog.accepts_cseq(request):
            return [AnswerNotify(500)]
        dialog.refresh_target(request)
        effects: Effects = [
            AnswerNotify(200, [("Contact", str(NameAddr(self._contact)))])
        ]
        if request.body and self.state not in (State.STOPPING, State.REMOVING):
            effects.append(
                Notified(
                    Notification(
                        request.content_type or "",
                        request.body,
                        self._is_fresh,
                        state.is_terminated,
                    )
                )
            )
            self._is_fresh = False
        return [*effects, *self._step(_meaning(state), _News(state=state), now)]

    def _belongs(self, request: Request) -> bool:
        if self._dialog is not None:
            return self._dialog.id.remote_tag == (request.from_.tag or "")
        return self.state in (State.SUBSCRIBING, State.AWAITING, State.STOPPING)

    def _step(self, event: Input, news: _News, now: float) -> Effects:
        row = self.TABLE.get((self.state, event))
        if row is None:
            return []
        was, (self.state, action) = self.state, row
        if was is not self.state:
            _log.debug(
                "= subscription of %s to %s %s -> %s (%s)",
                self.account.aor,
                self.event,
                was,
                self.state,
                event,
            )
        return action(self, news, now)

    # -- actions -----------------------------------------------------------------------

    def _subscribe(self, news: _News, now: float) -> Effects:
        self._deadline = None
        self._dialog = None
        self._is_fresh = True
        self._notified_at = None
        self._call_id = f"{self._rng.getrandbits(128):032x}"
        self._local = self.account.address.with_tag(f"{self._rng.getrandbits(80):020x}")
        self._cseq = 0
        return [*self._show(SubscriptionInfo("subscribing")), self._initial()]

    def _retry_now(self, news: _News, now: float) -> Effects:
        self._failures = 0
        return self._subscribe(news, now)

    def _refresh(self, news: _News, now: float) -> Effects:
        self._deadline = None
        return [self._within(self._expires_s)]

    def _longer(self, news: _News, now: float) -> Effects:
        assert news.response is not None
        self._expires_s = news.response.min_expires or self._expires_s
        if self._dialog is None:
            return [self._initial()]
        return [self._within(self._expires_s)]

    def _await(self, news: _News, now: float) -> Effects:
        self._deadline = now + self._first_notify_s
        self._ends_at = now + self._granted_s(news)
        return []

    def _granted(self, news: _News, now: float) -> Effects:
        assert news.response is not None
        if self._dialog is not None:
            self._dialog.refresh_target(news.response)
        self._ends_at = now + self._granted_s(news)
        self._arm_refresh(now)
        return []

    def _notified(self, news: _News, now: float) -> Effects:
        """The first NOTIFY after the 2xx, or a further one."""
        assert news.state is not None
        is_first = self._notified_at is None
        if news.state.expires is not None:
            ends_at = now + news.state.expires
            # One second less is what rounding makes of the same moment.
            is_first = is_first or ends_at < self._ends_at - 1
            self._ends_at = min(self._ends_at, ends_at)
        if is_first:
            self._arm_refresh(now)
        return self._noted(news, now)

    def _noted(self, news: _News, now: float) -> Effects:
        """A NOTIFY while a SUBSCRIBE is on its way: its answer sets the timer."""
        assert news.state is not None
        if self._notified_at is None:
            self._notified_at = now
        is_pending = news.state.state == "pending"
        return self._show(SubscriptionInfo("pending" if is_pending else "active"))

    def _failed(self, news: _News, now: float) -> Effects:
        assert news.response is not None
        status = news.response.status
        after = None if news.is_local else news.response.retry_after
        problem: Problem = "unreachable" if news.is_local else "unavailable"
        code = None if news.is_local else status
        return self._wait(now, self._backoff_s(now, after), problem, code)

    def _silent(self, news: _News, now: float) -> Effects:
        return self._wait(now, self._backoff_s(now, None), "unavailable", None)

    def _ended(self, news: _News, now: float) -> Effects:
        assert news.state is not None
        state = news.state
        lasted = self._has_lasted(now)
        wait_s = self._backoff_s(now, state.retry_after)
        if state.reason in ENDED_FOR_NOW and lasted and state.retry_after is None:
            self._failures = 0
            wait_s = self._rng.uniform(*AGAIN_S)
        return self._wait(now, wait_s, "ended", None, state.reason)

    def _wait(
        self,
        now: float,
        wait_s: float,
        problem: Problem,
        code: int | None,
        reason: str = "",
    ) -> Effects:
        self._dialog = None
        self._deadline = now + wait_s
        return self._show(
            SubscriptionInfo("failed", problem, code, reason, retry_in_s=wait_s)
        )

    def _has_lasted(self, now: float) -> bool:
        return self._notified_at is not None and (
            now - self._notified_at >= BACKOFF_BASE_S
        )

    def _backoff_s(self, now: float, retry_after: int | None) -> float:
        if self._has_lasted(now):
            self._failures = 0
        ceiling = min(BACKOFF_BASE_S * 2.0 ** min(self._failures, 16), BACKOFF_MAX_S)
        self._failures += 1
        wait_s = ceiling * self._rng.uniform(*BACKOFF_SHARE)
        if retry_after is not None:
            wait_s = max(wait_s, min(float(retry_after), BACKOFF_MAX_S))
        return wait_s

    def _barred(self, news: _News, now: float) -> Effects:
        assert news.response is not None
        self._dialog = None
        self._deadline = None
        problem: Problem = "refused"
        if news.response.status in UNSUPPORTED:
            problem = "unsupported"
        elif news.refusal is Refusal.WRONG_PASSWORD:
            problem = "wrong_password"
        return self._show(
            SubscriptionInfo("failed", problem, sip_code=news.response.status)
        )

    def _rejected(self, news: _News, now: float) -> Effects:
        assert news.state is not None
        self._dialog = None
        self._deadline = None
        return self._show(
            SubscriptionInfo("failed", "refused", reason=news.state.reason)
        )

    def _remove(self, news: _News, now: float) -> Effects:
        self._deadline = now + REMOVING_S
        return [self._within(0)]

    def _removed(self, news: _News, now: float) -> Effects:
        self._dialog = None
        self._deadline = None
        return self._show(SubscriptionInfo("unsubscribed"))

    def _nothing(self, news: _News, now: float) -> Effects:
        return []

    def _show(self, info: SubscriptionInfo) -> Effects:
        if info == self.shown:
            return []
        self.shown = info
        return [Changed(info)]

    def _arm_refresh(self, now: float) -> None:
        left = max(self._ends_at - now, 0.0)
        wait_s = max(left * self._rng.uniform(*REFRESH_SHARE), MIN_REFRESH_S)
        self._deadline = now + wait_s

    def _granted_s(self, news: _News) -> float:
        """What a 2xx grants: never more than was asked for (4.2.1.1)."""
        granted = None if news.response is None else news.response.expires
        return float(
            min(self._expires_s if granted is None else granted, self._expires_s)
        )

    # -- messages ----------------------------------------------------------------------

    def _initial(self) -> SendSubscribe:
        headers = Headers(
            [
                ("Max-Forwards", str(MAX_FORWARDS)),
                ("From", str(self._local)),
                ("To", str(NameAddr(self.target))),
                ("Call-ID", self._call_id),
                ("CSeq", str(CSeq(self.next_cseq(), "SUBSCRIBE"))),
                *self._lines(self._expires_s),
            ]
        )
        return SendSubscribe(Request("SUBSCRIBE", self.target, headers), None)

    def _within(self, expires_s: int) -> SendSubscribe:
        assert self._dialog is not None
        request = self._dialog.create_request(
            "SUBSCRIBE", headers=self._lines(expires_s)
        )
        self._cseq = self._dialog.local_cseq
        return SendSubscribe(request, self._dialog.next_hop, expires_s == 0)

    def _lines(self, expires_s: int) -> HeaderLines:
        return (
            ("Contact", str(NameAddr(self._contact))),
            ("Event", str(self.event)),
            ("Accept", ", ".join(self.accept)),
            ("Expires", str(expires_s)),
        )

    TABLE: ClassVar[Table] = {
        (State.IDLE, Input.START): (State.SUBSCRIBING, _subscribe),
        (State.IDLE, Input.RETRY): (State.SUBSCRIBING, _subscribe),
        (State.SUBSCRIBING, Input.GRANTED_UNNOTIFIED): (State.AWAITING, _await),
        (State.SUBSCRIBING, Input.TOO_BRIEF): (State.SUBSCRIBING, _longer),
        (State.SUBSCRIBING, Input.GONE): (State.WAITING, _failed),
        (State.SUBSCRIBING, Input.FAILED): (State.WAITING, _failed),
        (State.SUBSCRIBING, Input.BARRED): (State.STUCK, _barred),
        (State.SUBSCRIBING, Input.NOTIFIED): (State.REFRESHING, _noted),
        (State.SUBSCRIBING, Input.ENDED): (State.WAITING, _ended),
        (State.SUBSCRIBING, Input.REJECTED): (State.STUCK, _rejected),
        (State.SUBSCRIBING, Input.STOP): (State.STOPPING, _nothing),
        (State.SUBSCRIBING, Input.ABANDON): (State.IDLE, _removed),
        (State.AWAITING, Input.NOTIFIED): (State.ACTIVE, _notified),
        (State.AWAITING, Input.ENDED): (State.WAITING, _ended),
        (State.AWAITING, Input.REJECTED): (State.STUCK, _rejected),
        (State.AWAITING, Input.TIMER): (State.WAITING, _silent),
        (State.AWAITING, Input.STOP): (State.IDLE, _removed),
        (State.AWAITING, Input.ABANDON): (State.IDLE, _removed),
        (State.ACTIVE, Input.NOTIFIED): (State.ACTIVE, _notified),
        (State.ACTIVE, Input.ENDED): (State.WAITING, _ended),
        (State.ACTIVE, Input.REJECTED): (State.STUCK, _rejected),
        (State.ACTIVE, Input.TIMER): (State.REFRESHING, _refresh),
        (State.ACTIVE, Input.RETRY): (State.REFRESHING, _refresh),
        (State.ACTIVE, Input.STOP): (State.REMOVING, _remove),
        (State.ACTIVE, Input.ABANDON): (State.IDLE, _removed),
        (State.REFRESHING, Input.GRANTED): (State.ACTIVE, _granted),
        (State.REFRESHING, Input.TOO_BRIEF): (State.REFRESHING, _longer),
        (State.REFRESHING, Input.GONE): (State.SUBSCRIBING, _subscribe),
        (State.REFRESHING, Input.FAILED): (State.WAITING, _failed),
        (State.REFRESHING, Input.BARRED): (State.STUCK, _barred),
        (State.REFRESHING, Input.NOTIFIED): (State.REFRESHING, _noted),
        (State.REFRESHING, Input.ENDED): (State.WAITING, _ended),
        (State.REFRESHING, Input.REJECTED): (State.STUCK, _rejected),
        (State.REFRESHING, Input.STOP): (State.STOPPING, _nothing),
        (State.REFRESHING, Input.ABANDON): (State.IDLE, _removed),
        (State.WAITING, Input.TIMER): (State.SUBSCRIBING, _subscribe),
        (State.WAITING, Input.RETRY): (State.SUBSCRIBING, _retry_now),
        (State.WAITING, Input.STOP): (State.IDLE, _removed),
        (State.WAITING, Input.ABANDON): (State.IDLE, _removed),
        (State.STUCK, Input.RETRY): (State.SUBSCRIBING, _retry_now),
        (State.STUCK, Input.STOP): (State.IDLE, _removed),
        (State.STUCK, Input.ABANDON): (State.IDLE, _removed),
        (State.STOPPING, Input.GRANTED): (State.REMOVING, _remove),
        (State.STOPPING, Input.GRANTED_UNNOTIFIED): (State.IDLE, _removed),
        (State.STOPPING, Input.TOO_BRIEF): (State.IDLE, _removed),
        (State.STOPPING, Input.GONE): (State.IDLE, _removed),
        (State.STOPPING, Input.FAILED): (State.IDLE, _removed),
        (State.STOPPING, Input.BARRED): (State.IDLE, _removed),
        (State.STOPPING, Input.ENDED): (State.IDLE, _removed),
        (State.STOPPING, Input.REJECTED): (State.IDLE, _removed),
        (State.STOPPING, Input.ABANDON): (State.IDLE, _removed),
        (State.REMOVING, Input.TOO_BRIEF): (State.IDLE, _removed),
        (State.REMOVING, Input.GONE): (State.IDLE, _removed),
        (State.REMOVING, Input.FAILED): (State.IDLE, _removed),
        (State.REMOVING, Input.BARRED): (State.IDLE, _removed),
        (State.REMOVING, Input.ENDED): (State.IDLE, _removed),
        (State.REMOVING, Input.REJECTED): (State.IDLE, _removed),
        (State.REMOVING, Input.TIMER): (State.IDLE, _removed),
        (State.REMOVING, Input.ABANDON): (State.IDLE, _removed),
    }


def _meaning(state: SubscriptionState) -> Input:
    if not state.is_terminated:
        return Input.NOTIFIED
    if state.reason in ENDED_FOR_GOOD:
        return Input.REJECTED
    return Input.ENDED
