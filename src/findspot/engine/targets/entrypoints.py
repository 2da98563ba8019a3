"""Entrypoints: a YAML file (or a pipeline) with its plugins, checked, recorded and made a plan.

A job is created from snapshots: of the YAML text and of every plugin that it names. To resume a
job, its plan is made again from the same snapshots.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.catalog.protocol import Batch
from findspot.core.errors import CheckFailed, FindspotError, NotFound, Problem
from findspot.core.ids import new_uid
from findspot.core.names import check_key
from findspot.core.records import JobRecord, Snapshot, document_digest, now
from findspot.engine.code.task_sources import (
    LiveTask,
    PluginHandler,
    PluginTask,
    TaskSource,
    imported,
)
from findspot.engine.errors import BadTarget, CannotResume
from findspot.engine.plans import Plan, make_plan
from findspot.engine.targets.graph_json import graph_to_json
from findspot.graph.spec import HandlerSpec, TaskGraph, TaskSpec
from findspot.graph.tasks import Task
from findspot.graph.yaml_graph import Document, checked_graph, read_document
from findspot.handlers import default_registry
from findspot.plugins.analysis import Analysis, analyse
from findspot.plugins.loading import load_plugin
from findspot.plugins.snapshots import read_analysis, snapshot

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A checked entrypoint, ready to run.

    Args:
        plugins: plugin name to the id of its snapshot.
    """

    plan: Plan
    snapshot: Snapshot
    plugins: Mapping[str, str]


def check_file(file: Path) -> tuple[TaskGraph, list[Problem]]:
    """The task graph of a YAML file, and every mistake in it and in its plugins.

    Nothing is run and nothing is recorded; plugins are read, not imported.

    Raises:
        NotFound: there is no such file.
    """
    document = read_document(file)
    problems: list[Problem] = []
    analyses: list[Analysis] = []
    for written, folder in zip(document.plugins, document.plugin_paths, strict=True):
        try:
            found = analyse(folder)
        except FindspotError as error:
            problems.append(_missing_plugin(document, written, error))
            continue
        problems.extend(found.problems)
        analyses.append(found)
    functions = _functions(document, problems)
    graph, found_problems = _graph(document, analyses, functions)
    return graph, [*problems, *found_problems]


def checked_file(file: Path) -> TaskGraph:
    """The task graph of a YAML file without mistakes; nothing is run and nothing is recorded.

    Raises:
        NotFound: there is no such file.
        CheckFailed: lists every mistake, of the file and of its plugins.
    """
    graph, problems = check_file(file)
    if problems:
        raise CheckFailed(f"The entrypoint {str(file)!r}", problems)
    return graph


def record_file(space: ArtifactSpace, file: Path, *, project: str) -> Entrypoint:
    """Record a YAML file with its plugins as they are now; `checked_file` found no mistakes.

    Raises:
        CheckFailed: somebody edited them since, and made one.
    """
    document = read_document(file)
    snapshots = [
        snapshot(
            folder, store=space.store, catalog=space.catalog, project=project, owner=space.owner
        )[0]
        for folder in document.plugin_paths
    ]
    plugins = {found.name: found.id for found in snapshots}
    body: dict[str, Any] = {
        "format": FORMAT,
        "syntax": "yaml",
        "file": file.name,
        "text": document.source,
        "plugins": plugins,
    }
    plan = _plan(space, document, snapshots)
    recorded = _recorded(space, check_key(plan.graph.name), body, project)
    return Entrypoint(plan, recorded, plugins)


def python_snapshot(space: ArtifactSpace, graph: TaskGraph, target: str, project: str) -> Snapshot:
    """The snapshot of a pipeline's graph; recorded where it differs from the newest.

    The graph itself is not in what is returned: the caller has it, and holds the snapshot long.
    """
    body = {
        "format": FORMAT,
        "syntax": "python",
        "target": target,
        "graph": graph_to_json(graph),
    }
    recorded = _recorded(space, graph.name, body, project)
    return replace(recorded, body={k: v for k, v in recorded.body.items() if k != "graph"})


def plan_of_job(space: ArtifactSpace, record: JobRecord) -> Plan:
    """The plan of a recorded job, made again from its snapshots.

    Raises:
        CannotResume: it has none (a script's job), or its pipeline cannot be imported here.
    """
    found = None if record.entrypoint is None else space.catalog.snapshot(record.entrypoint)
    if found is None:
        raise CannotResume(record.id, "it has no task graph (a script made it).")
    if found.body["syntax"] == "python":
        return _imported_plan(record, found.body["target"], record.options.get("file"))
    if found.body["syntax"] == "experiment":
        how = "run(strategy='resume') of the experiment runs what is missing."
        raise CannotResume(record.id, f"it is of the experiment {found.name!r}; {how}")
    try:
        return open_stored(space, found).plan
    except NotFound as error:
        raise CannotResume(record.id, error.what) from error


def open_stored(space: ArtifactSpace, found: Snapshot) -> Entrypoint:
    """The entrypoint of a YAML file's snapshot, with the plugins that were recorded with it.

    Raises:
        NotFound: the snapshot of a plugin is gone.
        CheckFailed: a function that it names is not what it was.
    """
    document = read_document(found.body["text"], name=found.name)
    plugins: dict[str, str] = found.body["plugins"]
    snapshots = []
    for name, id in plugins.items():
        plugin = space.catalog.snapshot(id)
        if plugin is None:
            raise NotFound("snapshot of the plugin", name, how="Record it again: open its file.")
        snapshots.append(plugin)
    return Entrypoint(_plan(space, document, snapshots), found, plugins)


