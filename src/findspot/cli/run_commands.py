"""`findspot run` and `findspot check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import (
    Artifacts,
    AsJson,
    Executor,
    Labels,
    Params,
    Project,
    UsageMistake,
    Workers,
    open_workspace,
    pairs,
)

if TYPE_CHECKING:
    from findspot.core.records import StepRecord
    from findspot.engine.jobs import Job
    from findspot.engine.targets.pipelines import Pipeline
    from findspot.engine.targets.stored import Runnable
    from findspot.workspace import Workspace

    StepListener = Callable[[StepRecord], None]

Checked = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A YAML entrypoint, module:name or file.py:name of a pipeline, or the name of a "
        "recorded entrypoint.",
    ),
]
Target = Annotated[
    str,
    typer.Argument(
        help="A YAML entrypoint, module:name or file.py:name of a pipeline or function, or the "
        "name of a recorded entrypoint (name:3 for its version 3)."
    ),
]

# A paragraph each, so that Typer keeps them apart.
RUN_EXAMPLES = """Examples:

findspot run rescale.yaml -p title="Three ways" -a samples=samples:latest

findspot run training:train -p lr=0.1 --experiment sweep

findspot run training.py:train --executor processes --workers 4 --json

findspot run script.py:score -i rows=https://example.org/iris.csv -p depth=3"""


def run(
    target: Target,
    param: Params = None,
    artifact: Artifacts = None,
    item: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=URL",
            help="An input of a function: a URL, a path or a reference; repeatable.",
        ),
    ] = None,
    artifact_path: Annotated[
        str | None,
        typer.Option(
            help="Where readable copies of outputs and of what is logged are published: a folder "
            "or a URL, with variables such as {{project}}, {{job.id}}, {{step}}.",
        ),
    ] = None,
    returns: Annotated[
        list[str] | None,
        typer.Option(help="How a function's value is logged: key or key:kind; repeatable."),
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
    """Run an entrypoint, a pipeline or a function as a job.

    Ends with exit code 0 when the job finished, 1 when it failed, 130 when it was interrupted.
    """
    texts = pairs(param, "--param")
    artifacts = {**pairs(artifact, "--artifact"), **pairs(item, "--input")}
    labels = pairs(label, "--label")
    belongs: dict[str, Any] = {
        "project": project,
        "experiment": experiment,
        "labels": labels,
        "seed": seed,
    }
    of_graphs = {"executor": executor, "workers": workers, "cache": None if cache else False}
    of_functions = {"returns": returns}
    if artifact_path is not None:
        belongs["artifact_path"] = artifact_path

    def started(on_step: StepListener) -> Job:
        workspace = open_workspace()
        found = find(workspace, target, project)
        if isinstance(found, FunctionType):
            chosen = _only(of_functions, of_graphs, "A function runs here and now")
        else:
            chosen = _only(of_graphs, of_functions, "This is no function")
            chosen["on_step"] = on_step
        params = _params(workspace, found, texts, artifacts, project)
        return workspace.run(found, params=params, artifacts=artifacts, **belongs, **chosen)

    follow(target, started, as_json=as_json)


def _only(wanted: dict[str, Any], other: dict[str, Any], reason: str) -> dict[str, Any]:
    """The given options of one kind of target.

    Raises:
        UsageMistake: some of the other kind are given.
    """
    surplus = [f"--{name.replace('_', '-')}" for name, value in other.items() if value is not None]
    if surplus:
        raise UsageMistake(f"{reason}: {', '.join(surplus)} mean nothing for it.")
    return {name: value for name, value in wanted.items() if value is not None}


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


def find(workspace: Workspace, target: str, project: str | None = None) -> Runnable:
    """What a command is asked to work on.

    Raises:
        UsageMistake: a folder was given.
        NotFound: there is nothing of that name.
    """
    from findspot.cli.printing import note
    from findspot.core.errors import NotFound
    from findspot.core.records import Snapshot
    from findspot.engine.targets.stored import find_runnable

    try:
        found = find_runnable(workspace, target, project)
    except NotFound:
        if Path(target).is_dir():
            how = "Name the YAML or Python file in it."
            raise UsageMistake(f"{target!r} is a folder.", how=how) from None
        raise
    if isinstance(found, Snapshot):
        edited = [file for file in (f"{target}.yaml", f"{target}.yml") if Path(file).is_file()]
        if edited:
            note(
                f"{target} is the recorded entrypoint, version {found.number}. "
                f"The file as it is now: {edited[0]}"
            )
    return found


def find_pipeline(target: str) -> Pipeline[..., Any]:
    """A pipeline by ``module:pipeline`` or ``file.py:pipeline``."""
    from findspot.engine.targets.pipelines import Pipeline

    found = find(open_workspace(), target)
    if not isinstance(found, Pipeline):
        raise UsageMistake(
            f"{target!r} names no pipeline.", how="Write module:pipeline or file.py:pipeline."
        )
    return found


def _params(
    workspace: Workspace,
    found: Runnable,
    texts: dict[str, str],
    artifacts: dict[str, str],
    project: str | None,
) -> dict[str, Any]:
    """Parameters read by their types; what is no parameter is left for the run to complain of,
    with all other mistakes.

    Raises:
        CheckFailed: a text cannot be read; lists everything that is wrong with the values.
    """
    from findspot.core.errors import CheckFailed
    from findspot.engine.targets.target_jobs import mistakes_in_values, target_graph
    from findspot.graph.values import parse_parameters

    if not texts:
        return {}
    graph, problems = target_graph(workspace, found)
    if problems and isinstance(found, Path):
        raise CheckFailed(f"The entrypoint {str(found)!r}", problems)
    known = {name: text for name, text in texts.items() if name in graph.parameters}
    values, wrong = parse_parameters(graph, known)
    params = {**texts, **values}
    if wrong:
        place = project or workspace.project
        unread = known.keys() - values.keys()
        others = (
            mistakes_in_values(workspace, found, graph, params, artifacts, place, unread=unread)
            if not problems
            else []
        )
        raise CheckFailed(f"The values for {graph.name!r}", [*wrong, *others])
    return params


def check(target: Checked, as_json: AsJson = False) -> None:
    """Check an entrypoint or a pipeline without running it; lists every mistake."""
    from findspot.cli.printing import print_json
    from findspot.cli.task_code import prints_aside, short_failures
    from findspot.core.errors import CheckFailed
    from findspot.engine.targets.target_jobs import mistakes_in_target

    import_from_here()
    with prints_aside(), short_failures(target):
        workspace = open_workspace()
        problems = mistakes_in_target(workspace, find(workspace, target))
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
