"""What `run` and `check` are asked to work on: a YAML file, or a pipeline or function in Python."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from findspot.core.errors import NotFound
from findspot.engine.code.project import package_prefix
from findspot.engine.code.task_sources import imported
from findspot.engine.errors import BadTarget
from findspot.engine.targets.pipelines import Pipeline
from findspot.graph.tasks import Task

Target = Path | Pipeline[..., Any] | FunctionType


def find_target(what: str | Path | Callable[..., Any]) -> Target:
    """A YAML file's path, or the pipeline or function that ``module:name`` or ``file.py:name``
    leads to.

    Modules are looked for in the current folder too.

    Raises:
        NotFound: there is nothing of that name.
        BadTarget: what is there is neither a pipeline nor a function.
    """
    if callable(what):
        return _checked(what, getattr(what, "__name__", repr(what)))
    text = _text_of(what)
    if isinstance(what, Path) or text.endswith((".yaml", ".yml")) or ":" not in text:
        path = Path(text)
        if path.suffix == ".py":
            return _only_pipeline(path, module_of(path))
        return path
    place, _, name = text.rpartition(":")
    if place.endswith(".py"):
        module = module_of(Path(place))
        found = getattr(module, name, None)
        if found is None:
            names = [n for n, v in vars(module).items() if _is_target(v, module.__name__)]
            raise NotFound("pipeline or function", text, near=names)
    else:
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        found = imported(text)
    return _checked(found, text)


def find_pipeline(what: str | Path | Callable[..., Any]) -> Pipeline[..., Any]:
    """As `find_target`, where only a pipeline will do."""
    found = find_target(what)
    if not isinstance(found, Pipeline):
        raise BadTarget(f"{what!s} is no pipeline.", how="Decorate the function with @pipeline.")
    return found


def find_function(
    what: str | Path | Callable[..., Any], name: str | None = None
) -> Callable[..., Any]:
    """A function by ``module:name`` or ``file.py:name``, or by a file and its name.

    Raises:
        NotFound: there is nothing of that name.
        BadTarget: it is no function.
    """
    if callable(what):
        found = find_target(what)
    else:
        text = _text_of(what)
        if name is None and ":" not in text:
            raise BadTarget(
                f"{text!r} says not which function to run.", how="Write file.py:function."
            )
        found = find_target(text if name is None else f"{text}:{name}")
    if isinstance(found, Pipeline):
        raise BadTarget(f"{found.name!r} is a pipeline.", how="Run it by its own run().")
    if isinstance(found, Path):
        raise BadTarget(f"{str(found)!r} is no Python function.")
    return found


def find_object(text: str, role: str, wanted: Callable[[Any], bool]) -> Any:
    """What ``module:name`` or ``file.py:name`` leads to, or a file's only object that is wanted.

    Args:
        role: what is looked for, in messages.

    Raises:
        NotFound: there is nothing of that name.
        BadTarget: the file alone is named, and holds not just one.
    """
    place, colon, name = text.rpartition(":")
    if not colon and text.endswith(".py"):
        module = module_of(Path(text))
        names = [n for n, value in vars(module).items() if wanted(value)]
        if len({id(vars(module)[n]) for n in names}) == 1:
            return vars(module)[names[0]]
        listed = ", ".join(f"{text}:{n}" for n in names) or f"{text}:name"
        raise BadTarget(f"{text} holds {len(names)} {role}s.", how=f"Name one: {listed}")
    if not place.endswith(".py"):
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        return imported(text)
    module = module_of(Path(place))
    found = getattr(module, name, None)
    if found is None:
        near = [n for n, value in vars(module).items() if wanted(value)]
        raise NotFound(role, text, near=near)
    return found


def _text_of(what: str | Path) -> str:
    given: object = what
    if not isinstance(given, str | os.PathLike):
        raise BadTarget(
            f"A value of type {type(given).__name__} is nothing that can be run.",
            how="Give a YAML file's path, file.py:name, module:name, a pipeline or a function.",
        )
    return os.fspath(what)


def _checked(found: Any, text: str) -> Target:
    if isinstance(found, Task):
        found = found.function
    if not isinstance(found, Pipeline | FunctionType):
        raise BadTarget(
            f"{text!r} is neither a pipeline nor a function, but of class {type(found).__name__}.",
            how=f"Experiments are run by: findspot experiment run {text}"
            if _is_experiment(found)
            else "Name a function; decorate it with @pipeline if it calls tasks.",
        )
    return found


def _is_target(value: Any, module: str) -> bool:
    return isinstance(value, Pipeline) or (
        isinstance(value, FunctionType) and value.__module__ == module
    )


def _only_pipeline(path: Path, module: ModuleType) -> Pipeline[..., Any]:
    found = {name: value for name, value in vars(module).items() if isinstance(value, Pipeline)}
    if len(found) != 1:
        if found:
            names = ", ".join(f"{path}:{name}" for name in found)
            raise BadTarget(f"{path} holds {len(found)} pipelines.", how=f"Name one: {names}")
        raise BadTarget(f"{path} holds no pipeline.", how=_others(path, module))
    return next(iter(found.values()))


def _others(path: Path, module: ModuleType) -> str:
    """What else of a file can be run, and how."""
    values = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    experiments = [f"{path}:{name}" for name, value in values.items() if _is_experiment(value)]
    if experiments:
        return f"It has experiments: findspot experiment run {', or '.join(experiments)}"
    functions = [
        f"{path}:{name}"
        for name, value in values.items()
        if isinstance(value, Task | FunctionType) and value.__module__ == module.__name__
    ]
    listed = ", ".join(functions[:5]) or f"{path}:name"
    return f"Decorate a function with @pipeline, or name one to be run by itself: {listed}"


def _is_experiment(value: object) -> bool:
    """Whether it is an experiment or a graph of them; that layer is above this one."""
    name = type(value).__name__
    return type(value).__module__.startswith("findspot.experiments.") and (
        name in ("Experiment", "ExperimentGraph")
    )


def module_of(path: Path) -> ModuleType:
    """A file as a module that can be imported again, also in worker processes: by its stem, or in
    its package's name where that can be imported from here."""
    if not path.is_file():
        raise NotFound("file", str(path), how="Look at its name and the current folder.")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    inside = _name_in_package(path)
    if inside is not None:
        return importlib.import_module(inside)
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None or known is not None:
        raise BadTarget(
            f"{path} cannot be imported: there is another module {path.stem!r}.",
            how="Rename the file.",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _name_in_package(path: Path) -> str | None:
    """What a file is called by those who import it from its package; None where nobody can."""
    folder = os.path.dirname(os.path.abspath(path))
    prefix = package_prefix(folder)
    if not prefix or not path.stem.isidentifier():
        return None
    top = Path(folder).parents[prefix.count(".") - 2] if prefix.count(".") > 1 else Path(folder)
    known = sys.modules.get(top.name)
    if known is not None and getattr(known, "__file__", None) != str(top / "__init__.py"):
        return None  # another package of that name is in use here
    if str(top.parent) not in sys.path:
        sys.path.insert(0, str(top.parent))
    return prefix[:-1] if path.stem == "__init__" else prefix + path.stem
