"""Sign-ins in the table: what two who come at once may do."""

from __future__ import annotations

import asyncio

import pytest

from gateway.identity.sign_ins import Ending, Method, SignIn, SignInsAwayError
from gateway.identity.users import UserKey
from gateway.storage import Database, SignInTable

ANA = UserKey("acme", "ana")
AT = 1_800_000_000.0


def sign_in(number: int, user: UserKey = ANA) -> SignIn:
    return SignIn(f"{number:032x}", user, Method.SALESFORCE, AT, AT)


async def test_a_sign_in_comes_back_as_it_was(database: Database) -> None:
    table = SignInTable(database)
    one, two = sign_in(1), sign_in(2, UserKey("evil", "ana"))
    await table.add(one)
    await table.add(two)
    assert await table.get(one.sign_in_id) == one
    assert await table.get("f" * 32) is None
    assert list(await table.open()) == [one, two]


async def test_one_of_many_moves_a_generation_on(database: Database) -> None:
    table = SignInTable(database)
    one = sign_in(1)
    await table.add(one)
    moved = await asyncio.gather(
        *(table.rotate(one.sign_in_id, 0, AT + 1) for _ in range(8))
    )
    assert sorted(moved) == [False] * 7 + [True]
    found = await table.get(one.sign_in_id)
    assert found is not None
    assert (found.generation, found.used_at) == (1, AT + 1)


async def test_an_end_is_for_good(database: Database) -> None:
    table = SignInTable(database)
    one, two = sign_in(1), sign_in(2)
    await table.add(one)
    await table.add(two)
    await table.end({one.sign_in_id: Ending.COPIED}, AT + 5)
    await table.end(
        {one.sign_in_id: Ending.SIGNED_OUT, two.sign_in_id: Ending.IDLE}, AT + 9
    )
    assert not await table.rotate(one.sign_in_id, 0, AT + 10)
    ended = {row.sign_in_id: row for row in await table.ended_since(AT)}
    assert ended[one.sign_in_id].ending is Ending.COPIED
    assert ended[one.sign_in_id].ended_at == AT + 5
    assert [row.ending for row in await table.ended_since(AT + 9)] == [Ending.IDLE]
    assert not await table.open()
    await table.forget(AT + 6)
    assert await table.get(one.sign_in_id) is None
    assert await table.get(two.sign_in_id) is not None


async def test_a_database_that_is_away_is_told_from_a_mistake(
    database: Database,
) -> None:
    table = SignInTable(database)
    await table.add(sign_in(1))
    await database.close()
    with pytest.raises(SignInsAwayError):
        await table.get("0" * 32)
    with pytest.raises(SignInsAwayError):
        await table.add(sign_in(2))
