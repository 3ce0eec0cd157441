"""Builds what concerns users, from the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.config import Config
from gateway.identity.directory import TenantIdentity
from gateway.identity.live import LiveUsers
from gateway.identity.provisioning import RuleProvisioner, UserFields
from gateway.identity.sealing import SecretBox
from gateway.storage import Database, StoredUsers


def secret_box(config: Config) -> SecretBox:
    """What seals and opens the secrets of the database."""
    return SecretBox([key.get_secret_value() for key in config.secrets_keys])


@dataclass(frozen=True, slots=True)
class People:
    """``users`` to be refreshed before the first sign-in, and run from then on."""

    users: LiveUsers
    provisioner: RuleProvisioner

    @classmethod
    def build(
        cls,
        config: Config,
        database: Database,
        identities: Iterable[TenantIdentity],
        *,
        fields_of: Callable[[str], UserFields | None],
    ) -> People:
        """``fields_of`` names the CRM to ask about its users, by tenant."""
        tenants = {tenant.id: tenant for tenant in config.tenants}
        store = StoredUsers(database)
        users = LiveUsers(tenants, identities, store, secret_box(config))
        return cls(users, RuleProvisioner(tenants, users, store, fields_of=fields_of))
