"""Ways to sign in as the configuration and the table have them."""

from __future__ import annotations

from typing import Any

import sip
from gateway.config import Config, TenantSection
from gateway.identity.live import LiveUsers
from gateway.identity.ways import WaysToSignIn
from tests.gateway.identity.people import MemoryStore, live, row, tenant


def ways(users: LiveUsers, section: TenantSection) -> WaysToSignIn:
    config = Config.model_validate({"signing_key": "k" * 32, "tenants": [section]})
    return WaysToSignIn(config, users, "https://phone.example.com/callback")


async def test_whose_phone_account_it_is() -> None:
    section = tenant(phone_sign_in=True, invites={"sip": _guests()})
    store = MemoryStore(
        row("sam", sip_username="1001", sip_auth_username="sam-auth"),
        row("gone", sip_username="1002", is_disabled=True),
    )
    users = live(store, section)
    await users.refresh()
    phones = ways(users, section).phones()["acme"]

    def owner(name: str) -> str:
        user = phones.owners(name)
        return user.key.user if user else ""

    assert [owner(name) for name in ("1000", "1001", "1002", "1003")] == [
        *("robin", "sam"),
        *("", ""),
    ]
    # Who was disabled does not come back as a stranger; guests are no person.
    assert [phones.is_barred(n) for n in ("1002", "Guests", "1003")] == [
        *(True, True),
        False,
    ]
    account = phones.account("1001", sip.Secret("typed"))
    assert (account.username, account.password.reveal()) == ("sam-auth", "typed")
    assert str(account.aor) == "sip:1001@acme.example"
    assert phones.account("1003", sip.Secret("x")).username == "1003"


def test_a_tenant_without_it_has_none() -> None:
    section = tenant()
    assert ways(live(MemoryStore(), section), section).phones() == {}


def test_rules_are_given_the_fields_that_they_look_at() -> None:
    rules = [{"by": "field", "field": "Desk__c"}, {"by": "table"}, {"by": "field"}]
    section = tenant(
        provisioning={"rules": rules},
        salesforce={
            "my_domain": "https://acme.my.salesforce.com",
            "lightning": "https://acme.lightning.force.com",
            "consumer_key": "key",
            "private_key": "pem",
            "sign_in": {"organizations": ["00D000000000001AAA"], "fields": ["Desk__c"]},
        },
    )
    users = live(MemoryStore(), section)
    made, asks = ways(users, section).salesforce(users, _Nobody(), wall_clock=float)
    assert made is not None
    assert len(asks) == 1
    assert made.start("acme", "A" * 43).count("scope=openid+api") == 1
    assert made.fields("acme") == ("Desk__c", "Extension")


def _guests() -> dict[str, Any]:
    return {"username": "guests", "password": "x"}


class _Nobody:
    async def provision(self, tenant: str, identity: object) -> None:
        return None
