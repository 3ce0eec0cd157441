"""Each tenant's rules for its reps' work: from its configuration and its CRM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gateway.activities.composer import compose
from gateway.activities.logging_rules import LoggingRules
from gateway.activities.org_facts import OrgFacts
from gateway.activities.record import CallRecord
from gateway.calls.work import WorkRules
from gateway.config import PicklistSection, TenantSection
from gateway.crm.connector import Activity
from gateway.identity.users import User


class WorkOfTenants:
    """``facts``: what the tenants' CRMs have said by now."""

    def __init__(self, tenants: Iterable[TenantSection], facts: OrgFacts) -> None:
        self._facts = facts
        self._rules = {tenant.id: _configured(tenant) for tenant in tenants}
        self._integrated = {
            tenant.id
            for tenant in tenants
            if tenant.salesforce and tenant.salesforce.integration_username
        }
        self._picklists = {
            tenant.id: tenant.dispositions.picklist
            for tenant in tenants
            if isinstance(tenant.dispositions, PicklistSection)
        }

    def has_integration_user(self, tenant: str) -> bool:
        """Whether its CRM can be asked as nobody in particular."""
        return tenant in self._integrated

    def of(self, tenant: str) -> WorkRules:
        """As they are now."""
        rules = self._rules[tenant]
        facts = self._facts.of(tenant)
        if facts is None:
            return rules
        logging = replace(rules.logging, about_kinds=facts.about_kinds)
        if (field := self._picklists.get(tenant)) is None:
            return replace(rules, logging=logging)
        values = facts.picklists.get(field, ())
        return replace(rules, logging=logging, dispositions=values)


def compose_in(work: WorkOfTenants, call: CallRecord, user: User) -> Activity | None:
    """None too for a tenant without CRM, and for one who is not in it."""
    rules = work.of(user.key.tenant)
    if user.is_by_phone and not work.has_integration_user(user.key.tenant):
        return None
    return compose(call, user, rules.logging) if rules.is_logged else None


def _configured(tenant: TenantSection) -> WorkRules:
    wanted = tenant.logging
    listed = tenant.dispositions
    return WorkRules(
        is_logged=tenant.salesforce is not None,
        wrap_up_s=tenant.wrap_up_s,
        dispositions=() if isinstance(listed, PicklistSection) else listed,
        disposition_required=tenant.disposition_required,
        logging=LoggingRules(
            internal=wanted.internal,
            consult=wanted.consult,
            missed=wanted.missed,
            at_least_s=wanted.at_least_s,
            voicemail=frozenset(wanted.voicemail),
            do_not_disturb=wanted.do_not_disturb,
            desk_phone=wanted.desk_phone,
        ),
    )
