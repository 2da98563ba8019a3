"""A command line in a folder of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import FLOW, Command, Outcome
from findspot.cli import main

TUTORIAL = Path(__file__).parents[2] / "examples" / "tutorial"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: one without a workspace. What is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and file.startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.fixture
def findspot(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command, run in this process: fast, and with its exit code and output."""

    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["findspot", *arguments])
        before = os.environ.copy()
        with pytest.raises(SystemExit) as ended:
            main()
        # What --workspace leaves behind for worker processes ends with a real command's process.
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
        written = capfd.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Outcome(code, written.out, written.err)

    return run


@pytest.fixture
def workspace(folder: Path, findspot: Command) -> Path:
    """The current folder, with a workspace in it."""
    assert findspot("init").code == 0
    return folder


@pytest.fixture
def flow(workspace: Path) -> Path:
    """A file of pipelines in the current folder."""
    file = workspace / "flow.py"
    file.write_text(FLOW)
    return file


@pytest.fixture
def tutorial(workspace: Path) -> Path:
    """The tutorial's files, to be found as ``tutorial/...``."""
    (workspace / "tutorial").symlink_to(TUTORIAL)
    return workspace
