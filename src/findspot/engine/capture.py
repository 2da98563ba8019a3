"""Catch what a step says: logging, print, standard error and warnings, line by line.

Four places of the process are hooked while at least one `Capture` is open: ``sys.stdout`` and
``sys.stderr`` (by proxies that pass everything on), ``logging.Logger.callHandlers`` and
``warnings.showwarning``. The hooks are installed once, however many captures and steps there are;
entering a step only sets a context variable.

Why not a handler on the root logger: with one there, ``logging.basicConfig()`` in a user's step
would silently do nothing, the standard library's last-resort output of warnings would vanish,
``basicConfig(force=True)`` would throw it out, and loggers that do not propagate would be missed.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from findspot.core.records import LogLine

LINE_BYTES = 16 * 1024
STEP_LINES = 100_000
STEP_BYTES = 16 * 1024 * 1024

Sink = Callable[[LogLine], None]

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\)"  # window titles, hyperlinks and other strings
    r"|\x1b[ -/]*[0-~]"  # the rest
)
_TEXT = logging.Formatter("%(name)s: %(message)s")


class Capture:
    """Gives every line that the steps of a job say to a sink, each under its own step.

    What is said still reaches the terminal, notebook or handler it was meant for. A line belongs
    to the step whose code (in the same thread, or in an asyncio task of it) said it. A line from
    elsewhere, such as a thread that a step has started, belongs to the only step that is running
    in the process; if none or several are, to the job of the capture opened last (step None).

    Lines longer than ``line_bytes`` are cut and say so. After ``max_lines`` or ``max_bytes`` the
    lines of a step are only counted, and a last line says how many are missing. Colours and other
    terminal codes are removed; of a progress bar drawn over itself the last state is kept. A
    logging record is one `LogLine`, its traceback included.

    Not caught: bytes written to file descriptors (by child processes, C code, or through
    ``sys.stdout.buffer``), and streams that were looked up before the capture was opened.

    Args:
        sink: called with each line, perhaps from several threads at once; it must be quick and
            not raise. What it prints or logs itself is not recorded.
        job: the id of the job that lines outside any step belong to; the first step's by default.
        level: the lowest level of logging that is recorded. Loggers without a level of their own
            are opened down to it; the user's handlers still see only what they saw before.

    >>> lines = []
    >>> with Capture(lines.append) as capture, capture.step("job 1", "fit"):
    ...     _ = sys.stderr.write("loss 0.3\\n")
    >>> [(line.step, line.source, line.text) for line in lines]
    [('fit', 'stderr', 'loss 0.3')]
    """

    def __init__(
        self,
        sink: Sink,
        *,
        job: str | None = None,
        level: int = logging.INFO,
        line_bytes: int = LINE_BYTES,
        max_lines: int = STEP_LINES,
        max_bytes: int = STEP_BYTES,
    ) -> None:
        self.sink = sink
        self.level = level
        self.line_bytes = line_bytes
        self.max_lines = max_lines
        self.max_bytes = max_bytes
        self._outside = None if job is None else StepCapture(self, job, None)
        self._open = False

    def __enter__(self) -> Capture:
        if self._open:
            raise RuntimeError("this capture is open already; make another one")
        self._open = True
        _hooks.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = False
        _hooks.remove(self)
        if self._outside is not None:
            self._outside.finish()

    def step(self, job: str, name: str | None) -> StepCapture:
        """A context in which all that this thread says belongs to the step ``name`` of ``job``.

        ``name`` None stands for the job itself: the code of a script or a notebook. Contexts may
        be nested; the inner one gets the lines. Errors pass through it. Costs about 2 us.
        """
        if not self._open:
            raise RuntimeError("the capture is not open; use it as a context (with ... as capture)")
        if self._outside is None:
            self._outside = StepCapture(self, job, None)
        return StepCapture(self, job, name)


class StepCapture:
    """The context of one step; made by `Capture.step`, used once."""

    __slots__ = (
        "_bytes",
        "_capture",
        "_closed",
        "_dropped",
        "_dropped_bytes",
        "_lines",
        "_lock",
        "_partial",
        "_token",
        "job",
        "name",
    )

    def __init__(self, capture: Capture, job: str, name: str | None) -> None:
        self.job = job
        self.name = name
        self._capture = capture
        self._closed = False
        # Re-entrant: a signal handler or a finaliser may print while this thread holds it.
        self._lock = threading.RLock()
        self._partial: dict[tuple[str, int], _Partial] = {}
        self._token: Token[StepCapture | None] | None = None
        self._lines = self._bytes = self._dropped = self._dropped_bytes = 0

    def __enter__(self) -> StepCapture:
        _hooks.ensure()
        if self.name is not None:
            _hooks.steps[self] = None
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        _hooks.steps.pop(self, None)
        self.finish()

    def add_text(self, source: str, text: str) -> None:
        """Record the whole lines in ``text``; keep an unfinished last one until it is finished."""
        with self._lock:
            if self._closed:
                return
            if self._dropped:
                self._dropped += text.count("\n")
                self._dropped_bytes += len(text)
                return
            # Threads of one step take turns within a line, so each has unfinished lines of its own.
            key = (source, threading.get_ident())
            *lines, rest = text.split("\n")
            for line in lines:
                partial = self._partial.pop(key, None)
                if partial is None:
                    self.add_line(source, "INFO", line)
                else:
                    partial.add(line, self._capture.line_bytes)
                    self.add_line(source, "INFO", partial.text, surplus=partial.surplus)
            if rest:
                self._partial.setdefault(key, _Partial()).add(rest, self._capture.line_bytes)

    def add_line(
        self, source: str, level: str, text: str, *, time: datetime | None = None, surplus: int = 0
    ) -> None:
        """Record one line, cleaned and cut; ``surplus`` bytes of it were thrown away before."""
        with self._lock:
            if self._closed:
                return
            capture = self._capture
            text, size = _clean(text, surplus, capture.line_bytes)
            if (
                self._dropped
                or self._lines >= capture.max_lines
                or self._bytes + size > capture.max_bytes
            ):
                self._dropped += 1
                self._dropped_bytes += size + surplus
                return
            self._lines += 1
            self._bytes += size
            self._send(source, level, text, time)

    def finish(self) -> None:
        """Record unfinished lines and what was dropped; nothing is recorded afterwards."""
        with self._lock:
            if self._closed:
                return
            for (source, _), partial in self._partial.items():
                self.add_line(source, "INFO", partial.text, surplus=partial.surplus)
            self._partial.clear()
            if self._dropped:
                capture = self._capture
                note = (
                    f"{self._dropped:,} more lines ({self._dropped_bytes:,} bytes) were not recorded: "
                    f"a step's log holds at most {capture.max_lines:,} lines "
                    f"and {capture.max_bytes:,} bytes."
                )
                self._send("findspot", "WARNING", note, None)
            self._closed = True

    def abandon(self) -> None:
        """Record nothing any more: this is a forked child, and the sink is the parent's."""
        # The parent's lock may have been held by a thread that does not exist here.
        self._lock = threading.RLock()
        self._closed = True

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def level(self) -> int:
        return self._capture.level

    def _send(self, source: str, level: str, text: str, time: datetime | None) -> None:
        before = _thread.quiet
        _thread.quiet = True
        try:
            self._capture.sink(
                LogLine(self.job, self.name, time or datetime.now(UTC), level, source, text)
            )
        finally:
            _thread.quiet = before


