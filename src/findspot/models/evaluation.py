"""`evaluate_model`: a scikit-learn model on test data: metrics, curves and tables, logged by the
running job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import CheckFailed
from findspot.core.names import check_key
from findspot.engine.context import JobContext, current_job
from findspot.handlers import python_type_name
from findspot.models import charts
from findspot.models.checked import CheckedModel
from findspot.models.classification import classifier_results
from findspot.models.errors import NotEvaluable
from findspot.models.handles import ModelHandle, get_model
from findspot.models.importance import feature_importance
from findspot.models.regression import regressor_results
from findspot.models.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Evaluation(dict[str, ArtifactVersion]):
    """The plots and tables of an evaluation by name, to be given as ``extra_data=``.

    Args:
        metrics: finite numbers by name.
        left_out: what could not be measured, and why.
    """

    def __init__(
        self,
        found: Mapping[str, ArtifactVersion],
        metrics: Mapping[str, float],
        left_out: Mapping[str, str],
    ) -> None:
        super().__init__(found)
        self.metrics = dict(metrics)
        self.left_out = dict(left_out)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:.4g}" for name, value in self.metrics.items())
        return f"<Evaluation {numbers}; {', '.join(self)}>"


def evaluate_model(
    model: Any,
    X: Any,  # noqa: N803
    y: Any,
    *,
    context: JobContext | None = None,
    prefix: str = "",
    name: str = "evaluation",
    importance: bool = True,
    trust: bool = False,
) -> Evaluation:
    """Test a classifier or a regressor of scikit-learn's interface, and log what is found.

    Of classifiers: accuracy, precision, recall, F1 (of several classes their macro averages),
    log loss, areas under the ROC and precision-recall curves, Brier score; confusion matrix, the
    two curves, calibration, and a table by class. Of regressors: R2, errors, predicted against
    true, residuals. Of both: feature importance (the model's own, else by permutation).

    What cannot be measured (the area under a ROC curve of one class) is left out, and `left_out`
    says why; it never fails the evaluation.

    Args:
        model: the model; or where it is, as `get_model` takes it.
        X: data, rows first. y: what is true of each row.
        context: the job that logs; None: the running one.
        prefix: before the names of the metrics, as ``validation-``.
        name: plots and tables are artifacts ``<name>/confusion-matrix`` ...
        importance: measure the importance of features, which may predict many times.
        trust: load a model that may run code and is not of this workspace.

    Returns:
        plots and tables by name, with `metrics` and `left_out`.

    Raises:
        NotEvaluable: the model is neither classifier nor regressor, or the data do not fit.
        NoJob: no job runs here and none is given.
    """
    job = current_job() if context is None else context
    check_key(name)
    estimator = _estimator(model, job, trust)
    truth = _truth(X, y)
    results = _results(estimator, X, truth)
    if importance:
        _add_importance(results, estimator, X, truth)
    metrics = {f"{prefix}{key}": value for key, value in results.metrics.items()}
    job.log_metrics(metrics)
    found: dict[str, ArtifactVersion] = {}
    for key, (draw, data) in results.plots.items():
        figure: Figure = draw(data)
        found[key] = job.log_plot(f"{name}/{key}", figure)
    for key, table in results.tables.items():
        found[key] = job.log_table(f"{name}/{key}", table)
    return Evaluation(found, metrics, results.left_out)


def _estimator(model: Any, job: JobContext, trust: bool) -> Any:
    if isinstance(model, ModelHandle):
        return model.load(trust=trust)
    if hasattr(model, "predict"):
        return model.model if isinstance(model, CheckedModel) else model
    known = python_type_name(model)
    if not isinstance(model, str | ArtifactVersion) and not hasattr(model, "__fspath__"):
        raise NotEvaluable(
            f"A {known} has no method `predict`.",
            how="Give a fitted model, or its reference.",
        )
    return get_model(model, workspace=job.space, project=job.project).load(trust=trust)


def _truth(X: Any, y: Any) -> Any:  # noqa: N803
    import numpy as np

    truth = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if truth.ndim != 1:
        raise NotEvaluable(
            f"y has {truth.ndim} dimensions.", how="Give one true value for each row of X."
        )
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if rows != len(truth):
        raise NotEvaluable(
            f"X has {rows} rows, and y has {len(truth)} values.",
            how="Give one true value for each row of X.",
        )
    if rows == 0:
        raise NotEvaluable("There are no rows to test on.")
    missing = int(sum(value is None or value != value for value in truth.tolist()))
    if missing:
        raise NotEvaluable(
            f"{missing} of the {rows} true values are missing.", how="Leave these rows out."
        )
    return truth


def _results(estimator: Any, X: Any, truth: Any) -> Results:  # noqa: N803
    from sklearn.base import is_classifier, is_regressor

    try:
        if is_classifier(estimator):
            return classifier_results(estimator, X, truth)
        if is_regressor(estimator):
            return regressor_results(estimator, X, truth)
    except (CheckFailed, NotEvaluable):
        raise
    except (ValueError, TypeError) as error:
        raise NotEvaluable(
            f"The model cannot predict these data: {error}",
            how="Give X as the model was trained on it, and y of the kind that it predicts.",
        ) from error
    raise NotEvaluable(
        f"A {python_type_name(estimator)} is neither a classifier nor a regressor.",
        how="Evaluate it by your own code, and log what you find with log_metrics and log_plot.",
    )


def _add_importance(results: Results, estimator: Any, X: Any, truth: Any) -> None:  # noqa: N803
    try:
        rows, how = feature_importance(estimator, X, truth)
    except (ValueError, TypeError, AttributeError, MemoryError) as error:
        results.left_out["feature-importance"] = f"{type(error).__name__}: {error}"
        return
    rows = [row for row in rows if math.isfinite(row["importance"])]
    if rows:
        results.plots["feature-importance"] = (charts.importance, {"rows": rows, "how": how})
        results.tables["feature-importance-table"] = rows
