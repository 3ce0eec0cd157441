"""Guests' calls: who of them calls whom now, and which call of a host's that is.

A guest's call goes out through the application server as one of the tenant's guest
account, in the name of its *attempt*: the user part ``guest-`` and 80 random bits,
which live as long as the call. What rings at the host with that user part is this
call. Nothing else that a caller says names an invite; a server that rewrites From is
met by what it may have left, and what is found so is *possible*, never certain:

* an attempt of the last seconds towards this host, that has not rung here yet,
* whose guest has the display name shown, if that is one attempt only and the caller is
  no colleague,
* or the only one there is, if the caller is the guest account or anonymous.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import sip
from gateway.activities.record import CallRecord, InviteOfCall
from gateway.calls.outcome import of_attempt
from gateway.calls.ports import GuestPass, Invites, SipLeg, Telephony
from gateway.crm.connector import CrmRecord, MatchCertainty
from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.users import User, UserKey
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    ActivityView,
    CallDirection,
    ErrorKind,
    InviteRef,
)

if TYPE_CHECKING:
    from gateway.calls.call import Call

PREFIX = "guest-"
ATTEMPT_BITS = 80
# How long after its start an attempt may be taken for a call that names none.
REWRITTEN_WITHIN_S = 10.0
# An INVITE may come after the CANCEL that followed it: whose it was is still known.
REMEMBERED_S = 10.0
# INVITEs that one guest can cause: pressing "Join" again and again is no attack.
JOINS_PER_GUEST = AttemptLimit(count=6, per_s=60.0)
# RFC 3323 4.1.1.3.
ANONYMOUS = frozenset({"", "anonymous"})


@dataclass(slots=True, eq=False)
class Attempt:
    """One call of a guest's, from its INVITE to its end."""

    guest_pass: GuestPass
    # Who calls.
    user: UserKey
    # User part of its From.
    name: str
    # Of its record, so that no guest can choose one that is there already.
    record_id: str
    # It calls by this, and whom.
    account: sip.Account
    target: sip.Uri
    # Unix seconds of its INVITE; None while it waits in a meeting.
    dialled_at: float | None = None
    # The guest's call; set as soon as there is one.
    call: Call | None = None
    # The host's side of it, if it rang in a browser here.
    hosts_call: Call | None = None
    # How what is written of it stands; the host's affair.
    activity: ActivityView = field(
        default_factory=lambda: ActivityView(state=ActivityState.NONE)
    )
    # Whether it has rung at its host here.
    is_seen: bool = False
    # Unix seconds; None while it goes on.
    ended_at: float | None = None

    def ends_at(self, ends_at: float) -> None:
        """The invite ends then, Unix seconds."""
        self.guest_pass = replace(self.guest_pass, ends_at=ends_at)

    def kept_as(self, activity: ActivityView) -> None:
        """It is over, and something is written of it."""
        self.activity = activity
        if self.hosts_call is not None:
            self.hosts_call.activity_changed(activity)


@dataclass(slots=True)
class GuestCounters:
    """For metrics. ``limited``: joins refused for being too many."""

    begun: int = 0
    limited: int = 0


@dataclass(frozen=True, slots=True)
class CallInvite:
    """How a call belongs to an invite: as the guest's own side, or as the host's.

    ``is_certain`` False: the caller did not name the attempt, see the module.
    """

    attempt: Attempt
    is_guests: bool
    is_certain: bool = True

    @property
    def guest_pass(self) -> GuestPass:
        return self.attempt.guest_pass

    @property
    def contact(self) -> CrmRecord | None:
        """Whom it is with, as sure as the call is the invite's."""
        contact = self.guest_pass.contact
        if contact is None:
            return None
        certainty = MatchCertainty.EXACT if self.is_certain else MatchCertainty.POSSIBLE
        return replace(contact, certainty=certainty)

    def ref(self, *, is_over: bool) -> InviteRef:
        """As the browser protocol shows it. Only calls that certainly are the invite's
        end with it."""
        given = self.guest_pass
        ends = self.is_certain and not is_over
        return InviteRef(
            invite_id=given.invite_id,
            subject=legible(given.subject),
            guest=legible(given.guest),
            ends_at=round(given.ends_at * 1000) if ends else None,
        )

    def kept(self, own: CallRecord) -> CallRecord:
        """The call's record with its invite; a guest's as the host sees it."""
        given = self.guest_pass
        invite = InviteOfCall(
            invite_id=given.invite_id,
            guest=legible(given.guest),
            subject=legible(given.subject),
            host=given.host.key.user,
            about=given.about,
            is_attempt=self.is_guests,
            guest_user=self.attempt.user.user,
            attempt_id=self.attempt.record_id,
        )
        if not self.is_guests:
            return replace(own, invite=invite)
        return replace(
            own,
            call_id=self.attempt.record_id,
            invite=invite,
            direction=CallDirection.INBOUND,
            number="",
            e164="",
            display_name=invite.guest,
            record=own.record or given.contact,
            reason=None if own.reason is None else of_attempt(own.reason),
        )


