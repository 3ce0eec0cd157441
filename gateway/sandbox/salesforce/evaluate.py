"""Runs a parsed query over the store's rows: filter, order, shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from gateway.sandbox.salesforce import ids
from gateway.sandbox.salesforce.errors import RestError, malformed_query
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.schema import Field, SObject
from gateway.sandbox.salesforce.soql import (
    Comparison,
    Condition,
    DateLiteral,
    Literal,
    Logical,
    Order,
    Query,
    Stamp,
)
from gateway.sandbox.salesforce.store import Store
from gateway.sandbox.salesforce.values import Value, parse_datetime

_MAX_PARENTS = 5


class Evaluator:
    """Answers queries over one store.

    Args:
        now: epoch seconds that date literals count from.
        base: path of the version served, ``/services/data/v66.0``.
        schema: what the user sees of the org's; all of it if left out.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: float,
        base: str,
        schema: Mapping[str, SObject] | None = None,
    ) -> None:
        self._store = store
        self._schema = store.schema if schema is None else schema
        self._now = datetime.fromtimestamp(now, UTC)
        self._base = base

    def object_of(self, name: str) -> SObject:
        """The object of a FROM or RETURNING clause.

        Raises:
            RestError: 400 INVALID_TYPE.
        """
        kind = self._schema.get(name.lower())
        if kind is None:
            raise RestError(
                400, "INVALID_TYPE", f"sObject type '{name}' is not supported."
            )
        return kind

    def run(self, query: Query, *, deleted: bool = False) -> list[Record]:
        """The rows of a query in order, offset and limit applied."""
        kind = self.object_of(query.object)
        rows = self._store.records(kind.name, deleted=deleted)
        return self.select(
            kind,
            rows,
            where=query.where,
            order=query.order,
            limit=query.limit,
            offset=query.offset,
        )

    def select(
        self,
        kind: SObject,
        rows: Iterable[Record],
        *,
        where: Condition | None,
        order: Sequence[Order],
        limit: int | None,
        offset: int = 0,
    ) -> list[Record]:
        """``rows`` that pass, sorted and cut."""
        if where is not None:
            self.check_condition(kind, where)
        found = [r for r in rows if where is None or self.passes(r, where)]
        for one in reversed(order):
            self._field(kind, one.field)
            empty: list[Record] = []
            full: list[Record] = []
            for record in found:
                value = self.value(record, one.field)
                (empty if value is None else full).append(record)
            full.sort(
                key=lambda r, name=one.field: _sort_key(  # type: ignore[misc]
                    self.value(r, name)
                ),
                reverse=one.descending,
            )
            found = full + empty if one.nulls_last else empty + full
        return found[offset:] if limit is None else found[offset : offset + limit]

    def fields_of(self, kind: SObject, query: Query) -> tuple[str, ...]:
        """The fields that a query asks for, FIELDS() written out."""
        named = query.fields
        if query.field_set:
            named += tuple(
                f.name
                for f in kind.fields.values()
                if query.field_set == "ALL"
                or (query.field_set == "CUSTOM") is f.is_custom
            )
        for name in named:
            self.check_field(kind, name)
        return named

    def check_field(self, kind: SObject, path: str) -> None:
        """Raise RestError 400 INVALID_FIELD if there is nothing at ``path``."""
        self._field(kind, path)

    def shape(self, record: Record, fields: Sequence[str]) -> dict[str, object]:
        """The row as the reply carries it, parents nested, names as in the schema."""
        shaped: dict[str, object] = {"attributes": self.attributes(record)}
        for path in fields:
            holder = shaped
            current: Record | None = record
            *parents, last = path.split(".")
            if parents and parents[0].lower() == record.object.name.lower():
                parents = parents[1:]
            for parent in parents:
                if current is None:
                    break
                link = current.object.relationship(parent)
                name = link.relationship if link else parent
                current = self._parent(current, parent)
                if current is None:
                    holder[name] = None
                    break
                inner = holder.setdefault(
                    name, {"attributes": self.attributes(current)}
                )
                if not isinstance(inner, dict):
                    break
                holder = inner
            if current is None:
                continue
            if parents and self._is_polymorphic(record.object, parents):
                name = last.capitalize()
                holder[name] = _of_any(current, last)
                continue
            f = current.object.field_named(last)
            name = f.name if f else last
            value: object = current.values.get(name)
            if f is not None and f.type == "junctionidlist":
                value = str(value).split(",") if value else []
            holder[name] = value
        return shaped

    def attributes(self, record: Record) -> dict[str, str]:
        url = f"{self._base}/sobjects/{record.object.name}/{record.id}"
        return {"type": record.object.name, "url": url}

    def value(self, record: Record, path: str) -> Value:
        """The value at a field path, None where a parent is missing."""
        current: Record | None = record
        *parents, last = path.split(".")
        if parents and parents[0].lower() == record.object.name.lower():
            parents = parents[1:]
        for parent in parents:
            current = self._parent(current, parent) if current else None
        if current is None:
            return None
        if parents and self._is_polymorphic(record.object, parents):
            return _of_any(current, last)
        f = current.object.field_named(last)
        return current.values.get(f.name) if f else None

    def check_condition(self, kind: SObject, condition: Condition) -> None:
        """Raise RestError 400 INVALID_FIELD if it compares what cannot be."""
        if isinstance(condition, Logical):
            for term in condition.terms:
                self.check_condition(kind, term)
            return
        f = self._field(kind, condition.field)
        if f is None:
            return
        if f.type in ("textarea", "junctionidlist"):
            raise RestError(
                400,
                "INVALID_FIELD",
                f"field '{f.name}' can not be filtered in a query call",
            )
        for literal in condition.values:
            if literal is not None and not _suits(f, literal):
                raise RestError(
                    400,
                    "INVALID_FIELD",
                    f"value of filter criterion for field '{f.name}' must be of type "
                    f"{f.type} and should not be enclosed in quotes"
                    if isinstance(literal, str)
                    else f"value of filter criterion for field '{f.name}' must be of "
                    f"type {f.type}",
                )

    def passes(self, record: Record, condition: Condition) -> bool:
        """Whether a row meets a checked condition."""
        if isinstance(condition, Logical):
            match condition.operator:
                case "AND":
                    return all(self.passes(record, t) for t in condition.terms)
                case "OR":
                    return any(self.passes(record, t) for t in condition.terms)
                case _:
                    return not self.passes(record, condition.terms[0])
        return self._compares(self.value(record, condition.field), condition)

    # -- inner

    @staticmethod
    def _is_polymorphic(kind: SObject, parents: Sequence[str]) -> bool:
        """Whether the parent may be of several objects: it has Id, Name and Type."""
        link = kind.relationship(parents[0]) if len(parents) == 1 else None
        return link is not None and len(link.references) > 1

    def _parent(self, record: Record, name: str) -> Record | None:
        link = record.object.relationship(name)
        target = record.values.get(link.name) if link else None
        return self._store.find(str(target)) if target else None

    def _field(self, kind: SObject, path: str) -> Field | None:
        """The field at the end of a path; None below a polymorphic parent.

        Raises:
            RestError: 400 INVALID_FIELD.
        """
        *parents, last = path.split(".")
        if parents and parents[0].lower() == kind.name.lower():
            parents = parents[1:]
        if len(parents) > _MAX_PARENTS:
            raise malformed_query("too many levels of relationships")
        current = kind
        for parent in parents:
            link = current.relationship(parent)
            if link is None:
                raise RestError(
                    400,
                    "INVALID_FIELD",
                    f"Didn't understand relationship '{parent}' in field path. "
                    "If you are attempting to use a custom relationship, be sure to "
                    "append the '__r' after the custom relationship name.",
                )
            if len(link.references) > 1 and last.lower() in ("name", "id", "type"):
                return None
            current = self.object_of(link.references[0])
        f = current.field_named(last)
        if f is None:
            raise RestError(
                400,
                "INVALID_FIELD",
                f"No such column '{last}' on entity '{current.name}'. If you are "
                "attempting to use a custom field, be sure to append the '__c' after "
                "the custom field name.",
            )
        return f

    def _compares(self, stored: Value, comparison: Comparison) -> bool:
        match comparison.operator:
            case "IN":
                return any(self._is(stored, v) for v in comparison.values)
            case "NOT IN":
                return not any(self._is(stored, v) for v in comparison.values)
            case "LIKE":
                return _like(stored, comparison.values[0])
            case "=":
                return self._is(stored, comparison.values[0])
            case "!=":
                return not self._is(stored, comparison.values[0])
            case operator:
                return self._orders(stored, operator, comparison.values[0])

    def _is(self, stored: Value, wanted: Literal) -> bool:
        if isinstance(wanted, DateLiteral | Stamp):
            if not isinstance(stored, str):
                return False
            moment = _moment(stored)
            first, after = self._range(wanted)
            return moment is not None and first <= moment < after
        if isinstance(stored, str) and isinstance(wanted, str):
            if stored.lower() == wanted.lower():
                return True
            return ids.normalise(wanted) == stored and len(wanted) == 15
        return stored == wanted

    def _orders(self, stored: Value, operator: str, wanted: Literal) -> bool:
        if stored is None or wanted is None:
            return False
        left: object
        right: object
        if isinstance(wanted, DateLiteral | Stamp):
            moment = _moment(str(stored))
            if moment is None:
                return False
            first, after = self._range(wanted)
            match operator:
                case "<":
                    return moment < first
                case "<=":
                    return moment < after
                case ">":
                    return moment >= after
                case _:
                    return moment >= first
        left, right = _sort_key(stored), _sort_key(wanted)
        match operator:
            case "<":
                return left < right
            case "<=":
                return left <= right
            case ">":
                return left > right
            case _:
                return left >= right

    def _range(self, literal: DateLiteral | Stamp) -> tuple[datetime, datetime]:
        if isinstance(literal, Stamp):
            return _stamp_range(literal)
        today = datetime.combine(self._now.date(), time(), UTC)
        day = timedelta(days=1)
        monday = today - timedelta(days=self._now.weekday())
        try:
            match literal.name:
                case "TODAY":
                    return today, today + day
                case "YESTERDAY":
                    return today - day, today
                case "TOMORROW":
                    return today + day, today + 2 * day
                case "THIS_WEEK":
                    return monday, monday + 7 * day
                case "LAST_WEEK":
                    return monday - 7 * day, monday
                case "LAST_N_DAYS":
                    return today - literal.days * day, today + day
                case "NEXT_N_DAYS":
                    return today + day, today + (literal.days + 1) * day
                case _:
                    first = today - literal.days * day
                    return first, first + day
        except OverflowError:
            raise malformed_query(f"invalid date literal: {literal.name}") from None


