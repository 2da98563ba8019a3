"""Catch what a step says: logging, print, standard error and warnings, line by line."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import TYPE_CHECKING

from findspot.engine.capturing.hooks import CURRENT, HOOKS, own_step
from findspot.engine.capturing.lines import (
    LINE_BYTES,
    STEP_BYTES,
    STEP_LINES,
    Rules,
    Sink,
    StepLines,
    unrecorded,
)

if TYPE_CHECKING:
    from findspot.engine.capturing.descriptors import Descriptors

__all__ = ["LINE_BYTES", "STEP_BYTES", "STEP_LINES", "Capture", "Sink", "StepCapture", "unrecorded"]


class Capture:
    """Gives every line that the steps of a job say to a sink, each under its own step.

    A line belongs to the step in whose context (thread, or asyncio task) it was said; in a thread
    that a step has started, to that step while it runs. A line from elsewhere, or from a thread
    that outlives its step, belongs to the job itself (step None): its own, or that of the capture
    opened last.

    Lines longer than ``line_bytes`` are cut and say so. After ``max_lines`` or ``max_bytes`` the
    lines of a step are only counted, and a last line says how many are missing. Colours and other
    terminal codes are removed; of a progress bar drawn over itself the last state is kept. A
    logging record is one `LogLine`, its traceback included.

    Not caught: streams that were looked up before the capture was opened, and bytes written to
    file descriptors (by child processes, C code, or through ``sys.stdout.buffer``), unless there is
    a ``below``.

    Args:
        sink: called with each line, perhaps from several threads at once; it must be quick and
            not raise. What it prints or logs itself is not recorded.
        job: the id of the job that lines outside any step belong to; the first step's by default.
        echo: whether what is said also reaches the terminal or notebook it was meant for. By
            default it does, unless this is opened inside a step whose capture has no echo. The
            logging handlers that the user has set up are called either way.
        level: the lowest level of logging that is recorded. Loggers without a level of their own
            are opened down to it; the user's handlers still see only what they saw before.
        line_bytes, max_lines, max_bytes: the limits above; bytes are of UTF-8.
        below: gives what is written to file descriptors to the step that runs; only where no two
            steps run at once.

    >>> import sys
    >>> lines = []
    >>> with Capture(lines.append, echo=False) as capture, capture.step("job 1", "fit"):
    ...     _ = sys.stderr.write("loss 0.3\\n")
    >>> [(line.step, line.source, line.text) for line in lines]
    [('fit', 'stderr', 'loss 0.3')]
    """

    def __init__(
        self,
        sink: Sink,
        *,
        job: str | None = None,
        echo: bool | None = None,
        level: int = logging.INFO,
        line_bytes: int = LINE_BYTES,
        max_lines: int = STEP_LINES,
        max_bytes: int = STEP_BYTES,
        below: Descriptors | None = None,
    ) -> None:
        if echo is None:
            enclosing = own_step()
            echo = enclosing is None or enclosing.closed or enclosing.rules.echo
        self.level = level
        self.outside: StepLines | None = None
        self._rules = Rules(sink, level, echo, line_bytes, max_lines, max_bytes)
        self._job = job
        self._below = below
        self._open = False

    def __enter__(self) -> Capture:
        if self._open:
            raise RuntimeError("this capture is open already; make another one")
        self._open = True
        job = self._job
        self.outside = None if job is None else StepLines(self._rules, job, None, None)
        HOOKS.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        HOOKS.remove(self)
        if self.outside is not None:
            self.outside.finish()

    def abandon(self) -> None:
        """Give the sink nothing more: this is a forked child, and the sink is the parent's."""
        self._rules.abandoned = True

    def step(self, job: str, name: str | None) -> StepCapture:
        """A context in which all that this thread says belongs to the step ``name`` of ``job``.

        ``name`` None stands for the job itself: the code of a script or a notebook. Contexts may
        be nested; the inner one gets the lines. Errors pass through it. Costs 1 to 2 us. The
        context is for one use; it may be left in another thread or task than it was entered in.

        Raises:
            RuntimeError: the capture is not open.
        """
        if not self._open:
            raise RuntimeError("the capture is not open; use it as a context (with ... as capture)")
        outside = self.outside
        if outside is None:
            outside = self.outside = StepLines(self._rules, job, None, None)
        return StepCapture(self._rules, job, name, outside, self._below)


class StepCapture(StepLines):
    """The context of one step; made by `Capture.step`, used once."""

    __slots__ = ("_before", "_below")

    def __init__(
        self,
        rules: Rules,
        job: str,
        name: str | None,
        outer: StepLines | None,
        below: Descriptors | None,
    ) -> None:
        super().__init__(rules, job, name, outer)
        self._below = below

    def __enter__(self) -> StepCapture:
        HOOKS.ensure()
        self._before = CURRENT.get()
        CURRENT.set(self)
        if self._below is not None:
            self._below.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not by a token: notebooks may run the end of a block in another context than its start.
        CURRENT.set(self._before)
        if self._below is not None:
            self._below.end()
        self.finish()
