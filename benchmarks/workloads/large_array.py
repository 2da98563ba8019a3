"""A large array: save it, load it, save the same again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inputs import array
from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, bytes_under, timed
from benchmarks.memory import MIB, extra_memory
from findspot import Workspace


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    samples = array(scale.array_mib)
    workspace = Workspace(folder)
    workspace.init()
    workspace.save_artifact(samples[:10], "first")
    with extra_memory() as saving, timed() as save:
        workspace.save_artifact(samples, "samples")
    with timed() as load:
        loaded = workspace.load_artifact("samples")
    assert not loaded.flags.writeable
    with timed() as scan:
        sum_of_all = float(loaded.sum())
    assert sum_of_all == float(samples.sum())
    del loaded
    before = bytes_under(folder)
    with timed() as again:
        workspace.save_artifact(samples, "samples")
    added = bytes_under(folder) - before
    figures = {
        "save": samples.nbytes / save.seconds / 1e9,
        "load": load.seconds * 1000,
        "read all of it after the load": samples.nbytes / scan.seconds / 1e9,
        "save the same again": again.seconds,
        "bytes that adds": added / MIB,
    }
    return figures | saving.figure("extra memory while saving")


def numpy(folder: Path, scale: Scale) -> dict[str, float]:
    def save(value: Any, path: Path) -> None:
        np.save(path, value)

    def load(path: Path) -> Any:
        return np.load(path, mmap_mode="r")

    return _plain(folder, scale, save, load, "npy")


def joblib(folder: Path, scale: Scale) -> dict[str, float]:
    import joblib as library

    def load(path: Path) -> Any:
        return library.load(path, mmap_mode="r")

    return _plain(folder, scale, library.dump, load, "joblib")


def _plain(folder: Path, scale: Scale, save: Any, load: Any, suffix: str) -> dict[str, float]:
    samples = array(scale.array_mib)
    save(samples[:10], folder / f"first.{suffix}")
    with extra_memory() as saving, timed() as saved:
        save(samples, folder / f"samples.{suffix}")
    with timed() as opened:
        loaded = load(folder / f"samples.{suffix}")
    with timed() as scan:
        float(loaded.sum())
    del loaded
    before = bytes_under(folder)
    with timed() as again:
        save(samples, folder / f"again.{suffix}")
    figures = {
        "save": samples.nbytes / saved.seconds / 1e9,
        "load": opened.seconds * 1000,
        "read all of it after the load": samples.nbytes / scan.seconds / 1e9,
        "save the same again": again.seconds,
        "bytes that adds": (bytes_under(folder) - before) / MIB,
    }
    return figures | saving.figure("extra memory while saving")


WORKLOAD = Workload(
    name="array",
    title="float64 array of {array_mib:,} MiB",
    measures=(
        Measure("save", "GB/s", better="higher", bar=Bar(0.6, of="np.save", full_size_only=True)),
        Measure("extra memory while saving", "MiB", bar=Bar(64)),
        Measure("load", "ms", bar=Bar(2)),
        Measure("read all of it after the load", "GB/s", better="higher"),
        Measure("save the same again", "s"),
        Measure("bytes that adds", "MiB", bar=Bar(0.1)),
    ),
    subjects={
        OURS: findspot,
        "np.save": numpy,
        "joblib": joblib,
        "mlflow": Peer("benchmarks.peers.mlflow_runs:large_array", "mlflow"),
    },
    notes="Findspot's figures include the BLAKE3 digest. All load by memory map. MLflow has "
    "no call for arrays: np.save, then its log_artifact.",
)
