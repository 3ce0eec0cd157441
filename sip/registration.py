"""Registration of one contact (RFC 3261 10, RFC 3608, RFC 5626).

The machine is driven by its user (``start``, ``stop``, ``retry``), by final responses
(``receive_reply``), by the loss of its connection, and by time. It returns effects:
REGISTER requests to send, and states to show.

* One Call-ID for its whole life and a CSeq that grows with every try, also with
  those that answer a challenge (10.2.4).
* The contact has a random user part, by which an incoming call is matched. Our own
  binding is found in the 200 by it or by instance and reg-id: registrars return the
  bindings of other phones too, and often first.
* Refreshed after 50 to 90 % of the time granted, by lot.
* A wrong password and a 403 are not tried again until ``retry``: that would end in a
  lock-out. Other failures wait 50 to 100 % of ``min(1800 s, 30 s * 2**n)`` (RFC 5626
  4.5), but at least Retry-After.
* A lost connection registers anew at once.
"""

from __future__ import annotations

import enum
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sip.account import Account
from sip.compose import MAX_FORWARDS
from sip.digest import Refusal
from sip.errors import LocalProtocolError, ParseError
from sip.headers import CSeq, Headers
from sip.lexical import parse_delta_seconds
from sip.message import Request, Response
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.registration")

# RFC 5626 4.5, for a user agent all of whose flows failed.
BACKOFF_BASE_S = 30.0
BACKOFF_MAX_S = 1800.0
BACKOFF_SHARE = (0.5, 1.0)
REFRESH_SHARE = (0.5, 0.9)
# No registrar is believed to want refreshes more often than this.
MIN_REFRESH_S = 1.0
# A 423 asks for more time; one that asks for more than a day is refused.
MAX_EXPIRES_S = 86_400

Problem = Literal["wrong_password", "refused", "unreachable", "unavailable"]


@dataclass(frozen=True, slots=True)
class RegistrationState:
    """What the user is shown.

    Attributes:
        status: ``failed`` also while the next try is being waited for.
        problem: of ``failed``. ``wrong_password`` and ``refused`` by 403 wait for
            ``retry``; ``unreachable``: no answer; ``unavailable``: an answer that
            asks to come later.
        sip_code: the final status behind the problem; None when nothing came.
        retry_in_s: when the next try is due; None when none is.
        expires_s: of ``registered``: the time granted.
    """

    status: Literal["unregistered", "registering", "registered", "failed"]
    problem: Problem | None = None
    sip_code: int | None = None
    retry_in_s: float | None = None
    expires_s: int | None = None


class State(enum.StrEnum):
    """States of the machine."""

    IDLE = "idle"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    # Failed, the next try is due at the timer.
    WAITING = "waiting"
    # Failed for good, until retry().
    STUCK = "stuck"
    # stop() came while an answer was awaited.
    STOPPING = "stopping"
    REMOVING = "removing"


class Input(enum.StrEnum):
    """What the machine reacts to."""

    START = "start"
    STOP = "stop"
    ABANDON = "abandon"
    RETRY = "retry"
    TIMER = "timer"
    CONNECTION_LOST = "connection lost"
    GRANTED = "granted"
    TOO_BRIEF = "too brief"
    FAILED = "failed"
    BARRED = "barred"


@dataclass(frozen=True, slots=True)
class SendRegister:
    """Send this request; its outcome goes to ``receive_reply``."""

    request: Request
    # The removal at the end is not to wait for its turn.
    is_removal: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """Show this."""

    state: RegistrationState


