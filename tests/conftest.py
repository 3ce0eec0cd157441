"""What every test shares: real parts that may be missing, and leaks that may not."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# What they send must not wait for another test's turn.
MEDIA_TESTS = REPOSITORY / "tests" / "gateway" / "media"

# A test with real programs that fails is run once more, and named in the summary: two
# shared cores may stand still for seconds. A second time, or in more than a few tests
# of a run, it is no accident.
RERUNS = 1
MAX_RERUN_TESTS = 3


def program(name: str) -> str | None:
    """Where a real part is installed, or None; a path may have ``*``."""
    if name.startswith("/"):
        return next(iter(glob.glob(name)), None)
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*programs): real parts without which the test is left out"
    )
    config.addinivalue_line(
        "markers", "needs_npm(*packages): development packages that npm installs"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first: the cheap ones tell first what is broken."""
    for item in items:
        if item.path.is_relative_to(MEDIA_TESTS):
            item.add_marker(pytest.mark.realtime)
    items.sort(key=lambda item: item.get_closest_marker("system") is not None)
    for item in items:
        if item.get_closest_marker("system") is not None:
            item.add_marker(pytest.mark.flaky(reruns=RERUNS))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    again = len(reporter.stats.get("rerun", ())) if reporter is not None else 0
    if again > MAX_RERUN_TESTS:
        reporter.write_line(
            f"{again} tests had to be run again, {MAX_RERUN_TESTS} may", red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if program(name) is None:
                _leave_out(f"{name} is not installed: see tests/system/parts.sh")
    for marker in item.iter_markers("needs_npm"):
        for name in marker.args:
            if not (REPOSITORY / "node_modules" / name).exists():
                _leave_out(f"{name} is not installed: npm ci")


def _leave_out(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; CI leaves nothing out")
    pytest.skip(why)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return REPOSITORY
