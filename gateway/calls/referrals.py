"""Which transfers asked for from outside are granted, and how they are dialled.

A REFER is a call on the rep's account, and its target the far end's choice: toll fraud
is what it is good for. So nobody may, unless the tenant says so; what may be dialled is
what the rep may dial, at the tenant's own server, whatever host the REFER names; one at
a time for a user, and few in a minute and a day.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sip
from gateway.calls.callers import address_of, peer_of
from gateway.calls.referred import REFUSED, Granted
from gateway.crm.numbers import Number, NumberError, normalise
from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.users import UserKey
from gateway.sessions.wire import RegistrationState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gateway.calls.call import Call
    from gateway.calls.desks import Desk
    from gateway.calls.ports import SipLeg
    from gateway.calls.switchboard import Switchboard

logger = logging.getLogger(__name__)

# Of one user.
PER_MINUTE = AttemptLimit(count=4, per_s=60.0)
PER_DAY = AttemptLimit(count=40, per_s=86_400.0)
FORBIDDEN, NOT_FOUND, TOO_MANY, PENDING = 403, 404, 480, 491


class TransfersFromOutside(enum.StrEnum):
    """Whose REFERs a tenant follows: nobody's, those of its own users, anybody's."""

    REFUSE = "refuse"
    COLLEAGUES = "colleagues"
    ALLOW = "allow"


class Unwanted(Exception):
    """A REFER that is not followed; ``status``: what it is answered."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True)
class ReferralCounters:
    """For metrics; they only grow."""

    granted: int = 0
    refused: int = 0
    limited: int = 0


def judge(
    target: sip.Uri,
    policy: TransfersFromOutside,
    *,
    is_colleague: bool,
    hosts: Collection[str],
    country: str,
) -> Number:
    """Whom a REFER may have us call.

    Args:
        is_colleague: whether it is a colleague who asks.
        hosts: of the tenant's own server, in lower case.

    Raises:
        Unwanted: nobody.
    """
    if policy is TransfersFromOutside.REFUSE:
        raise Unwanted(REFUSED, "nobody outside may transfer")
    if policy is TransfersFromOutside.COLLEAGUES and not is_colleague:
        raise Unwanted(REFUSED, "none but colleagues may transfer")
    if target.is_sip:
        if target.host.lower() not in hosts:
            raise Unwanted(FORBIDDEN, "the target is of another domain")
    elif target.scheme != "tel":
        raise Unwanted(FORBIDDEN, "the target is no telephone")
    number = target.decoded_user if target.is_sip else target.user
    try:
        return normalise(number or "", country)
    except NumberError as error:
        raise Unwanted(NOT_FOUND, str(error)) from None


class Referrals:
    """Of all users. Grants are counted and limited here, and here alone."""

    def __init__(self, board: Switchboard) -> None:
        self.counters = ReferralCounters()
        self._board = board
        now = board.services.now
        self._limits = tuple(
            Attempts(each, clock=now) for each in (PER_MINUTE, PER_DAY)
        )
        self._under_way: set[UserKey] = set()
        board.on_referral = self.ask

    def ask(
        self, desk: Desk, call: Call, event: sip.TransferRequested
    ) -> Granted | int:
        """Whether the far end of ``call`` may have us call somebody."""
        try:
            number = self._check(desk, call, event.target)
        except Unwanted as error:
            self.counters.refused += 1
            logger.warning("REFER to %s refused: %s", desk.user.key, error)
            return error.status
        self.counters.granted += 1
        user = desk.user.key
        self._under_way.add(user)
        board = self._board
        account = board.accounts[user]
        target = address_of(number, board.tenant(user).domain)

        def dial(sdp: str, on_event: Callable[[sip.CallEvent], None]) -> SipLeg:
            return board.telephony.call(
                account,
                target,
                sdp,
                on_event,
                replaces=event.replaces,
                referred_by=event.referred_by,
            )

        return Granted(dial, peer_of(number), lambda: self._under_way.discard(user))

    def _check(self, desk: Desk, call: Call, target: sip.Uri) -> Number:
        user = desk.user.key
        if call.is_of_invite or desk.user.is_guest or user not in self._board.accounts:
            raise Unwanted(REFUSED, "a call by an invite stays where it is")
        if call.handover.is_bound:
            raise Unwanted(PENDING, "the rep transfers the call")
        tenant = self._board.tenant(user)
        number = judge(
            target,
            tenant.transfers_from_outside,
            is_colleague=self._board.is_with_colleague(call),
            hosts=self._board.accounts[user].own_hosts | {tenant.domain.lower()},
            country=tenant.country,
        )
        if desk.state.state is not RegistrationState.REGISTERED:
            raise Unwanted(TOO_MANY, "the phone account is not registered")
        if user in self._under_way:
            raise Unwanted(TOO_MANY, "another one is under way")
        if not all(limit.take(user) for limit in self._limits):
            self.counters.limited += 1
            raise Unwanted(TOO_MANY, "too many of them")
        return number
