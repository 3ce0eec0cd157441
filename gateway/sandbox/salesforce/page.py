"""JSON for the Lightning-like page: lists, records, timelines, search."""

from __future__ import annotations

from gateway.sandbox.salesforce.config import MicrophoneMode
from gateway.sandbox.salesforce.features import SHARED_FIELDS
from gateway.sandbox.salesforce.org import APP_ID, Org
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.relations import split
from gateway.sandbox.salesforce.schema import SObject
from gateway.sandbox.salesforce.softphone import (
    call_center_settings,
    find_records,
    softphone_layout,
)
from gateway.sandbox.salesforce.values import format_datetime

# Columns of the list, then fields of the record page, in order.
_LAYOUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Contact": (
        ("Name", "AccountId", "Title", "Phone", "Email"),
        (
            "Name",
            "AccountId",
            "Title",
            "Phone",
            "MobilePhone",
            "Email",
            "OwnerId",
            "Description",
        ),
    ),
    "Account": (
        ("Name", "Phone", "Industry", "Type"),
        ("Name", "Phone", "Website", "Industry", "Type", "OwnerId", "Description"),
    ),
    "Lead": (
        ("Name", "Company", "Title", "Phone", "Status"),
        ("Name", "Company", "Title", "Phone", "MobilePhone", "Email", "Status"),
    ),
    "Opportunity": (
        ("Name", "AccountId", "StageName", "Amount", "CloseDate"),
        ("Name", "AccountId", "StageName", "Amount", "CloseDate", "OwnerId"),
    ),
    "Case": (
        ("CaseNumber", "Subject", "AccountId", "Status"),
        ("CaseNumber", "Subject", "AccountId", "ContactId", "Status", "OwnerId"),
    ),
    "Task": (
        ("Subject", "WhoId", "CallType", "CallDisposition", "Status"),
        (
            "Subject",
            "WhoId",
            "WhatId",
            "Status",
            "Priority",
            "CallType",
            "CallDurationInSeconds",
            "CallDisposition",
            "CallObject",
            "OwnerId",
            "Description",
        ),
    ),
    "Event": (
        ("Subject", "WhoId", "StartDateTime", "EndDateTime", "ShowAs"),
        (
            "Subject",
            "WhoId",
            "WhatId",
            "StartDateTime",
            "EndDateTime",
            "Location",
            "ShowAs",
            "OwnerId",
            "Description",
        ),
    ),
}
_LABELS = {
    "AccountId": "Account",
    "OwnerId": "Owner",
    "ContactId": "Contact",
    "WhoId": "Name",
    "WhatId": "Related To",
    "MobilePhone": "Mobile",
    "StageName": "Stage",
    "CloseDate": "Close Date",
    "CaseNumber": "Case Number",
    "StartDateTime": "Start",
    "EndDateTime": "End",
    "ShowAs": "Show Time As",
    "CallType": "Call Type",
    "CallDurationInSeconds": "Call Duration (s)",
    "CallDisposition": "Call Result",
    "CallObject": "Call Object",
    "FirstName": "First Name",
    "LastName": "Last Name",
}
_NEW_RECORD_FIELDS = {
    "Contact": (
        "FirstName",
        "LastName",
        "AccountId",
        "Title",
        "Phone",
        "MobilePhone",
        "Email",
    ),
    "Account": ("Name", "Phone", "Website"),
    "Lead": ("FirstName", "LastName", "Company", "Phone", "Email"),
    "Case": ("Subject", "AccountId", "ContactId", "Description"),
    "Task": ("Subject", "WhoId", "WhatId", "Description"),
}


def bootstrap(org: Org, user: Record, microphone: MicrophoneMode) -> dict[str, object]:
    """What the page has to know before it can draw anything."""
    config = org.config
    return {
        "user": {
            "id": user.id,
            "name": user.display_name,
            "username": user.values.get("Username"),
        },
        "users": [
            {"id": u.id, "name": u.display_name} for u in org.store.records("User")
        ],
        "appId": APP_ID,
        "apiVersion": int(config.api_version),
        "tabs": [
            {"object": o.name, "label": o.plural, "prefix": o.prefix}
            for o in org.store.schema.values()
            if o.name in _LAYOUTS
        ],
        "softphone": {
            "adapterUrl": config.adapter_url,
            "adapterOrigin": config.adapter_origin,
            "label": config.softphone_label,
            "height": config.softphone_height_px,
            "width": config.softphone_width_px,
            "standbyUrl": config.standby_url,
            "timeout": config.adapter_timeout_ms,
            "microphone": microphone.value,
            "settings": call_center_settings(config),
            "layout": softphone_layout(),
        },
    }


def _cell(org: Org, record: Record, name: str) -> dict[str, object]:
    f = record.object.field_named(name)
    value = record.values.get(name)
    cell: dict[str, object] = {
        "name": name,
        "label": _LABELS.get(name, name),
        "type": f.type if f else "string",
        "value": value,
    }
    if f and f.type == "reference" and value:
        target = org.store.find(str(value))
        cell["text"] = target.display_name if target else str(value)
        cell["object"] = target.object.name if target else ""
    return cell


