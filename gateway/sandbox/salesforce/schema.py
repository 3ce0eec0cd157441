"""The objects and fields of the org, as far as a telephone needs them.

Types, lengths and restrictions follow the object reference (facts, 3.5). A length
of 32,000 for descriptions is assumed, not verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

DESCRIPTION_LENGTH = 32_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object; ``type`` is the describe call's word for it."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    required: bool = False
    createable: bool = True
    updateable: bool = True
    external_id: bool = False
    references: tuple[str, ...] = ()
    relationship: str = ""
    values: tuple[str, ...] = ()
    restricted: bool = False
    default: str | bool | None = None

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")


@dataclass(frozen=True, slots=True)
class SObject:
    """One object: its id prefix, and its fields by lower-case name."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: Mapping[str, Field] = field(repr=False)
    createable: bool = True

    def field_named(self, name: str) -> Field | None:
        return self.fields.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The reference field behind a relationship name (``Account``)."""
        wanted = name.lower()
        for candidate in self.fields.values():
            if candidate.relationship.lower() == wanted and candidate.relationship:
                return candidate
        return None


def _text(name: str, length: int, **more: object) -> Field:
    return replace(Field(name, "string", length=length), **more)  # type: ignore[arg-type]


def _reference(name: str, *to: str, **more: object) -> Field:
    relationship = name.removesuffix("Id")
    return replace(
        Field(name, "reference", length=18, references=to, relationship=relationship),
        **more,  # type: ignore[arg-type]
    )


def _system(name: str, type_: str, *, length: int = 0) -> Field:
    return Field(name, type_, length=length, createable=False, updateable=False)


def _phone(name: str) -> Field:
    return Field(name, "phone", length=40)


def _common() -> list[Field]:
    read_only = {"createable": False, "updateable": False}
    return [
        _system("Id", "id", length=18),
        _system("IsDeleted", "boolean"),
        _system("CreatedDate", "datetime"),
        _system("LastModifiedDate", "datetime"),
        _system("SystemModstamp", "datetime"),
        _reference("CreatedById", "User", **read_only),
        _reference("LastModifiedById", "User", **read_only),
    ]


def _person(name_length: int = 121) -> list[Field]:
    return [
        replace(_system("Name", "string", length=name_length), label="Name"),
        _system("LastActivityDate", "date"),
        _text("FirstName", 40),
        _text("LastName", 80, required=True),
        Field(
            "Salutation",
            "picklist",
            length=40,
            values=("Mr.", "Ms.", "Mx.", "Dr.", "Prof."),
        ),
        _text("Title", 128),
        _phone("Phone"),
        _phone("MobilePhone"),
        Field("Email", "email", length=80),
        Field("Description", "textarea", length=DESCRIPTION_LENGTH),
    ]


def _activity(custom: tuple[str, ...]) -> list[Field]:
    return [
        _reference("WhoId", "Contact", "Lead"),
        _reference("WhatId", "Account", "Opportunity", "Case"),
        _reference("AccountId", "Account", createable=False, updateable=False),
        Field("Subject", "combobox", length=255),
        Field("Description", "textarea", length=DESCRIPTION_LENGTH),
        Field("ActivityDate", "date"),
        *(_text(name, 255, external_id=True) for name in custom),
    ]


def _make(
    name: str, plural: str, prefix: str, fields: list[Field], *, createable: bool = True
) -> SObject:
    every = [*_common(), *fields]
    return SObject(
        name=name,
        label=name,
        plural=plural,
        prefix=prefix,
        fields={f.name.lower(): f for f in every},
        createable=createable,
    )


def build_schema(activity_fields: tuple[str, ...]) -> Mapping[str, SObject]:
    """All objects by lower-case name; ``activity_fields`` are unique text fields."""
    owner = _reference("OwnerId", "User")
    objects = (
        _make(
            "User",
            "Users",
            "005",
            [
                _system("Name", "string", length=121),
                _text("FirstName", 40),
                _text("LastName", 80, required=True),
                _text("Username", 80, required=True),
                Field("Email", "email", length=128),
                _text("Alias", 8),
                _text("TimeZoneSidKey", 40),
                _text("LocaleSidKey", 40),
                _text("Extension", 40),
                Field("IsActive", "boolean", default=True),
            ],
            createable=False,
        ),
        _make(
            "Account",
            "Accounts",
            "001",
            [
                _text("Name", 255, required=True, label="Account Name"),
                _system("LastActivityDate", "date"),
                _phone("Phone"),
                _phone("Fax"),
                Field("Website", "url", length=255),
                Field("Industry", "picklist", length=255),
                Field("Type", "picklist", length=255),
                Field("Description", "textarea", length=DESCRIPTION_LENGTH),
                owner,
            ],
        ),
        _make(
            "Contact",
            "Contacts",
            "003",
            [
                *_person(),
                _reference("AccountId", "Account"),
                _phone("HomePhone"),
                _phone("OtherPhone"),
                _phone("AssistantPhone"),
                _phone("Fax"),
                owner,
            ],
        ),
        _make(
            "Lead",
            "Leads",
            "00Q",
            [
                *_person(),
                _text("Company", 255, required=True),
                _phone("Fax"),
                Field(
                    "Status",
                    "picklist",
                    length=255,
                    values=("Open - Not Contacted", "Working - Contacted", "Closed"),
                    default="Open - Not Contacted",
                ),
                Field("IsConverted", "boolean", default=False, updateable=False),
                owner,
            ],
        ),
        _make(
            "Opportunity",
            "Opportunities",
            "006",
            [
                _text("Name", 120, required=True),
                _reference("AccountId", "Account"),
                _text("StageName", 255, required=True),
                Field("CloseDate", "date", required=True),
                Field("Amount", "currency"),
                Field("Description", "textarea", length=DESCRIPTION_LENGTH),
                owner,
            ],
        ),
        _make(
            "Case",
            "Cases",
            "500",
            [
                _system("CaseNumber", "string", length=30),
                _text("Subject", 255),
                Field("Status", "picklist", length=255, default="New"),
                _reference("AccountId", "Account"),
                _reference("ContactId", "Contact"),
                Field("Description", "textarea", length=DESCRIPTION_LENGTH),
                owner,
            ],
        ),
        _make(
            "Task",
            "Tasks",
            "00T",
            [
                *_activity(activity_fields),
                Field(
                    "Status",
                    "picklist",
                    length=255,
                    values=(
                        "Not Started",
                        "In Progress",
                        "Completed",
                        "Waiting on someone else",
                        "Deferred",
                    ),
                    default="Not Started",
                ),
                Field(
                    "Priority",
                    "picklist",
                    length=255,
                    values=("High", "Normal", "Low"),
                    default="Normal",
                ),
                Field("Type", "picklist", length=255),
                Field(
                    "CallType",
                    "picklist",
                    length=40,
                    values=("Internal", "Inbound", "Outbound"),
                    restricted=True,
                ),
                Field("CallDurationInSeconds", "int"),
                _text("CallDisposition", 255),
                _text("CallObject", 255),
                Field(
                    "TaskSubtype",
                    "picklist",
                    length=40,
                    values=("Task", "Email", "ListEmail", "Cadence", "Call"),
                    restricted=True,
                    updateable=False,
                    default="Task",
                ),
                _system("CompletedDateTime", "datetime"),
                _system("IsClosed", "boolean"),
                _reference("OwnerId", "User", "Group"),
            ],
        ),
        _make(
            "Event",
            "Events",
            "00U",
            [
                *_activity(activity_fields),
                _text("Location", 255),
                Field("StartDateTime", "datetime"),
                Field("EndDateTime", "datetime"),
                Field("DurationInMinutes", "int"),
                Field("ActivityDateTime", "datetime"),
                _system("EndDate", "date"),
                Field("IsAllDayEvent", "boolean", default=False),
                Field("IsReminderSet", "boolean", default=False),
                Field("ReminderDateTime", "datetime"),
                Field(
                    "ShowAs",
                    "picklist",
                    length=40,
                    values=("Busy", "OutOfOffice", "Free"),
                    default="Busy",
                ),
                owner,
            ],
        ),
    )
    return {o.name.lower(): o for o in objects}


def _soap_type(kind: str) -> str:
    match kind:
        case "id" | "reference":
            return "tns:ID"
        case "boolean" | "date" | "int":
            return f"xsd:{kind}"
        case "datetime":
            return "xsd:dateTime"
        case "currency":
            return "xsd:double"
        case _:
            return "xsd:string"


def describe_field(f: Field) -> dict[str, object]:
    return {
        "name": f.name,
        "label": f.label or f.name,
        "type": f.type,
        "soapType": _soap_type(f.type),
        "length": f.length,
        "byteLength": f.length * 3,
        "nillable": not f.required,
        "createable": f.createable,
        "updateable": f.updateable,
        "custom": f.is_custom,
        "externalId": f.external_id,
        "idLookup": f.external_id or f.type == "id",
        "unique": f.external_id,
        "caseSensitive": False,
        "defaultValue": f.default,
        "defaultedOnCreate": f.default is not None or f.name == "OwnerId",
        "filterable": f.type != "textarea",
        "sortable": f.type != "textarea",
        "groupable": f.type != "textarea",
        "referenceTo": list(f.references),
        "relationshipName": f.relationship or None,
        "restrictedPicklist": f.restricted,
        "picklistValues": [
            {
                "active": True,
                "defaultValue": value == f.default,
                "label": value,
                "validFor": None,
                "value": value,
            }
            for value in f.values
        ],
    }


def summarise(o: SObject, base: str) -> dict[str, object]:
    """The entry of one object in the global describe; ``base`` is /services/…"""
    url = f"{base}/sobjects/{o.name}"
    return {
        "name": o.name,
        "label": o.label,
        "labelPlural": o.plural,
        "keyPrefix": o.prefix,
        "custom": False,
        "createable": o.createable,
        "updateable": o.createable,
        "deletable": o.createable,
        "queryable": True,
        "retrieveable": True,
        "searchable": True,
        "urls": {
            "sobject": url,
            "describe": f"{url}/describe",
            "rowTemplate": f"{url}/{{ID}}",
        },
    }


def describe(o: SObject, base: str) -> dict[str, object]:
    """The full describe of one object."""
    return summarise(o, base) | {
        "fields": [describe_field(f) for f in o.fields.values()],
        "recordTypeInfos": [],
        "childRelationships": [],
    }
