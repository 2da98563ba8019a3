"""Tasks and pipelines with loops and conditions; importable in worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np

from findspot import pipeline, task
from findspot.graph.mapping import fixed


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def square(x: int, plus: int = 0) -> int:
    return x * x + plus


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def arrays(n: int, changed: int = 0) -> list[np.ndarray]:
    return [np.full(3000, float(i + (changed if i == 1 else 0))) for i in range(n)]


@task
def mean(x: np.ndarray) -> float:
    return float(x.mean())


@task
def both(x: int) -> tuple[Annotated[int, "low"], Annotated[int, "high"]]:
    return x - 1, x + 1


@task
def weighed(x: int, weights: list[int]) -> int:
    return x * sum(weights)


@task
def no_three(x: int, folder: str = "") -> int:
    if x == 3 and not (folder and (Path(folder) / "mended").exists()):
        raise ValueError("three")
    if folder:
        place = Path(folder) / str(x)
        place.write_text(place.read_text() + "x" if place.exists() else "x")
    return x


@task
def plus(x: int, y: int) -> int:
    return x + y


@pipeline
def squares(n: int = 4, plus: int = 0) -> Any:
    found = square.map(numbers(n), plus=plus)
    return {"sum": total(found), "squares": found}


@pipeline
def means(n: int = 3, changed: int = 0) -> Any:
    return {"means": mean.map(arrays(n, changed))}


@pipeline
def of_parameter(xs: list[int], ys: list[int]) -> Any:
    return {"sums": plus.map(x=xs, y=ys), "pairs": both.map(xs).high, "w": weights(xs)}


def weights(xs: Any) -> Any:
    return weighed.map(xs, weights=fixed([1, 2]))


@pipeline
def twice_mapped(n: int = 3) -> Any:
    return {"sum": total(square.map(square.map(numbers(n))))}


@pipeline
def stumbling(folder: str, n: int = 5) -> Any:
    found = no_three.map(numbers(n), folder=folder)
    return {"sum": total(found), "other": square(7)}


@task
def is_large(x: int) -> bool:
    return x > 10


@task
def report(x: int, extra: int = -1) -> str:
    return f"{x} {extra}"


@pipeline
def conditional(x: int = 1) -> Any:
    large: Any = square.options(when=is_large(x))
    extra = large(x)
    return {"report": report(x, extra), "extra": extra, "sum": total([extra, 1])}


@pipeline
def flagged(flag: bool, x: int = 2) -> Any:
    call: Any = square.options(when=flag, step="maybe")
    after: Any = square.options(after="maybe", step="anyway")
    return {"maybe": call(x), "anyway": after(x)}
