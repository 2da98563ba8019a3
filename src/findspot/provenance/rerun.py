"""Run a job again, in a process of its own: ``python -m findspot.provenance.rerun request.json``.

The request names a scratch workspace. A graph's job is in it already, with nothing done of it; a
function's is started anew, with the parameters and inputs of the request.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any


def main(request: Mapping[str, Any]) -> None:
    """Run what the request says."""
    from findspot.artifacts.space import ArtifactSpace

    with ArtifactSpace(request["workspace"], project=request["project"]) as space:
        if request["kind"] == "graph":
            from findspot.engine.jobs import get_job

            get_job(space, request["job"]).resume(_pipeline(request))
        else:
            _call(space, request)


def _pipeline(request: Mapping[str, Any]) -> Any:
    """The pipeline of a script; None where the job's own can be imported."""
    module, _, name = str(request["target"]).partition(":")
    if module != "__main__":
        return None
    # As `multiprocessing` calls the main module of a program in its children: neither does its
    # main part run, nor do its functions count as others.
    found: Any = _module("__mp_main__", Path(request["script"]))
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _call(space: Any, request: Mapping[str, Any]) -> None:
    import inspect

    from findspot.engine.targets.functions import run_function

    module, _, name = str(request["target"]).partition(":")
    if module == "__main__":
        module = "__mp_main__"
    elif "." in module:
        importlib.import_module(module.rpartition(".")[0])
    found: Any = _module(module, Path(request["code"]))
    for part in name.split("."):
        found = getattr(found, part)
    function: Callable[..., Any] = getattr(found, "function", found)
    parameters = inspect.signature(function).parameters
    collects = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    # Parameters that the function logged itself are among the recorded ones.
    params = {n: v for n, v in request["params"].items() if collects or n in parameters}
    run_function(
        space,
        function,
        name=request["name"],
        params=params,
        inputs=request["inputs"],
        returns=request["returns"],
        artifact_path=request["artifact_path"],
        experiment=request["experiment"],
        labels=request["labels"],
        seed=request["seed"],
    )


def _module(name: str, file: Path) -> ModuleType:
    """A file as the module of that name."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
