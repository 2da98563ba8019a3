"""The progress of experiments: a bar for each condition in a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from findspot.cli.printing import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from findspot.experiments.progress import Progress

_ROWS = 16
"""Conditions that have a bar of their own; of more there is only one bar for all."""
_PAUSE = 5.0
"""Seconds between two lines where there is no terminal."""
_ALL = ""


class ExperimentProgress:
    """Follows a run while the ``with`` block runs, on standard error.

    Args:
        shown: else nothing is printed.
    """

    def __init__(self, *, shown: bool) -> None:
        self._newest: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._failed: dict[str, int] = {}
        self._lines = shown and not sys.stderr.isatty()
        self._printed = 0.0
        self._bars: Bars | None = None
        if shown and not self._lines:
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[failed]}", style="red", markup=False),
                TextColumn("{task.fields[rate]}", style="dim", markup=False),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console(error=True),
                transient=True,
            )

    @property
    def reached(self) -> str:
        """How far it came, to be put after a word; empty where no cell is known."""
        last = self._newest
        if last is None or not last.total:
            return ""
        return f" when {last.done} of {last.total} cells of {last.experiment} were done"

    def update(self, progress: Progress) -> None:
        """Take note of news; called by the run."""
        self._newest = progress
        if self._bars is not None:
            self._draw(self._bars, progress)
        elif self._lines:
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.condition is not None and now - self._printed < _PAUSE:
            return
        self._printed = now
        failed = f", {progress.failed} failed" if progress.failed else ""
        status = progress.status if progress.condition is None else "running"
        cells = f", {progress.done} of {progress.total} cells" if progress.total else ""
        sys.stderr.write(f"{_named(progress)}: {status}{cells}{failed}\n")
        sys.stderr.flush()

    def _draw(self, bars: Bars, progress: Progress) -> None:
        if progress.condition is None:
            self._begin(bars, progress)
            return
        failed = progress.status in ("failed", "skipped")
        for row in (_ALL, progress.condition):
            self._failed[row] = self._failed.get(row, 0) + failed
            task = self._rows.get(row)
            if task is None:
                continue
            count = self._failed[row]
            speed = next(found for found in bars.tasks if found.id == task).finished_speed
            speed = speed or next(found for found in bars.tasks if found.id == task).speed
            bars.update(
                task,
                advance=1,
                failed=f"{count} failed" if count else "",
                rate=f"{speed:.1f}/s" if speed else "",
            )

    def _begin(self, bars: Bars, progress: Progress) -> None:
        """Bars of the experiment that begins; those of the one before go."""
        for task in self._rows.values():
            bars.remove_task(task)
        self._rows, self._failed = {}, {}
        if progress.status != "started":
            return
        rows = {_ALL: (progress.done, progress.total)}
        if len(progress.conditions) <= _ROWS:
            rows.update(progress.conditions)
        for row, (done, total) in rows.items():
            name = f"  {row}" if row else _named(progress)
            self._rows[row] = bars.add_task(name, total=total, completed=done, failed="", rate="")

    def __enter__(self) -> ExperimentProgress:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()


def _named(progress: Progress) -> str:
    """The experiment, and which one of a graph it is."""
    number, count = progress.place
    return progress.experiment + (f" ({number} of {count})" if count > 1 else "")
