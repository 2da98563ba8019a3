"""How the tests of the command line run it: in this process, as a process, in a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLOW = """
import time
from pathlib import Path

from findspot import pipeline, task


@task
def start(x: int) -> int:
    print(f"starting with {x}")
    return x


@task
def halve(x: int) -> int:
    return 10 // x


@task
def publish(x: int) -> dict[str, int]:
    return {"value": x}


@task
def wait(flag: str, seconds: float) -> float:
    Path(flag).touch()
    time.sleep(seconds)
    return seconds


@pipeline
def halving(x: int = 5):
    return {"result": publish(halve(start(x)))}


@pipeline
def waiting(flag: str = "flag", seconds: float = 3600.0):
    return {"waited": wait(flag, seconds)}


@pipeline
def wrong():
    return {"result": publish(halve("five"))}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """Standard output as JSON; strictly, as a program reads it."""
        assert self.code == 0, self.err
        return strict_json(self.out)


Command = Callable[..., Outcome]


def strict_json(text: str) -> Any:
    """JSON without the words that Python adds to it."""

    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "findspot", *arguments]


def run_process(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> Outcome:
    """The command as a process of its own, its output piped."""
    done = subprocess.run(
        argv(*arguments),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def run_in_terminal(
    *arguments: str,
    cwd: Path,
    columns: int = 80,
    typed: bytes = b"",
    when: Callable[[], bool] = lambda: True,
) -> tuple[int, str]:
    """The command in a terminal: its exit code, and all that the terminal got.

    Args:
        typed: what is typed, as soon as ``when`` says so.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLED, *argv(*arguments)],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + 300
    try:
        while time.monotonic() < deadline:
            if typed and when():
                os.write(master, typed)
                typed = b""
            if not select.select([master], [], [], 0.05)[0]:
                continue
            try:
                piece = os.read(master, 65_536)
            except OSError:  # Linux's end of file, once the last one has closed the terminal
                break
            if not piece:
                break
            shown += piece
        return process.wait(timeout=120), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(master)
        if process.poll() is None:
            process.kill()
            process.wait()


# A key such as Ctrl-C reaches only the session that the terminal controls.
_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def interrupt(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C does: the signal goes to the process and to all of its own."""
    os.killpg(process.pid, signal.SIGINT)
