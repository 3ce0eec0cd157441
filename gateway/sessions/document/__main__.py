"""Command line of :mod:`gateway.sessions.document`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.sessions.document.schema import schema_text
from gateway.sessions.document.tables import fill
from gateway.sessions.document.typescript import type_script

ROOT = Path(__file__).resolve().parents[3]


def files(root: Path = ROOT) -> dict[Path, str]:
    """Every derived file and what it should say."""
    document = root / "PROTOCOL.md"
    return {
        document: fill(document.read_text(encoding="utf-8")),
        root / "gateway/sessions/schema/ringbridge.v1.json": schema_text(),
        root / "sfdc_widget/web/client/wire.d.ts": type_script(),
    }


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Write the files, or with ``--check`` compare them; 1 if one differs."""
    parser = argparse.ArgumentParser(prog="gateway.sessions.document")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    differing = [
        (path, text)
        for path, text in files(root).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in differing:
        name = path.relative_to(root)
        if options.check:
            print(f"{name} does not say what wire.py says", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
