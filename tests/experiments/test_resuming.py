"""Finished cells are kept and whole; what is missing, failed or changed is run."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from experiment_pieces import DATA, counted, counts, numbers, ran, scale, total
from findspot import CachePolicy, FindspotError, Workspace, load_artifact, task
from findspot.catalog.sql_catalog import SqlCatalog
from findspot.core.records import JobUpdate, now
from findspot.experiments import run_index
from findspot.experiments.artifact import Artifact
from findspot.experiments.context import CellContext
from findspot.experiments.errors import BeingRun, NoRun
from findspot.experiments.experiment import Experiment
from findspot.experiments.results import Result
from findspot.experiments.treatments import Treatment


def test_a_complete_run_is_reloaded_whole_and_nothing_runs(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path)
    first = experiment.run()
    again = experiment.run(strategy="resume")
    assert (again.ran, again.run, again.notes) == (0, 1, [])
    assert again.metrics == first.metrics
    assert again.rows == first.rows
    assert again.artifacts == first.artifacts
    assert len(ws.list_jobs(experiment="counted")) == 1
    assert set(counts(tmp_path).values()) == {1}


def test_a_rerun_runs_all_cells_as_a_new_run(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path)
    first = experiment.run()
    second = experiment.run()
    assert (first.run, second.run, second.ran) == (1, 2, 6)
    assert set(counts(tmp_path).values()) == {2}
    assert first.metrics == second.metrics
    assert experiment.result().run == 2
    assert experiment.result(1).rows == first.rows


@pytest.mark.parametrize("strategy", ["resume", "fill"])
def test_failed_cells_are_tried_again_and_only_they(
    ws: Workspace, tmp_path: Path, strategy: Any
) -> None:
    (tmp_path / "fail-double-1").touch()
    assert counted(tmp_path).run().status == "failed"
    assert counted(tmp_path).run(strategy=strategy).ran == 1
    (tmp_path / "fail-double-1").unlink()
    result = counted(tmp_path).run(strategy=strategy)
    assert (result.ran, result.run, result.status, result.errors) == (1, 1, "finished", {})
    assert {k: n for k, n in counts(tmp_path).items() if n != 1} == {"double-1": 3}
    assert len(result.jobs) == 3


def test_what_never_ran_counts_as_new(ws: Workspace, tmp_path: Path) -> None:
    assert counted(tmp_path).run(strategy="resume").ran == 6
    with pytest.raises(NoRun, match="'other' has no run"):
        counted(tmp_path, name="other").result()


def test_more_replicates_and_treatments_run_alone(ws: Workspace, tmp_path: Path) -> None:
    first = counted(tmp_path).run()
    more = counted(tmp_path).run(strategy="fill", replicates=5)
    assert (more.ran, more.run, more.replicates) == (4, 1, 5)
    assert more.metrics["total"]["double"][:3] == first.metrics["total"]["double"]
    treatments = [Treatment("double", {"factor": 2.0}), Treatment("triple", {"factor": 3.0})]
    wide = counted(tmp_path, treatments=treatments, replicates=5).run(strategy="fill")
    assert wide.ran == 5
    assert set(counts(tmp_path).values()) == {1}
    assert wide.metrics["total"]["triple"] == [3 * v for v in more.metrics["total"]["baseline"]]
    assert counted(tmp_path).run(strategy="fill").ran == 0


def test_a_changed_treatment_runs_again_and_only_it(ws: Workspace, tmp_path: Path) -> None:
    counted(tmp_path).run()
    changed = counted(tmp_path, treatments=[Treatment("double", {"factor": 2.5})])
    result = changed.run(strategy="resume")
    assert result.ran == 3
    assert result.notes == [
        "3 finished cells (double/0, double/1, double/2) run again, because data, "
        "parameters or outputs have changed."
    ]
    assert {n for k, n in counts(tmp_path).items() if k.startswith("baseline")} == {1}


@pytest.mark.parametrize("strategy", ["resume", "fill"])
def test_what_has_expired_runs_again(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: Any
) -> None:
    def experiment(**options: Any) -> Experiment:
        steps = [task(cache=CachePolicy(**options))(scale.function), total, ran]
        return counted(tmp_path, name="aged", pipeline=steps, outputs=[])

    aged = experiment(expires=60.0)
    first = aged.run()
    assert aged.run(strategy=strategy).ran == 0
    later = now() + timedelta(seconds=61)
    monkeypatch.setattr("findspot.engine.caching.reusing.now", lambda: later)
    assert experiment().run(strategy=strategy).ran == 0
    again = aged.run(strategy=strategy)
    assert (again.ran, again.run, again.metrics) == (6, 1, first.metrics)
    assert again.notes == [
        "6 finished cells (baseline/0, double/0, baseline/1 ...) run again, because the 60 s "
        "are over that the cache policy of a task gives them."
    ]
    assert set(counts(tmp_path).values()) == {2}


def test_an_artifact_that_was_reused_is_as_old_as_it_is(ws: Workspace) -> None:
    @task(cache=CachePolicy(expires=0.5))
    def step(data: float, ctx: CellContext, k: float = 1.0, out: Artifact = DATA) -> None:
        out.write(str(k))

    def run(k: float) -> Result:
        aged = Experiment(name="aged", datasource=[1.0], pipeline=[step], parameters={"k": k})
        return aged.run(strategy="resume")

    run(1.0), run(2.0)
    assert run(1.0).status == "finished"
    time.sleep(0.6)
    result = run(1.0)
    assert (result.ran, result.job.steps["baseline/0"].cached) == (1, False)


def test_what_the_data_are_made_of_expires_too(ws: Workspace) -> None:
    @task(cache=CachePolicy(expires=0.0))
    def today(ctx: CellContext) -> list[float]:
        return [float(next(days))]

    days = iter(range(1, 10))
    aged = Experiment(name="aged", datasource=today, pipeline=[total])
    assert aged.run().metrics["total"]["baseline"] == [1.0]
    again = aged.run(strategy="resume")
    assert again.metrics["total"]["baseline"] == [2.0]
    assert "the 0 s are over" in again.notes[-1]


def test_a_cell_that_runs_again_is_not_said_to_be_kept(ws: Workspace) -> None:
    def experiment(add: int) -> Experiment:
        return Experiment(name="code", pipeline=[make_step(add)], datasource=numbers, seed=add)

    experiment(0).run()
    notes = experiment(1).run(strategy="fill").notes
    assert [note.partition(" (")[0] for note in notes] == ["1 finished cell"]
    assert "runs again" in notes[0]


def make_step(add: int) -> Any:
    def step(data: list[float], ctx: CellContext) -> None:
        ctx.log_metric("sum", sum(data) + add)

    return step


def test_changed_code_is_said_and_run_again_unless_filling(ws: Workspace) -> None:
    def experiment(add: int) -> Experiment:
        return Experiment(name="code", datasource=numbers, pipeline=[make_step(add)], replicates=2)

    first = experiment(0).run().metrics["sum"]["baseline"]
    kept = experiment(1).run(strategy="fill")
    assert kept.ran == 0
    assert kept.metrics["sum"]["baseline"] == first
    assert kept.notes == [
        "2 finished cells (baseline/0, baseline/1) kept, though the code of step has changed."
    ]
    again = experiment(1).run(strategy="resume")
    assert again.ran == 2
    assert again.notes == [
        "2 finished cells (baseline/0, baseline/1) run again, because the code has changed."
    ]
    assert again.metrics["sum"]["baseline"] == [value + 1 for value in first]
    assert experiment(1).run(strategy="resume").ran == 0


def test_what_was_changed_back_repeats_the_first_job(ws: Workspace, tmp_path: Path) -> None:
    def run(factor: float) -> Any:
        given = {"folder": str(tmp_path), "factor": factor}
        experiment = counted(tmp_path, parameters=given, treatments=[])
        return experiment.run(strategy="resume")

    first, other, back = run(1.0), run(2.0), run(1.0)
    assert set(counts(tmp_path).values()) == {2}
    assert (back.run, back.ran, back.status) == (1, 3, "finished")
    assert back.metrics == first.metrics != other.metrics
    assert {step.source_job for step in back.job.steps.values()} == {first.job.id}
    assert back.artifacts == first.artifacts != other.artifacts
    assert (back.folder / "0/baseline/save/data.json").read_text() == first.artifact(
        "save", "data.json"
    ).path().read_text()
    assert run(1.0).ran == 0


def test_a_changed_data_source_counts_as_changed_code(ws: Workspace) -> None:
    def experiment(source: Any) -> Experiment:
        return Experiment(name="s", datasource=source, pipeline=[make_step(0)], replicates=2)

    experiment(numbers).run()
    result = experiment(lambda ctx: [1.0]).run(strategy="resume")
    assert result.ran == 2
    assert result.metrics["sum"]["baseline"] == [1.0, 1.0]


def test_deleted_artifacts_are_made_again(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path)
    first = experiment.run()
    ws.delete_version(first.artifact("save", "data.json", "double", 1).uid)
    result = experiment.run(strategy="resume")
    assert result.ran == 1
    assert "no longer there" in result.notes[0]
    assert counts(tmp_path)["double-1"] == 2
    assert result.artifact("save", "data.json", "double", 1).path().is_file()


def test_artifacts_whose_bytes_are_gone_are_made_again(ws: Workspace) -> None:
    from findspot.experiments.artifact import Artifact

    big = Artifact("big.bin")

    def step(data: int, out: Artifact = big) -> None:
        out.write(bytes([data]) * 100_000)

    experiment = Experiment(name="big", datasource=[1, 2], pipeline=[step])
    first = experiment.run()
    version = first.artifact("step", "big.bin", replicate=1)
    ws.store.delete(version.files[0].digest)
    result = experiment.run(strategy="resume")
    assert result.ran == 1
    assert result.artifact("step", "big.bin", replicate=1).load().stat().st_size == 100_000


def test_nobody_else_may_be_running_it(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path)
    job = experiment.run().job
    from findspot.catalog.protocol import Batch

    ws.catalog.write(
        Batch(updates=[JobUpdate(id=job.id, expected=("finished",), status="running")])
    )
    with pytest.raises(BeingRun, match=rf"being run by job {job.id}"):
        experiment.run(strategy="resume")


@pytest.mark.parametrize("strategy", ["resume", "fill"])
def test_cells_whose_code_loads_what_has_changed_run_again(ws: Workspace, strategy: Any) -> None:
    def step(data: float, ctx: CellContext, uses: str = "") -> None:
        weight = load_artifact(uses) if uses else 1
        ctx.log_metric("m", data * weight)

    def experiment() -> Experiment:
        return Experiment(
            name="loading",
            datasource=[1.0, 2.0],
            pipeline=[step],
            treatments=[Treatment("heavy", {"uses": "weight"}), Treatment("x", {"uses": "other"})],
        )

    ws.save_artifact(10, "weight")
    ws.save_artifact(3, "other")
    first = experiment().run()
    ws.save_artifact(10, "weight", labels={"saved": "twice"})
    assert experiment().run(strategy=strategy).ran == 0
    ws.save_artifact(20, "weight")
    second = experiment().run(strategy=strategy)
    assert second.ran == 2
    assert second.metrics["m"] == {**first.metrics["m"], "heavy": [20.0, 40.0]}
    assert second.notes == [
        "2 finished cells (heavy/0, heavy/1) run again, because what the code loads by its name "
        "has changed: store://artifacts/default/weight."
    ]
    assert experiment().run(strategy=strategy).ran == 0
    ws.delete_version("weight", 3)
    back = experiment().run(strategy=strategy)
    assert (back.ran, back.metrics) == (2, first.metrics)
    assert experiment().run(strategy=strategy).ran == 0
    ws.delete_artifact("other")
    assert set(experiment().run(strategy=strategy).errors) == {("x", 0), ("x", 1)}


def test_data_that_load_what_has_changed_are_made_again(ws: Workspace) -> None:
    def step(data: float, ctx: CellContext) -> None:
        ctx.log_metric("m", data)

    def experiment(**options: Any) -> Experiment:
        def source(ctx: CellContext) -> float:
            return float(load_artifact("weight")) + ctx.replicate

        return Experiment(
            name="loading", datasource=source, pipeline=[step], replicates=2, **options
        )

    ws.save_artifact(10, "weight")
    assert experiment().run().metrics["m"] == {"baseline": [10.0, 11.0]}
    ws.save_artifact(20, "weight")
    changed = experiment(treatments=[Treatment("t")]).run(strategy="resume")
    assert changed.ran == 4
    assert changed.metrics["m"] == {"baseline": [20.0, 21.0], "t": [20.0, 21.0]}
    ws.save_artifact(10, "weight")
    back = experiment().run(strategy="resume")
    assert (back.ran, back.metrics["m"]) == (2, {"baseline": [10.0, 11.0]})
    assert experiment().run(strategy="resume").ran == 0
    ws.save_artifact(30, "weight")
    assert experiment().run(strategy="resume").ran == 2


@pytest.mark.parametrize("mine", [{"format": 2}, [1], "[1]", '{"format": 2}', b"bytes"])
def test_what_users_save_under_its_names_does_not_matter(
    ws: Workspace, tmp_path: Path, mine: Any
) -> None:
    ws.save_artifact(mine, "counted/run")
    first = counted(tmp_path, replicates=2).run()
    ws.save_artifact(mine, "counted/run")
    ws.save_artifact(mine, "counted/cells", labels={"run": first.run})
    assert counted(tmp_path, replicates=2).run(strategy="resume").ran == 0
    assert counted(tmp_path).run(strategy="resume").ran == 2
    assert counted(tmp_path).run().run == first.run + 2


def test_a_run_of_many_cells_is_read_from_their_list(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(tmp_path, replicates=2).run()
    assert not ws.list_artifacts(name="counted/cells")
    recorded = counted(tmp_path, replicates=2).result().cells
    few = len(recorded)
    monkeypatch.setattr(run_index, "FEWEST", few + 1)
    counted(tmp_path).run(strategy="fill")
    assert len(ws.list_artifacts(name="counted/cells")) == 1
    whole = counted(tmp_path).result()
    assert {place: whole.cells[place] for place in recorded} == recorded
    assert len(whole.cells) > few
    with monkeypatch.context() as patched:
        patched.setattr(SqlCatalog, "steps", None)  # they are not asked for
        assert counted(tmp_path).result().cells == whole.cells
    assert ws.delete_artifact("counted/cells")
    assert counted(tmp_path).result().cells == whole.cells


def test_options_that_cannot_be_take_no_number(ws: Workspace, tmp_path: Path) -> None:
    for options in ({"workers": -1}, {"workers": "many"}, {"executor": "proceses"}):
        with pytest.raises(FindspotError):
            counted(tmp_path).run(**options)
    assert counted(tmp_path).run().run == 1


def test_of_threads_that_resume_at_once_one_does(ws: Workspace, tmp_path: Path) -> None:
    counted(tmp_path, replicates=1).run()
    experiment = counted(tmp_path, replicates=4)
    together = threading.Barrier(4)

    def resume(_: int) -> int | str:
        together.wait()
        try:
            return experiment.run(strategy="resume").ran
        except BeingRun:
            return "being run"

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(resume, range(4)))
    assert said.count(6) == 1
    assert set(said) <= {6, 0, "being run"}  # 0: it looked when all was done
    assert set(counts(tmp_path).values()) == {1}
    assert len(experiment.result().jobs) == 2


def test_metrics_of_cells_and_their_kept_values_survive_a_cache_hit(ws: Workspace) -> None:
    """A cell that the engine reuses from an older run brings its metrics along."""
    treatments = [Treatment("a", {"k": 1})]

    def step(data: float, ctx: CellContext, k: int = 0) -> float:
        ctx.log_metric("m", data + k)
        return data + k

    def experiment(chosen: list[Treatment]) -> Experiment:
        return Experiment(
            name="hit", datasource=[1.0], pipeline=[step], treatments=chosen, outputs=["step"]
        )

    experiment(treatments).run()
    experiment([]).run()  # a second run, which lacks the treatment
    result = experiment(treatments).run(strategy="resume")
    assert result.run == 2
    assert result.job.steps["a/0"].cached
    assert result.metrics["m"] == {"baseline": [1.0], "a": [2.0]}
    assert result.artifact("step", "output", "a").load() == 2.0


def test_interrupted_by_the_user_it_goes_on(ws: Workspace, tmp_path: Path) -> None:
    def stop(data: Any, ctx: CellContext) -> Any:
        if ctx.condition == "double" and not (tmp_path / "go").exists():
            raise KeyboardInterrupt
        return data

    from experiment_pieces import ran, scale, total

    experiment = counted(tmp_path, pipeline=[stop, ran, scale, total], outputs=[])
    with pytest.raises(KeyboardInterrupt):
        experiment.run()
    assert counts(tmp_path) == {"baseline-0": 1}
    assert experiment.result().status == "incomplete"
    (tmp_path / "go").touch()
    result = experiment.run(strategy="resume")
    assert (result.ran, result.status) == (5, "finished")
    assert {k: n for k, n in counts(tmp_path).items() if k != "go" and n != 1} == {}
