"""Many small artifacts, saved one by one and in a batch."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measuring import OURS, Bar, Measure, Scale, Workload, timed
from findspot import Workspace


def values(scale: Scale) -> list[bytes]:
    """Distinct values of 1 KiB."""
    return [number.to_bytes(8, "little") * 128 for number in range(scale.artifacts)]


def findspot(folder: Path, scale: Scale) -> dict[str, float]:
    payloads = values(scale)
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

    payloads = values(scale)
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
    subjects={OURS: findspot, "joblib": joblib},
    notes="Findspot records digest, type, metadata, labels, time; joblib.dump only writes files.",
)