def _of_any(record: Record, name: str) -> Value:
    match name.lower():
        case "type":
            return record.object.name
        case "name":
            return record.display_name
        case _:
            return record.values.get(name.capitalize())


def _stamp_range(stamp: Stamp) -> tuple[datetime, datetime]:
    try:
        if len(stamp.text) == 10:
            first = datetime.combine(date.fromisoformat(stamp.text), time(), UTC)
            return first, first + timedelta(days=1)
        moment = parse_datetime(stamp.text)
        return moment, moment + timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise malformed_query(f"invalid date: {stamp.text}") from None


def _moment(stored: str) -> datetime | None:
    try:
        if len(stored) == 10:
            return datetime.combine(date.fromisoformat(stored), time(), UTC)
        return parse_datetime(stored)
    except ValueError:
        return None


def _suits(f: Field, literal: Literal) -> bool:
    match f.type:
        case "boolean":
            return isinstance(literal, bool)
        case "int" | "currency":
            return isinstance(literal, int | float) and not isinstance(literal, bool)
        case "datetime" | "date":
            return isinstance(literal, DateLiteral | Stamp)
        case _:
            return isinstance(literal, str)


def _like(stored: Value, pattern: Literal) -> bool:
    if not isinstance(stored, str) or not isinstance(pattern, str):
        return False
    translated = "".join(
        ".*" if c == "%" else "." if c == "_" else re.escape(c)
        for c in re.sub(r"%+", "%", pattern)
    )
    return re.fullmatch(translated, stored, re.IGNORECASE | re.DOTALL) is not None


def _sort_key(value: object) -> tuple[int, float, str]:
    match value:
        case bool() | int() | float():
            return (0, float(value), "")
        case _:
            return (1, 0.0, str(value).lower())
