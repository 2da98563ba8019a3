"""Figures as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measuring import OURS, Measure, Result, Scale


def ratio(result: Result, measure: Measure) -> float | None:
    """Findspot's figure over that of the peer that the bar names."""
    if measure.bar is None or measure.bar.of is None:
        return None
    ours = result.median(OURS, measure.name)
    theirs = result.median(measure.bar.of, measure.name)
    return ours / theirs if ours is not None and theirs else None


def verdict(result: Result, measure: Measure, *, full_size: bool) -> bool | None:
    """Whether the bar is reached; None where there is no bar, or no figure to hold to it."""
    bar = measure.bar
    if bar is None or (bar.full_size_only and not full_size):
        return None
    if OURS in result.failures:
        return False
    reached = ratio(result, measure) if bar.of else result.median(OURS, measure.name)
    if reached is None:
        return None
    return reached <= bar.limit if measure.better == "lower" else reached >= bar.limit


def bar_text(measure: Measure) -> str:
    """A bar as people read it."""
    if measure.bar is None:
        return ""
    sign = "at most" if measure.better == "lower" else "at least"
    limit = f"{measure.bar.limit:,g}"
    return f"{sign} {limit}" + (f" x {measure.bar.of}" if measure.bar.of else f" {measure.unit}")


def number(value: float | None) -> str:
    """A figure with three significant digits."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def show(result: Result, console: Console, *, full_size: bool) -> None:
    """Print the table of one workload."""
    subjects = [name for name in result.workload.subjects if name not in result.absent]
    table = Table(title=result.title, title_justify="left", title_style="bold")
    table.add_column("measure")
    for subject in subjects:
        table.add_column(subject, justify="right")
    for heading in ("ratio", "bar", ""):
        table.add_column(heading, justify="right" if heading == "ratio" else "left")
    for measure in result.workload.measures:
        mark = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}
        quotient = ratio(result, measure)
        table.add_row(
            f"{measure.name}, {measure.unit}" if measure.unit else measure.name,
            *(number(result.median(subject, measure.name)) for subject in subjects),
            "" if quotient is None else f"{quotient:.2f}",
            bar_text(measure),
            mark[verdict(result, measure, full_size=full_size)],
        )
    console.print(table)
    if result.workload.notes:
        console.print(result.workload.notes, style="dim")
    for subject, reason in result.absent.items():
        console.print(f"{subject} is left out: {reason}", style="yellow", markup=False)
    for subject, reason in result.failures.items():
        console.print(f"{subject} failed: {reason}", style="red", markup=False)
    console.print()


def verdicts(results: Sequence[Result], *, full_size: bool) -> dict[str, bool]:
    """For every bar that applies, ``workload: measure``, whether it is reached."""
    return {
        f"{result.workload.name}: {measure.name}": answer
        for result in results
        for measure in result.workload.measures
        if (answer := verdict(result, measure, full_size=full_size)) is not None
    }


def missed(results: Sequence[Result], *, full_size: bool) -> list[str]:
    """The bars that were not reached."""
    answers = verdicts(results, full_size=full_size)
    return [name for name, reached in answers.items() if not reached]


def summary(results: Sequence[Result], *, full_size: bool) -> str:
    """How many bars were reached, and which were not."""
    count = len(verdicts(results, full_size=full_size))
    short = missed(results, full_size=full_size)
    text = f"{count - len(short)} of {count} bars reached"
    return text + (f"; missed: {', '.join(short)}" if short else "")


def document(
    results: Sequence[Result], scale: Scale, machine: Mapping[str, str], *, full_size: bool
) -> dict[str, Any]:
    """All of it as a JSON document, with the figure of every repetition."""
    return {
        "format": 1,
        "machine": dict(machine),
        "scale": {name: getattr(scale, name) for name in Scale.__dataclass_fields__},
        "workloads": [
            {
                "name": result.workload.name,
                "title": result.title,
                "failures": result.failures,
                "absent": result.absent,
                "measures": [
                    {
                        "name": measure.name,
                        "unit": measure.unit,
                        "better": measure.better,
                        "figures": {
                            subject: figures[measure.name]
                            for subject, figures in result.figures.items()
                            if measure.name in figures
                        },
                        "medians": {
                            subject: result.median(subject, measure.name)
                            for subject in result.figures
                        },
                        "ratio": ratio(result, measure),
                        "bar": bar_text(measure),
                        "reached": verdict(result, measure, full_size=full_size),
                    }
                    for measure in result.workload.measures
                ],
            }
            for result in results
        ],
    }
