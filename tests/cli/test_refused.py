"""Commands that are refused: they change nothing, and make no workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import FLOW, Command

PLUGIN = """
from findspot.plugins import register

@register
def add(a: int, b: int = 1) -> int:
    return a + b
"""

YAML = """
plugins: [sums]
parameters: {a: 1}
graph:
  sum: {add: [$a]}
artifact_outputs:
  total: {contents: $sum, task: {name: json}}
"""

REFUSED = [
    "run total.yaml -p wrong=1",
    "run total.yaml -p a=many",
    "run total.yaml --workers 2 --executor nobody",
    "run total.yaml --artifact-path {{nowhere}}",
    "run total.yaml --project ../up",
    "run total.yaml -a a=no-such-artifact",
    "run total",
    "run flow.py:halving -p wrong=1",
    "run flow.py:halving --executor nobody",
    "run flow.py:publish -p wrong=1",
    "check total",
    "schedule add nightly total.yaml --cron @dail",
    "schedule add nightly total.yaml --cron @daily -p wrong=1",
    "schedule add nightly total --cron @daily",
    "schedule add ../nightly flow.py:halving --cron @daily",
    "plugins add nope",
    "plugins add sums --project ../up",
    "artifact save notes nofile.txt",
    "artifact save ../notes total.yaml",
    "import nofile.findspot",
]


@pytest.fixture
def written(folder: Path) -> Path:
    """A folder of code without a workspace."""
    (folder / "sums").mkdir()
    (folder / "sums" / "tasks.py").write_text(PLUGIN)
    (folder / "total.yaml").write_text(YAML)
    (folder / "flow.py").write_text(FLOW)
    return folder


@pytest.mark.parametrize("words", REFUSED)
def test_a_refused_command_makes_no_workspace(written: Path, findspot: Command, words: str) -> None:
    outcome = findspot(*words.split())
    assert outcome.code in (2, 3), outcome.err
    assert outcome.err.startswith("findspot: "), outcome.err
    assert not (written / ".findspot").exists()


@pytest.mark.parametrize("words", [words for words in REFUSED if words.startswith("run")])
def test_a_refused_run_records_no_snapshots(written: Path, findspot: Command, words: str) -> None:
    assert findspot("init").code == 0
    assert findspot(*words.split()).code in (2, 3)
    assert findspot("plugins", "--json").document() == []
    assert findspot("entrypoints", "--json").document() == []
    assert findspot("jobs", "--json").document() == []


def test_what_is_right_is_run_and_recorded(written: Path, findspot: Command) -> None:
    assert findspot("run", "total.yaml", "-p", "a=4").code == 0
    assert findspot("artifact", "load", "total").out == "5\n"
    assert [p["name"] for p in findspot("plugins", "--json").document()] == ["sums"]
