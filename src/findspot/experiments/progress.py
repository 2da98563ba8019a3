"""What a run tells of itself while it goes on: a message for each cell that ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the run of an experiment is. A run tells of its start, of each cell when it ends, and
    of its end.

    Args:
        experiment: its name; of a graph, that of the one that is being run.
        status: ``started``; how the cell ended (``finished``, ``failed`` ...); or, at the end, the
            result's status.
        condition, replicate: of the cell; None at the start and at the end.
        done: cells that have ended, those kept from before included. total: all there are.
        failed: those of them that failed in this run.
        place: of a graph, which of its experiments this is, from 1 on, and how many there are.
        conditions: at the start, how many cells of each condition are done and how many there are
            in all; else empty.

    >>> print(Progress(experiment="e", status="failed", condition="deep", replicate=3, total=4))
    deep/3: failed
    """

    experiment: str
    status: str
    condition: str | None = None
    replicate: int | None = None
    done: int = 0
    total: int = 0
    failed: int = 0
    place: tuple[int, int] = (1, 1)
    conditions: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __str__(self) -> str:
        what = self.experiment if self.condition is None else f"{self.condition}/{self.replicate}"
        return f"{what}: {self.status}"


Listener = Callable[[Progress], object]
"""Is told of the progress."""
