"""Favourites in the database: by tenant, user and number, and no more than so many."""

from __future__ import annotations

from gateway.identity.users import UserKey
from gateway.storage import Database
from gateway.storage.favourites import FavouriteTable

ROBIN = UserKey("acme", "robin")
OTHERS = (UserKey("acme", "sam"), UserKey("globex", "robin"))


async def test_they_are_each_users_own_oldest_first(database: Database) -> None:
    table = FavouriteTable(database)
    for at, number in ((2.0, "+1"), (1.0, "+2"), (3.0, "+3")):
        assert await table.put(ROBIN, number, {"name": number}, now=at, at_most=3)
    assert await table.list(ROBIN) == ({"name": "+2"}, {"name": "+1"}, {"name": "+3"})
    for other in OTHERS:
        assert await table.list(other) == ()
        await table.remove(other, "+1")
    assert len(await table.list(ROBIN)) == 3


async def test_one_that_is_there_is_changed_and_no_more_than_so_many_are(
    database: Database,
) -> None:
    table = FavouriteTable(database)
    assert await table.put(ROBIN, "+1", {"name": "a"}, now=1.0, at_most=1)
    assert await table.put(ROBIN, "+1", {"name": "é"}, now=2.0, at_most=1)
    assert not await table.put(ROBIN, "+2", {"name": "b"}, now=3.0, at_most=1)
    assert await table.put(OTHERS[0], "+2", {"name": "b"}, now=3.0, at_most=1)
    assert await table.list(ROBIN) == ({"name": "é"},)
    await table.remove(ROBIN, "+1")
    await table.remove(ROBIN, "+1")
    assert await table.list(ROBIN) == ()
