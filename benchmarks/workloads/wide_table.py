"""A table of 8 columns: save it and load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.inputs import table
from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, timed
from findspot import Workspace


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
    subjects={
        OURS: findspot,
        "parquet": parquet,
        "mlflow": Peer("benchmarks.peers.mlflow_runs:wide_table", "mlflow"),
    },
    notes="parquet: pyarrow's own write_table and read_table, with their defaults. mlflow: "
    "log_table and load_table of a pandas data frame, in a Parquet file.",
)
