"""The thread that plays all browsers and phones; see ``traffic.c``.

Other than the generator of ``bench.media``, which spins and stops everything else to
measure well, this one sleeps between packets and lives beside a running event loop:
calls come and go while others talk. The C file is compiled at the first run. SRTP is
libsrtp's of the pylibsrtp wheel, on contexts that a DTLS handshake made.
"""

from __future__ import annotations

import enum
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import cffi

from gateway.media.relay import aiortc_internals
from gateway.media.relay.aiortc_internals import (
    SrtpContext,
    SrtpContexts,
    srtp_protect,
    srtp_unprotect,
)
from tests.system.waiting import until_true

SOURCE = Path(__file__).with_name("traffic.c")
BINS = 20_001
BIN_MS = 0.01

_DECLARATIONS = """
void *traffic_new(int, void *, void *);
void traffic_free(void *);
int traffic_set_end(void *, int, int, int, const char *, int, void *, void *, int,
                    uint32_t);
int traffic_set_state(void *, int, int);
void traffic_run(void *);
void traffic_stop(void *);
void traffic_measure(void *, int);
void traffic_read_end(void *, int, int, uint64_t *);
void traffic_read_thread(void *, uint64_t *);
void traffic_read_bins(void *, int, uint32_t *);
"""


class End(enum.IntEnum):
    """The two ends of a call."""

    BROWSER = 0
    PHONE = 1


class State(enum.IntEnum):
    """What a call does: ``COUNTING`` is ``WARMING`` with every packet accounted for."""

    OFF = 0
    WARMING = 1
    COUNTING = 2
    SILENT = 3


@dataclass(frozen=True, slots=True)
class EndNumbers:
    """Packets of one end; ``sent`` and ``received`` only while they counted.

    Attributes:
        seen: of the other end, also before counting.
        reordered: late by less than 64 packets; among those received.
        repeated: or later than that.
        strayed: of another call. There must be none.
        foreign: neither ours nor RTCP, such as the gateway's hold tone.
        rejected: whose SRTP authentication failed.
        refused: not sent, because the kernel or libsrtp would not.
    """

    sent: int
    received: int
    seen: int
    reordered: int
    repeated: int
    strayed: int
    foreign: int
    rejected: int
    refused: int


@dataclass(frozen=True, slots=True)
class ThreadNumbers:
    """Whether the generator kept its own time; since measuring began but ``cpu_s``."""

    cpu_s: float
    turns: int
    slots: int
    late_slots: int
    latest_ms: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """Milliseconds, in bins of 0.01; the last bin holds all above 200."""

    bins: tuple[int, ...]

    def quantile(self, share: float) -> float:
        """Upper edge of the bin in which this share is reached; 0 of nothing."""
        wanted, reached = share * sum(self.bins), 0
        for index, count in enumerate(self.bins):
            reached += count
            if count and reached >= wanted:
                return round((index + 1) * BIN_MS, 2)
        return 0.0


def compile_library(directory: Path) -> Path:
    """Compile ``traffic.c`` unless that was done; gives the library.

    Raises:
        RuntimeError: there is no C compiler, or it failed.
    """
    library = directory / "traffic.so"
    if library.exists() and library.stat().st_mtime >= SOURCE.stat().st_mtime:
        return library
    directory.mkdir(parents=True, exist_ok=True)
    fresh = library.with_suffix(".new")
    command = ["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise RuntimeError("a C compiler (cc) is needed") from None
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"cc failed:\n{error.stderr}") from None
    fresh.replace(library)
    return library


class Traffic:
    """Packets of up to ``calls`` calls; a context manager around the thread."""

    def __init__(self, calls: int, *, library: Path) -> None:
        ffi = cffi.FFI()
        ffi.cdef(_DECLARATIONS)
        self._ffi = ffi
        self._library = cast(Any, ffi.dlopen(str(library)))
        self._self = self._library.traffic_new(
            calls, self._pointer(srtp_protect), self._pointer(srtp_unprotect)
        )
        self._thread = threading.Thread(
            target=self._library.traffic_run, args=(self._self,), name="traffic"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._library.traffic_stop(self._self)
        self._thread.join()
        self._library.traffic_free(self._self)

    def set_end(
        self,
        call: int,
        end: End,
        *,
        fd: int,
        to: tuple[str, int],
        payload_type: int,
        ssrc: int,
        contexts: SrtpContexts | None = None,
    ) -> None:
        """Who an end is; before its call is started. ``contexts`` None: plain RTP."""
        null = self._ffi.NULL
        if self._library.traffic_set_end(
            self._self,
            call,
            int(end),
            fd,
            to[0].encode(),
            to[1],
            null if contexts is None else self._pointer(contexts.send),
            null if contexts is None else self._pointer(contexts.receive),
            payload_type,
            ssrc,
        ):
            raise ValueError(f"{to[0]} is no IPv4 address")

    def set_state(self, call: int, state: State) -> None:
        """Start, count, silence or end the packets of a call."""
        error = self._library.traffic_set_state(self._self, call, int(state))
        if error:
            raise OSError(-error, "epoll_ctl failed")

    async def end(self, call: int) -> None:
        """End a call; then its sockets and keys are the caller's again."""
        self.set_state(call, State.OFF)
        turn = self.thread_numbers().turns + 2
        await until_true(
            lambda: self.thread_numbers().turns >= turn, "two turns of the thread"
        )

    def measure(self, is_on: bool) -> None:
        """Begin or stop keeping latency and lateness."""
        self._library.traffic_measure(self._self, int(is_on))

    def numbers(self, call: int, end: End) -> EndNumbers:
        """Of one end, so far."""
        numbers = self._ffi.new("uint64_t[9]")
        self._library.traffic_read_end(self._self, call, int(end), numbers)
        return EndNumbers(*numbers)

    def thread_numbers(self) -> ThreadNumbers:
        """Of the generator itself, so far."""
        numbers = self._ffi.new("uint64_t[5]")
        self._library.traffic_read_thread(self._self, numbers)
        cpu_ns, turns, slots, late_slots, latest_ns = numbers
        return ThreadNumbers(cpu_ns / 1e9, turns, slots, late_slots, latest_ns / 1e6)

    def latency(self, sender: End) -> Distribution:
        """From sending to receiving, of what this end sent."""
        return self._bins(int(sender))

    def lateness(self) -> Distribution:
        """How late packets were sent."""
        return self._bins(2)

    def _bins(self, which: int) -> Distribution:
        bins = self._ffi.new(f"uint32_t[{BINS}]")
        self._library.traffic_read_bins(self._self, which, bins)
        return Distribution(tuple(bins))

    def _pointer(self, foreign: SrtpContext) -> Any:
        """A pointer of pylibsrtp's cffi as one of ours."""
        theirs = aiortc_internals.ffi  # type: ignore[attr-defined]
        return self._ffi.cast("void *", int(theirs.cast("uintptr_t", foreign)))
