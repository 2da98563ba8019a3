"""Experiments that feed each other run in order, and only where something is missing or changed."""

from __future__ import annotations

import xml.etree.ElementTree
from pathlib import Path
from typing import Any, cast

import pytest

from experiment_pieces import DATA, counted, counts, numbers
from findspot import CheckFailed, Workspace
from findspot.experiments.artifact import Artifact
from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.experiment_graph import ExperimentGraph, UpstreamFailed
from findspot.experiments.progress import Progress

SIZE = Artifact("size.txt")


def size(data: Path, ctx: CellContext, out: Artifact = SIZE, folder: str = "") -> None:
    text = data.read_text()
    ctx.log_metric("size", len(text))
    out.write(str(len(text)))
    with (Path(folder) / f"{ctx.experiment}-{ctx.replicate}").open("ab") as file:
        file.write(b"x")


def after(name: str, before: Experiment, step: str, artifact: Artifact, folder: Path) -> Experiment:
    return Experiment(
        name=name,
        datasource=before.artifact_datasource(step=step, name=artifact.name),
        pipeline=[size],
        outputs=[SIZE],
        parameters={"folder": str(folder)},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "ran"
    place.mkdir()
    return place


def chain(folder: Path, **options: Any) -> list[Experiment]:
    first = counted(folder, name="first", treatments=[], **options)
    second = after("second", first, "save", DATA, folder)
    return [first, second, after("third", second, "size", SIZE, folder)]


def test_dependencies_follow_from_the_data(ws: Workspace, folder: Path) -> None:
    first, second, third = chain(folder)
    graph = ExperimentGraph([third, first, second])
    assert graph.order == ("first", "second", "third")
    assert graph.upstream == {"first": (), "second": ("first",), "third": ("second",)}
    result = graph.run()
    assert result.status == "finished"
    assert list(result) == ["first", "second", "third"]
    assert result["third"].metrics["size"]["baseline"] == [2.0, 2.0, 2.0]
    assert ExperimentGraph([third]).order == ("first", "second", "third")


def test_a_resume_runs_what_is_missing_or_changed(ws: Workspace, folder: Path) -> None:
    graph = ExperimentGraph(chain(folder))
    graph.run()
    assert {r.ran for r in graph.run(strategy="resume").values()} == {0}
    assert set(counts(folder).values()) == {1}
    changed = ExperimentGraph(chain(folder, seed=8)).run(strategy="resume")
    assert changed["first"].ran == changed["second"].ran == 3
    wider = ExperimentGraph(chain(folder, seed=8, replicates=4)).run(strategy="resume")
    assert [wider[name].ran for name in wider] == [1, 1, 1]
    assert wider["third"].replicates == 4


def test_the_same_bytes_again_stop_the_rerun(ws: Workspace, folder: Path) -> None:
    first, _, third = chain(folder)
    ExperimentGraph([third]).run()
    first.run()  # all anew, with equal artifacts
    result = ExperimentGraph([third]).run(strategy="resume")
    assert [result[name].ran for name in result] == [0, 0, 0]


def test_a_failed_upstream_stops_only_what_needs_it(ws: Workspace, folder: Path) -> None:
    (folder / "fail-baseline-1").touch()
    alone = Experiment(name="alone", datasource=[1], pipeline=[lambda data: data])
    graph = ExperimentGraph([*chain(folder), alone])
    result = graph.run()
    assert result.status == "failed"
    assert list(result) == ["first", "alone"]
    assert list(result.blocked) == ["second", "third"]
    with pytest.raises(UpstreamFailed, match=r"'first', whose artifacts it takes, has 1 failed"):
        result["second"]
    assert not ws.list_jobs(experiment="second")
    (folder / "fail-baseline-1").unlink()
    mended = graph.run(strategy="resume")
    assert mended.status == "finished"
    assert (mended["first"].ran, mended["alone"].ran) == (1, 0)


def test_circles_and_names_taken_twice_are_found(ws: Workspace, folder: Path) -> None:
    first, _, third = chain(folder)
    first.datasource = third.artifact_datasource(step="size", name="size.txt")
    with pytest.raises(CheckFailed, match="first -> third -> second -> first"):
        ExperimentGraph([first])
    with pytest.raises(CheckFailed, match="two experiments of this name"):
        ExperimentGraph([counted(folder), counted(folder)])
    with pytest.raises(CheckFailed, match=r"\[0\]: it is a int(.|\n)*\[1\]: it is a str"):
        ExperimentGraph(cast("Any", [3, "first"]))


def test_mistakes_stop_the_graph_before_it_runs(ws: Workspace, folder: Path) -> None:
    bad = counted(folder, name="bad", replicates=0)
    with pytest.raises(CheckFailed, match="bad: replicates"):
        ExperimentGraph([counted(folder), bad]).run()
    assert not ws.list_jobs()


def test_progress_over_the_whole(ws: Workspace, folder: Path) -> None:
    told: list[Progress] = []
    ExperimentGraph(chain(folder, replicates=1)).run(progress=told.append)
    assert [p.place for p in told[::3]] == [(1, 3), (2, 3), (3, 3)]
    assert [(p.experiment, str(p), p.done, p.total) for p in told] == [
        said
        for name in ("first", "second", "third")
        for said in (
            (name, f"{name}: started", 0, 1),
            (name, "baseline/0: finished", 1, 1),
            (name, f"{name}: finished", 1, 1),
        )
    ]


def test_pictures(ws: Workspace, folder: Path) -> None:
    graph = ExperimentGraph(chain(folder))
    dot = graph.to_dot()
    assert dot.startswith("digraph")
    assert '"first" -> "second" [label="save/data.json"];' in dot
    root = xml.etree.ElementTree.fromstring(graph.to_svg())
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert texts == ["first", "save/data.json", "second", "size/size.txt", "third"]
    odd = Experiment(
        name='a<b&"c" '.strip().replace("<", "-").replace('"', "'"), pipeline=[numbers]
    )
    assert "&amp;" in ExperimentGraph([odd]).to_svg()
