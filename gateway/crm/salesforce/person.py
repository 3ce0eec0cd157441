"""A new contact or lead as the fields of its object. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from gateway.crm.connector import ContactDraft, PersonKind
from gateway.crm.salesforce.assumptions import MAX_EMAIL, MAX_SHORT_TEXT

OBJECTS = MappingProxyType({PersonKind.CONTACT: "Contact", PersonKind.LEAD: "Lead"})
# A draft's names for fields; a contact's company is another record, or a remark.
NAMES = MappingProxyType(
    {
        "LastName": "last_name",
        "FirstName": "first_name",
        "Phone": "phone",
        "Email": "email",
        "Company": "company",
        "AccountId": "company",
        "Description": "company",
    }
)


def fields(draft: ContactDraft) -> dict[str, Any]:
    """What the draft says; a contact's company is for the connector to find."""
    given = {
        "LastName": draft.last_name[:80],
        "FirstName": draft.first_name[:40],
        "Phone": draft.phone[:40],
        "Email": draft.email[:MAX_EMAIL],
    }
    if draft.kind is PersonKind.LEAD:
        given["Company"] = draft.company[:MAX_SHORT_TEXT]
    return {name: value for name, value in given.items() if value}
