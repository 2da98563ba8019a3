"""Ctrl-C and worker processes: the terminal sends it to all of them, but the job's process decides.

A worker that starts or waits for work is not to be heard of then; a step that runs is interrupted.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker
from types import FrameType

_MASKS = hasattr(signal, "pthread_sigmask")


@contextmanager
def held_back() -> Iterator[None]:
    """Processes that are started in its block are not interrupted before `wait_undisturbed`.

    They inherit the mask, as do threads that start others later. The block itself is interrupted
    only when it is done: half a pool of workers could not be stopped.
    """
    with _deferred():
        if not _MASKS:
            yield
            return
        _start_tracker()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def _start_tracker() -> None:
    """It is started with the first worker, and up to Python 3.13 takes the mask off when it is."""
    resource_tracker.ensure_running()


@contextmanager
def _deferred() -> Iterator[None]:
    """Call the handler of Ctrl-C after the block.

    A mask does not do that: where any other thread takes the signal, Python calls the handler in
    the main thread all the same.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[FrameType | None] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(signal.SIGINT, came[0])


def wait_undisturbed() -> None:
    """Make this process, which is a worker, ignore Ctrl-C while it has nothing to do.

    By a handler of its own: what a step starts would inherit that a signal is ignored.
    """
    signal.signal(signal.SIGINT, _ignore)
    if _MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def perform_interruptibly(payload: bytes) -> bytes:
    """As `findspot.engine.workers.perform_batch`; Ctrl-C interrupts the step that runs."""
    from findspot.engine.workers import perform_batch

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return perform_batch(payload)
    finally:
        signal.signal(signal.SIGINT, _ignore)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Nothing: the job's process is told as well, and ends this one."""
