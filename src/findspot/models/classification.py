"""How good a classifier is."""

from __future__ import annotations

import warnings
from typing import Any

from findspot.models import charts
from findspot.models.errors import NotEvaluable
from findspot.models.results import Results

CURVES = 10
"""Of models with more classes than this, curves are drawn of the commonest ones."""
_CALIBRATION_BINS = 10
_POINTS = 500


def classifier_results(estimator: Any, X: Any, truth: Any) -> Results:  # noqa: N803
    """Predict, compare, and prepare what is to be drawn."""
    import numpy as np
    from sklearn import metrics

    results = Results()
    predicted = np.asarray(estimator.predict(X))
    if predicted.shape != truth.shape:
        raise NotEvaluable(
            f"The model predicts values of shape {predicted.shape} for {len(truth)} rows.",
            how="Evaluate models of several outputs one output at a time.",
        )
    classes = _classes(estimator, truth, predicted)
    binary = len(classes) == 2
    average: dict[str, Any] = (
        {"pos_label": classes[1], "average": "binary"} if binary else {"average": "macro"}
    )
    results.measure("accuracy", metrics.accuracy_score, truth, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that the test data lack
        results.measure("balanced_accuracy", metrics.balanced_accuracy_score, truth, predicted)
        for name, function in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
            ("f1", metrics.f1_score),
        ):
            results.measure(name, function, truth, predicted, zero_division=0, **average)
    results.plots["confusion-matrix"] = (
        charts.confusion_matrix,
        {
            "counts": metrics.confusion_matrix(truth, predicted, labels=classes),
            "classes": [str(label) for label in classes],
        },
    )
    results.tables["classes"] = _by_class(truth, predicted, classes)
    _add_probabilities(results, estimator, X, truth, classes)
    return results


def _classes(estimator: Any, truth: Any, predicted: Any) -> list[Any]:
    import numpy as np

    known = getattr(estimator, "classes_", None)
    try:
        seen = np.union1d(truth, predicted)
        if known is None:
            return list(seen.tolist())
        labels = np.asarray(known)
        unknown = [label for label in seen.tolist() if label not in set(labels.tolist())]
    except TypeError as error:  # texts and numbers cannot be compared
        raise NotEvaluable(
            f"The true values are of another type than the model's classes: {error}",
            how="Give y as the model was trained on it.",
        ) from error
    if len(unknown) == len(set(truth.tolist())):
        raise NotEvaluable(
            f"None of the true values ({', '.join(map(repr, unknown[:5]))}) is a class of the "
            f"model's ({', '.join(map(repr, labels.tolist()[:10]))}).",
            how="Give y as the model was trained on it.",
        )
    return [*labels.tolist(), *unknown]


def _by_class(truth: Any, predicted: Any, classes: list[Any]) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    parts = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    return [
        {
            "class": str(label),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "rows": int(rows),
        }
        for label, precision, recall, f1, rows in zip(classes, *parts, strict=True)
    ]


def _add_probabilities(
    results: Results,
    estimator: Any,
    X: Any,  # noqa: N803
    truth: Any,
    classes: list[Any],
) -> None:
    """What needs more than the predicted class: probabilities, or else the distance from the
    border between the classes."""
    from sklearn import metrics

    scores, certain = _scores(estimator, X, len(classes))
    if scores is None:
        reason = "the model gives no probabilities and no decision function"
        results.left_out |= dict.fromkeys(("roc_auc", "average_precision", "log_loss"), reason)
        return
    known = classes[: scores.shape[1]]
    if certain:
        results.measure("log_loss", metrics.log_loss, truth, scores, labels=known)
    shares = [(truth == label) for label in known]
    if len(known) == 2:
        results.measure("roc_auc", _area, shares[1], scores[:, 1])
        results.measure("average_precision", _precision_area, shares[1], scores[:, 1])
        if certain:
            results.measure("brier", metrics.brier_score_loss, shares[1], scores[:, 1])
    else:
        results.measure("roc_auc", _mean_of, _area, shares, scores)
        results.measure("average_precision", _mean_of, _precision_area, shares, scores)
    drawn = _drawn(shares)
    curves = [(str(known[i]), shares[i], scores[:, i]) for i in drawn]
    if not curves:
        reason = "the test data are all of one class"
        results.left_out |= dict.fromkeys(("roc-curve", "precision-recall-curve"), reason)
        return
    results.plots["roc-curve"] = (charts.curves, _roc(curves))
    results.plots["precision-recall-curve"] = (charts.curves, _precision_recall(curves))
    if certain:
        results.plots["calibration"] = (charts.curves, _calibration(curves))


