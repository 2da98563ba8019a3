"""Which features a model relies on."""

from __future__ import annotations

from typing import Any

_ROWS = 500
_REPEATS = 3
_FEATURES = 200


def feature_importance(
    estimator: Any,
    X: Any,  # noqa: N803
    truth: Any,
) -> tuple[list[dict[str, Any]], str]:
    """Features with their importance, most important first, and how it was measured.

    It is the model's own (of trees), the size of its coefficients (of linear models on features of
    their own scale), or else by how much the score drops when a column is shuffled, on at most 500
    rows, with a fixed seed.
    """
    import numpy as np

    names = _names(X)
    own, how = _own(estimator)
    if own is not None and len(own) == len(names):
        return _rows(names, own, np.zeros(len(names))), how
    if len(names) > _FEATURES:
        raise ValueError(f"there are {len(names)} features, more than {_FEATURES}")
    from sklearn.inspection import permutation_importance

    data = X
    if len(truth) > _ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(truth), _ROWS, replace=False))
        data = X.iloc[rows] if hasattr(X, "iloc") else X[rows]
        truth = truth[rows]
    found = permutation_importance(estimator, data, truth, n_repeats=_REPEATS, random_state=0)
    return _rows(names, found.importances_mean, found.importances_std), "drop of the score"


def _own(estimator: Any) -> tuple[Any, str]:
    import numpy as np

    steps = getattr(estimator, "steps", None)
    last = steps[-1][1] if isinstance(steps, list) and steps else estimator
    own = getattr(last, "feature_importances_", None)
    if own is not None:
        return np.asarray(own), "the model's own"
    coefficients = getattr(last, "coef_", None)
    if coefficients is not None and not hasattr(coefficients, "tocsr"):
        return np.abs(np.atleast_2d(np.asarray(coefficients))).mean(axis=0), "size of coefficients"
    return None, ""


def _names(X: Any) -> list[str]:  # noqa: N803
    columns = getattr(X, "columns", None)
    if columns is not None and not callable(columns):
        return [str(name) for name in columns]
    shape = getattr(X, "shape", None) or (len(X), len(X[0]))
    if len(shape) != 2:
        raise ValueError(f"rows have {len(shape) - 1} dimensions")
    return [f"feature {i}" for i in range(shape[1])]


def _rows(names: list[str], values: Any, spread: Any) -> list[dict[str, Any]]:
    rows = [
        {"feature": name, "importance": float(value), "std": float(around)}
        for name, value, around in zip(names, values, spread, strict=True)
    ]
    return sorted(rows, key=lambda row: -row["importance"])
