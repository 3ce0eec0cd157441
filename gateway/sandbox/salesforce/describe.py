"""The describe calls: the org, an object, a field, as the documentation has them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from gateway.sandbox.salesforce.schema import (
    MASTER_RECORD_TYPE_ID,
    Field,
    RecordTypeInfo,
    SObject,
)

_PRECISION = {"currency": (18, 2), "double": (18, 2), "percent": (5, 2)}


def describe_global(schema: Mapping[str, SObject], base: str) -> dict[str, object]:
    """The answer of ``/sobjects``; ``base`` is /services/data/vXX.X."""
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [summarise(o, base) for o in schema.values()],
    }


def summarise(o: SObject, base: str) -> dict[str, object]:
    """The entry of one object in the global describe."""
    url = f"{base}/sobjects/{o.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": o.createable,
        "custom": o.name.endswith("__c"),
        "customSetting": False,
        "deepCloneable": False,
        "deletable": o.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": o.prefix,
        "label": o.label,
        "labelPlural": o.plural,
        "layoutable": bool(o.name_field),
        "mergeable": o.name in ("Account", "Contact", "Lead"),
        "mruEnabled": bool(o.name_field),
        "name": o.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": o.searchable,
        "triggerable": True,
        "undeletable": o.deletable,
        "updateable": o.updateable,
        "urls": {
            "sobject": url,
            "describe": f"{url}/describe",
            "rowTemplate": f"{url}/{{ID}}",
            "layouts": f"{url}/describe/layouts",
        },
    }


def describe(schema: Mapping[str, SObject], o: SObject, base: str) -> dict[str, object]:
    """The full describe of one object."""
    return summarise(o, base) | {
        "actionOverrides": [],
        "childRelationships": _children(schema, o),
        "compactLayoutable": bool(o.name_field),
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(o, f) for f in o.fields.values()],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": record_type_infos(o, base),
        "searchLayoutable": o.searchable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {o.plural.lower()}", "name": "everything"},
            {"label": f"My {o.plural.lower()}", "name": "mine"},
        ],
    }


def describe_field(o: SObject, f: Field) -> dict[str, object]:
    precision, scale = _PRECISION.get(f.type, (0, 0))
    is_text = f.type not in ("boolean", "int", "currency", "double", "date", "datetime")
    return {
        "aggregatable": f.type != "textarea",
        "aiPredictionField": False,
        "autoNumber": f.name == "CaseNumber",
        "byteLength": f.length * 3,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": False,
        "compoundFieldName": "Name" if f.name in ("FirstName", "LastName") else None,
        "controllerName": f.controller or None,
        "createable": f.createable,
        "custom": f.is_custom,
        "defaultValue": f.default,
        "defaultedOnCreate": f.default is not None or f.name == "OwnerId",
        "dependentPicklist": bool(f.controller),
        "deprecatedAndHidden": False,
        "digits": 9 if f.type == "int" else 0,
        "encrypted": False,
        "externalId": f.external_id,
        "extraTypeInfo": None,
        "filterable": f.type not in ("textarea", "junctionidlist"),
        "groupable": f.type not in ("textarea", "junctionidlist", "datetime"),
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": f.external_id or f.type == "id",
        "inlineHelpText": None,
        "label": f.label or f.name,
        "length": f.length if is_text else 0,
        "mask": None,
        "name": f.name,
        "nameField": f.name == o.name_field,
        "namePointing": len(f.references) > 1,
        "nillable": not f.required and f.type != "boolean",
        "permissionable": not f.required and f.type != "id",
        "picklistValues": picklist_values(o, f),
        "polymorphicForeignKey": len(f.references) > 1,
        "precision": precision,
        "queryByDistance": False,
        "referenceTo": list(f.references),
        "relationshipName": f.relationship or None,
        "restrictedDelete": False,
        "restrictedPicklist": f.restricted,
        "scale": scale,
        "soapType": _soap_type(f.type),
        "sortable": f.type not in ("textarea", "junctionidlist"),
        "type": f.type,
        "unique": f.external_id,
        "updateable": f.updateable,
        "writeRequiresMasterRead": False,
    }


def picklist_values(
    o: SObject, f: Field, *, only: tuple[str, ...] | None = None
) -> list[dict[str, object]]:
    """The values of a picklist; ``only`` those that a record type leaves."""
    return [
        {
            "active": True,
            "defaultValue": value == f.default,
            "label": value,
            "validFor": valid_for_bits(o, f, value),
            "value": value,
        }
        for value in f.values
        if only is None or value in only
    ]


def valid_for(o: SObject, f: Field, value: str) -> list[int]:
    """Positions, among the controlling field's values, that leave this one."""
    return [
        position
        for position, choice in enumerate(controlling_values(o, f))
        if value in f.valid_for.get(choice, ())
    ]


