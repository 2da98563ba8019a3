"""Models are tested: metrics, plots and tables are logged by the job, what cannot be is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from findspot import Workspace
from findspot.artifacts.kinds import Model, kind_of
from findspot.engine.errors import NoJob
from findspot.models import NotEvaluable, evaluate_model


def halves(frame: pd.DataFrame, target: str) -> tuple[Any, Any, Any, Any]:
    X = frame.drop(columns=target)
    return X.iloc[::2], X.iloc[1::2], frame[target].iloc[::2], frame[target].iloc[1::2]


@pytest.mark.slow
def test_a_classifier_of_several_classes(ws: Workspace, iris: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(iris, "species")
    model = RandomForestClassifier(10, random_state=0).fit(X, y)
    with ws.start_job("test") as job:
        found = evaluate_model(model, X_test, y_test, prefix="validation-")
        job.log_model(
            "model",
            value=model,
            metrics={k: v for k, v in job.results.items() if isinstance(v, float)},
            extra_data=found,
        )
    assert set(found) == {
        "confusion-matrix",
        "roc-curve",
        "precision-recall-curve",
        "calibration",
        "feature-importance",
        "feature-importance-table",
        "classes",
    }
    predicted = model.predict(X_test)
    assert found.metrics["validation-accuracy"] == metrics.accuracy_score(y_test, predicted)
    assert found.metrics["validation-f1"] == metrics.f1_score(y_test, predicted, average="macro")
    assert found.metrics["validation-roc_auc"] == pytest.approx(
        metrics.roc_auc_score(y_test, model.predict_proba(X_test), multi_class="ovr")
    )
    assert found.left_out == {}
    done = ws.get_job(job.id)
    assert done.metrics == found.metrics
    plots = ["confusion-matrix", "roc-curve", "calibration", "feature-importance"]
    for name in plots:
        assert found[name].kind == "plot"
        assert {file.path for file in found[name].files} == {"figure.png", "figure.svg"}
    table = found["classes"].load().to_pylist()
    assert [row["class"] for row in table] == ["setosa", "versicolor", "virginica"]
    assert sum(row["rows"] for row in table) == 75
    importance = found["feature-importance-table"].load().to_pylist()
    assert importance[0]["feature"].startswith("petal")
    saved = kind_of(ws.get_artifact("model"))
    assert isinstance(saved, Model)
    assert saved.extra_data is not None
    assert saved.extra_data["roc-curve"] == done.outputs["evaluation/roc-curve"].uri


@pytest.mark.slow
def test_a_binary_classifier(ws: Workspace, iris: pd.DataFrame) -> None:
    two = iris[iris["species"] != "setosa"]
    X, X_test, y, y_test = halves(two, "species")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    with ws.start_job("test"):
        found = evaluate_model(model, X_test, y_test)
    share = model.predict_proba(X_test)[:, 1]
    truth = y_test == "virginica"
    assert found.metrics["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, share))
    assert found.metrics["brier"] == pytest.approx(metrics.brier_score_loss(truth, share))
    assert found.metrics["average_precision"] == pytest.approx(
        metrics.average_precision_score(truth, share)
    )
    assert found.metrics["precision"] == metrics.precision_score(
        y_test, model.predict(X_test), pos_label="virginica"
    )
    assert "calibration" in found


@pytest.mark.slow
def test_a_classifier_without_probabilities(ws: Workspace, iris: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(iris, "species")
    with ws.start_job("test"):
        found = evaluate_model(LinearSVC().fit(X, y), X_test, y_test, importance=False)
    assert {"roc_auc", "average_precision"} <= found.metrics.keys()
    assert "log_loss" not in found.metrics
    assert "calibration" not in found
    assert "feature-importance" not in found


@pytest.mark.slow
def test_importance_by_permutation(ws: Workspace, iris: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(iris, "species")
    model = GaussianNB().fit(X.to_numpy(), y)
    with ws.start_job("test"):
        found = evaluate_model(model, X_test.to_numpy(), y_test.to_numpy())
    table = found["feature-importance-table"].load().to_pylist()
    assert {row["feature"] for row in table} == {f"feature {i}" for i in range(4)}
    assert table[0]["feature"] in ("feature 2", "feature 3")
    assert any(row["std"] > 0 for row in table)


@pytest.mark.slow
def test_test_data_of_one_class(ws: Workspace, iris: pd.DataFrame) -> None:
    X, _, y, _ = halves(iris, "species")
    one = y == "setosa"
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    with ws.start_job("test"):
        found = evaluate_model(model, X[one], y[one], importance=False)
    assert found.metrics["accuracy"] == 1.0
    assert "one class" in found.left_out["roc_auc"]
    assert "one class" in found.left_out["roc-curve"]
    assert "confusion-matrix" in found


@pytest.mark.slow
def test_classes_that_were_not_learned(ws: Workspace, iris: pd.DataFrame) -> None:
    two = iris[iris["species"] != "setosa"]
    model = LogisticRegression(max_iter=1000).fit(two.drop(columns="species"), two["species"])
    with ws.start_job("test"):
        found = evaluate_model(
            model, iris.drop(columns="species"), iris["species"], importance=False
        )
    assert found.metrics["accuracy"] < 0.7
    assert found["classes"].load().num_rows == 3


@pytest.mark.slow
def test_many_classes(ws: Workspace) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.integers(0, 30, 300)
    with ws.start_job("test"):
        found = evaluate_model(DummyClassifier(strategy="prior").fit(X, y), X, y, importance=False)
    assert "roc-curve" in found


@pytest.mark.slow
def test_a_regressor(ws: Workspace, diabetes: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(diabetes, "target")
    model = LinearRegression().fit(X, y)
    with ws.start_job("test") as job:
        found = evaluate_model(model, X_test, y_test, name="reports/linear")
    assert set(found) == {
        "predicted-against-true",
        "residuals",
        "feature-importance",
        "feature-importance-table",
    }
    predicted = model.predict(X_test)
    assert found.metrics["r2"] == metrics.r2_score(y_test, predicted)
    assert found.metrics["rmse"] == metrics.root_mean_squared_error(y_test, predicted)
    assert found.metrics["mae"] == metrics.mean_absolute_error(y_test, predicted)
    assert "reports/linear/residuals" in ws.get_job(job.id).outputs


@pytest.mark.slow
def test_a_single_row_and_a_zero(ws: Workspace, diabetes: pd.DataFrame) -> None:
    X, _, y, _ = halves(diabetes, "target")
    model = KNeighborsRegressor(3).fit(X, y)
    with ws.start_job("test"):
        found = evaluate_model(model, X.iloc[:1], np.array([0.0]), importance=False)
    assert "mae" in found.metrics
    assert found.left_out == {
        "r2": "there is only one row",
        "explained_variance": "there is only one row",
        "mape": "some true values are 0",
    }


@pytest.mark.slow
def test_a_model_by_its_reference(ws: Workspace, iris: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(iris, "species")
    saved = ws.save_artifact(LogisticRegression(max_iter=1000).fit(X, y), "m")
    with ws.start_job("test") as job:
        first = evaluate_model("m", X_test, y_test, importance=False)
        again = evaluate_model(saved, X_test, y_test, importance=False)
    assert first.metrics == again.metrics
    assert job.id in saved.lineage("downstream").jobs


@pytest.mark.slow
def test_equal_evaluations_give_equal_bytes(ws: Workspace, iris: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(iris, "species")
    model = GaussianNB().fit(X, y)
    with ws.start_job("test"):
        first = evaluate_model(model, X_test, y_test)
        again = evaluate_model(model, X_test, y_test)
    assert {name: v.digest for name, v in first.items()} == {
        name: v.digest for name, v in again.items()
    }


def test_what_cannot_be_evaluated(ws: Workspace, iris: pd.DataFrame) -> None:
    X, X_test, y, y_test = halves(iris, "species")
    model = LogisticRegression(max_iter=1000).fit(X, y)
    wrong: list[tuple[Any, Any, Any, str]] = [
        (model, X_test, y_test[:-1], "75 rows, and y has 74"),
        (model, X_test[:0], y_test[:0], "no rows"),
        (model, X_test, y_test.where(y_test != "setosa", None), "25 of the 75"),
        (model, X_test, np.zeros((75, 2)), "2 dimensions"),
        (model, X_test, np.arange(75), "class"),
        (model, X_test.iloc[:, :2], y_test, "cannot predict"),
        (KMeans(2, n_init=1, random_state=0).fit(X), X_test, y_test, "neither a classifier"),
        (object(), X_test, y_test, "no method `predict`"),
    ]
    with ws.start_job("test") as job:
        for estimator, data, truth, message in wrong:
            with pytest.raises(NotEvaluable, match=message):
                evaluate_model(estimator, data, truth)
    assert ws.get_job(job.id).metrics == {}
    assert ws.get_job(job.id).outputs == {}
    with pytest.raises(NoJob):
        evaluate_model(model, X_test, y_test)