@contextmanager
def unrecorded() -> Iterator[None]:
    """What this thread says inside reaches the user but no log: progress bars, our own messages.

    A rich progress that is started before the capture is opened needs no such context.
    """
    before = _thread.quiet
    _thread.quiet = True
    try:
        yield
    finally:
        _thread.quiet = before


class _Partial:
    """A line that is not finished yet, held to at most a little more than the allowed length."""

    __slots__ = ("_pieces", "_size", "surplus")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0
        self.surplus = 0

    def add(self, piece: str, limit: int) -> None:
        if "\r" in piece:
            # A progress bar drawn over itself would otherwise pile up without end.
            self._pieces = [_last_drawn(self.text + piece)]
            self._size = len(self._pieces[0])
            self.surplus = 0
        elif self._size > limit:
            self.surplus += len(piece.encode(errors="backslashreplace"))
        else:
            self._pieces.append(piece)
            self._size += len(piece)

    @property
    def text(self) -> str:
        return "".join(self._pieces)


def _last_drawn(text: str) -> str:
    """What a terminal shows of ``text`` that returns to the line's start; a last return is kept."""
    kept = text.rstrip("\r")
    return text[kept.rfind("\r") + 1 :]


def _clean(text: str, surplus: int, limit: int) -> tuple[str, int]:
    """``text`` without terminal codes, and nothing that a database refuses; its size in bytes."""
    if "\r" in text:
        text = _last_drawn(text).rstrip("\r")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        size = len(text)
    else:
        encoded = text.encode(errors="backslashreplace")
        size = len(encoded)
        text = encoded.decode()
    if size + surplus > limit:
        kept = text.encode()[:limit].decode(errors="ignore")
        text = f"{kept} [cut: the line has {size + surplus:,} bytes]"
        size = limit
    return text, size


