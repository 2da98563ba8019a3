"""Stop a step that takes too long."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

from findspot.engine.errors import StepTimeout

AGAIN = 3.0
"""Seconds after which a step that went on in spite of it is interrupted once more, and so on."""


class _TimeUp(BaseException):
    """Not an `Exception`, so that a task's own ``except Exception`` does not swallow it."""


def deadline(step: str, seconds: float | None) -> AbstractContextManager[None]:
    """Raise `StepTimeout` in the block once ``seconds`` have passed; None: never.

    In the main thread a timer signal interrupts even a blocking system call. Elsewhere the
    exception is raised at the next Python instruction, so code that waits in C is stopped when it
    comes back. Code that swallows it is interrupted again, and what it returns does not count.
    """
    if seconds is None:
        return nullcontext()
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        return _BySignal(step, seconds)
    return _by_thread(step, seconds)


class _BySignal:
    """By hand, since between the block and a generator's own lines there would be others."""

    def __init__(self, step: str, seconds: float) -> None:
        self._step, self._seconds = step, seconds
        self._rung = False
        self._before: Any = None
        self._remaining = (0.0, 0.0)

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._ring)
        self._remaining = signal.setitimer(signal.ITIMER_REAL, self._seconds, AGAIN)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._remaining[0]:
            signal.setitimer(signal.ITIMER_REAL, *self._remaining)
        if isinstance(error, _TimeUp):
            raise _told(error, self._step, self._seconds) from None
        if self._rung and error is None:
            raise StepTimeout(self._step, self._seconds)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        self._rung = True
        while frame is not None:
            if frame.f_code is _ENTERS:
                # The block begins only now: once more, soon.
                signal.setitimer(signal.ITIMER_REAL, 0.001, AGAIN)
                return
            if frame.f_code is _EXITS:
                return  # it has ended already
            frame = frame.f_back
        raise _TimeUp


_ENTERS, _EXITS = _BySignal.__enter__.__code__, _BySignal.__exit__.__code__


@contextmanager
def _by_thread(step: str, seconds: float) -> Iterator[None]:
    target = threading.get_ident()
    lock = threading.Lock()
    ended = threading.Event()
    rung = False

    def ring() -> None:
        nonlocal rung
        wait = seconds
        while not ended.wait(wait):
            with lock:
                if not ended.is_set():
                    rung = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(target), ctypes.py_object(_TimeUp)
                    )
            wait = AGAIN

    threading.Thread(target=ring, daemon=True).start()
    try:
        try:
            yield
        finally:
            with lock:
                ended.set()
    except _TimeUp as up:
        with lock:
            ended.set()  # it may have rung just before it was
        raise _told(up, step, seconds) from None
    if rung:
        raise StepTimeout(step, seconds)


def _told(up: _TimeUp, step: str, seconds: float) -> StepTimeout:
    """With the traceback of the task's code as it was interrupted, without what interrupted it."""
    trace = last = up.__traceback__
    while last is not None and last.tb_next is not None:
        if last.tb_next.tb_next is None and last.tb_next.tb_frame.f_code.co_filename == __file__:
            last.tb_next = None
        last = last.tb_next
    return StepTimeout(step, seconds).with_traceback(trace)
