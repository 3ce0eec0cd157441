"""The widget's pure modules, by Node's own test runner; and its types."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.pages import without_comments

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "sfdc_widget" / "web"
START_BYTES = 60_000
STYLES = (WEB / "tokens.css", WEB / "softphone" / "softphone.css")
TSC = HERE.parents[1] / "node_modules" / ".bin" / "tsc"
IMPORT = re.compile(r"^(?:import|export)\s[^;]*?from\s+'([^']+)'", re.MULTILINE)

pytestmark = [pytest.mark.needs("node")]


async def test_pure_modules() -> None:
    process = await asyncio.create_subprocess_exec(
        "node",
        "--test",
        str(HERE / "pure.test.mjs"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def graph(*entries: str) -> set[Path]:
    """What is loaded with a module, by its static imports."""
    found: set[Path] = set()
    waiting = [WEB / entry for entry in entries]
    while waiting:
        path = waiting.pop().resolve()
        if path in found:
            continue
        found.add(path)
        waiting += [path.parent / name for name in IMPORT.findall(path.read_text())]
    return found


def size(paths: Iterable[Path]) -> int:
    """In bytes, as the gateway sends them."""
    served = (without_comments(path.read_text()) for path in paths)
    return sum(len(gzip.compress(source.encode())) for source in served)


@pytest.mark.parametrize("host", ["salesforce", "standalone"])
def test_what_the_phone_starts_with_fits_the_budget(host: str) -> None:
    loaded = graph(f"app-{host}.js")
    assert len(loaded) > 20
    assert not {path.parent.name for path in loaded} & {"invites"}
    assert size([*loaded, *STYLES]) < START_BYTES


@pytest.mark.parametrize(
    ("entry", "styles", "budget"),
    [
        ("invites/load.js", ["invites/invites.css"], 21_000),
        ("softphone/control/load.js", ["softphone/control/control.css"], 31_000),
        ("client/call-video.js", [], 3_000),
        ("softphone/elsewhere-view.js", [], 1_500),
        ("video/call-window.js", [], 3_000),
        ("client/local-call.js", [], 8_000),
        ("app-call.js", ["video/gallery.css", "video/video.css"], 19_000),
    ],
)
def test_what_comes_later_fits_its_own(
    entry: str, styles: list[str], budget: int
) -> None:
    later = graph(entry) - graph("app-standalone.js")
    assert size([*later, *(WEB / style for style in styles)]) < budget


@pytest.mark.needs_npm("typescript")
async def test_what_is_served_is_what_was_written(tmp_path: Path) -> None:
    """Only comments are left out: a compiler finds the same program in both."""
    served = tmp_path / "served"
    for path in WEB.rglob("*.js"):
        copy = served / path.relative_to(WEB)
        await asyncio.to_thread(copy.parent.mkdir, parents=True, exist_ok=True)
        source = path.read_text()
        kept = without_comments(source)
        assert kept.count("\n") == source.count("\n")
        await asyncio.to_thread(copy.write_text, kept)
    first = await emit(WEB, tmp_path / "first")
    second = await emit(served, tmp_path / "second")
    assert first == second
    assert len(first) > 40


async def emit(source: Path, target: Path) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        str(TSC),
        *("--allowJs", "--removeComments", "--noCheck", "--target", "ES2022"),
        *("--module", "ES2022", "--moduleResolution", "bundler"),
        *("--rootDir", str(source), "--outDir", str(target)),
        *(str(path) for path in source.rglob("*.js")),
    )
    assert await process.wait() == 0
    return {
        str(path.relative_to(target)): path.read_text() for path in target.rglob("*.js")
    }
