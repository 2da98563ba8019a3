"""Tasks in an importable module, for tests that need ones that other processes can import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np

from findspot.graph.tasks import task

if TYPE_CHECKING:
    from findspot.engine.context import JobContext


@task
def split(
    x: np.ndarray, seed: int = 0
) -> tuple[Annotated[np.ndarray, "train"], Annotated[np.ndarray, "test"]]:
    """Two halves.

    The second paragraph.
    """
    half = len(x) // 2
    return x[:half], x[half:]


@task(cache=False, retries=2, timeout=60, retry_delay=0.5)
def scale(x: np.ndarray, by: float = 2.0) -> dict[str, np.ndarray]:
    return {"scaled": x * by}


@task
def increase(x: int, by: int = 1) -> int:
    return x + by


@task
def noted(x: int, context: JobContext) -> None:
    raise NotImplementedError


@task
def factorial(n: int) -> int:
    return 1 if n < 2 else n * factorial(n - 1)
