"""`findspot experiment show`, `results` and `compare`: what runs found, by the recorded name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from findspot.cli.options import AsJson, Project, UsageMistake, existing_workspace

if TYPE_CHECKING:
    from findspot.experiments.results import Result
    from findspot.workspace import Workspace

Recorded = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The experiment's name, or name@2 for a run of it; or file.py:name, whose own "
        "hypotheses are tested then.",
    ),
]
RunNumber = Annotated[
    int | None, typer.Option("--run", min=1, help="Another run than the newest one.")
]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", "-m", help="Only this metric; repeatable.")
]


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The experiment's name, or name@2 for a run of it."),
    ],
    run: RunNumber = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what is recorded of an experiment: conditions, runs and jobs, hypotheses."""
    from findspot.cli.experiment_text import print_experiment
    from findspot.cli.printing import print_json

    name, run = _named(name, run)
    found = existing_workspace().get_experiment(name, project=project)
    if as_json:
        chosen = found.result(run)
        listed = [each.to_json() for each in found.runs if run in (None, each.number)]
        print_json({**found.to_json(), "conditions": chosen.parameters, "runs": listed})
    else:
        print_experiment(found, run=run)


def results(
    name: Recorded,
    run: RunNumber = None,
    metric: Metrics = None,
    table: Annotated[
        bool, typer.Option("--table/--summary", help="A row for each cell and step.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    plot: Annotated[str | None, typer.Option("--plot", metavar="METRIC", help="Draw it.")] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="The plot's file: .png, .svg or .pdf."),
    ] = None,
    save_plot: Annotated[
        bool, typer.Option("--save-plot", help="Save the plot as an artifact.")
    ] = False,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run found: summary, verdicts and ranking, the table, or a plot."""
    from findspot.cli.experiment_text import print_result
    from findspot.cli.printing import print_json, print_table

    if plot is None and (to is not None or save_plot):
        raise UsageMistake("There is nothing to draw.", how="Name a metric: --plot accuracy.")
    found = _result(existing_workspace(), name, run, project)
    for each in metric or ():
        found.values(each)  # which says so where there is none
    if plot is not None:
        _plot(found, plot, to, save=save_plot)
    elif as_json:
        document = found.to_json()
        if table:
            document["table"] = _rows(found, metric)
        print_json(document)
    elif csv:
        _print_csv(_rows(found, metric))
    elif table:
        rows = _rows(found, metric)
        headers = list(rows[0]) if rows else []
        print_table(
            headers,
            ([_cell(row[name]) for name in headers] for row in rows),
            empty="No cell has run.",
            whole=("condition", "replicate", "step", "status"),
        )
    else:
        print_result(found, metrics=metric)


def compare(
    name: Recorded,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]",
            help="Another experiment, or a run (name@2): show what differs between the two.",
        ),
    ] = None,
    run: RunNumber = None,
    metric: Metrics = None,
    test: Annotated[
        Literal["paired_permutation", "wilcoxon", "t", "bootstrap_difference"] | None,
        typer.Option(help="By default that of the hypothesis, else paired_permutation."),
    ] = None,
    better: Annotated[
        Literal["higher", "lower", "either"] | None,
        typer.Option(help="By default as the hypothesis says, else either."),
    ] = None,
    correction: Annotated[
        Literal["holm", "fdr", "none"] | None, typer.Option(help="For being several; holm.")
    ] = None,
    condition: Annotated[
        tuple[str, str] | None,
        typer.Option("--condition", metavar="A B", help="Compare B with A, not the baseline."),
    ] = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Compare conditions by a paired test, as registered or exploratorily; or two experiments."""
    from findspot.cli.experiment_text import print_verdicts
    from findspot.cli.printing import print_json

    workspace = existing_workspace()
    if other is not None:
        if test or better or correction or condition or run:
            raise UsageMistake(
                "Two experiments are compared by their means: there is no test.",
                how="Leave out --test, --better, --correction, --condition and --run (name@2).",
            )
        _compare_two(workspace, name, other, metric, project, as_json=as_json)
        return
    found = _result(workspace, name, run, project)
    about = metric or list(dict.fromkeys(h.metric for h in found.recorded_hypotheses))
    verdicts = [
        verdict
        for each in about or list(found.metrics)
        for verdict in found.compare(
            each, test=test, better=better, correction=correction, conditions=condition
        )
    ]
    if as_json:
        print_json([verdict.to_json() for verdict in verdicts])
        return
    print_verdicts(verdicts)


def _compare_two(
    workspace: Workspace,
    before: str,
    after: str,
    metrics: list[str] | None,
    project: str | None,
    *,
    as_json: bool,
) -> None:
    from findspot.cli.printing import print_json
    from findspot.experiments.comparing import compare_runs

    found = compare_runs(workspace, before, after, project=project, metrics=metrics)
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.render())


def _result(workspace: Workspace, name: str, run: int | None, project: str | None) -> Result:
    """A result by its experiment's name or by the place of its code."""
    from findspot.cli.run_commands import import_from_here
    from findspot.cli.task_code import prints_aside, short_failures
    from findspot.experiments.experiment import Experiment
    from findspot.experiments.targets import find_experiment, is_target

    if not is_target(name):
        name, run = _named(name, run)
        return workspace.get_result(name, run, project=project)
    import_from_here()
    with prints_aside(), short_failures(name):
        found = find_experiment(name)
        if not isinstance(found, Experiment):
            listed = ", ".join(found.experiments)
            raise UsageMistake(
                f"{name!r} is a graph of experiments.", how=f"Name one of them: {listed}."
            )
        return found.result(run)


def _named(name: str, run: int | None) -> tuple[str, int | None]:
    """An experiment, and the run that its name or the option says."""
    from findspot.experiments.recorded import run_named

    named, number = run_named(name)
    if None not in (run, number) and run != number:
        raise UsageMistake(f"{name!r} and --run {run} are two runs.", how="Say one of them.")
    return named, run if number is None else number


def _plot(result: Result, metric: str, to: Path | None, *, save: bool) -> None:
    from findspot.cli.printing import note

    if to is not None and to.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageMistake(f"{to.name!r} says not how to draw.", how="End it in .png, .svg, .pdf.")
    if to is None and not save:
        raise UsageMistake("Where is the plot to go?", how="Say --to FILE.png, or --save-plot.")
    figure = result.plot(metric)
    if to is not None:
        figure.savefig(to, dpi=150)
        typer.echo(str(to))
    if save:
        version = result.save_plot(metric, figure)
        note(f"Saved as {version.uri}")


def _rows(result: Result, metrics: list[str] | None) -> list[dict[str, Any]]:
    return result.table_rows(metrics)


def _print_csv(rows: list[dict[str, Any]]) -> None:
    import csv

    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
