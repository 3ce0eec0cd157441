"""SIP accounts and users as the service uses them, from what the operator wrote."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

import sip
from gateway.config import SipAccountSection, TenantSection, UserSection
from gateway.identity.stored import StoredUser
from gateway.identity.users import User, UserKey
from sip.transport import is_numeric


def configured_users(tenant: TenantSection) -> Iterable[tuple[User, sip.Account]]:
    """Those of the configuration file."""
    for user in tenant.users:
        yield _configured(tenant, user), _named(tenant, user.id, user.name, user.sip)


def stored_user(tenant: TenantSection, user: StoredUser) -> User:
    """One of the database."""
    return User(
        key=user.key,
        name=user.name,
        number=user.number or user.sip_username,
        company=tenant.company,
        country=tenant.country,
        crm_user_id=user.crm_user_id,
        crm_username=user.crm_username,
        email=user.email,
    )


def stored_account(
    tenant: TenantSection, user: StoredUser, password: sip.Secret
) -> sip.Account:
    """Theirs; ``password`` is what the sealed secret holds."""
    section = SipAccountSection.model_validate(
        {
            "username": user.sip_username,
            "password": password.reveal(),
            "auth_username": user.sip_auth_username or None,
        }
    )
    return _named(tenant, user.key.user, user.name, section)


def line(tenant: TenantSection, account: SipAccountSection) -> sip.Account:
    """An account at the tenant's application server, of nobody in particular."""
    server = tenant.application_server
    registrar = sip.Uri.parse(server.registrar)
    proxy = sip.Uri.parse(server.proxy) if server.proxy else registrar
    # Calls come from the application server and from nobody else. Where it has a
    # name, `trusted` must list its addresses: DNS may name others tomorrow.
    trusted = server.trusted or tuple(
        uri.host for uri in (registrar, proxy) if is_numeric(uri.host)
    )
    return sip.Account(
        aor=sip.Uri("sip", user=account.username, host=server.domain),
        username=account.auth_username or account.username,
        password=sip.Secret(account.password.get_secret_value()),
        registrar=registrar,
        outbound_proxies=(proxy,),
        transport=server.transport,
        trusted_sources=trusted,
        expires_s=server.expires_s,
    )


def _configured(tenant: TenantSection, user: UserSection) -> User:
    return User(
        key=UserKey(tenant.id, user.id),
        name=user.name,
        number=user.number or user.sip.username,
        company=tenant.company,
        country=tenant.country,
        crm_user_id=user.salesforce.user_id if user.salesforce else "",
        crm_username=user.salesforce.username if user.salesforce else "",
        email=user.email,
        password_hash=user.password_hash,
    )


def _named(
    tenant: TenantSection, user_id: str, name: str, account: SipAccountSection
) -> sip.Account:
    return replace(
        line(tenant, account),
        display_name=name,
        # Stable over restarts, so that a binding is replaced and not added.
        instance_id=uuid.uuid5(uuid.NAMESPACE_OID, f"{tenant.id}/{user_id}").urn,
    )
