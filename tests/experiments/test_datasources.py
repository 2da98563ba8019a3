"""One experiment's artifacts are the data of the next, one for each replicate."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from experiment_pieces import DATA, counted, numbers, save, total
from findspot import CheckFailed, ExternalArtifact, FindspotError, NotFound, Workspace
from findspot.experiments.checking import Strategy
from findspot.experiments.context import CellContext
from findspot.experiments.errors import NoRun
from findspot.experiments.experiment import Experiment
from findspot.experiments.results import Result
from findspot.experiments.treatments import Treatment


def read(data: Path, ctx: CellContext) -> None:
    document = json.loads(data.read_text())
    ctx.log_metric("sum", document["sum"])
    ctx.log_metric("double", document["condition"] == "double")


def consume(producer: Experiment, /, *, given: Any = None, **options: Any) -> Experiment:
    source = producer.artifact_datasource(
        step="save", name="data.json", **(given or {"condition": "baseline"})
    )
    return Experiment(**{"name": "consumer", "datasource": source, "pipeline": [read], **options})


def sums(result: Result, condition: str = "baseline") -> list[float]:
    return [
        json.loads(result.artifact("save", "data.json", condition, r).path().read_text())["sum"]
        for r in range(result.replicates)
    ]


def test_the_replicates_come_from_the_metadata(ws: Workspace, tmp_path: Path) -> None:
    producer = counted(tmp_path)
    made = producer.run(replicates=2)
    result = consume(producer).run()
    assert result.replicates == 2
    assert result.metrics["sum"]["baseline"] == sums(made)
    assert result.metrics["double"]["baseline"] == [0.0, 0.0]


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_replicates_is_an_error(
    ws: Workspace, tmp_path: Path, count: int
) -> None:
    producer = counted(tmp_path)
    producer.run(replicates=2)
    message = rf"{count} are wanted, but run 1 of 'counted' has 2"
    with pytest.raises(CheckFailed, match=message):
        consume(producer, replicates=count).validate()
    with pytest.raises(CheckFailed, match=message):
        consume(producer).run(replicates=count)
    assert not ws.list_jobs(experiment="consumer")


def test_a_missing_run_says_how_to_make_it(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"'counted' has no run(.|\n)*run\(\)"):
        consume(counted(tmp_path)).run()


def test_what_is_not_there_is_named_before_anything_runs(ws: Workspace, tmp_path: Path) -> None:
    producer = counted(tmp_path)
    (tmp_path / "fail-baseline-1").touch()
    producer.run()
    with pytest.raises(CheckFailed, match=r"baseline/1: (.|\n)*failed with ValueError") as caught:
        consume(producer).run()
    assert len(caught.value.problems) == 1
    source = producer.artifact_datasource(step="sav", name="data.json")
    with pytest.raises(CheckFailed, match=r"sav/data.json: no step wrote it(.|\n)*save/data.json"):
        consume(producer, datasource=source).run()
    with pytest.raises(CheckFailed, match=r"no such condition(.|\n)*baseline, double"):
        consume(producer, given={"condition": "tripel"}).run()
    assert not ws.list_jobs(experiment="consumer")


def test_each_condition_gets_its_own_artifacts_and_else_the_baselines(
    ws: Workspace, tmp_path: Path
) -> None:
    producer = counted(tmp_path)
    producer.run()
    treatments = [Treatment("double"), Treatment("other")]
    result = consume(producer, given={"condition": None}, treatments=treatments).run()
    assert result.metrics["double"] == {
        "baseline": [0.0] * 3,
        "double": [1.0] * 3,
        "other": [0.0] * 3,
    }
    assert [note for note in result.notes if "baseline's" in note] == [
        "'other' is given the baseline's data.json of 'counted', which has no such condition."
    ]


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_it_is_loaded_by_any_callable(ws: Workspace, tmp_path: Path, executor: str) -> None:
    producer = counted(tmp_path)
    made = producer.run()

    def step(data: dict[str, Any], ctx: CellContext) -> None:
        ctx.log_metric("sum", data["sum"])

    given = {"condition": "double", "load": lambda path: json.loads(path.read_text())}
    result = consume(producer, given=given, pipeline=[step]).run(executor=executor, workers=2)
    assert result.metrics["sum"]["baseline"] == sums(made, "double")


def test_it_is_loaded_by_the_versions_own_handler(ws: Workspace) -> None:
    def make(data: list[float]) -> dict[str, float]:
        return {"first": data[0]}

    producer = Experiment(
        name="p", datasource=numbers, pipeline=[make], outputs=["make"], replicates=2
    )
    producer.run()
    source = producer.artifact_datasource(step="make", name="output", load="value")

    def step(data: dict[str, float], ctx: CellContext) -> None:
        ctx.log_metric("first", data["first"])

    result = Experiment(name="c", datasource=source, pipeline=[step]).run()
    assert result.metrics["first"]["baseline"] == [0.0, 1.0]
    with pytest.raises(FindspotError, match="says not how to load"):
        producer.artifact_datasource(step="make", name="output", load="json")


def test_lineage_leads_through_both_experiments(ws: Workspace, tmp_path: Path) -> None:
    producer = counted(tmp_path)
    made = producer.run()
    result = consume(producer, pipeline=[lambda data: data.name], outputs=["_lambda_"]).run()
    version = result.artifact("_lambda_", "output", replicate=1)
    keys = {v.key for v in version.lineage().versions.values()}
    assert keys == {version.key, "counted/baseline/1/save/data.json", "counted/data/1"}
    source = made.artifact("save", "data.json", replicate=1)
    assert version.key in {v.key for v in source.lineage("downstream").versions.values()}


def test_metadata_may_be_required(ws: Workspace, tmp_path: Path) -> None:
    producer = counted(tmp_path)
    made = producer.run()
    consumer = consume(producer, given={"condition": "baseline", "require_metadata": True})
    assert consumer.run().status == "finished"
    assert made.folder is not None
    shutil.rmtree(made.folder)
    with pytest.raises(CheckFailed, match=r"metadata.json(.|\n)*resume"):
        consumer.run()
    producer.run(strategy="resume")
    assert consumer.run().status == "finished"


@pytest.mark.parametrize("strategy", ["rerun", "resume"])
def test_an_upstream_that_changed_makes_its_downstream_stale(
    ws: Workspace, tmp_path: Path, strategy: Strategy
) -> None:
    producer = counted(tmp_path)
    producer.run()
    consumer = consume(producer)
    first = consumer.run(strategy=strategy)
    assert consumer.run(strategy="resume").ran == 0
    producer.run()  # the same bytes again
    assert consumer.run(strategy="resume").ran == 0
    counted(tmp_path, parameters={"folder": str(tmp_path), "factor": 5.0}).run()
    again = consumer.run(strategy="resume")
    assert again.ran == 3
    assert again.notes[0].startswith("3 finished cells")
    assert again.metrics["sum"]["baseline"] == [5 * v for v in first.metrics["sum"]["baseline"]]
    assert consumer.run(strategy=strategy).metrics == again.metrics


@pytest.mark.parametrize("strategy", ["rerun", "resume", "fill"])
def test_a_list_of_data_that_changed_is_run_again(ws: Workspace, strategy: Strategy) -> None:
    def step(data: float, ctx: CellContext) -> None:
        ctx.log_metric("twice", 2 * data)

    def of(*data: float) -> Experiment:
        return Experiment(name="of", datasource=list(data), pipeline=[step])

    assert of(1.0, 2.0).run(strategy=strategy).metrics["twice"]["baseline"] == [2.0, 4.0]
    assert of(1.0, 3.0).run(strategy=strategy).metrics["twice"]["baseline"] == [2.0, 6.0]
    assert of(5.0, 3.0).run(strategy=strategy).metrics["twice"]["baseline"] == [10.0, 6.0]
    back = of(1.0, 2.0).run(strategy=strategy)
    assert back.metrics["twice"]["baseline"] == [2.0, 4.0]


SCRIPT = """
from experiment_pieces import save, numbers, DATA
from findspot.experiments.experiment import Experiment
experiment = Experiment({name} datasource=numbers, pipeline=[save], outputs=[DATA], replicates=2)
assert experiment.run().status == "finished"
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["name='elsewhere',", ""])
def test_an_experiment_of_another_process_is_found_by_name_or_signature(
    ws: Workspace, name: str
) -> None:
    folder = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", SCRIPT.format(name=name)], cwd=folder, check=True)
    declared = Experiment(
        name="elsewhere" if name else None, datasource=numbers, pipeline=[save], outputs=[DATA]
    )
    assert consume(declared).run().replicates == 2


