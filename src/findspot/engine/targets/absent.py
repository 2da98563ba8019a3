"""What stands for an argument that was not given, where None is a value like any other."""

from __future__ import annotations

from typing import Final


class Absent:
    """The class of `ABSENT`."""

    def __repr__(self) -> str:
        return "<none given>"


ABSENT: Final = Absent()
