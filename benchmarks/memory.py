"""How much memory a block needs at its peak, beyond what the process held before it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 2**20
_PROCESS = Path("/proc/self")


class Memory:
    """What a ``with extra_memory()`` block took; None where the system does not tell."""

    peak_mib: float | None = None

    def figure(self, name: str) -> dict[str, float]:
        """The figure under its measure's name; empty where it is not known."""
        return {} if self.peak_mib is None else {name: self.peak_mib}


@contextmanager
def extra_memory() -> Iterator[Memory]:
    """Measure the peak of the resident set over a block (Linux only).

    The kernel's own high-water mark is set back and read, so nothing runs beside the block.
    """
    memory = Memory()
    gc.collect()
    # What earlier blocks freed must not hide what this one takes.
    trim()
    reset = False
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")
        reset = True
    before = _status("VmRSS") if reset else None
    yield memory
    peak = _status("VmHWM") if reset else None
    if before is not None and peak is not None:
        memory.peak_mib = max(0.0, (peak - before) / MIB)


def trim() -> None:
    """Give memory that was freed back to the system, where the C library can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def resident() -> int:
    """The bytes of the resident set now; 0 where the system does not tell."""
    return (_status("VmRSS") or 0) if (_PROCESS / "status").exists() else 0


def _status(name: str) -> int | None:
    for line in (_PROCESS / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None
