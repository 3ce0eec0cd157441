"""How long a sign-in lasts, how it is prolonged, and how it ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.refresh_tokens import RefreshKeys, RefreshToken
from gateway.identity.sign_in_memory import InMemorySignIns
from gateway.identity.sign_ins import (
    GRACE_S,
    Ending,
    Issued,
    Lifetimes,
    Method,
    SignIns,
    SignInsAwayError,
)
from gateway.identity.tokens import AccessGrant, AccessTokens, SigningKey, TokenError
from gateway.identity.users import User, UserKey

SECRET = "a-signing-key-for-tests-of-32-bytes!"
ANA = User(UserKey("acme", "ana"), "Ana Ruiz", "1001")
EVE = User(UserKey("evil", "ana"), "Eve", "1001")
LIFETIMES = Lifetimes(access_s=600, idle_s=3600, absolute_s=7200)


class Desk:
    """Sign-ins, and the sessions that hear of their ends."""

    def __init__(
        self, store: InMemorySignIns | None = None, now: float = 1_800_000_000.0
    ) -> None:
        self.now = now
        self.store = store or InMemorySignIns()
        self.users: list[User] = [ANA, EVE]
        numbers = itertools.count(1 if store is None else 1000)
        self.tokens = AccessTokens(
            (SigningKey("1", "HS256", SECRET),),
            public_url="https://phone.example.com",
            clock=lambda: self.now,
            random_id=lambda: f"jti-{next(numbers)}",
        )
        self.sign_ins = SignIns(
            self.store,
            users=self,  # type: ignore[arg-type]
            tokens=self.tokens,
            keys=RefreshKeys.of([SECRET]),
            lifetimes=lambda _: LIFETIMES,
            clock=lambda: self.now,
            random_id=lambda: f"{next(numbers):032x}",
        )
        self.sign_ins.use_sessions(self._lapse)
        self.grants: list[AccessGrant] = []
        self.in_call = False
        self.ended: list[UserKey] = []

    def user(self, key: UserKey) -> User | None:
        return next((user for user in self.users if user.key == key), None)

    def _lapse(
        self, user: UserKey, is_good: Callable[[AccessGrant], bool], waits: bool
    ) -> bool:
        good = [each for each in self.grants if each.user == user and is_good(each)]
        if good:
            others = [each for each in self.grants if each.user != user]
            self.grants = good + others
            return True
        if waits and self.in_call:
            return False
        self.ended.append(user)
        return True

    async def begin(self, user: User = ANA) -> Issued:
        issued = await self.sign_ins.begin(user, Method.PASSWORD)
        self.grants.append(self.tokens.verify(issued.access_token))
        return issued

    async def sweep(self) -> None:
        await self.sign_ins.sweep()
        await self.sign_ins.write()

    def is_good(self, issued: Issued) -> bool:
        try:
            self.tokens.verify(issued.access_token)
        except TokenError:
            return False
        return True


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def refused(desk: Desk, token: str) -> TokenError:
    with pytest.raises(TokenError) as caught:
        await desk.sign_ins.refresh(token)
    return caught.value


async def test_a_sign_in_is_prolonged_again_and_again(desk: Desk) -> None:
    issued = await desk.begin()
    assert issued.expires_in == 600
    seen = {issued.refresh_token}
    for _ in range(5):
        desk.now += 500
        issued = await desk.sign_ins.refresh(issued.refresh_token)
        assert desk.tokens.verify(issued.access_token).user == ANA.key
        seen.add(issued.refresh_token)
    assert len(seen) == 6
    assert desk.ended == []


async def test_a_token_that_was_used_before_ends_the_sign_in(desk: Desk) -> None:
    stolen = await desk.begin()
    theirs = await desk.sign_ins.refresh(stolen.refresh_token)
    theirs = await desk.sign_ins.refresh(theirs.refresh_token)
    assert (await refused(desk, stolen.refresh_token)).is_expired
    # Whoever of the two it was: neither goes on.
    assert not desk.is_good(theirs)
    assert (await refused(desk, theirs.refresh_token)).is_expired
    assert desk.ended == [ANA.key]
    await desk.sign_ins.write()
    [row] = await desk.store.ended_since(1)
    assert row.ending is Ending.COPIED


async def test_the_token_before_is_taken_for_a_moment(desk: Desk) -> None:
    first = await desk.begin()
    second = await desk.sign_ins.refresh(first.refresh_token)
    desk.now += GRACE_S
    # The answer was lost, or the tab was doubled.
    again = await desk.sign_ins.refresh(first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert desk.is_good(again)
    desk.now += 1
    await refused(desk, first.refresh_token)
    assert not desk.is_good(second)


async def test_many_at_once_get_the_same(desk: Desk) -> None:
    first = await desk.begin()
    answers = await asyncio.gather(
        *(desk.sign_ins.refresh(first.refresh_token) for _ in range(5))
    )
    assert len({issued.refresh_token for issued in answers}) == 1


async def test_idle_and_too_old(desk: Desk) -> None:
    idle, used = await desk.begin(), await desk.begin(EVE)
    desk.now += 3599
    used = await desk.sign_ins.refresh(used.refresh_token)
    desk.now += 1
    assert (await refused(desk, idle.refresh_token)).is_expired
    desk.now += 3500
    used = await desk.sign_ins.refresh(used.refresh_token)
    # Not beyond the end of the whole.
    assert used.expires_in == 100
    desk.now += 100
    assert (await refused(desk, used.refresh_token)).is_expired


async def test_a_sweep_ends_what_nobody_asks_for(desk: Desk) -> None:
    await desk.begin()
    desk.now += 3599
    await desk.sweep()
    assert desk.ended == []
    desk.now += 1
    await desk.sweep()
    assert desk.ended == [ANA.key]
    [row] = await desk.store.ended_since(1)
    assert row.ending is Ending.IDLE


async def test_a_call_is_not_cut_off_by_time(desk: Desk) -> None:
    issued = await desk.begin()
    desk.in_call = True
    desk.now += 7200
    await desk.sweep()
    assert desk.ended == []
    assert not desk.is_good(issued)
    desk.now += 86400 * 2
    await desk.sweep()
    desk.in_call = False
    await desk.sweep()
    assert desk.ended == [ANA.key]


async def test_a_user_who_is_no_more_is_out_in_a_call_too(desk: Desk) -> None:
    issued = await desk.begin()
    desk.in_call = True
    desk.users.remove(ANA)
    await desk.sweep()
    assert desk.ended == [ANA.key]
    assert not desk.is_good(issued)
    await refused(desk, issued.refresh_token)


async def test_signing_out_is_of_one_sign_in(desk: Desk) -> None:
    here, there = await desk.begin(), await desk.begin()
    await desk.sign_ins.sign_out(here.refresh_token)
    assert not desk.is_good(here)
    await refused(desk, here.refresh_token)
    # The session goes on for the other page.
    assert desk.ended == []
    assert desk.is_good(there)
    await desk.sign_ins.sign_out(there.refresh_token)
    assert desk.ended == [ANA.key]
    # Again, and with nonsense: nothing.
    await desk.sign_ins.sign_out(there.refresh_token)
    await desk.sign_ins.sign_out("nonsense")
    assert desk.ended == [ANA.key]


async def test_all_of_it_lasts_over_a_restart(desk: Desk) -> None:
    lives, ends = await desk.begin(), await desk.begin(EVE)
    moved = await desk.sign_ins.refresh(lives.refresh_token)
    await desk.sign_ins.sign_out(ends.refresh_token)
    await desk.sign_ins.write()
    later = Desk(desk.store, desk.now + GRACE_S + 1)
    task = asyncio.create_task(later.sign_ins.run())
    await asyncio.sleep(0)
    assert later.is_good(lives)
    assert not later.is_good(ends), "its access token has not expired"
    await refused(later, ends.refresh_token)
    again = await later.sign_ins.refresh(moved.refresh_token)
    assert again.user == ANA
    await refused(later, lives.refresh_token)
    task.cancel()
    await asyncio.wait({task})


class Away(InMemorySignIns):
    is_away = False

    async def end(self, endings: object, at: float) -> None:
        if self.is_away:
            raise SignInsAwayError("away")
        await super().end(endings, at)  # type: ignore[arg-type]


async def test_an_end_waits_for_the_database() -> None:
    store = Away()
    desk = Desk(store)
    issued = await desk.begin()
    store.is_away = True
    await desk.sign_ins.sign_out(issued.refresh_token)
    with pytest.raises(SignInsAwayError):
        await desk.sign_ins.write()
    await refused(desk, issued.refresh_token)
    store.is_away = False
    await desk.sign_ins.write()
    assert not await store.open()


# Tokens -------------------------------------------------------------------------------


def test_only_the_key_makes_them() -> None:
    keys = RefreshKeys.of(["new" * 11, "old" * 11])
    token = RefreshToken("0" * 32, 7)
    text = keys.write(token)
    assert keys.read(text) == token
    assert RefreshKeys.of(["old" * 11, "new" * 11]).read(text) == token
    assert RefreshKeys.of(["other" * 8]).read(text) is None
    body, _, mac = text.rpartition(".")
    for forged in (
        body.replace(".7", ".8") + "." + mac,
        "1" + text[1:],
        text[:-1],
        text + "A",
        f" {text}",
        f"{body}.{'A' * 43}",
    ):
        assert keys.read(forged) is None
    assert mac not in repr(keys)


@given(st.text(max_size=120))
def test_no_text_is_one(text: str) -> None:
    assert RefreshKeys.of([SECRET]).read(text) is None


@given(st.lists(st.integers(0, 5), max_size=12))
async def test_no_order_of_use_leaves_two_alive(order: list[int]) -> None:
    """Whoever presents whatever token when: once an old one came, nothing is good."""
    desk = Desk()
    issued = [await desk.begin()]
    is_over = False
    newest = 0
    for pick in order:
        index = min(pick, newest)
        desk.now += GRACE_S + 1
        if index == newest and not is_over:
            issued.append(await desk.sign_ins.refresh(issued[index].refresh_token))
            newest += 1
        else:
            await refused(desk, issued[index].refresh_token)
            is_over = True
    assert all(desk.is_good(each) for each in issued) is not is_over
