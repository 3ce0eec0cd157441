"""docs/benchmarks.md from the results of a run: every figure beside its target."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.conditions import Conditions

Result = Mapping[str, Any]
RELAY = "relay"
NAMES = {RELAY: "Ringbridge", "rtpengine": "rtpengine", "janus": "Janus"}

# docs/design/002 says where these come from.
RTPENGINE_RATIO = 1.2
JANUS_RATIO = 0.45
LATENCY_OVER_RTPENGINE_MS = 1.0
SET_UP_MS = 6.0
MEMORY_KB = 150.0
FLATNESS = 0.15

# An engine that lost more than a tenth was not running: that round compares nothing.
USABLE = 0.9


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of some rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


@dataclass(frozen=True, slots=True)
class Results:
    """All that ``make bench`` measured.

    Attributes:
        media: of ``bench.media``, all engines.
        scaling: of ``bench.media`` for the relay alone, by number of calls.
        video: of ``bench.media`` with video; None: not measured.
        load: of ``bench.load``, the run that counts.
        load_attempts: how often it was run before it was left alone.
    """

    media: Result
    scaling: Mapping[int, Result]
    load: Result
    load_attempts: int = 1
    video: Result | None = None


def render(conditions: Conditions, results: Results) -> str:
    """The whole document."""
    versions = ", ".join(f"{name} {version}" for name, version in conditions.versions)
    media = _Media(results.media["measurements"])
    parts = [
        "# Benchmarks",
        "Written by `make bench`; do not edit.",
        (
            f"{conditions.day}, commit {conditions.commit}. {conditions.processor}, "
            f"{conditions.cores} cores, {conditions.memory_gb:g} GB; "
            f"Linux {conditions.kernel}, Python {conditions.python}, {versions}. "
            "Everything on this one machine, load generators included, over loopback "
            "addresses or an address of its own."
        ),
        "## Media: beside rtpengine and Janus",
        _media_text(results, media),
        _media_table(media),
        "Against the targets:",
        _targets(results, media),
        *_video(results.video),
        "## The whole service",
        _load_text(results),
        _load_table(results.load),
        _claims(results.load),
        "## What these figures do not show",
        _limits(conditions, results, media),
    ]
    return "\n\n".join(parts) + "\n"


# Media --------------------------------------------------------------------------------


class _Media:
    """Measurements of all engines, by round."""

    def __init__(self, measurements: Iterable[Result]) -> None:
        self.all = list(measurements)
        self.engines = list(dict.fromkeys(each["engine"] for each in self.all))

    def values(self, engine: str, read: Callable[[Result], float]) -> list[float]:
        return [read(each) for each in self.all if each["engine"] == engine]

    def spread(self, engine: str, read: Callable[[Result], float]) -> Spread:
        return Spread.of(self.values(engine, read))

    def ratio(self, engine: str) -> Spread | None:
        """CPU of the relay to an engine's, round by round, per packet delivered.

        An engine that drops packets must not look cheaper for it.
        """
        return self._by_round(
            engine,
            lambda mine, theirs: (
                mine["cpu_us_per_packet"] / theirs["cpu_us_per_packet"]
            ),
        )

    def added_latency(self, engine: str) -> Spread | None:
        """p99 of the relay less an engine's, round by round."""
        return self._by_round(engine, lambda mine, theirs: _p99(mine) - _p99(theirs))

    def _by_round(
        self, engine: str, compare: Callable[[Result, Result], float]
    ) -> Spread | None:
        theirs = {each["round"]: each for each in self.all if each["engine"] == engine}
        values = [
            compare(each, theirs[each["round"]])
            for each in self.all
            if each["engine"] == RELAY
            and each["round"] in theirs
            and min(_delivered(each), _delivered(theirs[each["round"]])) >= USABLE
        ]
        return Spread.of(values) if values else None


def _cost(each: Result) -> float:
    return float(each["cpu_ms_per_call_second"])


def _p99(each: Result) -> float:
    return float(max(each["load"]["p99_ms"]))


def _delivered(each: Result) -> float:
    return 1 - _lost(each) / max(1, sum(each["load"]["sent"]))


def _lost(each: Result) -> int:
    return int(sum(each["load"]["sent"]) - sum(each["load"]["received"]))


