"""What child processes and C code write in a worker is in the log of the step that ran."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace, pipeline, task
from findspot.engine.capturing.descriptors import last_words

everywhere = pytest.mark.parametrize("executor", ["processes", "dask:", "ray:"])

_BEGIN = """
import ctypes, os, subprocess, sys, time
from findspot.engine.capturing.capture import Capture
from findspot.engine.capturing.descriptors import Descriptors

below = Descriptors(sys.argv[1])
lines = []
def said(step):
    return [(line.source, line.text) for line in lines if line.step == step]
def until(true):
    while not true():
        time.sleep(0.01)
"""


def program(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BEGIN + textwrap.dedent(text), str(folder / "words")],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=folder,
        timeout=300,
    )


def test_each_byte_belongs_to_the_step_that_runs_and_is_passed_on_once(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        os.write(1, b"before\\n")
        with Capture(lines.append, below=below) as capture:
            with capture.step("j", "a"):
                print("python")
                os.write(1, b"raw\\n")
                subprocess.run(["sh", "-c", "echo child; echo wrong >&2"])
            os.write(1, b"between\\n")
            with capture.step("j", "b"):
                libc = ctypes.CDLL(None)
                libc.puts(b"native")
                sys.__stdout__.write("behind\\n")
                sys.__stdout__.flush()
                os.write(2, b"unfinished \\xc3")
        assert sorted(said("a")) == [
            ("print", "child"), ("print", "python"), ("print", "raw"), ("stderr", "wrong")
        ], lines
        assert sorted(said("b")) == [
            ("print", "behind"), ("print", "native"), ("stderr", "unfinished \\ufffd")
        ], lines
        """,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(
        ["before", "python", "raw", "child", "between", "native", "behind"]
    )
    assert done.stderr.splitlines() == ["wrong", "unfinished \ufffd"]


@pytest.mark.slow
def test_megabytes_are_read_while_they_are_written_and_their_space_is_given_back(
    tmp_path: Path,
) -> None:
    done = program(
        tmp_path,
        """
        with Capture(lines.append, below=below, echo=False) as capture, capture.step("j", "a"):
            subprocess.run(["sh", "-c", "yes 0123456789abcde | head -c 40000000"])
            file = sys.argv[1] + f"/{os.getpid()}-1"
            until(lambda: os.stat(file).st_blocks * 512 < 30_000_000)
        assert len(lines) > 90_000, len(lines)
        assert "more lines" in lines[-1].text
        """,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.slow
def test_a_progress_bar_of_a_child_is_its_last_state(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        with Capture(lines.append, below=below) as capture, capture.step("j", "a"):
            for i in range(5):
                os.write(2, b"\\r%d of 5" % (i + 1))
                time.sleep(0.2)
            os.write(2, b"\\n")
        assert said("a") == [("stderr", "5 of 5")], lines
        """,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_child_that_outlives_its_step_holds_nobody_up(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        lingers = "echo early; touch began; until [ -e go ]; do sleep 0.05; done; echo late"
        with Capture(lines.append, below=below) as capture:
            with capture.step("j", "a"):
                child = subprocess.Popen(["sh", "-c", lingers])
                until(lambda: os.path.exists("began"))
            assert child.poll() is None
            open("go", "w").close()
            child.wait()
            with capture.step("j", "b"):
                pass
        assert (said("a"), said("b")) == ([("print", "early")], []), lines
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["early", "late"]


@pytest.mark.slow
def test_last_words_are_those_of_the_dead(tmp_path: Path) -> None:
    done = program(
        tmp_path,
        """
        with Capture(lines.append, below=below) as capture, capture.step("j", "a"):
            os.write(1, b"all is well\\n")
            os.write(2, b"giving up\\n")
            os.abort()
        """,
    )
    assert done.returncode != 0
    folder = str(tmp_path / "words")
    (tmp_path / "words" / f"{os.getpid()}-2").write_text("alive")
    words = last_words(folder, time.time() - 60)
    assert words.startswith("giving up")
    assert "Fatal Python error: Aborted" in words
    assert [file.name for file in (tmp_path / "words").iterdir()] == [f"{os.getpid()}-2"]
    (tmp_path / "words" / f"{done.returncode % 7 + 4_000_000}-1").write_text("old")
    assert last_words(folder, math.inf) == ""


@task(cache=False)
def talks(i: int) -> int:
    sys.stdout.write(f"python {i}\n")
    subprocess.run([sys.executable, "-c", f"print('child {i}')"], check=True)
    ctypes.CDLL(None).puts(f"native {i}".encode())
    return i


@task(cache=False)
def crashes(x: int) -> int:
    ctypes.string_at(0)
    return x


@pytest.mark.slow
@everywhere
class TestWorkers:
    def test_each_step_has_what_its_children_wrote(self, ws: Workspace, executor: str) -> None:
        @pipeline
        def talking() -> Any:
            return {"xs": talks.map(list(range(6)))}

        job = talking.run(executor=executor, workers=2)
        assert job.status == "finished"
        for i in range(6):
            found = [line.text for line in job.log_lines if line.step == f"talks[{i}]"]
            assert sorted(found) == [f"child {i}", f"native {i}", f"python {i}"]

    def test_a_crash_in_native_code_says_where(self, ws: Workspace, executor: str) -> None:
        @pipeline
        def crashing() -> Any:
            return {"x": crashes(1)}

        job = crashing.run(executor=executor, workers=1)
        failure = job.steps["crashes"].failure
        assert failure is not None
        assert failure.type == "WorkerDied"
        assert "in crashes" in failure.traceback
