"""Try a handler out: what was saved, loaded again, without any workspace."""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from findspot.handlers.folders import PlainLoadFolder, PlainSaveFolder
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import ArtifactHandler
from findspot.handlers.registry import HandlerRegistry, default_registry


def round_trip(
    value: Any,
    handler: type[Any] | ArtifactHandler | Handler | str | None = None,
    *,
    folder: Path | None = None,
    registry: HandlerRegistry | None = None,
    **args: Any,
) -> Any:
    """``value`` saved to a folder and loaded from it, for tests of your own handlers.

    The registry is left as it was. What is loaded is trusted, for it was made here.

    Args:
        handler: a handler, its class or its name; by default the one that the registry finds.
        folder: an empty directory for the files; by default a temporary one, which is there until
            the process ends, as the loaded value may still read from it.
        args: keyword arguments of the handler's `save` and `load`.

    >>> round_trip({"lr": 0.1, "layers": (64, 32)})
    {'lr': 0.1, 'layers': (64, 32)}
    """
    known = (registry or default_registry()).copy()
    if handler is None:
        found = known.for_value(value)
    elif isinstance(handler, str):
        found = known.by_name(handler)
    else:
        found = known.register(handler)
    root = Path(mkdtemp(dir=_scratch())) if folder is None else folder
    found.save(value, PlainSaveFolder(root), **args)
    return found.load(PlainLoadFolder(root, trusted=True), **args)


@cache
def _scratch() -> str:
    path = mkdtemp(prefix="findspot-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