def list_view(org: Org, kind: SObject) -> dict[str, object]:
    """Every row of an object with its columns, by name."""
    columns, _ = _layout(kind)
    rows = sorted(org.store.records(kind.name), key=lambda r: r.display_name.casefold())
    return {
        "object": kind.name,
        "label": kind.plural,
        "columns": [
            {"name": name, "label": _LABELS.get(name, name)} for name in columns
        ],
        "rows": [
            {
                "id": r.id,
                "name": r.display_name,
                "cells": [_cell(org, r, name) for name in columns],
            }
            for r in rows
        ],
    }


def record_view(org: Org, record: Record) -> dict[str, object]:
    """A record page: fields, related records, and what happened so far."""
    _, fields = _layout(record.object)
    return {
        "id": record.id,
        "object": record.object.name,
        "label": record.object.label,
        "name": record.display_name,
        "fields": [_cell(org, record, name) for name in fields],
        "related": _related(org, record),
        "timeline": timeline(org, record),
    }


def timeline(org: Org, record: Record) -> list[dict[str, object]]:
    """Activities on the record, or on anyone of the account: what is to come, the
    next one first, then what was, the latest first."""
    found = []
    for kind in ("Task", "Event"):
        for activity in org.store.records(kind):
            links = [activity.values.get(n) for n in ("WhoId", "WhatId", "AccountId")]
            links += split(activity.values.get(SHARED_FIELDS[kind]))
            if record.id in links:
                found.append(activity)
    now = format_datetime(org.clock())
    coming = sorted(
        (activity for activity in found if _ends(activity) > now),
        key=lambda a: (str(a.values.get("StartDateTime")), a.id),
    )
    past = sorted(
        (activity for activity in found if _ends(activity) <= now),
        key=lambda a: (_happened(a), a.id),
        reverse=True,
    )
    shown = (
        "Subject",
        "Description",
        "Status",
        "CallType",
        "CallDurationInSeconds",
        "CallDisposition",
        "TaskSubtype",
        "ActivityDate",
        "StartDateTime",
        "EndDateTime",
        "Location",
        "ShowAs",
        "CreatedDate",
    )
    return [
        {
            "id": a.id,
            "object": a.object.name,
            "isComing": a in coming,
            **{name: a.values.get(name) for name in shown},
            "who": _cell(org, a, "WhoId"),
            "what": _cell(org, a, "WhatId"),
            "owner": _cell(org, a, "OwnerId"),
        }
        for a in (*coming, *past)
    ]


def _ends(activity: Record) -> str:
    """When an Event is over, "" for a Task. Such texts sort as their times do."""
    return str(activity.values.get("EndDateTime") or "")


def _happened(activity: Record) -> str:
    values = activity.values
    return str(values.get("StartDateTime") or values.get("CreatedDate"))


def _related(org: Org, record: Record) -> list[dict[str, object]]:
    lists: list[dict[str, object]] = []
    for kind in ("Contact", "Opportunity", "Case"):
        rows = [
            {"id": r.id, "object": kind, "name": r.display_name, "phone": _phone(r)}
            for r in org.store.records(kind)
            if record.id in (r.values.get("AccountId"), r.values.get("ContactId"))
        ]
        if rows:
            lists.append({"label": org.store.object_named(kind).plural, "rows": rows})
    return lists


def _phone(record: Record) -> str:
    return str(record.values.get("Phone") or "")


def search_view(org: Org, text: str) -> dict[str, object]:
    """Global search over people and companies."""
    records = find_records(org, text) if len(text.strip()) > 1 else []
    return {
        "text": text,
        "rows": [
            {
                "id": r.id,
                "object": r.object.name,
                "name": r.display_name,
                "phone": _phone(r),
                "account": _cell(org, r, "AccountId")
                if r.object.name == "Contact"
                else {"text": r.values.get("Company") or ""},
            }
            for r in records
        ],
    }


def form(org: Org, kind: SObject) -> dict[str, object]:
    """The fields of the dialog for a new record."""
    names = _NEW_RECORD_FIELDS.get(kind.name, ())
    every = [kind.field_named(name) for name in names]
    return {
        "object": kind.name,
        "label": kind.label,
        "fields": [
            {
                "name": f.name,
                "label": _LABELS.get(f.name, f.name),
                "type": f.type,
                "required": f.required,
                "options": [
                    {"value": r.id, "label": r.display_name}
                    for target in f.references
                    if target.lower() in org.store.schema
                    for r in org.store.records(target)
                ],
            }
            for f in every
            if f
        ],
    }


def _layout(kind: SObject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if kind.name in _LAYOUTS:
        return _LAYOUTS[kind.name]
    every = tuple(f.name for f in kind.fields.values())
    return every[:5], every
