"""What calls need from the rest of the house, as protocols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.activities.record import CallRecord
from gateway.crm.connector import CrmRecord
from gateway.identity.users import User, UserKey
from gateway.media.engine import MediaCallId, MediaEngine
from gateway.sessions.backend import Publisher
from gateway.sessions.wire import ActivityView, CallView, EndReason, Participant
from sip import (
    Account,
    CallEvent,
    NameAddr,
    Reason,
    Registration,
    RegistrationState,
    Replaces,
    Uri,
)


class SipLeg(Protocol):
    """The SIP side of a call: ``sip.IncomingCall`` or ``sip.OutgoingCall``."""

    @property
    def call_id(self) -> str:
        """Of SIP."""

    on_event: Callable[[CallEvent], None]

    @property
    def remote_offer(self) -> str | None:
        """The INVITE's SDP; None for an offerless one."""

    @property
    def is_ended(self) -> bool:
        """Over, even if the event that says so is still on its way."""

    def ring(self) -> None: ...
    def answer(self, sdp: str) -> None: ...
    def reject(self, status: int) -> None: ...
    def hangup(self, reason: Reason | None) -> None: ...
    def reinvite(self, sdp: str) -> None: ...
    def accept_offer(self, sdp: str) -> None: ...
    def reject_offer(self, status: int) -> None: ...
    def info(self, content_type: str, body: bytes) -> None: ...
    def accept_transfer(self) -> bool: ...
    def refuse_transfer(self, status: int) -> None: ...
    def report_transfer(self, status: int) -> None: ...
    def transfer(self, target: Uri, *, replaces: Replaces | None = None) -> None: ...

    @property
    def remote(self) -> NameAddr:
        """Who is called, or From of who calls."""

    @property
    def as_replaces(self) -> Replaces:
        """For whoever is to take its place; raises LocalProtocolError."""


# Sends an INVITE with this SDP; what happens to it comes by the callback.
Dial = Callable[[str, Callable[[CallEvent], None]], SipLeg]


class Telephony(Protocol):
    """The SIP side as a whole: ``sip.UserAgent``."""

    def registration(
        self,
        account: Account,
        on_change: Callable[[RegistrationState], None],
    ) -> Registration:
        """A registration, not yet started."""

    def call(
        self,
        account: Account,
        target: Uri,
        offer: str,
        on_event: Callable[[CallEvent], None],
        *,
        replaces: Replaces | None = None,
        referred_by: NameAddr | None = None,
    ) -> SipLeg:
        """Send an INVITE; the account need not be registered. The keywords are those
        of ``sip.UserAgent.call``."""

    def remove_account(self, account: Account) -> None:
        """Forget an account that was made for one call; calls that exist go on."""


class KeptCall(Protocol):
    """An ended call: as it is kept, and as it is shown."""

    @property
    def call(self) -> CallRecord: ...
    @property
    def view(self) -> CallView: ...


class Journal(Protocol):
    """Where calls are kept. What is no coroutine returns at once and loses nothing."""

    def started(self, record: CallRecord) -> None:
        """A call or attempt has begun."""

    def resumed(self, record: CallRecord) -> None:
        """One that had ended goes on, on another device: its next end counts, and the
        activity of that one takes the place of the first's."""

    def answered(self, user: UserKey, call_id: str, at: float) -> None:
        """It was answered at this Unix time."""

    def passed_on(self, record: CallRecord) -> None:
        """It is with somebody else now."""

    def ended(
        self, user: User, record: CallRecord, *, match_is_open: bool
    ) -> ActivityView:
        """It is over: keep it and its activity, in one transaction.

        ``user`` is whose activity it is, which a guest's attempt's user is not.
        ``match_is_open``: the CRM has not said yet who the other party is, so the
        activity is matched when it is written.
        """

    def worked(self, user: User, record: CallRecord) -> None:
        """The rep has written on it, or it is due at another time. ``user`` is whose
        activity it is. What is older than what was kept changes nothing."""

    def record_chosen(
        self,
        user: User,
        call_id: str,
        record: CrmRecord,
        about: CrmRecord | None = None,
    ) -> None:
        """The rep named its CRM record after the end: the activity moves there.

        ``about``: what it is about besides, as before.
        """

    async def flush(self) -> None:
        """Wait until all that was said is kept, wherever."""

    async def history(
        self, user: UserKey, *, limit: int, before: float | None
    ) -> tuple[CallView, ...]:
        """Ended calls, newest first; ``before`` is a Unix time of their start."""

    async def find(self, user: UserKey, call_id: str) -> KeptCall | None:
        """One of the user's ended calls."""

    async def in_wrap_up(self, user: UserKey) -> tuple[KeptCall, ...]:
        """The user's ended calls that wait for them, newest first."""

    async def retry_activity(self, user: UserKey, call_id: str) -> bool:
        """What of the call the CRM refused is tried again; False if nothing was."""


class PresenceStore(Protocol):
    """Who does not want calls to ring; kept over restarts."""

    async def is_silent(self, user: UserKey) -> bool:
        """Also False when nobody can say now."""

    async def set_silent(self, user: UserKey, *, is_silent: bool) -> None:
        """Raises RequestError: it cannot be kept now."""


@dataclass(frozen=True, slots=True)
class GuestPass:
    """Leave for one guest to call one host now.

    Attributes:
        guest: their name; ``subject`` of the invite.
        host: who is called: the user who invited.
        contact: who the guest is in the CRM, None if nobody was named.
        about: the CRM record that the invite was made from.
        ends_at: Unix seconds; whoever gave the pass ends the calls then.
    """

    invite_id: str
    guest_id: str
    guest: str
    subject: str
    host: User
    contact: CrmRecord | None
    about: CrmRecord | None
    ends_at: float


class Invites(Protocol):
    """What calls need of the video invites."""

    async def admit(self, guest: User) -> GuestPass:
        """May this guest call now?

        Raises:
            RequestError: too early, too late, cancelled, or whatever else is so.
        """

    def call_changed(
        self, invite_id: str, guest_id: str, *, in_call: bool, answered: bool
    ) -> None:
        """A guest's call has begun, was answered, or is over (``in_call`` False;
        ``answered`` then says whether it ever was)."""


@dataclass(frozen=True, slots=True)
class RoomSeat:
    """A call's part in the room of its meeting.

    Attributes:
        name: stream id under which others receive it.
        partner: the call it hears by SIP.
        participants: everybody else who is in.
    """

    name: str
    partner: MediaCallId | None
    participants: tuple[Participant, ...]


class Membership(Protocol):
    """A call's meeting, as the call knows it; what it says may come back at once, by
    the call's own inbox."""

    @property
    def room(self) -> str:
        """Of the media engine."""

    def connected(self) -> None:
        """The call is answered, or has entered."""

    def cut_off(self) -> bool:
        """Its SIP leg has ended at the far end; whether it lives on without."""

    def ended(self, reason: EndReason | None, sip_code: int | None) -> None:
        """It is over; None: no INVITE of its was ever sent, and it was not answered."""


class Alarm(Protocol):
    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Seconds, and calls one user may have at once; ``max_joined_per_user`` of those
    they have transferred and that the gateway keeps together."""

    max_per_user: int = 6
    max_joined_per_user: int = 12
    no_answer_s: float = 90.0
    ring_while_away_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Services:
    """Handed to every call. ``now`` gives Unix seconds, ``later`` calls back once."""

    engine: MediaEngine
    publisher: Publisher
    journal: Journal
    limits: CallLimits
    now: Callable[[], float]
    later: Callable[[float, Callable[[], None]], Alarm]
