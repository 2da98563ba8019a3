"""Mistakes are found before anything runs, and all of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiment_pieces import DATA, MODEL, numbers, save, scale, total
from findspot import CheckFailed, FindspotError, Workspace, task
from findspot.core.errors import InvalidName
from findspot.engine.executors import ExecutorUnavailable
from findspot.experiments.artifact import Artifact
from findspot.experiments.checking import STRATEGIES
from findspot.experiments.experiment import Experiment
from findspot.experiments.experiment_graph import ExperimentGraph
from findspot.experiments.hypotheses import Hypothesis
from findspot.experiments.treatments import Treatment


def treatment_of(change: Any) -> Treatment:
    return Treatment("a", change)


def mistakes(**options: Any) -> dict[str, str]:
    given = {"name": "x", "datasource": numbers, "pipeline": [scale, total], **options}
    with pytest.raises(CheckFailed) as caught:
        Experiment(**given).validate()
    return {problem.path: problem.message for problem in caught.value.problems}


def test_all_mistakes_are_listed_at_once(ws: Workspace) -> None:
    found = mistakes(
        replicates=0,
        seed=-1,
        treatments=[Treatment("a"), Treatment("a"), Treatment("a/b"), Treatment("c", {"k": 1})],
        outputs=[MODEL, "nothing"],
        hypotheses=[Hypothesis("m", test="voodoo", better="up", alpha=2)],  # type: ignore[arg-type]
    )
    assert found["replicates"] == "0 replicates cannot be"
    assert found["seed"] == "it is -1"
    assert found["treatments[1] (a)"] == "there are two treatments of this name"
    assert "holds '/'" in found["treatments[2] (a/b)"]
    assert found["treatment c.k"] == "no step has such a parameter"
    assert found["outputs[0]"] == "no step declares the artifact 'model.bin'"
    assert found["outputs[1]"] == "there is no 'nothing'"
    assert "alpha" in found["hypotheses[0]"]
    assert not ws.list_jobs()


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ({"replicates": "3"}, "replicates", "it is '3'"),
        ({"replicates": True}, "replicates", "it is True"),
        ({"replicates": -2}, "replicates", "-2 replicates cannot be"),
        ({"datasource": [1, 2], "replicates": 3}, "replicates", "the data source has 2 items"),
        ({"datasource": []}, "datasource", "the list is empty"),
        ({"datasource": 7}, "datasource", "it is none"),
        ({"pipeline": []}, "pipeline", "it has no steps"),
        ({"pipeline": [3]}, "pipeline[0]", "3 is no step"),
        ({"pipeline": [Artifact]}, "pipeline[0]", "the class Artifact is no step"),
        ({"name": "../x"}, "name", "holds '/'"),
        ({"name": ".."}, "name", "not allowed"),
        ({"treatments": [Treatment("baseline")]}, "treatments[0] (baseline)", "implied"),
        ({"treatments": [Treatment("..")]}, "treatments[0] (..)", "not allowed"),
        ({"treatments": [Treatment("A"), Treatment("a")]}, "treatments[1] (a)", "only in case"),
        ({"treatments": [Treatment("datasource")]}, "treatments[0] (datasource)", "taken"),
        ({"treatments": ["a"]}, "treatments[0]", "it is a str"),
        ({"treatments": [treatment_of(3)]}, "treatments[0] (a)", "its change is 3"),
        ({"treatments": [Treatment("a", {"factor": object()})]}, "treatment a.factor", "a object"),
        ({"treatments": [Treatment("a", {"facto": 1})]}, "treatment a.facto", "no step has"),
        ({"parameters": []}, "parameters", "they are []"),
        ({"name": 3}, "name", "3 is no name of an experiment"),
        ({"metrics": "accuracy"}, "metrics", "it is 'accuracy'"),
        ({"metrics": 3}, "metrics", "it is 3"),
        ({"outputs": 3}, "outputs", "it is 3"),
        ({"outputs": "model.bin"}, "outputs", "it is 'model.bin'"),
        ({"hypotheses": Hypothesis("m")}, "hypotheses", "it is Hypothesis("),
        ({"hypotheses": ["m"]}, "hypotheses[0]", "it is a str"),
        ({"description": 3}, "description", "it is 3"),
        ({"root": 3}, "root", "it is 3"),
        ({"versioned": "no"}, "versioned", "it is 'no'"),
        ({"project": "../x"}, "project", "no project name"),
        ({"workspace": "folder"}, "workspace", "it is 'folder'"),
        ({"metrics": ["a/b"]}, "metrics", "holds '/'"),
        ({"hypotheses": [Hypothesis("m")]}, "hypotheses", "no treatment"),
    ],
)
def test_a_mistake(ws: Workspace, options: dict[str, Any], path: str, message: str) -> None:
    assert message in mistakes(**options)[path]


def test_a_parameter_without_a_value_is_found(ws: Workspace) -> None:
    def needs(data: int, ctx: object, depth: int) -> None: ...

    found = mistakes(pipeline=[needs])
    assert found == {"step needs": "its parameter 'depth' has no value in the baseline"}
    Experiment(name="x", pipeline=[needs], parameters={"depth": 3}).validate()


def test_a_near_name_is_offered(ws: Workspace) -> None:
    experiment = Experiment(name="x", pipeline=[scale], treatments=[Treatment("a", {"facto": 1.0})])
    with pytest.raises(CheckFailed, match="factor"):
        experiment.validate()


def test_parameters_that_are_read_from_the_context_are_declared(ws: Workspace) -> None:
    def step(data: Any, ctx: Any) -> None:
        ctx.log_metric("own", ctx.parameters["own"])

    result = Experiment(
        name="x", pipeline=[step], parameters={"own": 1}, treatments=[Treatment("a", {"own": 2})]
    ).run()
    assert result.metrics["own"] == {"baseline": [1.0], "a": [2.0]}


def test_hypotheses_name_treatments_that_exist(ws: Workspace) -> None:
    found = mistakes(treatments=[Treatment("a")], hypotheses=[Hypothesis("m", treatments=("b",))])
    assert found == {"hypotheses[0]": "there is no treatment 'b'"}


def test_an_unknown_strategy_or_executor_runs_nothing(ws: Workspace) -> None:
    experiment = Experiment(name="x", pipeline=[total])
    with pytest.raises(FindspotError, match=r"strategy: it is 'bogus'\n.*rerun, resume, fill"):
        experiment.run(strategy="bogus")  # type: ignore[arg-type]
    with pytest.raises(FindspotError, match="no executor"):
        experiment.run(executor="bogus")
    assert not ws.list_jobs(experiment="x")


def test_all_mistakes_in_a_call_of_run_are_listed_with_those_of_the_experiment(
    ws: Workspace,
) -> None:
    experiment = Experiment(name="x", pipeline=[total], seed=-1)
    given: dict[str, Any] = {
        "strategy": ["rerun"],
        "workers": -1,
        "progress": 3,
        "replicates": "2",
        "treatments": 5,
    }
    with pytest.raises(CheckFailed) as caught:
        experiment.run(**given)
    assert {problem.path for problem in caught.value.problems} == {*given, "seed"}
    with pytest.raises(CheckFailed, match="workspace: it is 'folder'"):
        experiment.run(workspace="folder")  # type: ignore[arg-type]
    assert not ws.list_jobs(experiment="x")


def test_what_can_never_run_leaves_nothing_behind(tmp_path: Path) -> None:
    @task(cpus=100_000)
    def large(data: Any) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for strategy in STRATEGIES:
            for executor in ("inline", "threads", "processes"):
                items = [object(), object()]
                experiment = Experiment(name="x", datasource=items, pipeline=[large])
                with pytest.raises(CheckFailed, match="asks for more than the executor has"):
                    experiment.run(strategy=strategy, executor=executor)
        with pytest.raises(ExecutorUnavailable):
            Experiment(name="x", pipeline=[total]).run(executor="dask:not an address")
    assert list(tmp_path.iterdir()) == []


def test_what_can_never_run_takes_no_number_of_an_experiment_that_has_run(ws: Workspace) -> None:
    @task(cpus=100_000)
    def large(data: Any) -> None: ...

    def experiment(step: Any) -> Experiment:
        return Experiment(name="x", pipeline=[step], replicates=2)

    experiment(total).run()
    snapshot = ws.catalog.find_snapshot("entrypoint", ws.project, "x")
    for strategy in STRATEGIES:
        with pytest.raises(CheckFailed, match="asks for more than the executor has"):
            experiment(large).run(strategy=strategy)
    assert ws.catalog.find_snapshot("entrypoint", ws.project, "x") == snapshot
    assert experiment(total).run().run == 2


def test_nothing_to_run_needs_no_executor_that_could(ws: Workspace) -> None:
    experiment = Experiment(name="x", datasource=[[1.0], [2.0]], pipeline=[total])
    assert experiment.run().status == "finished"
    assert experiment.run(strategy="resume", executor="dask:not an address").ran == 0


def test_a_cell_alone_a_search_and_a_graph_name_what_they_cannot_take(ws: Workspace) -> None:
    experiment = Experiment(name="x", pipeline=[total], datasource=[[1.0]])
    for call, message in (
        (lambda: experiment.apply(["a"]), "no condition"),  # type: ignore[arg-type]
        (lambda: experiment.debug(replicate="0"), "no replicate '0'"),  # type: ignore[arg-type]
        (lambda: experiment.debug(folder=3), "folder: it is 3"),  # type: ignore[arg-type]
        (lambda: experiment.optimise(3, rounds=0), "(?s)optimiser.*rounds"),  # type: ignore[arg-type]
        (lambda: ExperimentGraph(3), "experiments: it is 3"),  # type: ignore[arg-type]
        (lambda: ExperimentGraph([experiment]).run(progress=3), "progress"),  # type: ignore[arg-type]
    ):
        with pytest.raises(FindspotError, match=message):
            call()
    result = experiment.run()
    for call, message in (
        (lambda: result.values(["m"]), "No step logged"),  # type: ignore[arg-type]
        (lambda: result.ranking("total", "more"), "'more'"),  # type: ignore[arg-type]
        (lambda: result.compare("total", conditions=3), "conditions: they are 3"),  # type: ignore[arg-type]
    ):
        with pytest.raises(FindspotError, match=message):
            call()


@pytest.mark.parametrize("name", ["../up", "a/../b", "/abs", "a//b", "", ".", "a\\b", "a\0b"])
def test_names_of_artifacts_never_leave_their_folder(name: str) -> None:
    with pytest.raises(InvalidName):
        Artifact(name)


def test_a_valid_experiment_is_itself(ws: Workspace) -> None:
    experiment = Experiment(name="x", pipeline=[scale, save], outputs=[DATA])
    assert experiment.validate() is experiment


def test_parameters_of_the_data_source_are_the_baselines_alone(ws: Workspace) -> None:
    def load(ctx: Any, size: int, start: int = 1) -> list[float]:
        return [float(start)] * size

    found = mistakes(datasource=load, treatments=[Treatment("a", {"size": 2})])
    assert found == {
        "step load": "its parameter 'size' has no value in the baseline",
        "treatment a.size": "it is a parameter of the data source, whose data all conditions share",
    }
    experiment = Experiment(
        name="x", datasource=load, pipeline=[total], parameters={"size": 3, "start": 2}
    )
    assert experiment.run().metrics["total"]["baseline"] == [6.0]
    experiment.parameters = {"size": 4}
    assert experiment.run(strategy="resume").metrics["total"]["baseline"] == [4.0]


def test_a_function_of_a_library_may_be_the_data_source(ws: Workspace) -> None:
    from sklearn.datasets import load_wine

    def count(data: Any, ctx: Any) -> None:
        ctx.log_metric("rows", len(data["target"]))

    result = Experiment(name="wine", datasource=load_wine, pipeline=[count], replicates=2).run()
    assert result.metrics["rows"]["baseline"] == [178.0, 178.0]