def _media_text(results: Results, media: _Media) -> str:
    about = results.media["conditions"]
    return (
        f"{about['calls']} calls, each 50 packets of PCMU a second both ways, SRTP "
        "(AES128_CM_SHA1_80) towards the browser and RTP towards the phone, RTCP on "
        f"both; rounds: {about['rounds']} of {about['seconds']:g} s, the engines in "
        "turn. ICE and DTLS are real. The generator spins on one core, the engine has "
        "the others; CPU is what the kernel counted for the engine's processes. "
        "rtpengine forwards in user space. A latency of 200 ms means that or more. "
        "Median (least to greatest):"
    )


def _media_table(media: _Media) -> str:
    rows = []
    for engine in media.engines:
        ratio = media.ratio(engine)
        lost = sum(map(int, media.values(engine, _lost)))
        sent = sum(
            map(int, media.values(engine, lambda each: sum(each["load"]["sent"])))
        )
        set_up = media.spread(engine, lambda each: float(each["setup_cpu_ms_per_call"]))
        memory = media.spread(engine, lambda each: float(each["memory_kb_per_call"]))
        rows.append(
            (
                NAMES.get(engine, engine),
                str(media.spread(engine, _cost)),
                "" if engine == RELAY else str(ratio or "no usable round"),
                str(media.spread(engine, _p99)),
                f"{set_up.median:.1f}",
                f"{memory.median:.0f}",
                f"{lost} of {sent}",
            )
        )
    return _table(
        (
            "engine",
            "CPU ms per call and second",
            "Ringbridge's to it, per packet delivered",
            "latency p99 ms, worse way",
            "set-up CPU ms",
            "kB per call",
            "lost",
        ),
        rows,
    )


def _targets(results: Results, media: _Media) -> str:
    rows = []
    for engine, limit in (("rtpengine", RTPENGINE_RATIO), ("janus", JANUS_RATIO)):
        ratio = media.ratio(engine)
        rows.append(
            _target(
                f"CPU to {NAMES[engine]}'s, per packet delivered",
                f"at most {limit}",
                str(ratio) if ratio else None,
                ratio is not None and ratio.median <= limit,
            )
        )
    added = media.added_latency("rtpengine")
    rows.append(
        _target(
            "latency p99 over rtpengine's",
            f"at most {LATENCY_OVER_RTPENGINE_MS:g} ms",
            f"{added} ms" if added else None,
            added is not None and added.median <= LATENCY_OVER_RTPENGINE_MS,
        )
    )
    lost = sum(map(int, media.values(RELAY, _lost)))
    rows.append(_target("packets lost", "none", str(lost), lost == 0))
    for name, key, limit, unit in (
        ("set-up CPU per call", "setup_cpu_ms_per_call", SET_UP_MS, "ms"),
        ("memory per call", "memory_kb_per_call", MEMORY_KB, "kB"),
    ):
        values = Spread.of([float(each[key]) for each in media.all if _is_relay(each)])
        rows.append(
            _target(
                name,
                f"at most {limit:g} {unit}",
                f"{values} {unit}",
                values.median <= limit,
            )
        )
    rows.append(_flatness(results, media))
    rows.append(
        (
            "two workers to one",
            "at least 1.8 times the calls",
            "not measured: needs a core for each worker and one for the generator",
            "",
        )
    )
    rows.append(
        (
            "Opus to G.711",
            "at most rtpengine's CPU",
            "not measured: codecs pass through, nothing is transcoded yet",
            "",
        )
    )
    return _table(("what", "target", "measured", ""), rows)


def _is_relay(each: Result) -> bool:
    return bool(each["engine"] == RELAY)


def _flatness(results: Results, media: _Media) -> tuple[str, str, str, str]:
    costs = {
        calls: Spread.of([_cost(each) for each in result["measurements"]]).median
        for calls, result in results.scaling.items()
    }
    costs[int(results.media["conditions"]["calls"])] = media.spread(RELAY, _cost).median
    listed = ", ".join(f"{costs[calls]:.2f} ms at {calls}" for calls in sorted(costs))
    middle = statistics.mean(costs.values())
    return _target(
        "CPU per call, by number of calls",
        f"within {FLATNESS:.0%} of their mean",
        listed if len(costs) > 1 else None,
        all(abs(cost - middle) <= FLATNESS * middle for cost in costs.values()),
    )


