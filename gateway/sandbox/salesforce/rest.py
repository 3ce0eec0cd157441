"""The REST resources, without HTTP: a call in, a reply out.

Composite requests call back into the same entry point, so that every sub-request
behaves exactly as it would alone. Assumed, not verified: how many API calls a
composite counts as (one), and the words of a refused external id in the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.sandbox.salesforce import soql, sosl
from gateway.sandbox.salesforce.errors import RestError, malformed_search, not_found
from gateway.sandbox.salesforce.evaluate import Evaluator
from gateway.sandbox.salesforce.schema import SObject, describe, summarise
from gateway.sandbox.salesforce.store import Record, Store

OLDEST_VERSION = 43
_UPSERT_REPLY_SINCE = 46.0
_SEARCH_OBJECT_SINCE = 37.0
_MAX_CURSORS = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API; ``path`` is what follows ``/services/data/vXX.X``.

    ``segments`` are decoded parts of the path, ``body`` decoded JSON or None.
    """

    method: str
    version: float
    segments: tuple[str, ...]
    user_id: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None

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
    method: str, url: str, *, user_id: str, headers: Mapping[str, str], body: object
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
        composites: answers ``composite`` and below, given the api itself.
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
        composites: Callable[[RestApi, Call], Reply],
    ) -> None:
        self.store = store
        self._engine = engine
        self._clock = clock
        self._newest_version = newest_version
        self._batch_size = batch_size
        self._limits = limits
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
                names = ("sobjects", "query", "queryAll", "search", "limits")
                return Reply(200, {n: f"{call.base}/{n}" for n in names})
            case ("limits",):
                return Reply(200, self._limits())
            case ("query" | "queryAll" as kind,):
                return self._query(call, deleted=kind == "queryAll")
            case ("query" | "queryAll", cursor):
                return self._more(call, cursor)
            case ("search",):
                return self._search(call)
            case ("parameterizedSearch",):
                return self._parameterized_search(call)
            case ("composite", *_):
                return self._composites(self, call)
            case ("sobjects", *rest):
                return self._sobjects(call, rest)
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
        size = self._batch_size
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
        return Evaluator(self.store, now=self._clock(), base=call.base)

    def _search(self, call: Call) -> Reply:
        _only(call, "GET")
        text = call.query.get("q")
        if text is None:
            raise malformed_search("A search string has to be specified")
        return self._found(call, sosl.parse(text))

    def _parameterized_search(self, call: Call) -> Reply:
        _only(call, "GET", "POST")
        asked = dict(call.query)
        if call.method == "POST":
            return self._posted_search(call, fields_from(call.body))
        returning = tuple(
            sosl.Returning(
                name,
                tuple(
                    f.strip()
                    for f in asked.get(
                        f"{name}.fields", asked.get("fields", "Id")
                    ).split(",")
                ),
                limit=_count(asked.get(f"{name}.limit")),
            )
            for name in filter(None, asked.get("sobject", "").split(","))
        )
        return self._found(
            call,
            sosl.Search(
                sosl.parse_term(_escape_term(asked.get("q", ""))),
                _group(asked.get("in", "ALL")),
                returning,
                _count(asked.get("overallLimit")) or sosl.MAX_ROWS,
            ),
        )

    def _posted_search(self, call: Call, body: Mapping[str, object]) -> Reply:
        listed = body.get("sobjects", [])
        if not isinstance(listed, list):
            raise malformed_search("sobjects is a list")
        common = body.get("fields")
        returning = []
        for one in listed:
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                raise malformed_search("each of sobjects has a name")
            names = one.get("fields", common) or ["Id"]
            if not isinstance(names, list):
                raise malformed_search("fields is a list")
            returning.append(
                sosl.Returning(
                    one["name"],
                    tuple(str(n) for n in names),
                    limit=_count(one.get("limit")),
                )
            )
        return self._found(
            call,
            sosl.Search(
                sosl.parse_term(_escape_term(str(body.get("q", "")))),
                _group(str(body.get("in", "ALL"))),
                tuple(returning),
                _count(body.get("overallLimit")) or sosl.MAX_ROWS,
            ),
        )

    def _found(self, call: Call, search: sosl.Search) -> Reply:
        rows = self._engine.run(search, base=call.base)
        if call.version < _SEARCH_OBJECT_SINCE:
            return Reply(200, rows)
        return Reply(200, {"searchRecords": rows})

    # -- rows

    def _sobjects(self, call: Call, rest: Sequence[str]) -> Reply:
        if not rest:
            _only(call, "GET")
            every = [summarise(o, call.base) for o in self.store.schema.values()]
            return Reply(
                200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": every}
            )
        kind = self.store.object_named(rest[0])
        match rest[1:]:
            case []:
                return self._object(call, kind)
            case ["describe"]:
                _only(call, "GET")
                return Reply(200, describe(kind, call.base))
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

    def create(self, call: Call, kind: SObject, values: Mapping[str, object]) -> Record:
        """Insert for a call, with its headers' say on duplicates."""
        # The header's name and form are assumed, not verified (facts, 3.3).
        rule = call.headers.get("Sforce-Duplicate-Rule-Header", "")
        return self.store.create(
            kind.name,
            values,
            user_id=call.user_id,
            allow_duplicates="allowsave=true" in rule.lower().replace(" ", ""),
        )

    def _row(self, call: Call, kind: SObject, record_id: str) -> Reply:
        _only(call, "GET", "PATCH", "DELETE")
        match call.method:
            case "GET":
                record = self.store.get(kind.name, record_id)
                return Reply(200, self._whole(call, record))
            case "PATCH":
                since = call.headers.get("If-Unmodified-Since")
                self.store.update(
                    kind.name,
                    record_id,
                    fields_from(call.body),
                    user_id=call.user_id,
                    unmodified_since=None if since is None else _http_date(since),
                )
                return Reply(204)
            case _:
                self.store.delete(kind.name, record_id)
                return Reply(204)

    def _whole(self, call: Call, record: Record) -> dict[str, object]:
        evaluator = self.evaluator(call)
        asked = call.query.get("fields")
        names = (
            [n.strip() for n in asked.split(",")]
            if asked
            else [f.name for f in record.object.fields.values()]
        )
        for name in names:
            evaluator.check_field(record.object, name)
        return evaluator.shape(record, names)

    def _by_external_id(
        self, call: Call, kind: SObject, field_name: str, value: str
    ) -> Reply:
        _only(call, "GET", "PATCH", "DELETE")
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
            return Reply(200, self._whole(call, found[0]))
        self.store.delete(kind.name, found[0].id)
        return Reply(204)

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
                400,
                "INVALID_FIELD",
                f"The {field_name} field should not be specified in the sobject data.",
            )
        found = self.store.matching_external_id(kind.name, field_name, value)
        if len(found) > 1:
            raise RestError(
                300,
                "DUPLICATE_EXTERNAL_ID",
                "more than one record found for external id",
            )
        if found:
            record = self.store.update(
                kind.name, found[0].id, values, user_id=call.user_id
            )
            return record, False
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


def _count(value: object) -> int | None:
    text = str(value)
    if value is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise malformed_search(f"not a number: {text}")
    return int(text[:9])


def _group(name: str) -> str:
    upper = name.upper()
    if upper not in ("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"):
        raise malformed_search(f"unknown search group: {name}")
    return upper


def _escape_term(text: str) -> str:
    """Plain words as a term: what would be an operator is punctuation here."""
    kept = "".join(c if c.isalnum() or c.isspace() else " " for c in text)
    words = [w for w in kept.split() if w not in ("AND", "OR", "NOT")]
    return " ".join(words)


def as_mapping(value: object) -> Mapping[str, object]:
    """A JSON object; whatever else is an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
