"""The table of users, in SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.identity.stored import StoredUser
from gateway.identity.users import UserKey
from gateway.storage import Database, StorageError, StoredUsers

SAM = StoredUser(
    UserKey("acme", "sam"),
    "Sam",
    "1001",
    number="77",
    email="sam@acme.example",
    crm_user_id="005000000000002AAA",
    crm_username="sam@sf.example",
    sip_auth_username="auth",
    sealed_secret="gAAAA",
    source="import",
)
NOA = StoredUser(UserKey("acme", "noa"), "Noa", "1002", is_disabled=True)
EVE = replace(SAM, key=UserKey("globex", "sam"))


@pytest.fixture
def users(database: Database) -> StoredUsers:
    return StoredUsers(database)


async def test_rows_come_back_as_they_went(users: StoredUsers) -> None:
    assert await users.all() == ()
    assert await users.replace(())
    assert await users.replace((SAM, NOA, EVE))
    there = [replace(user, revision=1) for user in (NOA, SAM, EVE)]
    assert list(await users.all()) == there
    assert "gAAAA" not in repr(there)


async def test_every_change_is_another_fingerprint(users: StoredUsers) -> None:
    seen = {await users.fingerprint()}
    for write in (
        (SAM,),
        (NOA, EVE),
        (replace(SAM, revision=1, is_disabled=True),),
        (replace(SAM, revision=2), replace(NOA, revision=1)),
    ):
        assert await users.replace(write)
        seen.add(await users.fingerprint())
    assert len(seen) == 5
    assert seen == {(0, 0), (1, 1), (3, 3), (3, 4), (3, 6)}


async def test_numbers_are_swapped(users: StoredUsers) -> None:
    await users.replace((SAM, NOA))
    noa, sam = await users.all()
    swapped = (replace(sam, sip_username="1002"), replace(noa, sip_username="1001"))
    assert await users.replace(swapped)
    assert [user.sip_username for user in await users.all()] == ["1001", "1002"]


async def test_what_has_changed_meanwhile_is_not_overwritten(
    users: StoredUsers,
) -> None:
    await users.replace((SAM, NOA))
    noa, sam = await users.all()
    assert await users.replace((replace(sam, name="Samira"),))
    assert not await users.replace((replace(noa, name="X"), replace(sam, name="Y")))
    assert not await users.replace((SAM,))
    assert not await users.replace((replace(sam, key=UserKey("acme", "nobody")),))
    assert [user.name for user in await users.all()] == ["Noa", "Samira"]


@pytest.mark.parametrize(
    "change",
    [{"sip_username": "1001"}, {"crm_user_id": "005000000000002AAA"}],
    ids=["sip", "crm"],
)
async def test_one_tenant_has_each_once(
    users: StoredUsers, change: dict[str, str]
) -> None:
    await users.replace((SAM,))
    with pytest.raises(StorageError) as caught:
        await users.replace((replace(NOA, **change),))  # type: ignore[arg-type]
    assert not caught.value.retryable
    assert await users.fingerprint() == (1, 1)


async def test_one_of_several_writers_wins(users: StoredUsers) -> None:
    await users.replace((SAM,))
    (sam,) = await users.all()
    won = await asyncio.gather(
        *(users.replace((replace(sam, name=f"Sam {n}"),)) for n in range(4))
    )
    assert sorted(won) == [False, False, False, True]
    (after,) = await users.all()
    assert after.name == f"Sam {won.index(True)}"
    assert after.revision == 2
