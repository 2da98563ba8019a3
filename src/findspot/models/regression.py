"""How good a regressor is."""

from __future__ import annotations

from typing import Any

from findspot.models import charts
from findspot.models.errors import NotEvaluable
from findspot.models.results import Results

_POINTS = 2000


def regressor_results(estimator: Any, X: Any, truth: Any) -> Results:  # noqa: N803
    """Predict, compare, and prepare what is to be drawn."""
    import numpy as np
    from sklearn import metrics

    results = Results()
    if truth.dtype.kind not in "fiub":
        truth = truth.astype(float)
    predicted = np.asarray(estimator.predict(X)).reshape(len(truth), -1)
    if predicted.shape[1] != 1:
        raise NotEvaluable(
            f"The model predicts {predicted.shape[1]} values for a row.",
            how="Evaluate models of several outputs one output at a time.",
        )
    predicted = predicted[:, 0]
    if len(truth) > 1:
        results.measure("r2", metrics.r2_score, truth, predicted)
        results.measure("explained_variance", metrics.explained_variance_score, truth, predicted)
    else:
        results.left_out |= dict.fromkeys(("r2", "explained_variance"), "there is only one row")
    results.measure("mse", metrics.mean_squared_error, truth, predicted)
    results.measure("rmse", metrics.root_mean_squared_error, truth, predicted)
    results.measure("mae", metrics.mean_absolute_error, truth, predicted)
    results.measure("median_ae", metrics.median_absolute_error, truth, predicted)
    results.measure("max_error", metrics.max_error, truth, predicted)
    if (truth != 0).all():
        results.measure("mape", metrics.mean_absolute_percentage_error, truth, predicted)
    else:
        results.left_out["mape"] = "some true values are 0"
    if len(truth) > _POINTS:
        shown = np.sort(np.random.default_rng(0).choice(len(truth), _POINTS, replace=False))
        truth, predicted = truth[shown], predicted[shown]
    data = {"truth": truth, "predicted": predicted}
    results.plots["predicted-against-true"] = (charts.predicted_against_true, data)
    results.plots["residuals"] = (charts.residuals, data)
    return results
