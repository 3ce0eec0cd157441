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
LANGUAGES = ("en", "de", "es", "fr", "ar")
PARTS = {path.name for path in (WEB / "words" / "en").iterdir()}
WORD = re.compile(r"\bwords\.(\w+)(?:\.(\w+))?")
STYLES = (WEB / "tokens.css", WEB / "softphone" / "softphone.css")
TSC = HERE.parents[1] / "node_modules" / ".bin" / "tsc"
IMPORT = re.compile(r"^(?:import|export)\s[^;]*?from\s+'([^']+)'", re.MULTILINE)

pytestmark = [pytest.mark.needs("node")]


async def test_pure_modules() -> None:
    process = await asyncio.create_subprocess_exec(
        "node",
        "--test",
        *(str(HERE / name) for name in ("pure.test.mjs", "words.test.mjs")),
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
    assert not {path.parent.name for path in loaded} & {"invites", *LANGUAGES}
    for language in LANGUAGES:
        words = graph(f"words/{language}/start.js")
        assert size([*loaded, *words, *STYLES]) < START_BYTES, language


def test_what_is_said_later_is_small_in_each_language() -> None:
    for language in LANGUAGES:
        parts = list((WEB / "words" / language).iterdir())
        assert {path.name for path in parts} == PARTS, language
        assert all(size([path]) < 3_000 for path in parts), language


def test_what_is_on_show_from_the_start_says_what_is_loaded_by_then() -> None:
    """`words` has all groups for the compiler, whatever is loaded."""
    known = groups((WEB / "words" / "en" / "start.js").read_text())
    # Asked for when what shows calls, or the form, is there.
    later = {
        *("endReason", "error", "registrationProblem", "microphone", "signInByHost"),
        "menu.languageFailed",
    }
    for path in graph("app-salesforce.js", "app-standalone.js"):
        for group, key in WORD.findall(path.read_text()):
            if {group, f"{group}.{key}"} & later:
                continue
            said = f"{path.name}: words.{group}.{key}"
            assert group in known, said
            assert key == "" or key in known[group], said


def groups(source: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in source.splitlines():
        if match := re.match(r"  (\w+): \{$", line):
            inside = found[match[1]] = set()
        elif match := re.match(r"    (\w+):", line):
            inside.add(match[1])
    return found


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
