"""The places of this process that are hooked while at least one capture is open.

They are ``sys.stdout`` and ``sys.stderr`` (by stand-ins that pass everything on),
``logging.Logger.callHandlers``, ``warnings.showwarning``, and ``threading.Thread.start`` (only to
note which step a thread belongs to). They are hooked once, however many captures and steps there
are; entering a step only sets a context variable.

Why not a handler on the root logger: with one there, ``logging.basicConfig()`` in a user's step
would silently do nothing, the standard library's last-resort output of warnings would vanish,
``basicConfig(force=True)`` would throw it out, and loggers that do not propagate would be missed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

from findspot.engine.capturing.lines import VOICE, StepLines
from findspot.engine.capturing.streams import RecordedStream, original

CURRENT: ContextVar[StepLines | None] = ContextVar("findspot_step", default=None)
"""The step that the code of this context belongs to."""

_STARTED_IN = "_findspot_step"
_TEXT = logging.Formatter("%(name)s: %(message)s")


class Listener(Protocol):
    """An open capture, as the hooks see it."""

    @property
    def level(self) -> int: ...

    @property
    def outside(self) -> StepLines | None: ...

    def abandon(self) -> None: ...


class _Level(int):
    """A level that is told from the user's equal one by identity."""


class Hooks:
    """The hooks of this process and the open captures that they serve."""

    def __init__(self) -> None:
        self.captures: tuple[Listener, ...] = ()
        self._lock = threading.RLock()
        self._level = logging.INFO
        self._root_level = logging.WARNING
        self._lowered: _Level | None = None
        self._call_handlers = logging.Logger.callHandlers
        self._start = threading.Thread.start

    def speaker(self) -> StepLines | None:
        """The step (or job) that a line said here and now belongs to."""
        if not self.captures:
            return None
        step = own_step()
        while step is not None:
            if not step.closed:
                return step
            step = step.outer
        for capture in reversed(self.captures):
            if capture.outside is not None:
                return capture.outside
        return None

    def add(self, capture: Listener) -> None:
        with self._lock:
            self.captures = (*self.captures, capture)
            self._level = min(c.level for c in self.captures)
            self.ensure()

    def remove(self, capture: Listener) -> None:
        with self._lock:
            self.captures = tuple(c for c in self.captures if c is not capture)
            if self.captures:
                self._level = min(c.level for c in self.captures)
                self.ensure()
            else:
                self._uninstall()

    def ensure(self) -> None:
        """Put back what is missing: user code may have replaced it. Cheap if nothing is."""
        if (
            type(sys.stdout) is not RecordedStream
            or type(sys.stderr) is not RecordedStream
            or type(warnings.showwarning) is not _ShowWarning
            or logging.Logger.callHandlers is not _call_handlers
            or threading.Thread.start is not _start_thread
            or logging.root.level > self._level
            or self._lowered not in (None, self._level)
        ):
            with self._lock:
                if self.captures:
                    self._install()

    def _install(self) -> None:
        # A stream is None where the program has none (a service, a windowed program).
        for name, source in (("stdout", "print"), ("stderr", "stderr")):
            stream = getattr(sys, name)
            if stream is not None and type(stream) is not RecordedStream:
                setattr(sys, name, RecordedStream(stream, source, self.speaker))
        if type(warnings.showwarning) is not _ShowWarning:
            _set(warnings, "showwarning", _ShowWarning(warnings.showwarning))
        if logging.Logger.callHandlers is not _call_handlers:
            self._call_handlers = logging.Logger.callHandlers
            _set(logging.Logger, "callHandlers", _call_handlers)
        if threading.Thread.start is not _start_thread:
            self._start = threading.Thread.start
            _set(threading.Thread, "start", _start_thread)
        root = logging.root
        if root.level is self._lowered and root.level != self._level:
            root.setLevel(self._root_level)
        if root.level > self._level:
            self._root_level = root.level
            self._lowered = _Level(self._level)
            root.setLevel(self._lowered)
        elif root.level is not self._lowered:
            self._lowered = None

    def _uninstall(self) -> None:
        # Only what is still ours; what somebody else has wrapped stays, and only passes on.
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if type(stream) is RecordedStream:
                setattr(sys, name, original(stream))
        while type(shown := warnings.showwarning) is _ShowWarning:
            _set(warnings, "showwarning", shown.previous)
        if logging.Logger.callHandlers is _call_handlers:
            _set(logging.Logger, "callHandlers", self._call_handlers)
        if threading.Thread.start is _start_thread:
            _set(threading.Thread, "start", self._start)
        if self._lowered is not None and logging.root.level is self._lowered:
            logging.root.setLevel(self._root_level)
        self._lowered = None

    def start(self, thread: threading.Thread) -> None:
        """Start ``thread``, and note which step it speaks for."""
        step = own_step() if self.captures else None
        if step is not None:
            thread.__dict__[_STARTED_IN] = step
        self._start(thread)

    def handle(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Record a logging record, and let the user's handlers have it as without us."""
        hidden = self._hides(logger, record)
        step = None if VOICE.quiet else self.speaker()
        if step is None:
            if not hidden:
                self._call_handlers(logger, record)
            return
        try:
            # Quiet while the user's handlers run: what they print is this record again.
            VOICE.quiet, VOICE.muted = True, not step.rules.echo
            if record.levelno >= step.rules.level:
                time = datetime.fromtimestamp(record.created, UTC)
                step.add_line("logging", record.levelname, _text_of(record), time=time)
            if not hidden:
                self._call_handlers(logger, record)
        finally:
            VOICE.quiet = VOICE.muted = False

    def _hides(self, logger: logging.Logger, record: logging.LogRecord) -> bool:
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

    def abandon(self) -> None:
        """After a fork: the sinks belong to the parent; the hooks stay and only pass on."""
        self._lock = threading.RLock()
        for capture in self.captures:
            capture.abandon()
        self.captures = ()
        VOICE.quiet = VOICE.muted = False


class _ShowWarning:
    """In the place of ``warnings.showwarning``; a new one each time, so chains have no loop."""

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
        step = None if VOICE.quiet or file is not None else HOOKS.speaker()
        if step is None:
            self.previous(message, category, filename, lineno, file, line)
            return
        try:
            VOICE.quiet, VOICE.muted = True, not step.rules.echo
            text = f"{filename}:{lineno}: {category.__name__}: {message}"
            step.add_line("warnings", "WARNING", text)
            self.previous(message, category, filename, lineno, file, line)
        finally:
            VOICE.quiet = VOICE.muted = False


def own_step() -> StepLines | None:
    """The step of this context, else the one that this thread was started in."""
    step = CURRENT.get()
    if step is None:
        return threading.current_thread().__dict__.get(_STARTED_IN)
    return step


def _start_thread(thread: threading.Thread) -> None:
    """In the place of ``threading.Thread.start``."""
    HOOKS.start(thread)


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    """In the place of ``logging.Logger.callHandlers``."""
    HOOKS.handle(logger, record)


def _text_of(record: logging.LogRecord) -> str:
    # A formatter keeps a traceback's text in the record; the user's own formatters come later.
    before = record.exc_text
    try:
        if isinstance(record.msg, dict) and "event" in record.msg:
            return _text_of_event(record, record.msg)
        return _TEXT.format(record)
    except Exception as error:
        # The arguments do not fit the message. Logging reports that itself, once, and goes on.
        return f"{record.name}: {record.msg!r} ({type(error).__name__}: {error})"
    finally:
        record.exc_text = before


def _text_of_event(record: logging.LogRecord, event: dict[str, Any]) -> str:
    """The text of a structlog event that is left to a formatter of the user's to render."""
    rest = [f" {k}={v!r}" for k, v in event.items() if k != "event" and not k.startswith("_")]
    text = f"{record.name}: {event['event']}{''.join(rest)}"
    if record.exc_info:
        text += "\n" + _TEXT.formatException(record.exc_info)
    return text


def _set(owner: Any, name: str, value: object) -> None:
    setattr(owner, name, value)


HOOKS = Hooks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=HOOKS.abandon)