def _target(
    what: str, target: str, measured: str | None, is_met: bool
) -> tuple[str, str, str, str]:
    if measured is None:
        return what, target, "not measured", ""
    return what, target, measured, "met" if is_met else "**missed**"


def _video(video: Result | None) -> list[str]:
    """Video beside rtpengine; there is no target for it yet."""
    if video is None:
        return []
    about = video["conditions"]
    media = _Media(video["measurements"])
    # Both ways.
    megabits = 2 * about["kbit_per_second"] / 1000
    rows = []
    for engine in media.engines:
        ratio = media.ratio(engine)
        memory = media.spread(engine, lambda each: float(each["memory_kb_per_call"]))
        per_megabit = media.spread(engine, lambda each: _cost(each) / megabits)
        lost = sum(map(int, media.values(engine, _lost)))
        sent = sum(
            map(int, media.values(engine, lambda each: sum(each["load"]["sent"])))
        )
        rows.append(
            (
                NAMES.get(engine, engine),
                str(media.spread(engine, _cost)),
                str(per_megabit),
                "" if engine == RELAY else str(ratio or "no usable round"),
                str(media.spread(engine, _p99)),
                f"{memory.median:.0f}",
                f"{lost} of {sent}",
            )
        )
    text = (
        f"Video, {about['calls']} calls: {about['packets_per_second']} packets of VP8 "
        f"a second both ways, {about['kbit_per_second'] / 1000:g} Mbit/s each, without "
        "audio; otherwise as above. Ringbridge keeps the last packets for a browser "
        "that misses some, which is its memory:"
    )
    names = (
        "engine",
        "CPU ms per call and second",
        "per Mbit/s relayed",
        "Ringbridge's to it, per packet delivered",
        "latency p99 ms, worse way",
        "kB per call",
        "lost",
    )
    return [text, _table(names, rows)]


# The whole service --------------------------------------------------------------------


def _load_text(results: Results) -> str:
    settings = results.load["settings"]
    return (
        f"`ringbridge serve` with {settings['workers']} media worker, SQLite and no "
        f"CRM, behind Debian's Kamailio. {settings['reps']} reps sign in, "
        f"{settings['calls']} of them talk at once: every other call comes in by an "
        f"INVITE, the others are dialled; {settings['rate']:g} calls a second are "
        "begun and later ended, half from each side. Browsers do ICE, DTLS and SRTP "
        "and send the widget's heartbeats; every packet from the moment that audio "
        "flows until the call ends is accounted for. Sign-in uses a cheap password "
        "hash (a real one takes 0.2 s of a core, by design). Times in ms, p50 / p99 / "
        "greatest:"
    )


