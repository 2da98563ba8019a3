"""The order of mistakes: that of the lines they stand in."""

from __future__ import annotations

from collections.abc import Iterable

from findspot.core.errors import Problem


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by file and line, those of one line as they were found, none twice.

    >>> late, early = Problem("$.b", "x", "a.yaml:10"), Problem("$.a", "y", "a.yaml:9")
    >>> [problem.location for problem in in_order([late, early, late])]
    ['a.yaml:9', 'a.yaml:10']
    """
    return sorted(dict.fromkeys(problems), key=_place)


def _place(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.location.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (problem.location, 0)
