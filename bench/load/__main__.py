"""``python -m bench.load``: run the load once; exit status 1 if a claim failed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from bench.load.scenario import Settings, run

TIMEOUT_S = 240.0


def main() -> int:
    """Parse the arguments and run."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--reps", type=int, default=defaults.reps)
    parser.add_argument("--calls", type=int, default=defaults.calls)
    parser.add_argument("--seconds", type=float, default=defaults.seconds)
    parser.add_argument("--workers", type=int, default=defaults.workers)
    parser.add_argument("--rate", type=float, default=defaults.rate)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if not 2 <= options.calls <= options.reps:
        parser.error("at least two calls, and a rep for each")
    settings = Settings(
        reps=options.reps,
        calls=options.calls,
        seconds=options.seconds,
        workers=options.workers,
        rate=options.rate,
        directory=Path("var/bench").absolute(),
    )
    outcome = asyncio.run(asyncio.wait_for(run(settings), TIMEOUT_S))
    text = json.dumps(outcome.as_json(), indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    else:
        print(text)
    for failure in outcome.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
