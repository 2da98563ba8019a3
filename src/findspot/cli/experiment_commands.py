"""`findspot experiments` and `findspot experiment run`, `resume`, `graph`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from findspot.cli.options import (
    AsJson,
    Executor,
    Limit,
    Project,
    UsageMistake,
    Workers,
    existing_workspace,
    open_workspace,
)

if TYPE_CHECKING:
    from findspot.experiments.checking import Strategy
    from findspot.experiments.experiment import Experiment
    from findspot.experiments.experiment_graph import ExperimentGraph

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="file.py:name or module:name of an Experiment, an ExperimentGraph, or a function that "
        "returns one; file.py, where it holds only one.",
    ),
]
Replicates = Annotated[
    int | None, typer.Option("--replicates", help="Other than the experiment's.")
]
Treatments = Annotated[
    list[str] | None,
    typer.Option("--treatment", "-t", metavar="NAME", help="Only this one; repeatable."),
]
Plots = Annotated[
    bool,
    typer.Option("--plots/--no-plots", help="Save a plot of each metric that it is about."),
]
ArtifactPath = Annotated[
    str | None,
    typer.Option(
        help="Where copies of what steps log are published: a folder or a URL, with variables such "
        "as {{condition}}, {{replicate}}, {{step}}."
    ),
]
Register = Annotated[bool, typer.Option("--register", help="First fix and date its hypotheses.")]


def experiments(
    project: Project = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, typer.Option("--after", metavar="CURSOR", help="Go on after this page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List experiments, those with the newest runs first; and names that jobs merely share."""
    from findspot.cli.printing import age, coloured, note, print_json, print_table

    workspace = existing_workspace()
    found = workspace.list_experiments(project=project, limit=limit, cursor=cursor)
    groups = workspace.list_job_groups(project=project)[:limit] if cursor is None else []
    if as_json:
        listed = [
            {"name": each.name, "project": each.project, "newest": each.newest.to_json()}
            for each in found
        ]
        shared = [{"name": g.name, "jobs": g.jobs, "newest": g.newest.isoformat()} for g in groups]
        print_json({"experiments": listed, "shared_names": shared, "next": found.next})
        return
    if found or not groups:
        print_table(
            ("experiment", "run", "status", "cells", "failed", "started"),
            (
                (
                    each.name,
                    run.number,
                    coloured(run.status),
                    f"{run.finished}/{run.total}",
                    run.failed or "",
                    age(run.started),
                )
                for each, run in ((each, each.newest) for each in found)
            ),
            empty="No experiment was run yet. Run one: findspot experiment run file.py:name",
            whole=("experiment", "status", "cells", "started"),
        )
    if groups:
        if found:
            typer.echo()
        print_table(
            ("name shared by jobs", "jobs", "newest"),
            ((group.name, group.jobs, age(group.newest)) for group in groups),
            empty="",
            whole=("name shared by jobs", "jobs", "newest"),
        )
        note("The jobs of a name: findspot jobs --experiment NAME")
    if found.next is not None:
        note(f"There are more: findspot experiments --after {found.next}")


def run(
    target: Target,
    strategy: Annotated[
        Literal["rerun", "resume", "fill"],
        typer.Option(
            help="rerun: all cells, as a new run; resume: what is missing or has changed; fill: "
            "only what is missing."
        ),
    ] = "rerun",
    executor: Executor = None,
    workers: Workers = None,
    replicates: Replicates = None,
    treatment: Treatments = None,
    artifact_path: ArtifactPath = None,
    register: Register = False,
    plots: Plots = True,
    as_json: AsJson = False,
) -> None:
    """Run an experiment, or all of a graph; show summary, verdicts and ranking.

    Ends with exit code 0 when all cells finished, 1 when one failed, 130 when it was interrupted.
    """
    _run(
        target,
        strategy,
        {
            "executor": executor,
            "workers": workers,
            "artifact_path": artifact_path,
            "register": register,
        },
        {"replicates": replicates, "treatment": treatment},
        plots=plots,
        as_json=as_json,
    )


def resume(
    target: Target,
    executor: Executor = None,
    workers: Workers = None,
    replicates: Replicates = None,
    treatment: Treatments = None,
    artifact_path: ArtifactPath = None,
    plots: Plots = True,
    as_json: AsJson = False,
) -> None:
    """Run what is missing of the newest run, or has changed since; the same as run --strategy
    resume."""
    _run(
        target,
        "resume",
        {"executor": executor, "workers": workers, "artifact_path": artifact_path},
        {"replicates": replicates, "treatment": treatment},
        plots=plots,
        as_json=as_json,
    )


