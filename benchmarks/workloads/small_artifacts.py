"""Many small artifacts, saved one by one and in a batch."""

from __future__ import annotations

from pathlib import Path

from benchmarks.inputs import small_values
from benchmarks.measuring import OURS, Bar, Measure, Peer, Scale, Workload, timed
from findspot import Workspace


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    payloads = small_values(scale.artifacts)
    workspace = Workspace(folder)
    workspace.init()
    with timed() as singly:
        for number, payload in enumerate(payloads):
            workspace.save_artifact(payload, f"single/{number}", labels={"number": str(number)})
    pairs = [(payload, f"batch/{number}") for number, payload in enumerate(payloads)]
    with timed() as batch:
        workspace.save_artifacts(pairs, labels={"batch": "yes"})
    last = scale.artifacts - 1
    for key in (f"single/{last}", f"batch/{last}"):
        assert workspace.load_artifact(key) == payloads[-1]
    return {
        "singly": scale.artifacts / singly.seconds,
        "in a batch": scale.artifacts / batch.seconds,
    }


def joblib(folder: Path, scale: Scale) -> dict[str, float]:
    import joblib as library

    payloads = small_values(scale.artifacts)
    with timed() as singly:
        for number, payload in enumerate(payloads):
            library.dump(payload, folder / f"{number}.joblib")
    return {"singly": scale.artifacts / singly.seconds}


WORKLOAD = Workload(
    name="small",
    title="{artifacts:,} artifacts of 1 KiB",
    measures=(
        Measure("singly", "1/s", better="higher", bar=Bar(5000, full_size_only=True)),
        Measure("in a batch", "1/s", better="higher", bar=Bar(20_000, full_size_only=True)),
    ),
    subjects={
        OURS: findspot,
        "joblib": joblib,
        "mlflow": Peer("benchmarks.peers.mlflow_runs:small_artifacts", "mlflow"),
    },
    notes="Findspot records digest, type, metadata, labels, time; joblib.dump only writes files. "
    "mlflow keeps tags by run, so singly is a run with a tag and a file each (at most 1,000 of "
    "them); in a batch, the files of one run with one tag.",
)
