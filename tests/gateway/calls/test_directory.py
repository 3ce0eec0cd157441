"""Whom a rep may call as they type."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.directory import MAX_ENTRIES, Directory
from gateway.calls.people_backend import PeopleBackend
from gateway.crm.connector import CrmRecord, CrmUnavailable
from gateway.identity.users import User, UserKey
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import DirectoryEntry, EntryKind, EntryState, ErrorKind
from gateway.sessions.wire.people import MAX_FAVOURITES
from tests.gateway.calls.fakes import ANA as GUEST
from tests.gateway.calls.fakes import ELSE, ROBIN, SAM, FakeConnector, World, settle

JORG = User(UserKey("acme", "jorg"), "Jörg Größmann", "+49 30 1234567", email="jg@a.eu")
ANA = CrmRecord("003A", "Contact", "Ana Sanz", "https://crm/003A", phone="646 555 0175")


class Memory:
    """Favourites as the database keeps them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[UserKey, str], Mapping[str, Any]] = {}

    async def list(self, user: UserKey) -> tuple[Mapping[str, Any], ...]:
        return tuple(row for (key, _), row in self.rows.items() if key == user)

    async def put(
        self,
        user: UserKey,
        number: str,
        entry: Mapping[str, Any],
        *,
        now: float,
        at_most: int,
    ) -> bool:
        if len(await self.list(user)) >= at_most and (user, number) not in self.rows:
            return False
        self.rows[user, number] = entry
        return True

    async def remove(self, user: UserKey, number: str) -> None:
        self.rows.pop((user, number), None)


class Office:
    """A directory of the tenant acme, with a CRM."""

    def __init__(self, *more: User, crm_within_s: float = 60.0) -> None:
        self.memory = Memory()
        self.connector = FakeConnector()
        self.states: dict[UserKey, EntryState] = {}
        self.users = (ROBIN, SAM, JORG, *more)
        self.directory = Directory(
            favourites=self.memory,
            colleagues=lambda tenant: [u for u in self.users if u.key.tenant == tenant],
            connectors={"acme": self.connector},
            state_of=lambda key: self.states.get(key, EntryState.UNKNOWN),
            now=lambda: 1000.0,
            crm_within_s=crm_within_s,
        )

    async def names(self, text: str, user: User = ROBIN) -> list[str]:
        found = await self.directory.search(user, text)
        return [entry.name for entry in found.entries]

    async def favour(self, entry: DirectoryEntry, user: User = ROBIN) -> None:
        await self.directory.set_favourite(
            user, wire.FavouriteSet(op_id="1", entry=entry)
        )


def entry(name: str = "Depot", number: str = "+1 212 555 0100") -> DirectoryEntry:
    return DirectoryEntry(kind=EntryKind.RECORD, name=name, number=number)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sam", ["Sam Okafor"]),
        ("oka sa", ["Sam Okafor"]),
        ("1001", ["Sam Okafor"]),
        ("jorg gross", ["Jörg Größmann"]),
        ("GRÖSS", ["Jörg Größmann"]),
        ("jg@a.eu", ["Jörg Größmann"]),
        ("30 1234", ["Jörg Größmann"]),
        ("(30) 12-34", ["Jörg Größmann"]),
        ("robin", []),
        ("am", []),
        ("zz", []),
    ],
)
async def test_colleagues_by_name_number_or_email(text: str, names: list[str]) -> None:
    assert await Office().names(text) == names


async def test_a_colleague_shows_their_phone() -> None:
    office = Office()
    office.states[SAM.key] = EntryState.BUSY
    (sam,) = (await office.directory.search(ROBIN, "sam")).entries
    assert (sam.kind, sam.number, sam.state) == ("colleague", "1001", "busy")


async def test_nobody_of_another_tenant_and_no_guest_is_a_colleague() -> None:
    office = Office(ELSE, GUEST)
    assert await office.names("robin") == []
    assert await office.names("ruiz") == []
    found = await office.directory.search(ELSE, "sam")
    assert (found.entries, found.is_complete) == ((), True)
    assert office.connector.asked == ["robin", "ruiz"]


async def test_favourites_come_first_and_once() -> None:
    office = Office()
    office.connector.callable = (ANA,)
    await office.favour(entry("Ana", "+16465550175"))
    await office.favour(entry("Old name", "1001"))
    found = await office.directory.search(ROBIN, "an")
    assert [(e.name, e.is_favourite) for e in found.entries] == [("Ana", True)]
    everybody = (await office.directory.search(ROBIN, "")).entries
    # A colleague's name is today's.
    assert [e.name for e in everybody] == ["Ana", "Sam Okafor"]
    assert everybody[1].kind is EntryKind.COLLEAGUE
    assert await office.names("", SAM) == []


async def test_a_crm_record_with_a_favourite_number_is_marked() -> None:
    office = Office()
    office.connector.callable = (ANA,)
    await office.favour(entry("Reception", "(646) 555-0175"))
    (found,) = (await office.directory.search(ROBIN, "sanz")).entries
    assert found.record is not None
    assert (found.name, found.is_favourite) == ("Ana Sanz", True)
    assert found.number == "(646) 555-0175"


async def test_the_empty_text_asks_no_crm() -> None:
    office = Office()
    for text in ("", "  ", "+", "()"):
        assert await office.names(text) == []
    assert office.connector.asked == []


async def test_forgetting_is_by_number_however_it_is_written() -> None:
    office = Office()
    await office.favour(entry(number="+1 212 555 0100"))
    forget = wire.FavouriteSet(
        op_id="2", entry=entry("?", "(212) 555-0100"), is_favourite=False
    )
    await office.directory.set_favourite(ROBIN, forget)
    assert office.memory.rows == {}


