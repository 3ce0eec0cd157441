"""What an object and a field are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MASTER_RECORD_TYPE_ID = "012000000000000AAA"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object; ``type`` is the describe call's word for it.

    Attributes:
        values: of a picklist. restricted: no other value is taken.
        controller: field that a dependent picklist depends on, and ``valid_for``
            which of ``values`` each value of that one leaves.
    """

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
    controller: str = ""
    valid_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")


@dataclass(frozen=True, slots=True)
class RecordTypeInfo:
    """A record type as an object knows it."""

    id: str
    developer_name: str
    name: str
    picklists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_default: bool = False
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class SObject:
    """One object: its id prefix, and its fields by lower-case name."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: Mapping[str, Field] = field(repr=False)
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    searchable: bool = True
    name_field: str = "Name"
    record_types: tuple[RecordTypeInfo, ...] = ()

    def field_named(self, name: str) -> Field | None:
        return self.fields.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The reference field behind a relationship name (``Account``)."""
        wanted = name.lower()
        for candidate in self.fields.values():
            if candidate.relationship.lower() == wanted and candidate.relationship:
                return candidate
        return None

    def record_type(self, record_type_id: object) -> RecordTypeInfo | None:
        return next((t for t in self.record_types if t.id == record_type_id), None)

    @property
    def default_record_type(self) -> RecordTypeInfo | None:
        """None: rows are of the master type."""
        live = [t for t in self.record_types if t.is_active]
        return next((t for t in live if t.is_default), live[0] if live else None)