def test_a_list_gives_one_item_a_replicate(ws: Workspace) -> None:
    def step(data: dict[str, int], ctx: CellContext) -> None:
        ctx.log_metric("n", data["n"])

    items = [{"n": 1}, {"n": 2}, {"n": 3}]
    experiment = Experiment(name="list", datasource=items, pipeline=[step])
    assert experiment.run().metrics["n"]["baseline"] == [1.0, 2.0, 3.0]
    assert experiment.debug(replicate=2).context.metrics == {"n": 3.0}
    items[1] = {"n": 5}
    changed = Experiment(name="list", datasource=items, pipeline=[step]).run(strategy="resume")
    assert changed.ran == 1
    assert changed.metrics["n"]["baseline"] == [1.0, 5.0, 3.0]


def test_a_debugged_cell_is_given_what_a_run_gives_it(ws: Workspace) -> None:
    def step(data: list[int], ctx: CellContext) -> None:
        data.append(4)
        ctx.log_metric("sum", sum(data))

    saved = ws.save_artifact([3], "three")
    items = [[1], saved]
    experiment = Experiment(name="list", datasource=items, pipeline=[step])
    for _ in range(2):
        assert [experiment.debug(replicate=r).context.metrics["sum"] for r in (0, 1)] == [5.0, 7.0]
    assert items == [[1], saved]
    assert experiment.run().metrics["sum"]["baseline"] == [5.0, 7.0]