# --------------------------------------------------------------------------- hooks


class _Thread(threading.local):
    """``quiet``: this thread is inside a hook already, so what passes a second one is known."""

    quiet = False


class _Level(int):
    """A level that is told from the user's equal one by identity."""


class _Stream:
    """In the place of ``sys.stdout`` or ``sys.stderr``: records text and passes everything on.

    It may outlive the capture (a handler made in a step keeps it) and then only passes on.
    """

    __slots__ = ("_source", "_stream")

    def __init__(self, stream: TextIO, source: str) -> None:
        object.__setattr__(self, "_stream", stream)
        object.__setattr__(self, "_source", source)

    def write(self, text: str) -> Any:
        if _thread.quiet or not _hooks.captures or not isinstance(text, str):
            return self._stream.write(text)
        # Quiet while passing on, too: the stream may itself write to another proxy of ours.
        _thread.quiet = True
        try:
            step = _hooks.step()
            if step is not None:
                step.add_text(self._source, text)
            return self._stream.write(text)
        finally:
            _thread.quiet = False

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._stream, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __next__(self) -> str:
        return next(self._stream)

    def __enter__(self) -> _Stream:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stream.__exit__(*error)

    def __repr__(self) -> str:
        return f"<recorded {self._stream!r}>"


io.TextIOBase.register(_Stream)


class _ShowWarning:
    """In the place of ``warnings.showwarning``; a new one each time, so that chains have no loop."""

    def __init__(self, previous: Callable[..., None]) -> None:
        self.previous = previous

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if _thread.quiet or not _hooks.captures:
            self.previous(message, category, filename, lineno, file, line)
            return
        _thread.quiet = True
        try:
            step = _hooks.step()
            if step is not None and file is None:
                text = f"{filename}:{lineno}: {category.__name__}: {message}"
                step.add_line("warnings", "WARNING", text)
            self.previous(message, category, filename, lineno, file, line)
        finally:
            _thread.quiet = False


