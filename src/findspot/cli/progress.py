"""What a running job shows in a terminal: a line for each step under way, and how far it is."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from findspot.cli.printing import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from findspot.core.records import StepRecord


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
