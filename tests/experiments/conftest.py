"""A workspace for each test of experiments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from findspot import Workspace


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
