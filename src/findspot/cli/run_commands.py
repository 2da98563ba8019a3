"""`findspot run` and `findspot check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import (
    AsJson,
    Executor,
    Labels,
    Project,
    UsageMistake,
    Workers,
    open_workspace,
    pairs,
)

if TYPE_CHECKING:
    from findspot.core.records import StepRecord
    from findspot.engine.jobs import Job
    from findspot.engine.pipelines import Pipeline

    StepListener = Callable[[StepRecord], None]

Target = Annotated[
    str, typer.Argument(help="A YAML entrypoint, module:pipeline, or file.py:pipeline.")
]

# A paragraph each, so that Typer keeps them apart.
RUN_EXAMPLES = """Examples:

findspot run rescale.yaml -p title="Three ways" -a samples=samples:latest

findspot run training:train -p lr=0.1 --experiment sweep

findspot run training.py:train --executor processes --workers 4 --json"""


def run(
    target: Target,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option(
            "--artifact",
            "-a",
            metavar="NAME=REF",
            help="A saved version for an artifact input; repeatable.",
        ),
    ] = None,
    project: Project = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="What the job belongs to.")
    ] = None,
    executor: Executor = None,
    workers: Workers = None,
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
    texts = pairs(param, "--param")
    artifacts = pairs(artifact, "--artifact")
    labels = pairs(label, "--label")

    def started(on_step: StepListener) -> Job:
        found = find(target)
        return open_workspace().run(
            found,
            params=_params(found, texts),
            artifacts=artifacts,
            project=project,
            experiment=experiment,
            executor=executor,
            workers=workers,
            cache=cache,
            seed=seed,
            labels=labels,
            on_step=on_step,
        )

    follow(target, started, as_json=as_json)


def follow(what: str, start: Callable[[StepListener], Job], *, as_json: bool) -> None:
    """Run a job with its progress shown, say what became of it, and end with its exit code."""
    from findspot.cli.documents import job_document
    from findspot.cli.job_text import print_job
    from findspot.cli.printing import note, print_json, short_id
    from findspot.cli.progress import JobProgress
    from findspot.cli.task_code import prints_aside, short_failures

    import_from_here()
    progress = JobProgress(shown=sys.stderr.isatty() and not as_json)
    try:
        with prints_aside(), progress, short_failures(what):
            job = start(progress.update)
    except KeyboardInterrupt:
        note("findspot: interrupted")
        if progress.job is not None:
            note(f"Go on: findspot job resume {short_id(progress.job)}")
        raise typer.Exit(130) from None
    if as_json:
        print_json(job_document(job, details=True))
    else:
        print_job(job, failure_to=sys.stderr)
    if job.status != "finished":
        raise typer.Exit(130 if job.status == "interrupted" else 1)


def import_from_here() -> None:
    """Modules in the current folder can be imported, as with ``python -m``."""
    here = os.getcwd()
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)


def find(target: str) -> Path | Pipeline[..., Any]:
    """What a command is asked to work on.

    Raises:
        UsageMistake: a folder was given.
        NotFound: there is nothing of that name.
    """
    from findspot.engine.targets import find_target

    if Path(target).is_dir():
        raise UsageMistake(f"{target!r} is a folder.", how="Name the YAML or Python file in it.")
    return find_target(target)


def find_pipeline(target: str) -> Pipeline[..., Any]:
    """A pipeline by ``module:pipeline`` or ``file.py:pipeline``."""
    found = find(target)
    if isinstance(found, Path):
        raise UsageMistake(
            f"{target!r} names no pipeline.", how="Write module:pipeline or file.py:pipeline."
        )
    return found


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
    from findspot.cli.task_code import prints_aside, short_failures
    from findspot.core.errors import CheckFailed

    import_from_here()
    with prints_aside(), short_failures(target):
        problems = open_workspace().check(find(target))
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