def _run(
    target: str,
    strategy: Strategy,
    options: dict[str, Any],
    of_one: dict[str, Any],
    *,
    plots: bool,
    as_json: bool,
) -> None:
    from findspot.cli.experiment_progress import ExperimentProgress
    from findspot.cli.printing import note
    from findspot.cli.run_commands import import_from_here
    from findspot.cli.task_code import prints_aside, short_failures
    from findspot.experiments.experiment_graph import ExperimentGraph
    from findspot.experiments.targets import find_experiment

    import_from_here()
    progress = ExperimentProgress(shown=not as_json)
    workspace = open_workspace()
    try:
        with prints_aside(), short_failures(target):
            found = find_experiment(target)
            given = {name: value for name, value in of_one.items() if value is not None}
            if isinstance(found, ExperimentGraph):
                start = _of_graph(found, given)
            else:
                start = _of_experiment(found, given)
            with progress:
                result = start(
                    strategy=strategy, progress=progress.update, workspace=workspace, **options
                )
    except KeyboardInterrupt:
        note(f"findspot: interrupted{progress.reached}")
        note(f"Go on: findspot experiment resume {target}")
        raise typer.Exit(130) from None
    _show(result, plots=plots, as_json=as_json)
    if result.status == "incomplete":  # somebody cancelled its job
        note(f"Go on: findspot experiment resume {target}")
    if result.status != "finished":
        raise typer.Exit(1)


def _of_experiment(found: Experiment, given: dict[str, Any]) -> Callable[..., Any]:
    chosen = given.pop("treatment", None)
    if chosen is not None:
        by_name = {each.name: each for each in found.treatments}
        unknown = [name for name in chosen if name not in by_name]
        if unknown:
            raise UsageMistake(
                f"The experiment has no treatment {', '.join(map(repr, unknown))}.",
                how=f"There are: {', '.join(by_name) or 'none'}.",
            )
        given["treatments"] = [each for name, each in by_name.items() if name in chosen]

    return lambda **options: found.run(**given, **options)


def _of_graph(found: ExperimentGraph, given: dict[str, Any]) -> Callable[..., Any]:
    surplus = [f"--{name}" for name in given]
    if surplus:
        raise UsageMistake(
            f"This is a graph of experiments: {', '.join(surplus)} would mean something else for "
            "each of them.",
            how="Run one of them by its own name, or change them in the file.",
        )

    return found.run


def _show(result: Any, *, plots: bool, as_json: bool) -> None:
    from findspot.cli.experiment_text import print_result
    from findspot.cli.printing import note, print_json
    from findspot.experiments.experiment_graph import GraphResult

    graph = isinstance(result, GraphResult)
    results = list(result.values()) if graph else [result]
    saved = {each.experiment: each.save_plots() if plots and each.ran else [] for each in results}
    if as_json:
        documents = {
            each.experiment: {**each.to_json(), "plots": [v.uri for v in saved[each.experiment]]}
            for each in results
        }
        blocked = {name: error.what for name, error in result.blocked.items()} if graph else {}
        print_json(
            {"status": result.status, "experiments": documents, "blocked": blocked}
            if graph
            else documents[result.experiment]
        )
        return
    for index, each in enumerate(results):
        if index:
            typer.echo()
        print_result(each, plots=saved[each.experiment])
    if graph:
        for name, error in result.blocked.items():
            note(f"\n{name}: {error}")


def graph(
    target: Target,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="An .svg, .dot or .mmd file; else Mermaid."),
    ] = None,
) -> None:
    """Draw how experiments feed each other: as SVG, for Graphviz, or for Mermaid."""
    from findspot.cli.run_commands import import_from_here
    from findspot.cli.task_code import prints_aside, short_failures
    from findspot.experiments.experiment_graph import ExperimentGraph
    from findspot.experiments.targets import find_experiment

    import_from_here()
    with prints_aside(), short_failures(target):
        found = find_experiment(target)
        whole = found if isinstance(found, ExperimentGraph) else ExperimentGraph([found])
    forms = {".svg": whole.to_svg, ".dot": whole.to_dot, ".mmd": whole.to_mermaid}
    if to is None:
        typer.echo(whole.to_mermaid(), nl=False)
        return
    form = forms.get(to.suffix.lower())
    if form is None:
        raise UsageMistake(
            f"{to.name!r} says not how to draw.", how=f"End it in {', '.join(forms)}."
        )
    to.write_text(form(), encoding="utf-8")
    typer.echo(str(to))
