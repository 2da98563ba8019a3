"""What a job records, gathered and written a few times a second instead of step by step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType

from findspot.catalog.protocol import Batch, Catalog, NewVersion
from findspot.core.digests import Digest
from findspot.core.records import (
    JobInput,
    JobOutput,
    JobUpdate,
    LogLine,
    MetricPoint,
    SourceRead,
    StepRecord,
)

INTERVAL = 0.05
"""Seconds: what happened is on disk at most so much later, whatever runs meanwhile."""

_MOST_LEFT = 1000
_MOST_TEXT = 1 << 18
"""Records, and characters of log lines, that a worker sends to the process of the job."""

TICK = 0.5
"""Seconds between two looks at whether somebody wants something of the job."""


class Recorder:
    """A buffer in front of the catalog, emptied by a thread of its own.

    Everything that was added before `flush` was called is recorded when it returns. What happened
    in the last `INTERVAL` before a kill is lost, and is done again by a resume; nothing was
    acknowledged before. Of a step only the newest state is written. A write that fails is
    raised from the next `flush`, and nothing is dropped silently.

    Any thread may add. Use it in a ``with`` block.

    Args:
        tick: called by the thread every `TICK` seconds.
    """

    def __init__(self, catalog: Catalog, tick: Callable[[], None] | None = None) -> None:
        self._catalog = catalog
        self._tick = tick
        self._batch = Batch()
        self._steps: dict[tuple[str, str], StepRecord] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def step(self, record: StepRecord) -> None:
        with self._lock:
            self._steps[record.job, record.name] = record
        self._stir()

    def finished(self, record: StepRecord, versions: list[NewVersion], *, cache: bool) -> None:
        """A step that finished, the versions that it made, and whether they may be reused."""
        with self._lock:
            self._steps[record.job, record.name] = record
            self._batch.versions.extend(versions)
            if cache and record.key is not None:
                self._batch.cache.append((record.key, record.job, record.name))
        self._stir()

    def metric(self, point: MetricPoint) -> None:
        self._add(lambda batch: batch.metrics.append(point))

    def line(self, line: LogLine) -> None:
        self._add(lambda batch: batch.log.append(line))

    def read(self, note: JobInput) -> None:
        self._add(lambda batch: batch.inputs.append(note))

    def source(self, note: SourceRead) -> None:
        self._add(lambda batch: batch.sources.append(note))

    def output(self, output: JobOutput) -> None:
        self._add(lambda batch: batch.outputs.append(output))

    def version(self, version: NewVersion) -> None:
        self._add(lambda batch: batch.versions.append(version))

    def update(self, update: JobUpdate) -> None:
        self._add(lambda batch: batch.updates.append(update))

    def repeatable(self, key: Digest, job: str) -> None:
        """The job may be repeated as a whole under the key."""
        self._add(lambda batch: batch.cache.append((key, job, "")))

    def document(self, digest: Digest, data: bytes) -> None:
        self._add(lambda batch: batch.documents.update({digest: data}))

    def flush(self) -> None:
        """Record everything now; raises what a write in the background raised."""
        with self._writing:
            with self._lock:
                batch, self._batch = self._batch, Batch()
                batch.steps.extend(self._steps.values())
                self._steps = {}
                self._wake.clear()
            error, self._error = self._error, None
            if error is not None:
                raise error
            if batch:
                self._catalog.write(batch)

    def close(self) -> None:
        """Record the rest and stop the thread."""
        self._stop()
        self.flush()

    def leave(self) -> Batch | None:
        """What is not recorded yet, for another recorder to `merge`; this one goes on, empty. Where
        it is much it is recorded here instead, and None is left."""
        with self._writing, self._lock:
            batch = self._batch
            said = [*batch.metrics, *batch.log, *batch.inputs, *batch.sources]
            much = len(said) > _MOST_LEFT or sum(len(line.text) for line in batch.log) > _MOST_TEXT
            others = self._steps or batch.versions or batch.outputs or batch.updates
            if not (much or others or batch.documents or batch.cache or self._error is not None):
                self._batch = Batch()
                self._wake.clear()
                return batch if said else None
        self.flush()
        return None

    def merge(self, batch: Batch) -> None:
        """Add what another process gathered and left."""
        with self._lock:
            own = self._batch
            own.metrics.extend(batch.metrics)
            own.log.extend(batch.log)
            own.inputs.extend(batch.inputs)
            own.sources.extend(batch.sources)
        self._stir()

    def _stop(self) -> None:
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, change: Callable[[Batch], None]) -> None:
        with self._lock:
            change(self._batch)
        self._stir()

    def _stir(self) -> None:
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="findspot-recorder", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        due = monotonic() + TICK
        while not self._closing.is_set():
            stirred = self._wake.wait(None if self._tick is None else max(0.0, due - monotonic()))
            try:
                # Also where there is always something to write.
                if self._tick is not None and monotonic() >= due:
                    due = monotonic() + TICK
                    self._tick()
                if stirred:
                    if self._closing.wait(INTERVAL):
                        return
                    self.flush()
            except BaseException as error:
                self._error = error
