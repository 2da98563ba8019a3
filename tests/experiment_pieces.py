"""Steps and experiments that several tests, and the processes that they start, have in common."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from findspot import task
from findspot.experiments.artifact import Artifact
from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.treatments import Treatment

MODEL = Artifact("model.bin")
DATA = Artifact("data.json")


def numbers(ctx: CellContext) -> list[float]:
    """A datum that depends only on the replicate."""
    return [float(ctx.replicate), float(ctx.rng().integers(100))]


@task
def scale(data: list[float], factor: float = 1.0) -> list[float]:
    return [factor * x for x in data]


@task
def total(data: list[float], ctx: CellContext) -> list[float]:
    ctx.log_metric("total", sum(data))
    return data


@task
def save(data: list[float], ctx: CellContext, out: Artifact = DATA) -> None:
    out.write(json.dumps({"condition": ctx.condition, "sum": sum(data), "seed": ctx.seed}))


@task
def ran(data: Any, ctx: CellContext, folder: str = "") -> Any:
    """Leaves a byte for each time that its cell was run."""
    place = Path(folder) / f"{ctx.condition}-{ctx.replicate}"
    with place.open("ab") as file:
        file.write(b"x")
    return data


@task
def maybe_fail(data: Any, ctx: CellContext, folder: str = "") -> Any:
    """Fails for cells that a file names."""
    if (Path(folder) / f"fail-{ctx.condition}-{ctx.replicate}").exists():
        raise ValueError("told to fail")
    return data


@task
def maybe_die(data: Any, ctx: CellContext, folder: str = "") -> Any:
    """Kills its process in cells that a file names, the first time."""
    place = Path(folder) / f"die-{ctx.condition}-{ctx.replicate}"
    if place.exists():
        place.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return data


def counts(folder: Path) -> dict[str, int]:
    """How often each cell was run."""
    return {
        path.name: path.stat().st_size
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(("fail-", "die-"))
    }


def counted(folder: Path | str, **options: Any) -> Experiment:
    """An experiment that leaves traces of what it runs in a folder."""
    given: dict[str, Any] = {
        "name": "counted",
        "datasource": numbers,
        "pipeline": [ran, maybe_die, maybe_fail, scale, total, save],
        "treatments": [Treatment("double", {"factor": 2.0})],
        "replicates": 3,
        "seed": 7,
        "parameters": {"folder": str(folder)},
        "outputs": [DATA],
        **options,
    }
    return Experiment(**given)
