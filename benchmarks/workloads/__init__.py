"""The workloads, in the order in which they are measured. The quick ones come first."""

from __future__ import annotations

from benchmarks.measuring import Workload
from benchmarks.workloads import (
    chain,
    clusters,
    collection,
    concurrent_saves,
    directory,
    experiment,
    fan_out,
    large_array,
    large_file,
    logged_dataset,
    resume,
    scheduling,
    search,
    small_artifacts,
    startup,
    wide_table,
)

WORKLOADS: tuple[Workload, ...] = (
    startup.WORKLOAD,
    chain.WORKLOAD,
    fan_out.WORKLOAD,
    experiment.WORKLOAD,
    resume.WORKLOAD,
    scheduling.WORKLOAD,
    clusters.WORKLOAD,
    small_artifacts.WORKLOAD,
    concurrent_saves.WORKLOAD,
    search.WORKLOAD,
    large_array.WORKLOAD,
    wide_table.WORKLOAD,
    logged_dataset.WORKLOAD,
    collection.WORKLOAD,
    directory.WORKLOAD,
    large_file.WORKLOAD,
)
