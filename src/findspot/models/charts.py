"""The plots of an evaluation, drawn by matplotlib without its global state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR, _LINE, _FAINT = "#3b6ea8", "#3b6ea8", "#999999"
_WRITTEN = 20
"""Up to so many classes the counts are written into a confusion matrix."""
_BARS = 25


def confusion_matrix(data: Any) -> Figure:
    """Counts by true and predicted class; the colour is the share of the true class."""
    import numpy as np

    counts, classes = data["counts"], data["classes"]
    side = min(12.0, 2.6 + 0.5 * len(classes))
    figure, axes = _figure(side + 0.6, side)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046, label="share of the true class")
    if len(classes) <= _WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    positions = range(len(classes)) if len(classes) <= 60 else []
    names = [_short(name) for name in classes] if positions else []
    axes.set_xticks(list(positions), names, rotation=45, ha="right")
    axes.set_yticks(list(positions), names)
    return _finished(figure, axes, "Confusion matrix", "Predicted", "True")


def curves(data: Any) -> Figure:
    """Lines from 0 to 1 on both axes, one a class."""
    figure, axes = _figure(5.4, 4.4)
    marker = "o" if data.get("points") else None
    for label, x, y in data["lines"]:
        axes.plot(x, y, label=_short(label), marker=marker, markersize=4)
    if data["diagonal"]:
        axes.plot([0, 1], [0, 1], "--", color=_FAINT, linewidth=1, label=data["diagonal"])
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(fontsize="small")
    return _finished(figure, axes, data["title"], data["x"], data["y"])


def importance(data: Any) -> Figure:
    """Bars, the most important feature first."""
    rows = data["rows"][:_BARS]
    figure, axes = _figure(6, 1.2 + 0.28 * len(rows))
    spread = [row["std"] for row in rows]
    axes.barh(
        range(len(rows)),
        [row["importance"] for row in rows],
        xerr=spread if any(spread) else None,
        color=_BAR,
    )
    axes.set_yticks(range(len(rows)), [_short(row["feature"]) for row in rows])
    axes.invert_yaxis()
    return _finished(figure, axes, "Feature importance", f"Importance ({data['how']})", "")


def predicted_against_true(data: Any) -> Figure:
    """A point a row; perfect predictions are on the diagonal."""
    figure, axes = _figure(5, 4.6)
    truth, predicted = data["truth"], data["predicted"]
    low = min(truth.min(), predicted.min())
    high = max(truth.max(), predicted.max())
    axes.scatter(truth, predicted, s=10, alpha=0.6, color=_LINE, edgecolors="none")
    axes.plot([low, high], [low, high], "--", color=_FAINT, linewidth=1)
    return _finished(figure, axes, "Predicted against true", "True", "Predicted")


def residuals(data: Any) -> Figure:
    """How far each prediction is off, by what was predicted."""
    figure, axes = _figure(5.4, 4)
    off = data["truth"] - data["predicted"]
    axes.scatter(data["predicted"], off, s=10, alpha=0.6, color=_LINE, edgecolors="none")
    axes.axhline(0, linestyle="--", color=_FAINT, linewidth=1)
    return _finished(figure, axes, "Residuals", "Predicted", "True minus predicted")


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    # Not by pyplot, which would keep every figure until it is closed.
    figure = Figure(figsize=(width, height), layout="tight")
    return figure, figure.subplots()


def _finished(figure: Figure, axes: Any, title: str, x: str, y: str) -> Figure:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure


def _short(text: str) -> str:
    # A dollar sign would begin a formula.
    text = text.replace("$", r"\$")
    return text if len(text) <= 30 else text[:29] + "…"
