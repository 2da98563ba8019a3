"""Tasks that behave badly; importable in worker processes."""

from __future__ import annotations

import os
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
