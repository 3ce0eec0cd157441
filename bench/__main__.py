"""``make bench``: measure the media engines, then the whole service, then write it up.

    python -m bench [--calls 200] [--rounds 3] [--quick] [--write-only]

Results go to var/bench as JSON and to docs/benchmarks.md. ``--quick`` is a trial with
small numbers that leaves the document alone. The exit status is 1 when a claim about
the service failed; figures never fail a run.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.conditions import Conditions, read_conditions
from bench.report import RELAY, Results, render

DIRECTORY = Path("var/bench")
CONDITIONS = DIRECTORY / "conditions.json"
DOCUMENT = Path("docs/benchmarks.md")
# Few and many calls, to see whether a call costs the same.
SCALE = (50, 400)
# A call with video is 2.5 times the packets of one with audio, of six times the bytes.
VIDEO_PART = 4
# A run that other programs disturbed says nothing about the service: once more.
LOAD_ATTEMPTS = 3
MEDIA_TIMEOUT_S = 900
LOAD_TIMEOUT_S = 300


def _run(module: str, *options: object, to: Path, timeout_s: float) -> Any:
    """Run a benchmark and read what it wrote.

    Raises:
        RuntimeError: it wrote nothing, which is a fault and no bad figure.
    """
    to.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, *map(str, options), "--json", str(to)]
    print(f"$ {' '.join(command[1:])}", file=sys.stderr, flush=True)
    subprocess.run(command, timeout=timeout_s, check=False)
    return _read(to)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise RuntimeError(f"there is no {path.name}: a benchmark failed") from None


def _read_if_there(path: Path) -> Any:
    """None of results that are older than this benchmark."""
    return _read(path) if path.exists() else None


def _measure_media(options: argparse.Namespace) -> None:
    rounds, seconds = (1, 2) if options.quick else (options.rounds, 6)
    common = ("--rounds", rounds, "--seconds", seconds)
    calls = options.calls
    _run(
        "bench.media",
        *("--calls", calls, *common),
        to=DIRECTORY / "media.json",
        timeout_s=MEDIA_TIMEOUT_S,
    )
    _run(
        "bench.media",
        *("--medium", "video", "--engines", f"{RELAY},rtpengine"),
        *("--calls", max(1, calls // VIDEO_PART), *common),
        to=DIRECTORY / "video.json",
        timeout_s=MEDIA_TIMEOUT_S,
    )
    for calls in () if options.quick else SCALE:
        _run(
            "bench.media",
            *("--engines", RELAY, "--calls", calls, *common),
            to=DIRECTORY / f"media-{calls}.json",
            timeout_s=MEDIA_TIMEOUT_S,
        )


def _measure_load(options: argparse.Namespace) -> None:
    to = DIRECTORY / "load.json"
    for attempt in range(1, LOAD_ATTEMPTS + 1):
        load = _run(
            "bench.load",
            *("--reps", options.reps, "--calls", options.calls),
            *("--seconds", 3 if options.quick else 15),
            to=to,
            timeout_s=LOAD_TIMEOUT_S,
        )
        load["attempts"] = attempt
        to.write_text(json.dumps(load, indent=2) + "\n")
        if not (load["failures"] and load["disturbances"]):
            return


def _results(scale: tuple[int, ...]) -> Results:
    load: Mapping[str, Any] = _read(DIRECTORY / "load.json")
    return Results(
        media=_read(DIRECTORY / "media.json"),
        scaling={calls: _read(DIRECTORY / f"media-{calls}.json") for calls in scale},
        video=_read_if_there(DIRECTORY / "video.json"),
        load=load,
        load_attempts=load["attempts"],
    )


def main() -> int:
    """Parse the arguments, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--reps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a small trial")
    parser.add_argument(
        "--write-only", action="store_true", help="write up the last results again"
    )
    options = parser.parse_args()
    if options.quick:
        options.calls, options.reps = min(options.calls, 20), min(options.reps, 50)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    if not options.write_only:
        conditions = read_conditions(datetime.datetime.now(tz=datetime.UTC).date())
        CONDITIONS.write_text(json.dumps(dataclasses.asdict(conditions), indent=2))
        _measure_media(options)
        _measure_load(options)
    results = _results(() if options.quick else SCALE)
    document = DIRECTORY / "quick.md" if options.quick else DOCUMENT
    document.write_text(render(Conditions(**_read(CONDITIONS)), results))
    print(f"written: {document}")
    for failure in results.load["failures"]:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if results.load["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
