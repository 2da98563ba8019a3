"""How much memory a step took, beside what its task asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_UNIT = 1024


@contextmanager
def watched(asked: int, tell: Callable[[str], object]) -> Iterator[None]:
    """Tell, after the block, if this process took more than the ``asked`` bytes on top of what it
    had. Nothing is told where the system does not say.

    What is mapped from files counts as far as it was read.
    """
    before = _start() if asked else None
    try:
        yield
    finally:
        peak = None if before is None else _read("VmHWM")
        if before is not None and peak is not None and peak - before > asked:
            tell(
                f"The step took up to {_size(peak - before)} of memory; "
                f"its task asks for {_size(asked)}."
            )


def _start() -> int | None:
    try:
        _RESET.write_text("5")  # the peak begins anew
    except OSError:
        return None
    return _read("VmRSS")


def _read(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) * _UNIT


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
