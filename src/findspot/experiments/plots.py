"""A picture of a metric: every replicate, means, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.names import check_key
from findspot.experiments.statistics import bca_interval, describe

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion
    from findspot.experiments.results import Result


def figure_of(result: Result, metric: str) -> Any:
    """A matplotlib figure: a row for each condition; lines join the cells of one replicate.

    Raises:
        NoMetric: no cell logged it.
    """
    return draw(**_drawn(result, metric))


def draw(metric: str, values: Mapping[str, Sequence[float | None]], title: str) -> Any:
    """The figure of a metric.

    Args:
        values: by condition, one for each replicate; None where a cell has none.
    """
    from matplotlib.figure import Figure

    numbers = {name: [math.nan if v is None else v for v in row] for name, row in values.items()}
    figure = Figure(figsize=(6.4, 1.2 + 0.6 * len(numbers)), layout="constrained")
    axes = figure.add_subplot()
    for line in zip(*numbers.values(), strict=True):
        axes.plot(line, range(len(line)), color="0.85", linewidth=0.8, zorder=1)
    for row, of_condition in enumerate(numbers.values()):
        known = [value for value in of_condition if math.isfinite(value)]
        axes.scatter(known, [row] * len(known), s=14, color="tab:blue", alpha=0.45, zorder=2)
        _, mean, _ = describe(known)
        low, high = bca_interval(known)
        if math.isfinite(low):
            axes.plot([low, high], [row, row], color="black", linewidth=2.5, zorder=3)
        if known:
            axes.plot(mean, row, marker="D", color="black", markersize=6, zorder=4)
    axes.set_yticks(range(len(numbers)), list(numbers))
    axes.set_ylim(len(numbers) - 0.5, -0.5)
    axes.set_xlabel(metric)
    axes.set_title(title)
    return figure


def save_figure(
    space: ArtifactSpace, result: Result, metric: str, figure: Any, key: str
) -> ArtifactVersion:
    """Save a figure of a metric as what a job of its own drew: of the values that are this job's
    parameters, so that it can be drawn again from its record alone."""
    from findspot.engine.targets.scripts import start_job

    key = check_key(key)
    labels = {"experiment": result.experiment, "run": result.run}
    with start_job(
        space,
        "plot",
        params=_drawn(result, metric),
        project=result.project,
        labels=labels,
        function=f"{__name__}:{draw.__name__}",
        code=Path(__file__).read_bytes(),
        returns=f"{key}: plot",
        parent=result.job.id,
    ) as job:
        run = space.catalog.find_version(result.project, f"{result.experiment}/run", result.run)
        if run is not None:
            job.read(run)
        source = {"metric": metric, "jobs": [job.id for job in result.jobs]}
        return job.log_plot(key, figure, labels=labels, metadata=source)


def _drawn(result: Result, metric: str) -> dict[str, Any]:
    """What the figure is drawn from, as plain values."""
    return {
        "metric": metric,
        "values": {
            condition: [None if math.isnan(value) else value for value in values]
            for condition, values in result.values(metric).items()
        },
        "title": f"{result.experiment} v{result.run}: mean and 95 % interval",
    }
