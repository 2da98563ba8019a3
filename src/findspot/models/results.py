"""What an evaluation found, before anything of it is logged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Results:
    """Metrics, plots (how to draw them, and from what), tables, and what was left out and why."""

    metrics: dict[str, float] = field(default_factory=dict)
    plots: dict[str, tuple[Callable[[Any], Any], Any]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def measure(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Keep what a function measures if it is a finite number; else say why not."""
        try:
            value = float(function(*args, **kwargs))
        except (ValueError, TypeError, ZeroDivisionError) as error:
            self.left_out[name] = str(error).partition("\n")[0]
            return
        if math.isfinite(value):
            self.metrics[name] = value
        else:
            self.left_out[name] = f"it is {value}"