async def test_what_no_phone_dials_is_no_favourite() -> None:
    with pytest.raises(RequestError) as caught:
        await Office().favour(entry(number="call me"))
    assert (caught.value.kind, caught.value.field) == (
        ErrorKind.NUMBER_INVALID,
        "entry.number",
    )


async def test_favourites_are_bounded() -> None:
    office = Office()
    for place in range(MAX_FAVOURITES):
        await office.favour(entry(number=f"+1212555{place:04}"))
    with pytest.raises(RequestError, match="Not more than 50"):
        await office.favour(entry(number="+12125559999"))
    # One that is there may change.
    await office.favour(entry("New", number="+12125550000"))
    assert len((await office.directory.search(ROBIN, "")).entries) == MAX_ENTRIES


async def test_answers_are_bounded() -> None:
    many = [User(UserKey("acme", f"u{n}"), f"Sue {n}", f"2{n:03}") for n in range(50)]
    office = Office(*many)
    found = await office.directory.search(ROBIN, "sue")
    assert len(found.entries) == MAX_ENTRIES
    assert office.connector.asked == []


async def test_a_crm_that_fails_or_is_late_leaves_the_rest() -> None:
    office = Office()
    office.connector.error = CrmUnavailable("away")
    found = await office.directory.search(ROBIN, "sam")
    assert ([e.name for e in found.entries], found.is_complete) == (
        ["Sam Okafor"],
        False,
    )
    slow = Office(crm_within_s=0.01)
    slow.connector.may_answer.clear()
    found = await slow.directory.search(ROBIN, "sam")
    assert ([e.name for e in found.entries], found.is_complete) == (
        ["Sam Okafor"],
        False,
    )


async def test_of_questions_that_wait_only_the_newest_is_asked() -> None:
    office = Office()
    office.connector.may_answer.clear()
    office.connector.callable = (ANA,)
    typed = [
        asyncio.create_task(office.directory.search(ROBIN, text))
        for text in ("s", "sa", "san", "sanz")
    ]
    await settle()
    # Somebody else does not wait for them.
    other = asyncio.create_task(office.directory.search(SAM, "ana"))
    await settle()
    assert office.connector.asked == ["s", "ana"]
    office.connector.may_answer.set()
    answers = await asyncio.gather(*typed)
    assert office.connector.asked == ["s", "ana", "sanz"]
    assert [answer.is_complete for answer in answers] == [True, False, False, True]
    assert (await other).is_complete
    # Nothing is kept of anybody who has stopped typing.
    assert office.directory._turns == {}


async def test_a_favourite_that_cannot_be_read_is_passed_over() -> None:
    office = Office()
    office.memory.rows[ROBIN.key, "1"] = {"kind": "planet"}
    await office.favour(entry())
    assert await office.names("") == ["Depot"]


@given(st.text(max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    office = Office()
    office.connector.callable = (ANA,)
    found = asyncio.run(office.directory.search(ROBIN, text))
    assert len(found.entries) <= MAX_ENTRIES


# Before the calls -----------------------------------------------------------------


def backend(world: World, office: Office) -> PeopleBackend:
    pops = wire.PopsByCallType(
        inbound=wire.PopRules(single=wire.PopRule(action=wire.PopAction.RECORD))
    )
    return PeopleBackend(
        world.service,
        office.directory,
        pops={"acme": pops},
        connectors={"acme": office.connector},
    )


async def test_the_backend_answers_and_passes_on(world: World) -> None:
    office = Office()
    people = backend(world, office)
    await people.session_opened(SAM)
    await settle()
    assert office.connector.prepared == [SAM.crm_user_id]
    found = await people.perform(
        SAM, "directory.search", wire.DirectorySearch(text="robin")
    )
    assert isinstance(found, wire.DirectorySearchResult)
    assert [e.name for e in found.entries] == ["Robin Reyes"]
    await people.perform(
        SAM, "favourite.set", wire.FavouriteSet(op_id="1", entry=entry())
    )
    assert list(office.memory.rows) == [(SAM.key, "+12125550100")]
    await people.perform(
        SAM,
        "call.create",
        wire.CallCreate(op_id="2", call_id="c", to="1000", offer="o"),
    )
    assert len(people.snapshot(SAM).calls) == 1
    assert people.snapshot(SAM).rules.pops.inbound.single.action == "record"
    await people.session_closed(SAM, signed_out=True)
    await people.close()


async def test_guests_find_nobody_and_prepare_nothing(world: World) -> None:
    office = Office()
    people = backend(world, office)
    await people.session_opened(GUEST)
    for method, params in (
        ("directory.search", wire.DirectorySearch(text="robin")),
        ("favourite.set", wire.FavouriteSet(op_id="1", entry=entry())),
    ):
        with pytest.raises(RequestError) as caught:
            await people.perform(GUEST, method, params)
        assert caught.value.kind is ErrorKind.POLICY_DENIED
    assert people.snapshot(GUEST).rules == wire.WidgetRules()
    assert office.connector.prepared == []
    assert office.memory.rows == {}


async def test_busy_is_who_has_a_call_here(world: World) -> None:
    state = world.service.phone_state
    assert state(SAM.key) is EntryState.UNKNOWN
    assert state(ROBIN.key) is EntryState.AVAILABLE
    world.service.session_detached(ROBIN)
    assert state(ROBIN.key) is EntryState.AWAY
    world.service.session_attached(ROBIN)
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer="offer"),
    )
    assert state(ROBIN.key) is EntryState.BUSY
    await world.service.perform(
        ROBIN, "call.hangup", wire.CallHangup(op_id="2", call_id="c1")
    )
    await settle()
    assert state(ROBIN.key) is EntryState.AVAILABLE
