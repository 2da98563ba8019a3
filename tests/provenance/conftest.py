"""A workspace, and projects of source files that can be edited between runs."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

import pytest

from findspot import Workspace
from provenance_pieces import Write


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace; also the current one."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path / "workspace"
        patch.setenv("FINDSPOT_WORKSPACE", str(folder))
        workspace = Workspace(folder)
        workspace.init()
        yield workspace
        workspace.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder of the user's modules: the current one, and first on the search path."""
    folder = tmp_path / "project"
    folder.mkdir()
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setattr("sys.dont_write_bytecode", True)
        yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def write(project: Path) -> Write:
    """Writes a module, or writes it anew, and imports it as it is now."""

    def written(name: str, source: str) -> ModuleType:
        (project / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        sys.modules.pop(name, None)
        invalidate_caches()
        return import_module(name)

    return written
