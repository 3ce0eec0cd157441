"""The rep looks for people: whom to invite, by a few letters."""

from __future__ import annotations

import pytest

from gateway.crm.connector import (
    CrmDuplicateFound,
    CrmError,
    CrmRecord,
    CrmRefused,
    CrmUnavailable,
    PersonKind,
)
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind
from tests.gateway.calls.fakes import ELSE, ROBIN, World

ANA = CrmRecord(
    "003A", "Contact", "Ana Ruiz", "https://crm/003A", email="ana@acme-corp.example"
)
BOB = CrmRecord("003B", "Contact", "Bob Roy", "https://crm/003B")


async def test_people_are_found_by_name_with_their_email(world: World) -> None:
    world.connector.records = (ANA, BOB)
    search = wire.RecordSearch(text="an")
    result = await world.service.perform(ROBIN, "record.search", search)
    assert isinstance(result, wire.RecordSearchResult)
    assert [record.name for record in result.records] == ["Ana Ruiz", "Bob Roy"]
    assert result.records[0].email == "ana@acme-corp.example"
    assert world.connector.asked == ["an"]


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (CrmRefused("No access"), ErrorKind.CRM_REFUSED, False),
        (CrmUnavailable("Away"), ErrorKind.CRM_UNAVAILABLE, True),
    ],
)
async def test_a_search_that_fails_says_how(
    world: World, error: CrmError, kind: ErrorKind, retryable: bool
) -> None:
    world.connector.error = error
    with pytest.raises(RequestError, match=str(error)) as caught:
        await world.service.perform(
            ROBIN, "record.search", wire.RecordSearch(text="an")
        )
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)


async def test_without_a_crm_there_is_nobody_to_find(world: World) -> None:
    await world.service.session_opened(ELSE)
    with pytest.raises(RequestError) as caught:
        await world.service.perform(ELSE, "record.search", wire.RecordSearch(text="an"))
    assert caught.value.kind is ErrorKind.CRM_REFUSED


async def test_a_new_contact_has_the_email_that_was_given(world: World) -> None:
    result = await world.service.perform(
        ROBIN,
        "contact.create",
        wire.ContactCreate(op_id="1", last_name="Ruiz", email=ANA.email),
    )
    assert isinstance(result, wire.ContactCreateResult)
    assert result.record.email == ANA.email
    assert world.connector.drafts[0].email == ANA.email


async def test_a_new_lead_beside_somebody_who_is_there(world: World) -> None:
    await world.service.perform(
        ROBIN,
        "contact.create",
        wire.ContactCreate(
            op_id="1", last_name="Ruiz", kind="Lead", allow_duplicate=True
        ),
    )
    (draft,) = world.connector.drafts
    assert (draft.kind, draft.allow_duplicate) == (PersonKind.LEAD, True)


@pytest.mark.parametrize(("may_be", "field"), [(True, "allow_duplicate"), (False, "")])
async def test_a_duplicate_is_shown_with_the_way_on(
    world: World, may_be: bool, field: str
) -> None:
    world.connector.error = CrmDuplicateFound("There", (ANA,), may_be_allowed=may_be)
    with pytest.raises(RequestError) as caught:
        await world.service.perform(
            ROBIN, "contact.create", wire.ContactCreate(op_id="1", last_name="Ruiz")
        )
    assert caught.value.kind is ErrorKind.CRM_DUPLICATE
    assert [record.name for record in caught.value.records] == ["Ana Ruiz"]
    assert caught.value.field == field


async def test_what_the_crm_wants_more_is_named(world: World) -> None:
    world.connector.error = CrmRefused("Missing", field="company")
    with pytest.raises(RequestError) as caught:
        await world.service.perform(
            ROBIN, "contact.create", wire.ContactCreate(op_id="1", last_name="Ruiz")
        )
    assert (caught.value.kind, caught.value.field) == (ErrorKind.CRM_REFUSED, "company")
