"""MLflow's side: its tracking client with a SQLite database, and artifacts in a local folder."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import inputs
from benchmarks.measuring import Scale, bytes_under, settle, timed
from benchmarks.memory import MIB, extra_memory

PAGE = 50
GROUPS = 100
TRIES = 11
RUNS = 1000
"""Runs are made at a rate that hardly depends on how many there are, and that is low."""

# Set before the library is imported, which reads them then.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"


class Tracking:
    """A new database and an experiment in a folder.

    Args:
        client: MLflow's client. experiment: the id of its experiment.
    """

    def __init__(self, folder: Path) -> None:
        import mlflow

        self.url = f"sqlite:///{folder / 'mlflow.db'}"
        self.artifacts = folder / "artifacts"
        mlflow.set_tracking_uri(self.url)
        self.client: Any = mlflow.MlflowClient(self.url)
        self.experiment: str = self.client.create_experiment("bench", str(self.artifacts))

    def run(self, tags: Mapping[str, str] | None = None, name: str | None = None) -> str:
        """The id of a new run."""
        run = self.client.create_run(self.experiment, tags=dict(tags or {}), run_name=name)
        found: str = run.info.run_id
        return found

    def path(self, run: str, name: str) -> Path:
        """Where an artifact is on this machine; MLflow copies none that is local already."""
        from mlflow.artifacts import download_artifacts

        return Path(download_artifacts(run_id=run, artifact_path=name, tracking_uri=self.url))


def small_artifacts(folder: Path, scale: Scale) -> dict[str, float]:
    payloads = inputs.small_values(scale.artifacts)
    tracking = Tracking(folder)
    client = tracking.client
    files = folder / "files"
    files.mkdir()
    some = payloads[:RUNS]
    with timed() as singly:
        for number, payload in enumerate(some):
            file = files / f"{number}.bin"
            file.write_bytes(payload)
            run = tracking.run({"number": str(number)})
            client.log_artifact(run, str(file))
            client.set_terminated(run)
    assert tracking.path(run, f"{len(some) - 1}.bin").read_bytes() == some[-1]
    shutil.rmtree(files)
    files.mkdir()
    with timed() as batch:
        for number, payload in enumerate(payloads):
            (files / f"{number}.bin").write_bytes(payload)
        run = tracking.run({"batch": "yes"})
        client.log_artifacts(run, str(files))
        client.set_terminated(run)
    assert tracking.path(run, f"{len(payloads) - 1}.bin").read_bytes() == payloads[-1]
    return {"singly": len(some) / singly.seconds, "in a batch": len(payloads) / batch.seconds}


def search(folder: Path, scale: Scale) -> dict[str, float]:
    tracking = Tracking(folder)
    size = scale.searched // GROUPS
    begin = int(time.time() * 1000)
    _insert_runs(tracking, size, begin)
    figures: dict[str, float] = {}
    middle, start = GROUPS // 2, begin + GROUPS // 2 * size

    def measure(name: str, condition: str, token: str | None = None) -> Any:
        seconds = []
        for _ in range(TRIES):
            with timed() as watch:
                page = tracking.client.search_runs(
                    [tracking.experiment], condition, max_results=PAGE, page_token=token
                )
            seconds.append(watch.seconds)
            assert page
        figures[name] = statistics.median(seconds) * 1000
        return page

    measure("label", f"tags.group = '{middle}'")
    measure("name glob", f"attributes.run_name LIKE 'group-{middle:02}/%'")
    measure("exact name", f"attributes.run_name = 'group-{middle:02}/item-{size // 2:04}'")
    first = measure("kind", "tags.kind = 'model'")
    measure("time", f"attributes.start_time >= {start} and attributes.start_time < {start + 1000}")
    measure("label and kind", "tags.group = '10' and tags.kind = 'model'")
    if first.token:
        measure("next page", "tags.kind = 'model'", first.token)
    return figures


def _insert_runs(tracking: Tracking, size: int, begin: int) -> None:
    import sqlalchemy
    from mlflow.store.tracking.dbmodels import models

    engine = sqlalchemy.create_engine(tracking.url)
    with engine.begin() as connection:
        for group in range(GROUPS):
            ids = [f"{group * size + number:032x}" for number in range(size)]
            runs = [
                {
                    "run_uuid": uid,
                    "name": f"group-{group:02}/item-{number:04}",
                    "user_id": "bench",
                    "status": "FINISHED",
                    "start_time": begin + group * size + number,
                    "end_time": begin + group * size + number,
                    "lifecycle_stage": "active",
                    "artifact_uri": f"{tracking.artifacts}/{uid}/artifacts",
                    "experiment_id": int(tracking.experiment),
                }
                for number, uid in enumerate(ids)
            ]
            connection.execute(sqlalchemy.insert(models.SqlRun), runs)
            kind = "model" if group % 10 == 0 else "value"
            tags = [
                {"run_uuid": uid, "key": key, "value": value}
                for number, uid in enumerate(ids)
                for key, value in (
                    ("group", str(group)),
                    ("kind", kind),
                    # What a search for the name looks at.
                    ("mlflow.runName", f"group-{group:02}/item-{number:04}"),
                )
            ]
            connection.execute(sqlalchemy.insert(models.SqlTag), tags)
    engine.dispose()


def large_array(folder: Path, scale: Scale) -> dict[str, float]:
    import numpy as np

    samples = inputs.array(scale.array_mib)
    tracking = Tracking(folder)
    run = tracking.run()

    def save(name: str) -> None:
        file = folder / f"{name}.npy"
        np.save(file, samples)
        tracking.client.log_artifact(run, str(file))
        file.unlink()

    tracking.client.log_text(run, "first", "first.txt")
    with extra_memory() as saving, timed() as saved:
        save("samples")
    with timed() as opened:
        loaded = np.load(tracking.path(run, "samples.npy"), mmap_mode="r")
    with timed() as scan:
        float(loaded.sum())
    del loaded
    before = bytes_under(folder)
    with timed() as again:
        save("again")
    figures = {
        "save": samples.nbytes / saved.seconds / 1e9,
        "load": opened.seconds * 1000,
        "read all of it after the load": samples.nbytes / scan.seconds / 1e9,
        "save the same again": again.seconds,
        "bytes that adds": (bytes_under(folder) - before) / MIB,
    }
    return figures | saving.figure("extra memory while saving")


def wide_table(folder: Path, scale: Scale) -> dict[str, float]:
    data = inputs.table(scale.table_rows)
    frame = data.to_pandas()
    tracking = Tracking(folder)
    run = tracking.run()
    tracking.client.log_table(run, frame[:10], "first.parquet")
    with timed() as save:
        tracking.client.log_table(run, frame, "table.parquet")
    with timed() as load:
        loaded = tracking.client.load_table(tracking.experiment, "table.parquet", [run])
    assert len(loaded) == len(frame)
    return {"save": data.nbytes / save.seconds / 1e6, "load": data.nbytes / load.seconds / 1e6}


def dataset(folder: Path, scale: Scale) -> dict[str, float]:
    import mlflow

    frame = inputs.table(scale.dataset_rows).to_pandas()
    tracking = Tracking(folder)
    run = tracking.run()
    tracking.client.log_table(run, frame[:10], "first.parquet")

    def describe() -> None:
        # The profile of a data frame: numbers of rows and elements; its digest and its columns.
        described = mlflow.data.from_pandas(frame, name="dataset")
        with mlflow.start_run(run_id=run):
            mlflow.log_input(described)

    without, described = [], []
    for turn in range(inputs.TURNS):
        with timed() as watch:
            tracking.client.log_table(run, frame, f"without-{turn}.parquet")
        without.append(watch.seconds)
        with timed() as watch:
            tracking.client.log_table(run, frame, f"described-{turn}.parquet")
            describe()
        described.append(watch.seconds)
    return inputs.dataset_figures(without, described)


def directory(folder: Path, scale: Scale) -> dict[str, float]:
    source = folder / "source"
    inputs.write_small_files(source, scale.small_files)
    settle(scale)
    tracking = Tracking(folder)

    def save(name: str) -> Callable[[], None]:
        run = tracking.run()
        return lambda: tracking.client.log_artifacts(run, str(source), name)

    first, second = save("files"), save("files")
    with extra_memory() as saving, timed() as saved:
        first()
    with timed() as again:
        second()
    figures = {"save": saved.seconds, "save the same again": again.seconds}
    return figures | saving.figure("extra memory while saving")


def large_file(folder: Path, scale: Scale) -> dict[str, float]:
    source = folder / "source.bin"
    inputs.write_large_file(source, scale.file_mib)
    settle(scale)
    tracking = Tracking(folder)
    run = tracking.run()
    with extra_memory() as saving, timed() as saved:
        tracking.client.log_artifact(run, str(source))
    with extra_memory() as reading, timed() as read:
        size = inputs.read_through(tracking.path(run, "source.bin").open("rb"))
    assert size == scale.file_mib * MIB
    figures = {"save": size / saved.seconds / 1e9, "read": size / read.seconds / 1e9}
    return (
        figures
        | saving.figure("extra memory while saving")
        | reading.figure("extra memory while reading")
    )
