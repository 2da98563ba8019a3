"""What travels between steps: saved versions, never the live objects.

A step is given exactly what was saved, in every executor and on every run. Only values that cannot
be changed (None, bool, int, float, str, bytes) are handed on as they are: loading would give an
equal object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from findspot.core.pickling import quick_to_pickle
from findspot.core.records import FileEntry, VersionRecord

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes})


class _NotLoaded:
    """The mark of a value that is only in the store; one object in every process."""

    def __reduce__(self) -> str:
        return "NOT_LOADED"

    def __repr__(self) -> str:
        return "NOT_LOADED"


NOT_LOADED: Final = _NotLoaded()


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class Saved:
    """A saved version as the value of an argument.

    Args:
        files: None: not looked up yet.
        value: the value itself where it is immutable and at hand.
        part: the element of the loaded tuple that is meant, for one of several outputs of an
            artifact input.
    """

    record: VersionRecord
    files: tuple[FileEntry, ...] | None = None
    value: Any = NOT_LOADED
    part: int | None = None

    def load(self, space: ArtifactSpace) -> Any:
        """The value: a copy of the caller's own, or an immutable one."""
        if self.value is not NOT_LOADED:
            return self.value
        files = space.catalog.files(self.record.uid) if self.files is None else self.files
        value = space.load_version(self.record, files)
        return value if self.part is None else value[self.part]


def shared(value: Any) -> Any:
    """The value where it cannot be changed, else `NOT_LOADED`."""
    return value if type(value) in _IMMUTABLE else NOT_LOADED


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one step, with every reference replaced by a plain value or a `Saved`."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def load(self, space: ArtifactSpace) -> tuple[list[Any], dict[str, Any]]:
        """Every argument as the task's function gets it."""
        return (
            [_loaded(value, space) for value in self.args],
            {name: _loaded(value, space) for name, value in self.kwargs.items()},
        )


def _loaded(value: Any, space: ArtifactSpace) -> Any:
    kind = type(value)
    if kind is Saved:
        return value.load(space)
    if kind is list:
        return [_loaded(item, space) for item in value]
    if kind is tuple:
        return tuple(_loaded(item, space) for item in value)
    if kind is dict:
        return {
            key: item if type(item) in _IMMUTABLE else _loaded(item, space)
            for key, item in value.items()
        }
    return value


def replaced(template: Any, lookup: Any) -> Any:
    """A template with every `Ref` and `Opaque` replaced by ``lookup`` of it; one that has none is
    given back as it is."""
    return template if is_constant(template) else _replaced(template, lookup)


def _replaced(template: Any, lookup: Any) -> Any:
    kind = type(template)
    if kind is list:
        return [_replaced(item, lookup) for item in template]
    if kind is tuple:
        return tuple(_replaced(item, lookup) for item in template)
    if kind is dict or isinstance(template, Mapping):
        return {key: _replaced(item, lookup) for key, item in template.items()}
    return lookup(template)


def light(value: Any) -> Any:
    """A value with what is at hand in place of what it was saved as."""
    return replaced(value, _at_hand)


def _at_hand(leaf: Any) -> Any:
    return leaf if type(leaf) is not Saved or leaf.value is NOT_LOADED else leaf.value


def saved_in(value: Any, place: str) -> list[tuple[str, Saved]]:
    """Every `Saved` in a value with its place: ``x``, ``x[0]``, ``x.key``."""
    return [] if is_constant(value) else list(_saved_in(value, place))


def _saved_in(value: Any, place: str) -> Iterator[tuple[str, Saved]]:
    kind = type(value)
    if kind is Saved:
        yield place, value
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):
            yield from _saved_in(item, f"{place}[{index}]")
    elif kind is dict:
        for key, item in value.items():
            yield from _saved_in(item, f"{place}.{key}")


def is_constant(value: Any) -> bool:
    """Whether a value consists of plain values only, as most arguments do: lists, tuples and
    dictionaries of them included."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return True
    if kind is dict:
        value = value.values()
    elif kind is not list and kind is not tuple:
        return False
    return all(map(is_constant, [item for item in value if type(item) not in _IMMUTABLE]))
