"""Killed at any point, an experiment loses no finished cell and runs none twice in effect."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiment_pieces import counted, counts
from findspot import Workspace
from findspot.artifacts.leases import lease
from findspot.experiments.errors import BeingRun
from findspot.experiments.history import newest_run
from process_groups import of_group, until

TESTS = Path(__file__).parents[1]
CELLS = [
    f"{condition}-{replicate}" for condition in ("baseline", "double") for replicate in range(3)
]
SCRIPT = """
import sys
from experiment_pieces import counted
print("ready", flush=True)
result = counted(sys.argv[1]).run(strategy="resume", executor=sys.argv[2], workers=2)
sys.exit(0 if result.status == "finished" else 3)
"""
TOGETHER = """
import sys
from experiment_pieces import counted
from findspot.experiments.errors import BeingRun
print("ready", flush=True)
sys.stdin.readline()
try:
    print(counted(sys.argv[1]).run(strategy="resume").ran)
except BeingRun:
    print("being run")
"""
DESCRIBED = """
import json
from findspot.engine.process import this_process
print(json.dumps(this_process()), flush=True)
input()
"""


def start(ws: Workspace, folder: Path, executor: str = "inline") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "FINDSPOT_WORKSPACE": str(ws.folder.parent)}
    command = [sys.executable, "-c", SCRIPT, str(folder), executor]
    return subprocess.Popen(
        command, cwd=TESTS, env=environment, stdout=subprocess.PIPE, start_new_session=True
    )


def gone(leader: int) -> bool:
    return not of_group(leader)


def end(process: subprocess.Popen[bytes]) -> int:
    """Wait for it; what it returned."""
    with process:
        return process.wait()


def finished(ws: Workspace) -> dict[str, dict[str, str]]:
    """The artifacts of every finished cell, as the catalog has them."""
    run = newest_run(ws, ws.project, "counted")
    if run is None:
        return {}
    return {
        f"{c}-{r}": dict(cell.outputs)
        for (c, r), cell in run.cells.items()
        if cell.status == "finished"
    }


def check_whole(ws: Workspace, folder: Path, before: dict[str, dict[str, str]]) -> None:
    """Resume to the end, and see that nothing that was finished before was touched."""
    ran_before = counts(folder)
    result = counted(folder).run(strategy="resume")
    assert result.status == "finished"
    assert result.ran == len(CELLS) - len(before)
    for cell in before:
        assert counts(folder)[cell] == ran_before[cell], "a finished cell ran again"
    after = finished(ws)
    assert {cell: after[cell] for cell in before} == before, "a finished cell was lost"
    assert sorted(after) == CELLS
    for condition, values in result.metrics["total"].items():
        alone = [untouched_total(folder, condition, r) for r in range(3)]
        assert values == alone
    assert counted(folder).run(strategy="resume").ran == 0


def untouched_total(folder: Path, condition: str, replicate: int) -> float:
    """What the cell logs when nobody kills it."""
    from experiment_pieces import scale, total

    experiment = counted(folder, pipeline=[scale, total], outputs=[], parameters={})
    return experiment.debug(condition, replicate).context.metrics["total"]


@pytest.mark.slow
def test_killed_in_a_cell_only_the_missing_cells_run(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    (folder / "die-double-1").touch()
    assert end(start(ws, folder)) == -signal.SIGKILL
    before = finished(ws)
    assert "double-1" not in before
    assert counts(folder)["double-1"] == 1
    check_whole(ws, folder, before)
    run = newest_run(ws, ws.project, "counted")
    assert run is not None
    assert [job.status for job in run.jobs] == ["finished", "interrupted"]


@pytest.mark.slow
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(deaths=st.sets(st.sampled_from(CELLS), min_size=1, max_size=3))
def test_killed_in_any_cells(tmp_path_factory: pytest.TempPathFactory, deaths: set[str]) -> None:
    place = tmp_path_factory.mktemp("killed")
    folder = place / "ran"
    folder.mkdir()
    for cell in deaths:
        (folder / f"die-{cell}").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINDSPOT_WORKSPACE", str(place / "workspace"))
        with Workspace(place / "workspace") as ws:
            ws.init()
            for _ in deaths:
                assert end(start(ws, folder)) == -signal.SIGKILL
            check_whole(ws, folder, finished(ws))


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_time(ws: Workspace, tmp_path: Path, seed: int, executor: str) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    drawn = random.Random(seed)
    for _ in range(3):
        before, ran_before = finished(ws), counts(folder)
        process = start(ws, folder, executor)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(drawn.uniform(0.0, 0.25 if executor == "inline" else 1.0))
        process.kill()
        end(process)
        until(partial(gone, process.pid))  # its workers end with it
        kept, ran = finished(ws), counts(folder)
        assert {cell: kept[cell] for cell in before} == before
        assert {cell: ran[cell] for cell in before} == {c: ran_before[c] for c in before}
    check_whole(ws, folder, finished(ws))


@pytest.mark.slow
def test_two_resumes_at_once_agree(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    processes = [start(ws, folder) for _ in range(2)]
    for process in processes:
        end(process)
    check_whole(ws, folder, finished(ws))


@pytest.mark.slow
def test_of_many_first_resumes_at_once_one_makes_the_run(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(folder)],
            cwd=TESTS,
            env={**os.environ, "FINDSPOT_WORKSPACE": str(ws.folder.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0].strip() for process in processes]
    assert said.count("6") == 1
    assert set(said) <= {"6", "0", "being run"}  # 0: it looked when all was done
    assert set(counts(folder).values()) == {1}
    assert ws.get_artifact("counted/run").version == len(ws.list_jobs(experiment="counted")) == 1


def test_the_lease_of_one_that_died_is_no_hindrance(ws: Workspace, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DESCRIBED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    dead = json.loads(process.stdout.readline())
    purpose = f"experiment {ws.project}/counted"
    with lease(ws, purpose=purpose, seconds=60, process=dead, exclusive=True):
        with pytest.raises(BeingRun, match="somebody else, just now"):
            counted(tmp_path).run(strategy="resume")
        process.kill()
        end(process)
        assert counted(tmp_path).run(strategy="resume").ran == 6
