"""Who does not want calls to ring, in the database."""

from __future__ import annotations

from gateway.identity.users import UserKey
from gateway.storage import Database
from gateway.storage.presences import PresenceTable

ROBIN = UserKey("acme", "robin")
OTHERS = (UserKey("acme", "sam"), UserKey("globex", "robin"))


async def test_it_is_each_users_own_and_can_be_said_twice(database: Database) -> None:
    table = PresenceTable(database)
    assert not await table.is_silent(ROBIN)
    for _ in range(2):
        await table.set_silent(ROBIN, is_silent=True)
        assert await PresenceTable(database).is_silent(ROBIN)
    for other in OTHERS:
        assert not await table.is_silent(other)
        await table.set_silent(other, is_silent=False)
    assert await table.is_silent(ROBIN)
    for _ in range(2):
        await table.set_silent(ROBIN, is_silent=False)
        assert not await table.is_silent(ROBIN)
