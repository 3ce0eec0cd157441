"""Page layouts and picklists per record type: describe/layouts, and the UI API.

How a layout is arranged is an administrator's matter; here it has one section of two
columns with all that may be written. Assumed, not verified: every member beyond those
that the documentation's examples show.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sandbox.salesforce import ids
from gateway.sandbox.salesforce.describe import (
    controlling_values,
    describe_field,
    picklist_values,
    record_type_infos,
    valid_for,
)
from gateway.sandbox.salesforce.errors import not_found
from gateway.sandbox.salesforce.schema import MASTER_RECORD_TYPE_ID, Field, SObject

_COLUMNS = 2
_UI_TYPES = {
    "string": "String",
    "textarea": "TextArea",
    "boolean": "Boolean",
    "int": "Int",
    "currency": "Currency",
    "date": "Date",
    "datetime": "DateTime",
    "reference": "Reference",
    "id": "Reference",
    "picklist": "Picklist",
    "combobox": "ComboBox",
    "phone": "Phone",
    "email": "Email",
    "url": "Url",
    "junctionidlist": "JunctionIdList",
}


def describe_layouts(o: SObject, base: str) -> dict[str, object]:
    """The answer of ``/sobjects/X/describe/layouts``."""
    return {
        "layouts": [_layout(o)],
        "recordTypeMappings": [
            {
                **info,
                "layoutId": _layout_id(o),
                "picklistsForRecordType": [
                    {
                        "picklistName": f.name,
                        "picklistValues": picklist_values(
                            o, f, only=_left(o, f, str(info["recordTypeId"]))
                        ),
                    }
                    for f in _picklists(o)
                ],
            }
            for info in record_type_infos(o, base)
        ],
        "recordTypeSelectorRequired": [len(o.record_types) > 1],
    }


def describe_layout(o: SObject, record_type_id: str) -> dict[str, object]:
    """The answer of ``/sobjects/X/describe/layouts/RECORD_TYPE``.

    Raises:
        RestError: 404 NOT_FOUND, no such record type.
    """
    _known(o, record_type_id)
    return _layout(o)


def object_info(o: SObject, base: str) -> dict[str, object]:
    """The answer of ``/ui-api/object-info/X``."""
    infos = record_type_infos(o, base)
    default = next(i for i in infos if i["defaultRecordTypeMapping"])
    return {
        "apiName": o.name,
        "createable": o.createable,
        "custom": False,
        "defaultRecordTypeId": default["recordTypeId"],
        "deletable": o.deletable,
        "dependentFields": {},
        "feedEnabled": False,
        "fields": {f.name: _field_info(o, f) for f in o.fields.values()},
        "keyPrefix": o.prefix,
        "label": o.label,
        "labelPlural": o.plural,
        "layoutable": bool(o.name_field),
        "mruEnabled": bool(o.name_field),
        "nameFields": [o.name_field] if o.name_field else [],
        "queryable": True,
        "recordTypeInfos": {
            str(i["recordTypeId"]): {
                "available": i["available"],
                "defaultRecordTypeMapping": i["defaultRecordTypeMapping"],
                "master": i["master"],
                "name": i["name"],
                "recordTypeId": i["recordTypeId"],
            }
            for i in infos
        },
        "searchable": o.searchable,
        "updateable": o.updateable,
    }


def all_picklists(o: SObject, record_type_id: str, base: str) -> dict[str, object]:
    """The answer of ``/ui-api/object-info/X/picklist-values/RECORD_TYPE``."""
    return {
        "picklistFieldValues": {
            f.name: picklist(o, record_type_id, f.name, base) for f in _picklists(o)
        }
    }


def picklist(
    o: SObject, record_type_id: str, field_name: str, base: str
) -> dict[str, object]:
    """The answer of ``…/picklist-values/RECORD_TYPE/FIELD``.

    Raises:
        RestError: 404 NOT_FOUND, no such record type or picklist.
    """
    known = _known(o, record_type_id)
    f = o.field_named(field_name)
    if f is None or f not in _picklists(o):
        raise not_found()
    left = _left(o, f, known)
    values = [
        {
            "attributes": None,
            "label": value,
            "validFor": valid_for(o, f, value),
            "value": value,
        }
        for value in f.values
        if left is None or value in left
    ]
    return {
        "controllerValues": {
            choice: position for position, choice in enumerate(controlling_values(o, f))
        },
        "defaultValue": next((v for v in values if v["value"] == f.default), None),
        "url": f"{base}/ui-api/object-info/{o.name}/picklist-values/{known}/{f.name}",
        "values": values,
    }


def _known(o: SObject, record_type_id: str) -> str:
    whole = ids.normalise(record_type_id) or ""
    if whole != MASTER_RECORD_TYPE_ID and o.record_type(whole) is None:
        raise not_found()
    return whole


def _left(o: SObject, f: Field, record_type_id: str) -> tuple[str, ...] | None:
    """The values that a record type leaves of a picklist; None for all."""
    kind = o.record_type(record_type_id)
    given: Mapping[str, tuple[str, ...]] = kind.picklists if kind else {}
    return next((v for n, v in given.items() if n.lower() == f.name.lower()), None)


def _picklists(o: SObject) -> list[Field]:
    return [f for f in o.fields.values() if f.type == "picklist"]


def _layout_id(o: SObject) -> str:
    return ids.id_for("00h", int.from_bytes(o.prefix.encode(), "big"))


def _layout(o: SObject) -> dict[str, object]:
    shown = [f for f in o.fields.values() if f.createable or f.updateable]
    pairs = [shown[i : i + _COLUMNS] for i in range(0, len(shown), _COLUMNS)]
    section = {
        "columns": _COLUMNS,
        "heading": f"{o.label} Information",
        "layoutRows": [
            {
                "layoutItems": [_item(o, f) for f in pair],
                "numItems": len(pair),
            }
            for pair in pairs
        ],
        "rows": len(pairs),
        "useCollapsibleSection": False,
        "useHeading": True,
    }
    return {
        "id": _layout_id(o),
        "detailLayoutSections": [section],
        "editLayoutSections": [section],
        "buttonLayoutSection": None,
        "highlightsPanelLayoutSection": None,
        "multirowEditLayoutSections": [],
        "relatedContent": None,
        "relatedLists": [],
        "saveOptions": [],
    }


def _item(o: SObject, f: Field) -> dict[str, object]:
    return {
        "editableForNew": f.createable,
        "editableForUpdate": f.updateable,
        "label": f.label or f.name,
        "layoutComponents": [
            {
                "details": describe_field(o, f),
                "displayLines": 1,
                "tabOrder": 1,
                "type": "Field",
                "value": f.name,
            }
        ],
        "placeholder": False,
        "required": f.required,
    }


def _field_info(o: SObject, f: Field) -> dict[str, object]:
    return {
        "apiName": f.name,
        "controllerName": f.controller or None,
        "controllingFields": [f.controller] if f.controller else [],
        "createable": f.createable,
        "custom": f.is_custom,
        "dataType": _UI_TYPES.get(f.type, "String"),
        "filterable": f.type not in ("textarea", "junctionidlist"),
        "label": f.label or f.name,
        "length": f.length,
        "nameField": f.name == o.name_field,
        "polymorphicForeignKey": len(f.references) > 1,
        "reference": f.type == "reference",
        "referenceToInfos": [
            {"apiName": name, "nameFields": ["Name"]} for name in f.references
        ],
        "relationshipName": f.relationship or None,
        "required": f.required,
        "sortable": f.type not in ("textarea", "junctionidlist"),
        "unique": f.external_id,
        "updateable": f.updateable,
    }
