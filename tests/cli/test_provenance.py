"""`findspot diff` and `findspot reproduce`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import run_process

PIPELINE = """
from findspot import pipeline, task

@task
def add(x: int, y: int = 1) -> int:
    return x + y

@pipeline
def sums(x: int = 1):
    return {"sum": add(x)}
"""


@pytest.mark.slow
def test_two_jobs_are_compared_and_a_version_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "flow_of_sums.py").write_text(PIPELINE)
    ids = []
    for x in (1, 2):
        done = run_process("run", "flow_of_sums.py:sums", "-p", f"x={x}", "--json", cwd=tmp_path)
        ids.append(json.loads(done.out)["id"])
    compared = run_process("diff", *ids, cwd=tmp_path)
    assert compared.code == 0
    assert "x" in compared.out
    assert json.loads(run_process("diff", *ids, "--json", cwd=tmp_path).out)["params"]
    again = run_process("reproduce", "sum", "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert json.loads(again.out)["outcome"] == "identical"
    assert run_process("diff", ids[0], "nothing", cwd=tmp_path).code == 3
    assert run_process("reproduce", "nothing", cwd=tmp_path).code == 3
