"""`findspot run` and `findspot check`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import AsJson, Labels, Project, open_workspace, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from findspot.engine.jobs import Job
    from findspot.engine.pipelines import Pipeline

Target = Annotated[
    str, typer.Argument(help="A YAML entrypoint, module:pipeline, or file.py:pipeline.")
]


def run(
    target: Target,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="A parameter, as name=value; repeatable."),
    ] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option(
            "--artifact",
            "-a",
            help="A saved version for an artifact input, as name=reference; repeatable.",
        ),
    ] = None,
    project: Project = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="What the job belongs to.")
    ] = None,
    executor: Annotated[
        str | None, typer.Option("--executor", help="inline, threads or processes.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Steps at once; 0: one for each core.")
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse what equal steps made before.")
    ] = True,
    seed: Annotated[int | None, typer.Option("--seed", help="Derive each step's seed.")] = None,
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Run an entrypoint or a pipeline as a job.

    Ends with exit code 0 when the job finished, 1 when it failed, 130 when it was interrupted.
    """
    from findspot.cli.progress import JobProgress
    from findspot.engine.targets import find_target

    found = find_target(target)
    params = _params(found, pairs(param, "--param"))
    artifacts = pairs(artifact, "--artifact")
    labels = pairs(label, "--label")
    progress = JobProgress(steps=0) if sys.stderr.isatty() and not as_json else nullcontext()
    with progress as shown:
        job = open_workspace().run(
            found,
            params=params,
            artifacts=artifacts,
            project=project,
            experiment=experiment,
            executor=executor,
            workers=workers,
            cache=cache,
            seed=seed,
            labels=labels,
            on_step=None if shown is None else shown.update,
        )
    print_outcome(job, as_json=as_json)


def print_outcome(job: Job, *, as_json: bool) -> None:
    """Say what became of a job, and end with its exit code."""
    from findspot.cli.documents import job_document
    from findspot.cli.printing import print_json

    if as_json:
        print_json(job_document(job, details=True))
    else:
        from findspot.cli.job_commands import print_job

        print_job(job)
    if job.status != "finished":
        raise typer.Exit(130 if job.status == "interrupted" else 1)


def _params(found: Path | Pipeline[..., Any], texts: dict[str, str]) -> dict[str, Any]:
    """Parameters read by their types; what is no parameter is left for the run to complain of,
    with all other mistakes."""
    from findspot.core.errors import CheckFailed
    from findspot.engine.entrypoints import check_file
    from findspot.engine.pipelines import Pipeline
    from findspot.graph.values import parse_parameters

    if not texts:
        return {}
    if isinstance(found, Pipeline):
        graph = found.graph()
    else:
        graph, problems = check_file(found)
        if problems:
            raise CheckFailed(f"The entrypoint {str(found)!r}", problems)
    known = {name: text for name, text in texts.items() if name in graph.parameters}
    values, wrong = parse_parameters(graph, known)
    if wrong:
        raise CheckFailed("The option --param", wrong)
    return {**{name: texts[name] for name in texts if name not in known}, **values}


def check(target: Target, as_json: AsJson = False) -> None:
    """Check an entrypoint or a pipeline without running it; lists every mistake."""
    from findspot.cli.printing import print_json
    from findspot.core.errors import CheckFailed

    problems = open_workspace().check(target)
    if as_json:
        print_json(
            [
                {
                    "path": problem.path,
                    "message": problem.message,
                    "location": problem.location,
                    "expected": problem.expected,
                    "found": problem.found,
                    "hint": problem.hint,
                }
                for problem in problems
            ]
        )
        raise typer.Exit(2 if problems else 0)
    if problems:
        raise CheckFailed(target, problems)
    typer.echo(f"{target}: no mistakes.")
