"""An experiment runs every condition of every replicate, and says what came of each."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiment_pieces import DATA, MODEL, counted, counts, numbers, save, scale, total
from findspot import (
    CachePolicy,
    CheckFailed,
    FindspotError,
    JobContext,
    Workspace,
    current_job,
    pipeline,
    task,
)
from findspot.core.records import now
from findspot.experiments.artifact import Artifact
from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.progress import Progress
from findspot.experiments.results import Result
from findspot.experiments.treatments import Treatment

EXECUTORS = [
    "inline",
    "threads",
    "processes",
    pytest.param("dask:", marks=pytest.mark.slow),
    pytest.param("ray:", marks=pytest.mark.slow),
]


def test_every_cell_is_run_once_and_is_in_the_table(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "ran"
    folder.mkdir()
    result = counted(folder).run()
    assert result.status == "finished"
    assert (result.run, result.ran, result.missing) == (1, 6, [])
    assert counts(folder) == {f"{c}-{r}": 1 for c in ("baseline", "double") for r in range(3)}
    rows = [(r["condition"], r["replicate"], r["step"], r["error"]) for r in result.rows]
    assert rows == [(c, r, "total", None) for r in range(3) for c in ("baseline", "double")]
    base, double = result.metrics["total"]["baseline"], result.metrics["total"]["double"]
    assert double == [2 * value for value in base]
    assert list(result.table.columns) == [
        *("condition", "replicate", "step", "seed", "status", "seconds", "total", "error")
    ]


def test_the_job_of_a_run_is_an_ordinary_job(ws: Workspace, tmp_path: Path) -> None:
    result = counted(tmp_path).run()
    job = result.job
    assert (job.name, job.experiment, job.status) == ("counted", "counted", "finished")
    assert job.params["replicates"] == 3
    assert job.params["conditions"]["double"]["factor"] == 2.0
    assert job.steps["double/1"].metrics["total"] == result.metrics["total"]["double"][1]
    assert ws.list_jobs(experiment="counted")[0].id == job.id
    version = result.artifact("save", "data.json", "double", 1)
    assert version.producer is not None
    assert (version.producer.job, version.producer.step) == (job.id, "double/1")
    assert version.key == "counted/double/1/save/data.json"
    made_from = version.lineage().versions.values()
    assert {v.key for v in made_from} == {version.key, "counted/data/1"}


def test_all_conditions_of_a_replicate_get_the_same_datum(ws: Workspace) -> None:
    calls: list[int] = []

    def source(ctx: CellContext) -> float:
        calls.append(ctx.replicate)
        return float(ctx.rng().random())

    def keep(data: float, ctx: CellContext) -> None:
        ctx.log_metric("datum", data)

    three = [Treatment("a"), Treatment("b")]
    result = Experiment(
        name="data", datasource=source, pipeline=[keep], treatments=three, replicates=2
    ).run()
    assert calls == [0, 1]
    values = result.metrics["datum"]
    assert values["baseline"] == values["a"] == values["b"]
    assert values["a"][0] != values["a"][1]


def test_seeds_are_the_cells_own(ws: Workspace, tmp_path: Path) -> None:
    few = counted(tmp_path, replicates=1).run()
    many = counted(tmp_path, replicates=4, treatments=[Treatment("x"), Treatment("double")]).run()
    first = {c.condition: c.seed for c in few.cells.values()}
    assert all(many.cells[c, 0].seed == seed for c, seed in first.items())
    assert len({cell.seed for cell in many.cells.values()}) == 12
    other = counted(tmp_path, name="other", replicates=1).run()
    assert other.cells["baseline", 0].seed != first["baseline"]


def test_global_generators_are_seeded_too(ws: Workspace) -> None:
    def draw(data: None, ctx: CellContext) -> None:
        ctx.log_metric("global", float(np.random.random()))
        ctx.log_metric("own", float(ctx.rng().random()))

    experiment = Experiment(name="random", pipeline=[draw], replicates=2, seed=3)
    first, second = experiment.run().metrics, experiment.run().metrics
    assert first == second
    assert first["global"]["baseline"][0] != first["global"]["baseline"][1]


def test_one_cell_run_alone_gives_the_same_bytes(ws: Workspace, tmp_path: Path) -> None:
    experiment = counted(tmp_path)
    result = experiment.run()
    alone = experiment.debug("double", 2, folder=tmp_path / "alone")
    found = alone.artifacts["save", "data.json"]
    assert isinstance(found, Path)
    version = result.artifact("save", "data.json", "double", 2)
    assert found.read_bytes() == version.path().read_bytes()
    assert alone.context.metrics["total"] == result.metrics["total"]["double"][2]


def test_a_condition_is_applied_to_any_datum(ws: Workspace) -> None:
    double = Treatment("double", {"factor": 2.0})
    experiment = Experiment(name="x", datasource=numbers, pipeline=[scale], treatments=[double])
    assert experiment.apply("double", [1.0, 2.0]) == [2.0, 4.0]
    assert experiment.apply(datum=[1.0]) == [1.0]
    with pytest.raises(FindspotError, match=r"no condition 'triple'.*\n.*baseline, double"):
        experiment.apply("triple", [1.0])
    with pytest.raises(FindspotError, match="no replicate 5"):
        experiment.debug("double", 5)


def test_debugging_raises_what_the_step_raised(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "fail-double-0").touch()
    with pytest.raises(ValueError, match="told to fail") as caught:
        counted(tmp_path).debug("double", 0)
    assert caught.value.__notes__ == ["In step 'maybe_fail' of condition 'double', replicate 0."]
    assert not ws.list_jobs(experiment="counted")


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_failing_cell_fails_alone(ws: Workspace, tmp_path: Path, executor: str) -> None:
    (tmp_path / "fail-double-1").touch()
    result = counted(tmp_path).run(executor=executor, workers=2)
    assert result.status == "failed"
    assert list(result.errors) == [("double", 1)]
    assert result.errors["double", 1].type == "ValueError"
    statuses = {place: cell.status for place, cell in result.cells.items()}
    assert sorted(statuses.values()) == ["failed"] + ["finished"] * 5
    row = next(row for row in result.rows if row["error"])
    assert (row["step"], row["error"]) == ("maybe_fail", "ValueError: told to fail")
    assert math.isnan(result.metrics["total"]["double"][1])
    assert [row["missing"] for row in result.summary_rows] == [0, 1]


@pytest.mark.slow
def test_a_killed_worker_costs_at_most_its_own_cell(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "die-baseline-1").touch()
    result = counted(tmp_path).run(executor="processes", workers=2)
    others = {p: c.status for p, c in result.cells.items() if p != ("baseline", 1)}
    assert set(others.values()) == {"finished"}
    assert counted(tmp_path).run(strategy="resume").status == "finished"


def test_a_datum_that_cannot_be_had_fails_its_replicate(ws: Workspace) -> None:
    def source(ctx: CellContext) -> int:
        if ctx.replicate == 1:
            raise OSError("the disk is gone")
        return ctx.replicate

    experiment = Experiment(
        name="source", datasource=source, pipeline=[lambda data: data], replicates=3
    )
    result = experiment.run()
    assert [cell.status for cell in result.cells.values()] == ["finished", "skipped", "finished"]
    failure = result.errors["baseline", 1]
    assert (failure.type, failure.message) == ("OSError", "the disk is gone")
    assert result.rows[1]["error"] == "OSError: the disk is gone"


def test_a_treatment_may_be_a_function(ws: Workspace) -> None:
    def change(ctx: CellContext) -> None:
        ctx.parameters = {**ctx.parameters, "factor": 10.0 + ctx.replicate}

    treatment = Treatment("grown", change)
    result = Experiment(
        name="f", datasource=[[1.0], [1.0]], pipeline=[scale, total], treatments=[treatment]
    ).run()
    assert result.metrics["total"] == {"baseline": [1.0, 1.0], "grown": [10.0, 11.0]}


def test_parameters_cannot_be_changed_by_steps(ws: Workspace) -> None:
    def cheat(data: None, ctx: CellContext) -> None:
        ctx.parameters["a"] = 2  # type: ignore[index]

    result = Experiment(name="cheat", pipeline=[cheat], parameters={"a": 1}).run()
    assert result.errors["baseline", 0].type == "TypeError"


def test_a_parameter_may_be_for_one_step_only(ws: Workspace) -> None:
    treatment = Treatment("second", {"scale_2.factor": 3.0})
    result = Experiment(
        name="two",
        datasource=[[1.0]],
        pipeline=[scale, scale, total],
        treatments=[treatment],
        parameters={"factor": 2.0},
    ).run()
    assert result.metrics["total"] == {"baseline": [4.0], "second": [6.0]}


def test_metrics_may_come_out_of_what_a_step_returns(ws: Workspace) -> None:
    def evaluate(data: float) -> dict[str, Any]:
        return {"accuracy": data, "note": "text", "other": 1.0}

    result = Experiment(
        name="returned", datasource=[0.5, 0.25], pipeline=[evaluate], metrics=["accuracy", "never"]
    ).run()
    assert result.metrics["accuracy"] == {"baseline": [0.5, 0.25]}
    assert "other" not in result.metrics
    assert all(math.isnan(value) for value in result.metrics["never"]["baseline"])


def test_metrics_logged_through_the_job_count_too(ws: Workspace) -> None:
    def step(data: float, job: JobContext) -> None:
        current_job().log_metric("twice", 2 * data)
        job.log_metric("once", data)

    result = Experiment(name="job", datasource=[1.0], pipeline=[step]).run()
    assert result.metrics == {"once": {"baseline": [1.0]}, "twice": {"baseline": [2.0]}}


def test_a_metric_may_be_nan_and_the_last_value_counts(ws: Workspace) -> None:
    def step(data: float, ctx: CellContext) -> None:
        for epoch in range(3):
            ctx.log_metric("loss", data - epoch, step=epoch)
        ctx.log_metric("bad", math.nan)

    result = Experiment(name="nan", datasource=[5.0, 6.0], pipeline=[step]).run()
    assert result.metrics["loss"] == {"baseline": [3.0, 4.0]}
    assert result.status == "finished"
    assert (result.summary_rows[0]["n"], result.summary_rows[0]["missing"]) == (0, 2)
    assert math.isnan(result.summary_rows[0]["mean"])
    points = [(p.at, p.value) for p in result.job.metric_points if p.name == "loss"]
    assert points == [(0, 5.0), (1, 4.0), (2, 3.0), (0, 6.0), (1, 5.0), (2, 4.0)]


def test_what_is_no_number_is_no_metric(ws: Workspace) -> None:
    def step(data: None, ctx: CellContext) -> None:
        ctx.log_metrics({"a/b": 1.0, "good": "text"})  # type: ignore[dict-item]

    message = Experiment(name="bad", pipeline=[step]).run().errors["baseline", 0].message
    assert "2 mistakes" in message


def test_retries_are_the_tasks_own(ws: Workspace, tmp_path: Path) -> None:
    @task(retries=2)
    def flaky(data: list[int], ctx: CellContext, out: Artifact = MODEL) -> int:
        data.append(1)  # what a failed attempt did to its input is not seen by the next
        tries = tmp_path / "tries"
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        out.write(b"attempt")
        if len(tries.read_text()) < 3:
            raise OSError("not yet")
        ctx.log_metric("length", len(data))
        return 0

    result = Experiment(name="flaky", datasource=[[0]], pipeline=[flaky]).run()
    assert result.metrics["length"]["baseline"] == [2.0]
    assert (tmp_path / "tries").read_text() == "xxx"
    assert "attempt 1 failed" in result.job.log


def test_timeouts_are_the_tasks_own(ws: Workspace) -> None:
    import time

    @task(timeout=3)
    def slow(data: int) -> None:
        time.sleep(3600 if data else 0)

    result = Experiment(name="slow", datasource=[0, 1], pipeline=[slow]).run()
    assert list(result.errors) == [("baseline", 1)]
    assert result.errors["baseline", 1].type == "StepTimeout"


def test_a_step_that_exits_fails_its_own_cell(ws: Workspace) -> None:
    def leave(data: int) -> None:
        if data:
            raise SystemExit(3)

    result = Experiment(name="exit", datasource=[0, 1, 0], pipeline=[leave]).run()
    assert list(result.errors) == [("baseline", 1)]


@task
def add(x: float, amount: float) -> float:
    return x + amount


@task
def record(x: float, ctx: CellContext, out: Artifact = MODEL) -> float:
    ctx.log_metric("x", x)
    out.write(f"{x}")
    return x


@pipeline
def adding(data: float, amount: float = 1.0) -> dict[str, Any]:
    x = add(add(data, amount), amount)
    return {"result": record(x), "amount": amount}  # type: ignore[call-arg]


def test_a_pipeline_is_run_in_each_cell(ws: Workspace) -> None:
    result = Experiment(
        name="pipe",
        datasource=[1.0, 2.0],
        pipeline=adding,
        treatments=[Treatment("more", {"amount": 10.0})],
        outputs=["result", MODEL],
        metrics=["amount"],
    ).run()
    assert not result.errors
    assert result.metrics["x"] == {"baseline": [3.0, 4.0], "more": [21.0, 22.0]}
    assert result.metrics["amount"]["more"] == [10.0, 10.0]
    assert result.artifact("record", "model.bin", "more", 1).path().read_text() == "22.0"
    assert result.artifact("adding", "result", "more", 0).load() == 21.0


def test_returned_values_are_kept_where_asked_for(ws: Workspace) -> None:
    @task
    def array(data: int) -> np.ndarray:
        return np.arange(data)

    result = Experiment(name="kept", datasource=[2, 3], pipeline=[array], outputs=["array"]).run()
    assert result.artifact("array", "output", replicate=1).load().tolist() == [0, 1, 2]


def test_objects_are_saved_as_data(ws: Workspace) -> None:
    arrays = [np.ones(3), np.zeros(2)]

    def size(data: np.ndarray, ctx: CellContext) -> None:
        ctx.log_metric("size", data.size)
        data[:] = 9  # each cell has its own

    experiment = Experiment(
        name="arrays", datasource=arrays, pipeline=[size], treatments=[Treatment("again")]
    )
    result = experiment.run()
    assert result.metrics["size"] == {"baseline": [3.0, 2.0], "again": [3.0, 2.0]}
    assert arrays[0].tolist() == [1, 1, 1]
    assert experiment.run(strategy="resume").ran == 0
    assert ws.get_artifact("arrays/data/0").version == 1


def test_progress_is_told(ws: Workspace, tmp_path: Path) -> None:
    told: list[Progress] = []
    (tmp_path / "fail-double-0").touch()
    counted(tmp_path, replicates=1).run(progress=told.append)
    assert [(p.done, p.total, p.failed, str(p)) for p in told] == [
        (0, 2, 0, "counted: started"),
        (1, 2, 0, "baseline/0: finished"),
        (2, 2, 1, "double/0: failed"),
        (2, 2, 1, "counted: failed"),
    ]
    assert told[0].conditions == {"baseline": (0, 1), "double": (0, 1)}
    told.clear()
    counted(tmp_path, replicates=2).run(strategy="resume", progress=told.append)
    assert told[0].conditions == {"baseline": (1, 2), "double": (0, 2)}
    assert [(p.done, p.total) for p in told] == [(1, 4), (2, 4), (3, 4), (4, 4), (4, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS[1:])
def test_an_executor_changes_no_byte(ws: Workspace, tmp_path: Path, executor: str) -> None:
    here = counted(tmp_path).run()
    there = counted(tmp_path).run(executor=executor, workers=2)
    assert there.metrics == here.metrics
    for replicate in range(3):
        versions = [r.artifact("save", "data.json", "double", replicate) for r in (here, there)]
        assert versions[0].path().read_bytes() == versions[1].path().read_bytes()
        assert {v.digest for v in versions} == {versions[0].digest}
        assert {(v.handler, v.python_type, v.kind) for v in versions} == {
            ("path.file", "pathlib.Path", "file")
        }


def test_names_are_stable_across_processes(ws: Workspace) -> None:
    nameless = Experiment(pipeline=[scale, save], outputs=[DATA])
    twin = Experiment(pipeline=[scale, save], outputs=[DATA])
    assert nameless.name == twin.name
    assert nameless.name.startswith("experiment-")
    assert Experiment(pipeline=[scale, total]).name != nameless.name


def test_a_cell_occupies_what_its_steps_ask_for(ws: Workspace) -> None:
    @task(cpus=0.5)
    def first(data: float) -> float:
        return data

    @task(memory="900 TiB")
    def greedy(data: float) -> float:
        return data

    modest = Experiment(name="modest", datasource=[1.0], pipeline=[first])
    assert modest.run(executor="threads").status == "finished"
    experiment = Experiment(
        name="greedy", datasource=[1.0, 2.0, 3.0], pipeline=[first, greedy], replicates=3
    )
    with pytest.raises(CheckFailed, match=r"asks for more(.|\n)*of memory") as raised:
        experiment.run(executor="threads")
    assert len(raised.value.problems) == 1
    assert not ws.list_jobs(experiment="greedy")


def test_a_datum_with_a_default_is_the_datum(ws: Workspace) -> None:
    @task
    def double(data: int = 5, factor: int = 2) -> int:
        return data * factor

    @pipeline
    def doubled(data: int = 5) -> Any:
        return {"double": double(data)}

    for steps in ([double], doubled):
        experiment = Experiment(name="given", datasource=[1, 2], pipeline=steps)
        assert [experiment.debug(replicate=r).value for r in (0, 1)] in (
            [2, 4],
            [{"double": 2}, {"double": 4}],
        )


def test_the_cache_policies_of_steps_are_the_cells_too(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task(cache=CachePolicy(expires=60.0, packages=("pytest",)))
    def step(data: float, ctx: CellContext, k: float = 1.0) -> None:
        ctx.log_metric("m", k)

    def run(k: float) -> Result:
        experiment = Experiment(name="aged", datasource=[1.0], pipeline=[step], parameters={"k": k})
        return experiment.run(strategy="resume")

    def reused(result: Result) -> bool:
        return result.job.steps["baseline/0"].cached

    run(1.0), run(2.0)
    assert reused(run(1.0))
    assert run(1.0).ran == 0
    monkeypatch.setattr("importlib.metadata.version", lambda name: "another")
    changed = run(1.0)
    assert (changed.ran, reused(changed)) == (1, False)
    assert "the code has changed" in changed.notes[0]
    later = now() + timedelta(seconds=61)
    monkeypatch.setattr("findspot.engine.caching.reusing.now", lambda: later)
    run(2.0)
    assert not reused(run(1.0))