def controlling_values(o: SObject, f: Field) -> tuple[str, ...]:
    controller = o.field_named(f.controller) if f.controller else None
    if controller is None:
        return ()
    return ("false", "true") if controller.type == "boolean" else controller.values


def valid_for_bits(o: SObject, f: Field, value: str) -> str | None:
    """A bit per controlling value, the first one highest, in base64."""
    choices = controlling_values(o, f)
    if not choices:
        return None
    bits = bytearray((len(choices) + 7) // 8)
    for position in valid_for(o, f, value):
        bits[position // 8] |= 0x80 >> position % 8
    return base64.b64encode(bytes(bits)).decode()


def record_type_infos(o: SObject, base: str) -> list[dict[str, object]]:
    """The record types, and the master one at the end, which every object has."""
    default = o.default_record_type
    master = RecordTypeInfo(MASTER_RECORD_TYPE_ID, "Master", "Master")
    return [
        {
            "active": kind.is_active,
            "available": kind.is_active and (kind is not master or default is None),
            "defaultRecordTypeMapping": kind is (default or master),
            "developerName": kind.developer_name,
            "master": kind is master,
            "name": kind.name,
            "recordTypeId": kind.id,
            "urls": {"layout": f"{base}/sobjects/{o.name}/describe/layouts/{kind.id}"},
        }
        for kind in (*o.record_types, master)
    ]


def child_of(
    schema: Mapping[str, SObject], o: SObject, relationship: str
) -> tuple[SObject, Field] | None:
    """The object and field behind a child relationship (``Contacts``)."""
    for child, f in _referring(schema, o):
        name = _relationship_of(o, child, f)
        if name is not None and name.lower() == relationship.lower():
            return child, f
    return None


def _referring(
    schema: Mapping[str, SObject], o: SObject
) -> Iterator[tuple[SObject, Field]]:
    for child in schema.values():
        for f in child.fields.values():
            if f.type == "reference" and o.name in f.references:
                yield child, f


def _relationship_of(o: SObject, child: SObject, f: Field) -> str | None:
    """Children have a name where the field is named after the parent, or is of an
    activity; the fields that say who wrote a row have none."""
    if f.relationship == o.name or f.name in ("WhoId", "WhatId"):
        return child.plural.replace(" ", "")
    return None


def _children(schema: Mapping[str, SObject], o: SObject) -> list[dict[str, object]]:
    return [
        {
            "cascadeDelete": False,
            "childSObject": child.name,
            "deprecatedAndHidden": False,
            "field": f.name,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": _relationship_of(o, child, f),
            "restrictedDelete": False,
        }
        for child, f in _referring(schema, o)
    ]


def _soap_type(kind: str) -> str:
    match kind:
        case "id" | "reference":
            return "tns:ID"
        case "boolean" | "date" | "int":
            return f"xsd:{kind}"
        case "datetime":
            return "xsd:dateTime"
        case "currency" | "double" | "percent":
            return "xsd:double"
        case "junctionidlist":
            return "urn:JunctionIdListNames"
        case _:
            return "xsd:string"
