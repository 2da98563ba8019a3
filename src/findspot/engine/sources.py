"""Where the function of a task comes from, and how it travels to a worker process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from findspot.engine.errors import CannotSend
from findspot.engine.fingerprint import Fingerprint, fingerprint
from findspot.graph.tasks import TaskOptions

if TYPE_CHECKING:
    from pathlib import Path

    from findspot.graph.tasks import Task
    from findspot.plugins.loading import LoadedPlugin, PluginSource


class TaskSource(Protocol):
    """A task's function, wherever it lives."""

    options: TaskOptions

    def function(self) -> Callable[..., Any]:
        """The function itself; imports code where it must."""
        ...

    def fingerprint(self) -> Fingerprint:
        """The digest of its code, and of the project's code that it calls."""
        ...

    def portable(self) -> TaskSource:
        """The same source in a form that can be pickled.

        Raises:
            CannotSend: the function holds something that stays in its process.
        """
        ...


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A `Task` object of this process."""

    task: Task[..., Any]

    @property
    def options(self) -> TaskOptions:
        return self.task.options

    def function(self) -> Callable[..., Any]:
        return self.task.function

    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.task.function)

    def portable(self) -> TaskSource:
        import cloudpickle

        try:
            pickled = cloudpickle.dumps(self.task.function)
        except Exception as error:
            raise CannotSend(self.task.spec.name, str(error)) from error
        return PickledSource(self.task.spec.name, pickled, self.task.options)


@dataclass(frozen=True, slots=True)
class PickledSource:
    """A function on its way to a worker of the same job."""

    name: str
    pickled: bytes = field(repr=False)
    options: TaskOptions

    def function(self) -> Callable[..., Any]:
        return _unpickled(self.pickled)

    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.function())

    def portable(self) -> TaskSource:
        return self


@lru_cache(maxsize=256)
def _unpickled(pickled: bytes) -> Callable[..., Any]:
    import pickle

    function: Callable[..., Any] = pickle.loads(pickled)
    return function


@dataclass(frozen=True, slots=True)
class PluginTask:
    """A function of a plugin's snapshot."""

    plugin: PluginSource
    source: str
    folder: Path
    options: TaskOptions = field(default_factory=TaskOptions)

    def function(self) -> Callable[..., Any]:
        return self.loaded().function(self.source)

    def loaded(self) -> LoadedPlugin:
        from findspot.plugins.loading import load

        return load(self.plugin)

    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.function())

    def portable(self) -> TaskSource:
        return self
