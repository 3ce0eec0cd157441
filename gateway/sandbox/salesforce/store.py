"""The org's records, and the rules that a write has to pass.

Rules kept: field validation, required fields, references (a Lead as ``WhoId``
excludes any ``WhatId``), unique external ids over Task and Event together (the
field lies on Activity), times of Events that agree, duplicate rules on people.
Deleting is soft.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.sandbox.salesforce import events, ids
from gateway.sandbox.salesforce.errors import RestError, not_found
from gateway.sandbox.salesforce.schema import Field, SObject
from gateway.sandbox.salesforce.values import (
    Value,
    check_value,
    format_datetime,
    parse_datetime,
)

_ACTIVITIES = frozenset({"Task", "Event"})
_PEOPLE = frozenset({"Contact", "Lead"})

# One namespace of external ids for both activities is inferred, not verified
# (facts, 3.7).
_UNIQUE_TOGETHER = _ACTIVITIES


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
        for name in ("Name", "Subject", "CaseNumber"):
            if value := self.values.get(name):
                return str(value)
        return self.id


class Store:
    """All records of one org, in memory.

    Args:
        schema: objects by lower-case name.
        clock: epoch seconds.
        duplicate_rules: refuse a person who is there already.
        duplicate_status: HTTP status of that refusal (400 or 300).
        multiday_events: Events may last longer than a day.
    """

    def __init__(
        self,
        schema: Mapping[str, SObject],
        *,
        clock: Callable[[], float],
        duplicate_rules: bool = True,
        duplicate_status: int = 400,
        multiday_events: bool = True,
    ) -> None:
        self._schema = schema
        self._clock = clock
        self._duplicate_rules = duplicate_rules
        self._duplicate_status = duplicate_status
        self._multiday_events = multiday_events
        self._records: dict[str, Record] = {}
        self._counters: dict[str, int] = {}
        # Counts every write, so that a shell can see whether to save.
        self.version = 0

    @property
    def schema(self) -> Mapping[str, SObject]:
        return self._schema

    def object_named(self, name: str) -> SObject:
        """The object, whatever the case of ``name``.

        Raises:
            RestError: 404 NOT_FOUND.
        """
        found = self._schema.get(name.lower())
        if found is None:
            raise not_found()
        return found

    def records(self, name: str, *, deleted: bool = False) -> Iterator[Record]:
        """Rows of one object in the order of creation."""
        for record in list(self._records.values()):
            if record.object.name == name and (deleted or not record.is_deleted):
                yield record

    def find(self, record_id: str) -> Record | None:
        """The live row with this 15- or 18-character id."""
        whole = ids.normalise(record_id)
        record = self._records.get(whole) if whole else None
        return None if record is None or record.is_deleted else record

    def get(self, name: str, record_id: str) -> Record:
        """The live row.

        Raises:
            RestError: 400 MALFORMED_ID, 404 NOT_FOUND, 404 ENTITY_IS_DELETED.
        """
        wanted = self.object_named(name)
        whole = ids.normalise(record_id)
        if whole is None or whole[:3] != wanted.prefix:
            raise RestError(400, "MALFORMED_ID", f"malformed id {record_id}")
        record = self._records.get(whole)
        if record is None:
            raise not_found()
        if record.is_deleted:
            raise RestError(404, "ENTITY_IS_DELETED", "entity is deleted")
        return record

    # -- writes

    def create(
        self,
        name: str,
        values: Mapping[str, object],
        *,
        user_id: str,
        allow_duplicates: bool = False,
    ) -> Record:
        """Add a row and return it.

        Raises:
            RestError: the row breaks a rule; nothing is stored.
        """
        kind = self.object_named(name)
        if not kind.createable:
            raise RestError(
                400,
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type cannot be inserted: {kind.name}",
            )
        given = self._check_fields(kind, values, creating=True)
        for f in kind.fields.values():
            if f.default is not None and f.name not in given:
                given[f.name] = f.default
        if "ownerid" in kind.fields and not given.get("OwnerId"):
            given["OwnerId"] = user_id
        self._require(kind, given)
        given = self._settle(kind, given, given)
        self._check_rules(kind, given, own_id="")
        if not allow_duplicates:
            self._check_duplicates(kind, given)
        return self._insert(kind, given, user_id=user_id)

    def seed(self, name: str, values: Mapping[str, Value]) -> Record:
        """Add a row that an org is born with, users among them."""
        kind = self.object_named(name)
        given = {
            f.name: check_value(f, values[f.name])
            for f in kind.fields.values()
            if f.name in values
        }
        for f in kind.fields.values():
            if f.default is not None:
                given.setdefault(f.name, f.default)
        given = self._settle(kind, given, given)
        return self._insert(kind, given, user_id=str(given.get("OwnerId") or ""))

    def update(
        self,
        name: str,
        record_id: str,
        values: Mapping[str, object],
        *,
        user_id: str,
        unmodified_since: float | None = None,
    ) -> Record:
        """Change a row.

        Raises:
            RestError: a rule is broken, or 412 if it changed after
                ``unmodified_since`` (epoch seconds); nothing is stored.
        """
        record = self.get(name, record_id)
        if unmodified_since is not None:
            modified = parse_datetime(str(record.values["LastModifiedDate"]))
            if int(modified.timestamp()) > unmodified_since:
                raise RestError(
                    412,
                    "ENTITY_MODIFIED",
                    "The entity was modified after the given time",
                )
        given = self._check_fields(record.object, values, creating=False)
        merged = record.values | given
        self._require(record.object, merged)
        merged = self._settle(record.object, merged, given)
        self._check_rules(record.object, merged, own_id=record.id)
        now = self._clock()
        merged["LastModifiedDate"] = merged["SystemModstamp"] = format_datetime(now)
        merged["LastModifiedById"] = user_id or None
        record.values = self._derive(record.object, merged)
        record.changed_at = now
        self.version += 1
        return record

    def delete(self, name: str, record_id: str) -> None:
        record = self.get(name, record_id)
        record.values["IsDeleted"] = True
        record.changed_at = self._clock()
        self.version += 1

    def matching_external_id(self, name: str, field: str, value: str) -> list[Record]:
        """Live rows of ``name`` whose external id is ``value``.

        Raises:
            RestError: 404 NOT_FOUND if the field is no external id.
        """
        kind = self.object_named(name)
        f = kind.field_named(field)
        if f is None or not (f.external_id or f.type == "id"):
            raise not_found(
                "Provided external ID field does not exist or is not accessible: "
                + field
            )
        wanted = ids.normalise(value) if f.type == "id" else value
        return [
            record
            for record in self.records(kind.name)
            if _same_text(record.values.get(f.name), wanted)
        ]

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Undo every write made inside if the block raises."""
        before = {
            key: Record(r.object, dict(r.values), r.changed_at)
            for key, r in self._records.items()
        }
        counters = dict(self._counters)
        try:
            yield
        except BaseException:
            self._records = before
            self._counters = counters
            self.version += 1
            raise

    # -- keeping

    def dump(self) -> dict[str, object]:
        """Everything as JSON-able values; the inverse of :meth:`load`."""
        return {
            "counters": dict(self._counters),
            "records": [
                {
                    "object": r.object.name,
                    "values": r.values,
                    "changed_at": r.changed_at,
                }
                for r in self._records.values()
            ],
        }

    def load(self, state: Mapping[str, object]) -> None:
        """Replace everything by what :meth:`dump` gave."""
        rows = state["records"]
        counters = state["counters"]
        if not isinstance(rows, list) or not isinstance(counters, dict):
            raise ValueError("not a saved org")
        self._counters = dict(counters)
        self._records = {
            str(row["values"]["Id"]): Record(
                self.object_named(row["object"]), dict(row["values"]), row["changed_at"]
            )
            for row in rows
        }

    # -- inner

    def _insert(
        self, kind: SObject, given: dict[str, Value], *, user_id: str
    ) -> Record:
        number = self._counters.get(kind.prefix, 0) + 1
        self._counters[kind.prefix] = number
        now = self._clock()
        stamp = format_datetime(now)
        values: dict[str, Value] = {
            **given,
            "Id": ids.id_for(kind.prefix, number),
            "IsDeleted": False,
            "CreatedDate": stamp,
            "LastModifiedDate": stamp,
            "SystemModstamp": stamp,
            "CreatedById": user_id or None,
            "LastModifiedById": user_id or None,
        }
        if kind.name == "Case":
            values["CaseNumber"] = f"{1000 + number:08d}"
        record = Record(kind, self._derive(kind, values), now)
        self._records[record.id] = record
        self.version += 1
        return record

    def _check_fields(
        self, kind: SObject, values: Mapping[str, object], *, creating: bool
    ) -> dict[str, Value]:
        given: dict[str, Value] = {}
        locked: list[str] = []
        for name, value in values.items():
            if name == "attributes":
                continue
            f = kind.field_named(name)
            if f is None:
                raise RestError(
                    400,
                    "INVALID_FIELD",
                    f"No such column '{name}' on sobject of type {kind.name}",
                )
            if not (f.createable if creating else f.updateable):
                locked.append(f.name)
                continue
            given[f.name] = check_value(f, value)
        if locked:
            raise RestError(
                400,
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(locked)}. Please check "
                "the security settings of this field and verify that it is "
                "read/write for your profile or permission set.",
                fields=locked,
            )
        return given

    @staticmethod
    def _require(kind: SObject, values: Mapping[str, Value]) -> None:
        missing = [
            f.name
            for f in kind.fields.values()
            if f.required and values.get(f.name) is None
        ]
        if kind.name == "Event":
            missing += events.missing(values)
        if missing:
            raise RestError(
                400,
                "REQUIRED_FIELD_MISSING",
                f"Required fields are missing: [{', '.join(missing)}]",
                fields=missing,
            )

    def _settle(
        self, kind: SObject, values: dict[str, Value], given: Mapping[str, Value]
    ) -> dict[str, Value]:
        if kind.name != "Event":
            return values
        return events.settle(values, given, multiday=self._multiday_events)

    def _check_rules(
        self, kind: SObject, values: Mapping[str, Value], *, own_id: str
    ) -> None:
        for f in kind.fields.values():
            value = values.get(f.name)
            if value is None:
                continue
            if f.type == "reference":
                self._check_reference(f, str(value))
            elif f.external_id:
                self._check_unique(kind, f, str(value), own_id=own_id)
        if kind.name in _ACTIVITIES:
            who = str(values.get("WhoId") or "")
            if who.startswith("00Q") and values.get("WhatId"):
                # The code of this refusal is assumed, not verified (facts, 3.5).
                raise RestError(
                    400,
                    "FIELD_INTEGRITY_EXCEPTION",
                    "Related To ID: an activity of a lead cannot be related to "
                    "another record",
                    fields=["WhatId"],
                )

    def _check_reference(self, f: Field, value: str) -> None:
        target = self._records.get(value)
        if target is not None and target.is_deleted:
            raise RestError(
                400, "ENTITY_IS_DELETED", "entity is deleted", fields=[f.name]
            )
        prefixes = [
            o.prefix for name in f.references if (o := self._schema.get(name.lower()))
        ]
        if value[:3] not in prefixes:
            raise RestError(
                400,
                "FIELD_INTEGRITY_EXCEPTION",
                f"{f.name}: id value of incorrect type: {value}",
                fields=[f.name],
            )
        if target is None:
            raise RestError(
                400,
                "INVALID_CROSS_REFERENCE_KEY",
                "invalid cross reference id",
                fields=[f.name],
            )

    def _check_unique(
        self, kind: SObject, f: Field, value: str, *, own_id: str
    ) -> None:
        names = _UNIQUE_TOGETHER if kind.name in _UNIQUE_TOGETHER else {kind.name}
        for record in self._records.values():
            if (
                record.object.name in names
                and record.id != own_id
                and not record.is_deleted
                and _same_text(record.values.get(f.name), value)
            ):
                raise RestError(
                    400,
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {f.name} duplicates value on record "
                    f"with id: {record.id[:15]}",
                )

    def _check_duplicates(self, kind: SObject, values: Mapping[str, Value]) -> None:
        if not self._duplicate_rules or kind.name not in _PEOPLE:
            return
        same = [r for r in self.records(kind.name) if _is_same_person(r.values, values)]
        if same:
            raise duplicates_detected(same, status=self._duplicate_status)

    def _derive(self, kind: SObject, values: dict[str, Value]) -> dict[str, Value]:
        if kind.name in _PEOPLE or kind.name == "User":
            parts = (values.get("FirstName"), values.get("LastName"))
            values["Name"] = " ".join(str(p) for p in parts if p)
        if kind.name in _ACTIVITIES:
            values["AccountId"] = self._account_of(values)
        if kind.name == "Task":
            closed = values.get("Status") == "Completed"
            if closed and not values.get("CompletedDateTime"):
                values["CompletedDateTime"] = values["LastModifiedDate"]
            values["IsClosed"] = closed
        return values

    def _account_of(self, values: Mapping[str, Value]) -> Value:
        for name in ("WhatId", "WhoId"):
            target = self._records.get(str(values.get(name)))
            if target is None:
                continue
            if target.object.name == "Account":
                return target.id
            if account := target.values.get("AccountId"):
                return account
        return None


