"""Whether a recorded process still runs: certain when it says no, silent when it cannot know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from findspot.engine.process import is_alive, this_process

SAY_AND_WAIT = (
    "import json, sys\n"
    "from findspot.engine.process import this_process\n"
    "print(json.dumps(this_process()), flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running process and its own description, as it would stand in a job's record."""
    with subprocess.Popen(
        [sys.executable, "-c", SAY_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_this_process_is_alive() -> None:
    described = this_process()
    assert described["pid"] == os.getpid()
    assert is_alive(json.loads(json.dumps(described))) is True


def test_the_description_is_the_callers_own() -> None:
    this_process()["pid"] = 0
    assert this_process()["pid"] == os.getpid()


def test_another_process_is_alive_until_it_is_killed(
    other: tuple[subprocess.Popen[str], dict[str, Any]],
) -> None:
    process, described = other
    assert described["pid"] == process.pid
    assert is_alive(described) is True
    process.kill()
    # Killed and not yet waited for, it is still in the table of processes, but it has ended.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(described) is False
    process.wait()
    assert is_alive(described) is False


def test_a_process_id_that_was_used_again_is_another_process() -> None:
    described = this_process()
    assert described["started"] is not None
    described["started"] = described["started"] - 1
    assert is_alive(described) is False


def test_after_a_reboot_the_process_is_dead() -> None:
    described = {**this_process(), "boot": "an earlier one"}
    # Without the machine's id (some containers), another machine may just have the same name.
    assert is_alive(described) is (False if described["machine"] else None)


def test_another_boot_of_a_machine_without_id_is_unknown() -> None:
    assert is_alive({**this_process(), "boot": "an earlier one", "machine": ""}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"host": "elsewhere.example.org"},
        {"namespace": "pid:[1]"},
        {"pid": None},
        {"pid": "12"},
        {"pid": True},
        {"pid": 0},
        {"pid": -1},
    ],
    ids=str,
)
def test_what_cannot_be_known_is_unknown(change: dict[str, Any]) -> None:
    assert is_alive({**this_process(), **change}) is None


def test_an_empty_description_is_unknown() -> None:
    assert is_alive({}) is None


def test_a_forked_child_describes_itself() -> None:
    program = (
        "import os, sys\n"
        "from findspot.engine.process import this_process\n"
        "parent = this_process()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    own = this_process()\n"
        "    os._exit(0 if own['pid'] == os.getpid() != parent['pid'] else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
