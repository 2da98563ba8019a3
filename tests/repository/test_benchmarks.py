"""The benchmarks: how figures become verdicts, and that every workload still runs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from benchmarks.measuring import Measure, Peer, Result

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


@pytest.mark.slow
def test_extra_memory_is_what_a_block_needs_at_its_peak() -> None:
    from benchmarks.memory import extra_memory

    with extra_memory() as nothing:
        pass
    with extra_memory() as much:
        held = bytearray(b"x") * (256 << 20)  # far more than the system may take back meanwhile
        del held
    assert nothing.peak_mib is not None
    assert much.peak_mib is not None
    assert nothing.peak_mib < 64
    assert 200 < much.peak_mib < 400


PEER = """
import os, subprocess, sys

def figures(folder, scale):
    print("libraries say what they like")
    subprocess.run([sys.executable, "-c", "print('and so do their processes')"], check=True)
    if scale.steps == 1:
        raise ValueError("one step is too few")
    if scale.steps == 2:
        os._exit(7)
    return {"steps": scale.steps, "empty": not list(folder.iterdir())}
"""


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """A subject in another process, of this interpreter."""
    from benchmarks import peer_process
    from benchmarks.measuring import Peer

    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "a_peer.py").write_text(PEER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    monkeypatch.setattr(peer_process, "interpreter", lambda: Path(sys.executable))
    return Peer("a_peer:figures", "a-peer")


def test_a_peer_answers_from_its_own_process(peer: Peer, tmp_path: Path) -> None:
    from benchmarks.measuring import TINY
    from benchmarks.peer_process import PeerProcess

    empty = tmp_path / "empty"
    empty.mkdir()
    with PeerProcess(peer) as process:
        assert process.measure(empty, TINY) == {"steps": TINY.steps, "empty": True}
        with pytest.raises(RuntimeError, match="ValueError: one step is too few"):
            process.measure(empty, replace(TINY, steps=1))
        assert process.measure(tmp_path, TINY) == {"steps": TINY.steps, "empty": False}
        with pytest.raises(RuntimeError, match="its process ended with 7"):
            process.measure(empty, replace(TINY, steps=2))


def test_a_peer_that_is_not_installed_is_left_out_and_said_so(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import peer_process
    from benchmarks.measuring import TINY, Workload
    from benchmarks.report import document, show
    from benchmarks.running import run
    from rich.console import Console

    monkeypatch.setattr(peer_process, "installed", dict)
    work = Workload(name="work", title="Work", measures=(measure(),), subjects={"peer": peer})
    found = run(work, TINY, tmp_path)
    reason = "a-peer is not installed in .venv-peers (`make bench` does it)"
    assert (found.absent, found.failures, found.figures) == ({"peer": reason}, {}, {})
    shown = StringIO()
    show(found, Console(width=120, file=shown), full_size=True)
    assert f"peer is left out: {reason}" in shown.getvalue()
    assert document([found], TINY, {}, full_size=True)["workloads"][0]["absent"] == found.absent

    monkeypatch.setattr(peer_process, "installed", lambda: {"a-peer": "1.0"})
    again = run(work, replace(TINY, repeats=2), tmp_path)
    assert again.figures["peer"]["steps"] == [TINY.steps] * 2


def test_a_workload_that_takes_long_is_repeated_less_often(tmp_path: Path) -> None:
    from benchmarks.measuring import TINY, Workload
    from benchmarks.running import run

    work = Workload(name="work", title="Work", measures=(), subjects={}, repeats=2)
    assert run(work, replace(TINY, repeats=5), tmp_path).scale.repeats == 2
    assert run(work, TINY, tmp_path).scale.repeats == 1


def test_what_peers_import_needs_nothing_of_findspot() -> None:
    """It is not installed where they are; other modules of the benchmarks import it."""
    folder = ROOT / "benchmarks"
    shared = {"inputs", "measuring", "memory", "peer_serving"}
    files = [*(folder / "peers").glob("*.py"), *(folder / f"{name}.py" for name in shared)]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [n.name for n in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.partition(".")[0] != "findspot", file
                if name.startswith("benchmarks."):
                    assert name.split(".")[1] in shared, f"{file.name} imports {name}"
                if name == "benchmarks":
                    assert isinstance(node, ast.ImportFrom)
                    assert {n.name for n in node.names} <= shared


def test_peers_exist_and_are_pinned() -> None:
    from benchmarks.measuring import Peer
    from benchmarks.peer_process import PINS, pinned
    from benchmarks.workloads import WORKLOADS

    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in PINS.read_text().splitlines())
    peers = [s for work in WORKLOADS for s in work.subjects.values() if isinstance(s, Peer)]
    assert {peer.package for peer in peers} == set(pinned())
    for one in peers:
        module, _, name = one.target.partition(":")
        tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_workload_is_documented() -> None:
    from benchmarks.workloads import WORKLOADS

    page = (ROOT / "docs" / "performance.md").read_text()
    assert [work.name for work in WORKLOADS if f"| `{work.name}`: " not in page] == []


GROUPS = (
    ("startup", "chain", "fan-out", "small", "concurrent"),
    ("experiment", "resume", "scheduling"),
    ("clusters",),
    ("search", "array", "table"),
    ("dataset", "collect", "directory", "large-file"),
)


def test_the_groups_leave_no_workload_out() -> None:
    from benchmarks.workloads import WORKLOADS

    assert sorted(name for group in GROUPS for name in group) == sorted(w.name for w in WORKLOADS)


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_every_workload_runs(group: tuple[str, ...], tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--tiny"]
    command += [f"--only={name}" for name in group]
    command += ["--folder", str(tmp_path), "--json", str(figures)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
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
