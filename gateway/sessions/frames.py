"""JSON-RPC 2.0 frames: bounded reading, and writing.

Reading never trusts: size, nesting, numbers, ids and parameters are checked before
anything acts on them, and whatever is wrong becomes a :class:`FrameError` that says
how to answer. A request without ``id`` is a notification, which only the methods in
``NOTIFICATIONS`` may be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pydantic_core
from pydantic import ValidationError

from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorData, ErrorKind, Event, Wire

MAX_DEPTH = 16
MAX_INTEGER = 2**53  # beyond, a JavaScript number is not exact
MAX_ID_CHARS = 128

# JSON-RPC 2.0 section 5.1
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
# Of the range for servers; ``data.kind`` tells what it is.
APPLICATION_ERROR = -32000

NOTIFICATIONS = frozenset({"session.ack", "ping"})

RequestId = str | int


class FrameError(Exception):
    """A frame cannot be accepted.

    Attributes:
        is_answered: false for a notification, which must not be answered.
    """

    def __init__(
        self,
        code: int,
        kind: ErrorKind,
        message: str,
        *,
        request_id: RequestId | None = None,
        is_answered: bool = True,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind
        self.request_id = request_id
        self.is_answered = is_answered

    def frame(self) -> str:
        """The error response."""
        data = ErrorData(kind=self.kind)
        return response(self.request_id, error_outcome(self.code, str(self), data))


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request; ``request_id`` None for a notification."""

    request_id: RequestId | None
    method: str
    params: Wire


def read_request(text: str) -> Request:
    """Parse and check one frame.

    Raises:
        FrameError: not a request that could be performed.
    """
    value = _read_json(text)
    if not isinstance(value, dict):
        raise _invalid("A frame is one JSON object.")
    request_id = _request_id(value)
    method = value.get("method")
    if value.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise _invalid("This is no JSON-RPC 2.0 request.", request_id)
    is_notification = "id" not in value
    if is_notification and method not in NOTIFICATIONS:
        raise _invalid("This request needs an id.")
    types = wire.METHODS.get(method)
    if types is None:
        raise FrameError(
            METHOD_NOT_FOUND,
            ErrorKind.METHOD_UNKNOWN,
            "There is no such method.",
            request_id=request_id,
        )
    params = value.get("params", {})
    if not isinstance(params, dict):
        raise FrameError(
            INVALID_PARAMS,
            ErrorKind.BAD_REQUEST,
            "Parameters are given by name.",
            request_id=request_id,
            is_answered=not is_notification,
        )
    try:
        # From JSON again: strict types, but lists for tuples and text for enums.
        checked = types[0].model_validate_json(json.dumps(params), strict=True)
    except ValidationError as error:
        raise FrameError(
            INVALID_PARAMS,
            ErrorKind.BAD_REQUEST,
            _first_problem(error),
            request_id=request_id,
            is_answered=not is_notification,
        ) from None
    return Request(request_id, method, checked)


def response(request_id: RequestId | None, outcome: str) -> str:
    """The frame that answers a request; ``outcome`` from the functions below."""
    return f'{{"jsonrpc":"2.0","id":{json.dumps(request_id)},{outcome}}}'


def result_outcome(result: Wire) -> str:
    """The member that says that it worked."""
    return f'"result":{result.model_dump_json(exclude_none=True)}'


def error_outcome(code: int, message: str, data: ErrorData) -> str:
    """The member that says that it did not."""
    text = data.model_dump_json(exclude_none=True)
    return f'"error":{{"code":{code},"message":{json.dumps(message)},"data":{text}}}'


def refusal(error: RequestError, *, op_id: str | None = None) -> str:
    """The member for an error that the backend has a name for."""
    data = ErrorData(
        kind=error.kind,
        retryable=error.retryable,
        sip_code=error.sip_code,
        op_id=op_id,
        trace_id=error.trace_id,
        records=error.records,
        field=error.field,
    )
    is_ours = error.kind is ErrorKind.INTERNAL
    code = INTERNAL_ERROR if is_ours else APPLICATION_ERROR
    return error_outcome(code, str(error), data)


def internal_error(trace_id: str) -> RequestError:
    """A fault of ours; the log has the rest under ``trace_id``."""
    return RequestError(
        ErrorKind.INTERNAL, "Something went wrong in the gateway.", trace_id=trace_id
    )


def notification(event: Event) -> str:
    """The frame of an event."""
    text = event.model_dump_json(exclude_none=True)
    return f'{{"jsonrpc":"2.0","method":"event","params":{text}}}'


def _read_json(text: str) -> object:
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise _unreadable("A frame is UTF-8 text.") from None
    if len(data) > wire.MAX_FRAME_BYTES:
        raise _unreadable("The frame is larger than 64 KiB.")
    try:
        value: object = pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError:
        raise _unreadable("This is no JSON.") from None
    _check_bounds(value)
    return value


def _check_bounds(value: object) -> None:
    todo = [(value, 1)]
    while todo:
        part, depth = todo.pop()
        if isinstance(part, dict | list):
            if depth > MAX_DEPTH:
                raise _invalid("The frame is nested too deeply.")
            members = part.values() if isinstance(part, dict) else part
            todo.extend((member, depth + 1) for member in members)
        # Also true of the infinity that 1e999 is read as.
        elif isinstance(part, int | float) and abs(part) > MAX_INTEGER:
            raise _invalid("The frame has a number that is too large.")


def _request_id(value: dict[str, object]) -> RequestId | None:
    request_id = value.get("id")
    if "id" not in value:
        return None
    if isinstance(request_id, str) and len(request_id) <= MAX_ID_CHARS:
        return request_id
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        return request_id
    raise _invalid("A request's id is a short string or an integer.")


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)
    where = ".".join(str(part) for part in first[0]["loc"])[:100]
    return f"{where}: {first[0]['msg']}" if where else str(first[0]["msg"])


def _unreadable(message: str) -> FrameError:
    return FrameError(PARSE_ERROR, ErrorKind.BAD_REQUEST, message)


def _invalid(message: str, request_id: RequestId | None = None) -> FrameError:
    return FrameError(
        INVALID_REQUEST, ErrorKind.BAD_REQUEST, message, request_id=request_id
    )
