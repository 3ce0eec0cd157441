"""INVITEs that come for a user's registration."""

from __future__ import annotations

import uuid

import sip
from gateway.calls.call import Call
from gateway.calls.caller_key import caller_key
from gateway.calls.callers import caller, match_of
from gateway.calls.desks import Desk
from gateway.calls.switchboard import Switchboard
from gateway.identity.users import UserKey
from gateway.sessions.wire import CallDirection, CallState, EndReason, PresenceState


class Incoming:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        # Of open sessions: what was registered stays theirs when accounts change.
        self._users_of: dict[sip.Account, UserKey] = {}

    def opened(self, account: sip.Account, user: UserKey) -> None:
        """INVITEs for this account are the user's from now on."""
        self._users_of[account] = user

    def closed(self, account: sip.Account) -> None:
        """They are nobody's."""
        self._users_of.pop(account, None)

    def on_invite(self, leg: sip.IncomingCall) -> None:
        """An INVITE for one of our registrations (``UserAgent.on_invite``)."""
        board = self._board
        key = self._users_of.get(leg.account)
        desk = board.desks.get(key) if key is not None else None
        if desk is None:
            board.counters.refused += 1
            leg.reject(480)
            return
        if leg.replaced is not None:
            self._replace(desk, leg, leg.replaced)
            return
        is_silent = desk.presence is PresenceState.DO_NOT_DISTURB
        if not is_silent and len(desk.calls) >= board.services.limits.max_per_user:
            board.counters.refused += 1
            leg.reject(486)
            return
        call = self._call_of(desk, leg)
        leg.on_event = call.sip_event
        if is_silent:
            # Here alone: other devices ring on.
            call.begin_refused(leg, 480, EndReason.DO_NOT_DISTURB)
            board.begin(desk, call)
            return
        call.begin_incoming(leg)
        board.begin(desk, call)
        if not desk.is_attached:
            board.services.later(
                board.services.limits.ring_while_away_s,
                lambda: self._nobody_came(desk, call),
            )

    def _replace(self, desk: Desk, leg: sip.IncomingCall, replaced: sip.Call) -> None:
        """It is to take the place of a call: nothing rings, and none is counted."""
        tenant = self._board.tenant(desk.user.key)
        call = next(
            (each for each in desk.calls.values() if each.has_leg(replaced)), None
        )
        if call is None or call.is_of_invite:
            self._board.counters.refused += 1
            leg.reject(481 if call is None else 603)
            return
        call.begin_replacing(
            leg,
            replaced,
            caller(leg.asserted_identity or leg.remote, None, country=tenant.country),
            caller_key(tenant.caller_key, leg.request.headers),
        )

    def _call_of(self, desk: Desk, leg: sip.IncomingCall) -> Call:
        board = self._board
        tenant = board.tenant(desk.user.key)
        invite = board.guests.find(
            desk.user.key, leg.remote, leg.asserted_identity, tenant.guest_account
        )
        member = None
        if invite is not None and invite.is_certain:
            member = board.meetings.rings(invite.attempt)
        call = board.new_call(
            desk,
            str(uuid.uuid4()),
            CallDirection.INBOUND,
            # Believed because the account takes calls from its own server only.
            caller(leg.asserted_identity or leg.remote, invite, country=tenant.country),
            match=match_of(invite),
            invite=invite,
            member=member,
            sheet=invite.attempt.call.sheet
            if invite and invite.is_certain and invite.attempt.call
            else None,
        )
        if invite is not None:
            invite.attempt.hosts_call = call
        if member is not None:
            member.call = call
        if invite is None:
            call.caller_key = caller_key(tenant.caller_key, leg.request.headers)
        who = call.peer.e164 or call.caller_key
        if who and tenant.connector is not None and invite is None:
            call.begin_search()
        return call

    def _nobody_came(self, desk: Desk, call: Call) -> None:
        if not desk.is_attached and call.state is CallState.RINGING:
            self._board.do(self._board.end(call, call.abandon))
