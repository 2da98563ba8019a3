"""Checks of metadata fields: each gives the value in the form that is kept, or notes a problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from findspot.core.canonical import is_plain
from findspot.core.errors import Problem

Check: TypeAlias = Callable[[Any, str, list[Problem]], Any]
"""``check(value, path, problems)``: the value to keep; what is wrong goes into ``problems``."""

_NUMBERS = "a finite number"


def text(value: Any, path: str, problems: list[Problem]) -> Any:
    """Text."""
    return _expect(isinstance(value, str), value, path, problems, "text")


def count(value: Any, path: str, problems: list[Problem]) -> Any:
    """A whole number from 0 up."""
    value = scalar(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return _expect(whole, value, path, problems, "a whole number from 0 up")


def number(value: Any, path: str, problems: list[Problem]) -> Any:
    """A finite number; NumPy's become Python's."""
    value = scalar(value)
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if real and not math.isfinite(value):
        problems.append(
            Problem(
                path,
                f"{value} cannot be kept in a record",
                expected=_NUMBERS,
                hint="Leave it out, or log it as a metric of the job (log_metric keeps it).",
            )
        )
        return value
    return _expect(real, value, path, problems, _NUMBERS)


def plain(value: Any, path: str, problems: list[Problem]) -> Any:
    """Any plain JSON value: None, bool, finite numbers, text, and lists and mappings of these.

    Tuples become lists and NumPy's numbers Python's.
    """
    value = scalar(value)
    if isinstance(value, float):
        return number(value, path, problems)
    if isinstance(value, Mapping):
        return mapping_of(plain)(value, path, problems)
    if isinstance(value, list | tuple):
        return list_of(plain)(value, path, problems)
    return _expect(is_plain(value), value, path, problems, "a plain JSON value")


def list_of(item: Check) -> Check:
    """A list, each item checked."""

    def check(value: Any, path: str, problems: list[Problem]) -> Any:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            return _expect(False, value, path, problems, "a list")
        return [item(part, f"{path}[{i}]", problems) for i, part in enumerate(value)]

    return check


def mapping_of(item: Check) -> Check:
    """A mapping with texts as keys, each value checked."""

    def check(value: Any, path: str, problems: list[Problem]) -> Any:
        if not isinstance(value, Mapping):
            return _expect(False, value, path, problems, "a mapping")
        kept: dict[str, Any] = {}
        for key, part in value.items():
            if not isinstance(key, str):
                problems.append(Problem(f"{path}[{key!r}]", "a name is text", found=_kind(key)))
                continue
            kept[key] = item(part, f"{path}.{key}", problems)
        return kept

    return check


def one_of(*choices: str) -> Check:
    """One of the given texts."""

    def check(value: Any, path: str, problems: list[Problem]) -> Any:
        fits = isinstance(value, str) and value in choices
        return _expect(fits, value, path, problems, f"one of {', '.join(choices)}")

    return check


texts = list_of(text)
numbers = mapping_of(number)
plain_mapping = mapping_of(plain)
text_mapping = mapping_of(text)


def scalar(value: Any) -> Any:
    """A NumPy number, text or truth value as Python's; everything else as it is."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    return value


def _expect(fits: bool, value: Any, path: str, problems: list[Problem], expected: str) -> Any:
    if not fits:
        shown = repr(value)
        found = _kind(value) if len(shown) > 60 else f"{shown} ({_kind(value)})"
        problems.append(Problem(path, "it is of the wrong kind", expected=expected, found=found))
    return value


def _kind(value: Any) -> str:
    return type(value).__name__
