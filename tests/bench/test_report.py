"""The document of the benchmarks, and the counting behind it."""

from __future__ import annotations

from typing import Any

import pytest

from bench.conditions import Conditions
from bench.load.meter import Quantiles
from bench.load.traffic import BINS, Distribution
from bench.report import Results, Spread, render

CONDITIONS = Conditions(
    day="2026-01-02",
    commit="abc1234",
    processor="A processor",
    cores=2,
    memory_gb=8.0,
    kernel="6.1",
    python="3.11",
    versions=(("janus", "1.1"),),
)
TIMES = {"p50": 1.0, "p99": 2.0, "max": 3.0}
PHASE: dict[str, Any] = {
    "control_cpu_ms_each": 1.0,
    "workers_cpu_ms_each": 1.0,
    "control_mb": 110.0,
    "workers_mb": 90.0,
    "without_a_core": {"control": 0.01, "worker": 0.02},
    "control_answers_in_ms": TIMES,
    "generator_lag_ms": TIMES,
}


def measurement(engine: str, round_: int, cost: float, **more: Any) -> dict[str, Any]:
    return {
        "engine": engine,
        "round": round_,
        "calls": 200,
        "cpu_ms_per_call_second": cost,
        "cpu_us_per_packet": 10 * cost,
        "setup_cpu_ms_per_call": 4.0,
        "memory_kb_per_call": 100.0,
        "load": {
            "sent": [100, 100],
            "received": [100, 100],
            "p50_ms": [0.1, 0.1],
            "p99_ms": [0.5, 0.6],
            "late_slots": 0,
            **more,
        },
    }


def media(*measurements: dict[str, Any], calls: int = 200) -> dict[str, Any]:
    return {
        "conditions": {"calls": calls, "rounds": 2, "seconds": 6.0},
        "measurements": measurements,
    }


def load(*, failures: tuple[str, ...] = ()) -> dict[str, Any]:
    settings = {"reps": 500, "calls": 200, "workers": 1, "rate": 10.0}
    packets = {"sent": 1000, "lost": 0}
    figures = {
        "registration": {
            **PHASE,
            "all_within_s": 9.0,
            "sign_in_ms": TIMES,
            "registered_after_ms": TIMES,
        },
        "set_up": {
            **PHASE,
            "invite_to_ringing_ms": TIMES,
            "answer_to_200_ms": TIMES,
            "dial_to_answered_ms": TIMES,
            "media_connected_ms": TIMES,
        },
        "talking": {
            **PHASE,
            "worker_ms_per_call_s": 2.0,
            "control_ms_per_call_s": 0.1,
            "latency_ms": {
                "browser": {"p50": 0.1, "p99": 0.2},
                "phone": {"p50": 0.1, "p99": 0.2},
            },
            "generator": {"late_p99_ms": 0.3, "latest_ms": 4.0},
        },
        "end": {**PHASE, "packets": {"browser": packets, "phone": packets}},
        "sign_out": {"all_within_s": 1.0},
        "stop": {"seconds": 0.4},
        "afterwards": {
            "after": {"descriptors": 26, "udp_ports": 2},
            "control_mb_before": 100.0,
            "control_mb_after": 110.0,
            "workers_mb_before": 80.0,
            "workers_mb_after": 90.0,
        },
    }
    return {
        "settings": settings,
        "figures": figures,
        "failures": failures,
        "disturbances": [],
    }


def document(*measurements: dict[str, Any], **more: Any) -> str:
    results = Results(media=media(*measurements), scaling={}, load=load(), **more)
    return render(CONDITIONS, results)


def row(text: str, beginning: str) -> str:
    (found,) = (line for line in text.splitlines() if line.startswith(beginning))
    return found


def test_ratios_are_of_the_same_round() -> None:
    """A machine that is twice as slow in one round changes nothing."""
    text = document(
        measurement("relay", 0, 1.0),
        measurement("rtpengine", 0, 1.0),
        measurement("relay", 1, 2.0),
        measurement("rtpengine", 1, 2.0),
    )
    assert "1.00 (1.00 to 1.00) | met" in row(text, "| CPU to rtpengine's")


def test_a_missed_target_is_named() -> None:
    text = document(measurement("relay", 0, 1.3), measurement("rtpengine", 0, 1.0))
    assert row(text, "| CPU to rtpengine's").endswith("| **missed** |")


def test_an_engine_that_is_not_there_is_not_measured() -> None:
    text = document(measurement("relay", 0, 1.0))
    assert "not measured" in row(text, "| CPU to Janus's")


def test_lost_packets_miss_the_target() -> None:
    text = document(measurement("relay", 0, 1.0, received=[100, 97]))
    assert row(text, "| packets lost") == "| packets lost | none | 3 | **missed** |"


@pytest.mark.parametrize(("few", "verdict"), [(1.1, "met"), (2.0, "**missed**")])
def test_the_cost_of_a_call_must_not_depend_on_their_number(
    few: float, verdict: str
) -> None:
    results = Results(
        media=media(measurement("relay", 0, 1.0)),
        scaling={50: media(measurement("relay", 0, few), calls=50)},
        load=load(),
    )
    line = row(render(CONDITIONS, results), "| CPU per call, by number of calls")
    assert f"{few:.2f} ms at 50, 1.00 ms at 200 | {verdict} |" in line


def test_a_failed_claim_is_said_and_no_other_is_made() -> None:
    results = Results(
        media=media(measurement("relay", 0, 1.0)),
        scaling={},
        load=load(failures=("7 packets lost",)),
    )
    text = render(CONDITIONS, results)
    assert "- 7 packets lost" in text
    assert "Checked, and true" not in text


def test_a_repeated_run_is_said() -> None:
    assert "run 3 times" in document(measurement("relay", 0, 1.0), load_attempts=3)


def test_video_is_told_by_call_and_by_megabit() -> None:
    video = media(measurement("relay", 0, 6.0), measurement("rtpengine", 0, 4.0))
    video["conditions"] |= {"kbit_per_second": 1000, "packets_per_second": 125}
    text = document(measurement("relay", 0, 1.0), video=video)
    assert "125 packets of VP8" in text
    told = [line for line in text.splitlines() if line.startswith("| rtpengine")]
    assert "| 4.00 (4.00 to 4.00) | 2.00 (2.00 to 2.00) | 1.50 (" in told[0]


def test_results_without_video_say_nothing_of_it() -> None:
    assert "VP8" not in document(measurement("relay", 0, 1.0))


def test_spread() -> None:
    assert str(Spread.of([3.0, 1.0, 2.0])) == "2.00 (1.00 to 3.00)"


def test_quantiles_are_of_the_nearest_rank() -> None:
    quantiles = Quantiles.of([number / 1000 for number in range(1, 101)])
    assert quantiles == Quantiles(p50=50.0, p99=99.0, max=100.0)
    assert Quantiles.of([]) == Quantiles(0.0, 0.0, 0.0)


def test_a_distribution_of_bins() -> None:
    bins = [0] * BINS
    bins[9], bins[99] = 99, 1
    distribution = Distribution(tuple(bins))
    assert distribution.quantile(0.5) == 0.1
    assert distribution.quantile(0.99) == 0.1
    assert distribution.quantile(1.0) == 1.0
    assert Distribution((0,) * BINS).quantile(0.5) == 0.0