def _imported_plan(record: JobRecord, target: str, file: str | None) -> Plan:
    from findspot.engine.targets.pipelines import Pipeline

    module, _, name = target.partition(":")
    if module == "__main__":
        if file is None or not _may_be_imported(file):
            shown = "file.py" if file is None else file
            raise CannotResume(
                record.id,
                f"its pipeline {name!r} lives in a script or notebook. Give it: "
                f"get_job(id).resume(pipeline), or --pipeline {shown}:{name}.",
            )
        module = Path(file).stem
        target = f"{module}:{name}"
    try:
        if file is not None and os.path.isfile(file):
            _import_from(Path(file), module)
        pipeline = imported(target)
    except (NotFound, BadTarget) as error:
        how = f"{error.how or ''} Or give it: --pipeline file.py:{name}"
        raise CannotResume(record.id, f"{error.what} {how}") from error
    if not isinstance(pipeline, Pipeline):
        raise CannotResume(record.id, f"{target!r} is no pipeline.")
    plan: Plan = pipeline.plan()
    return plan


def _may_be_imported(file: str) -> bool:
    """Whether a script only defines things when it is imported, as far as one can see."""
    try:
        return file.endswith(".py") and "__name__" in Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _import_from(file: Path, module: str) -> None:
    """Import a module from the file where it was when the job was run.

    Raises:
        BadTarget: another module of that name was imported already.
    """
    known = getattr(sys.modules.get(module), "__file__", None)
    if isinstance(known, str) and os.path.abspath(known) == str(file):
        return
    if "." not in module:
        from findspot.engine.targets.targets import module_of  # which imports this module's users

        module_of(file)
    elif module not in sys.modules:
        inside = file.parent if file.name == "__init__.py" else file
        root = str(inside.parents[module.count(".")])
        if root not in sys.path:
            sys.path.append(root)


def _plan(space: ArtifactSpace, document: Document, snapshots: Iterable[Snapshot]) -> Plan:
    analyses: list[Analysis] = []
    sources: dict[str, TaskSource] = {}
    handlers: dict[str, PluginHandler] = {}
    for found in snapshots:
        analysis = read_analysis(found)
        analyses.append(analysis)
        files = space.catalog.files(found.id)
        plugin = load_plugin(found, files, space.folder, store=space.store).source
        for spec in analysis.tasks.values():
            sources[spec.source] = PluginTask(plugin, spec.source)
        handlers.update({name: PluginHandler(plugin, name) for name in analysis.handlers})
    problems: list[Problem] = []
    functions = _functions(document, problems)
    sources.update({target: LiveTask(task) for target, task in functions.items()})
    graph, found_problems = _graph(document, analyses, functions)
    if problems or found_problems:
        raise CheckFailed(f"The entrypoint {document.name!r}", [*problems, *found_problems])
    by_task = {
        name: sources[spec.source] for name, spec in graph.tasks.items() if spec.source in sources
    }
    return make_plan(graph, by_task, handlers)


def _graph(
    document: Document, analyses: Iterable[Analysis], functions: Mapping[str, Task[..., Any]]
) -> tuple[TaskGraph, list[Problem]]:
    # Under the name that the document has for it: a function may be defined elsewhere.
    tasks: dict[str, TaskSpec] = {
        target: replace(task.spec, source=target) for target, task in functions.items()
    }
    handlers: dict[str, HandlerSpec] = {
        name: HandlerSpec(name=name, schema=...) for name in default_registry().names()
    }
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for analysis in analyses:
        for kind, offered in (("task", analysis.tasks), ("artifact task", analysis.handlers)):
            for name in offered:
                if name in owners:
                    problems.append(
                        Problem(
                            "$.plugins",
                            f"The {kind} {name!r} is in two plugins.",
                            found=f"{owners[name]} and {analysis.name}",
                            hint="Rename one of them.",
                        )
                    )
                owners[name] = analysis.name
        tasks.update(analysis.tasks)
        handlers.update(analysis.handlers)
    graph, found = checked_graph(document, tasks, handlers)
    return graph, [*problems, *found]


def _functions(document: Document, problems: list[Problem]) -> dict[str, Task[..., Any]]:
    """The functions of installed modules that a document names, as tasks."""
    found: dict[str, Task[..., Any]] = {}
    for target in document.functions:
        try:
            function = imported(target)
            found[target] = function if isinstance(function, Task) else Task(function)
        except FindspotError as error:
            problems.append(Problem("$.tasks", error.what, hint=error.how or "", found=target))
    return found


def _missing_plugin(document: Document, written: str, error: FindspotError) -> Problem:
    return Problem(
        "$.plugins",
        error.what,
        location=document.locations.get("$.plugins", ""),
        found=written,
        hint=error.how or "",
    )


def _recorded(space: ArtifactSpace, name: str, body: Mapping[str, Any], project: str) -> Snapshot:
    """The newest snapshot where it is equal, else a new one."""
    digest = document_digest(body)
    newest = space.catalog.find_snapshot("entrypoint", project, name)
    if newest is not None and newest.digest == digest:
        return newest
    made = Snapshot(
        id=new_uid(),
        resource="entrypoint",
        project=project,
        name=name,
        digest=digest,
        body=body,
        owner=space.owner,
        created=now(),
    )
    number = space.catalog.write(Batch(snapshots=[made]))[made.id]
    # Where another process was faster with an equal one, the number is that one's.
    recorded = space.catalog.find_snapshot("entrypoint", project, name, number)
    assert recorded is not None
    return recorded
