"""The files of a new run's readable view, written while its cells still run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from findspot.core.records import StepRecord
from findspot.experiments.history import DATA
from findspot.experiments.view import Item, item_of, write_files

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from findspot.artifacts.space import ArtifactSpace

_INTERVAL = 0.05
"""Seconds between two looks: about as often as a job records what was made."""


class ViewAhead:
    """A thread that writes the artifacts of cells once they are recorded; in a ``with`` block.

    It only helps: `written` says what is there, and `write_view` writes the rest, also where this
    thread met an error. Nothing is written where the folder existed before, because its
    ``metadata.json`` may speak of other files.
    """

    def __init__(self, space: ArtifactSpace, folder: Path) -> None:
        self.written: dict[str, Item] = {}
        self._space = space
        self._folder = folder
        self._new = not folder.exists()
        self._lock = threading.Lock()
        self._waiting: list[tuple[Item, str]] = []
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def saw(self, step: StepRecord) -> None:
        """A step of the run's job has changed."""
        if not self._new or step.status != "finished" or not step.outputs:
            return
        condition, _, replicate = step.name.rpartition("/")
        if condition == DATA:
            return
        items = [
            (item_of(condition, int(replicate), place, step.source_job or step.job), uid)
            for place, uid in step.outputs.items()
        ]
        with self._lock:
            self._waiting.extend(items)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="findspot-view", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopped.wait(_INTERVAL):
                with self._lock:
                    taken, self._waiting = self._waiting, []
                for item, uid in write_files(
                    self._space, self._folder, taken, self.written, self._stopped.is_set
                ):
                    with self._lock:  # not recorded yet
                        self._waiting.append((item, uid))
        except Exception:
            self._stopped.set()  # whoever writes the rest meets the same error, and raises it

    def __enter__(self) -> ViewAhead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
