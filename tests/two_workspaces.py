"""Workspaces in folders of a test's own, and a pickle that would be noticed if it were run."""

from __future__ import annotations

from pathlib import Path

from findspot import Workspace


def make_workspace(folder: Path, name: str) -> Workspace:
    """A new workspace below a folder."""
    workspace = Workspace(folder / name)
    workspace.init()
    return workspace


class Booby:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.trap, "sprung")
