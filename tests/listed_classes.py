"""A module of a user's own classes, for pickles that need only what is listed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import ClassVar

system = os.system  # what a module imports from elsewhere is of elsewhere
run = subprocess.run
EXECUTED: list[str] = []


@dataclass
class Point:
    x: int
    y: int

    kinds: ClassVar[list[str]] = []

    class Inner:
        """A class within a class."""


def note(text: str) -> str:
    EXECUTED.append(text)
    return text
