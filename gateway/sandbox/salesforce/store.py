"""The org's records, and the rules that a write has to pass.

In this order: which fields there are and which are written, defaults, record type,
person accounts, required fields, times of Events, people of shared activities,
references, unique external ids over Task and Event together (the field lies on
Activity), validation rules, duplicate rules. Deleting is soft.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from gateway.sandbox.salesforce import (
    checks,
    duplicates,
    events,
    ids,
    person_accounts,
    relations,
)
from gateway.sandbox.salesforce.assumptions import NO_DELETE, NO_EDIT, UNIQUE_TOGETHER
from gateway.sandbox.salesforce.customisation import DuplicateAction
from gateway.sandbox.salesforce.duplicates import DuplicateOptions, Known
from gateway.sandbox.salesforce.errors import RestError, not_found
from gateway.sandbox.salesforce.record import Record, Schema, StoreRules
from gateway.sandbox.salesforce.schema import SObject
from gateway.sandbox.salesforce.values import (
    Value,
    check_value,
    format_datetime,
    parse_datetime,
)

_ACTIVITIES = frozenset({"Task", "Event"})
_NO_OPTIONS = DuplicateOptions()


class Store:
    """All records of one org, in memory.

    Args:
        schema: objects by lower-case name.
        clock: epoch seconds.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        clock: Callable[[], float],
        rules: StoreRules | None = None,
    ) -> None:
        self._schema = schema
        self._clock = clock
        self.rules = rules or StoreRules()
        self._records: dict[str, Record] = {}
        self._counters: dict[str, int] = {}
        # Counts every write, so that a shell can see whether to save.
        self.version = 0

    @property
    def schema(self) -> Schema:
        return self._schema

    def replace_schema(self, schema: Schema) -> None:
        """Go on with other objects and fields; rows keep what they have."""
        self._schema = schema
        for record in list(self._records.values()):
            record.object = schema.get(record.object.name.lower(), record.object)
            if record.object.name in _ACTIVITIES and not record.is_deleted:
                # Shared Activities may be new: whoever there is becomes the list.
                record.values = relations.settle(record.object, record.values, {})
                self._relate(
                    record, relations.rows(record.object, record.id, record.values)
                )

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
        options: DuplicateOptions = _NO_OPTIONS,
        schema: Schema | None = None,
    ) -> Record:
        """Add a row and return it.

        Args:
            schema: what the user sees of the org's; all of it if left out.

        Raises:
            RestError: the row breaks a rule; nothing is stored.
        """
        kind = self.object_named(name)
        seen = self._seen(kind, schema)
        if not seen.createable:
            raise RestError(
                400,
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type cannot be inserted: {kind.label}",
            )
        given = checks.fields_of(seen, values, creating=True)
        row = {
            **{
                f.name: f.default for f in kind.fields.values() if f.default is not None
            },
            **given,
        }
        if "ownerid" in kind.fields and not row.get("OwnerId"):
            row["OwnerId"] = user_id
        row = self._check(kind, row, given, own_id="", options=options)
        return self._insert(kind, row, user_id=user_id)

    def seed(
        self, name: str, values: Mapping[str, Value], *, record_id: str = ""
    ) -> Record:
        """Add a row that an org is born with, users among them; no rule is asked."""
        kind = self.object_named(name)
        given = {
            f.name: check_value(f, values[f.name])
            for f in kind.fields.values()
            if f.name in values
        }
        for f in kind.fields.values():
            if f.default is not None:
                given.setdefault(f.name, f.default)
        if kind.name == "Event":
            given = events.settle(given, given, multiday=True)
        given = person_accounts.settle(kind, given)
        given = relations.settle(kind, given, given)
        return self._insert(
            kind,
            given,
            user_id=str(given.get("OwnerId") or ""),
            record_id=record_id,
        )

    def update(
        self,
        name: str,
        record_id: str,
        values: Mapping[str, object],
        *,
        user_id: str,
        unmodified_since: float | None = None,
        options: DuplicateOptions = _NO_OPTIONS,
        schema: Schema | None = None,
    ) -> Record:
        """Change a row.

        Raises:
            RestError: a rule is broken, or 412 if it changed after
                ``unmodified_since`` (epoch seconds); nothing is stored.
        """
        record = self.get(name, record_id)
        kind = record.object
        seen = self._seen(kind, schema)
        if not seen.updateable:
            raise RestError(*NO_EDIT, "insufficient access rights on object id")
        if unmodified_since is not None:
            modified = parse_datetime(str(record.values["LastModifiedDate"]))
            if int(modified.timestamp()) > unmodified_since:
                raise RestError(
                    412,
                    "ENTITY_MODIFIED",
                    "The entity was modified after the given time",
                )
        person_accounts.refuse_contact(kind, record.values)
        given = checks.fields_of(seen, values, creating=False)
        row = self._check(
            kind, record.values | given, given, own_id=record.id, options=options
        )
        self._write(record, row, user_id=user_id)
        return record

    def delete(
        self, name: str, record_id: str, *, schema: Schema | None = None
    ) -> None:
        """Mark a row as deleted, and what goes with it.

        Raises:
            RestError: it is not there, or may not be deleted.
        """
        record = self.get(name, record_id)
        if not self._seen(record.object, schema).deletable:
            raise RestError(*NO_DELETE, "insufficient access rights on object id")
        person_accounts.refuse_contact(record.object, record.values)
        self._drop(record)
        if contact := self._records.get(str(record.values.get("PersonContactId"))):
            self._drop(contact)
        if record.object.name in _ACTIVITIES:
            self._relate(record, [])

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

    @staticmethod
    def _seen(kind: SObject, schema: Schema | None) -> SObject:
        """The object as the user sees it.

        Raises:
            RestError: 404 NOT_FOUND, they do not.
        """
        if schema is None:
            return kind
        seen = schema.get(kind.name.lower())
        if seen is None:
            raise not_found()
        return seen

    def _check(
        self,
        kind: SObject,
        row: dict[str, Value],
        given: Mapping[str, Value],
        *,
        own_id: str,
        options: DuplicateOptions,
    ) -> dict[str, Value]:
        """The row as it is to be stored.

        Raises:
            RestError: the rule that it breaks.
        """
        if person_accounts.applies(kind) and row.get("LastName") and "Name" in given:
            raise person_accounts.bad_names(kind, ["Name"])
        row = person_accounts.settle(kind, row)
        row = checks.settle_record_type(kind, row)
        checks.require(kind, row)
        if kind.name == "Event":
            row = events.settle(row, given, multiday=self.rules.multiday_events)
        row = relations.settle(kind, row, given)
        checks.picklists(kind, row, given)
        checks.references(self._schema, kind, row, find=self._records.get)
        self._check_unique(kind, row, own_id=own_id)
        self.rules.validate(kind, row)
        if not own_id or duplicates.MATCHED_FIELDS & set(given):
            self._check_duplicates(kind, row, own_id=own_id, options=options)
        return row

    def _insert(
        self,
        kind: SObject,
        given: dict[str, Value],
        *,
        user_id: str,
        record_id: str = "",
    ) -> Record:
        number = self._counters.get(kind.prefix, 0) + 1
        self._counters[kind.prefix] = number
        now = self._clock()
        stamp = format_datetime(now)
        values: dict[str, Value] = {
            **given,
            "Id": record_id or ids.id_for(kind.prefix, number),
            "IsDeleted": False,
            "CreatedDate": stamp,
            "CreatedById": user_id or None,
        }
        if kind.name == "Case":
            values["CaseNumber"] = f"{1000 + number:08d}"
        record = Record(kind, values, now)
        self._records[record.id] = record
        self._write(record, values, user_id=user_id)
        return record

    def _write(self, record: Record, row: dict[str, Value], *, user_id: str) -> None:
        """Put a checked row in place, and what follows from it."""
        now = self._clock()
        stamp = format_datetime(now)
        row = row | {
            "LastModifiedDate": stamp,
            "SystemModstamp": stamp,
            "LastModifiedById": user_id or None,
        }
        record.values = self._derive(record.object, row)
        record.changed_at = now
        self.version += 1
        if record.values.get("IsPersonAccount") and record.object.name == "Account":
            self._write_person_contact(record, user_id=user_id)
        if record.object.name in _ACTIVITIES:
            rows = relations.rows(record.object, record.id, record.values)
            self._relate(record, rows)

    def _write_person_contact(self, account: Record, *, user_id: str) -> None:
        values = person_accounts.contact_values(account.values)
        contact = self._records.get(str(account.values.get("PersonContactId")))
        if contact is None:
            made = self._insert(self.object_named("Contact"), values, user_id=user_id)
            account.values["PersonContactId"] = made.id
        else:
            self._write(contact, contact.values | values, user_id=user_id)

    def _relate(self, activity: Record, rows: list[relations.Row]) -> None:
        """Have exactly these relation rows; invitees of Events are not among them."""
        name, link = relations.relation_of(activity.object)
        kind = self._schema.get(name.lower())
        if kind is None or relations.field_of(activity.object) is None:
            return
        wanted = {(str(r["RelationId"]), r["IsWhat"]): r for r in rows}
        for old in self.records(name):
            if old.values.get(link) != activity.id or old.values.get("IsInvitee"):
                continue
            key = (str(old.values.get("RelationId")), old.values.get("IsWhat"))
            if wanted.pop(key, None) is None:
                self._drop(old)
        for row in wanted.values():
            self._insert(kind, row, user_id="")

    def _drop(self, record: Record) -> None:
        record.values["IsDeleted"] = True
        record.changed_at = self._clock()
        self.version += 1

    def _check_unique(
        self, kind: SObject, row: Mapping[str, Value], *, own_id: str
    ) -> None:
        names = UNIQUE_TOGETHER if kind.name in UNIQUE_TOGETHER else {kind.name}
        for f in kind.fields.values():
            value = row.get(f.name)
            if value is None or not f.external_id:
                continue
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

    def _check_duplicates(
        self,
        kind: SObject,
        row: Mapping[str, Value],
        *,
        own_id: str,
        options: DuplicateOptions,
    ) -> None:
        alerts = self.rules.duplicate_action is DuplicateAction.ALERT
        if not self.rules.duplicate_rules or (alerts and options.allow_save):
            return
        known = duplicates.find(kind.name, row, own_id=own_id, rows=self._known)
        if known:
            raise duplicates.refusal(
                kind.name,
                known,
                status=self.rules.duplicate_status,
                allow_save=alerts,
                options=options,
            )

    def _known(self, name: str) -> Iterator[Known]:
        for record in self.records(name):
            yield Known(name, record.id, record.values)

    def _derive(self, kind: SObject, values: dict[str, Value]) -> dict[str, Value]:
        if kind.name in ("Contact", "Lead", "User"):
            values["Name"] = person_accounts.person_name(values)
        if kind.name == "Contact" and kind.field_named("IsPersonAccount"):
            values.setdefault("IsPersonAccount", False)
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


def _same_text(stored: Value, wanted: Value) -> bool:
    return (
        isinstance(stored, str)
        and isinstance(wanted, str)
        and stored.lower() == wanted.lower()
    )
