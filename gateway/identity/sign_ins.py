"""Sign-ins: how long each lasts, how it is prolonged, and how it ends.

A sign-in is one row from the proof of who somebody is to its end. Its tokens are short;
a page prolongs them by a refresh token, whose generation moves on with each use. The
generation before is taken for ``GRACE_S`` more, and answered with the present one: the
answer was lost, or the tab was doubled. Anything older was copied somewhere, and nobody
can say by whom: the sign-in ends.

Ends at once: sign-out, a copied token, a user who is no more. With the next sweep in
which no call of the user goes on: after so long without a refresh (every page that is
open refreshes), and so long after it began.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.identity.directory import UserDirectory
from gateway.identity.refresh_tokens import RefreshKeys, RefreshToken
from gateway.identity.tokens import AccessGrant, AccessTokens, TokenError
from gateway.identity.users import User, UserKey

logger = logging.getLogger(__name__)

GRACE_S = 30.0
SWEEP_EVERY_S = 15.0
RETRY_S = 2.0
# Ended ones are kept so long, for who looks what happened.
KEEP_ENDED_S = 7 * 86400.0


class Method(enum.StrEnum):
    """By what somebody proved who they are."""

    ASSERTION = "assertion"
    PASSWORD = "password"  # noqa: S105 - the name of a method
    SALESFORCE = "salesforce"
    PHONE = "phone"


class Ending(enum.StrEnum):
    """Why a sign-in is over."""

    SIGNED_OUT = "signed_out"
    IDLE = "idle"
    TOO_OLD = "too_old"
    # A refresh token came that had been used before.
    COPIED = "copied"
    NO_USER = "no_user"

    @property
    def waits_for_calls(self) -> bool:
        return self in (Ending.IDLE, Ending.TOO_OLD)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds: of an access token, without a refresh, and of the whole sign-in."""

    access_s: int = 3600
    idle_s: int = 8 * 3600
    absolute_s: int = 12 * 3600


@dataclass(frozen=True, slots=True)
class SignIn:
    """A row. Times are Unix seconds; ``used_at``: the last refresh."""

    sign_in_id: str
    user: UserKey
    method: Method
    created_at: float
    used_at: float
    generation: int = 0
    ended_at: float | None = None
    ending: Ending | None = None


class SignInsAwayError(Exception):
    """The table cannot be reached; later it can."""


class SignInStore(Protocol):
    """The table. Every method raises SignInsAwayError while it is away."""

    async def add(self, sign_in: SignIn) -> None: ...

    async def get(self, sign_in_id: str) -> SignIn | None: ...

    async def open(self) -> Sequence[SignIn]:
        """All that have not ended."""

    async def ended_since(self, at: float) -> Sequence[SignIn]:
        """Those that ended then or later."""

    async def rotate(self, sign_in_id: str, generation: int, at: float) -> bool:
        """Move on from this generation; False if it is not that, or has ended."""

    async def end(self, endings: Mapping[str, Ending], at: float) -> None:
        """End these, save those that have ended already."""

    async def forget(self, before: float) -> None:
        """Those that ended before."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What a page gets; ``expires_in``: of the access token, in seconds."""

    user: User
    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)
    sign_in_id: str


# End the user's session unless one of its grants is good; False: a call goes on, and
# the third argument says to wait for it.
Lapse = Callable[[UserKey, Callable[[AccessGrant], bool], bool], bool]


