"""Short words for the fields of the standard objects."""

from __future__ import annotations

from dataclasses import replace

from gateway.sandbox.salesforce.assumptions import DESCRIPTION_LENGTH
from gateway.sandbox.salesforce.schema import Field


def text(name: str, length: int, **more: object) -> Field:
    return replace(Field(name, "string", length=length), **more)  # type: ignore[arg-type]


def reference(name: str, *to: str, **more: object) -> Field:
    return replace(
        Field(
            name,
            "reference",
            length=18,
            references=to,
            relationship=name.removesuffix("Id"),
        ),
        **more,  # type: ignore[arg-type]
    )


def system(name: str, type_: str, *, length: int = 0, label: str = "") -> Field:
    """A field that only the org writes."""
    return Field(
        name, type_, length=length, label=label, createable=False, updateable=False
    )


def phone(name: str) -> Field:
    return Field(name, "phone", length=40)


def picklist(name: str, *values: str, **more: object) -> Field:
    return replace(
        Field(name, "picklist", length=255, values=values),
        **more,  # type: ignore[arg-type]
    )


def description() -> Field:
    return Field("Description", "textarea", length=DESCRIPTION_LENGTH)


def common() -> list[Field]:
    read_only = {"createable": False, "updateable": False}
    return [
        system("Id", "id", length=18),
        system("IsDeleted", "boolean"),
        system("CreatedDate", "datetime"),
        system("LastModifiedDate", "datetime"),
        system("SystemModstamp", "datetime"),
        reference("CreatedById", "User", **read_only),
        reference("LastModifiedById", "User", **read_only),
    ]


def salutation() -> Field:
    return picklist("Salutation", "Mr.", "Ms.", "Mx.", "Dr.", "Prof.", length=40)


def person() -> list[Field]:
    return [
        system("Name", "string", length=121, label="Name"),
        system("LastActivityDate", "date"),
        text("FirstName", 40),
        text("LastName", 80, required=True),
        salutation(),
        text("Title", 128),
        phone("Phone"),
        phone("MobilePhone"),
        Field("Email", "email", length=80),
        description(),
    ]


def activity(custom: tuple[str, ...]) -> list[Field]:
    return [
        reference("WhoId", "Contact", "Lead"),
        reference("WhatId", "Account", "Opportunity", "Case"),
        reference("AccountId", "Account", createable=False, updateable=False),
        Field("Subject", "combobox", length=255),
        description(),
        Field("ActivityDate", "date"),
        *(text(name, 255, external_id=True) for name in custom),
    ]