class _Hooks:
    """The hooks of this process; there while at least one capture is open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.captures: tuple[Capture, ...] = ()
        self.steps: dict[StepCapture, None] = {}
        self.level = logging.INFO
        self._root_level = logging.WARNING
        self._lowered: _Level | None = None
        self._call_handlers = logging.Logger.callHandlers

    def step(self) -> StepCapture | None:
        """The step (or job) that a line said here and now belongs to."""
        current = _current.get()
        if current is not None and not current.closed:
            return current
        running = list(self.steps)
        if len(running) == 1:
            return running[0]
        for capture in reversed(self.captures):
            if capture._outside is not None:
                return capture._outside
        return None

    def add(self, capture: Capture) -> None:
        with self.lock:
            self.captures = (*self.captures, capture)
            self.level = min(c.level for c in self.captures)
            self.ensure()

    def remove(self, capture: Capture) -> None:
        with self.lock:
            self.captures = tuple(c for c in self.captures if c is not capture)
            if self.captures:
                self.level = min(c.level for c in self.captures)
                self.ensure()
            else:
                self._uninstall()

    def ensure(self) -> None:
        """Put back what is missing: user code may have replaced it. Cheap if nothing is."""
        if (
            type(sys.stdout) is not _Stream
            or type(sys.stderr) is not _Stream
            or type(warnings.showwarning) is not _ShowWarning
            or logging.Logger.callHandlers is not _record_and_call
            or logging.root.level > self.level
            or self._lowered not in (None, self.level)
        ):
            with self.lock:
                if self.captures:
                    self._install()

    def _install(self) -> None:
        # A stream is None where the program has none (a service, a windowed program).
        for name, source in (("stdout", "print"), ("stderr", "stderr")):
            stream = getattr(sys, name)
            if stream is not None and type(stream) is not _Stream:
                setattr(sys, name, _Stream(stream, source))
        if type(warnings.showwarning) is not _ShowWarning:
            _set(warnings, "showwarning", _ShowWarning(warnings.showwarning))
        if logging.Logger.callHandlers is not _record_and_call:
            self._call_handlers = logging.Logger.callHandlers
            _set(logging.Logger, "callHandlers", _record_and_call)
        root = logging.root
        if root.level is self._lowered and root.level != self.level:
            root.setLevel(self._root_level)
        if root.level > self.level:
            self._root_level = root.level
            self._lowered = _Level(self.level)
            root.setLevel(self._lowered)
        elif root.level is not self._lowered:
            self._lowered = None

    def _uninstall(self) -> None:
        # Only what is still ours; what somebody else has wrapped stays, and only passes on.
        for name in ("stdout", "stderr"):
            while type(stream := getattr(sys, name)) is _Stream:
                setattr(sys, name, stream._stream)
        while type(shown := warnings.showwarning) is _ShowWarning:
            _set(warnings, "showwarning", shown.previous)
        if logging.Logger.callHandlers is _record_and_call:
            _set(logging.Logger, "callHandlers", self._call_handlers)
        if self._lowered is not None and logging.root.level is self._lowered:
            logging.root.setLevel(self._root_level)
        self._lowered = None

    def hides(self, logger: logging.Logger, record: logging.LogRecord) -> bool:
        """Whether ``record`` exists only because the root's level was lowered for the capture."""
        root = logging.root
        if root.level is not self._lowered or record.levelno >= self._root_level:
            return False
        ancestor: logging.Logger | None = logger
        while ancestor is not None and ancestor is not root:
            if ancestor.level:
                return False
            ancestor = ancestor.parent
        return True

    def handle(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        hidden = self.hides(logger, record)
        if _thread.quiet or not self.captures:
            if not hidden:
                self._call_handlers(logger, record)
            return
        # Quiet while the user's handlers run: what they print is this record again.
        _thread.quiet = True
        try:
            step = self.step()
            if step is not None and record.levelno >= step.level:
                time = datetime.fromtimestamp(record.created, UTC)
                step.add_line("logging", record.levelname, _text_of(record), time=time)
            if not hidden:
                self._call_handlers(logger, record)
        finally:
            _thread.quiet = False

    def abandon(self) -> None:
        """After a fork: the sinks belong to the parent; the hooks stay and only pass on."""
        self.lock = threading.RLock()
        outside = [c._outside for c in self.captures if c._outside is not None]
        for step in [*self.steps, *outside]:
            step.abandon()
        self.steps = {}
        self.captures = ()
        _thread.quiet = False


def _record_and_call(logger: logging.Logger, record: logging.LogRecord) -> None:
    """In the place of ``logging.Logger.callHandlers``."""
    _hooks.handle(logger, record)


def _text_of(record: logging.LogRecord) -> str:
    try:
        return _TEXT.format(record)
    except Exception as error:
        # The arguments do not fit the message. Logging reports that itself, once, and goes on.
        return f"{record.name}: {record.msg!r} ({type(error).__name__}: {error})"


def _set(owner: Any, name: str, value: object) -> None:
    setattr(owner, name, value)


_current: ContextVar[StepCapture | None] = ContextVar("findspot_step", default=None)
_thread = _Thread()
_hooks = _Hooks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_hooks.abandon)
