"""Where steps run: in this thread, on threads, or in worker processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from findspot.core.records import Failure, now
from findspot.engine.calls import StepCall, StepResult
from findspot.engine.errors import UnknownExecutor
from findspot.engine.failures import failure_of

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

EXECUTORS = ("inline", "threads", "processes")


class Executor(Protocol):
    """Runs calls. Used by one thread, in a ``with`` block.

    Every call that was started is answered by exactly one result, whatever becomes of the step or
    of the worker that ran it.
    """

    slots: int
    """How many calls may be started before a result is waited for."""

    def start(self, call: StepCall) -> None: ...

    def result(self) -> StepResult:
        """The next result of a started call; waits for it."""
        ...

    def __enter__(self) -> Executor: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Wait for nothing more: stop what still runs."""
        ...


def make_executor(
    name: str, workers: int, space: ArtifactSpace, perform: Callable[[StepCall], StepResult]
) -> Executor:
    """An executor by its name.

    Args:
        workers: how many at once; 0: one for each core.
        perform: runs a call in this process.

    Raises:
        UnknownExecutor: lists those there are.
    """
    count = workers or cores()
    if name == "inline":
        return InlineExecutor(perform)
    if name == "threads":
        return ThreadExecutor(perform, count)
    if name == "processes":
        return ProcessExecutor(space.url, space.overrides, count)
    raise UnknownExecutor(name)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class InlineExecutor:
    """One step after the other, in the caller's thread."""

    slots = 1

    def __init__(self, perform: Callable[[StepCall], StepResult]) -> None:
        self._perform = perform
        self._call: StepCall | None = None

    def start(self, call: StepCall) -> None:
        self._call = call

    def result(self) -> StepResult:
        assert self._call is not None
        call, self._call = self._call, None
        return self._perform(call)

    def __enter__(self) -> InlineExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self._call = None


class ThreadExecutor:
    """Several steps at once in this process; for work that waits or that frees the GIL."""

    def __init__(self, perform: Callable[[StepCall], StepResult], workers: int) -> None:
        self.slots = workers
        self._perform = perform
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="findspot-step")
        self._results: SimpleQueue[StepResult] = SimpleQueue()

    def start(self, call: StepCall) -> None:
        self._pool.submit(lambda: self._results.put(self._perform(call)))

    def result(self) -> StepResult:
        return self._results.get()

    def __enter__(self) -> ThreadExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class ProcessExecutor:
    """Worker processes (loky), which are replaced when they die.

    Workers stay for a minute after a job, so that the next job finds them started; they leave when
    this process ends, and when its environment variables have changed.

    When a worker dies, all calls that were under way are in doubt: each is run once more, alone. A
    call whose worker dies while it runs alone is the culprit and fails.
    """

    def __init__(self, url: str, overrides: Mapping[str, Any], workers: int) -> None:
        self.slots = workers
        self._workers = workers
        self._place = (url, dict(overrides), os.getcwd())
        self._pool: Any = None
        self._done: SimpleQueue[tuple[StepCall, Future[StepResult]]] = SimpleQueue()
        self._doubtful: deque[StepCall] = deque()
        self._running = 0
        self._alone: StepCall | None = None

    def start(self, call: StepCall) -> None:
        if self._doubtful or self._alone is not None:
            self._doubtful.append(call)
            return
        self._submit(call)

    def result(self) -> StepResult:
        while True:
            if self._running == 0 and self._doubtful:
                self._alone = self._doubtful.popleft()
                self._submit(self._alone)
            call, future = self._done.get()
            self._running -= 1
            error = future.exception()
            alone, self._alone = self._alone is call, None
            if error is None:
                return future.result()
            if _worker_died(error):
                self._drop_pool()
                if not alone:
                    self._doubtful.append(call)
                    continue
                return _failed(
                    call,
                    Failure(
                        "WorkerDied",
                        "The worker process died while it ran the step (killed, out of memory, "
                        "or a crash in native code).",
                    ),
                )
            return _failed(call, failure_of(error))

    def _submit(self, call: StepCall) -> None:
        if self._pool is None:
            from loky import get_reusable_executor

            self._pool = get_reusable_executor(
                max_workers=self._workers, timeout=60, env=dict(os.environ)
            )
        from findspot.engine.workers import perform_in_worker

        self._running += 1
        try:
            future = self._pool.submit(perform_in_worker, *self._place, call)
        except Exception as error:  # the pool broke a moment ago
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda done: self._done.put((call, done)))

    def _drop_pool(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.shutdown(wait=False, kill_workers=True)

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running:
            self._drop_pool()


def _worker_died(error: BaseException) -> bool:
    from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

    return isinstance(error, BrokenProcessPool | ShutdownExecutorError)


def _failed(call: StepCall, failure: Failure) -> StepResult:
    time = now()
    return StepResult(step=call.step, started=time, ended=time, failure=failure)
