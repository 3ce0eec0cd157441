"""Users of the configuration and of the database, as one directory."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from gateway.identity.live import merge
from gateway.identity.sealing import SecretBox
from gateway.identity.stored import full_crm_id
from gateway.identity.users import UserKey
from tests.gateway.identity.people import (
    BOX,
    KEY,
    OLD_KEY,
    SAM_ID,
    MemoryStore,
    live,
    row,
    tenant,
)

ROBIN, SAM = UserKey("acme", "robin"), UserKey("acme", "sam")


def test_both_are_there_with_their_accounts() -> None:
    sam = row(crm_user_id=SAM_ID, number="77", sip_auth_username="sam-auth")
    merged = merge({"acme": tenant(company="Acme")}, [sam], BOX)
    assert merged.problems == {}
    assert merged.users[SAM].number == "77"
    assert merged.users[SAM].company == "Acme"
    assert merged.users[ROBIN].number == "1000"
    account = merged.accounts[SAM]
    assert str(account.aor) == "sip:1001@acme.example"
    assert account.username == "sam-auth"
    assert account.password.reveal() == "password of acme/sam"
    assert account.display_name == "Sam"
    assert account.instance_id != merged.accounts[ROBIN].instance_id
    assert "password of" not in repr(merged)


@pytest.mark.parametrize(
    ("rival", "problem"),
    [
        (row("robin"), "is there already: 'robin' in the configuration"),
        (row(sip_username="1000"), "SIP username '1000' is that of 'robin'"),
        (row(crm_user_id="005000000000001AAA"), "CRM user 005000000000001AAA is that"),
        (row(crm_user_id="005000000000001"), "CRM user 005000000000001 is that"),
        (row(of="nowhere"), "the configuration has no such tenant"),
        (row(sealed_secret=""), "has no SIP password"),
        (row(sealed_secret=BOX.seal(UserKey("globex", "sam"), "x")), "for another"),
        (row(sealed_secret=SecretBox([OLD_KEY]).seal(SAM, "x")), "none of secrets_"),
        (row(sip_username="x" * 65), "its SIP account is malformed"),
    ],
)
def test_the_configuration_wins_and_what_is_wrong_is_said(
    rival: object, problem: str
) -> None:
    assert isinstance(rival, type(row()))
    merged = merge({"acme": tenant()}, [rival], BOX)
    assert set(merged.users) == set(merged.accounts) == {ROBIN}
    assert merged.users[ROBIN].name == "Robin Reyes"
    assert problem in merged.problems[rival.key]


def test_rows_that_claim_the_same_do_not_end_the_service() -> None:
    # As somebody may write by hand into a database.
    rows = [
        row("a", sip_username="1", crm_user_id=SAM_ID),
        row("b", sip_username="2", crm_user_id=SAM_ID[:15]),
    ]
    users = live(MemoryStore(*rows))
    asyncio.run(users.refresh())
    assert set(users.merged.users) == {ROBIN, UserKey("acme", "a")}


def test_a_disabled_row_is_nobody_and_no_problem() -> None:
    merged = merge({"acme": tenant()}, [row(is_disabled=True)], BOX)
    assert set(merged.users) == {ROBIN}
    assert merged.problems == {}


def test_the_same_in_two_tenants_is_two_users() -> None:
    rows = [row(crm_user_id=SAM_ID), row(of="globex", crm_user_id=SAM_ID)]
    tenants = {name: tenant(name) for name in ("acme", "globex")}
    merged = merge(tenants, rows, BOX)
    assert merged.problems == {}
    assert str(merged.accounts[UserKey("globex", "sam")].aor).endswith("globex.example")


def test_a_shared_password_counts_where_there_is_no_own() -> None:
    rules = {"rules": [{"by": "email"}], "sip_password": "shared"}
    rows = [row(sealed_secret=""), row("noa", sip_username="1002")]
    merged = merge({"acme": tenant(provisioning=rules)}, rows, BOX)
    assert merged.accounts[SAM].password.reveal() == "shared"
    own = merged.accounts[UserKey("acme", "noa")].password.reveal()
    assert own == "password of acme/noa"


async def test_a_change_is_seen_and_who_is_gone_is_told() -> None:
    store = MemoryStore(row(crm_user_id=SAM_ID))
    users = live(store)
    gone: list[UserKey] = []
    users.on_gone = gone.append
    assert users.user(SAM) is None
    await users.refresh()
    assert users.by_crm_user("acme", SAM_ID) == users.user(SAM) is not None
    assert users.by_crm_user("globex", SAM_ID) is None
    assert set(users.accounts) == {ROBIN, SAM}
    assert len(users.accounts) == 2
    assert users.has_sip_user("acme", "1001")
    assert not users.has_sip_user("globex", "1001")

    await users.refresh()
    assert store.readings == 1
    store.put(replace(store.rows[SAM], is_disabled=True))
    assert users.user(SAM) is not None
    await users.refresh()
    assert users.user(SAM) is None
    assert SAM not in users.accounts
    assert not users.has_sip_user("acme", "1001")
    assert gone == [SAM]
    assert [user.key for user in users.stored("acme")] == [SAM]

    store.put(replace(store.rows[SAM], is_disabled=False))
    await users.refresh()
    assert users.user(SAM) is not None
    assert gone == [SAM]


@pytest.mark.parametrize(
    ("change", "is_out"),
    [
        ({"sealed_secret": BOX.seal(SAM, "a new password")}, False),
        ({"name": "Samira"}, False),
        ({"sip_username": "1009"}, True),
        ({"crm_user_id": full_crm_id("005000000000003")}, True),
    ],
)
async def test_whoever_is_somebody_else_now_is_out(
    change: dict[str, str], is_out: bool
) -> None:
    store = MemoryStore(row(crm_user_id=SAM_ID))
    users = live(store)
    gone: list[UserKey] = []
    users.on_gone = gone.append
    await users.refresh()
    store.put(replace(store.rows[SAM], **change))  # type: ignore[arg-type]
    await users.refresh()
    assert gone == ([SAM] if is_out else [])


async def test_the_first_crm_user_of_a_row_ends_no_session() -> None:
    store = MemoryStore(row())
    users = live(store)
    users.on_gone = lambda _: pytest.fail("nobody is gone")
    await users.refresh()
    store.put(replace(store.rows[SAM], crm_user_id=SAM_ID))
    await users.refresh()
    assert users.by_crm_user("acme", SAM_ID) is not None


async def test_it_follows_and_survives_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryStore(row())
    users = live(store)
    await users.refresh()
    gone: asyncio.Queue[UserKey] = asyncio.Queue()
    users.on_gone = gone.put_nowait
    store.is_away = True
    task = asyncio.create_task(users.run(interval_s=0.001))
    try:
        async with asyncio.timeout(10):
            await store.was_away.wait()
            assert users.user(SAM) is not None
            store.put(replace(store.rows[SAM], is_disabled=True))
            store.is_away = False
            assert await gone.get() == SAM
    finally:
        task.cancel()
    assert caplog.text.count("are not seen") == 1


async def test_a_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    store = MemoryStore(row(sip_username="1000"))
    users = live(store)
    await users.refresh()
    store.put(row("noa", sip_username="1002"))
    await users.refresh()
    assert caplog.text.count("acme/sam cannot sign in: SIP username '1000'") == 1
    assert "geheim" not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("005000000000001", "005000000000001AAA"),
        ("0055g00000ABCDE", "0055g00000ABCDEAA5"),
        ("005000000000001AAA", "005000000000001AAA"),
        ("00500000000000", "00500000000000"),
        ("8d4b32f0-0000-4000-8000-000000000001",) * 2,
        ("", ""),
    ],
)
def test_one_salesforce_user_has_one_id(given: str, full: str) -> None:
    assert full_crm_id(given) == full
