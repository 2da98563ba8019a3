"""`compare_runs`: what differs between two experiments, or two runs of one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from findspot.artifacts.comparing.changes import Change, changes
from findspot.engine.caching.explaining import CodeChange
from findspot.experiments.errors import NoMetric
from findspot.experiments.recorded import get_experiment, run_named
from findspot.experiments.results import Result
from findspot.provenance.code import StepCode, step_code

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import StepRecord

_DESIGN = ("replicates", "seed", "conditions", "metrics", "outputs", "hypotheses")


@dataclass(frozen=True, slots=True)
class Mean:
    """A metric's mean over the replicates of a condition, with its 95 % interval.

    Args:
        n: replicates that have it.
    """

    n: int
    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "mean": self.mean, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        interval = "" if math.isnan(self.low) else f" [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.mean:.4g}{interval}, n {self.n}"


@dataclass(frozen=True, slots=True)
class MetricPair:
    """A metric of one condition in both runs; None where a run has none of it."""

    metric: str
    condition: str
    before: Mean | None
    after: Mean | None

    @property
    def difference(self) -> float | None:
        """Of the means, ``after - before``."""
        if self.before is None or self.after is None:
            return None
        return self.after.mean - self.before.mean

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "condition": self.condition,
            "before": None if self.before is None else self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
            "difference": self.difference,
        }

    def __str__(self) -> str:
        left = "none" if self.before is None else str(self.before)
        right = "none" if self.after is None else str(self.after)
        tail = "" if self.difference is None else f" ({self.difference:+.4g})"
        same = left == right and not self.difference
        return f"{self.metric}, {self.condition}: {left if same else f'{left} -> {right}{tail}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """What differs between two runs, with all their means.

    Args:
        before, after: experiment and run, as ``name@2``.
        design: replicates, seed, parameters of the conditions, metrics, outputs, hypotheses.
        code: by condition.
        data: replicates (with their condition) that were given other data.
        environment: of the newest jobs.
        metrics: all, also those that are equal.
        outputs: artifacts of cells that both runs have, whose bytes differ; `equal_outputs` counts
            the others.
    """

    before: str
    after: str
    design: tuple[Change, ...]
    code: tuple[StepCode, ...]
    data: tuple[str, ...]
    environment: tuple[Change, ...]
    metrics: tuple[MetricPair, ...]
    outputs: tuple[str, ...]
    equal_outputs: int

    def __bool__(self) -> bool:
        """Whether anything differs."""
        found = self.design or self.code or self.data or self.environment or self.outputs
        return bool(found) or any(pair.difference != 0 for pair in self.metrics)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "before": self.before,
            "after": self.after,
            "design": [change.to_json() for change in self.design],
            "code": [code.to_json() for code in self.code],
            "data": list(self.data),
            "environment": [change.to_json() for change in self.environment],
            "metrics": [pair.to_json() for pair in self.metrics],
            "outputs": list(self.outputs),
            "equal_outputs": self.equal_outputs,
        }

    def render(self) -> str:
        """It as text to be read."""
        from findspot.provenance.diff_text import change_line, code_lines, section, visible

        lines = [f"--- {self.before}", f"+++ {self.after}"]
        lines += section("Design", [change_line(change) for change in self.design])
        lines += section("Code", [line for code in self.code for line in code_lines(code)])
        lines += section("Data", list(_by_condition(self.data)))
        lines += section("Environment", [change_line(change) for change in self.environment])
        metrics = [str(pair) for pair in self.metrics if pair.difference != 0]
        if len(metrics) < len(self.metrics):
            metrics.append(f"{len(self.metrics) - len(metrics)} equal")
        lines += section("Metrics: mean [95 % interval]", metrics)
        outputs = list(_by_condition(self.outputs))
        if self.equal_outputs:
            outputs.append(f"{self.equal_outputs} equal")
        lines += section("Artifacts", outputs)
        if not self:
            lines.append("Nothing differs but the time they took.")
        return "\n".join(visible(line) for line in lines)

    def __str__(self) -> str:
        return self.render()


def _by_condition(places: Sequence[str]) -> Iterator[str]:
    """``condition/replicate`` and what follows, gathered to a line for each condition."""
    replicates: dict[tuple[str, str], list[str]] = {}
    for place in places:
        condition, replicate, *rest = place.split("/", 2)
        replicates.setdefault((condition, "".join(rest)), []).append(replicate)
    for (condition, artifact), found in replicates.items():
        shown = ", ".join(found[:10]) + (f" ... ({len(found)})" if len(found) > 10 else "")
        yield f"~ {condition}{f', {artifact}' if artifact else ''}: replicates {shown}"


def compare_runs(
    space: ArtifactSpace,
    before: str,
    after: str,
    *,
    project: str | None = None,
    metrics: Sequence[str] | None = None,
) -> RunComparison:
    """What differs between two experiments, or two runs of one; nothing is run.

    Args:
        before, after: names, for their newest runs; or ``name@2`` for that run.
        metrics: only these; None: all that are logged.

    Raises:
        NoExperiment, NoRun: there is none of that name or number.
        NoMetric: neither run has a metric that is asked for.
    """
    old, new = (_result(space, name, project) for name in (before, after))
    names = list(dict.fromkeys((*old.metrics, *new.metrics)))
    for name in metrics or ():
        if name not in names:
            raise NoMetric(name, tuple(names))
    cells = _steps(space, old), _steps(space, new)
    shared = [place for place in new.cells if place in old.cells]
    data = _content(space, [{p: _given(s) for p, s in steps.items()} for steps in cells])
    made = _content(space, [{p: dict(c.outputs) for p, c in r.cells.items()} for r in (old, new)])
    outputs = [
        (f"{place[0]}/{place[1]}/{name}", digest, made[0][place][name])
        for place in shared
        for name, digest in made[1][place].items()
        if name in made[0][place]
    ]
    return RunComparison(
        before=f"{old.experiment}@{old.run}",
        after=f"{new.experiment}@{new.run}",
        design=changes(_design(old), _design(new)),
        code=tuple(_code(space, *cells)),
        data=tuple(f"{c}/{r}" for c, r in shared if data[0].get((c, r)) != data[1].get((c, r))),
        environment=changes(_environment(old), _environment(new)),
        metrics=tuple(_pairs(old, new, names if metrics is None else metrics)),
        outputs=tuple(name for name, digest, other in outputs if digest != other),
        equal_outputs=sum(digest == other for _, digest, other in outputs),
    )


Place = tuple[str, int]


def _result(space: ArtifactSpace, name: str, project: str | None) -> Result:
    named, number = run_named(name)
    return get_experiment(space, named, project=project).result(number)


def _design(result: Result) -> dict[str, Any]:
    params = result.job.params
    return {"experiment": result.experiment, **{name: params.get(name) for name in _DESIGN}}


def _environment(result: Result) -> dict[str, Any]:
    """Without the command: what it said is in the design."""
    return {name: found for name, found in result.job.environment.items() if name != "argv"}


def _steps(space: ArtifactSpace, result: Result) -> dict[Place, StepRecord]:
    """The record of the step that ran each cell."""
    places = {(cell.job, cell.step): place for place, cell in result.cells.items()}
    return {
        places[job, step.name]: step
        for job in dict.fromkeys(job for job, _ in places)
        for step in space.catalog.steps(job)
        if (job, step.name) in places
    }


def _content(
    space: ArtifactSpace, runs: list[dict[Place, dict[str, str]]]
) -> list[dict[Place, dict[str, str]]]:
    """Digests in place of uids; of deleted versions the uids stay."""
    uids = {uid for run in runs for cell in run.values() for uid in cell.values()}
    known = space.catalog.versions(uids)

    def content(uid: str) -> str:
        return known[uid].digest if uid in known else uid

    return [
        {place: {name: content(uid) for name, uid in cell.items()} for place, cell in run.items()}
        for run in runs
    ]


def _given(step: StepRecord) -> dict[str, str]:
    """What a cell was given: uids of versions, a plain value as JSON."""
    found = dict(step.inputs)
    source = step.params.get("cell", {}).get("source")
    if source is not None:
        found["source"] = source
    if "data" in step.params:
        found["value"] = json.dumps(step.params["data"], sort_keys=True)
    return found


def _code(
    space: ArtifactSpace, old: Mapping[Place, StepRecord], new: Mapping[Place, StepRecord]
) -> list[StepCode]:
    """By condition what differs in the code of its first cell; the same only once."""
    found: list[StepCode] = []
    seen: set[CodeChange] = set()
    done: set[str] = set()
    for place, step in new.items():
        condition = place[0]
        if place not in old or condition in done:
            continue
        done.add(condition)
        code = step_code(space, old[place], space, step)
        fresh = () if code is None else tuple(c for c in code.changes if c not in seen)
        seen.update(fresh)
        if fresh:
            found.append(StepCode(condition, fresh))
    return found


def _pairs(old: Result, new: Result, metrics: Sequence[str]) -> list[MetricPair]:
    means = _means(old), _means(new)
    conditions = dict.fromkeys((*old.conditions, *new.conditions))
    pairs = [
        MetricPair(metric, c, means[0].get((metric, c)), means[1].get((metric, c)))
        for metric in metrics
        for c in conditions
    ]
    return [pair for pair in pairs if pair.before is not None or pair.after is not None]


def _means(result: Result) -> dict[tuple[str, str], Mean]:
    return {
        (row["metric"], row["condition"]): Mean(row["n"], row["mean"], row["low"], row["high"])
        for row in result.summary_rows
        if row["n"]
    }
