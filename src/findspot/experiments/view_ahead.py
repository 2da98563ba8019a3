"""The files of a new run's readable view, written while its cells still run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING

from findspot.core.records import StepRecord
from findspot.experiments.history import DATA
from findspot.experiments.view import Item, ViewFolder, item_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from findspot.artifacts.space import ArtifactSpace
    from findspot.catalog.protocol import NewVersion


class ViewAhead:
    """A thread that writes the artifacts of cells as they are made; in a ``with`` block.

    It only helps: `written` says what is there, and `write_view` writes the rest, also where this
    thread met an error. Nothing is written where the folder existed before, because its
    ``metadata.json`` may speak of other files.
    """

    def __init__(self, space: ArtifactSpace, folder: Path) -> None:
        self.written: dict[str, Item] = {}
        self._space = space
        self._folder = folder
        self._new = not folder.exists()
        self._made: SimpleQueue[tuple[Item, NewVersion] | None] = SimpleQueue()
        self._given_up = False
        self._thread: threading.Thread | None = None

    def saw(self, step: StepRecord, made: Mapping[str, NewVersion]) -> None:
        """A step of the run's job has finished."""
        condition, _, replicate = step.name.rpartition("/")
        if not self._new or not made or condition == DATA:
            return
        for place, new in made.items():
            self._made.put((item_of(condition, int(replicate), place, step.job), new))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="findspot-view", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        folder = ViewFolder(self._space, self._folder)
        try:
            while (taken := self._made.get()) is not None and not self._given_up:
                item, new = taken
                folder.write(item, new.record, new.files)
                self.written[item["path"]] = item
        except Exception:
            self._given_up = True  # whoever writes the rest meets the same error, and raises it

    def __enter__(self) -> ViewAhead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._given_up |= error is not None
        self._made.put(None)
        if self._thread is not None:
            self._thread.join()
