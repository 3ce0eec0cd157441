"""The rep's requests about invites, and what happens to invites as time goes by.

All that is done to the invites of one host is done one after the other. A request
that was done already (known by its op id, also after a restart) answers with how
things are and does nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.identity.users import User, UserKey
from gateway.invites import draft, plan, window
from gateway.invites.board import Board, TenantInvites
from gateway.invites.clock import Alarm, WindowClock
from gateway.invites.links import Links, hash_of
from gateway.invites.model import Guest, Invite, InviteKey
from gateway.invites.plan import Plan, Sender
from gateway.invites.ports import EndCalls, MoveCalls, nothing_to_move
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.owned_tasks import OwnedTasks
from gateway.sessions.wire import ErrorKind, InviteState, Wire
from gateway.storage.database import StorageError

logger = logging.getLogger(__name__)

DAY_S = 86400.0
# Of all mails a user may cause in a day, for each invite that they may make.
MAILS_PER_INVITE = 12
# Tries when another node changes the same invite.
SAVE_TRIES = 3
STORAGE_PAUSE_S = 5.0
# Invites of one company tend to end at the same full hour.
MAX_DUE_AT_ONCE = 16


class InviteService:
    """See the module. :meth:`start` before the first session, :meth:`close` last.

    Args:
        end_calls: of an invite that is over.
        move_calls: of an invite that ends at another time.
        expel: end the session of a guest who may not be here any more.
        wake_mails: there is something to send.
        later: calls back once after so many seconds.
        random_bytes: makes guest ids.
    """

    def __init__(
        self,
        board: Board,
        links: Links,
        *,
        end_calls: EndCalls,
        move_calls: MoveCalls = nothing_to_move,
        expel: Callable[[UserKey], None],
        wake_mails: Callable[[], None],
        later: Callable[[float, Callable[[], None]], Alarm],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._board = board
        self._store = board.store
        self._links = links
        self._end_calls = end_calls
        self._move_calls = move_calls
        self._expel = expel
        self._wake_mails = wake_mails
        self._new_id = lambda: random_bytes(16).hex()
        self._clock = WindowClock(self._on_due, now=board.now, later=later)
        self._tasks = OwnedTasks()
        self._due = asyncio.Semaphore(MAX_DUE_AT_ONCE)
        # One per rep who has done something; reps are as many as are configured.
        self._locks: dict[UserKey, asyncio.Lock] = {}

    @property
    def waiting_count(self) -> int:
        """Invites that are to come or going on."""
        return len(self._clock)

    async def start(self) -> None:
        """Take up every invite that is not over, and deal with those that ended while
        nobody was there."""
        invites = [
            invite
            for invite in await self._store.unclosed()
            if self._board.has_invites(invite.tenant)
        ]
        # The key may be another than when they were made.
        await self._store.add_links((each, self._hashes(each)) for each in invites)
        self._clock.set_all((each.key, self._next(each)) for each in invites)

    async def close(self) -> None:
        self._clock.close()
        await self._tasks.close()

    # Requests -------------------------------------------------------------------------

    async def perform(self, user: User, params: Wire) -> Wire:
        """Any ``invite.*`` request of a rep.

        Raises:
            RequestError: told to the rep.
        """
        settings = self._board.settings(user.key.tenant)
        try:
            match params:
                case wire.InviteList():
                    return await self._list(user, params)
                case wire.InviteLink():
                    return await self._link(user, params)
                case _:
                    async with self._turn_of(user.key):
                        invite = await self._do(user, params, settings)
                        return wire.InviteResult(invite=await self._board.view(invite))
        except StorageError as error:
            logger.warning("an invite of %s could not be kept: %s", user.key, error)
            raise RequestError(
                ErrorKind.INTERNAL,
                "The invite could not be kept; try again.",
                retryable=True,
            ) from None

    async def _do(self, user: User, params: Wire, settings: TenantInvites) -> Invite:
        sender = Sender(user, settings.open_before_s)
        now = self._board.now()
        counters = self._board.counters
        match params:
            case wire.InviteCreate():
                return await self._create(user, params, settings, sender)
            case wire.InviteChange():

                def change(before: Invite) -> Plan:
                    self._must_be_open(before)
                    checked = draft.check_draft(
                        params.invite,
                        now=now,
                        can_mail=bool(settings.sender),
                        language=settings.language,
                        before=before,
                    )
                    return plan.change(
                        before,
                        checked,
                        sender,
                        op_id=params.op_id,
                        now=now,
                        new_id=self._new_id,
                    )

                kept = await self._change(user, params, settings, change)
                counters.changed += 1
                return kept
            case wire.InviteCancel():

                def cancel(before: Invite) -> Plan:
                    if before.cancelled_at is not None:
                        return Plan(before)
                    self._must_be_open(before)
                    return plan.cancel(before, sender, op_id=params.op_id, now=now)

                kept = await self._change(user, params, None, cancel)
                counters.cancelled += 1
                return kept
            case wire.InviteResend():

                def resend(before: Invite) -> Plan:
                    self._must_be_open(before)
                    if not settings.sender:
                        raise draft.invalid("guest_id", "E-mail is not set up here.")
                    if params.guest_id is not None:
                        _must_have_guest(before, params.guest_id)
                    return plan.resend(
                        before, sender, guest_id=params.guest_id, op_id=params.op_id
                    )

                kept = await self._change(user, params, settings, resend)
                counters.resent += 1
                return kept
            case wire.InviteExtend():

                def extend(before: Invite) -> Plan:
                    self._must_be_open(before)
                    is_running = self._board.state(before) is InviteState.OPEN
                    return plan.extend(
                        before,
                        sender,
                        minutes=params.minutes,
                        op_id=params.op_id,
                        is_running=is_running,
                    )

                kept = await self._change(user, params, settings, extend)
                counters.extended += 1
                return kept
            case _:
                raise RequestError(ErrorKind.METHOD_UNKNOWN, "No such method.")

    async def _create(
        self,
        user: User,
        params: wire.InviteCreate,
        settings: TenantInvites,
        sender: Sender,
    ) -> Invite:
        key = InviteKey(user.key.tenant, params.invite_id)
        draft_hash = draft.fingerprint(params.invite)
        known = await self._store.get(key)
        if known is not None:
            return _repeated(known, user, draft_hash)
        now = self._board.now()
        checked = draft.check_draft(
            params.invite,
            now=now,
            can_mail=bool(settings.sender),
            language=settings.language,
        )
        made = await self._store.made_since(user.key, now - DAY_S)
        if made.invites >= settings.max_per_user_and_day:
            raise RequestError(
                ErrorKind.RATE_LIMITED,
                f"Not more than {settings.max_per_user_and_day} invites a day.",
            )
        planned = plan.create(
            key,
            checked,
            sender,
            draft_hash=draft_hash,
            op_id=params.op_id,
            now=now,
            new_id=self._new_id,
        )
        _must_be_few(made.mails + len(planned.mails), settings)
        kept = await self._store.add(
            planned.invite,
            mails=planned.mails,
            links=self._hashes(planned.invite),
            now=now,
        )
        if kept is None:
            raise _id_is_used()
        self._board.counters.created += 1
        await self._after(kept, planned)
        return kept

    async def _change(
        self,
        user: User,
        params: wire.InviteChange
        | wire.InviteCancel
        | wire.InviteResend
        | wire.InviteExtend,
        settings: TenantInvites | None,
        make: Callable[[Invite], Plan],
    ) -> Invite:
        """``settings`` None: what is mailed counts against no limit."""
        for _ in range(SAVE_TRIES):
            before = await self._own(user, params.invite_id)
            if params.op_id in before.ops:
                return before
            planned = make(before)
            if planned.invite == before:
                return before
            now = self._board.now()
            if settings is not None and planned.mails:
                made = await self._store.made_since(user.key, now - DAY_S)
                _must_be_few(made.mails + len(planned.mails), settings)
            kept = await self._store.save(
                planned.invite,
                mails=planned.mails,
                links=self._hashes(planned.invite),
                now=now,
            )
            if kept is not None:
                await self._after(kept, planned)
                if kept.ends_at != before.ends_at:
                    self._move_calls(kept.key, kept.ends_at)
                    if window.ends_soon(before, now):
                        self._board.publish_ending(kept)
                return kept
        raise RequestError(
            ErrorKind.INTERNAL, "Somebody else changes this invite.", retryable=True
        )

    async def _after(self, kept: Invite, planned: Plan) -> None:
        """What follows a change that is kept."""
        self._clock.set(kept.key, self._next(kept))
        if planned.mails:
            self._wake_mails()
        is_inhabited = bool(self._board.book.of_invite(kept.key))
        for key in self._board.book.refresh(kept):
            self._expel(key)
        if is_inhabited and self._board.state(kept) is not InviteState.OPEN:
            await self._end_all_calls(kept.key)
        await self._board.publish(kept)

    async def _link(self, user: User, params: wire.InviteLink) -> Wire:
        invite = await self._own(user, params.invite_id)
        self._must_be_open(invite)
        guest = _must_have_guest(invite, params.guest_id)
        await self._store.add_links([(invite, self._hashes(invite))])
        token = self._links.token(invite.tenant, guest.guest_id, guest.generation)
        return wire.InviteLinkResult(url=self._links.url(token))

    async def _list(self, user: User, params: wire.InviteList) -> Wire:
        after = None
        if params.after is not None:
            after = await self._own(user, params.after)
        invites = await self._store.listing(
            user.key,
            past=params.past,
            now=self._board.now(),
            limit=params.limit,
            after=after,
        )
        return wire.InviteListResult(invites=await self._board.views(invites))

    async def _own(self, user: User, invite_id: str) -> Invite:
        invite = await self._store.get(InviteKey(user.key.tenant, invite_id))
        if invite is None or invite.host != user.key:
            raise RequestError(ErrorKind.INVITE_UNKNOWN, "There is no such invite.")
        return invite

    def _must_be_open(self, invite: Invite) -> None:
        match self._board.state(invite):
            case InviteState.CANCELLED:
                raise RequestError(
                    ErrorKind.INVITE_CLOSED, "This invite was cancelled."
                )
            case InviteState.OVER | InviteState.NO_SHOW:
                raise RequestError(ErrorKind.INVITE_CLOSED, "This invite is over.")
            case InviteState.SCHEDULED | InviteState.OPEN:
                pass

    # Time -----------------------------------------------------------------------------

    def _next(self, invite: Invite) -> float | None:
        early = self._board.settings(invite.tenant).open_before_s
        return window.next_change(invite, self._board.now(), early)

    def _on_due(self, key: InviteKey) -> None:
        self._tasks.spawn(self._pass(key), name=f"invite {key}")

    async def _pass(self, key: InviteKey) -> None:
        """A moment of the invite has come: it opens, ends soon, or ends."""
        async with self._due:
            try:
                invite = await self._store.get(key)
                if invite is None:
                    return
                async with self._turn_of(invite.host):
                    await self._pass_in_turn(key)
            except StorageError as error:
                logger.warning("invite %s: %s", key, error)
                self._clock.set(key, self._board.now() + STORAGE_PAUSE_S)

    async def _pass_in_turn(self, key: InviteKey) -> None:
        invite = await self._store.get(key)
        if invite is None or invite.is_closed:
            return
        now = self._board.now()
        if now >= invite.ends_at:
            await self._end(invite)
            return
        self._clock.set(key, self._next(invite))
        if window.ends_soon(invite, now):
            self._board.publish_ending(invite)
        else:
            await self._board.publish(invite)

    async def _end(self, invite: Invite) -> None:
        key, book = invite.key, self._board.book
        await self._end_all_calls(key)
        # Whoever came is known before it is said that nobody did.
        for visit in book.of_invite(key):
            if visit.joined_at is not None:
                await self._store.guest_joined(key, visit.guest_id, visit.joined_at)
        now = self._board.now()
        current = await self._store.get(key)
        if current is None or current.is_closed:
            return
        kept = await self._store.save(replace(current, ended_at=now), now=now)
        if kept is None:
            self._clock.set(key, now)
            return
        counters = self._board.counters
        counters.ended += 1
        counters.no_shows += not kept.has_been_joined
        for user in book.refresh(kept):
            self._expel(user)
        await self._board.publish(kept)

    async def _end_all_calls(self, key: InviteKey) -> None:
        try:
            await self._end_calls(key)
        except Exception:
            # Its calls are calls' business; the invite is over all the same.
            logger.exception("the calls of invite %s", key)

    # ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _turn_of(self, host: UserKey) -> AsyncIterator[None]:
        async with self._locks.setdefault(host, asyncio.Lock()):
            yield

    def _hashes(self, invite: Invite) -> Mapping[str, str]:
        return {
            guest.guest_id: hash_of(
                self._links.token(invite.tenant, guest.guest_id, guest.generation)
            )
            for guest in invite.present
        }


def _repeated(known: Invite, user: User, draft_hash: str) -> Invite:
    if known.host != user.key or known.draft_hash != draft_hash:
        raise _id_is_used()
    return known


def _id_is_used() -> RequestError:
    return RequestError(ErrorKind.OP_CONFLICT, "The invite id is used already.")


def _must_have_guest(invite: Invite, guest_id: str) -> Guest:
    guest = invite.guest(guest_id)
    if guest is None:
        raise RequestError(ErrorKind.INVITE_UNKNOWN, "There is no such guest.")
    return guest


def _must_be_few(mails: int, settings: TenantInvites) -> None:
    if mails > settings.max_per_user_and_day * MAILS_PER_INVITE:
        raise RequestError(
            ErrorKind.RATE_LIMITED, "Too many e-mails today; try again tomorrow."
        )