class SignIns:
    """Run :meth:`run` as one task, and cancel it.

    Args:
        lifetimes: of a tenant's sign-ins.
        clock: Unix seconds.
        random_id: 32 hexadecimal digits.
    """

    def __init__(
        self,
        store: SignInStore,
        *,
        users: UserDirectory,
        tokens: AccessTokens,
        keys: RefreshKeys,
        lifetimes: Callable[[str], Lifetimes],
        clock: Callable[[], float],
        random_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._users = users
        self._tokens = tokens
        self._keys = keys
        self._lifetimes = lifetimes
        self._clock = clock
        self._random_id = random_id
        self._lapse: Lapse = lambda _user, _is_good, _waits: True
        # Told of each sign-in that is over, with its session.
        self.on_end: Callable[[UserKey, str], None] = lambda _user, _id: None
        # Ended here, not yet in the table; and those whose session goes on for a call.
        self._unwritten: dict[str, Ending] = {}
        self._lapsing: dict[UserKey, set[str]] = {}
        self._work = asyncio.Event()

    def use_sessions(self, lapse: Lapse) -> None:
        """Whom to tell of ends; before the first sign-in."""
        self._lapse = lapse

    # Of a page ------------------------------------------------------------------------

    async def begin(self, user: User, method: Method) -> Issued:
        """Somebody has proven to be ``user``.

        Raises:
            SignInsAwayError: nobody can sign in just now.
        """
        now = self._clock()
        sign_in = SignIn(self._random_id(), user.key, method, now, now)
        await self._store.add(sign_in)
        return self._issue(user, sign_in, 0)

    async def refresh(self, text: str) -> Issued:
        """New tokens for a refresh token.

        Raises:
            TokenError: it is none, or the sign-in is over.
            SignInsAwayError: ask again later.
        """
        token = self._keys.read(text)
        if token is None:
            raise TokenError("This is no refresh token.")
        sign_in = await self._store.get(token.sign_in_id)
        user = self._user_of(sign_in)
        if sign_in is None or user is None:
            raise _over()
        if token.generation == sign_in.generation:
            now = self._clock()
            if await self._store.rotate(sign_in.sign_in_id, token.generation, now):
                return self._issue(user, sign_in, token.generation + 1)
            # Somebody with the same token was faster.
            sign_in = await self._store.get(token.sign_in_id)
            if self._user_of(sign_in) is None or sign_in is None:
                raise _over()
        is_repeated = (
            token.generation == sign_in.generation - 1
            and self._clock() <= sign_in.used_at + GRACE_S
        )
        if not is_repeated:
            logger.warning(
                "a refresh token of %s was used again: the sign-in ends", user.key
            )
            self.end(user.key, sign_in.sign_in_id, Ending.COPIED)
            raise _over()
        return self._issue(user, sign_in, sign_in.generation)

    def _user_of(self, sign_in: SignIn | None) -> User | None:
        """Who is signed in; None when it is over, and then it is ended."""
        if sign_in is None or sign_in.sign_in_id in self._unwritten:
            return None
        ending = self._ending_of(sign_in)
        if ending is not None:
            if sign_in.ended_at is None:
                self.end(sign_in.user, sign_in.sign_in_id, ending)
            return None
        return self._users.user(sign_in.user)

    def _ending_of(self, sign_in: SignIn) -> Ending | None:
        now, lifetimes = self._clock(), self._lifetimes(sign_in.user.tenant)
        if sign_in.ended_at is not None:
            return sign_in.ending or Ending.SIGNED_OUT
        if self._users.user(sign_in.user) is None:
            return Ending.NO_USER
        if now >= sign_in.created_at + lifetimes.absolute_s:
            return Ending.TOO_OLD
        if now >= sign_in.used_at + lifetimes.idle_s:
            return Ending.IDLE
        return None

    def _issue(self, user: User, sign_in: SignIn, generation: int) -> Issued:
        lifetimes = self._lifetimes(user.key.tenant)
        left = sign_in.created_at + lifetimes.absolute_s - self._clock()
        lifetime_s = max(1, min(lifetimes.access_s, int(left)))
        return Issued(
            user,
            self._tokens.issue(
                user.key, sign_in_id=sign_in.sign_in_id, lifetime_s=lifetime_s
            ),
            lifetime_s,
            self._keys.write(RefreshToken(sign_in.sign_in_id, generation)),
            sign_in.sign_in_id,
        )

    # Ends -----------------------------------------------------------------------------

    def end(
        self, user: UserKey, sign_in_id: str, ending: Ending = Ending.SIGNED_OUT
    ) -> None:
        """Refuse its tokens from now on; the table and the session follow."""
        if not sign_in_id or sign_in_id in self._unwritten:
            return
        self._unwritten[sign_in_id] = ending
        longest_s = self._lifetimes(user.tenant).access_s
        self._tokens.end_sign_in(sign_in_id, longest_s=longest_s)
        self._lapsing.setdefault(user, set()).add(sign_in_id)
        self._lapse_all(user, waits=ending.waits_for_calls)
        self._work.set()

    def _lapse_all(self, user: UserKey, *, waits: bool) -> None:
        over = self._lapsing[user]
        if self._lapse(user, lambda grant: grant.sign_in_id not in over, waits):
            del self._lapsing[user]
            for sign_in_id in over:
                self.on_end(user, sign_in_id)

    async def sign_out(self, text: str) -> None:
        """End the sign-in of a refresh token, of any generation.

        Raises:
            SignInsAwayError: ask again later.
        """
        token = self._keys.read(text)
        sign_in = await self._store.get(token.sign_in_id) if token else None
        if sign_in is not None and sign_in.ended_at is None:
            self.end(sign_in.user, sign_in.sign_in_id)

    async def run(self) -> None:
        """Write what has ended, and look what is to end, until cancelled."""
        await self._retried(self._recall)
        while True:
            try:
                async with asyncio.timeout(SWEEP_EVERY_S):
                    await self._work.wait()
            except TimeoutError:
                await self._retried(self.sweep)
            await self._retried(self.write)

    async def _retried(self, work: Callable[[], Awaitable[None]]) -> None:
        """The database may be away for a while; nothing is lost by waiting."""
        while True:
            try:
                await work()
            except SignInsAwayError as error:
                logger.warning("sign-ins are not kept just now: %s", error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _recall(self) -> None:
        """After a start: tokens of what ended lately are about still."""
        now = self._clock()
        for sign_in in await self._store.ended_since(now - 86400.0):
            longest_s = self._lifetimes(sign_in.user.tenant).access_s
            self._tokens.end_sign_in(sign_in.sign_in_id, longest_s=longest_s)

    async def sweep(self) -> None:
        """End what is over by now; sessions whose last call has ended follow."""
        for user in tuple(self._lapsing):
            self._lapse_all(user, waits=True)
        for sign_in in await self._store.open():
            ending = self._ending_of(sign_in)
            if ending is not None:
                self.end(sign_in.user, sign_in.sign_in_id, ending)
        await self._store.forget(self._clock() - KEEP_ENDED_S)

    async def write(self) -> None:
        """Keep what has ended."""
        self._work.clear()
        unwritten = dict(self._unwritten)
        if unwritten:
            await self._store.end(unwritten, self._clock())
        for sign_in_id in unwritten:
            del self._unwritten[sign_in_id]


def _over() -> TokenError:
    return TokenError("The sign-in is over; sign in again.", is_expired=True)
