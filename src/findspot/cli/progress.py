"""What long work shows in a terminal: a job a line for each step under way, other work a bar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from findspot.cli.printing import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from findspot.core.records import StepRecord


class Bar:
    """How far some work is; shows nothing where nobody watches."""

    def __init__(self, progress: Progress | None, name: str) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task(name, total=None)

    def done(self, count: int, total: int | None) -> None:
        """So much of it is done, of so much in all (None: not known)."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=count, total=total)

    def stage(self, name: str, count: int, total: int | None) -> None:
        """The same, of one stage of it."""
        if self._progress is not None and self._task is not None:
            text = f"{name} {count}"
            self._progress.update(self._task, description=text, completed=count, total=total)


@contextmanager
def bar(name: str, *, as_json: bool = False) -> Iterator[Bar]:
    """Show a bar on standard error while the block runs, if that is a terminal.

    Args:
        as_json: a program reads the output, so nothing is shown.
    """
    if as_json or not sys.stderr.isatty():
        yield Bar(None, name)
        return
    from rich.progress import Progress

    with Progress(console=console(error=True), transient=True) as progress:
        yield Bar(progress, name)


class JobProgress:
    """Follows a job while the ``with`` block runs.

    Args:
        shown: show it, on standard error; else it is only known which job it is.
    """

    def __init__(self, *, shown: bool) -> None:
        self.job: str | None = None
        """The job's id, from its first step on."""
        self._rows: dict[str, TaskID] = {}
        self._counts: dict[str, int] = {}
        self._progress: Progress | None = None
        if not shown:
            return
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console(error=True),
            transient=True,
        )
        self._total = self._progress.add_task("starting", total=None)

    def update(self, step: StepRecord) -> None:
        """Take note of a step's change; called by the engine."""
        self.job = step.job
        if self._progress is None:
            return
        if step.status == "running":
            if step.name not in self._rows:
                self._rows[step.name] = self._progress.add_task(f"  {step.name}", total=None)
            return
        row = self._rows.pop(step.name, None)
        if row is not None:
            self._progress.remove_task(row)
        word = "reused" if step.cached else step.status
        self._counts[word] = self._counts.get(word, 0) + 1
        text = ", ".join(f"{count} {word}" for word, count in self._counts.items())
        self._progress.update(self._total, description=text)

    def __enter__(self) -> JobProgress:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
