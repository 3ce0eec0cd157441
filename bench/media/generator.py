"""The load generator: compiled when needed, called through ctypes."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from gateway.media.relay.aiortc_internals import ffi, lib

SOURCE = Path(__file__).with_name("generator.c")


class _Result(ctypes.Structure):
    _fields_ = [
        ("sent", ctypes.c_uint64 * 2),
        ("received", ctypes.c_uint64 * 2),
        ("gaps", ctypes.c_uint64 * 2),
        ("strange", ctypes.c_uint64),
        ("rejected", ctypes.c_uint64),
        ("reports", ctypes.c_uint64 * 2),
        ("late_slots", ctypes.c_uint64),
        ("p50", ctypes.c_double * 2),
        ("p99", ctypes.c_double * 2),
        ("maximum", ctypes.c_double * 2),
    ]


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator saw; pairs are (browser to phone, phone to browser).

    Latencies in milliseconds; ``late_slots``: times the generator itself was more
    than 5 ms behind, which makes the latencies of the run worthless.
    """

    sent: tuple[int, int]
    received: tuple[int, int]
    gaps: tuple[int, int]
    strange: int
    rejected: int
    reports: tuple[int, int]
    late_slots: int
    p50_ms: tuple[float, float]
    p99_ms: tuple[float, float]
    maximum_ms: tuple[float, float]

    @property
    def lost(self) -> int:
        """Packets that did not arrive."""
        return sum(self.sent) - sum(self.received)


@dataclass(frozen=True, slots=True)
class Medium:
    """What a call is made of, each way.

    Attributes:
        payload: bytes of one packet.
        period_ms: between two packets.
        ticks: of the RTP clock in that time.
    """

    name: str
    payload: int
    period_ms: int
    ticks: int

    @property
    def packets_per_second(self) -> int:
        return 1000 // self.period_ms

    @property
    def kbit_per_second(self) -> int:
        """Payload only."""
        return 8 * self.payload * self.packets_per_second // 1000


AUDIO = Medium("audio", payload=160, period_ms=20, ticks=160)
VIDEO = Medium("video", payload=1000, period_ms=8, ticks=720)


class Generator:
    """Owns the compiled library for one measurement of ``calls`` calls."""

    def __init__(self, calls: int, medium: Medium) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ringbridge-bench-")
        library = Path(self._folder.name) / "generator.so"
        subprocess.run(
            ["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", library, SOURCE],
            check=True,
        )
        self._library = ctypes.CDLL(str(library))
        self._library.generator_side.argtypes = [
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_uint32,
        ]
        self._library.generator_run.argtypes = [
            ctypes.c_double,
            ctypes.POINTER(_Result),
        ]
        names = (
            "srtp_protect",
            "srtp_unprotect",
            "srtp_protect_rtcp",
            "srtp_unprotect_rtcp",
        )
        functions = (ctypes.c_void_p * 4)(
            *(int(ffi.cast("uintptr_t", ffi.addressof(lib, name))) for name in names)
        )
        self._library.generator_open(
            calls, functions, medium.payload, medium.period_ms, medium.ticks
        )

    def __enter__(self) -> Generator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._library.generator_close()
        self._folder.cleanup()

    def set_side(
        self,
        index: int,
        *,
        is_phone: bool,
        media_fd: int,
        control_fd: int,
        address: tuple[str, int],
        send: object | None,
        receive: object | None,
        payload_type: int,
        ssrc: int,
    ) -> None:
        """Describe one side of one call; contexts are libsrtp's, None for plain."""
        self._library.generator_side(
            index,
            int(is_phone),
            media_fd,
            control_fd,
            address[0].encode(),
            address[1],
            _pointer(send),
            _pointer(receive),
            payload_type,
            ssrc,
        )

    def run(self, seconds: float) -> Load:
        """Send and count; blocks the whole process on purpose."""
        result = _Result()
        self._library.generator_run(seconds, ctypes.byref(result))
        return Load(
            sent=tuple(result.sent),
            received=tuple(result.received),
            gaps=tuple(result.gaps),
            strange=result.strange,
            rejected=result.rejected,
            reports=tuple(result.reports),
            late_slots=result.late_slots,
            p50_ms=tuple(round(each, 2) for each in result.p50),
            p99_ms=tuple(round(each, 2) for each in result.p99),
            maximum_ms=tuple(round(each, 2) for each in result.maximum),
        )


def _pointer(context: object | None) -> int | None:
    return None if context is None else int(ffi.cast("uintptr_t", context))