def _scores(estimator: Any, X: Any, count: int) -> tuple[Any, bool]:  # noqa: N803
    """A column a class, and whether they are probabilities."""
    import numpy as np

    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(X)), True
    if not hasattr(estimator, "decision_function"):
        return None, False
    scores = np.asarray(estimator.decision_function(X))
    if scores.ndim == 1:
        scores = np.column_stack([-scores, scores])
    return (scores, False) if scores.shape[1] <= count else (None, False)


def _area(share: Any, scores: Any) -> Any:
    from sklearn.metrics import roc_auc_score

    if share.all() or not share.any():
        raise ValueError("the test data are all of one class")
    return roc_auc_score(share, scores)


def _precision_area(share: Any, scores: Any) -> Any:
    from sklearn.metrics import average_precision_score

    if not share.any():
        raise ValueError("the test data have no row of the class")
    return average_precision_score(share, scores)


def _mean_of(function: Any, shares: list[Any], scores: Any) -> float:
    """The mean over the classes that the test data have, each against all others."""
    found = [
        float(function(share, scores[:, i]))
        for i, share in enumerate(shares)
        if share.any() and not share.all()
    ]
    if not found:
        raise ValueError("the test data are all of one class")
    return sum(found) / len(found)


def _drawn(shares: list[Any]) -> list[int]:
    """The classes whose curves are drawn: of two the second, of many the commonest."""
    usable = [i for i, share in enumerate(shares) if share.any() and not share.all()]
    if len(shares) == 2:
        return usable[-1:]
    return sorted(sorted(usable, key=lambda i: -int(shares[i].sum()))[:CURVES])


def _roc(curves: list[Any]) -> dict[str, Any]:
    from sklearn.metrics import roc_curve

    lines = []
    for label, share, scores in curves:
        false, true, _ = roc_curve(share, scores)
        lines.append((f"{label} ({_area(share, scores):.3f})", *_thinned(false, true)))
    return {
        "title": "ROC curve (area)",
        "x": "False positive rate",
        "y": "True positive rate",
        "lines": lines,
        "diagonal": "chance",
    }


def _precision_recall(curves: list[Any]) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_curve

    lines = []
    for label, share, scores in curves:
        precision, recall, _ = precision_recall_curve(share, scores)
        area = _precision_area(share, scores)
        lines.append((f"{label} ({area:.3f})", *_thinned(recall, precision)))
    return {
        "title": "Precision and recall (average precision)",
        "x": "Recall",
        "y": "Precision",
        "lines": lines,
        "diagonal": None,
    }


def _calibration(curves: list[Any]) -> dict[str, Any]:
    from sklearn.calibration import calibration_curve

    lines = []
    for label, share, scores in curves:
        bins = max(2, min(_CALIBRATION_BINS, len(share) // 5))
        true, predicted = calibration_curve(share, scores, n_bins=bins, strategy="quantile")
        lines.append((label, predicted, true))
    return {
        "title": "Calibration",
        "x": "Predicted probability",
        "y": "Share of the class",
        "lines": lines,
        "diagonal": "perfect",
        "points": True,
    }


def _thinned(x: Any, y: Any) -> tuple[Any, Any]:
    """A curve with at most some hundreds of points, its ends among them."""
    import numpy as np

    if len(x) <= _POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))
    return x[kept], y[kept]
