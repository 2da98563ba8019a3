"""Differences of two texts, as a unified diff."""

from __future__ import annotations

import difflib
from typing import Any

LONGEST = 20_000
"""Lines of a text that are still compared line by line; the comparison may take time in squares."""
MOST = 400
"""Lines of the diff that are kept."""
_WIDTH = 500


def compare_texts(before: str, after: str) -> dict[str, Any]:
    """Lines added and removed, and the unified diff (its first lines).

    >>> compare_texts("a\\nb\\n", "a\\nc\\n")["lines_added"]
    1
    """
    old, new = before.splitlines(), after.splitlines()
    found: dict[str, Any] = {"lines_before": len(old), "lines_after": len(new)}
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    if max(len(old), len(new)) - head - tail > LONGEST:
        return {**found, "not_compared": f"more than {LONGEST} lines lie between the differences"}
    # What is equal at both ends costs nothing; three lines of it are shown as context.
    skip = max(0, head - 3)
    ends = max(0, tail - 3)
    lines = list(
        difflib.unified_diff(
            old[skip : len(old) - ends], new[skip : len(new) - ends], "before", "after", lineterm=""
        )
    )
    added = sum(1 for line in lines[2:] if line.startswith("+"))
    removed = sum(1 for line in lines[2:] if line.startswith("-"))
    if not lines:
        found["only_line_ends"] = True
    found |= {"lines_added": added, "lines_removed": removed, "first_line": skip + 1}
    found["diff"] = [line[:_WIDTH] for line in lines[2 : MOST + 2]]
    if len(lines) > MOST + 2:
        found["diff_left_out"] = len(lines) - MOST - 2
    return found


def _common(old: list[str], new: list[str]) -> int:
    count = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        count += 1
    return count
