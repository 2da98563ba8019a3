"""Why cells failed: the step, and the kinds of errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from findspot.core.records import Failure


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """Failures of one type in one step.

    Args:
        step: None where no step of the pipeline failed, but what comes before it.
        failure: the first of them. places: condition and replicate of each.
    """

    step: str | None
    failure: Failure
    places: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "type": self.failure.type,
            "step": self.step,
            "message": self.failure.message,
            "count": len(self.places),
            "cells": [f"{condition}/{replicate}" for condition, replicate in self.places],
        }

    def __str__(self) -> str:
        names = [f"{condition}/{replicate}" for condition, replicate in self.places[:3]]
        shown = ", ".join(names) + (" ..." if len(self.places) > 3 else "")
        count = f"{len(self.places)} cell{'' if len(self.places) == 1 else 's'}"
        where = f" in step {self.step}" if self.step else ""
        return f"{count} ({shown}){where}: {self.failure.type}: {self.failure.message}"


def failed_step(failure: Failure) -> str | None:
    """The step that an error's note names."""
    for line in reversed(failure.traceback.splitlines()):
        if line.startswith("In step '") and "' of condition" in line:
            return line[len("In step '") : line.index("' of condition")]
    return None
