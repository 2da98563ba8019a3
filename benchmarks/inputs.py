"""What is saved: the same for all subjects and in every repetition. The peers' environment imports
this too."""

from __future__ import annotations

import statistics
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.memory import MIB

FOLDERS = 100
BLOCK = 16 * MIB
TURNS = 3
"""How often a dataset is logged with and without statistics, in turn."""

STEPS = 10
TREATMENTS = (2, 3)
"""What each step adds in a treatment; in the baseline it adds 1."""
WORKERS = 2


@cache
def array(mib: int) -> Any:
    """``mib`` MiB of float64."""
    import numpy as np

    return np.random.default_rng(0).random(mib * MIB // 8)


@cache
def table(rows: int) -> Any:
    """Four columns of float64, two of int64, one of text with 1,000 values, one of bool."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(0)
    words = pa.array([f"word-{number}" for number in range(1000)])
    columns: dict[str, Any] = {f"float_{i}": random.random(rows) for i in range(4)}
    columns |= {f"int_{i}": random.integers(0, 1_000_000, rows) for i in range(2)}
    columns["text"] = words.take(pa.array(random.integers(0, 1000, rows)))
    columns["flag"] = random.random(rows) < 0.5
    return pa.table(columns)


def small_values(count: int) -> list[bytes]:
    """Distinct values of 1 KiB."""
    return [number.to_bytes(8, "little") * 128 for number in range(count)]


def write_small_files(folder: Path, count: int) -> None:
    """Distinct files of 200 to 4,192 bytes in `FOLDERS` folders."""
    for part in range(min(FOLDERS, count)):
        (folder / f"part-{part:02}").mkdir(parents=True)
    for number in range(count):
        content = (b"%08d" % number) * (25 + number % 500)
        with open(folder / f"part-{number % FOLDERS:02}" / f"{number:06}.txt", "wb") as file:
            file.write(content)


def write_large_file(path: Path, mib: int) -> None:
    """A file of random bytes, no part of it like another."""
    import numpy as np

    random = np.random.default_rng(0)
    left = mib * MIB
    with open(path, "wb") as file:
        while left:
            left -= file.write(random.bytes(min(BLOCK, left)))


def read_through(file: BinaryIO) -> int:
    """Read a file to its end in blocks of 1 MiB, and close it; its size in bytes."""
    size = 0
    with file:
        while block := file.read(MIB):
            size += len(block)
    return size


def dataset_figures(without: list[float], described: list[float]) -> dict[str, float]:
    """The seconds of `TURNS` turns as figures of the workload `dataset`."""
    plain, full = statistics.median(without), statistics.median(described)
    return {
        "without statistics": plain,
        "with statistics": full,
        "with over without": full / plain,
    }


def cell_bytes(value: int) -> bytes:
    """The small artifact of a cell."""
    return b"%d" % value * 16


def cell_values(replicates: int) -> dict[str, list[int]]:
    """What each condition of the experiment comes to, for each replicate."""
    conditions = {"baseline": 1, **{f"by-{by}": by for by in TREATMENTS}}
    return {
        name: [replicate + STEPS * by for replicate in range(replicates)]
        for name, by in conditions.items()
    }
