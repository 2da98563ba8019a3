"""Train, test and update a model the way the documentation shows it, by data behind a URL."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from findspot import JobContext, Workspace
from findspot.artifacts.kinds import Model, to_yaml
from findspot.data import DataItem
from findspot.models import described, evaluate_model, extra_data_of, get_model, update_model


def train_iris(context: JobContext, frame: pd.DataFrame) -> None:
    X, X_test, y, y_test = train_test_split(
        frame.drop(columns="species"), frame["species"], test_size=0.2, random_state=42
    )
    model = LogisticRegression(max_iter=10000).fit(X, y)
    found = evaluate_model(model, X_test, y_test)
    context.log_model(
        "model",
        body=pickle.dumps(model),
        model_file="model.pkl",
        artifact_path=context.artifact_subpath("models"),
        extra_data=found,
        metrics=context.results,
        labels={"class": "sklearn.linear_model.LogisticRegression"},
        framework="sklearn",
    )


def check_model(context: JobContext, model_uri: str, test_set: DataItem, label_column: str) -> None:
    frame = test_set.as_df()
    truth = frame.pop(label_column)
    file, version, _ = get_model(model_uri)
    with open(file, "rb") as source:
        model = pickle.load(source)
    found = evaluate_model(model, frame, truth, prefix="validation-", name="validation")
    update_model(
        version,
        metrics={name.removeprefix("validation-"): v for name, v in found.metrics.items()},
        extra_data=found,
        key_prefix="validation-",
    )


def test_the_whole_workflow(ws: Workspace, iris: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "iris.csv"
    iris.to_csv(file, index=False)
    with ws.start_job("train-iris") as train:
        train_iris(train, iris)
    saved = ws.get_job(train.id).outputs["model"]
    with ws.start_job("test-model") as test:
        check_model(test, saved.uri, test.get_input("test_set", str(file)), "species")

    # The readable copy of the training job.
    published = Path(train.artifact_subpath("models"))
    assert get_model(published, ".pkl").file.read_bytes() == saved.path().read_bytes()

    fields: Any = described(ws, "model")
    assert isinstance(fields, Model)
    assert fields.metrics is not None
    assert {"accuracy", "validation-accuracy"} <= fields.metrics.keys()
    assert (
        fields.metrics["validation-accuracy"] == ws.get_job(test.id).metrics["validation-accuracy"]
    )
    extra = extra_data_of(ws, "model")
    assert {"confusion-matrix", "validation-confusion-matrix"} <= extra.keys()
    assert (
        ws.get_artifact(extra["validation-confusion-matrix"]).key == "validation/confusion-matrix"
    )
    assert ws.get_artifact("model").labels == {"class": "sklearn.linear_model.LogisticRegression"}
    assert "accuracy:" in to_yaml(ws.get_artifact("model"))
    (source,) = ws.catalog.sources(test.id)
    assert (source.name, source.size) == ("test_set", file.stat().st_size)
    assert test.id in saved.lineage("downstream").jobs
