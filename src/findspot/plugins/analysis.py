"""What a plugin offers, read from its source alone: none of its code is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from findspot.core.errors import Problem
from findspot.core.types import Type
from findspot.graph.spec import HandlerSpec, TaskSpec
from findspot.plugins.source_files import PluginFiles, read_plugin
from findspot.plugins.source_handlers import find_handlers
from findspot.plugins.source_scope import OwnClass, PluginScope
from findspot.plugins.source_tasks import find_tasks
from findspot.plugins.source_types import class_type


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a plugin's source says about it.

    Args:
        files: relative paths of all its files, sorted.
        tasks: by the name that steps use.
        handlers: artifact tasks, by class name.
        classes: the types of the classes defined in it, by full name (``plugin.module.Class``).
        problems: every mistake found; a plugin with any cannot be recorded.
    """

    name: str
    files: tuple[str, ...]
    tasks: Mapping[str, TaskSpec] = field(default_factory=dict)
    handlers: Mapping[str, HandlerSpec] = field(default_factory=dict)
    classes: Mapping[str, Type] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def analyse(folder: Path) -> Analysis:
    """The tasks and artifact tasks of a plugin, a folder or one ``.py`` file; nothing is imported.

    Mistakes are listed in the result, each with file and line. Raises `NotFound` where there is no
    such folder, and `InvalidName` where its name cannot be a plugin's.
    """
    return analyse_files(read_plugin(folder))


def analyse_files(files: PluginFiles) -> Analysis:
    """As `analyse`, for files that were read already."""
    problems = list(files.problems)
    trees = {}
    for path, data in files.contents.items():
        if path.endswith(".py"):
            tree = _parse(files.name, path, data, problems)
            if tree is not None:
                trees[path] = tree
    scope = PluginScope.of(files.name, trees)
    tasks = find_tasks(scope, problems)
    handlers = find_handlers(scope, problems)
    for name in sorted(tasks.keys() & handlers.keys()):
        problems.append(
            Problem(
                name,
                f"A function task and an artifact task are both called {name!r}.",
                location=handlers[name].location,
                found=f"the function task at {tasks[name].location}",
                hint="Rename one of them.",
            )
        )
    classes = {
        own.name: class_type(own)
        for module in scope.modules.values()
        for qualname, node in module.classes.items()
        for own in [OwnClass(module, qualname, node)]
        if own.qualname not in handlers
    }
    return Analysis(files.name, tuple(files.contents), tasks, handlers, classes, tuple(problems))


def _parse(plugin: str, path: str, data: bytes, problems: list[Problem]) -> ast.Module | None:
    shown = f"{plugin}/{path}"
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(
            Problem(
                path,
                "The file is not UTF-8 text.",
                location=f"{shown}:{line}",
                found=f"byte 0x{data[error.start]:02x}",
                hint="Save the file with the encoding UTF-8.",
            )
        )
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape: shown when it is imported
            return ast.parse(data, filename=shown)
    except SyntaxError as error:
        problems.append(
            Problem(
                path,
                f"The file is not valid Python: {error.msg}.",
                location=f"{shown}:{error.lineno or 1}",
                found=(error.text or "").strip()[:200],
            )
        )
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "it is nested too deeply" if not isinstance(error, ValueError) else str(error)
        problems.append(
            Problem(path, f"The file is not valid Python: {reason}.", location=f"{shown}:1")
        )
    return None
