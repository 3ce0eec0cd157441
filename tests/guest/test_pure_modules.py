"""The page's pure modules by Node's test runner; its size; what it fetches first."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

import pytest

from gateway.pages import without_comments

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "sfdc_widget" / "web"
PAGE = WEB / "guest" / "index.html"
BUDGET_BYTES = 80_000
LANGUAGES = {"en", "de", "es", "fr", "ar"}
STATIC = re.compile(r"^(?:import|export)\b[^;]*?from '([^']+)';", re.M | re.S)
DYNAMIC = re.compile(r"\bimport\('([^']+)'\)(?!\.)")


def modules(start: Path, pattern: re.Pattern[str]) -> set[Path]:
    """Everything that ``start`` imports, and those import."""
    found: set[Path] = set()
    waiting = [start.resolve()]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        text = path.read_text()
        waiting += [(path.parent / each).resolve() for each in STATIC.findall(text)]
        if pattern is DYNAMIC:
            waiting += [
                (path.parent / each).resolve()
                for each in DYNAMIC.findall(text)
                if not each.endswith(".d.ts") and (path.parent / each).exists()
            ]
    return found


def size(path: Path) -> int:
    """In bytes, as the gateway sends it."""
    return len(gzip.compress(without_comments(path.read_text()).encode()))


@pytest.mark.needs("node")
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


def test_what_the_page_loads_fits_the_budget() -> None:
    loaded = modules(WEB / "guest" / "app.js", DYNAMIC)
    styles = re.findall(r'"stylesheet" href="/widget/([^"]+)"', PAGE.read_text())
    assert len(styles) > 1
    loaded |= {PAGE, *(WEB / each for each in styles)}
    sizes = {path: size(path) for path in loaded}
    languages = {path: n for path, n in sizes.items() if path.stem in LANGUAGES}
    assert {path.stem for path in languages} == LANGUAGES
    # The browser's language, and the invite's if that is another.
    rest = sum(sizes.values()) - sum(languages.values())
    assert rest + sum(sorted(languages.values())[-2:]) < BUDGET_BYTES


def test_every_module_is_asked_for_at_once() -> None:
    """Otherwise a phone on a slow network waits for one layer of imports after the
    other."""
    preloads = r'<link rel="modulepreload" href="/widget/([^"]+)" />'
    told = re.findall(preloads, PAGE.read_text())
    needed = modules(WEB / "guest" / "app.js", STATIC)
    # Of what is loaded later: what a call cannot begin without.
    needed |= modules(WEB / "client" / "local-call.js", STATIC)
    names = {path.relative_to(WEB.resolve()).as_posix() for path in needed}
    assert set(told) == names - {"guest/app.js"} | {"client/call-video.js"}
    assert len(told) == len(set(told))
