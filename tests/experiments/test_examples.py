"""The examples do what their texts say, also when they are killed in the middle."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "experiments"


def start(workspace: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "FINDSPOT_WORKSPACE": str(workspace)}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=EXAMPLES,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    with process:
        said, _ = process.communicate()
    assert process.returncode == 0
    return said


@pytest.mark.slow
def test_the_second_file_takes_up_what_the_first_one_wrote(tmp_path: Path) -> None:
    said = output(start(tmp_path, "experiment1.py"))
    assert "<Result exp1 v1: finished, 4 of 4 cells>" in said
    found = re.search(r"The artifacts are in (.*)", said)
    assert found is not None
    folder = Path(found[1])
    assert (folder / "1/trimmed/ModelStep/model.bin").read_bytes() == b"binary data"
    assert (folder / "metadata.json").is_file()
    said = output(start(tmp_path, "experiment2.py"))
    assert "exp1 <Result exp1 v1: finished, 4 of 4 cells> (0 cells were run now)" in said
    assert "exp2 <Result exp2 v1: finished, 4 of 4 cells> (4 cells were run now)" in said


@pytest.mark.slow
def test_the_second_file_alone_runs_both(tmp_path: Path) -> None:
    said = output(start(tmp_path, "experiment2.py"))
    assert re.findall(r"\((\d) cells were run now\)", said) == ["4", "4"]
    said = output(start(tmp_path, "experiment2.py"))
    assert re.findall(r"\((\d) cells were run now\)", said) == ["0", "0"]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "dask:", "ray:"])
def test_one_option_chooses_where_the_comparison_runs(tmp_path: Path, executor: str) -> None:
    few = ("classifiers.py", "--replicates", "3")
    here = output(start(tmp_path / "here", *few))
    there = output(start(tmp_path / "there", *few, "--executor", executor, "--workers", "2"))
    assert "9 of 9 cells> (9 cells were run now)" in there
    facts = [line for line in here.splitlines() if not line.startswith("The models")]
    assert [line for line in facts if line not in there.splitlines()] == []


def finished_steps(folder: Path) -> int:
    catalog = f"file:{folder}/.findspot/catalog.db?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(catalog, uri=True)) as connection:
            query = "SELECT count(*) FROM steps WHERE status = 'finished'"
            (count,) = connection.execute(query).fetchone()
    except sqlite3.OperationalError:
        return 0  # it is not made yet
    return int(count)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_the_comparison_goes_on_after_a_kill(tmp_path: Path, executor: str) -> None:
    arguments = ("classifiers.py", "--executor", executor, "--workers", "2")
    process = start(tmp_path, *arguments)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if finished_steps(tmp_path) > 5:
            break
        time.sleep(0.02)
    process.kill()
    process.communicate()
    said = output(start(tmp_path, *arguments))
    assert "<Result classifiers v1: finished, 60 of 60 cells>" in said
    verdicts = re.findall(r"^(\w+), (\w+) against the baseline: (.*?);", said, re.MULTILINE)
    assert verdicts == [
        (metric, treatment, "confirmed as registered")
        for metric in ("accuracy", "log_loss")
        for treatment in ("forest", "logistic")
    ]
    again = output(start(tmp_path, "classifiers.py"))
    assert "60 of 60 cells> (0 cells were run now)" in again
    more = output(start(tmp_path, "classifiers.py", "--replicates", "21"))
    assert "63 of 63 cells> (3 cells were run now)" in more
