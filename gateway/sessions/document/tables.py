"""The generated sections of PROTOCOL.md: tables of the types, and the examples."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.sessions import wire
from gateway.sessions.document import meanings
from gateway.sessions.document.examples import examples
from gateway.sessions.document.typescript import event_types, type_name
from gateway.sessions.frames import NOTIFICATIONS
from gateway.sessions.wire import ErrorKind, Wire

_SECTION = re.compile(
    r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL
)


def fill(text: str) -> str:
    """The document with every generated section written anew.

    Raises:
        ValueError: a section has an unknown name, or one is missing.
    """
    sections = {
        "limits": _limits,
        "http": _http,
        "methods": _methods,
        "events": _events,
        "errors": _errors,
        "closes": _closes,
        "types": _types,
        "examples": _examples,
    }
    found: list[str] = []

    def replace(match: re.Match[str]) -> str:
        found.append(match[2])
        if match[2] not in sections:
            raise ValueError(f"PROTOCOL.md has an unknown section {match[2]!r}")
        return f"{match[1]}\n{sections[match[2]]()}\n\n{match[3]}"

    filled = _SECTION.sub(replace, text)
    if sorted(found) != sorted(sections):
        missing = sorted(set(sections) - set(found))
        raise ValueError(f"PROTOCOL.md's sections are not once each: {missing}")
    return filled


def _limits() -> str:
    rows = (
        ("Frame to the server", f"{wire.MAX_FRAME_BYTES // 1024} KiB"),
        ("First frame within", f"{wire.FIRST_FRAME_TIMEOUT_S:g} s"),
        ("Frames per second", str(wire.MAX_MESSAGES_PER_S)),
        ("Pages of one user", str(wire.MAX_PAGES)),
        ("Resume window", f"{wire.RESUME_WINDOW_S} s"),
        (
            "Events kept for replay",
            f"{wire.RING_EVENTS}, or {wire.RING_BYTES // 1024} KiB",
        ),
        (
            "Operations remembered",
            f"{wire.OP_MEMORY_COUNT}, for {wire.OP_MEMORY_S // 60} minutes",
        ),
        (
            "`ping` every",
            f"{wire.HEARTBEAT_S} s, {wire.HEARTBEAT_IN_CALL_S} s during a call",
        ),
    )
    return _table(("Limit", "Value"), rows)


def _http() -> str:
    rows = (
        (
            f"`{method} {path}`",
            " or ".join(f"`{body.__name__}`" for body in bodies) or "none",
            f"`{result.__name__}`",
            meanings.HTTP[path],
        )
        for (method, path), (bodies, result) in wire.HTTP_ENDPOINTS.items()
    )
    return _table(("Request", "Body", "Answer", "What it is for"), rows)


def _methods() -> str:
    rows = (
        (
            f"`{method}`",
            f"`{params.__name__}`",
            f"`{result.__name__}`",
            "yes" if "op_id" in params.model_fields else "",
            meanings.METHODS[method],
        )
        for method, (params, result) in wire.METHODS.items()
    )
    allowed = " and ".join(f"`{name}`" for name in sorted(NOTIFICATIONS))
    return (
        _table(("Method", "Parameters", "Result", "`op_id`", "What it does"), rows)
        + f"\n\nOnly {allowed} may be sent without `id`."
    )


def _events() -> str:
    rows = []
    for event in event_types():
        name = str(event.model_fields["type"].default)
        own = [f for f in event.model_fields if f not in ("seq", "at", "type")]
        fields = ", ".join(f"`{field}`" for field in own)
        rows.append((f"`{name}`", fields, meanings.EVENTS[name]))
    return _table(("`type`", "Fields", "Meaning"), rows)


def _errors() -> str:
    rows = ((f"`{kind}`", meanings.ERRORS[kind]) for kind in ErrorKind)
    return _table(("`data.kind`", "Meaning"), rows)


def _closes() -> str:
    rows = ((str(code), *words) for code, words in sorted(meanings.CLOSES.items()))
    return _table(("Code", "Why", "What the client does"), rows)


def _types() -> str:
    parts = []
    for value in vars(wire).values():
        if not isinstance(value, type) or not value.__module__.startswith(
            wire.__name__
        ):
            continue
        if not issubclass(value, Wire) or not value.model_fields:
            continue
        parts.append(_type_section(value))
    return "\n\n".join(parts)


def _type_section(model: type[Wire]) -> str:
    words = " ".join((model.__doc__ or "").replace("``", "`").split())
    rows = (
        (
            f"`{name}`",
            f"`{type_name(field.annotation)}`".replace("|", "\\|"),
            "" if field.is_required() else "optional",
        )
        for name, field in model.model_fields.items()
    )
    about = f"{words}\n\n" if words and not words.startswith("Usage docs") else ""
    return f"#### {model.__name__}\n\n{about}{_table(('Field', 'Type', ''), rows)}"


def _examples() -> str:
    parts = []
    for example in examples():
        parts.append(f"### {example.title}")
        for to_server, frame in example.frames:
            who = "Client" if to_server else "Server"
            parts.append(f"{who}:\n\n```json\n{frame}\n```")
    return "\n\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines.extend("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join(lines)
