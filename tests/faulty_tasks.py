"""Tasks that behave badly; importable in worker processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from findspot import pipeline, task


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def leaves(x: int) -> int:
    sys.exit(f"leaving with {x}")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@task
def is_cancelled() -> int:
    raise asyncio.CancelledError("the event loop ended")


@task
def has_no_words() -> int:
    raise Unspeakable


@task(retries=1, retry_on=TimeoutError, timeout=3)
def swallows_its_timeout(folder: str) -> str:
    if (mark := Path(folder) / "tried").exists():
        return "in time"
    mark.touch()
    for _ in range(2):
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            continue
    return "too late"


@task
def numbers(n: int) -> np.ndarray:
    return np.arange(float(n))


@task
def words(n: int) -> list[list[str]]:
    return [["a"]] * n


@task
def overwrites(x: np.ndarray) -> float:
    x[0] = 99.0
    return float(x[0])


@task
def extends(x: list[list[str]]) -> int:
    x.append(["b"])
    x[0].append("c")
    return len(x)


@task
def measure(x: np.ndarray, after: Any = None) -> float:
    return float(x.sum())


@task
def count(x: list[list[str]], after: Any = None) -> int:
    return sum(len(item) for item in x)


@task
def leaves_threads(folder: str) -> int:
    def late() -> None:
        time.sleep(0.2)
        sys.stdout.write("late\n")
        (Path(folder) / "late").touch()

    for _ in range(3):
        threading.Thread(target=late, daemon=True).start()
    return 1


@task
def prints(megabytes: int) -> int:
    line = "x" * 1023 + "\n"
    for _ in range(megabytes * 1024):
        sys.stdout.write(line)
    return megabytes


@task
def forks(folder: str, raises: bool = False) -> int:
    child = os.fork()
    if child == 0:
        (Path(folder) / "child").touch()
        if raises:
            raise ValueError("in the child")
        return 0
    os.waitpid(child, 0)
    return 1


@task
def leaves_threads_that_never_end() -> int:
    for _ in range(3):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    return 1


@task
def fills_memory(x: int) -> int:
    return len(np.ones(1 << 60, np.int8)) + x


@task(cache=False)
def dies_by(number: int) -> int:
    os.kill(os.getpid(), number)
    time.sleep(10)
    return number


@task(cache=False)
def exits_at_once(code: int) -> int:
    os._exit(code)


@task(cache=False)
def is_killed_for_memory(counts: str) -> int:
    """As the system does it: it counts, and kills."""
    file = Path(counts)
    file.write_text(f"pgfault 12\noom_kill {int(file.read_text().split()[-1]) + 1}\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


@task(cache=False, memory="128 MiB")
def takes(megabytes: int) -> int:
    return int(np.ones(megabytes << 20, np.int8)[:: 1 << 20].sum())


@task(cache=False, timeout=0.3)
def never_ends() -> int:
    while True:
        time.sleep(0.01)


@task
def marks(folder: str, name: int) -> int:
    with (Path(folder) / str(name)).open("a") as stream:
        stream.write("x")
    return name + 1


@task
def makes_unsavable() -> Any:
    return (i for i in range(3))


@pipeline
def leaving() -> Any:
    return {"left": leaves(1), "kept": add(1)}


@pipeline
def overwriting(n: int) -> Any:
    x = numbers(n)
    return {"bad": overwrites(x), "sum": measure(x)}


@pipeline
def extending() -> Any:
    x = words(2)
    first = extends(x)
    return {"length": first, "count": count(x, first)}


@pipeline
def with_threads(folder: str) -> Any:
    return {"x": add(leaves_threads(folder))}


@pipeline
def printing(megabytes: int = 4) -> Any:
    return {"x": add(prints(megabytes))}


@pipeline
def forking(folder: str, raises: bool = False) -> Any:
    return {"x": add(forks(folder, raises))}


@pipeline
def unsavable() -> Any:
    return {"x": makes_unsavable(), "y": add(1)}


@pipeline
def of_anything(x: Any) -> Any:
    return {"x": measure(x)}


@pipeline
def with_endless_threads() -> Any:
    return {"x": add(leaves_threads_that_never_end())}


@pipeline
def filling() -> Any:
    return {"x": fills_memory(1), "y": add(1)}


@pipeline
def dying(number: int = 9) -> Any:
    return {"x": dies_by(number), "y": add(1)}


@pipeline
def exiting(code: int = 3) -> Any:
    return {"x": exits_at_once(code), "y": add(1)}


@pipeline
def killed_for_memory(counts: str) -> Any:
    return {"x": is_killed_for_memory(counts), "y": add(1)}


@pipeline
def taking(megabytes: int) -> Any:
    return {"x": takes(megabytes)}


@pipeline
def endless() -> Any:
    return {"x": never_ends(), "y": add(1)}


@pipeline
def marking(folder: str) -> Any:
    number: Any = 0
    for _ in range(4):
        number = marks(folder, number)
    return {"x": number}


@pipeline
def odd_errors() -> Any:
    return {"a": is_cancelled(), "b": has_no_words(), "c": add(1)}


@pipeline
def swallowing(folder: str) -> Any:
    return {"x": swallows_its_timeout(folder)}
