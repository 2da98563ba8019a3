"""Ctrl-C while worker processes run: the terminal sends it to all of them at once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from commands import argv
from findspot import Workspace
from findspot.engine.executors.interrupts import held_back
from process_groups import loky_workers, of_group, until

FLOW = """
import time
from pathlib import Path
from findspot import pipeline, task

@task
def wait(n: int) -> int:
    Path(f"began-{n}").touch()
    time.sleep(3600)
    return n

@pipeline
def waiting():
    return {"waited": wait(1)}
"""


def test_the_start_of_workers_is_not_interrupted_half_way() -> None:
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)  # takes the signal, as it has no mask
    other.start()
    taken, told = socket.socketpair()
    told.setblocking(False)
    seen = []

    def start() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGINT)
            taken.recv(1)
            seen.append("the end of the block")

    before = signal.set_wakeup_fd(told.fileno())  # told as soon as a thread has taken the signal
    try:
        with taken, told, pytest.raises(KeyboardInterrupt):
            start()
    finally:
        signal.set_wakeup_fd(before)
        ended.set()
        other.join()
    assert seen == ["the end of the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["a worker starts", "it imports", "a step runs"])
def test_one_message_and_nothing_left_running(tmp_path: Path, moment: str) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    with Workspace(tmp_path) as ws:
        ws.init()
        job = subprocess.Popen(
            argv("run", "flow.py:waiting", "--executor", "processes", "--workers", "3"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            if moment == "a step runs":
                until((tmp_path / "began-1").exists)
            else:
                until(lambda: loky_workers(job.pid))
                time.sleep(0.1 if moment == "it imports" else 0.0)
            os.killpg(job.pid, signal.SIGINT)
            out, err = job.communicate(timeout=120)
        finally:
            job.kill()
        assert (job.returncode, out) == (130, "")
        recorded = ws.list_jobs()[0]
        resume = f"Go on: findspot job resume {recorded.id}"
        assert err.splitlines() == ["findspot: interrupted", resume]
        assert recorded.status == "interrupted"
        until(lambda: not of_group(job.pid))


IDLE = """
import os, signal
from findspot.engine.executors import processes
processes.KEPT = 3600  # seconds that they would stay
processes.ProcessPool(2)._seeing_all().submit(int).result()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_workers_without_a_step_end_with_their_job() -> None:
    killed = subprocess.Popen([sys.executable, "-c", IDLE], start_new_session=True)
    assert killed.wait() == -signal.SIGKILL
    until(lambda: not of_group(killed.pid))
