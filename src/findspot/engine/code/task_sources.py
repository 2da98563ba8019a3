"""Where the function of a task comes from, and how it travels to a worker process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from findspot.core.errors import NotFound
from findspot.core.pickling import quick_to_pickle
from findspot.engine.code.fingerprint import Fingerprint, fingerprint
from findspot.engine.errors import BadTarget, CannotSend
from findspot.graph.task_options import TaskOptions
from findspot.graph.tasks import Task

if TYPE_CHECKING:
    from findspot.handlers.protocol import ArtifactHandler
    from findspot.plugins.loading import LoadedPlugin, PluginSource


class TaskSource(Protocol):
    """A task's function, wherever it lives."""

    @property
    def options(self) -> TaskOptions: ...

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
class LiveTask:
    """A `Task` object of this process."""

    task: Task[..., Any]

    @property
    def options(self) -> TaskOptions:
        return self.task.settings

    def function(self) -> Callable[..., Any]:
        return self.task.function

    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.task.function)

    def portable(self) -> TaskSource:
        import cloudpickle

        try:
            pickled = cloudpickle.dumps(self.task.function)
        except Exception as error:
            raise CannotSend(self.task.name, str(error)) from error
        return PickledTask(pickled, self.task.settings)


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class PickledTask:
    """A function on its way to a worker of the same job."""

    pickled: bytes = field(repr=False)
    options: TaskOptions

    def function(self) -> Callable[..., Any]:
        return _unpickled(self.pickled)

    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.function())

    def portable(self) -> TaskSource:
        return self


@dataclass(frozen=True, slots=True)
class PluginTask:
    """A function of a plugin's snapshot."""

    plugin: PluginSource
    source: str
    options: TaskOptions = field(default_factory=TaskOptions)

    def function(self) -> Callable[..., Any]:
        return loaded(self.plugin).function(self.source)

    def fingerprint(self) -> Fingerprint:
        return fingerprint(self.function())

    def portable(self) -> TaskSource:
        return self


@dataclass(frozen=True, slots=True)
class PluginHandler:
    """An artifact task of a plugin's snapshot."""

    plugin: PluginSource
    class_name: str

    def load(self, key: str) -> ArtifactHandler:
        """The handler; it names its files after the artifact's key."""
        return loaded(self.plugin).handler(self.class_name, name=key)

    @property
    def code(self) -> str:
        """A digest that changes with the handler's code: that of the plugin's files."""
        return self.plugin.digest


@lru_cache(maxsize=64)
def loaded(plugin: PluginSource) -> LoadedPlugin:
    """A plugin's snapshot in this process."""
    return plugin.load()


@lru_cache(maxsize=256)
def _unpickled(pickled: bytes) -> Callable[..., Any]:
    import pickle

    function: Callable[..., Any] = pickle.loads(pickled)
    return function


def imported(target: str) -> Any:
    """The object at ``module:qualname``, imported.

    Raises:
        NotFound: there is no such module, or no such name in it.
    """
    import importlib

    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise BadTarget(f"{target!r} names no Python object.", how="Write module:name.")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise NotFound(
                "module",
                module_name,
                how="Run from the folder that holds it, or install its package.",
            ) from None
        raise
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [name for name in vars(found) if not name.startswith("_")]
            from difflib import get_close_matches

            near = get_close_matches(part, names, 3)
            raise NotFound("name", f"{module_name}:{path}", near=near) from None
    return found
