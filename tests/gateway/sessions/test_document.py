"""PROTOCOL.md, the schema and the typings say what the types say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.sessions import wire
from gateway.sessions.document import meanings
from gateway.sessions.document.__main__ import ROOT, files, main
from gateway.sessions.document.schema import schema
from gateway.sessions.document.tables import fill
from gateway.sessions.document.typescript import event_types, type_script
from gateway.sessions.frames import read_request
from gateway.sessions.wire import ErrorKind

DOCUMENT = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(Client|Server):\n\n```json\n(.*?)\n```", DOCUMENT, re.DOTALL)


def test_nothing_has_drifted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_drift_is_found_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in files():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    assert main(["--check"], root=tmp_path) == 0
    document = tmp_path / "PROTOCOL.md"
    stale = DOCUMENT.replace("| `call.hangup`", "| `call.hang_up`")
    document.write_text(stale, encoding="utf-8")
    (tmp_path / "gateway/sessions/schema/ringbridge.v1.json").unlink()
    assert main(["--check"], root=tmp_path) == 1
    assert "PROTOCOL.md" in capsys.readouterr().err
    assert document.read_text(encoding="utf-8") == stale
    assert main([], root=tmp_path) == 0
    assert document.read_text(encoding="utf-8") == DOCUMENT
    assert main(["--check"], root=tmp_path) == 0


def test_a_missing_or_unknown_section_is_an_error() -> None:
    with pytest.raises(ValueError, match="errors"):
        fill(DOCUMENT.replace("generated: errors", "gone: errors"))
    with pytest.raises(ValueError, match="unknown"):
        fill(DOCUMENT.replace("generated: errors", "generated: surprises"))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def validator(name: str) -> Draft202012Validator:
    whole = schema()
    return Draft202012Validator({"$defs": whole["$defs"], "$ref": f"#/$defs/{name}"})


def test_there_are_examples_of_both_sides() -> None:
    assert {who for who, _ in BLOCKS} == {"Client", "Server"}
    assert len(BLOCKS) >= 10
    assert DOCUMENT.count("```json") == len(BLOCKS)


@pytest.mark.parametrize(("who", "text"), BLOCKS)
def test_every_example_is_valid(who: str, text: str) -> None:
    frame = json.loads(text)
    if who == "Client":
        read_request(text)
        validator("ClientFrame").validate(frame)
    else:
        validator("ServerFrame").validate(frame)
        check_types(frame)


def check_types(frame: dict[str, Any]) -> None:
    if frame.get("method") == "event":
        by_name = {event.model_fields["type"].default: event for event in event_types()}
        by_name[frame["params"]["type"]].model_validate(frame["params"])
    elif "error" in frame:
        wire.ErrorData.model_validate(frame["error"]["data"])
    else:
        assert isinstance(frame["result"], dict)


@pytest.mark.parametrize(
    "frame",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "call.hangup", "params": {"op_id": "o"}},
        {"jsonrpc": "2.0", "id": 1, "method": "call.hang_up", "params": {}},
        {"jsonrpc": "2.0", "method": "history.list"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"id": 1, "method": "ping"},
    ],
)
def test_the_schema_refuses_what_the_gateway_refuses(frame: dict[str, Any]) -> None:
    assert not validator("ClientFrame").is_valid(frame)


def test_everything_has_words() -> None:
    assert set(meanings.ERRORS) == set(ErrorKind)
    assert set(meanings.METHODS) == set(wire.METHODS)
    assert set(meanings.EVENTS) == {
        event.model_fields["type"].default for event in event_types()
    }
    assert set(meanings.HTTP) == {path for _, path in wire.HTTP_ENDPOINTS}
    closes = {value for name, value in vars(wire).items() if name.startswith("CLOSE_")}
    assert closes <= set(meanings.CLOSES)


def test_every_method_and_event_is_in_the_typings() -> None:
    text = type_script()
    for method, (params, result) in wire.METHODS.items():
        assert (
            f'"{method}": {{ params: {params.__name__}; result: {result.__name__} }};'
            in text
        )
    for event in event_types():
        assert f"export interface {event.__name__} " in text
        assert f'type: "{event.model_fields["type"].default}";' in text


def test_optional_fields_depend_on_who_sends() -> None:
    text = type_script()
    # Sent by the client: a default makes it optional.
    assert "  caps?: readonly string[];" in text
    # Sent by the server: only what may be absent is.
    assert "  resume_window_s: number;" in text
    assert "  end_reason?: EndReason;" in text