def duplicates_detected(records: list[Record], *, status: int) -> RestError:
    """The refusal by a duplicate rule, naming the rows that are there already."""
    kind = records[0].object.name
    return RestError(
        status,
        "DUPLICATES_DETECTED",
        "Use one of these records?",
        extra={
            "duplicateResult": {
                "allowSave": True,
                "duplicateRule": f"Standard_{kind}_Duplicate_Rule",
                "duplicateRuleEntityType": kind,
                "errorMessage": "Use one of these records?",
                "matchResults": [
                    {
                        "entityType": kind,
                        "errors": [],
                        "matchEngine": "FuzzyMatchEngine",
                        "matchRecords": [
                            {
                                "additionalInformation": [],
                                "fieldDiffs": [],
                                "matchConfidence": 100.0,
                                "record": {
                                    "attributes": {"type": kind},
                                    "Id": record.id,
                                    "Name": record.display_name,
                                },
                            }
                            for record in records
                        ],
                        "rule": f"Standard_{kind}_Match_Rule",
                        "size": len(records),
                        "success": True,
                    }
                ],
            }
        },
    )


def _same_text(stored: Value, wanted: Value) -> bool:
    return (
        isinstance(stored, str)
        and isinstance(wanted, str)
        and stored.lower() == wanted.lower()
    )


def _digits(value: Value) -> str:
    return "".join(c for c in str(value or "") if c.isdigit())[-10:]


def _is_same_person(a: Mapping[str, Value], b: Mapping[str, Value]) -> bool:
    if not all(
        str(a.get(n) or "").lower() == str(b.get(n) or "").lower()
        for n in ("FirstName", "LastName")
    ):
        return False
    if _same_text(a.get("Email"), b.get("Email")):
        return True
    numbers = {_digits(a.get(n)) for n in ("Phone", "MobilePhone")} - {""}
    return bool(numbers & {_digits(b.get(n)) for n in ("Phone", "MobilePhone")})
