"""A picture of a metric: every replicate, means, and their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from findspot.experiments.statistics import bca_interval, describe

if TYPE_CHECKING:
    from findspot.experiments.results import Result


def figure_of(result: Result, metric: str) -> Any:
    """A matplotlib figure: a row for each condition; lines join the cells of one replicate.

    Raises:
        NoMetric: no cell logged it.
    """
    values = result.values(metric)
    from matplotlib.figure import Figure

    conditions = list(values)
    figure = Figure(figsize=(6.4, 1.2 + 0.6 * len(conditions)), layout="constrained")
    axes = figure.add_subplot()
    for replicate in range(result.replicates):
        line = [values[condition][replicate] for condition in conditions]
        axes.plot(line, range(len(line)), color="0.85", linewidth=0.8, zorder=1)
    for row, condition in enumerate(conditions):
        known = [value for value in values[condition] if math.isfinite(value)]
        axes.scatter(known, [row] * len(known), s=14, color="tab:blue", alpha=0.45, zorder=2)
        _, mean, _ = describe(known)
        low, high = bca_interval(known)
        if math.isfinite(low):
            axes.plot([low, high], [row, row], color="black", linewidth=2.5, zorder=3)
        if known:
            axes.plot(mean, row, marker="D", color="black", markersize=6, zorder=4)
    axes.set_yticks(range(len(conditions)), conditions)
    axes.set_ylim(len(conditions) - 0.5, -0.5)
    axes.set_xlabel(metric)
    axes.set_title(f"{result.experiment} v{result.run}: mean and 95 % interval")
    return figure
