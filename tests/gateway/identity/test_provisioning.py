"""Who signs in with the CRM and is not known: by which rule, and who gets nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crm.connector import CrmUnavailable, CrmUser
from gateway.identity.directory import CrmIdentity
from gateway.identity.provisioning import RuleProvisioner
from gateway.identity.stored import StoredUser
from gateway.identity.users import UserKey
from tests.gateway.identity.people import (
    NEW_ID,
    SAM_ID,
    MemoryStore,
    identity,
    live,
    row,
    tenant,
)

SAM = UserKey("acme", "sam")
FIELD = {"by": "field"}


class Crm:
    """Whose users have these fields; None: it is away."""

    def __init__(self, fields: Mapping[str, str] | None) -> None:
        self.fields = fields
        self.asked: list[tuple[CrmUser, tuple[str, ...]]] = []

    async def user_fields(
        self, user: CrmUser, names: tuple[str, ...]
    ) -> Mapping[str, str]:
        self.asked.append((user, names))
        if self.fields is None:
            raise CrmUnavailable("away")
        return {name: self.fields.get(name, "") for name in names}


class World:
    def __init__(
        self,
        *rows: StoredUser,
        rules: tuple[dict[str, str], ...] = (FIELD,),
        crm: Crm | None = None,
        invites: Any = None,
        **more: Any,
    ) -> None:
        section = {"rules": rules, **more} if rules else None
        self.store = MemoryStore(*rows)
        tenants = {
            name: tenant(name, provisioning=section, invites=invites)
            for name in ("acme", "globex")
        }
        self.users = live(self.store, *tenants.values())
        self.provisioner = RuleProvisioner(
            tenants, self.users, self.store, fields_of=lambda _: crm
        )

    async def key(self, whom: CrmIdentity, of: str = "acme") -> str:
        user = await self.provisioner.provision(of, whom)
        if user is None:
            return ""
        # From now on without provisioning.
        assert self.users.by_crm_user(of, whom.user_id) is not None
        return str(user.key)


def with_extension(extension: str, user_id: str = NEW_ID, **more: str) -> CrmIdentity:
    return identity(user_id, attributes={"Extension": extension}, **more)


async def test_by_extension_to_an_imported_account() -> None:
    world = World(row())
    assert await world.key(with_extension(" 1001 ")) == "acme/sam"
    linked = world.store.rows[SAM]
    assert linked.crm_user_id == NEW_ID
    assert linked.crm_username == "noa@acme.example"
    password = world.users.accounts[SAM].password.reveal()
    assert password == "password of acme/sam"


async def test_by_extension_to_a_new_account_with_the_shared_password() -> None:
    world = World(
        rules=({"by": "field", "sip_username": "a-{value}"},), sip_password="shared"
    )
    assert await world.key(with_extension("1001")) == "acme/a-1001"
    key = UserKey("acme", "a-1001")
    made = world.store.rows[key]
    assert (made.name, made.email, made.source) == (
        "Noa Nagy",
        "noa@acme.example",
        "sign-in",
    )
    assert made.sealed_secret == ""
    assert world.users.accounts[key].password.reveal() == "shared"
    # The second time they are known.
    assert await world.key(with_extension("9999")) == "acme/a-1001"


async def test_the_crm_is_asked_for_what_the_sign_in_did_not_bring() -> None:
    crm = Crm({"Extension": "1001"})
    world = World(row(), crm=crm)
    assert await world.key(identity()) == "acme/sam"
    user = CrmUser("acme", "noa@acme.example", NEW_ID)
    assert crm.asked == [(user, ("Extension",))]


async def test_a_crm_that_is_away_leaves_the_other_rules() -> None:
    rules = (FIELD, {"by": "email"})
    world = World(row(email="Noa@Acme.example"), rules=rules, crm=Crm(None))
    assert await world.key(identity()) == "acme/sam"


async def test_by_table_and_by_email() -> None:
    rules = ({"by": "table"}, {"by": "email"})
    named = row("a", sip_username="1", crm_username="NOA@acme.example")
    mailed = row("b", sip_username="2", email="noa@acme.example")
    assert await World(named, mailed, rules=rules).key(identity()) == "acme/a"
    assert await World(mailed, rules=rules).key(identity()) == "acme/b"
    assert await World(rules=rules).key(identity()) == ""
    # No address is not everybody's address.
    assert await World(row(), rules=rules).key(identity(email="", username="")) == ""


async def test_by_email_through_a_pattern() -> None:
    rules = ({"by": "email", "sip_username": "{value}"},)
    world = World(rules=rules, sip_password="shared")
    assert await world.key(identity()) == "acme/noa"
    assert await World(rules=rules).key(identity()) == ""


async def test_an_id_that_is_taken_is_not_taken_over() -> None:
    # Robin's id is the name of another SIP account.
    world = World(sip_password="shared")
    assert await world.key(with_extension("robin")) == f"acme/{NEW_ID}"


@pytest.mark.parametrize(
    ("world", "whom", "why"),
    [
        (World(rules=()), with_extension("1001"), "no section provisioning"),
        (World(), with_extension("1001"), "no rule of provisioning leads"),
        (World(row()), identity(), "no rule of provisioning leads"),
        (World(row()), with_extension("sip:1001@evil"), "no rule"),
        (World(row()), with_extension("1001", user_id="' OR 1"), "id is malformed"),
        (World(row()), with_extension("1001", user_id=""), "id is malformed"),
        (
            World(row(crm_user_id=SAM_ID)),
            with_extension("1001"),
            "by field it is acme/sam, who is another",
        ),
        (
            World(row(is_disabled=True)),
            with_extension("1001"),
            "by field it is acme/sam, who is disabled",
        ),
        (
            World(row(is_disabled=True, crm_user_id=NEW_ID)),
            with_extension("2000"),
            "acme/sam is disabled",
        ),
        (
            World(row(crm_user_id=NEW_ID, sealed_secret="x")),
            with_extension("1001"),
            "acme/sam cannot sign in",
        ),
        (
            # Robin's, of the configuration.
            World(sip_password="shared"),
            with_extension("1000"),
            "SIP username '1000' is that of 'robin' in the configuration",
        ),
        (
            World(
                sip_password="shared",
                invites={"sip": {"username": "guests", "password": "x"}},
            ),
            with_extension("guests"),
            "is that of the guests of invites",
        ),
        (
            World(row(), domains=("acme.example",)),
            with_extension("1001", email="noa@evil.example"),
            "in none of provisioning.domains",
        ),
        (
            World(row(), domains=("acme.example",)),
            with_extension("1001", email="noa@acme.example.evil"),
            "in none of provisioning.domains",
        ),
        (
            World(
                row("a", sip_username="1", email="noa@acme.example"),
                row("b", sip_username="2", email="NOA@acme.example"),
                rules=({"by": "email"},),
            ),
            identity(),
            "it could be several: acme/a, acme/b",
        ),
        (
            # Another tenant's account is no account.
            World(row(of="globex")),
            with_extension("1001"),
            "no rule of provisioning leads",
        ),
    ],
)
async def test_who_gets_nothing(
    world: World, whom: CrmIdentity, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = dict(world.store.rows)
    assert await world.key(whom) == ""
    assert why in caplog.text
    assert world.store.rows == before


async def test_a_tenant_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    assert await World(row()).key(with_extension("1001"), of="nowhere") == ""
    assert "no such tenant" in caplog.text


async def test_a_domain_lets_its_own_in() -> None:
    world = World(row(), domains=("ACME.example",))
    whom = with_extension("1001", email="noa@Acme.Example")
    assert await world.key(whom) == "acme/sam"


async def test_the_same_crm_id_in_another_tenant_is_somebody_else() -> None:
    world = World(row(), row(of="globex"))
    assert await world.key(with_extension("1001")) == "acme/sam"
    assert world.users.by_crm_user("globex", NEW_ID) is None
    assert await world.key(with_extension("1001"), of="globex") == "globex/sam"


async def test_both_spellings_of_an_id_are_one_user() -> None:
    world = World(row(), row("noa", sip_username="1002"))
    assert await world.key(with_extension("1001", NEW_ID[:15])) == "acme/sam"
    assert await world.key(with_extension("1002", NEW_ID)) == "acme/sam"


async def test_two_at_once_make_one_account() -> None:
    world = World(sip_password="shared")
    whom = with_extension("1001")
    keys = await asyncio.gather(*(world.key(whom) for _ in range(5)))
    assert set(keys) == {"acme/1001"}
    assert len(world.store.rows) == 1


async def test_two_people_with_one_extension_get_one_account() -> None:
    world = World(row())
    both = (with_extension("1001"), with_extension("1001", SAM_ID))
    keys = await asyncio.gather(*map(world.key, both))
    assert sorted(keys) == ["", "acme/sam"]


async def test_another_node_was_quicker() -> None:
    world = World(row())
    # With somebody else.
    world.store.before_write = (replace(row(), crm_user_id=SAM_ID),)
    assert await world.key(with_extension("1001")) == ""
    # With the same person.
    world = World(row())
    world.store.before_write = (replace(row(), crm_user_id=NEW_ID),)
    assert await world.key(with_extension("1001")) == "acme/sam"
    # With the SIP username, under another id.
    world = World(sip_password="shared")
    world.store.before_write = (row("noa", sip_username="1001", crm_user_id=NEW_ID),)
    assert await world.key(with_extension("1001")) == "acme/noa"


async def test_a_database_that_is_away_is_a_refusal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(row())
    world.store.is_away = True
    assert await world.provisioner.provision("acme", with_extension("1001")) is None
    assert "the database is away" in caplog.text


async def test_the_log_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = World(row(), sip_password="shared-secret")
    await world.key(with_extension("1001"))
    await world.key(with_extension("1002", SAM_ID))
    assert "password of" not in caplog.text
    assert "shared-secret" not in caplog.text


@given(
    whom=st.builds(
        CrmIdentity,
        user_id=st.text(max_size=70) | st.just(NEW_ID),
        org_id=st.text(max_size=5),
        username=st.text(max_size=300),
        email=st.text(max_size=300) | st.emails(),
        name=st.text(max_size=200),
        attributes=st.fixed_dictionaries(
            {"Extension": st.text(max_size=80) | st.sampled_from(["1000", "1001"])}
        ),
    )
)
def test_whatever_the_crm_says_nobody_loses_an_account(whom: CrmIdentity) -> None:
    taken = row(crm_user_id=SAM_ID)
    rules = (FIELD, {"by": "email", "sip_username": "{value}"}, {"by": "table"})
    world = World(taken, rules=rules, sip_password="shared")
    user = asyncio.run(world.provisioner.provision("acme", whom))
    assert world.store.rows[SAM] == replace(taken, revision=1)
    assert user is None or user.key not in (SAM, UserKey("acme", "robin"))
    assert world.users.merged.problems == {}
