"""The REST resources, without HTTP: a call in, a reply out.

Composite requests call back into the same entry point, so that every sub-request
behaves exactly as it would alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeGuard, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.sandbox.salesforce import layouts, parameterized, soql, sosl
from gateway.sandbox.salesforce.assumptions import KEY_IN_BODY
from gateway.sandbox.salesforce.describe import describe, describe_global, summarise
from gateway.sandbox.salesforce.duplicates import options_from
from gateway.sandbox.salesforce.errors import RestError, malformed_search, not_found
from gateway.sandbox.salesforce.evaluate import Evaluator
from gateway.sandbox.salesforce.record import Record, Schema
from gateway.sandbox.salesforce.schema import SObject
from gateway.sandbox.salesforce.store import Store

OLDEST_VERSION = 43
_UPSERT_REPLY_SINCE = 46.0
_SEARCH_OBJECT_SINCE = 37.0
_MAX_CURSORS = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API; ``path`` is what follows ``/services/data/vXX.X``.

    ``segments`` are decoded parts of the path, ``body`` decoded JSON or None;
    ``own_url`` is scheme and host that were asked.
    """

    method: str
    version: float
    segments: tuple[str, ...]
    user_id: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    own_url: str = ""

    @property
    def base(self) -> str:
        return f"/services/data/v{self.version:.1f}"


@dataclass(frozen=True, slots=True)
class Reply:
    """``body`` None means an empty one."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


def call_from_url(
    method: str,
    url: str,
    *,
    user_id: str,
    headers: Mapping[str, str],
    body: object,
    own_url: str,
) -> Call:
    """Read ``/services/data/v66.0/…?…`` into a call.

    Raises:
        RestError: 404 NOT_FOUND if there is no such version.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise not_found() from None
    segments = tuple(unquote(s) for s in parts.path.split("/")[1:])
    if segments and not segments[-1]:
        segments = segments[:-1]
    if segments[:2] != ("services", "data") or len(segments) < 3:
        raise not_found()
    version = segments[2]
    number = version[1:].removesuffix(".0")
    if not version.startswith("v") or not number.isascii() or not number.isdigit():
        raise not_found()
    return Call(
        method=method,
        version=float(number[:6]),
        segments=segments[3:],
        user_id=user_id,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=body,
        own_url=own_url,
    )


def fields_from(body: object) -> Mapping[str, object]:
    """The body as an object of fields.

    Raises:
        RestError: 400 JSON_PARSER_ERROR.
    """
    if not isinstance(body, dict):
        raise RestError(
            400,
            "JSON_PARSER_ERROR",
            "Unexpected character or missing object at [line:1, column:1]",
        )
    return body


