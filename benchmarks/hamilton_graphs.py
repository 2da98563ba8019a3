"""Hamilton's side of the task graphs: a module of functions, and a driver with its cache on."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def module(folder: Path, name: str, source: str) -> ModuleType:
    """Write a module and import it; Hamilton versions the code that it finds in files."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # Hamilton takes only functions whose module it finds there
    spec.loader.exec_module(loaded)
    return loaded


def driver(graph: ModuleType, cache: Path) -> Any:
    """A driver that keeps every result and its metadata in ``cache``."""
    os.environ["HAMILTON_TELEMETRY_ENABLED"] = "false"
    from hamilton import driver as hamilton_driver
    from hamilton import telemetry

    telemetry.disable_telemetry()
    return hamilton_driver.Builder().with_modules(graph).with_cache(path=str(cache)).build()
