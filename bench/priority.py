"""Priority over other programs of this machine, where we may have it.

Linux weighs sessions against each other before it weighs processes
(``sched_autogroup``), so both niceness values count.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NICENESS = -15


def ask_for_priority(pid: int | None = None) -> None:
    """For a process (None: ourselves) and its session; children inherit it."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid or 0, NICENESS)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid or 'self'}/autogroup").write_text(str(NICENESS))