Effect = SendRegister | Changed
Effects = list[Effect]
Table = Mapping[tuple[State, Input], tuple[State, Callable[..., Effects]]]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A final response, or none, with what it means."""

    response: Response
    is_local: bool
    refusal: Refusal | None


class RegistrationMachine:
    """One binding of one account.

    Args:
        contact: without parameters, its user part unique (see ``contact_user``).
        call_id: unique, kept for the whole life.
    """

    def __init__(
        self, account: Account, *, contact: Uri, call_id: str, rng: random.Random
    ) -> None:
        self.account = account
        self.contact = contact
        self.state = State.IDLE
        self.shown = RegistrationState("unregistered")
        # From the last 200: the way of later requests (RFC 3608).
        self.service_route: tuple[NameAddr, ...] = ()
        self._rng = rng
        self._call_id = call_id
        self._from_tag = f"{rng.getrandbits(80):020x}"
        self._cseq = 0
        # What we ask for; raised by 423.
        self._expires_s = account.expires_s
        self._failures = 0
        self._deadline: float | None = None

    @property
    def is_awaiting(self) -> bool:
        """Whether an answer is outstanding."""
        return self.state in (
            State.REGISTERING,
            State.REFRESHING,
            State.STOPPING,
            State.REMOVING,
        )

    def next_cseq(self) -> int:
        """The number for a further try of the request under way (22.2)."""
        self._cseq += 1
        return self._cseq

    def get_timer(self) -> float | None:
        """When ``handle_timer`` is due."""
        return self._deadline

    def handle_timer(self, now: float) -> Effects:
        """A refresh or the next try is due."""
        if self._deadline is None or self._deadline > now:
            return []
        self._deadline = None
        return self._step(Input.TIMER, None, now)

    def start(self, now: float) -> Effects:
        """Register; without effect when it is under way."""
        return self._step(Input.START, None, now)

    def retry(self, now: float) -> Effects:
        """Try again now, e.g. with a corrected password."""
        return self._step(Input.RETRY, None, now)

    def stop(self, now: float, *, unregister: bool = True) -> Effects:
        """Remove the binding, or only forget it."""
        return self._step(Input.STOP if unregister else Input.ABANDON, None, now)

    def connection_lost(self, now: float) -> Effects:
        """The registrar can no longer reach us by the way it knew."""
        return self._step(Input.CONNECTION_LOST, None, now)

    def receive_reply(
        self,
        response: Response,
        now: float,
        *,
        is_local: bool = False,
        refusal: Refusal | None = None,
    ) -> Effects:
        """Take the final outcome of a REGISTER.

        Args:
            is_local: the response was made here because none came (408, 503).
            refusal: why a challenge (401, 407) was not answered.

        Raises:
            LocalProtocolError: none is awaited, or it is provisional.
        """
        if not self.is_awaiting or response.status < 200:
            raise LocalProtocolError("no such outcome is awaited")
        outcome = _Outcome(response, is_local, refusal)
        return self._step(self._classify(outcome), outcome, now)

    def _classify(self, outcome: _Outcome) -> Input:
        status = outcome.response.status
        if status < 300:
            return Input.GRANTED
        if status == 423:
            wanted = outcome.response.min_expires or 0
            if self._expires_s < wanted <= MAX_EXPIRES_S:
                return Input.TOO_BRIEF
            return Input.FAILED
        if status == 403:
            return Input.BARRED
        if status in (401, 407) and outcome.refusal is not Refusal.STALE_LOOP:
            return Input.BARRED
        return Input.FAILED

    def _step(self, event: Input, outcome: _Outcome | None, now: float) -> Effects:
        row = self.TABLE.get((self.state, event))
        if row is None:
            return []
        previous, (self.state, action) = self.state, row
        if previous is not self.state:
            _log.debug(
                "= registration %s %s -> %s (%s)",
                self.account.aor,
                previous,
                self.state,
                event,
            )
        return action(self, outcome, now)

    # -- actions -------------------------------------------------------------------

    def _register(self, outcome: _Outcome | None, now: float) -> Effects:
        self._deadline = None
        effects = self._show(RegistrationState("registering"))
        return [*effects, SendRegister(self._request(self._expires_s))]

    def _refresh(self, outcome: _Outcome | None, now: float) -> Effects:
        self._deadline = None
        return [SendRegister(self._request(self._expires_s))]

    def _retry_now(self, outcome: _Outcome | None, now: float) -> Effects:
        self._failures = 0
        return self._register(outcome, now)

    def _granted(self, outcome: _Outcome | None, now: float) -> Effects:
        assert outcome is not None
        self._failures = 0
        granted = self._granted_s(outcome.response)
        self.service_route = _service_route(outcome.response)
        wait = max(granted * self._rng.uniform(*REFRESH_SHARE), MIN_REFRESH_S)
        self._deadline = now + wait
        return self._show(RegistrationState("registered", expires_s=granted))

    def _longer(self, outcome: _Outcome | None, now: float) -> Effects:
        assert outcome is not None
        self._expires_s = outcome.response.min_expires or self._expires_s
        return [SendRegister(self._request(self._expires_s))]

    def _failed(self, outcome: _Outcome | None, now: float) -> Effects:
        assert outcome is not None
        response = outcome.response
        ceiling = min(BACKOFF_BASE_S * 2.0 ** min(self._failures, 16), BACKOFF_MAX_S)
        self._failures += 1
        wait = ceiling * self._rng.uniform(*BACKOFF_SHARE)
        if response.retry_after is not None and not outcome.is_local:
            wait = max(wait, min(float(response.retry_after), BACKOFF_MAX_S))
        self._deadline = now + wait
        problem: Problem = "refused"
        if outcome.is_local:
            problem = "unreachable"
        elif response.status in (401, 407, 408, 480) or response.status >= 500:
            problem = "unavailable"
        code = None if outcome.is_local else response.status
        return self._show(
            RegistrationState("failed", problem=problem, sip_code=code, retry_in_s=wait)
        )

    def _barred(self, outcome: _Outcome | None, now: float) -> Effects:
        assert outcome is not None
        is_wrong = outcome.refusal is Refusal.WRONG_PASSWORD
        self._deadline = None
        return self._show(
            RegistrationState(
                "failed",
                problem="wrong_password" if is_wrong else "refused",
                sip_code=outcome.response.status,
            )
        )

    def _remove(self, outcome: _Outcome | None, now: float) -> Effects:
        self._deadline = None
        return [SendRegister(self._request(0), is_removal=True)]

    def _removed(self, outcome: _Outcome | None, now: float) -> Effects:
        self._deadline = None
        self.service_route = ()
        return self._show(RegistrationState("unregistered"))

    def _nothing(self, outcome: _Outcome | None, now: float) -> Effects:
        return []

    def _show(self, state: RegistrationState) -> Effects:
        if state == self.shown:
            return []
        self.shown = state
        return [Changed(state)]

    # -- messages ------------------------------------------------------------------

    def _request(self, expires_s: int) -> Request:
        address = self.account.address
        contact = NameAddr(self.contact)
        if self.account.instance_id is not None:
            contact = contact.with_param(
                "+sip.instance", f'"<{self.account.instance_id}>"'
            ).with_param("reg-id", str(self.account.reg_id))
        contact = contact.with_param("expires", str(expires_s))
        headers = Headers(
            [
                ("Max-Forwards", str(MAX_FORWARDS)),
                ("From", str(address.with_tag(self._from_tag))),
                ("To", str(address)),
                ("Call-ID", self._call_id),
                ("CSeq", str(CSeq(self.next_cseq(), "REGISTER"))),
                ("Contact", str(contact)),
                ("Expires", str(expires_s)),
                ("Supported", "path, outbound"),
            ]
        )
        return Request("REGISTER", self.account.registrar_uri, headers)

    def _granted_s(self, response: Response) -> int:
        """The time our own binding was given, never another phone's."""
        for contact in response.contacts:
            if self._is_ours(contact):
                granted = parse_delta_seconds(contact.param("expires") or "")
                if granted is not None:
                    return granted
        return self._expires_s if response.expires is None else response.expires

    def _is_ours(self, contact: NameAddr) -> bool:
        if contact.uri.user == self.contact.user:
            return True
        instance = self.account.instance_id
        return (
            instance is not None
            and contact.param("+sip.instance") == f"<{instance}>"
            and contact.param("reg-id") == str(self.account.reg_id)
        )

    TABLE: ClassVar[Table] = {
        (State.IDLE, Input.START): (State.REGISTERING, _register),
        (State.IDLE, Input.RETRY): (State.REGISTERING, _register),
        (State.REGISTERING, Input.GRANTED): (State.REGISTERED, _granted),
        (State.REGISTERING, Input.TOO_BRIEF): (State.REGISTERING, _longer),
        (State.REGISTERING, Input.FAILED): (State.WAITING, _failed),
        (State.REGISTERING, Input.BARRED): (State.STUCK, _barred),
        (State.REGISTERING, Input.STOP): (State.STOPPING, _nothing),
        (State.REGISTERING, Input.ABANDON): (State.IDLE, _removed),
        (State.REGISTERED, Input.TIMER): (State.REFRESHING, _refresh),
        (State.REGISTERED, Input.RETRY): (State.REFRESHING, _refresh),
        (State.REGISTERED, Input.CONNECTION_LOST): (State.REGISTERING, _register),
        (State.REGISTERED, Input.STOP): (State.REMOVING, _remove),
        (State.REGISTERED, Input.ABANDON): (State.IDLE, _removed),
        (State.REFRESHING, Input.GRANTED): (State.REGISTERED, _granted),
        (State.REFRESHING, Input.TOO_BRIEF): (State.REFRESHING, _longer),
        (State.REFRESHING, Input.FAILED): (State.WAITING, _failed),
        (State.REFRESHING, Input.BARRED): (State.STUCK, _barred),
        (State.REFRESHING, Input.STOP): (State.STOPPING, _nothing),
        (State.REFRESHING, Input.ABANDON): (State.IDLE, _removed),
        (State.WAITING, Input.TIMER): (State.REGISTERING, _register),
        (State.WAITING, Input.RETRY): (State.REGISTERING, _retry_now),
        (State.WAITING, Input.STOP): (State.IDLE, _removed),
        (State.WAITING, Input.ABANDON): (State.IDLE, _removed),
        (State.STUCK, Input.RETRY): (State.REGISTERING, _retry_now),
        (State.STUCK, Input.STOP): (State.IDLE, _removed),
        (State.STUCK, Input.ABANDON): (State.IDLE, _removed),
        (State.STOPPING, Input.START): (State.REGISTERING, _nothing),
        (State.STOPPING, Input.GRANTED): (State.REMOVING, _remove),
        (State.STOPPING, Input.TOO_BRIEF): (State.IDLE, _removed),
        (State.STOPPING, Input.FAILED): (State.IDLE, _removed),
        (State.STOPPING, Input.BARRED): (State.IDLE, _removed),
        (State.STOPPING, Input.ABANDON): (State.IDLE, _removed),
        (State.REMOVING, Input.GRANTED): (State.IDLE, _removed),
        (State.REMOVING, Input.TOO_BRIEF): (State.IDLE, _removed),
        (State.REMOVING, Input.FAILED): (State.IDLE, _removed),
        (State.REMOVING, Input.BARRED): (State.IDLE, _removed),
        (State.REMOVING, Input.ABANDON): (State.IDLE, _removed),
    }


def contact_user(rng: random.Random) -> str:
    """A user part nobody can guess, so that a call to it is for this binding."""
    return f"{rng.getrandbits(80):020x}"


def _service_route(response: Response) -> tuple[NameAddr, ...]:
    try:
        return tuple(
            NameAddr.parse(value)
            for value in response.headers.get_list("Service-Route")
        )
    except ParseError:
        _log.info("a malformed Service-Route is left out")
        return ()
