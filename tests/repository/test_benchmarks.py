"""The benchmarks: how figures become verdicts, and that every workload still runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from benchmarks.measuring import Measure, Result

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def measure(
    *, better_is_higher: bool = False, limit: float = 1.0, of: str | None = "peer"
) -> Measure:
    from benchmarks.measuring import Bar, Measure

    bar = Bar(limit, of=of, full_size_only=of is None)
    return Measure("speed", "ms", better="higher" if better_is_higher else "lower", bar=bar)


def result(one: Measure, ours: list[float], theirs: list[float]) -> Result:
    from benchmarks.measuring import QUICK, Result, Workload

    workload = Workload(name="work", title="Work", measures=(one,), subjects={})
    return Result(workload, QUICK, {"findspot": {"speed": ours}, "peer": {"speed": theirs}})


def test_the_median_is_compared_with_the_peers_median() -> None:
    from benchmarks.report import ratio, verdict

    one = measure(limit=0.5)
    found = result(one, [4.0, 1.0, 2.0], [4.0, 100.0, 3.0])
    assert ratio(found, one) == 0.5
    assert verdict(found, one, full_size=True) is True
    assert verdict(result(one, [2.1], [4.0]), one, full_size=True) is False


def test_where_higher_is_better_the_bar_is_a_floor() -> None:
    from benchmarks.report import verdict

    one = measure(better_is_higher=True, limit=0.6)
    assert verdict(result(one, [3.0], [4.0]), one, full_size=True) is True
    assert verdict(result(one, [2.0], [4.0]), one, full_size=True) is False


def test_a_bar_for_the_full_size_does_not_judge_small_runs() -> None:
    from benchmarks.report import missed, summary, verdict

    one = measure(limit=5.0, of=None)
    slow = result(one, [9.0], [])
    assert verdict(slow, one, full_size=False) is None
    assert missed([slow], full_size=False) == []
    assert missed([slow], full_size=True) == ["work: speed"]
    assert summary([slow], full_size=True) == "0 of 1 bars reached; missed: work: speed"


def test_a_failure_of_ours_misses_every_bar() -> None:
    from benchmarks.report import verdict

    one = measure()
    found = result(one, [], [1.0])
    found.failures["findspot"] = "ValueError: no"
    assert verdict(found, one, full_size=True) is False


def test_extra_memory_is_what_a_block_needs_at_its_peak() -> None:
    from benchmarks.memory import extra_memory

    with extra_memory() as nothing:
        pass
    with extra_memory() as much:
        held = bytearray(b"x") * (64 << 20)
        del held
    assert nothing.peak_mib is not None
    assert much.peak_mib is not None
    assert nothing.peak_mib < 16
    assert 60 < much.peak_mib < 160


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_every_workload_runs(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--repeats", "1"]
    command += ["--array-mib", "4", "--table-rows", "10000"]
    command += ["--folder", str(tmp_path), "--json", str(figures)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=270)
    assert done.returncode == 0, done.stdout + done.stderr
    workloads = json.loads(figures.read_text())["workloads"]
    assert {work["name"]: work["failures"] for work in workloads if work["failures"]} == {}
    without = [
        f"{work['name']}: {one['name']}"
        for work in workloads
        for one in work["measures"]
        if "findspot" not in one["figures"]
    ]
    assert without == []
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
