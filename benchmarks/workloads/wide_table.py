"""A table of 8 columns: save it and load it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed
from findspot import Workspace


@cache
def table(rows: int) -> Any:
    """Four columns of float64, two of int64, one of text with 1,000 values, one of bool."""
    import pyarrow as pa

    random = np.random.default_rng(0)
    words = pa.array([f"word-{number}" for number in range(1000)])
    columns: dict[str, Any] = {f"float_{i}": random.random(rows) for i in range(4)}
    columns |= {f"int_{i}": random.integers(0, 1_000_000, rows) for i in range(2)}
    columns["text"] = words.take(pa.array(random.integers(0, 1000, rows)))
    columns["flag"] = random.random(rows) < 0.5
    return pa.table(columns)


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    data = table(scale.table_rows)
    workspace = Workspace(folder)
    workspace.init()
    workspace.save_artifact(data.slice(0, 10), "first")
    with timed() as save:
        workspace.save_artifact(data, "table")
    with timed() as load:
        loaded = workspace.load_artifact("table")
    assert loaded.equals(data)
    return _figures(data, save.seconds, load.seconds)


def parquet(folder: Path, scale: Scale) -> dict[str, float]:
    import pyarrow.parquet as pq

    data = table(scale.table_rows)
    pq.write_table(data.slice(0, 10), folder / "first.parquet")
    with timed() as save:
        pq.write_table(data, folder / "table.parquet")
    with timed() as load:
        loaded = pq.read_table(folder / "table.parquet")
    assert loaded.equals(data)
    return _figures(data, save.seconds, load.seconds)


def _figures(data: Any, save: float, load: float) -> dict[str, float]:
    return {"save": data.nbytes / save / 1e6, "load": data.nbytes / load / 1e6}


WORKLOAD = Workload(
    name="table",
    title="Arrow table of {table_rows:,} x 8",
    measures=(
        Measure("save", "MB/s", better="higher", bar=Bar(0.9, of="parquet", full_size_only=True)),
        Measure("load", "MB/s", better="higher", bar=Bar(0.9, of="parquet", full_size_only=True)),
    ),
    subjects={OURS: findspot, "parquet": parquet},
    notes="parquet: pyarrow's own write_table and read_table, with their defaults.",
)
