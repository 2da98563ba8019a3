"""The options of a save and of a search, checked and in normal form."""

from __future__ import annotations

import difflib
import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any, NamedTuple

from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, InvalidName, Problem
from findspot.core.names import check_key, check_name, check_tag
from findspot.core.records import KINDS

_OF_ROWS = ("dataset", "table")
LABEL_LENGTH = 1024
"""Characters of a label's value."""


class SaveOptions(NamedTuple):
    """What `check_save` makes of a save's options."""

    key: str
    labels: dict[str, str]
    tags: tuple[str, ...]
    name: str | None


def check_save(
    *,
    value: object,
    key: str,
    kind: str | None,
    labels: Any,
    tags: Any,
    metadata: Any,
    name: str | None,
    iteration: Any,
    handler_args: Any,
) -> SaveOptions:
    """Names in normal form and labels as texts; all mistakes in one `CheckFailed`.

    A bad key is an `InvalidName` of its own, since it is the commonest mistake.
    """
    key = check_key(key)
    named = kind is not None or name is not None
    if not (named or labels or tags or metadata or iteration or handler_args):
        return SaveOptions(key, {}, (), None)
    problems: list[Problem] = []
    texts = _labels(labels, problems)
    checked_tags = _tags(tags, problems)
    if kind is not None and kind not in KINDS:
        problems.append(_unknown_kind(kind))
    if kind in _OF_ROWS and (value is None or isinstance(value, Number)):
        problems.append(
            Problem(
                "kind",
                f"a single value is no {kind}",
                expected="a table, an array, a list, or a file or folder of them",
                found=type(value).__name__,
                hint="Leave the kind out: it is a value.",
            )
        )
    if name is not None:
        name = _attempt(problems, "version", check_tag, name, "version name")
    _check_plain("metadata", metadata, problems)
    _check_plain("handler_args", handler_args, problems)
    whole = isinstance(iteration, int) and not isinstance(iteration, bool)
    if not whole or not 0 <= iteration < 10**9:
        problems.append(Problem("iteration", "it is no whole number from 0 to 999999999"))
    if problems:
        raise CheckFailed(f"The options of artifact {key!r}", problems)
    return SaveOptions(key, texts, checked_tags, name)


def check_labels(labels: Any) -> dict[str, str]:
    """Label names in normal form and their values as texts; `CheckFailed` lists all mistakes."""
    problems: list[Problem] = []
    texts = _labels(labels, problems)
    if problems:
        raise CheckFailed("The labels", problems)
    return texts


def check_label_changes(labels: Any) -> dict[str, str | None]:
    """As `check_labels`, but a value may be None, which takes the label off."""
    if not isinstance(labels, Mapping):
        return dict(check_labels(labels))
    changes: dict[str, str | None] = {}
    changes |= check_labels({n: "" if value is None else value for n, value in labels.items()})
    for name, value in labels.items():
        if value is None:
            changes[check_name(name, "label")] = None
    return changes


def check_kind(kind: str | None) -> str | None:
    """``kind`` if it is one; `CheckFailed` names the nearest."""
    if kind is not None and kind not in KINDS:
        raise CheckFailed("The search", [_unknown_kind(kind)])
    return kind


def check_glob(name: Any) -> str | None:
    """A key, or a glob of keys, in normal form."""
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise InvalidName("key or glob of keys", name, "it is no text, or empty")
    return unicodedata.normalize("NFC", name)


def _labels(labels: Any, problems: list[Problem]) -> dict[str, str]:
    texts: dict[str, str] = {}
    if labels is None:
        return texts
    if not isinstance(labels, Mapping):
        problems.append(
            Problem("labels", "labels are a mapping of texts", found=type(labels).__name__)
        )
        return texts
    for label, value in labels.items():
        name = _attempt(problems, "labels", check_name, label, "label")
        place = f"labels.{label}"
        if not isinstance(value, str | int | float):
            found = type(value).__name__
            problems.append(Problem(place, "a label's value is text or a number", found=found))
            continue
        text = str(value)
        if len(text) > LABEL_LENGTH:
            problems.append(Problem(place, f"its value is longer than {LABEL_LENGTH} characters"))
        elif name is not None:
            texts[name] = text
    return texts


def _tags(tags: Any, problems: list[Problem]) -> tuple[str, ...]:
    if isinstance(tags, str):
        tags = (tags,)
    try:
        given = tuple(tags or ())
    except TypeError:
        problems.append(Problem("tags", "tags are texts", found=type(tags).__name__))
        return ()
    found = {_attempt(problems, "tags", check_tag, tag) for tag in given}
    return tuple(sorted(tag for tag in found if tag is not None))


def _check_plain(path: str, values: Any, problems: list[Problem]) -> None:
    if values is None:
        return
    if not isinstance(values, Mapping):
        problems.append(Problem(path, "it is no mapping", found=type(values).__name__))
        return
    for field, entry in values.items():
        if not isinstance(field, str) or not is_plain(entry) or not _is_finite(entry):
            problems.append(
                Problem(
                    f"{path}.{field}",
                    "it holds plain JSON values only (None, bool, int, finite float, str, list, "
                    "dict)",
                    found=type(entry).__name__,
                )
            )


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if not isinstance(value, list | dict):
        return True
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _unknown_kind(kind: object) -> Problem:
    near = difflib.get_close_matches(str(kind), KINDS, 1)
    return Problem(
        "kind",
        f"{kind!r} is no kind",
        expected=", ".join(KINDS),
        hint=f"Did you mean {near[0]}?" if near else "",
    )


def _attempt(
    problems: list[Problem], path: str, check: Callable[..., str], *args: Any
) -> str | None:
    try:
        return check(*args)
    except FindspotError as error:
        problems.append(Problem(path, error.what))
        return None
