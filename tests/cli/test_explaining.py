"""`findspot explain` and `findspot job cancel`."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from commands import Command, argv


def test_why_steps_ran_or_were_reused(flow: Path, findspot: Command) -> None:
    assert findspot("run", "flow:halving").code == 0
    assert findspot("run", "flow:halving", "-p", "x=4").code == 0
    said = findspot("explain", "latest")
    assert said.code == 0
    assert "start: ran. Changed since job" in said.out
    assert "arguments.x: 5 -> 4" in said.out
    assert findspot("run", "flow:halving", "-p", "x=4").code == 0
    steps = findspot("explain", "latest", "halve", "--json").document()["steps"]
    assert [(step["step"], step["verdict"]) for step in steps] == [("halve", "reused")]
    assert findspot("explain", "latest", "halv").code == 3
    assert findspot("explain", "nothing").code == 3


def test_a_running_job_is_cancelled(flow: Path, findspot: Command) -> None:
    running = subprocess.Popen(
        argv("run", "flow:waiting"), cwd=flow.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 120
        while not (flow.parent / "flag").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        cancelled = findspot("job", "cancel", "latest", "--json").document()
        assert (cancelled["name"], cancelled["status"]) == ("waiting", "cancelled")
        running.communicate(timeout=300)
        assert running.returncode != 0
    finally:
        running.kill()
        running.wait()


def test_a_job_that_has_ended_is_not_cancelled(flow: Path, findspot: Command) -> None:
    assert findspot("run", "flow:halving").code == 0
    assert findspot("job", "cancel", "latest").code == 4
    assert findspot("job", "cancel", "nothing").code == 3


@pytest.mark.parametrize("words", ["explain latest nope", "job log latest --step nope"])
def test_the_steps_there_are(flow: Path, findspot: Command, words: str) -> None:
    assert findspot("run", "flow.py:halving").code == 0
    outcome = findspot(*words.split())
    assert (outcome.code, outcome.out) == (3, "")
    assert "The job has the steps start, halve, publish." in outcome.err
    near = findspot(*words.replace("nope", "halves").split())
    assert "Did you mean halve?" in near.err
