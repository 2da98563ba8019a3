"""A file that is larger than what memory should be spent on: saved, and read back."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.inputs import read_through, write_large_file
from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, settle, timed
from benchmarks.memory import MIB, Memory, extra_memory
from findspot import Workspace


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    source = folder / "source.bin"
    write_large_file(source, scale.file_mib)
    settle(scale)
    workspace = Workspace(folder / "workspace")
    workspace.init()
    workspace.save_artifact(b"first", "first")
    with extra_memory() as saving, timed() as save:
        version = workspace.save_artifact(source, "large", kind="file")
    with extra_memory() as reading, timed() as read, version.open() as file:
        size = read_through(file)
    return _figures(scale, size, saving, save.seconds, reading, read.seconds)


def copying(folder: Path, scale: Scale) -> dict[str, float]:
    source = folder / "source.bin"
    write_large_file(source, scale.file_mib)
    settle(scale)
    with extra_memory() as saving, timed() as save:
        shutil.copyfile(source, folder / "copy.bin")
    with extra_memory() as reading, timed() as read:
        size = read_through((folder / "copy.bin").open("rb"))
    return _figures(scale, size, saving, save.seconds, reading, read.seconds)


def _figures(
    scale: Scale, size: int, saving: Memory, save: float, reading: Memory, read: float
) -> dict[str, float]:
    assert size == scale.file_mib * MIB
    figures = {"save": size / save / 1e9, "read": size / read / 1e9}
    figures |= saving.figure("extra memory while saving")
    return figures | reading.figure("extra memory while reading")


WORKLOAD = Workload(
    name="large-file",
    title="File of {file_mib:,} MiB of random bytes",
    measures=(
        Measure("save", "GB/s", better="higher"),
        Measure("extra memory while saving", "MiB", bar=Bar(64)),
        Measure("read", "GB/s", better="higher"),
        Measure("extra memory while reading", "MiB", bar=Bar(64)),
    ),
    subjects={
        OURS: findspot,
        "copyfile": copying,
        "mlflow": Peer("benchmarks.peers.mlflow_runs:large_file", "mlflow"),
    },
    notes="Findspot hashes the file as it saves it, and verifies it before it is read if that was "
    "not done on this machine yet (here the save did it); the others do neither.",
    repeats=2,
)
