"""Differences of two JSON values, place by place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

MOST = 1000
"""At most so many places are listed."""
_DEPTH = 64
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Change:
    """One place in which two JSON values differ.

    Args:
        path: where, such as ``$.layers[2].units``.
        before, after: the values there; None where there is none (see ``what``).
    """

    path: str
    what: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: ``path``, ``what``, and ``before`` and ``after`` where there are any."""
        document: dict[str, Any] = {"path": self.path, "what": self.what}
        if self.what != "added":
            document["before"] = self.before
        if self.what != "removed":
            document["after"] = self.after
        return document

    def __str__(self) -> str:
        path = self.path.removeprefix("$.")
        if self.what == "added":
            return f"+ {path}: {shown(self.after)}"
        if self.what == "removed":
            return f"- {path}: {shown(self.before)}"
        return f"~ {path}: {shown(self.before)} -> {shown(self.after)}"


def changes(before: Any, after: Any, *, path: str = "$", most: int = MOST) -> tuple[Change, ...]:
    """Every place in which two JSON values differ, in the order of the first; at most ``most``.

    Lists are compared by position. ``1`` and ``1.0`` differ, as they do to a task; NaN equals NaN.

    >>> [str(change) for change in changes({"lr": 0.1, "n": 1}, {"lr": 0.2, "m": [1]})]
    ['~ lr: 0.1 -> 0.2', '- n: 1', '+ m: [1]']
    """
    return tuple(islice(_walk(before, after, path, _DEPTH), most))


def shown(value: Any, width: int = _SHOWN) -> str:
    """A value as one short line."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _walk(before: Any, after: Any, path: str, depth: int) -> Iterator[Change]:
    if depth and isinstance(before, Mapping) and isinstance(after, Mapping):
        for name, old in before.items():
            place = _place(path, name)
            if name in after:
                yield from _walk(old, after[name], place, depth - 1)
            else:
                yield Change(place, "removed", before=old)
        for name, new in after.items():
            if name not in before:
                yield Change(_place(path, name), "added", after=new)
    elif depth and isinstance(before, list) and isinstance(after, list):
        common = min(len(before), len(after))
        for i in range(common):
            yield from _walk(before[i], after[i], f"{path}[{i}]", depth - 1)
        for i in range(common, len(before)):
            yield Change(f"{path}[{i}]", "removed", before=before[i])
        for i in range(common, len(after)):
            yield Change(f"{path}[{i}]", "added", after=after[i])
    elif not _same(before, after):
        yield Change(path, "changed", before, after)


def _place(path: str, name: Any) -> str:
    text = str(name)
    return f"{path}.{text}" if text.isidentifier() else f"{path}[{text!r}]"


def _same(before: Any, after: Any) -> bool:
    if type(before) is not type(after):
        return False
    if isinstance(before, float) and math.isnan(before) and math.isnan(after):
        return True
    return bool(before == after)
