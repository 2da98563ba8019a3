"""Tasks and pipelines that the engine's tests run; importable in worker processes."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from findspot import JobContext, current_job, get_artifact, pipeline, save_artifact, task


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def halves(x: np.ndarray) -> tuple[Annotated[np.ndarray, "low"], Annotated[np.ndarray, "high"]]:
    middle = len(x) // 2
    return x[:middle], x[middle:]


@task
def double(x: np.ndarray) -> np.ndarray:
    return 2 * x


@task
def ones(n: int) -> np.ndarray:
    return np.ones(n)


@task
def fail(x: int, message: str = "no luck") -> int:
    raise ValueError(f"{message} with {x}")


@task
def noisy(x: int) -> int:
    sys.stdout.write(f"printed {x}\n")
    logging.getLogger("sample").warning("logged %d", x)
    warnings.warn("careful", stacklevel=1)
    current_job().log_metrics({"loss": 0.5, "x": x}, step=1)
    current_job().log_metric("loss", 0.25, step=2)
    return x


@task
def quiet(x: int) -> int:
    current_job().log_metric("loss", 0.5, step=1)
    current_job().log_metric("loss", 0.25, step=2)
    return x


@task
def with_context(x: int, context: JobContext, y: int = 2) -> dict[str, Any]:
    return {"job": context.id, "step": context.step, "params": dict(context.params), "sum": x + y}


@task(cache=False)
def pid_of(i: int) -> int:
    return os.getpid()


@task(cache=False)
def nap(seconds: float) -> tuple[float, float]:
    start = time.time()
    time.sleep(seconds)
    return start, time.time()


@task(cache=False)
def meet(i: int, folder: str) -> bool:
    """Whether the other one of two came while this one was there."""
    (Path(folder) / f"{i}").touch()
    end = time.monotonic() + 120
    while not (Path(folder) / f"{1 - i}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return time.monotonic() < end


@task(cache=False)
def count_up() -> int:
    """Ends only when it is stopped, or after ten minutes."""
    n, end = 0, time.monotonic() + 600
    while time.monotonic() < end:
        n += 1
    return n


@task(cache=False)
def die(i: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return i


@task(cache=False, timeout=0.3)
def too_slow() -> int:
    time.sleep(3600)
    return 1


@task(cache=False, retries=2)
def third_time(folder: str) -> int:
    tries = len(list(Path(folder).iterdir()))
    (Path(folder) / f"{tries}").touch()
    if tries < 2:
        raise OSError("not yet")
    return tries


@task(cache=False)
def draw() -> list[float]:
    return [random.random(), float(np.random.random())]


@task(cache=False)
def saves_and_loads(key: str) -> int:
    found: int = get_artifact(key).load()
    save_artifact(found + 1, "made inside", labels={"by": "hand"})
    return found


class Restless:
    """A value whose pickle is another one each time."""

    def __reduce__(self) -> tuple[object, ...]:
        return Restless, (), {"drawn": os.urandom(8)}


@task
def shown(x: object) -> str:
    return type(x).__name__


@pipeline
def chain(x: int = 0, length: int = 3) -> Any:
    for _ in range(3):
        x = add(x)
    return {"end": x}


@pipeline
def diamond(samples: np.ndarray) -> Any:
    low, high = halves(samples)
    return {"low": double(low), "high": double(high)}


@pipeline
def broken(x: int = 1) -> Any:
    good = add(x)
    bad = fail(good)
    return {"good": add(good), "bad": add(bad), "worse": total([good, bad])}


@pipeline
def pids() -> Any:
    return {f"pid{i}": pid_of(i) for i in range(4)}


@pipeline
def meeting(folder: str) -> Any:
    return {f"met{i}": meet(i, folder) for i in range(2)}


@pipeline
def deadly() -> Any:
    return {"dead": die(1), **{f"alive{i}": pid_of(i) for i in range(3)}}
