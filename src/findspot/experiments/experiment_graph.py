"""`ExperimentGraph`: experiments that feed each other, run in the order of their data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.experiments.checking import Checks, Strategy
from findspot.experiments.experiment import Experiment
from findspot.experiments.progress import Listener, Progress
from findspot.experiments.sources import ArtifactSource

if TYPE_CHECKING:
    from findspot.experiments.results import Result


class UpstreamFailed(FindspotError):
    """An experiment was not run, because one that it takes its data from did not finish.

    Args:
        experiment: the one that was not run. upstream: the one that did not finish.
    """

    def __init__(self, experiment: str, upstream: str, reason: str) -> None:
        self.experiment, self.upstream = experiment, upstream
        super().__init__(
            f"It was not run: the experiment {upstream!r}, whose artifacts it takes, {reason}.",
            where=f"experiment {experiment}",
            how="Mend the cause, then run the graph again with strategy='resume'.",
        )


class GraphResult(Mapping[str, "Result"]):
    """The results by the experiments' names.

    Args:
        blocked: the experiments that were not run, with the reason.
    """

    def __init__(self, results: Mapping[str, Result], blocked: Mapping[str, FindspotError]) -> None:
        self._results = dict(results)
        self.blocked = dict(blocked)

    @property
    def status(self) -> str:
        """``finished`` where every experiment is, else ``failed``."""
        done = all(result.status == "finished" for result in self._results.values())
        return "finished" if done and not self.blocked else "failed"

    def __getitem__(self, name: str) -> Result:
        if name in self.blocked:
            raise self.blocked[name]
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        blocked = f", not run: {', '.join(self.blocked)}" if self.blocked else ""
        return f"<GraphResult {self.status}: {', '.join(self._results)}{blocked}>"


class ExperimentGraph:
    """Experiments in the order in which they need each other.

    What depends on what follows from their data sources (`Experiment.artifact_datasource`).
    Experiments that are only referred to join the graph; those without any tie are run too.

    Raises:
        CheckFailed: two experiments have one name, they go round in a circle, or something else is
            among them.
    """

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.upstream: dict[str, tuple[str, ...]] = {}
        checks = Checks()
        self._problems = checks.problems
        listed = checks.listed("experiments", experiments, "a list of Experiment")
        for index, experiment in enumerate(listed):
            given: Any = experiment
            if isinstance(given, Experiment):
                self._add(experiment, ())
            else:
                what = f"it is a {type(given).__name__}"
                self._problems.append(Problem(f"[{index}]", what, expected="an Experiment"))
        if self._problems:
            raise CheckFailed("The graph of experiments", self._problems)

    def _add(self, experiment: Experiment, path: tuple[str, ...]) -> None:
        name = experiment.name
        if name in path:
            circle = " -> ".join([*path[path.index(name) :], name])
            self._problems.append(Problem(name, f"it needs itself: {circle}"))
            return
        known = self.experiments.get(name)
        if known is not None:
            if known is not experiment:
                self._problems.append(Problem(name, "there are two experiments of this name"))
            return
        source = experiment.datasource
        producers = (source.producer,) if isinstance(source, ArtifactSource) else ()
        for producer in producers:
            self._add(producer, (*path, name))
        self.experiments[name] = experiment  # after those that it needs
        self.upstream[name] = tuple(producer.name for producer in producers)

    @property
    def order(self) -> tuple[str, ...]:
        """The names, so that each comes after those that it needs."""
        return tuple(self.experiments)

    def validate(self) -> ExperimentGraph:
        """Check all experiments whose data come from outside the graph; the graph itself.

        Raises:
            CheckFailed: lists every mistake of each.
        """
        problems: list[Problem] = []
        for name, experiment in self.experiments.items():
            if self.upstream[name]:
                continue  # how many replicates it has shows when the others have run
            try:
                experiment.validate()
            except CheckFailed as error:
                problems += [Problem(f"{name}: {p.path}", p.message) for p in error.problems]
        if problems:
            raise CheckFailed("The graph of experiments", problems)
        return self

    def run(
        self,
        *,
        strategy: Strategy = "rerun",
        executor: str | None = None,
        workers: int | None = None,
        register: bool = False,
        progress: Listener | None = None,
        **options: Any,
    ) -> GraphResult:
        """Run every experiment after those that it needs; arguments as of `Experiment.run`.

        With ``resume``, only what is missing is run: an experiment downstream where what it is
        given has changed, and not where the same bytes came out again. One that fails stops only
        those that need it.

        Args:
            register: fix the hypotheses of each that has some before it runs.
            progress: told of each experiment as by `Experiment.run`; one that is not run has the
                status ``blocked``.

        Raises:
            CheckFailed: an experiment has mistakes; nothing has run.
        """
        checks = Checks()
        checks.options(strategy, workers, progress)
        if checks.problems:
            raise CheckFailed("The graph of experiments", checks.problems)
        self.validate()
        results: dict[str, Result] = {}
        blocked: dict[str, FindspotError] = {}
        count = len(self.experiments)
        for number, (name, experiment) in enumerate(self.experiments.items(), 1):
            told = _at(progress, (number, count))
            failed = next((u for u in self.upstream[name] if u in blocked), None)
            if failed is not None:
                blocked[name] = UpstreamFailed(name, failed, "was not run")
                _tell_blocked(name, told)
                continue
            unfinished = [u for u in self.upstream[name] if results[u].status != "finished"]
            if unfinished:
                count = len(results[unfinished[0]].errors)
                reason = f"has {count} failed cells" if count else "is incomplete"
                blocked[name] = UpstreamFailed(name, unfinished[0], reason)
                _tell_blocked(name, told)
                continue
            results[name] = experiment.run(
                strategy=strategy,
                executor=executor,
                workers=workers,
                register=register and bool(experiment.hypotheses),
                progress=told,
                **options,
            )
        return GraphResult(results, blocked)

    # ------------------------------------------------------------------ pictures

    def to_dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = ["digraph experiments {", "  rankdir=LR;", "  node [shape=box];"]
        lines += [f"  {_quoted(name)};" for name in self.experiments]
        for name, experiment in self.experiments.items():
            source = experiment.datasource
            if isinstance(source, ArtifactSource):
                label = _quoted(f"{source.step}/{source.name}")
                producer = _quoted(source.producer.name)
                lines.append(f"  {producer} -> {_quoted(name)} [label={label}];")
        return "\n".join([*lines, "}"]) + "\n"

    def to_mermaid(self) -> str:
        """The graph in Mermaid's language, which many viewers of Markdown draw."""
        numbers = {name: f"e{index}" for index, name in enumerate(self.experiments)}
        lines = ["flowchart LR"]
        lines += [f'  {numbers[name]}["{escape(name)}"]' for name in self.experiments]
        for name, experiment in self.experiments.items():
            source = experiment.datasource
            if isinstance(source, ArtifactSource):
                label = escape(f"{source.step}/{source.name}")
                producer = numbers[source.producer.name]
                lines.append(f'  {producer} -- "{label}" --> {numbers[name]}')
        return "\n".join(lines) + "\n"

    def to_svg(self) -> str:
        """The graph as an SVG picture: a column for each distance from the start."""
        column: dict[str, int] = {}
        for name in self.experiments:
            column[name] = max((column[u] + 1 for u in self.upstream[name]), default=0)
        width = 12 + 9 * max((len(name) for name in self.experiments), default=4)
        row: dict[str, int] = {}
        for name in self.experiments:
            row[name] = sum(column[other] == column[name] for other in row)
        step = width + 140

        def corner(name: str) -> tuple[int, int]:
            return 20 + column[name] * step, 20 + row[name] * 70

        parts = []
        for name, experiment in self.experiments.items():
            x, y = corner(name)
            source = experiment.datasource
            if isinstance(source, ArtifactSource):
                fx, fy = corner(source.producer.name)
                parts.append(
                    f'<line x1="{fx + width}" y1="{fy + 20}" x2="{x}" y2="{y + 20}" '
                    'stroke="#888" marker-end="url(#tip)"/>'
                )
                label = escape(f"{source.step}/{source.name}")
                parts.append(
                    f'<text x="{(fx + width + x) // 2}" y="{(fy + y) // 2 + 14}" font-size="11" '
                    'fill="#555" stroke="white" stroke-width="4" paint-order="stroke">'
                    f"{label}</text>"
                )
            parts.append(
                f'<rect x="{x}" y="{y}" width="{width}" height="40" rx="5" fill="#eef3fb" '
                f'stroke="#4a6fa5"/><text x="{x + width // 2}" y="{y + 25}">{escape(name)}</text>'
            )
        across = 40 + max(column.values(), default=0) * step + width
        down = 80 + 70 * max(row.values(), default=0)
        tip = (
            '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" '
            'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#888"/></marker></defs>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" '
            f'font-family="sans-serif" font-size="14" text-anchor="middle">{tip}'
            f"{''.join(parts)}</svg>\n"
        )

    def __repr__(self) -> str:
        return f"<ExperimentGraph {', '.join(self.experiments)}>"


def _at(progress: Listener | None, place: tuple[int, int]) -> Listener | None:
    """A listener that is also told which experiment of the graph it is."""
    if progress is None:
        return None
    return lambda told: progress(replace(told, place=place))


def _tell_blocked(name: str, progress: Listener | None) -> None:
    if progress is not None:
        progress(Progress(experiment=name, status="blocked"))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
