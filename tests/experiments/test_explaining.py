"""Why the cells of an experiment ran."""

from __future__ import annotations

from pathlib import Path

from experiment_pieces import counted, maybe_die, maybe_fail, ran, save, scale
from findspot import Workspace
from findspot.experiments.treatments import Treatment


def test_the_parameter_that_changed_is_named(ws: Workspace, tmp_path: Path) -> None:
    counted(tmp_path).run()
    other = [Treatment("double", {"factor": 3.0})]
    counted(tmp_path, treatments=other).run(strategy="resume")
    found = ws.get_job("latest").explain()["double/1"]
    changes = {change.part: (change.old, change.new) for change in found.changes}
    assert found.verdict == "ran"
    assert changes["arguments.cell.parameters.factor"] == (2.0, 3.0)
    assert "arguments.cell.seed" not in changes
    assert found.code == ()
    assert "arguments.cell.parameters.factor: 2.0 -> 3.0" in found.render()


def test_code_that_changed_is_named(ws: Workspace, tmp_path: Path) -> None:
    counted(tmp_path).run()
    shorter = counted(tmp_path, pipeline=[ran, maybe_die, maybe_fail, scale, save])
    shorter.run(strategy="resume")
    found = ws.get_job("latest").explain()["baseline/0"]
    assert [part.what for part in found.code] == ["removed"]
    assert "total" in found.code[0].name
