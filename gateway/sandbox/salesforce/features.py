"""The schema of an org: the standard objects, and what its settings make of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.sandbox.salesforce import ids
from gateway.sandbox.salesforce.config import SimulatorConfig
from gateway.sandbox.salesforce.customisation import RecordType
from gateway.sandbox.salesforce.fields import phone, reference, salutation, system, text
from gateway.sandbox.salesforce.objects import make, standard_objects
from gateway.sandbox.salesforce.schema import Field, RecordTypeInfo, SObject

PERSON_ACCOUNT = "PersonAccount"

# Fields of a person account, and of the contact that it also is.
PERSON_FIELDS = {
    "FirstName": "FirstName",
    "LastName": "LastName",
    "Salutation": "Salutation",
    "PersonTitle": "Title",
    "PersonEmail": "Email",
    "PersonMobilePhone": "MobilePhone",
    "PersonHomePhone": "HomePhone",
    "Phone": "Phone",
}

# Lists of people that activities take once Shared Activities is on.
SHARED_FIELDS = {"Task": "TaskWhoIds", "Event": "EventWhoIds"}
RELATIONS = {"Task": "TaskRelation", "Event": "EventRelation"}


def build_schema(config: SimulatorConfig) -> Mapping[str, SObject]:
    """All objects by lower-case name.

    Raises:
        ValueError: a setting names an object or field that is not there.
    """
    objects = {
        o.name.lower(): o for o in standard_objects(config.activity_external_id_fields)
    }
    if config.person_accounts:
        _add(objects, "Account", _person_account_fields())
        _add(objects, "Contact", [system("IsPersonAccount", "boolean")])
    if config.shared_activities:
        relation = _task_relation()
        objects[relation.name.lower()] = relation
        for name, field_name in SHARED_FIELDS.items():
            _add(
                objects,
                name,
                [
                    Field(field_name, "junctionidlist", references=("Contact", "Lead")),
                    system("WhoCount", "int"),
                    system("WhatCount", "int"),
                ],
            )
    for name, fields in config.custom_fields.items():
        _add(objects, name, fields)
    for kind in list(objects.values()):
        types = tuple(
            t for t in record_types(config) if t.object.lower() == kind.name.lower()
        )
        if types:
            objects[kind.name.lower()] = _with_record_types(kind, types)
    _check(objects, config)
    return objects


def record_types(config: SimulatorConfig) -> tuple[RecordType, ...]:
    """Those that were set up, and the two that come with person accounts."""
    if not config.person_accounts:
        return config.record_types
    return (
        *config.record_types,
        RecordType("Account", "Business_Account", is_default=True),
        RecordType("Account", PERSON_ACCOUNT, "Person Account"),
    )


def record_type_id(kind: RecordType) -> str:
    """Always the same for the same name, whatever else is set up."""
    return ids.id_for(
        "012", zlib.crc32(f"{kind.object}.{kind.developer_name}".encode())
    )


def _add(objects: dict[str, SObject], name: str, fields: Iterable[Field]) -> None:
    kind = objects.get(name.lower())
    if kind is None:
        raise ValueError(f"there is no object {name}")
    more = {f.name.lower(): f for f in fields}
    objects[name.lower()] = replace(kind, fields={**kind.fields, **more})


def _with_record_types(kind: SObject, types: tuple[RecordType, ...]) -> SObject:
    field = reference("RecordTypeId", "RecordType")
    return replace(
        kind,
        fields={**kind.fields, "recordtypeid": field},
        record_types=tuple(
            RecordTypeInfo(
                record_type_id(t),
                t.developer_name,
                t.name,
                t.picklists,
                t.is_default,
                t.is_active,
            )
            for t in types
        ),
    )


def _person_account_fields() -> list[Field]:
    return [
        system("IsPersonAccount", "boolean"),
        reference("PersonContactId", "Contact", createable=False, updateable=False),
        text("FirstName", 40),
        text("LastName", 80),
        salutation(),
        text("PersonTitle", 80),
        Field("PersonEmail", "email", length=80),
        phone("PersonMobilePhone"),
        phone("PersonHomePhone"),
    ]


def _task_relation() -> SObject:
    return make(
        "TaskRelation",
        "Task Relations",
        "0RT",
        [
            reference("TaskId", "Task", required=True, updateable=False),
            reference(
                "RelationId",
                *("Contact", "Lead", "Account", "Opportunity", "Case"),
                required=True,
                updateable=False,
            ),
            Field("IsWhat", "boolean", default=False),
        ],
        label="Task Relation",
        name_field="",
        searchable=False,
    )


def _check(objects: Mapping[str, SObject], config: SimulatorConfig) -> None:
    for kind in config.record_types:
        found = objects.get(kind.object.lower())
        if found is None:
            raise ValueError(f"there is no object {kind.object}")
        for name in kind.picklists:
            if (f := found.field_named(name)) is None or f.type != "picklist":
                raise ValueError(f"{kind.object}.{name} is no picklist")
    for found in objects.values():
        for f in found.fields.values():
            if f.controller and found.field_named(f.controller) is None:
                raise ValueError(f"{found.name}.{f.name} depends on nothing")
