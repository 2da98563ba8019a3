"""`Result`: what the runs of an experiment found, as a table, a summary and verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import FindspotError, NotFound
from findspot.core.records import Failure, MetricPoint
from findspot.experiments.errors import NoMetric
from findspot.experiments.failing import ErrorKind, failed_step
from findspot.experiments.history import CellRecord, Run
from findspot.experiments.plots import figure_of, save_figure
from findspot.experiments.treatments import BASELINE

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.jobs import Job
    from findspot.experiments.hypotheses import Hypothesis, Verdict, Verifier
    from findspot.experiments.registration import Registration
    from findspot.experiments.statistics import Correction

Better = Literal["higher", "lower"]


class Result:
    """All cells of a run: those that were run now and those that were there already.

    Args:
        run: what is recorded. replicates, conditions: what belongs to the result.
        notes: what was said on the way, a sentence each.
        ran: how many cells were run now; the others were there.
        folder: the readable view.

    Attributes:
        pruned: names of the treatments that a search gave up after some replicates.
    """

    def __init__(
        self,
        space: ArtifactSpace,
        run: Run,
        *,
        experiment: str,
        conditions: Sequence[str],
        replicates: int,
        hypotheses: Sequence[Hypothesis] = (),
        declared: Sequence[str] = (),
        registration: Registration | None = None,
        notes: Sequence[str] = (),
        ran: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.experiment = experiment
        self.run = run.number
        self.conditions = tuple(conditions)
        self.replicates = replicates
        self.notes = list(notes)
        self.ran = ran
        self.folder = folder
        self._space = space
        self.project = run.jobs[0].project
        self._run = run
        self._declared = tuple(declared)
        self._hypotheses = tuple(hypotheses)
        self._registration = registration
        wanted = {(c, r) for r in range(replicates) for c in self.conditions}
        self.cells: dict[tuple[str, int], CellRecord] = {
            place: cell for place, cell in run.cells.items() if place in wanted
        }
        self.missing = sorted(wanted - self.cells.keys())
        self.pruned = tuple(name for name in run.pruned if name not in self.conditions)

    # ------------------------------------------------------------------ what became of it

    @property
    def status(self) -> str:
        """``finished`` where every cell has a result, else ``failed`` or ``incomplete``."""
        if self.errors:
            return "failed"
        done = all(cell.status == "finished" for cell in self.cells.values())
        return "finished" if done and not self.missing else "incomplete"

    @property
    def errors(self) -> dict[tuple[str, int], Failure]:
        """Why cells failed, by condition and replicate."""
        skipped = Failure("Skipped", "It was not run, because its datum could not be had.")
        return {
            place: cell.failure or skipped
            for place, cell in self._cells()
            if cell.status in ("failed", "skipped")
        }

    @property
    def error_kinds(self) -> list[ErrorKind]:
        """The errors by type and step, the most frequent kind first."""
        found: dict[tuple[str, str | None], list[tuple[str, int]]] = {}
        errors = self.errors
        for place, failure in errors.items():
            found.setdefault((failure.type, failed_step(failure)), []).append(place)
        kinds = [
            ErrorKind(step, errors[places[0]], tuple(places)) for (_, step), places in found.items()
        ]
        return sorted(kinds, key=lambda kind: -len(kind.places))

    @cached_property
    def jobs(self) -> list[Job]:
        """The jobs of the run, newest first."""
        from findspot.engine.jobs import Job

        return [Job(self._space, record) for record in self._run.jobs]

    @property
    def job(self) -> Job:
        """The newest job of the run."""
        return self.jobs[0]

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The parameters of each condition, as they were for the newest job."""
        return self._run.conditions

    @property
    def seed(self) -> int:
        """What all seeds were derived from."""
        return int(self._run.jobs[0].params["seed"])

    def _cells(self) -> Iterator[tuple[tuple[str, int], CellRecord]]:
        for replicate in range(self.replicates):
            for condition in self.conditions:
                cell = self.cells.get((condition, replicate))
                if cell is not None:
                    yield (condition, replicate), cell

    def _pruned(self) -> Iterator[tuple[tuple[str, int], CellRecord]]:
        """The cells of treatments that a search gave up."""
        for (condition, replicate), cell in sorted(self._run.cells.items(), key=lambda c: c[0][1]):
            if condition in self.pruned:
                yield (condition, replicate), cell

    # ------------------------------------------------------------------ metrics

    @cached_property
    def _points(self) -> dict[tuple[str, str], list[MetricPoint]]:
        return self._run.metrics(self._space)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The table as plain dictionaries: one for each cell and each step of it that logged
        metrics, and for each cell that logged none. Last come those of the treatments that a search
        gave up, of status ``pruned``; all else leaves these out."""
        by_cell: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
        for (job, path), points in self._points.items():
            parts = path.split("/", 2)
            step = parts[2] if len(parts) == 3 else ""
            values = by_cell.setdefault((job, "/".join(parts[:2])), {}).setdefault(step, {})
            for point in points:
                values[_column(point.name)] = point.value
        found: list[dict[str, Any]] = []
        for (condition, replicate), cell in (*self._cells(), *self._pruned()):
            given_up = condition in self.pruned and cell.status == "finished"
            facts = {
                "condition": condition,
                "replicate": replicate,
                "seed": cell.seed,
                "status": "pruned" if given_up else cell.status,
                "seconds": cell.seconds,
            }
            error = None
            failed_in = None
            if cell.failure is not None:
                error = f"{cell.failure.type}: {cell.failure.message}"
                failed_in = failed_step(cell.failure)
            elif cell.status != "finished":
                error = cell.status
            steps = dict(by_cell.get((cell.job, cell.step), {}))
            if failed_in is not None or not steps:
                steps.setdefault(failed_in or "", {})
            for step, values in steps.items():
                wrong = error if failed_in in (None, step) else None
                found.append({**facts, "step": step or None, **values, "error": wrong})
        return found

    @cached_property
    def metrics(self) -> dict[str, dict[str, list[float]]]:
        """The last value of each metric by name and condition, one for each replicate; NaN where a
        cell has none."""
        names = dict.fromkeys([*self._declared, *self._logged()])
        found = {name: {c: [math.nan] * self.replicates for c in self.conditions} for name in names}
        for row in self.rows:
            if row["status"] != "finished":
                continue
            for name in names:
                if _column(name) in row:
                    found[name][row["condition"]][row["replicate"]] = row[_column(name)]
        return found

    def _logged(self) -> list[str]:
        """The names of the metrics that are in some row."""
        columns = {name for row in self.rows for name in row}
        names = {point.name for points in self._points.values() for point in points}
        return sorted(name for name in names if _column(name) in columns)

    def values(self, metric: str) -> dict[str, list[float]]:
        """One metric by condition: a value for each replicate, NaN where it is missing.

        Raises:
            NoMetric: no cell logged it.
        """
        if metric not in list(self.metrics):
            raise NoMetric(metric, tuple(self.metrics))
        return self.metrics[metric]

    @cached_property
    def table(self) -> Any:
        """The rows as a pandas table, where pandas is installed; else as a list."""
        return as_table(self.rows, self._columns(None))

    def _columns(self, metrics: Sequence[str] | None) -> list[str]:
        facts = ["condition", "replicate", "step", "seed", "status", "seconds"]
        chosen = self._logged() if metrics is None else metrics
        return [*facts, *map(_column, chosen), "error"]

    def table_rows(self, metrics: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The table's rows with all of its columns, None where a row has no such value.

        Args:
            metrics: only these.
        """
        columns = self._columns(metrics)
        return [{name: row.get(name) for name in columns} for row in self.rows]

    @cached_property
    def summary_rows(self) -> list[dict[str, Any]]:
        """For each metric and condition: ``n``, ``missing``, ``mean``, ``std`` (of the sample) and
        the limits of a 95 % BCa bootstrap interval of the mean."""
        from findspot.experiments.statistics import bca_interval, describe

        found = []
        for metric, by_condition in self.metrics.items():
            for condition, values in by_condition.items():
                known = [value for value in values if not math.isnan(value)]
                n, mean, std = describe(known)
                low, high = bca_interval(known)
                found.append(
                    {
                        "metric": metric,
                        "condition": condition,
                        "n": n,
                        "missing": len(values) - n,
                        "mean": mean,
                        "std": std,
                        "low": low,
                        "high": high,
                    }
                )
        return found

    @cached_property
    def summary(self) -> Any:
        """The summary as a pandas table, where pandas is installed; else as a list."""
        return as_table(self.summary_rows, list(self.summary_rows[0]) if self.summary_rows else [])

    @cached_property
    def hypotheses(self) -> list[Verdict]:
        """A verdict for each hypothesis and treatment; p values are corrected together."""
        from findspot.experiments.hypotheses import verdicts

        return verdicts(self._hypotheses, self, self._registration)

    def compare(
        self,
        metric: str,
        *,
        test: str | Verifier | None = None,
        better: Literal["higher", "lower", "either"] | None = None,
        correction: Correction | None = None,
        conditions: tuple[str, str] | None = None,
    ) -> list[Verdict]:
        """Conditions compared in one metric, replicate by replicate.

        Where this is what a hypothesis of the experiment says, its verdicts (corrected together
        with those of all hypotheses); else the verdicts on a new, exploratory one.

        Args:
            test, better, correction: as of `Hypothesis`; None: as the experiment's hypothesis about
                the metric says, else ``paired_permutation``, ``either`` and ``holm``.
            conditions: compare the second with the first; None: every treatment with the baseline.

        Raises:
            NoMetric: no cell logged it.
            NotFound: there is no such condition.
            CheckFailed: test, better or correction is none.
        """
        from findspot.experiments.hypotheses import compared

        return compared(
            self,
            self._hypotheses,
            metric,
            {"test": test, "better": better, "correction": correction},
            conditions,
        )

    def ranking(self, metric: str, better: Better = "higher") -> list[tuple[str, float]]:
        """Conditions with their means of a metric, the best first; those without any come last.

        Raises:
            NoMetric: no cell logged it.
        """
        if better not in ("higher", "lower"):
            raise FindspotError(f"{better!r} says not which is better.", how="Say higher or lower.")
        means = []
        for condition, values in self.values(metric).items():
            known = [value for value in values if not math.isnan(value)]
            means.append((condition, math.fsum(known) / len(known) if known else math.nan))
        sign = -1 if better == "higher" else 1
        return sorted(means, key=lambda pair: (math.isnan(pair[1]), sign * pair[1]))

    # ------------------------------------------------------------------ artifacts and pictures

    @cached_property
    def artifacts(self) -> dict[str, dict[str, dict[int, ArtifactVersion]]]:
        """Every artifact by ``step/name``, condition and replicate."""
        uids = {uid for cell in self.cells.values() for uid in cell.outputs.values()}
        versions = self._space.catalog.versions(uids)
        found: dict[str, dict[str, dict[int, ArtifactVersion]]] = {}
        for (condition, replicate), cell in self._cells():
            for place, uid in cell.outputs.items():
                if uid in versions:
                    version = ArtifactVersion(self._space, versions[uid])
                    found.setdefault(place, {}).setdefault(condition, {})[replicate] = version
        return found

    def artifact(
        self, step: str, name: str, condition: str = BASELINE, replicate: int = 0
    ) -> ArtifactVersion:
        """One artifact.

        Raises:
            NotFound: that cell has none.
        """
        found = self.artifacts.get(f"{step}/{name}", {}).get(condition, {}).get(replicate)
        if found is None:
            shown = f"{step}/{name} of {condition}, replicate {replicate}"
            raise NotFound("artifact", shown, near=list(self.artifacts)[:5])
        return found

    def plot(self, metric: str, *, save: bool | str = False) -> Any:
        """A figure (matplotlib) of a metric: every replicate, the means and their intervals.

        Args:
            save: True, or a key: save it as an artifact of kind ``plot`` too.
        """
        figure = figure_of(self, metric)
        if save:
            self.save_plot(metric, figure, save if isinstance(save, str) else None)
        return figure

    def save_plot(self, metric: str, figure: Any, key: str | None = None) -> ArtifactVersion:
        """Save a figure of a metric as an artifact of kind ``plot``, which a job of its own made;
        its labels and metadata say of what run, of what jobs.

        Args:
            key: None: ``<experiment>/plots/<metric>``.
        """
        where = key or f"{self.experiment}/plots/{metric}"
        return save_figure(self._space, self, metric, figure, where)

    def save_plots(self) -> list[ArtifactVersion]:
        """Plots of the metrics that hypotheses are about or that are declared, saved as artifacts;
        none where matplotlib is not installed."""
        from importlib.util import find_spec

        about = dict.fromkeys((*(h.metric for h in self._hypotheses), *self._declared))
        if find_spec("matplotlib") is None:
            return []
        logged = self._logged()
        return [self.save_plot(name, figure_of(self, name)) for name in about if name in logged]

    @property
    def recorded_hypotheses(self) -> tuple[Hypothesis, ...]:
        """What is tested, without its verdicts."""
        return self._hypotheses

    @property
    def better(self) -> dict[str, Better]:
        """Which values of a metric are better, as far as a hypothesis says so."""
        found: dict[str, Better] = {}
        for hypothesis in self._hypotheses:
            if hypothesis.better != "either":
                found.setdefault(hypothesis.metric, hypothesis.better)
        return found

    def to_json(self) -> dict[str, Any]:
        """All but the cells as plain values: what became of it, summary, verdicts, rankings."""
        return {
            "experiment": self.experiment,
            "project": self.project,
            "run": self.run,
            "status": self.status,
            "replicates": self.replicates,
            "seed": self.seed,
            "conditions": {name: self.parameters.get(name) for name in self.conditions},
            "pruned": {name: self._run.pruned[name] for name in self.pruned},
            "cells": {
                "total": len(self.conditions) * self.replicates,
                "finished": sum(c.status == "finished" for c in self.cells.values()),
                "failed": len(self.errors),
                "ran": self.ran,
            },
            "jobs": [job.id for job in self.jobs],
            "errors": [kind.to_json() for kind in self.error_kinds],
            "summary": self.summary_rows,
            "hypotheses": [verdict.to_json() for verdict in self.hypotheses],
            "ranking": {
                metric: [{"condition": c, "mean": m} for c, m in self.ranking(metric, better)]
                for metric, better in self.better.items()
                if metric in self.metrics
            },
            "folder": None if self.folder is None else str(self.folder),
            "notes": self.notes,
        }

    def __repr__(self) -> str:
        done = sum(cell.status == "finished" for cell in self.cells.values())
        wanted = len(self.conditions) * self.replicates
        return f"<Result {self.experiment} v{self.run}: {self.status}, {done} of {wanted} cells>"


def as_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """Rows as a pandas table with these columns; as a list of dictionaries without pandas."""
    try:
        import pandas as pd
    except ImportError:
        return [{name: row.get(name) for name in columns} for row in rows]
    return pd.DataFrame(list(rows), columns=list(columns))


_FACTS = frozenset({"condition", "replicate", "seed", "status", "seconds", "step", "error"})


def _column(metric: str) -> str:
    """The column of a metric in the table: its name, unless that says something else there."""
    return f"{metric} (metric)" if metric in _FACTS else metric