class GuestCalls:
    """The attempts under way.

    Args:
        now: Unix seconds.
        rng: names the attempts.
        accounts: of all tenants' users.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        rng: random.Random,
        telephony: Telephony,
        accounts: Mapping[UserKey, sip.Account],
    ) -> None:
        # Set before the first session opens, where there are video invites.
        self.invites: Invites | None = None
        self.counters = GuestCounters()
        self._now = now
        self._rng = rng
        self._telephony = telephony
        self._accounts = accounts
        self._joins = Attempts(JOINS_PER_GUEST, clock=now)
        # By name.
        self._attempts: dict[str, Attempt] = {}

    def _is_colleague(self, tenant: str, sip_user: str) -> bool:
        return any(
            key.tenant == tenant and account.aor.decoded_user == sip_user
            for key, account in self._accounts.items()
        )

    async def admit(self, guest: User, guest_account: sip.Account | None) -> GuestPass:
        """Whether and whom the guest may call now.

        Raises:
            RequestError: not now, not at all, or too often.
        """
        if self.invites is None or guest_account is None:
            raise RequestError(ErrorKind.POLICY_DENIED, "There are no invites here.")
        if not self._joins.take(guest.key):
            self.counters.limited += 1
            raise RequestError(
                ErrorKind.RATE_LIMITED, "Too many calls in a minute.", retryable=True
            )
        given = await self.invites.admit(guest)
        host = given.host.key
        if host.tenant != guest.key.tenant or host not in self._accounts:
            raise RequestError(ErrorKind.POLICY_DENIED, "The host has no phone here.")
        return given

    def begin(
        self, guest: UserKey, given: GuestPass, guest_account: sip.Account
    ) -> Attempt:
        """The guest is about to call, or to wait for it; ``guest_account`` is the
        tenant's."""
        self._forget_ended()
        name = f"{PREFIX}{self._rng.getrandbits(ATTEMPT_BITS):020x}"
        attempt = self._attempts[name] = Attempt(
            given,
            guest,
            name,
            str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            account=replace(
                guest_account,
                aor=replace(guest_account.aor, user=name),
                display_name=legible(given.guest),
            ),
            target=self._accounts[given.host.key].aor,
        )
        self.counters.begun += 1
        self._tell(attempt, in_call=True, answered=False)
        return attempt

    def dial(
        self, attempt: Attempt, sdp: str, on_event: Callable[[sip.CallEvent], None]
    ) -> SipLeg:
        """Send its INVITE."""
        attempt.dialled_at = self._now()
        return self._telephony.call(attempt.account, attempt.target, sdp, on_event)

    def answered(self, attempt: Attempt) -> None:
        """A device of the host's has taken the call, or it has entered a meeting."""
        self._tell(attempt, in_call=True, answered=True)

    def end(self, attempt: Attempt, *, answered: bool) -> None:
        """The call is over, or never began: soon its name means nothing any more."""
        attempt.ended_at = self._now()
        self._forget_ended()
        self._telephony.remove_account(attempt.account)
        self._tell(attempt, in_call=False, answered=answered)

    def _forget_ended(self) -> None:
        now = self._now()
        for name, attempt in list(self._attempts.items()):
            ended_at = attempt.ended_at
            if ended_at is not None and abs(now - ended_at) > REMEMBERED_S:
                del self._attempts[name]

    def _tell(self, attempt: Attempt, *, in_call: bool, answered: bool) -> None:
        if self.invites is not None:
            given = attempt.guest_pass
            self.invites.call_changed(
                given.invite_id, given.guest_id, in_call=in_call, answered=answered
            )

    def find(
        self,
        host: UserKey,
        caller: sip.NameAddr,
        asserted: sip.NameAddr | None,
        guest_account: sip.Account | None,
    ) -> CallInvite | None:
        """Which attempt an INVITE to ``host`` is; it must be its own server's.

        Args:
            caller: From; ``asserted``: what the server says of the caller.
            guest_account: the tenant's.
        """
        if guest_account is None:
            return None
        self._forget_ended()
        user = caller.uri.decoded_user or ""
        if user.startswith(PREFIX):
            attempt = self._attempts.get(user)
            if attempt is None or attempt.guest_pass.host.key != host:
                return None
            attempt.is_seen = True
            return CallInvite(attempt, is_guests=False)
        shown = asserted or caller
        user = shown.uri.decoded_user or ""
        guests = guest_account.aor.decoded_user or ""
        if user != guests and self._is_colleague(host.tenant, user):
            return None
        recent = [
            attempt
            for attempt in self._attempts.values()
            if attempt.guest_pass.host.key == host
            and not attempt.is_seen
            and attempt.ended_at is None
            and attempt.dialled_at is not None
            and 0.0 <= self._now() - attempt.dialled_at <= REWRITTEN_WITHIN_S
        ]
        name = _folded(shown.display_name or caller.display_name)
        found = [a for a in recent if name and name == _folded(a.guest_pass.guest)]
        if not found and user.lower() in ANONYMOUS | {guests.lower()}:
            found = recent
        if len(found) != 1:
            return None
        found[0].is_seen = True
        return CallInvite(found[0], is_guests=False, is_certain=False)


def legible(text: str) -> str:
    """What a stranger said, fit to show and to send: one line, at most 255 characters.

    Bytes that were no UTF-8 become replacement characters.
    """
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Half a character, of no message but perhaps of a form.
        data = text.encode("utf-8", "replace")
    clean = data.decode("utf-8", "replace")
    return "".join(character for character in clean if character.isprintable())[:255]


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