class RestApi:
    """The resources below ``/services/data/vXX.X``.

    Args:
        identity_url: of a user, given scheme and host that were asked.
        views: the schema as the user with this id sees it.
        composites: answers ``composite`` and below, given the api itself.
        locks_row: whether this row of a collection is locked (object's name).
    """

    def __init__(
        self,
        store: Store,
        engine: sosl.SearchEngine,
        *,
        clock: Callable[[], float],
        newest_version: float,
        batch_size: int,
        limits: Callable[[], Mapping[str, object]],
        identity_url: Callable[[str, str], str],
        views: Callable[[str], Schema],
        composites: Callable[[RestApi, Call], Reply],
        locks_row: Callable[[str], bool],
    ) -> None:
        self.store = store
        self._engine = engine
        self._clock = clock
        self._newest_version = newest_version
        self.batch_size = batch_size
        self._limits = limits
        self._identity_url = identity_url
        self._views = views
        self.locks_row = locks_row
        self._composites = composites
        self._cursors: dict[str, tuple[list[dict[str, object]], int]] = {}
        self._next_cursor = 1

    def versions(self) -> list[dict[str, str]]:
        return [
            {"label": f"v{n}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"}
            for n in range(OLDEST_VERSION, int(self._newest_version) + 1)
        ]

    def answer(self, call: Call) -> Reply:
        """Do what is asked.

        Raises:
            RestError: the refusal.
        """
        if not OLDEST_VERSION <= call.version <= self._newest_version:
            raise not_found()
        match call.segments:
            case ():
                names = (
                    *("sobjects", "query", "queryAll", "search", "parameterizedSearch"),
                    *("composite", "limits", "ui-api"),
                )
                resources = {n: f"{call.base}/{n}" for n in names}
                identity = self._identity_url(call.own_url, call.user_id)
                return Reply(200, {**resources, "identity": identity})
            case ("limits",):
                return Reply(200, self._limits())
            case ("query" | "queryAll" as kind,):
                return self._query(call, deleted=kind == "queryAll")
            case ("query" | "queryAll", cursor):
                return self._more(call, cursor)
            case ("search",):
                return self._search(call)
            case ("parameterizedSearch",):
                _only(call, "GET", "POST")
                asked = (
                    parameterized.from_query(call.query)
                    if call.method == "GET"
                    else parameterized.from_body(fields_from(call.body))
                )
                return self._found(call, asked)
            case ("composite", *_):
                return self._composites(self, call)
            case ("sobjects", *rest):
                return self._sobjects(call, rest)
            case ("ui-api", "object-info", name, *rest):
                return self._object_info(call, self.kind(call, name), rest)
            case _:
                raise not_found()

    # -- queries

    def _query(self, call: Call, *, deleted: bool) -> Reply:
        _only(call, "GET")
        text = call.query.get("q")
        if text is None:
            raise RestError(
                400, "MALFORMED_QUERY", "A query string has to be specified"
            )
        query = soql.parse(text)
        evaluator = self.evaluator(call)
        kind = evaluator.object_of(query.object)
        found = evaluator.run(query, deleted=deleted)
        if query.counts:
            return Reply(200, {"totalSize": len(found), "done": True, "records": []})
        names = evaluator.fields_of(kind, query)
        rows = [evaluator.shape(record, names) for record in found]
        return self._page(call, rows, 0)

    def _page(self, call: Call, rows: list[dict[str, object]], start: int) -> Reply:
        size = self.batch_size
        asked = call.headers.get("Sforce-Query-Options", "").partition("batchSize=")[2]
        if asked.isascii() and asked.isdigit():
            size = min(max(int(asked[:6]), 200), 2000)
        end = start + size
        body: dict[str, object] = {
            "totalSize": len(rows),
            "done": end >= len(rows),
            "records": rows[start:end],
        }
        if end < len(rows):
            name = f"01gRB{self._next_cursor:010d}"
            self._next_cursor += 1
            while len(self._cursors) >= _MAX_CURSORS:
                del self._cursors[next(iter(self._cursors))]
            self._cursors[f"{name}-{end}"] = (rows, end)
            body["nextRecordsUrl"] = f"{call.base}/query/{name}-{end}"
        return Reply(200, body)

    def _more(self, call: Call, cursor: str) -> Reply:
        _only(call, "GET")
        if cursor not in self._cursors:
            raise RestError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, start = self._cursors[cursor]
        return self._page(call, rows, start)

    def evaluator(self, call: Call) -> Evaluator:
        return Evaluator(
            self.store,
            now=self._clock(),
            base=call.base,
            schema=self.schema(call),
        )

    def schema(self, call: Call) -> Schema:
        """What the user sees of the org's."""
        return self._views(call.user_id)

    def kind(self, call: Call, name: str) -> SObject:
        """The object as the user sees it.

        Raises:
            RestError: 404 NOT_FOUND.
        """
        found = self.schema(call).get(name.lower())
        if found is None:
            raise not_found()
        return found

    def _search(self, call: Call) -> Reply:
        _only(call, "GET")
        text = call.query.get("q")
        if text is None:
            raise malformed_search("A search string has to be specified")
        return self._found(call, sosl.parse(text))

    def _found(self, call: Call, search: sosl.Search) -> Reply:
        rows = self._engine.run(search, base=call.base, schema=self.schema(call))
        if call.version < _SEARCH_OBJECT_SINCE:
            return Reply(200, rows)
        return Reply(200, {"searchRecords": rows})

    # -- rows

    def _sobjects(self, call: Call, rest: Sequence[str]) -> Reply:
        if not rest:
            _only(call, "GET")
            return Reply(200, describe_global(self.schema(call), call.base))
        kind = self.kind(call, rest[0])
        match rest[1:]:
            case []:
                return self._object(call, kind)
            case ["describe"]:
                _only(call, "GET")
                return Reply(200, describe(self.schema(call), kind, call.base))
            case ["describe", "layouts"]:
                _only(call, "GET")
                return Reply(200, layouts.describe_layouts(kind, call.base))
            case ["describe", "layouts", record_type_id]:
                _only(call, "GET")
                return Reply(200, layouts.describe_layout(kind, record_type_id))
            case [record_id]:
                return self._row(call, kind, record_id)
            case [field_name, value]:
                return self._by_external_id(call, kind, field_name, value)
            case _:
                raise not_found()

    def _object(self, call: Call, kind: SObject) -> Reply:
        _only(call, "GET", "POST")
        if call.method == "GET":
            recent = [
                {"attributes": self.evaluator(call).attributes(r), "Id": r.id}
                for r in self.store.records(kind.name)
            ]
            body = {
                "objectDescribe": summarise(kind, call.base),
                "recentItems": recent[-10:],
            }
            return Reply(200, body)
        record = self.create(call, kind, fields_from(call.body))
        return Reply(
            201,
            {"id": record.id, "success": True, "errors": []},
            {"Location": f"{call.base}/sobjects/{kind.name}/{record.id}"},
        )

    def _object_info(self, call: Call, kind: SObject, rest: Sequence[str]) -> Reply:
        _only(call, "GET")
        match rest:
            case []:
                return Reply(200, layouts.object_info(kind, call.base))
            case ["picklist-values", record_type_id]:
                return Reply(
                    200, layouts.all_picklists(kind, record_type_id, call.base)
                )
            case ["picklist-values", record_type_id, name]:
                return Reply(
                    200, layouts.picklist(kind, record_type_id, name, call.base)
                )
            case _:
                raise not_found()

    # -- writes, with the headers' say on duplicates

    def create(self, call: Call, kind: SObject, values: Mapping[str, object]) -> Record:
        """Insert for a call."""
        return self.store.create(
            kind.name,
            values,
            user_id=call.user_id,
            options=options_from(call.headers.get("Sforce-Duplicate-Rule-Header", "")),
            schema=self.schema(call),
        )

    def update(
        self,
        call: Call,
        kind: SObject,
        record_id: str,
        values: Mapping[str, object],
    ) -> Record:
        """Change for a call."""
        since = call.headers.get("If-Unmodified-Since")
        return self.store.update(
            kind.name,
            record_id,
            values,
            user_id=call.user_id,
            unmodified_since=None if since is None else _http_date(since),
            options=options_from(call.headers.get("Sforce-Duplicate-Rule-Header", "")),
            schema=self.schema(call),
        )

    def delete(self, call: Call, kind: SObject, record_id: str) -> None:
        """Delete for a call."""
        self.store.delete(kind.name, record_id, schema=self.schema(call))

    def _row(self, call: Call, kind: SObject, record_id: str) -> Reply:
        _only(call, "GET", "PATCH", "DELETE")
        match call.method:
            case "GET":
                record = self.store.get(kind.name, record_id)
                return Reply(200, self._whole(call, kind, record))
            case "PATCH":
                self.update(call, kind, record_id, fields_from(call.body))
                return Reply(204)
            case _:
                self.delete(call, kind, record_id)
                return Reply(204)

    def _whole(self, call: Call, kind: SObject, record: Record) -> dict[str, object]:
        evaluator = self.evaluator(call)
        asked = call.query.get("fields")
        names = (
            [n.strip() for n in asked.split(",")]
            if asked
            else [f.name for f in kind.fields.values()]
        )
        for name in names:
            evaluator.check_field(kind, name)
        return evaluator.shape(record, names)

    def _by_external_id(
        self, call: Call, kind: SObject, field_name: str, value: str
    ) -> Reply:
        _only(call, "GET", "PATCH", "DELETE")
        self._check_key(kind, field_name)
        found = self.store.matching_external_id(kind.name, field_name, value)
        if len(found) > 1:
            return Reply(
                300,
                [f"{call.base}/sobjects/{kind.name}/{record.id}" for record in found],
            )
        if call.method == "PATCH":
            record, created = self.upsert(
                call,
                kind,
                field_name,
                value,
                fields_from(call.body),
                update_only=call.query.get("updateOnly") == "true",
            )
            if not created and call.version < _UPSERT_REPLY_SINCE:
                return Reply(204)
            return Reply(
                201 if created else 200,
                {"id": record.id, "success": True, "errors": [], "created": created},
            )
        if not found:
            raise not_found()
        if call.method == "GET":
            return Reply(200, self._whole(call, kind, found[0]))
        self.delete(call, kind, found[0].id)
        return Reply(204)

    @staticmethod
    def _check_key(kind: SObject, field_name: str) -> None:
        """Refuse an external id that the user does not see.

        Raises:
            RestError: 404 NOT_FOUND.
        """
        if kind.field_named(field_name) is None:
            raise not_found(
                "Provided external ID field does not exist or is not accessible: "
                + field_name
            )

    def upsert(
        self,
        call: Call,
        kind: SObject,
        field_name: str,
        value: str,
        values: Mapping[str, object],
        *,
        update_only: bool = False,
    ) -> tuple[Record, bool]:
        """Insert or change the row with this external id; whether it is new.

        Raises:
            RestError: a rule is broken, or the key is repeated in ``values``.
        """
        if any(name.lower() == field_name.lower() for name in values):
            raise RestError(
                *KEY_IN_BODY,
                f"The {field_name} field should not be specified in the sobject data.",
            )
        self._check_key(kind, field_name)
        found = self.store.matching_external_id(kind.name, field_name, value)
        if len(found) > 1:
            raise RestError(
                300,
                "DUPLICATE_EXTERNAL_ID",
                "more than one record found for external id",
            )
        if found:
            return self.update(call, kind, found[0].id, values), False
        field = kind.field_named(field_name)
        if update_only or field is None or field.type == "id":
            raise not_found()
        return self.create(call, kind, {**values, field.name: value}), True


def _only(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise RestError(
            405,
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(methods)}",
        )


def _http_date(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        raise RestError(
            400, "INVALID_HEADER", "If-Unmodified-Since is no date"
        ) from None


def as_mapping(value: object) -> Mapping[str, object]:
    """A JSON object; whatever else is an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def is_list_of_objects(value: object) -> TypeGuard[list[Mapping[str, object]]]:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
