"""`findspot run NAME`: entrypoints that are recorded, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import FLOW, Command
from findspot import Workspace

PLUGIN = """
from findspot.plugins import register

@register
def add(a: int, b: int = 1) -> int:
    return a + b
"""

YAML = """
plugins: [sums]
parameters: {{a: {a}}}
graph:
  sum: {{add: [$a]}}
artifact_outputs:
  total: {{contents: $sum, task: {{name: json}}}}
"""


@pytest.fixture
def recorded(workspace: Path, findspot: Command) -> Path:
    """A workspace in which ``total`` is recorded twice, as of 1 and of 2; the files are gone."""
    (workspace / "sums").mkdir()
    (workspace / "sums" / "tasks.py").write_text(PLUGIN)
    for a in (1, 2):
        (workspace / "total.yaml").write_text(YAML.format(a=a))
        assert findspot("run", "total.yaml").code == 0
    (workspace / "total.yaml").unlink()
    (workspace / "sums" / "tasks.py").unlink()
    return workspace


def total(findspot: Command, *words: str) -> str:
    job = findspot("run", *words, "--json").document()
    return findspot("artifact", "load", job["outputs"]["total"]).out


def test_the_newest_version_and_another_one(recorded: Path, findspot: Command) -> None:
    assert total(findspot, "total") == "3\n"
    assert total(findspot, "total:1") == "2\n"
    assert total(findspot, "total:latest", "-p", "a=40") == "41\n"
    job = findspot("job", "show", "latest", "--json").document()
    assert (job["name"], job["params"]) == ("total", {"a": 40})


def test_an_artifact_for_a_parameter(recorded: Path, findspot: Command) -> None:
    assert findspot("artifact", "save", "seven", "--value", "7").code == 0
    assert total(findspot, "total", "-a", "a=seven") == "8\n"


def test_mistakes_are_listed(recorded: Path, findspot: Command) -> None:
    outcome = findspot("run", "total", "-p", "a=many", "-p", "c=1")
    assert outcome.code == 2
    assert "$.parameters.a" in outcome.err
    assert "c: there is no such parameter" in outcome.err
    missing = findspot("run", "totals")
    assert (missing.code, "Did you mean total" in missing.err) == (3, True)
    assert findspot("run", "total:9").code == 3
    assert findspot("check", "total").out == "total: no mistakes.\n"


def test_a_file_beside_it_is_spoken_of(recorded: Path, findspot: Command) -> None:
    (recorded / "total.yaml").write_text(YAML.format(a=9))
    outcome = findspot("run", "total")
    assert outcome.code == 0
    assert "total is the recorded entrypoint, version 2." in outcome.err
    assert "total.yaml" in outcome.err
    assert findspot("artifact", "load", "total").out == "3\n"


def test_a_file_of_the_same_name_is_not_guessed_at(recorded: Path, findspot: Command) -> None:
    (recorded / "total").write_text(YAML.format(a=9))
    outcome = findspot("run", "total")
    assert outcome.code == 2
    assert "'total' is a file, and the name of a recorded entrypoint." in outcome.err
    assert "Write ./total for the file, total:latest for the entrypoint." in outcome.err
    assert total(findspot, "total:latest") == "3\n"


def test_a_folder_of_the_same_name_is_no_entrypoint(recorded: Path, findspot: Command) -> None:
    (recorded / "total").mkdir()
    assert total(findspot, "total") == "3\n"
    assert "'sums' is a folder." in findspot("run", "sums").err


def test_a_recorded_pipeline_is_imported(workspace: Path, findspot: Command) -> None:
    (workspace / "flow.py").write_text(FLOW)
    assert findspot("run", "flow.py:halving").code == 0
    job = findspot("run", "halving", "-p", "x=2", "--json").document()
    assert (job["name"], job["params"], job["status"]) == ("halving", {"x": 2}, "finished")
    outcome = findspot("run", "halving:1")
    assert (outcome.code, "Leave the number out: halving" in outcome.err) == (2, True)


def test_in_python_too(recorded: Path) -> None:
    with Workspace(recorded) as ws:
        job = ws.run("total:1", params={"a": 5})
        assert job.outputs["total"].load() == 6
        assert ws.run(ws.entrypoints()[0]).outputs["total"].load() == 3
        assert ws.check("total") == []
