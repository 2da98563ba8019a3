"""What a plugin's own code uses: the decorator of function tasks and the base of artifact tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__findspot_registration__"


@dataclass(frozen=True, slots=True)
class Registration:
    """What `register` was told: the task's name, its outputs' names (None: as annotated)."""

    name: str
    outputs: tuple[str, ...] | None = None


@overload
def register(function: F, /) -> F: ...


@overload
def register(
    name: str | None = None, /, *, outputs: str | Sequence[str] | None = None
) -> Callable[[F], F]: ...


def register(
    function: Callable[..., Any] | str | None = None,
    /,
    *,
    outputs: str | Sequence[str] | None = None,
) -> Any:
    """Registers a function as a task of its plugin, and returns the function itself, unchanged.

    Findspot reads the registration from the source, without running it; so ``name`` and
    ``outputs`` must be written as literals.

    Args:
        name: as graphs call the task; the function's own name by default.
        outputs: a name for the returned value, or names for the elements of the returned tuple, in
            order; by default they are read from the return annotation.

    >>> @register
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> double(2.0)
    4.0
    >>> @register("halves", outputs=["low", "high"])
    ... def split(x: list[int]) -> tuple[list[int], list[int]]:
    ...     return x[: len(x) // 2], x[len(x) // 2 :]
    """
    if callable(function):
        return _mark(function, None, None)
    names = (outputs,) if isinstance(outputs, str) else outputs
    chosen = None if names is None else tuple(names)
    return lambda decorated: _mark(decorated, function, chosen)


def _mark(function: F, name: str | None, outputs: tuple[str, ...] | None) -> F:
    own_name = getattr(function, "__name__", "task")
    setattr(function, MARK, Registration(name or own_name, outputs))
    return function


class ArtifactTask(ABC):
    """The base of artifact tasks: classes that save and load one type of value as files.

    A subclass defines static methods; it is never instantiated.

    >>> class TextTask(ArtifactTask):
    ...     @staticmethod
    ...     def serialize(working_dir: Path, name: str, contents: str, **kwargs: Any) -> Path:
    ...         path = working_dir / f"{name}.txt"
    ...         path.write_text(contents, encoding="utf-8")
    ...         return path
    ...
    ...     @staticmethod
    ...     def deserialize(working_dir: Path, path: str, **kwargs: Any) -> str:
    ...         return (working_dir / path).read_text(encoding="utf-8")
    ...
    ...     @staticmethod
    ...     def validation() -> dict[str, Any] | None:
    ...         return None

    Optional extras: the class attributes ``kind`` (of the artifacts it makes), ``deterministic``
    (equal values give equal bytes) and ``safe`` (loading runs no code from the file), and the
    static methods ``describe(contents) -> dict`` and ``preview(contents) -> Preview | None``.
    """

    @staticmethod
    @abstractmethod
    def serialize(working_dir: Path, name: str, contents: Any, **kwargs: Any) -> Path:
        """Write ``contents`` below ``working_dir`` and return the file or folder written.

        Args:
            working_dir: an empty folder.
            name: of the artifact output; a good start for the file's name.
            contents: the value.
            kwargs: the arguments given in the graph, already checked against `validation`.
        """

    @staticmethod
    @abstractmethod
    def deserialize(working_dir: Path, path: str, **kwargs: Any) -> Any:
        """The value again.

        Args:
            working_dir: a read-only folder with the files that `serialize` wrote.
            path: what `serialize` returned, relative to ``working_dir``.
            kwargs: those that `serialize` was given.
        """

    @staticmethod
    def validation() -> dict[str, Any] | None:
        """The JSON Schema (2020-12) of the keyword arguments, or only its properties; None: no
        arguments are taken."""
        return None
