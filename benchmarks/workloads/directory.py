"""A directory of many small files, saved as one artifact."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.inputs import write_small_files
from benchmarks.measuring import (
    OURS,
    Bar,
    Measure,
    Peer,
    Scale,
    Workload,
    bytes_under,
    settle,
    timed,
)
from benchmarks.memory import MIB, extra_memory
from findspot import Workspace


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    source = folder / "source"
    write_small_files(source, scale.small_files)
    settle(scale)
    workspace = Workspace(folder / "workspace")
    workspace.init()
    workspace.save_artifact(b"first", "first")
    with extra_memory() as saving, timed() as save:
        version = workspace.save_artifact(source, "files", kind="directory")
    assert len(version.files) == scale.small_files
    one = version.files[-1].path
    with version.open(one) as file:
        assert file.read() == (source / one).read_bytes()
    before = bytes_under(folder / "workspace")
    with timed() as again:
        workspace.save_artifact(source, "files", kind="directory")
    figures = {
        "save": save.seconds,
        "save the same again": again.seconds,
        "bytes that adds": (bytes_under(folder / "workspace") - before) / MIB,
    }
    return figures | saving.figure("extra memory while saving")


def copying(folder: Path, scale: Scale) -> dict[str, float]:
    source = folder / "source"
    write_small_files(source, scale.small_files)
    settle(scale)
    with extra_memory() as saving, timed() as save:
        shutil.copytree(source, folder / "first")
    with timed() as again:
        shutil.copytree(source, folder / "second")
    figures = {
        "save": save.seconds,
        "save the same again": again.seconds,
        "bytes that adds": bytes_under(folder / "second") / MIB,
    }
    return figures | saving.figure("extra memory while saving")


WORKLOAD = Workload(
    name="directory",
    title="Directory of {small_files:,} files of 0.2 to 5 KB",
    measures=(
        Measure("save", "s", bar=Bar(60)),
        Measure("extra memory while saving", "MiB", bar=Bar(64)),
        Measure("save the same again", "s"),
        Measure("bytes that adds", "MiB"),
    ),
    subjects={
        OURS: findspot,
        "copytree": copying,
        "mlflow": Peer("benchmarks.peers.mlflow_runs:directory", "mlflow"),
    },
    notes="Findspot hashes, records and deduplicates each file; copytree and mlflow's "
    "log_artifacts copy them.",
    repeats=2,
)
