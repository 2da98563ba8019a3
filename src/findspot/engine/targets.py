"""What `run` and `check` are asked to work on: a YAML file, or a pipeline somewhere in Python."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from findspot.core.errors import NotFound
from findspot.engine.errors import BadTarget
from findspot.engine.pipelines import Pipeline
from findspot.engine.sources import imported


def find_target(what: str | Path | Pipeline[..., Any]) -> Path | Pipeline[..., Any]:
    """A YAML file's path, or the pipeline that ``module:name`` or ``file.py:name`` leads to.

    Modules are looked for in the current folder too.

    Raises:
        NotFound: there is nothing of that name.
        FindspotError: what is there is no pipeline.
    """
    if isinstance(what, Pipeline):
        return what
    text = os.fspath(what)
    if isinstance(what, Path) or text.endswith((".yaml", ".yml")) or ":" not in text:
        path = Path(text)
        if path.suffix == ".py":
            return _only_pipeline(path, _module_of(path))
        return path
    place, _, name = text.rpartition(":")
    if place.endswith(".py"):
        module = _module_of(Path(place))
        found = getattr(module, name, None)
        if found is None:
            names = [n for n, value in vars(module).items() if isinstance(value, Pipeline)]
            raise NotFound("pipeline", text, near=names)
    else:
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        found = imported(text)
    if not isinstance(found, Pipeline):
        raise BadTarget(
            f"{text!r} is no pipeline, but a {type(found).__name__}.",
            how="Decorate the function with @pipeline.",
        )
    return found


def _only_pipeline(path: Path, module: ModuleType) -> Pipeline[..., Any]:
    found = {name: value for name, value in vars(module).items() if isinstance(value, Pipeline)}
    if len(found) != 1:
        names = ", ".join(f"{path}:{name}" for name in found) or f"{path}:name"
        raise BadTarget(f"{path} holds {len(found)} pipelines.", how=f"Name one: {names}")
    return next(iter(found.values()))


def _module_of(path: Path) -> ModuleType:
    """A file as a module that can be imported again by its stem, also in worker processes."""
    if not path.is_file():
        raise NotFound("file", str(path), how="Look at its name and the current folder.")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
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
