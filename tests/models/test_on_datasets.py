"""`evaluate_on`: a model tested on a saved table, by a job of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from findspot import Workspace
from findspot.artifacts.links import linked_from
from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import NotFound
from findspot.core.records import JobQuery
from findspot.models import NotEvaluable, WrongKind, described, evaluate_on, extra_data_of


@pytest.fixture
def model(ws: Workspace, iris: pd.DataFrame) -> ArtifactVersion:
    """A classifier of iris flowers that knows its columns, but not its target."""
    X, y = iris.drop(columns="species"), iris["species"]
    with ws.start_job("train") as job:
        return job.log_model(
            "flowers/model",
            value=LogisticRegression(max_iter=1000).fit(X, y),
            inputs=X,
            metrics={"accuracy": 1.0},
        )


def jobs(ws: Workspace) -> int:
    return len(ws.catalog.search_jobs(JobQuery(limit=100)).items)


@pytest.mark.slow
def test_metrics_plots_and_lineage(
    ws: Workspace, iris: pd.DataFrame, model: ArtifactVersion
) -> None:
    with ws.start_job("data") as job:
        # A column that the model does not take is left aside.
        data = job.log_dataset("flowers/table", iris.assign(note="x"), label_column="species")
    tested = evaluate_on(model, "flowers/table", importance=False, workspace=ws)
    assert (tested.job.status, tested.job.name) == ("finished", "evaluate")
    assert tested.job.params == {"target": "species", "prefix": "validation-"}
    assert tested.evaluation.metrics["validation-accuracy"] > 0.95
    assert tested.job.metrics == tested.evaluation.metrics
    fields: Any = described(ws, model)
    assert fields.metrics == {"accuracy": 1.0, **tested.evaluation.metrics}
    extra = extra_data_of(ws, model)
    matrix = ws.get_artifact(extra["validation-confusion-matrix"])
    assert matrix.key == "flowers/model/evaluation/confusion-matrix"
    assert [each.version.uid for each in linked_from(ws, matrix)] == [model.uid]
    assert {model.uid, data.uid} <= ws.lineage(matrix).versions.keys()


@pytest.mark.slow
def test_a_file_by_its_path(
    ws: Workspace, iris: pd.DataFrame, model: ArtifactVersion, tmp_path: Path
) -> None:
    file = tmp_path / "flowers.csv"
    iris.to_csv(file, index=False)
    tested = evaluate_on(
        "flowers/model", file, target="species", prefix="", importance=False, workspace=ws
    )
    assert tested.evaluation.metrics["accuracy"] > 0.95
    (source,) = ws.catalog.sources(tested.job.id)
    assert (source.name, source.size) == ("dataset", file.stat().st_size)
    for given in (str(file), file.as_uri()):
        with pytest.raises(NotEvaluable, match="no column kind"):
            evaluate_on("flowers/model", given, target="kind", workspace=ws)


def test_what_cannot_be_tested(
    ws: Workspace, iris: pd.DataFrame, model: ArtifactVersion, tmp_path: Path
) -> None:
    table = ws.save_artifact(iris, "table", kind="dataset")
    before = jobs(ws)
    with pytest.raises(NotEvaluable, match="which column is the target"):
        evaluate_on(model, table, workspace=ws)
    with pytest.raises(WrongKind, match="not a model"):
        evaluate_on(table, table, workspace=ws)
    with pytest.raises(WrongKind, match="not a dataset"):
        evaluate_on(model, model, workspace=ws)
    for nothing in ("nothing", tmp_path / "nothing.csv"):
        with pytest.raises(NotFound):
            evaluate_on(model, nothing, workspace=ws)
    assert jobs(ws) == before
    with pytest.raises(NotEvaluable, match=r"no column .*petal width.*, kind"):
        evaluate_on(
            model,
            ws.save_artifact(iris.iloc[:, :3], "narrow", kind="dataset"),
            target="kind",
            workspace=ws,
        )
    (failed,) = ws.catalog.search_jobs(JobQuery(limit=1)).items
    assert (failed.name, failed.status) == ("evaluate", "failed")
    assert set(extra_data_of(ws, model)) == set()


def test_a_model_of_another_kind(ws: Workspace, iris: pd.DataFrame) -> None:
    X = iris.drop(columns="species")
    with ws.start_job("train") as job:
        model = job.log_model("groups", value=KMeans(3, n_init=1, random_state=0).fit(X))
    table = ws.save_artifact(iris, "table", kind="dataset")
    with pytest.raises(NotEvaluable, match="neither a classifier nor a regressor"):
        evaluate_on(model, table, target="species", workspace=ws)
