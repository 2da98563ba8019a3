"""Experiments and their results for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from findspot.cli.printing import (
    age,
    coloured,
    counted,
    note,
    print_fields,
    print_table,
    short_id,
)

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion
    from findspot.engine.jobs import Job
    from findspot.experiments.hypotheses import Hypothesis, Verdict
    from findspot.experiments.recorded import RecordedExperiment
    from findspot.experiments.results import Result

_KINDS = 10
"""Kinds of errors that are shown."""
_JOBS = 3
"""Jobs of a run that are shown."""
_PRUNED = 5
"""Names of treatments that a search gave up that are shown."""


def print_result(
    result: Result, *, metrics: Sequence[str] | None = None, plots: Sequence[ArtifactVersion] = ()
) -> None:
    """A result: what became of the cells, errors by kind, summary, verdicts, ranking.

    Args:
        metrics: only these.
        plots: that were saved of it.
    """
    total = len(result.conditions) * result.replicates
    done = sum(cell.status == "finished" for cell in result.cells.values())
    now = f", {result.ran} of them run now" if result.ran and result.ran < total else ""
    print_fields(
        [
            ("experiment", result.experiment),
            ("run", f"{result.run} ({_jobs(result.jobs)})"),
            ("status", coloured(result.status)),
            ("cells", f"{done} of {total} finished{now}"),
            ("conditions", len(result.conditions)),
            ("pruned", _pruned(result.pruned)),
            ("replicates", result.replicates),
            ("view", _from_here(result.folder)),
            ("plots", ", ".join(version.uri for version in plots)),
        ]
    )
    for text in result.notes:
        note(text)
    print_errors(result)
    rows = [row for row in result.summary_rows if metrics is None or row["metric"] in metrics]
    if rows:
        typer.echo()
        print_summary(rows)
    chosen = [v for v in result.hypotheses if metrics is None or v.hypothesis.metric in metrics]
    if chosen:
        typer.echo()
        print_verdicts(chosen)
    for metric, better in result.better.items():
        if metric in result.metrics and (metrics is None or metric in metrics):
            ranked = ", ".join(f"{c} {_number(m)}" for c, m in result.ranking(metric, better))
            typer.echo(f"\n{metric}, {better} is better: {ranked}")


def _jobs(jobs: Sequence[Job]) -> str:
    """The newest of them: a search may have hundreds."""
    shown = ", ".join(short_id(job.id) for job in jobs[:_JOBS])
    return f"{shown} and {len(jobs) - _JOBS} before" if len(jobs) > _JOBS else shown


def _from_here(folder: Path | None) -> Path | None:
    """As short as it can be said: in the current folder, or as a whole."""
    if folder is not None and folder.is_relative_to(Path.cwd()):
        return folder.relative_to(Path.cwd())
    return folder


def _pruned(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_PRUNED]) + (" ..." if len(names) > _PRUNED else "")
    return f"{len(names)}: {shown}" if names else ""


def print_errors(result: Result) -> None:
    """The errors on standard error, each kind once, with its count."""
    kinds = result.error_kinds
    if not kinds:
        return
    sys.stdout.flush()
    note("\nErrors:")
    for kind in kinds[:_KINDS]:
        note("  " + str(kind).replace("\n", "\n    "))
    if len(kinds) > _KINDS:
        note(f"  ... and {counted(len(kinds) - _KINDS, 'more kind')}")
    job = short_id(result.cells[kinds[0].places[0]].job)
    note(f"Their tracebacks: findspot job log {job}")


def print_summary(rows: Iterable[Mapping[str, Any]]) -> None:
    """Mean, deviation and interval of each metric and condition."""
    print_table(
        ("metric", "condition", "n", "mean", "std", "95 % interval"),
        (
            (
                row["metric"],
                row["condition"],
                f"{row['n']}" + (f" ({row['missing']} missing)" if row["missing"] else ""),
                _number(row["mean"]),
                _number(row["std"]),
                _interval(row["low"], row["high"]),
            )
            for row in rows
        ),
        empty="No metric was logged.",
        whole=("metric", "condition", "95 % interval"),
    )


def print_verdicts(found: Sequence[Verdict]) -> None:
    """Verdicts, and what else there is to say of them."""
    from findspot.experiments.treatments import BASELINE

    print_table(
        ("hypothesis", "condition", "verdict", "difference", "p", "n"),
        (
            (
                verdict.hypothesis.title,
                verdict.treatment
                + ("" if verdict.against == BASELINE else f" against {verdict.against}"),
                verdict.verdict,
                f"{_number(verdict.effect.mean, sign=True)} "
                f"{_interval(verdict.effect.low, verdict.effect.high)}",
                _number(verdict.p_corrected),
                verdict.n,
            )
            for verdict in found
        ),
        empty="There is no hypothesis.",
        whole=("hypothesis", "condition", "difference", "p"),
    )
    for verdict in found:
        for text in verdict.notes:
            note(f"{verdict.hypothesis.title}, {verdict.treatment}: {text}")


def print_experiment(experiment: RecordedExperiment, *, run: int | None) -> None:
    """What is recorded of an experiment."""
    result = experiment.result(run)
    chosen = [each for each in experiment.runs if run in (None, each.number)]
    print_fields(
        [
            ("experiment", experiment.name),
            ("project", experiment.project),
            ("description", experiment.description),
            ("replicates", result.replicates),
            ("seed", result.seed),
            ("view", _from_here(result.folder)),
        ]
    )
    typer.echo()
    print_table(
        ("condition", "parameters"),
        ((name, _values(values)) for name, values in result.parameters.items()),
        empty="",
        whole=("condition",),
    )
    typer.echo()
    print_table(
        ("run", "status", "started", "cells", "failed", "jobs"),
        (
            (
                each.number,
                coloured(each.status),
                age(each.started),
                f"{each.finished}/{each.total}",
                each.failed or "",
                _jobs(each.jobs),
            )
            for each in chosen
        ),
        empty="",
        whole=("status", "started", "cells"),
    )
    if result.recorded_hypotheses:
        typer.echo()
        print_table(
            ("hypothesis", "better", "test", "alpha", "treatments"),
            (
                (
                    each.title,
                    each.better if each.title == each.metric else f"{each.metric} {each.better}",
                    _test(each),
                    f"{each.alpha:g} ({each.correction})",
                    ", ".join(each.treatments or ("all",)),
                )
                for each in result.recorded_hypotheses
            ),
            empty="",
            whole=("better", "test", "alpha"),
        )
    for registration in experiment.registrations:
        typer.echo(
            f"Registered {registration.time.astimezone():%Y-%m-%d %H:%M:%S} as {registration.uri}"
        )


def _test(hypothesis: Hypothesis) -> str:
    """A test by its name, or that it is a function; of one that is, records have the digest."""
    said: str = hypothesis.plain()["test"]
    kind, colon, digest = said.partition(":")
    return f"function {digest[:8]}" if colon else kind


def _values(values: Mapping[str, Any]) -> str:
    shown = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return ", ".join(shown)


def _number(value: float, *, sign: bool = False) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:+.4g}" if sign else f"{value:.4g}"


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"[{_number(low)}, {_number(high)}]"
