"""Stop a step that takes too long."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from findspot.engine.errors import StepTimeout

AGAIN = 3.0
"""Seconds after which a step that went on in spite of it is interrupted once more, and so on."""


class _TimeUp(BaseException):
    """Not an `Exception`, so that a task's own ``except Exception`` does not swallow it."""


@contextmanager
def deadline(step: str, seconds: float | None) -> Iterator[None]:
    """Raise `StepTimeout` in the block once ``seconds`` have passed; None: never.

    In the main thread a timer signal interrupts even a blocking system call. Elsewhere the
    exception is raised at the next Python instruction, so code that waits in C is stopped when it
    comes back. Code that swallows it is interrupted again, and what it returns does not count.
    """
    if seconds is None:
        yield
    elif threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        with _by_signal(step, seconds):
            yield
    else:
        with _by_thread(step, seconds):
            yield


@contextmanager
def _by_signal(step: str, seconds: float) -> Iterator[None]:
    rung = over = False

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rung
        if not over:
            rung = True
            raise _TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    remaining = interval = 0.0
    try:
        try:
            remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
            yield
        finally:
            over = True  # at once: it may ring again at every instruction from here on
    except _TimeUp as up:
        over = True
        raise _told(up, step, seconds) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining, interval)
        signal.signal(signal.SIGALRM, before)
    if rung:
        raise StepTimeout(step, seconds)


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
