"""Person accounts: an account and a contact in one.

An account with a last name, or of the record type, is one; the contact is made with
it, follows it, and goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sandbox.salesforce.assumptions import PERSON_CONTACT_IS_READ_ONLY
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.features import PERSON_ACCOUNT, PERSON_FIELDS
from gateway.sandbox.salesforce.schema import SObject
from gateway.sandbox.salesforce.values import Value

_OWN = frozenset(PERSON_FIELDS) - {"Phone"}


def applies(kind: SObject) -> bool:
    return kind.name == "Account" and kind.field_named("IsPersonAccount") is not None


def settle(kind: SObject, values: dict[str, Value]) -> dict[str, Value]:
    """An account with its record type, kind and name in order.

    Raises:
        RestError: fields of a person and of a business together.
    """
    if not applies(kind):
        return values
    person_type = next(
        t for t in kind.record_types if t.developer_name == PERSON_ACCOUNT
    )
    chosen = values.get("RecordTypeId")
    is_person = chosen == person_type.id or (
        chosen is None and values.get("LastName") is not None
    )
    if not is_person:
        wrong = sorted(n for n in _OWN if values.get(n) is not None)
        if wrong:
            raise bad_names(kind, wrong)
        return values | {"IsPersonAccount": False}
    return values | {
        "RecordTypeId": person_type.id,
        "IsPersonAccount": True,
        "Name": person_name(values),
    }


def person_name(values: Mapping[str, Value]) -> str | None:
    parts = (values.get("FirstName"), values.get("LastName"))
    return " ".join(str(p) for p in parts if p) or None


def required(kind: SObject, values: Mapping[str, Value]) -> tuple[str, ...] | None:
    """What has to be there instead of the name; None for a business."""
    if applies(kind) and values.get("IsPersonAccount") is True:
        return ("LastName",)
    return None


def contact_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """What the contact takes from its account."""
    return {
        **{contact: values.get(own) for own, contact in PERSON_FIELDS.items()},
        "AccountId": values["Id"],
        "OwnerId": values.get("OwnerId"),
        "IsPersonAccount": True,
    }


def refuse_contact(kind: SObject, values: Mapping[str, Value]) -> None:
    """Refuse a write to the contact of a person account.

    Raises:
        RestError: 400 INVALID_FIELD_FOR_INSERT_UPDATE.
    """
    if (
        PERSON_CONTACT_IS_READ_ONLY
        and kind.name == "Contact"
        and values.get("IsPersonAccount") is True
    ):
        raise bad_names(kind, sorted(set(PERSON_FIELDS.values())))


def bad_names(kind: SObject, names: list[str]) -> RestError:
    return RestError(
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"{kind.label}: bad field names on insert/update call: {', '.join(names)}",
        fields=names,
    )
