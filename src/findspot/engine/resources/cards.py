"""Graphics cards of this machine: what they are called, and which of them a step sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""The environment variable that says which cards a process may use: numbers or ids, by commas."""

_INSTALLED = Path("/proc/driver/nvidia/gpus")


def cards_here() -> tuple[str, ...]:
    """The cards that this process may use, as `VISIBLE` names them; without it, all there are."""
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        try:
            return tuple(str(number) for number, _ in enumerate(_INSTALLED.iterdir()))
        except OSError:
            return ()
    names = [name.strip() for name in chosen.split(",")]
    # What follows a name that is none is not seen either.
    end = next((i for i, name in enumerate(names) if name in ("", "-1")), len(names))
    return tuple(dict.fromkeys(names[:end]))


@contextmanager
def seeing(cards: tuple[str, ...] | None) -> Iterator[None]:
    """In the block, this process sees only these cards; None: those it sees anyway.

    The variable is the whole process's, so nothing else may run here meanwhile. CUDA reads it when
    it is first used in a process, and never again.
    """
    if cards is None:
        yield
        return
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = ",".join(cards)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VISIBLE, None)
        else:
            os.environ[VISIBLE] = before
