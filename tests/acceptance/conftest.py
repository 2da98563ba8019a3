"""Examples, copied to a folder of the test's own, and the `findspot` command to run there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

Command = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of a new user, who has just copied the examples; also the current one."""
    shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".findspot")
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def findspot(folder: Path) -> Command:
    """Runs the command in the folder; its standard output. Fails the test if the command fails,
    unless another exit code is expected."""

    def run(*arguments: str, exit_code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "findspot", *arguments],
            cwd=folder,
            env={**os.environ, "MPLBACKEND": "Agg", "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, f"{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout if exit_code == 0 else done.stdout + done.stderr

    return run


def parsed(text: str) -> Any:
    """What a command printed with ``--json``."""
    return json.loads(text)
