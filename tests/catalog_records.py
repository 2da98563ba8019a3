"""Records to put into catalogs, and work on catalogs that other processes do in tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from findspot.catalog import open_catalog
from findspot.catalog.protocol import Batch, Catalog, NewVersion
from findspot.core.digests import hash_bytes
from findspot.core.errors import Conflict
from findspot.core.ids import new_uid
from findspot.core.records import (
    FileEntry,
    JobRecord,
    JobStatus,
    Producer,
    StepRecord,
    StepStatus,
    VersionRecord,
    manifest_digest,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A time, in seconds after an arbitrary one."""
    return START + timedelta(seconds=seconds)


def new_version(
    key: str = "samples",
    content: bytes | None = None,
    *,
    project: str = "default",
    kind: str = "value",
    labels: Mapping[str, str] | None = None,
    tags: Sequence[str] = (),
    seconds: float = 0,
    stored: bool = False,
    **fields: Any,
) -> NewVersion:
    """A version of one file, whose bytes are inline unless they are ``stored``."""
    uid = new_uid()
    data = uid.encode() if content is None else content
    entry = FileEntry("data.json", hash_bytes(data), len(data), None if stored else data)
    record = VersionRecord(
        uid=uid,
        project=project,
        key=key,
        kind=kind,
        digest=manifest_digest((entry,), "json"),
        size=len(data),
        file_count=1,
        handler="json",
        python_type="builtins.dict",
        labels=labels or {},
        tags=tuple(tags),
        created=at(seconds),
        **fields,
    )
    return NewVersion(record, (entry,))


def save(catalog: Catalog, key: str = "samples", **fields: Any) -> VersionRecord:
    """Write one version; its record as the catalog has it."""
    new = new_version(key, **fields)
    catalog.write(Batch(versions=[new]))
    found = catalog.version(new.record.uid)
    assert found is not None
    return found


def new_job(status: JobStatus = "running", *, seconds: float = 0, **fields: Any) -> JobRecord:
    return JobRecord(
        **{"project": "default", "name": "train", "id": new_uid(), **fields},
        status=status,
        created=at(seconds),
    )


def new_step(
    job: str, name: str, status: StepStatus = "finished", *, position: int = 0, **fields: Any
) -> StepRecord:
    return StepRecord(
        job=job, name=name, task=f"tasks.{name}", position=position, status=status, **fields
    )


def made_by(job: str, step: str | None = None, output: str | None = None) -> Producer:
    return Producer(job, step, output)


# --------------------------------------------------------------------------- in other processes


def save_many(url: str, key: str, count: int, gate: Any) -> None:
    """Save versions one by one, beginning when all others are ready."""
    catalog = open_catalog(url)
    gate.wait()
    for _ in range(count):
        catalog.write(Batch(versions=[new_version(key)]))
    catalog.close()


def open_and_save(url: str, gate: Any, answers: Any) -> None:
    """Open a catalog that may not exist yet, and save to it."""
    gate.wait()
    catalog = open_catalog(url)
    workspace = catalog.setting("workspace", new_uid())
    new = new_version("shared")
    numbers = catalog.write(Batch(versions=[new]))
    answers.put((workspace, numbers[new.record.uid]))
    catalog.close()


def move_tag_once(url: str, version: int, expected: int | None, gate: Any, answers: Any) -> None:
    """Try to move a tag; answers with the version, or None if somebody else was first."""
    catalog = open_catalog(url)
    gate.wait()
    try:
        catalog.set_tag("default", "samples", "golden", version, expected=expected)
        answers.put(version)
    except Conflict:
        answers.put(None)
    catalog.close()


def save_until_killed(url: str, acknowledged: str) -> None:
    """Save batches for ever; each one's uids go to a file once the write has returned."""
    catalog = open_catalog(url)
    with open(acknowledged, "a", buffering=1) as file:
        while True:
            batch = Batch(versions=[new_version("killed", tags=["last"]) for _ in range(5)])
            catalog.write(batch)
            file.write(" ".join(new.record.uid for new in batch.versions) + "\n")


def kill_after(pid: int, seconds: float) -> None:
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
