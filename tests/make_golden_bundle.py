"""How the golden bundle of format 1 was made. A new format gets a file of its own:

python tests/make_golden_bundle.py tests/artifacts/golden/format1.findspot
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta

from findspot import Workspace
from findspot.artifacts.bundles import export_bundle
from findspot.catalog.protocol import Batch, NewVersion
from findspot.core.canonical import canonical_json
from findspot.core.digests import hash_bytes
from findspot.core.records import (
    FileEntry,
    JobOutput,
    JobRecord,
    Link,
    LogLine,
    MetricPoint,
    Preview,
    Producer,
    Snapshot,
    StepRecord,
    VersionRecord,
    document_digest,
    manifest_digest,
)

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
UIDS = [f"01a1fd00-0000-7000-8000-{i:012d}" for i in range(10)]


def version(number: int, key: str, name: str, data: bytes, handler: str, kind: str) -> NewVersion:
    digest = hash_bytes(data)
    files = (FileEntry(name, digest, len(data), data if len(data) < 100 else None),)
    return NewVersion(
        VersionRecord(
            uid=UIDS[number],
            project="default",
            key=key,
            kind=kind,
            digest=manifest_digest(files, handler),
            size=len(data),
            file_count=1,
            handler=handler,
            python_type="str" if handler == "text" else "dict",
            metadata={"note": "golden"},
            preview=Preview("text/plain", data[:20]),
            labels={"stage": "test"},
            tags=("best",),
            owner="ann",
            created=START + timedelta(seconds=number - 1),
            producer=Producer(UIDS[3], "double", "output") if number == 2 else None,
            origin=UIDS[9],
            seal="0" * 64,
        ),
        files,
    )


def main(target: str) -> None:
    environment = canonical_json({"format": 1, "python": {"version": "3.11.2"}})
    body = {"format": 1, "name": "doubling"}
    job = UIDS[3]
    batch = Batch(
        documents={hash_bytes(environment): environment},
        snapshots=[
            Snapshot(
                id=UIDS[4],
                resource="entrypoint",
                project="default",
                name="doubling",
                digest=document_digest(body),
                body=body,
                owner="ann",
                created=START,
            )
        ],
        jobs=[
            JobRecord(
                id=job,
                project="default",
                name="doubling",
                status="finished",
                entrypoint=UIDS[4],
                params={"times": 2},
                artifacts={"numbers": UIDS[1]},
                environment=hash_bytes(environment),
                seed=7,
                owner="ann",
                process={"host": "lab", "pid": 42},
                labels={"stage": "test"},
                created=START,
                started=START,
                ended=START + timedelta(seconds=2),
            )
        ],
        versions=[
            version(1, "numbers", "value.txt", b"1\n2\n3\n", "text", "value"),
            version(
                2,
                "report/doubled",
                "value.json",
                b'{"values":[2,4,6],"mean":4.0}',
                "json",
                "value",
            ),
        ],
        steps=[
            StepRecord(
                job=job,
                name="double",
                task="double",
                position=0,
                status="finished",
                key="blake3:" + "1" * 64,
                parts={"format": 1, "code": "blake3:" + "2" * 64},
                params={"times": 2},
                inputs={"numbers": UIDS[1]},
                outputs={"output": UIDS[2]},
                started=START,
                ended=START + timedelta(seconds=1),
            )
        ],
        outputs=[JobOutput(job, "report/doubled", UIDS[2])],
        metrics=[MetricPoint(job, "double", "mean", 4.0, None, START)],
        log=[LogLine(job, "double", START, "INFO", "print", "doubled three numbers")],
    )
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        workspace.catalog.setting("workspace", UIDS[9])
        workspace.catalog.write(batch)
        page = Link(UIDS[2], "page", "https://example.org/doubled", "url", "ann", START)
        workspace.catalog.add_links([page])
        export_bundle(workspace, "report/doubled", target)
        workspace.close()


if __name__ == "__main__":
    main(sys.argv[1])
