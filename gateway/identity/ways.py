"""The ways in which each tenant's users sign in, built from the configuration."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

import sip
from gateway.config import Config, SipAccountSection, TenantSection
from gateway.identity.accounts import line
from gateway.identity.directory import Provisioner, UserDirectory
from gateway.identity.live import LiveUsers
from gateway.identity.phone_users import PhoneTenant
from gateway.identity.provider_http import ProviderHttp
from gateway.identity.salesforce import Provider, SalesforceSignIn
from gateway.identity.sign_ins import Lifetimes
from gateway.identity.users import User, UserKey


@dataclass(frozen=True, slots=True)
class WaysToSignIn:
    """Attributes:
    redirect_uri: where Salesforce sends browsers back to.
    """

    config: Config
    users: LiveUsers
    redirect_uri: str

    def names(self) -> dict[str, tuple[str, ...]]:
        """What the page offers, by tenant."""
        return {
            tenant.id: (
                *(("salesforce",) if tenant.salesforce_sign_in else ()),
                *(("phone",) if tenant.phone_sign_in else ()),
                *(("password",) if any(u.password_hash for u in tenant.users) else ()),
            )
            for tenant in self.config.tenants
        }

    def lifetimes(self, tenant: str) -> Lifetimes:
        """How long a sign-in lasts."""
        wanted = (each.sign_in for each in self.config.tenants if each.id == tenant)
        section = next(wanted) or self.config.sign_in
        return Lifetimes(section.access_s, section.idle_s, section.absolute_s)

    def phones(self) -> dict[str, PhoneTenant]:
        """Tenants whose phone accounts prove who somebody is."""
        return {
            tenant.id: self._phones_of(tenant)
            for tenant in self.config.tenants
            if tenant.phone_sign_in
        }

    def _phones_of(self, tenant: TenantSection) -> PhoneTenant:
        def known(username: str) -> tuple[UserKey, sip.Account] | None:
            return next(
                (
                    (key, account)
                    for key, account in self.users.merged.accounts.items()
                    if key.tenant == tenant.id
                    and (account.aor.user or "").casefold() == username.casefold()
                ),
                None,
            )

        def owner(username: str) -> User | None:
            found = known(username)
            return None if found is None else self.users.user(found[0])

        def account(username: str, password: sip.Secret) -> sip.Account:
            found = known(username)
            return line(
                tenant,
                SipAccountSection(
                    username=username,
                    password=SecretStr(password.reveal()),
                    auth_username=None if found is None else found[1].username,
                ),
            )

        guests = tenant.invites.sip if tenant.invites else None

        def is_barred(username: str) -> bool:
            name = username.casefold()
            if guests is not None and guests.username.casefold() == name:
                return True
            return any(
                row.is_disabled and row.sip_username.casefold() == name
                for row in self.users.stored(tenant.id)
            )

        return PhoneTenant(tenant.company, tenant.country, account, owner, is_barred)

    def salesforce(
        self,
        users: UserDirectory,
        provisioner: Provisioner,
        *,
        wall_clock: Callable[[], float],
    ) -> tuple[SalesforceSignIn | None, list[ProviderHttp]]:
        """Sign-in with Salesforce, if a tenant has it; close the others at the end."""
        providers, asks = {}, {}
        for tenant in self.config.tenants:
            section, crm = tenant.salesforce_sign_in, tenant.salesforce
            if section is None or crm is None:
                continue
            providers[tenant.id] = Provider(
                tenant=tenant.id,
                my_domain=crm.my_domain,
                client_id=(section.consumer_key or crm.consumer_key).get_secret_value(),
                client_secret=section.client_secret.get_secret_value()
                if section.client_secret
                else "",
                organizations=frozenset(section.organizations),
                redirect_uri=self.redirect_uri,
                fields=_fields(tenant, section.fields),
                api_version=crm.api_version,
            )
            asks[tenant.id] = ProviderHttp(
                ca_file=crm.ca_file,
                proxy=crm.proxy.get_secret_value() if crm.proxy else "",
            )
        if not providers:
            return None, []
        return SalesforceSignIn(
            providers,
            asks,
            users=users,
            provisioner=provisioner,
            clock=time.monotonic,
            wall_clock=wall_clock,
            random_bytes=secrets.token_bytes,
        ), list(asks.values())


def _fields(tenant: TenantSection, named: tuple[str, ...]) -> tuple[str, ...]:
    """Of the CRM user: what the operator names, and what the rules look at."""
    rules = tenant.provisioning.rules if tenant.provisioning else ()
    wanted = (rule.field for rule in rules if rule.by == "field")
    return tuple(dict.fromkeys((*named, *wanted)))
