"""Cancel a job from another process, and notice it in the process that runs it."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from findspot.catalog.protocol import Batch, Catalog
from findspot.core.errors import Conflict
from findspot.core.records import Failure, JobUpdate, now
from findspot.engine.errors import CannotCancel

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def cancel(space: ArtifactSpace, job: str) -> None:
    """Have a running or queued job stopped, wherever it runs; it notices within a second or two.

    Raises:
        CannotCancel: it has ended.
    """
    update = JobUpdate(
        id=job,
        expected=("queued", "running"),
        status="cancelled",
        ended=now(),
        failure=Failure("Cancelled", "The job was cancelled."),
    )
    try:
        space.catalog.write(Batch(updates=[update]))
    except Conflict as error:
        record = space.catalog.job(job)
        reason = str(error) if record is None else f"it is {record.status}."
        raise CannotCancel(job, reason) from error


class CancelWatch:
    """Looks whether a job was cancelled, and then interrupts the thread that entered it.

    Args:
        job: the job's id; its record says ``cancelled`` when somebody cancelled it.
    """

    def __init__(self, catalog: Catalog, job: str) -> None:
        self.cancelled = False
        self._catalog = catalog
        self._job = job
        self._thread: int | None = None
        self._lock = threading.Lock()
        self._before: Callable[[int, FrameType | None], object] | int | None = None

    def look(self) -> None:
        """Called now and then, by another thread than the one to interrupt."""
        if self.cancelled:
            return
        record = self._catalog.job(self._job)
        if record is None or record.status != "cancelled":
            return
        with self._lock:
            self.cancelled = True
            if self._thread is None:
                return
            if self._thread == threading.main_thread().ident and os.name == "posix":
                # A real signal, since it also ends a system call that waits.
                signal.pthread_kill(self._thread, signal.SIGINT)
            else:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
                )

    def __enter__(self) -> CancelWatch:
        self._thread = threading.get_ident()
        if threading.current_thread() is threading.main_thread():
            self._heed()
        return self

    def _heed(self) -> None:
        """Have SIGINT interrupt a cancelled job also where it would not: a shell starts what it
        runs in the background with SIGINT ignored, and servers have handlers of their own."""
        before = signal.getsignal(signal.SIGINT)
        if before is None or before is signal.default_int_handler:
            return

        def interrupt(number: int, frame: FrameType | None) -> None:
            if self.cancelled or before is signal.SIG_DFL:
                raise KeyboardInterrupt
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGINT, interrupt)
        self._before = before

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._thread = None
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
