"""Media engines under the same load, round by round, in one run.

    python -m bench.media --calls 200 --seconds 6 --rounds 3 --json out.json

A call is 50 packets of PCMU a second each way, with ``--medium video`` a megabit of
VP8, SRTP (AES128_CM_SHA1_80) on one side and RTP on the other, RTCP on both. ICE and
DTLS are real; then sockets and keys go to the generator in C. Generator and engine are
pinned to different cores, CPU time is the engine processes' own. Only ratios within a
round mean anything on a shared machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import json
import os
import platform
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from aiortc import RTCCertificate

from bench.media.engines import Engine, run_janus, run_relay, run_rtpengine
from bench.media.generator import AUDIO, VIDEO, Generator, Load, Medium
from bench.media.parties import (
    PAYLOAD_TYPES,
    LoadBrowser,
    LoadPhone,
    host_address,
    use_only,
)

WARM_UP_S = 1.5
SETTLE_S = 0.5
MEDIA = {each.name: each for each in (AUDIO, VIDEO)}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """One engine in one round."""

    engine: str
    round: int
    calls: int
    seconds: float
    cpu_ms_per_call_second: float
    cpu_us_per_packet: float
    setup_cpu_ms_per_call: float
    memory_kb_per_call: float
    load: Load


def cpu_seconds(pids: tuple[int, ...]) -> float:
    """User and system time of all threads of these processes."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def resident_kb(pids: tuple[int, ...]) -> int:
    """Resident memory of these processes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def favour(pids: tuple[int, ...], nice: int) -> None:
    """Put this run (generator and engine) before or level with other programs.

    With autogroups, as on most Linux systems, niceness counts between sessions only
    when it is the session's; failing to set it is no error, only noise.
    """
    for pid in (os.getpid(), *pids):
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def pin(pids: tuple[int, ...], cores: set[int]) -> None:
    """Keep all threads of these processes on these cores."""
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task), cores)


async def measure(
    name: str,
    engine: Engine,
    *,
    round_: int,
    calls: int,
    seconds: float,
    host: str,
    medium: Medium,
) -> Measurement:
    """Set up the calls, load them, take everything down again."""
    engine_cores = set(range(1, os.cpu_count() or 1)) or {0}
    pin(engine.pids, engine_cores)
    certificate = RTCCertificate.generateCertificate()
    browsers = [LoadBrowser(certificate, kind=medium.name) for _ in range(calls)]
    phones = [LoadPhone.open(host) for _ in range(calls)]
    cpu_before, memory_before = cpu_seconds(engine.pids), resident_kb(engine.pids)
    ports: list[int] = []
    for index in range(calls):
        ports.append(await engine.call(index, browsers[index], phones[index]))
    await asyncio.sleep(SETTLE_S)
    setup_cpu = cpu_seconds(engine.pids) - cpu_before
    with Generator(calls, medium) as generator:
        for index, (browser, phone) in enumerate(zip(browsers, phones, strict=True)):
            send, receive = browser.contexts
            generator.set_side(
                index,
                is_phone=False,
                media_fd=browser.fileno,
                control_fd=-1,
                address=browser.remote,
                send=send,
                receive=receive,
                payload_type=browser.payload_type,
                ssrc=browser.ssrc,
            )
            generator.set_side(
                index,
                is_phone=True,
                media_fd=phone.rtp.fileno(),
                control_fd=phone.rtcp.fileno(),
                address=(host, ports[index]),
                send=None,
                receive=None,
                payload_type=PAYLOAD_TYPES[medium.name],
                ssrc=phone.ssrc,
            )
        pin(engine.pids, engine_cores)
        favour(engine.pids, -15)
        os.sched_setaffinity(0, {0})
        gc.disable()
        generator.run(WARM_UP_S)
        cpu_before = cpu_seconds(engine.pids)
        load = generator.run(seconds)
        cpu = cpu_seconds(engine.pids) - cpu_before
        memory = resident_kb(engine.pids) - memory_before
        gc.enable()
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
        favour(engine.pids, 0)
    for start in range(0, calls, 50):
        await asyncio.gather(*(each.close() for each in browsers[start : start + 50]))
    for phone in phones:
        phone.close()
    return Measurement(
        engine=name,
        round=round_,
        calls=calls,
        seconds=seconds,
        cpu_ms_per_call_second=round(1000 * cpu / (calls * seconds), 3),
        cpu_us_per_packet=round(1e6 * cpu / max(1, sum(load.received)), 2),
        setup_cpu_ms_per_call=round(1000 * setup_cpu / calls, 2),
        memory_kb_per_call=round(memory / calls, 1),
        load=load,
    )


async def run_one(
    name: str, options: argparse.Namespace, round_: int, host: str
) -> Measurement:
    """Start one engine, measure, end it."""
    async with contextlib.AsyncExitStack() as stack:
        engine: Engine
        match name:
            case "relay":
                engine = await stack.enter_async_context(
                    run_relay(host, options.calls, options.workers)
                )
            case "rtpengine":
                engine = await stack.enter_async_context(run_rtpengine(host))
            case _:
                engine = await stack.enter_async_context(run_janus(host))
        return await measure(
            name,
            engine,
            round_=round_,
            calls=options.calls,
            seconds=options.seconds,
            host=host,
            medium=MEDIA[options.medium],
        )


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def table(measurements: list[Measurement]) -> str:
    """Markdown: medians over rounds; ratios are medians of same-round ratios."""
    names = list(dict.fromkeys(each.engine for each in measurements))
    by_round: dict[tuple[str, int], Measurement] = {
        (each.engine, each.round): each for each in measurements
    }
    lines = [
        "| engine | ms CPU per call and second (min to max) | us CPU per packet |"
        " relay / engine, per packet |"
        " set-up ms CPU | kB per call | p50 / p99 ms to phone |"
        " p50 / p99 ms to browser | lost / sent |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        mine = [each for each in measurements if each.engine == name]
        costs = [each.cpu_ms_per_call_second for each in mine]
        ratios = [
            by_round["relay", each.round].cpu_us_per_packet / each.cpu_us_per_packet
            for each in mine
            if ("relay", each.round) in by_round and each.cpu_us_per_packet
        ]
        ways = []
        for way in (0, 1):
            p50 = median([each.load.p50_ms[way] for each in mine])
            p99 = median([each.load.p99_ms[way] for each in mine])
            ways.append(f"{p50:.2f} / {p99:.2f}")
        lost = sum(each.load.lost for each in mine)
        sent = sum(sum(each.load.sent) for each in mine)
        lines.append(
            f"| {name} | {median(costs):.2f} ({min(costs):.2f} to {max(costs):.2f})"
            f" | {median([each.cpu_us_per_packet for each in mine]):.1f}"
            f" | {median(ratios):.2f}"
            f" | {median([each.setup_cpu_ms_per_call for each in mine]):.1f}"
            f" | {median([each.memory_kb_per_call for each in mine]):.0f}"
            f" | {ways[0]} | {ways[1]} | {lost} / {sent} |"
        )
    return "\n".join(lines)


def conditions(options: argparse.Namespace) -> dict[str, Any]:
    """What a reader needs to judge the figures."""
    return {
        "medium": options.medium,
        "kbit_per_second": MEDIA[options.medium].kbit_per_second,
        "packets_per_second": MEDIA[options.medium].packets_per_second,
        "calls": options.calls,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "workers": options.workers,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }


async def run_all(options: argparse.Namespace) -> list[Measurement]:
    """All engines, all rounds."""
    host = host_address()
    use_only(host)
    programs = {"rtpengine": "rtpengine", "janus": "janus"}
    names = []
    for name in options.engines.split(","):
        if name in programs and shutil.which(programs[name]) is None:
            print(f"{name} is not installed and is left out", file=sys.stderr)
        else:
            names.append(name)
    measurements: list[Measurement] = []
    for round_ in range(options.rounds):
        # Each engine is first, second, last in turn.
        turn = round_ % len(names)
        for name in names[turn:] + names[:turn]:
            measured = await run_one(name, options, round_, host)
            measurements.append(measured)
            print(json.dumps(dataclasses.asdict(measured)), file=sys.stderr, flush=True)
    return sorted(measurements, key=lambda each: names.index(each.engine))


def report(options: argparse.Namespace, measurements: list[Measurement]) -> int:
    """Print the table, write the file; 1 when a packet was lost."""
    about = conditions(options)
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    print(table(measurements))
    if options.json is not None:
        rows = [dataclasses.asdict(each) for each in measurements]
        Path(options.json).write_text(
            json.dumps({"conditions": about, "measurements": rows}, indent=1) + "\n"
        )
    lossless = all(each.load.lost == 0 for each in measurements)
    return 0 if lossless else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.media")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--medium", choices=sorted(MEDIA), default=AUDIO.name)
    parser.add_argument("--engines", default="relay,rtpengine,janus")
    parser.add_argument("--json", help="also write every measurement to this file")
    return parser.parse_args()


if __name__ == "__main__":
    parsed = parse()
    sys.exit(report(parsed, asyncio.run(run_all(parsed))))
