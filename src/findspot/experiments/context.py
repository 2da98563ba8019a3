"""`CellContext`: what a step of an experiment knows of its cell, and says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from findspot.engine.context import checked_metrics
from findspot.experiments.artifact import StepFiles

MetricSink = Callable[[str, Mapping[str, float], int | None], None]
"""Takes a step's name, its metrics, and the training step that they belong to."""


class CellArtifacts(Mapping[str, Path]):
    """Paths of what earlier steps of the cell wrote, by name; of two of one name the later one."""

    def __init__(self) -> None:
        self._files: dict[str, StepFiles] = {}

    def add(self, name: str, files: StepFiles) -> None:
        self._files[name] = files

    def __getitem__(self, name: str) -> Path:
        return self._files[name].path(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class PathVariables(Mapping[str, str]):
    """What a cell gives to the template variables of artifact paths, as it is when it is asked."""

    def __init__(self, context: CellContext) -> None:
        self._context = context

    def _values(self) -> dict[str, str]:
        context = self._context
        return {
            "experiment": context.experiment,
            "condition": context.condition or "data",  # what makes data is of no condition
            "replicate": str(context.replicate),
            "step": context.step,
        }

    def __getitem__(self, name: str) -> str:
        return self._values()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())


class CellContext:
    """One condition of one replicate, as its steps see it; they know it as ``ctx``.

    Args:
        experiment: its name.
        condition: ``baseline``, or the treatment's name.
        replicate: 0, 1, 2 ...
        seed: derived from experiment, condition and replicate.
        parameters: of the condition. A treatment's function may change them; the steps may not.
    """

    def __init__(
        self,
        *,
        experiment: str,
        condition: str,
        replicate: int,
        seed: int,
        parameters: Mapping[str, Any],
        sink: MetricSink | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.experiment = experiment
        self.condition = condition
        self.replicate = replicate
        self.seed = seed
        self.step = ""
        self.parameters: Mapping[str, Any] = dict(parameters)
        self.metrics: dict[str, float] = {}
        self.artifacts = CellArtifacts()
        self._sink = sink
        self._say = say

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record a number of this cell; ``step`` counts training steps or epochs."""
        self.log_metrics({name: value}, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record several numbers at once. NaN and infinities are kept as they are.

        Raises:
            CheckFailed: lists every name that is no name and every value that is no number.
        """
        numbers, at = checked_metrics(metrics, step)
        self.metrics.update(numbers)
        if self._sink is not None:
            self._sink(self.step, numbers, at)

    def log(self, text: str) -> None:
        """Write a line into the job's log."""
        if self._say is not None:
            self._say(text)

    def rng(self) -> Any:
        """A new ``numpy.random.Generator`` with the cell's seed."""
        import numpy as np

        return np.random.default_rng(self.seed)

    def freeze(self) -> None:
        """From here on the parameters stand."""
        self.parameters = MappingProxyType(dict(self.parameters))

    def __repr__(self) -> str:
        return f"<CellContext {self.experiment}: {self.condition}, replicate {self.replicate}>"
