"""JSON Schema 2020-12 of every frame and HTTP body, from the types."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from gateway.sessions import wire
from gateway.sessions.document.typescript import (
    client_models,
    event_types,
    server_models,
)
from gateway.sessions.frames import MAX_ID_CHARS, NOTIFICATIONS

_ID = {"type": ["string", "integer"], "maxLength": MAX_ID_CHARS}


def schema() -> dict[str, Any]:
    """The whole schema; ``$defs`` has each type by name.

    The root accepts any frame of either direction.
    """
    models = dict.fromkeys((*client_models(), *server_models()))
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    defs: dict[str, Any] = definitions["$defs"]
    defs["ClientFrame"] = {
        "oneOf": [_request(method) for method in wire.METHODS],
    }
    defs["Notification"] = {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "method": {"const": "event"},
            "params": {"oneOf": [_ref(event.__name__) for event in event_types()]},
        },
        "required": ["jsonrpc", "method", "params"],
    }
    defs["Success"] = {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": _ID,
            "result": {
                "anyOf": [
                    _ref(name)
                    for name in dict.fromkeys(
                        result.__name__ for _, result in wire.METHODS.values()
                    )
                ]
            },
        },
        "required": ["jsonrpc", "id", "result"],
    }
    defs["Failure"] = {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer", "null"]},
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string"},
                    "data": _ref("ErrorData"),
                },
                "required": ["code", "message", "data"],
            },
        },
        "required": ["jsonrpc", "id", "error"],
    }
    defs["ServerFrame"] = {
        "oneOf": [_ref("Notification"), _ref("Success"), _ref("Failure")]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:ringbridge:v1",
        "title": f"Ringbridge browser protocol, {wire.SUBPROTOCOL}",
        "oneOf": [_ref("ClientFrame"), _ref("ServerFrame")],
        "$defs": dict(sorted(defs.items())),
    }


def schema_text() -> str:
    """The file's text."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _request(method: str) -> dict[str, Any]:
    params = wire.METHODS[method][0]
    required = ["jsonrpc", "method"]
    if any(field.is_required() for field in params.model_fields.values()):
        required.append("params")
    if method not in NOTIFICATIONS:
        required.append("id")
    return {
        "type": "object",
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": _ID,
            "method": {"const": method},
            "params": _ref(params.__name__),
        },
        "required": required,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}