def test_an_item_may_be_an_artifact_that_is_named(ws: Workspace) -> None:
    def length(data: list[int], ctx: CellContext) -> None:
        ctx.log_metric("length", len(data))

    def experiment() -> Experiment:
        named = [ExternalArtifact(name="numbers"), ExternalArtifact(name="numbers", version=1)]
        items = [*named, ExternalArtifact([1, 2, 3, 4])]
        return Experiment(name="named", datasource=items, pipeline=[length])

    first = ws.save_artifact([1], "numbers")
    result = experiment().run()
    assert result.metrics["length"] == {"baseline": [1.0, 1.0, 4.0]}
    assert first.uid in result.job.steps["baseline/0"].record.inputs.values()
    ws.save_artifact([1, 2], "numbers")
    assert experiment().debug(replicate=0).context.metrics == {"length": 2.0}
    again = experiment().run(strategy="resume")
    assert (again.ran, again.metrics["length"]) == (1, {"baseline": [2.0, 1.0, 4.0]})
    ws.delete_artifact("numbers")
    with pytest.raises(NotFound):
        experiment().run(strategy="resume")


def test_items_that_cannot_be_saved_are_all_named_and_none_is_saved(ws: Workspace) -> None:
    items = [{1, 2}, threading.Lock(), 3, threading.Lock()]
    with pytest.raises(CheckFailed) as caught:
        Experiment(name="locked", datasource=items, pipeline=[total]).run()
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["datasource[1]", "datasource[3]"]
    assert list(ws.list_artifacts(name="locked/*")) == []


def test_what_is_asked_before_any_run_makes_no_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = Experiment(name="first", datasource=numbers, pipeline=[save])
    source = first.artifact_datasource(step="save", name="data.json")
    second = Experiment(name="second", datasource=source, pipeline=[total])
    with pytest.raises(NoRun):
        first.result()
    for ask in (second.validate, second.run, second.debug, second.register):
        with pytest.raises(CheckFailed, match="'first' has no run in this workspace"):
            ask()
    assert list(tmp_path.iterdir()) == []
