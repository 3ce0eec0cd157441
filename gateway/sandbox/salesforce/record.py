"""A row, and the settings that decide about writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.sandbox.salesforce.customisation import DuplicateAction
from gateway.sandbox.salesforce.schema import SObject
from gateway.sandbox.salesforce.values import Value

Schema = Mapping[str, SObject]


@dataclass(slots=True)
class Record:
    """One stored row.

    Attributes:
        values: by field name; absent and None mean empty.
        changed_at: epoch seconds of the last write, for the search engine's lag.
    """

    object: SObject
    values: dict[str, Value]
    changed_at: float

    @property
    def id(self) -> str:
        return str(self.values["Id"])

    @property
    def is_deleted(self) -> bool:
        return self.values.get("IsDeleted") is True

    @property
    def display_name(self) -> str:
        return str(self.values.get(self.object.name_field) or self.id)


@dataclass(frozen=True, slots=True)
class StoreRules:
    """Settings that decide about writes.

    Attributes:
        duplicate_rules: refuse a person who is there already.
        duplicate_status: HTTP status of that refusal (400 or 300).
        multiday_events: Events may last longer than a day.
        validate: the validation rules.
    """

    duplicate_rules: bool = True
    duplicate_action: DuplicateAction = DuplicateAction.ALERT
    duplicate_status: int = 400
    multiday_events: bool = True
    validate: Callable[[SObject, Mapping[str, Value]], None] = lambda _, __: None
