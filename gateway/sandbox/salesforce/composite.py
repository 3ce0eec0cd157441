"""``composite`` (up to 25 chained requests) and ``composite/sobjects`` (200 rows).

Each counts as one API call, which is assumed (facts, 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.sandbox.salesforce.batch import answer_batch, answer_tree, read_rows
from gateway.sandbox.salesforce.errors import RestError, not_found, row_locked
from gateway.sandbox.salesforce.rest import (
    Call,
    Reply,
    RestApi,
    as_mapping,
    call_from_url,
    fields_from,
    is_list_of_objects,
)
from gateway.sandbox.salesforce.schema import SObject

MAX_SUBREQUESTS = 25
MAX_QUERIES = 5
MAX_ROWS = 200

_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_NAME = re.compile(r"\w{1,40}")


class _Halted(Exception):
    """Rolls an all-or-none block back; carries nothing."""


def answer_composite(api: RestApi, call: Call) -> Reply:
    """Everything at or below ``composite``.

    Raises:
        RestError: the request as a whole is refused.
    """
    match call.segments[1:]:
        case ():
            return _chain(api, call)
        case ("sobjects",):
            match call.method:
                case "POST":
                    return _rows(api, call, "create")
                case "PATCH":
                    return _rows(api, call, "update")
                case "DELETE":
                    return _deleted_rows(api, call)
                case _:
                    raise RestError(405, "METHOD_NOT_ALLOWED", "use POST or PATCH")
        case ("sobjects", kind, field_name) if call.method == "PATCH":
            return _rows(api, call, "upsert", kind=kind, field_name=field_name)
        case ("sobjects", kind) if call.method in ("GET", "POST"):
            return read_rows(api, call, kind)
        case ("batch",) if call.method == "POST":
            return answer_batch(api, call)
        case ("tree", kind) if call.method == "POST":
            return answer_tree(api, call, kind)
        case _:
            raise not_found()


def _all_or_none(body: Mapping[str, object]) -> bool:
    return body.get("allOrNone") is True


def _chain(api: RestApi, call: Call) -> Reply:
    if call.method != "POST":
        raise RestError(405, "METHOD_NOT_ALLOWED", "use POST")
    body = fields_from(call.body)
    parts = body.get("compositeRequest")
    if not is_list_of_objects(parts) or not parts:
        raise RestError(400, "INVALID_INPUT", "compositeRequest is a list of requests")
    if len(parts) > MAX_SUBREQUESTS:
        raise RestError(
            400,
            "LIMIT_EXCEEDED",
            f"Limit of {MAX_SUBREQUESTS} reached for sub-requests in a composite",
        )
    names = [str(p.get("referenceId", "")) for p in parts]
    if len(set(names)) < len(names) or not all(_NAME.fullmatch(n) for n in names):
        raise RestError(400, "INVALID_INPUT", "each referenceId is a word of its own")
    heavy = [p for p in parts if re.search(r"/query|/composite/", str(p.get("url")))]
    if len(heavy) > MAX_QUERIES:
        raise RestError(
            400, "LIMIT_EXCEEDED", f"no more than {MAX_QUERIES} queries or collections"
        )
    answers: list[dict[str, object]] = []
    if not _all_or_none(body):
        _run_chain(api, call, parts, answers, stop=False)
        return Reply(200, {"compositeResponse": answers})
    try:
        with api.store.all_or_none():
            _run_chain(api, call, parts, answers, stop=True)
    except _Halted:
        failed = answers[-1]["referenceId"]
        halted = [_halted_answer(n) for n in names]
        answers = [
            answers[-1] if n == failed else h
            for n, h in zip(names, halted, strict=True)
        ]
    return Reply(200, {"compositeResponse": answers})


def _run_chain(
    api: RestApi,
    call: Call,
    parts: list[Mapping[str, object]],
    answers: list[dict[str, object]],
    *,
    stop: bool,
) -> None:
    results: dict[str, object] = {}
    for part in parts:
        name = str(part["referenceId"])
        reply = _one(api, call, part, results)
        if reply.status < 300:
            results[name] = reply.body
        answers.append(
            {
                "body": reply.body,
                "httpHeaders": dict(reply.headers),
                "httpStatusCode": reply.status,
                "referenceId": name,
            }
        )
        if stop and reply.status >= 300:
            raise _Halted


def _one(
    api: RestApi, call: Call, part: Mapping[str, object], results: Mapping[str, object]
) -> Reply:
    try:
        url = str(_resolve(str(part.get("url", "")), results))
        inner = call_from_url(
            str(part.get("method", "")).upper(),
            url,
            user_id=call.user_id,
            headers={**call.headers, **_headers_of(part)},
            body=_resolve(part.get("body"), results),
            own_url=call.own_url,
        )
        if inner.segments == ("composite",):
            raise not_found()
        return api.answer(inner)
    except RestError as error:
        return Reply(error.status, [error.as_item()])


def _headers_of(part: Mapping[str, object]) -> dict[str, str]:
    given = as_mapping(part.get("httpHeaders"))
    return {k: v for k, v in given.items() if isinstance(v, str)}


def _halted_answer(name: str) -> dict[str, object]:
    error = RestError(
        400,
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in the same "
        "transaction failed.",
    )
    return {
        "body": [error.as_item()],
        "httpHeaders": {},
        "httpStatusCode": 400,
        "referenceId": name,
    }


def _resolve(value: object, results: Mapping[str, object]) -> object:
    """Put earlier results where ``@{name.path}`` stands.

    Raises:
        RestError: 400 if nothing is there.
    """
    match value:
        case str():
            return _REFERENCE.sub(lambda m: _looked_up(m[1], m[2], results), value)
        case dict():
            return {k: _resolve(v, results) for k, v in value.items()}
        case list():
            return [_resolve(v, results) for v in value]
        case _:
            return value


def _looked_up(name: str, path: str, results: Mapping[str, object]) -> str:
    current = results.get(name)
    for step in re.findall(r"\w+", path):
        if isinstance(current, dict):
            current = current.get(step)
        elif isinstance(current, list) and step.isdigit() and int(step) < len(current):
            current = current[int(step)]
        else:
            current = None
    if current is None or isinstance(current, dict | list):
        raise RestError(
            400,
            "PROCESSING_HALTED",
            f"Invalid reference specified. No value for {name}{path} found",
        )
    return str(current)


# -- collections


def _rows(
    api: RestApi, call: Call, act: str, *, kind: str = "", field_name: str = ""
) -> Reply:
    body = fields_from(call.body)
    rows = body.get("records")
    if not is_list_of_objects(rows):
        raise RestError(400, "INVALID_INPUT", "records is a list of objects")
    if len(rows) > MAX_ROWS:
        raise RestError(
            400,
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MAX_ROWS} records",
        )
    if kind:
        api.kind(call, kind)

    def each(row: Mapping[str, object]) -> dict[str, object]:
        return _row(api, call, act, row, kind=kind, field_name=field_name)

    if not _all_or_none(body):
        return Reply(200, [each(row) for row in rows])
    results: list[dict[str, object]] = []
    try:
        with api.store.all_or_none():
            results = [each(row) for row in rows]
            if not all(result["success"] for result in results):
                raise _Halted
    except _Halted:
        rolled_back = RestError(
            400,
            "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            "Record rolled back because not all records were valid and the request "
            "was using AllOrNone header",
        )
        results = [
            {"success": False, "errors": [rolled_back.as_row()]} if r["success"] else r
            for r in results
        ]
    return Reply(200, results)


def _row(
    api: RestApi,
    call: Call,
    act: str,
    row: Mapping[str, object],
    *,
    kind: str,
    field_name: str,
) -> dict[str, object]:
    values = {k: v for k, v in row.items() if k not in ("attributes", "id", "Id")}
    record_id = str(row.get("id") or row.get("Id") or "")
    try:
        target = _object_of(api, call, row, kind=kind, record_id=record_id)
        refuse_locked(api, target, record_id)
        created: bool | None = None
        match act:
            case "create":
                record = api.create(call, target, values)
            case "update":
                record = api.update(call, target, record_id, values)
            case _:
                key = next((k for k in values if k.lower() == field_name.lower()), None)
                if key is None:
                    raise RestError(
                        400, "MISSING_ARGUMENT", f"{field_name} not specified"
                    )
                value = str(values.pop(key))
                record, created = api.upsert(call, target, field_name, value, values)
    except RestError as error:
        return {"success": False, "errors": [error.as_row()]}
    result: dict[str, object] = {"id": record.id, "success": True, "errors": []}
    return result if created is None else {**result, "created": created}


def refuse_locked(api: RestApi, kind: SObject, record_id: str) -> None:
    """Refuse a row that an ordered fault keeps locked.

    Raises:
        RestError: 400 UNABLE_TO_LOCK_ROW.
    """
    if api.locks_row(kind.name):
        raise row_locked(record_id)


def _object_of(
    api: RestApi,
    call: Call,
    row: Mapping[str, object],
    *,
    kind: str,
    record_id: str,
) -> SObject:
    name = kind or str(as_mapping(row.get("attributes")).get("type", ""))
    if not name and record_id and (record := api.store.find(record_id)):
        name = record.object.name
    try:
        return api.kind(call, name)
    except RestError:
        raise RestError(
            400, "INVALID_TYPE", f"sObject type '{name}' is not supported."
        ) from None


def _deleted_rows(api: RestApi, call: Call) -> Reply:
    wanted = [i for i in call.query.get("ids", "").split(",") if i]
    if not wanted or len(wanted) > MAX_ROWS:
        raise RestError(400, "EXCEEDED_ID_LIMIT", f"name 1 to {MAX_ROWS} ids")
    results: list[dict[str, object]] = []
    try:
        with api.store.all_or_none():
            for record_id in wanted:
                record = api.store.find(record_id)
                if record is None:
                    error = RestError(
                        400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"
                    )
                    results.append({"success": False, "errors": [error.as_row()]})
                    continue
                try:
                    refuse_locked(api, record.object, record.id)
                    api.delete(call, record.object, record.id)
                except RestError as refused:
                    results.append({"success": False, "errors": [refused.as_row()]})
                    continue
                results.append({"id": record.id, "success": True, "errors": []})
            failed = not all(r["success"] for r in results)
            if failed and call.query.get("allOrNone") == "true":
                raise _Halted
    except _Halted:
        rolled_back = RestError(400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "rolled back")
        results = [
            {"success": False, "errors": [rolled_back.as_row()]} if r["success"] else r
            for r in results
        ]
    return Reply(200, results)