def _load_table(load: Result) -> str:
    settings, figures = load["settings"], load["figures"]
    joined, set_up = figures["registration"], figures["set_up"]
    talking, end, after = figures["talking"], figures["end"], figures["afterwards"]
    generator = talking["generator"]
    per_rep = 1024 * (joined["control_mb"] - after["control_mb_before"])
    per_call = 1024 * (talking["workers_mb"] - after["workers_mb_before"])
    packets = end["packets"].values()
    rows = [
        (
            "sign-in, from the first request to the snapshot",
            _times(joined["sign_in_ms"]),
        ),
        ("then, until registered", _times(joined["registered_after_ms"])),
        (
            f"all {settings['reps']} registered",
            f"{joined['all_within_s']:.1f} s (50 at once, then 50 a second by design)",
        ),
        (
            "control process, CPU and memory per sign-in and registration",
            f"{joined['control_cpu_ms_each']:.1f} ms, "
            f"{per_rep / settings['reps']:.0f} kB",
        ),
        (
            "INVITE sent, until the page is told",
            _times(set_up["invite_to_ringing_ms"]),
        ),
        (
            "answer in the page, until the caller's 200",
            _times(set_up["answer_to_200_ms"]),
        ),
        (
            "dialled in the page, until it is told of the answer",
            _times(set_up["dial_to_answered_ms"]),
        ),
        (
            "SDP answer, until audio flows (ICE, DTLS, first packet)",
            _times(set_up["media_connected_ms"]),
        ),
        (
            "control process, CPU per call, everybody's heartbeats included",
            f"{set_up['control_cpu_ms_each']:.1f} ms to set up, "
            f"{end['control_cpu_ms_each']:.1f} ms to end",
        ),
        (
            "relaying, CPU per call and second",
            f"worker {talking['worker_ms_per_call_s']:.2f} ms, "
            f"control {talking['control_ms_per_call_s']:.2f} ms",
        ),
        ("worker, memory per call", f"{per_call / settings['calls']:.0f} kB"),
        (
            "latency browser to phone, p50 / p99",
            _pair(talking["latency_ms"]["browser"]),
        ),
        (
            "latency phone to browser, p50 / p99",
            _pair(talking["latency_ms"]["phone"]),
        ),
        (
            "packets sent and lost",
            f"{sum(each['sent'] for each in packets)}, "
            f"{sum(each['lost'] for each in packets)}",
        ),
        (
            "control process answers `/health/live`: setting up",
            _times(set_up["control_answers_in_ms"]),
        ),
        (
            "all signed out; the service stops",
            f"{figures['sign_out']['all_within_s']:.1f} s; "
            f"{figures['stop']['seconds']:.1f} s",
        ),
        (
            "memory before and after, control; worker",
            f"{after['control_mb_before']:.0f} and {after['control_mb_after']:.0f} MB; "
            f"{after['workers_mb_before']:.0f} and {after['workers_mb_after']:.0f} MB",
        ),
        (
            "the generator: sends late, p99 and greatest; its loop's lag, p99",
            f"{generator['late_p99_ms']:g} and {generator['latest_ms']:g} ms; "
            f"{talking['generator_lag_ms']['p99']:g} ms",
        ),
        (
            "waited for a core: control, worker",
            "; ".join(
                f"{phase['without_a_core']['control']:.0%}, "
                f"{phase['without_a_core']['worker']:.0%} {name}"
                for name, phase in (("setting up", set_up), ("talking", talking))
            ),
        ),
    ]
    return _table(("what", "measured"), rows)


def _claims(load: Result) -> str:
    settings, figures = load["settings"], load["figures"]
    if load["failures"]:
        listed = "\n".join(f"- {each}" for each in load["failures"])
        return f"What was checked and did **not** hold:\n\n{listed}"
    after = figures["afterwards"]["after"]
    return (
        f"Checked, and true: {settings['reps']} registered by the gauge and by the "
        f"registrar; {settings['calls']} calls active at once; no packet lost, "
        "repeated or delivered to another call; every call ended for the reason it "
        "should; exactly one record for each; afterwards no call, session or "
        f"registration is left, and the service holds {after['descriptors']} "
        f"descriptors and {after['udp_ports']} UDP ports as before."
    )


def _times(times: Mapping[str, float]) -> str:
    return f"{times['p50']:.0f} / {times['p99']:.0f} / {times['max']:.0f}"


def _pair(times: Mapping[str, float]) -> str:
    return f"{times['p50']:g} / {times['p99']:g}"


def _limits(conditions: Conditions, results: Results, media: _Media) -> str:
    load = results.load
    late = sum(int(each["load"]["late_slots"]) for each in media.all)
    lines = [
        "- A shared virtual machine: the same engine moves by up to two between "
        "rounds, and other programs ran beside. Only ratios within a round mean much; "
        "p99 latency is the machine's more than the engine's.",
        f"- The generator of the media table was more than 5 ms late {late} times in "
        f"{len(media.all)} measurements.",
        "- Rounds in which either engine lost more than a tenth compare nothing and "
        "are left out of the ratios.",
        "- Loopback has no loss, no jitter and no NAT; the run is seconds long; there "
        "is no TURN or TLS towards the registrar; the CRM is left out.",
        f"- {conditions.cores} cores carry generator, Kamailio and service together in "
        "the second part; with cores of its own the service answers faster.",
    ]
    if results.load_attempts > 1:
        lines.append(
            f"- The second part was run {results.load_attempts} times, because other "
            "programs took the cores away from it; this is the last run."
        )
    lines += [f"- In the run shown, {each}." for each in load["disturbances"]]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
