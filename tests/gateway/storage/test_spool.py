"""The spool: durable lines, a bound, and torn ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.storage.spool import Spool, SpoolFull


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new folder" / "spool")
    assert spool.read() == []
    spool.append([{"n": 1}, {"n": 2}])
    spool.append([])
    spool.append([{"n": "Zoë\n"}])
    assert spool.read() == [{"n": 1}, {"n": 2}, {"n": "Zoë\n"}]
    assert os.stat(spool.path).st_mode & 0o077 == 0
    spool.clear()
    spool.clear()
    assert spool.read() == []


def test_a_full_spool_takes_nothing_in_part(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=30)
    spool.append([{"n": 1}])
    with pytest.raises(SpoolFull):
        spool.append([{"n": 2}, {"n": "x" * 30}])
    assert spool.read() == [{"n": 1}]


@settings(deadline=None)
@given(cut=st.integers(min_value=0), junk=st.binary(max_size=40))
def test_whatever_a_crash_leaves_later_lines_are_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool") / "spool")
    spool.append([{"n": 1}, {"n": 2}])
    whole = spool.path.read_bytes()
    kept = whole[: cut % (len(whole) + 1)]
    spool.path.write_bytes(kept + junk.replace(b"\n", b""))
    spool.append([{"n": 3}])
    values = spool.read()
    assert values[-1] == {"n": 3}
    complete = [json.loads(line) for line in kept.split(b"\n")[:-1]]
    assert values[: len(complete)] == complete
