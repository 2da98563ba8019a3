"""A dataset that a job logs: what its statistics cost beside writing it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.inputs import TURNS, dataset_figures, table
from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, timed
from findspot import Workspace


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    data = table(scale.dataset_rows)
    workspace = Workspace(folder)
    workspace.init()
    with workspace.start_job("log") as job:
        job.log_dataset("first", data.slice(0, 10))
        without, described = [], []
        for turn in range(TURNS):
            # A row less each time, so that all bytes are written rather than found.
            with timed() as watch:
                job.log_dataset(f"without-{turn}", data.slice(2 * turn), stats=False)
            without.append(watch.seconds)
            with timed() as watch:
                version = job.log_dataset(f"described-{turn}", data.slice(2 * turn + 1))
            described.append(watch.seconds)
    assert version.metadata["statistics"], version.metadata
    return dataset_figures(without, described)


WORKLOAD = Workload(
    name="dataset",
    title="log_dataset of {dataset_rows:,} x 8",
    measures=(
        Measure("without statistics", "s"),
        Measure("with statistics", "s"),
        Measure("with over without", "x", bar=Bar(2.0, full_size_only=True)),
    ),
    subjects={
        OURS: findspot,
        "mlflow": Peer("benchmarks.peers.mlflow_runs:dataset", "mlflow"),
    },
    notes="mlflow: log_table to Parquet; its statistics are log_input with the digest, the columns "
    "and the numbers of rows and elements, Findspot's are those of each column's values.",
    repeats=2,
)
