"""TypeScript declarations of the wire types, for the browser client's type check.

One interface per type. A field of a type that only the client sends is optional when
it has a default; a field of a type that the server sends is optional only when it may
be absent, because the server writes every other default out.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from gateway.sessions import wire


def event_types() -> tuple[type[wire.Event], ...]:
    """The closed set of events, in the order of ``wire.AnyEvent``."""
    union = typing.get_args(wire.AnyEvent)[0]
    return typing.get_args(union)


def server_models() -> tuple[type[wire.Wire], ...]:
    """Root types that the server sends."""
    return (
        *(result for _, result in wire.METHODS.values()),
        *event_types(),
        wire.ErrorData,
        *(result for _, result in wire.HTTP_ENDPOINTS.values()),
        wire.HttpError,
    )


def client_models() -> tuple[type[wire.Wire], ...]:
    """Root types that the client sends."""
    return (
        *(params for params, _ in wire.METHODS.values()),
        *(body for bodies, _ in wire.HTTP_ENDPOINTS.values() for body in bodies),
    )


def type_script() -> str:
    """The whole ``wire.d.ts``."""
    sent = _reachable(server_models())
    received = _reachable(client_models())
    parts = [_HEADER]
    for name, value in vars(wire).items():
        if not inspect.isclass(value) or not value.__module__.startswith(wire.__name__):
            continue
        if issubclass(value, enum.StrEnum):
            parts.append(_enumeration(name, value))
        elif issubclass(value, wire.Wire) and value in sent | received:
            parts.append(_interface(value, from_server=value in sent))
    parts.append(_methods())
    parts.append(_events())
    parts.append(_FOOTER)
    return "\n".join(parts)


_HEADER = """\
// Generated from gateway/sessions/wire by `python -m gateway.sessions.document`.
// Do not edit. Import the types by JSDoc:
//   /** @typedef {import("./wire.d.ts").CallView} CallView */
"""

_FOOTER = """\
/** A request frame. */
export interface Request<M extends MethodName = MethodName> {
  jsonrpc: "2.0";
  id: string | number;
  method: M;
  params: Methods[M]["params"];
}

/** A frame that answers the request with the same `id`. */
export interface Success<M extends MethodName = MethodName> {
  jsonrpc: "2.0";
  id: string | number;
  result: Methods[M]["result"];
}

/** `id` is null when the request could not be read. */
export interface Failure {
  jsonrpc: "2.0";
  id: string | number | null;
  error: { code: number; message: string; data: ErrorData };
}

/** A frame with an event. */
export interface Notification {
  jsonrpc: "2.0";
  method: "event";
  params: AnyEvent;
}

export type ServerFrame = Success | Failure | Notification;
"""


def _reachable(roots: Iterable[type[BaseModel]]) -> frozenset[type[BaseModel]]:
    seen: set[type[BaseModel]] = set()
    todo = list(roots)
    while todo:
        model = todo.pop()
        if model in seen:
            continue
        seen.add(model)
        for field in model.model_fields.values():
            todo.extend(_models_in(field.annotation))
    return frozenset(seen)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _enumeration(name: str, members: type[enum.StrEnum]) -> str:
    rows = "".join(f'\n  | "{member.value}"' for member in members)
    return f"{_comment(members)}export type {name} ={rows};\n"


def _interface(model: type[BaseModel], *, from_server: bool) -> str:
    rows = []
    for name, field in model.model_fields.items():
        may_be_none = type(None) in typing.get_args(field.annotation)
        optional = may_be_none if from_server else not field.is_required()
        mark = "?" if optional else ""
        rows.append(f"  {name}{mark}: {type_name(field.annotation)};\n")
    return f"{_comment(model)}export interface {model.__name__} {{\n{''.join(rows)}}}\n"


def type_name(annotation: object) -> str:
    """A field's type in TypeScript, without saying whether it may be absent.

    Raises:
        TypeError: a kind of type that the wire has not used before.
    """
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is typing.Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_name(a) for a in arguments if a is not type(None))
    if origin is tuple:
        return f"readonly {type_name(arguments[0])}[]"
    if annotation is str:
        return "string"
    if annotation is bool:
        return "boolean"
    if annotation is int:
        return "number"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel | enum.StrEnum):
        return annotation.__name__
    raise TypeError(f"no TypeScript for {annotation!r}")


def _comment(documented: type) -> str:
    text = inspect.cleandoc(documented.__doc__ or "")
    if not text:
        return ""
    lines = text.replace("``", "`").splitlines()
    if len(lines) == 1:
        return f"/** {lines[0]} */\n"
    body = "".join(f" * {line}".rstrip() + "\n" for line in lines)
    return f"/**\n{body} */\n"


def _methods() -> str:
    rows = "".join(
        f'  "{method}": {{ params: {params.__name__}; result: {result.__name__} }};\n'
        for method, (params, result) in wire.METHODS.items()
    )
    return (
        "/** What each method takes and gives. */\n"
        f"export interface Methods {{\n{rows}}}\n\n"
        "export type MethodName = keyof Methods;\n"
    )


def _events() -> str:
    rows = "".join(f"\n  | {event.__name__}" for event in event_types())
    return (
        "/** Every event; `type` tells them apart. */\n"
        f"export type AnyEvent ={rows};\n\n"
        'export type EventType = AnyEvent["type"];\n'
    )
