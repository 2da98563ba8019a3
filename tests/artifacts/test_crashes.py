"""A process killed at any call of a save leaves a consistent workspace, and the next save works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from findspot import Workspace

PROGRAM = Path(__file__).parent / "killed_save.py"


def killed(scenario: str, base: Path, step: int) -> list[Path]:
    """The folders that the killed processes left behind, and last that of the one that lived."""
    run = subprocess.run(
        [sys.executable, str(PROGRAM), scenario, str(base), str(step)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert run.returncode == 0, run.stderr
    numbers = sorted(int(path.name) for path in base.iterdir() if path.name.isdigit())
    assert len(numbers) > 5  # it was killed often
    return [base / str(number) for number in numbers]


def check(folder: Path, before: int, after: int) -> bool:
    """Assert that a save was recorded whole or not at all; whether it was."""
    with Workspace(folder) as space:
        space.init()
        report = space.verify()
        assert report.sound, report
        versions = list(space.iterate())
        assert len(versions) in (before, after)
        for version in versions:
            assert version.load() is not None
        recorded = len(versions) == after
        if recorded:
            assert "golden" in space.get_artifact("x").tags
        else:
            assert all("golden" not in version.tags for version in versions)
        number = space.get_artifact("x").version if versions else 0
        assert space.save_artifact(b"next " * 1000, "x").version == number + 1
        assert space.load_artifact("x") == b"next " * 1000
        assert space.store.tidy(older_than_seconds=0) >= 0
        assert space.verify().sound
    return recorded


@pytest.mark.parametrize(
    ("scenario", "count", "step"),
    [
        ("save_stored", 1, 4),
        pytest.param("save_small", 1, 1, marks=pytest.mark.slow),
        pytest.param("save_large", 1, 1, marks=pytest.mark.slow),
        pytest.param("save_folder", 1, 1, marks=pytest.mark.slow),
        pytest.param("save_stored", 1, 1, marks=pytest.mark.slow),
        pytest.param("save_batch", 3, 1, marks=pytest.mark.slow),
    ],
)
def test_a_save_killed_at_any_call_is_recorded_whole_or_not_at_all(
    tmp_path: Path, scenario: str, count: int, step: int
) -> None:
    with Workspace(tmp_path / "before") as space:
        space.save_artifact("first", "x")
    folders = killed(scenario, tmp_path, step)
    recorded = [check(folder, 1, 1 + count) for folder in folders]
    assert recorded[0] is False
    assert recorded[-1] is True
    # Once recorded it stays recorded, however much later the kill came.
    assert recorded == sorted(recorded)


@pytest.mark.slow
def test_the_first_save_of_a_workspace_killed_at_any_call(tmp_path: Path) -> None:
    folders = killed("save_stored", tmp_path, 16)
    recorded = [check(folder, 0, 1) for folder in folders]
    assert recorded == sorted(recorded)
    assert recorded[-1] is True
