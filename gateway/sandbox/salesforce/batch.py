"""``composite/batch``, ``composite/tree`` and reading many rows of one object.

A batch is up to 25 requests that know nothing of each other; a tree is up to 200 rows
with their children, all stored or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.sandbox.salesforce.describe import child_of
from gateway.sandbox.salesforce.errors import RestError, not_found
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

MAX_BATCH = 25
MAX_TREE_ROWS = 200
MAX_TREE_DEPTH = 5
MAX_READ_ROWS = 2000


class _Failed(Exception):
    """Rolls a tree back; carries nothing."""


def answer_batch(api: RestApi, call: Call) -> Reply:
    """Each request by itself, in order.

    Raises:
        RestError: the batch as a whole is refused.
    """
    body = fields_from(call.body)
    parts = body.get("batchRequests")
    if not is_list_of_objects(parts) or not parts:
        raise RestError(400, "INVALID_INPUT", "batchRequests is a list of requests")
    if len(parts) > MAX_BATCH:
        raise RestError(
            400, "LIMIT_EXCEEDED", f"no more than {MAX_BATCH} requests in a batch"
        )
    results: list[dict[str, object]] = []
    failed = False
    for part in parts:
        if failed and body.get("haltOnError") is True:
            error = RestError(412, "BATCH_PROCESSING_HALTED", "Batch processing halted")
            reply = Reply(412, [error.as_item()])
        else:
            reply = _one(api, call, part)
        failed = failed or reply.status >= 400
        results.append({"statusCode": reply.status, "result": reply.body})
    return Reply(200, {"hasErrors": failed, "results": results})


def _one(api: RestApi, call: Call, part: Mapping[str, object]) -> Reply:
    url = str(part.get("url", ""))
    if not url.startswith("/services/data/"):
        url = "/services/data/" + url.removeprefix("/")
    try:
        inner = call_from_url(
            str(part.get("method", "")).upper(),
            url,
            user_id=call.user_id,
            headers=call.headers,
            body=part.get("richInput"),
            own_url=call.own_url,
        )
        if inner.segments[:1] == ("composite",):
            raise not_found()
        return api.answer(inner)
    except RestError as error:
        return Reply(error.status, [error.as_item()])


# -- trees


@dataclass(frozen=True, slots=True)
class _Node:
    """One row of a tree: what it is, and by which field it hangs on its parent."""

    kind: SObject
    values: Mapping[str, object]
    reference: str
    children: tuple[_Node, ...]
    link: str = ""


def answer_tree(api: RestApi, call: Call, name: str) -> Reply:
    """Rows and their children.

    Raises:
        RestError: the request as a whole is refused.
    """
    kind = api.kind(call, name)
    rows = fields_from(call.body).get("records")
    if not is_list_of_objects(rows) or not rows:
        raise RestError(400, "INVALID_INPUT", "records is a list of objects")
    nodes = [_node(api, call, kind, row, depth=1) for row in rows]
    every = [node for root in nodes for node in _walk(root)]
    if len(every) > MAX_TREE_ROWS:
        raise RestError(
            400, "INVALID_INPUT", f"no more than {MAX_TREE_ROWS} records in a tree"
        )
    names = [node.reference for node in every]
    if len(set(names)) < len(names) or "" in names:
        raise RestError(400, "INVALID_INPUT", "each referenceId is one of its own")
    results: list[dict[str, object]] = []
    errors: list[dict[str, object]] = []
    try:
        with api.store.all_or_none():
            for node in nodes:
                _plant(api, call, node, "", results, errors)
            if errors:
                raise _Failed
    except _Failed:
        return Reply(400, {"hasErrors": True, "results": errors})
    return Reply(201, {"hasErrors": False, "results": results})


def _node(
    api: RestApi,
    call: Call,
    kind: SObject,
    row: Mapping[str, object],
    *,
    depth: int,
    link: str = "",
) -> _Node:
    if depth > MAX_TREE_DEPTH:
        raise RestError(400, "INVALID_INPUT", f"no more than {MAX_TREE_DEPTH} levels")
    values: dict[str, object] = {}
    children: list[_Node] = []
    for name, value in row.items():
        below = as_mapping(value).get("records")
        if name == "attributes":
            continue
        if not is_list_of_objects(below):
            values[name] = value
            continue
        found = child_of(api.schema(call), kind, name)
        if found is None:
            raise RestError(400, "INVALID_FIELD", f"{name} is no child relationship")
        child, field = found
        children += [
            _node(api, call, child, one, depth=depth + 1, link=field.name)
            for one in below
        ]
    reference = str(as_mapping(row.get("attributes")).get("referenceId", ""))
    return _Node(kind, values, reference, tuple(children), link)


def _walk(node: _Node) -> Iterator[_Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _plant(
    api: RestApi,
    call: Call,
    node: _Node,
    parent_id: str,
    results: list[dict[str, object]],
    errors: list[dict[str, object]],
) -> None:
    values = {**node.values, node.link: parent_id} if node.link else node.values
    try:
        record = api.create(call, node.kind, values)
    except RestError as error:
        errors.append({"referenceId": node.reference, "errors": [error.as_row()]})
        return
    results.append({"referenceId": node.reference, "id": record.id})
    for child in node.children:
        _plant(api, call, child, record.id, results, errors)


# -- reading many


def read_rows(api: RestApi, call: Call, name: str) -> Reply:
    """``composite/sobjects/X`` with ``ids`` and ``fields``: a row or null for each.

    Raises:
        RestError: the request as a whole is refused.
    """
    kind = api.kind(call, name)
    if call.method == "GET":
        wanted = [i for i in call.query.get("ids", "").split(",") if i]
        names = [f for f in call.query.get("fields", "").split(",") if f]
    else:
        body = fields_from(call.body)
        wanted, names = _texts(body.get("ids")), _texts(body.get("fields"))
    if not wanted or not names:
        raise RestError(400, "INVALID_INPUT", "ids and fields are needed")
    if len(wanted) > MAX_READ_ROWS:
        raise RestError(400, "EXCEEDED_ID_LIMIT", f"no more than {MAX_READ_ROWS} ids")
    evaluator = api.evaluator(call)
    for field in names:
        evaluator.check_field(kind, field)
    rows: list[dict[str, object] | None] = []
    for record_id in wanted:
        record = api.store.find(record_id)
        there = record is not None and record.object.name == kind.name
        rows.append(evaluator.shape(record, names) if record and there else None)
    return Reply(200, rows)


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
