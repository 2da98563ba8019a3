"""Which existing name was meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

_LISTED = 8
_COMPARED = 5_000


def suggestion(name: str, options: Iterable[str], *, role: str = "") -> str:
    """A sentence with the nearest of ``options``, or all of them where they are few; may be empty.

    >>> suggestion("scael", ["scale", "split"])
    "Did you mean 'scale'?"
    >>> suggestion("x", ["scale", "split"], role="tasks")
    'There are these tasks: scale, split.'
    """
    known = list(options)[:_COMPARED]
    near = get_close_matches(name[:128], known, n=2, cutoff=0.6)
    if not near:
        lowered = {option.lower(): option for option in known}
        near = [lowered[name.lower()]] if name.lower() in lowered else []
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    if role and known and len(known) <= _LISTED:
        return f"There are these {role}: {', '.join(known)}."
    if role and not known:
        return f"There are no {role}."
    return ""


class Suggester:
    """`suggestion` for a document that may have thousands of mistakes: after a second or so of
    comparisons it makes none any more, so that a long list of mistakes does not take minutes.

    Args:
        comparisons: how many names are compared at most.
    """

    def __init__(self, comparisons: int = 50_000) -> None:
        self._left = comparisons

    def __call__(self, name: str, options: Collection[str], *, role: str = "") -> str:
        if len(options) > self._left:
            return ""
        self._left -= len(options)
        return suggestion(name, options, role=role)
