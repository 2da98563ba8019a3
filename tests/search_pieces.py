"""An experiment to search, importable by other processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from optuna.distributions import FloatDistribution

from findspot.experiments.context import CellContext
from findspot.experiments.experiment import Experiment
from findspot.experiments.optuna_search import OptunaSearch
from findspot.experiments.results import Result

SPACE: dict[str, Any] = {
    "x": (-5.0, 5.0),
    "n": (1, 4),
    "kind": ["a", "b"],
    "rate": FloatDistribution(1e-4, 1.0, log=True),
}


def loss(
    data: float,
    ctx: CellContext,
    x: float = 0.0,
    n: int = 1,
    kind: str = "a",
    rate: float = 1.0,
    folder: str = "",
) -> None:
    if folder:
        place = Path(folder, f"{ctx.condition}-{ctx.replicate}")
        place.write_text(f"{place.read_text() if place.exists() else ''}1")
        if len(list(Path(folder).glob("x=*"))) == 8 and Path(folder, "die").exists():
            Path(folder, "die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    ctx.log_metric("loss", (x - 3) ** 2 + n + (kind == "b") + rate + data)


def experiment(**options: Any) -> Experiment:
    return Experiment(**{"name": "opt", "datasource": [0.0, 1.0], "pipeline": [loss], **options})


def search(trials: int = 8, space: Any = SPACE, **options: Any) -> OptunaSearch:
    given = {"metric": "loss", "better": "lower", "seed": 5, **options}
    return OptunaSearch(space, trials=trials, **given)


def killed(folder: str) -> tuple[OptunaSearch, Result]:
    made = search(10, {"x": (-5.0, 5.0), "n": (1, 4)})
    searched = experiment(parameters={"folder": folder})
    return made, searched.optimise(made, strategy="resume")
