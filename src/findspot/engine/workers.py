"""What runs in a worker, on this machine or another: the workspace opened once, steps performed."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import select
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from findspot.artifacts.space import ArtifactSpace
from findspot.core.canonical import canonical_json
from findspot.core.pickling import quick_to_pickle
from findspot.engine.calls import StepCall, StepResult, perform
from findspot.engine.capturing.capture import Capture
from findspot.engine.code.project import adopt_main, main_module
from findspot.engine.recorder import Recorder

if TYPE_CHECKING:
    from findspot.engine.capturing.descriptors import Descriptors

BUDGET = 0.1
"""Seconds after which no further step of a batch is begun: the rest goes back, for any worker."""

HEAVY = 4096
"""Length from which texts and bytes travel through the store only."""


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class Place:
    """Where a job's steps feel at home: the same in every process that runs them.

    Args:
        url, overrides: what opens the workspace; the second as canonical JSON.
        folder: the current folder. It stays another one where the worker's machine lacks it.
        path: folders that modules are imported from, behind the worker's own.
        variables: environment variables that differ from what the worker was started with; None:
            absent.
        main: what the main module of the job's process is called (see `main_module`).
        words: a folder on this machine for what is written past Python (see `Descriptors`); "": it
            is left alone, since several steps may run in a worker at once, or it is elsewhere.
        parent: the process whose death ends its direct children among the workers; 0: none.
    """

    url: str = field(repr=False)
    overrides: bytes = field(repr=False)
    folder: str
    path: tuple[str, ...] = ()
    variables: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    main: str = "__main__"
    words: str = ""
    parent: int = 0

    @classmethod
    def here(cls, space: ArtifactSpace) -> Place:
        """That of this process, now."""
        path = tuple(os.path.abspath(entry) for entry in sys.path)
        overrides = canonical_json(dict(space.overrides))
        return cls(space.url, overrides, os.getcwd(), path, main=main_module())

    def with_changes(self, started: Mapping[str, str]) -> Place:
        """For workers that were started in the given environment: with what changed since."""
        now = os.environ
        changed = {n: now.get(n) for n in {*now, *started} if now.get(n) != started.get(n)}
        return replace(self, variables=changed)


def packed(place: Place, calls: list[StepCall]) -> bytes:
    """Calls on their way to a worker.

    Raises:
        Exception: whatever pickling raises where an argument cannot be pickled.
    """
    try:
        inner = pickle.dumps(calls, 5)
    except Exception:
        import cloudpickle

        inner = cloudpickle.dumps(calls, 5)
    return pickle.dumps((place, inner), 5)


def perform_batch(payload: bytes) -> bytes:
    """Run packed calls here, one after the other.

    What they say while they run is recorded from here; the rest comes with the first result, so
    that the process of the job records it together with theirs, and many workers need not wait for
    each other to write a few lines.

    Returns:
        The pickled results, in order: of all calls, or of the first ones where these took long.
    """
    place, inner = pickle.loads(payload)
    _settle(place)
    calls: list[StepCall] = pickle.loads(inner)
    space = _space(place.url, place.overrides)
    if not calls:
        return pickle.dumps([], 5)  # it is only asked whether it has started
    results: list[StepResult] = []
    begin = time.monotonic()
    recorder = _RECORDERS.of(space)
    try:
        with Capture(recorder.line, below=_SETTLED.descriptors) as capture:
            for call in calls:
                result = perform(call, space, recorder, capture)
                results.append(_lighter(result))
                if result.interrupted or time.monotonic() - begin > BUDGET:
                    break
    except BaseException:
        recorder.flush()
        raise
    said = recorder.leave()
    if said is not None:
        results[0] = replace(results[0], said=said)
    return pickle.dumps(results, 5)


def _lighter(result: StepResult) -> StepResult:
    """The result without values that are better read from the store."""
    if any(isinstance(v, str | bytes) and len(v) > HEAVY for v in result.values.values()):
        light = {
            name: value
            for name, value in result.values.items()
            if not (isinstance(value, str | bytes) and len(value) > HEAVY)
        }
        return replace(result, values=light)
    return result


class _Recorders(threading.local):
    """The recorder of this thread, kept from batch to batch with the thread that empties it."""

    kept: tuple[ArtifactSpace, Recorder] | None = None

    def of(self, space: ArtifactSpace) -> Recorder:
        kept = self.kept
        if kept is not None and kept[0] is space:
            return kept[1]
        if kept is not None:
            kept[1].close()
        recorder = Recorder(space.catalog)
        self.kept = (space, recorder)
        return recorder


_RECORDERS = _Recorders()


class _Settled:
    """The place that this process is in, and what it was before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.place: Place | None = None
        self.own_path = tuple(sys.path)
        self.changed: dict[str, str | None] = {}
        self.watched = False
        self.descriptors: Descriptors | None = None


_SETTLED = _Settled()


def _settle(place: Place) -> None:
    """Make this process a home of the job; a worker serves one job after another."""
    with _SETTLED.lock:
        with contextlib.suppress(FileNotFoundError):
            if os.getcwd() != place.folder:
                os.chdir(place.folder)
        adopt_main(place.main)
        if place.words and _SETTLED.descriptors is None and os.name == "posix":
            from findspot.engine.capturing.descriptors import Descriptors

            _SETTLED.descriptors = Descriptors(place.words)
        before = _SETTLED.place
        if before is None or before.path != place.path:
            own = _SETTLED.own_path
            sys.path[:] = [*own, *(p for p in place.path if p not in own and os.path.exists(p))]
        if before is None or before.variables != place.variables:
            _set(_SETTLED.changed)
            _SETTLED.changed = {name: os.environ.get(name) for name in place.variables}
            _set(place.variables)
        _SETTLED.place = place
        if place.parent and not _SETTLED.watched and _started_by(place.parent):
            end_with(place.parent)


def end_with(parent: int) -> None:
    """From now on this process, which a job's process started, does not outlive it."""
    if _SETTLED.watched:
        return
    _SETTLED.watched = True
    if os.getppid() != parent:
        os._exit(1)  # it died before
    threading.Thread(target=_end_with, args=[parent], name="findspot-parent", daemon=True).start()


def _started_by(parent: int) -> bool:
    starter = multiprocessing.parent_process()
    return os.getppid() == parent if starter is None else starter.pid == parent


def _end_with(parent: int) -> None:
    """A step must not go on when its job is dead: a resume would run it a second time beside."""
    with contextlib.suppress(AttributeError, OSError):  # not every system can tell it at once
        watched = os.pidfd_open(parent)
        if os.getppid() == parent:
            ended = select.poll()
            ended.register(watched, select.POLLIN)
            ended.poll()
    while os.getppid() == parent:
        time.sleep(1.0)
    if _SETTLED.descriptors is not None:
        _SETTLED.descriptors.remove()
    os._exit(1)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@lru_cache(maxsize=8)
def _space(url: str, overrides: bytes) -> ArtifactSpace:
    settings: dict[str, Any] = json.loads(overrides)
    return ArtifactSpace(url, **settings)
