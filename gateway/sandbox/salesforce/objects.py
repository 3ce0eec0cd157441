"""The standard objects of every org, as far as a telephone needs them.

Types, lengths and restrictions follow the object reference (facts, 3.5); which values
a picklist is born with is of no consequence, an administrator changes them.
"""

from __future__ import annotations

from gateway.sandbox.salesforce.fields import (
    activity,
    common,
    description,
    person,
    phone,
    picklist,
    reference,
    system,
    text,
)
from gateway.sandbox.salesforce.schema import Field, SObject


def make(
    name: str,
    plural: str,
    prefix: str,
    fields: list[Field],
    *,
    label: str = "",
    name_field: str = "Name",
    writable: bool = True,
    searchable: bool = True,
) -> SObject:
    every = [*common(), *fields]
    return SObject(
        name=name,
        label=label or name,
        plural=plural,
        prefix=prefix,
        fields={f.name.lower(): f for f in every},
        createable=writable,
        updateable=writable,
        deletable=writable,
        searchable=searchable,
        name_field=name_field,
    )


def standard_objects(activity_fields: tuple[str, ...]) -> tuple[SObject, ...]:
    """All of them; ``activity_fields`` are unique text fields of Activity."""
    return (
        _user(),
        _account(),
        _contact(),
        _lead(),
        _opportunity(),
        _case(),
        _task(activity_fields),
        _event(activity_fields),
        _event_relation(),
        _record_type(),
    )


def _user() -> SObject:
    return make(
        "User",
        "Users",
        "005",
        [
            system("Name", "string", length=121),
            text("FirstName", 40),
            text("LastName", 80, required=True),
            text("Username", 80, required=True),
            Field("Email", "email", length=128),
            text("Alias", 8),
            text("Title", 80),
            text("Department", 80),
            phone("Phone"),
            phone("MobilePhone"),
            text("TimeZoneSidKey", 40),
            text("LocaleSidKey", 40),
            text("Extension", 40),
            Field("IsActive", "boolean", default=True),
        ],
        writable=False,
    )


def _account() -> SObject:
    return make(
        "Account",
        "Accounts",
        "001",
        [
            text("Name", 255, required=True, label="Account Name"),
            system("LastActivityDate", "date"),
            phone("Phone"),
            phone("Fax"),
            Field("Website", "url", length=255),
            picklist("Industry", "Energy", "Manufacturing", "Technology", "Other"),
            picklist("Type", "Prospect", "Customer", "Partner", "Other"),
            description(),
            reference("OwnerId", "User"),
        ],
    )


def _contact() -> SObject:
    return make(
        "Contact",
        "Contacts",
        "003",
        [
            *person(),
            reference("AccountId", "Account"),
            phone("HomePhone"),
            phone("OtherPhone"),
            phone("AssistantPhone"),
            phone("Fax"),
            reference("OwnerId", "User"),
        ],
    )


def _lead() -> SObject:
    return make(
        "Lead",
        "Leads",
        "00Q",
        [
            *person(),
            text("Company", 255, required=True),
            phone("Fax"),
            picklist(
                "Status",
                "Open - Not Contacted",
                "Working - Contacted",
                "Closed",
                default="Open - Not Contacted",
            ),
            Field("IsConverted", "boolean", default=False, updateable=False),
            reference("OwnerId", "User"),
        ],
    )


def _opportunity() -> SObject:
    return make(
        "Opportunity",
        "Opportunities",
        "006",
        [
            text("Name", 120, required=True),
            reference("AccountId", "Account"),
            picklist(
                "StageName",
                "Prospecting",
                "Negotiation",
                "Closed Won",
                "Closed Lost",
                required=True,
            ),
            Field("CloseDate", "date", required=True),
            Field("Amount", "currency"),
            description(),
            reference("OwnerId", "User"),
        ],
    )


def _case() -> SObject:
    return make(
        "Case",
        "Cases",
        "500",
        [
            system("CaseNumber", "string", length=30),
            text("Subject", 255),
            picklist("Status", "New", "Working", "Escalated", "Closed", default="New"),
            picklist("Origin", "Phone", "Email", "Web"),
            picklist("Priority", "High", "Medium", "Low", default="Medium"),
            reference("AccountId", "Account"),
            reference("ContactId", "Contact"),
            description(),
            reference("OwnerId", "User"),
        ],
        name_field="CaseNumber",
    )


def _task(activity_fields: tuple[str, ...]) -> SObject:
    return make(
        "Task",
        "Tasks",
        "00T",
        [
            *activity(activity_fields),
            picklist(
                "Status",
                "Not Started",
                "In Progress",
                "Completed",
                "Waiting on someone else",
                "Deferred",
                default="Not Started",
            ),
            picklist("Priority", "High", "Normal", "Low", default="Normal"),
            picklist("Type", "Call", "Meeting", "Email", "Other"),
            picklist(
                "CallType",
                "Internal",
                "Inbound",
                "Outbound",
                length=40,
                restricted=True,
            ),
            Field("CallDurationInSeconds", "int"),
            text("CallDisposition", 255),
            text("CallObject", 255),
            picklist(
                "TaskSubtype",
                *("Task", "Email", "ListEmail", "Cadence", "Call"),
                length=40,
                restricted=True,
                updateable=False,
                default="Task",
            ),
            system("CompletedDateTime", "datetime"),
            system("IsClosed", "boolean"),
            reference("OwnerId", "User", "Group"),
        ],
        name_field="Subject",
    )


def _event(activity_fields: tuple[str, ...]) -> SObject:
    return make(
        "Event",
        "Events",
        "00U",
        [
            *activity(activity_fields),
            text("Location", 255),
            Field("StartDateTime", "datetime"),
            Field("EndDateTime", "datetime"),
            Field("DurationInMinutes", "int"),
            Field("ActivityDateTime", "datetime"),
            system("EndDate", "date"),
            Field("IsAllDayEvent", "boolean", default=False),
            Field("IsReminderSet", "boolean", default=False),
            Field("ReminderDateTime", "datetime"),
            picklist(
                "ShowAs", "Busy", "OutOfOffice", "Free", length=40, default="Busy"
            ),
            reference("OwnerId", "User"),
        ],
        name_field="Subject",
    )


def _event_relation() -> SObject:
    return make(
        "EventRelation",
        "Event Relations",
        "0RE",
        [
            reference("EventId", "Event", required=True, updateable=False),
            reference(
                "RelationId", "User", "Contact", "Lead", required=True, updateable=False
            ),
            picklist("Status", "New", "Accepted", "Declined", default="New", length=40),
            text("Response", 255),
            Field("IsInvitee", "boolean", default=True),
            Field("IsParent", "boolean", default=False),
            Field("IsWhat", "boolean", default=False),
        ],
        label="Event Relation",
        name_field="",
        searchable=False,
    )


def _record_type() -> SObject:
    return make(
        "RecordType",
        "Record Types",
        "012",
        [
            text("Name", 80),
            text("DeveloperName", 80),
            text("SobjectType", 40),
            Field("IsActive", "boolean", default=True),
            Field("IsPersonType", "boolean", default=False),
        ],
        label="Record Type",
        writable=False,
        searchable=False,
    )
