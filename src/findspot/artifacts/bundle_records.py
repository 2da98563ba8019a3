"""The manifest of a bundle: a `Shipment` as one JSON document, written and read with distrust.

Logs, metrics and documents are blobs of the bundle too, so that the manifest stays small and all
that is in a bundle is under a digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from findspot.artifacts.exchange import JobShipment, Shipment
from findspot.artifacts.options import LABEL_LENGTH
from findspot.artifacts.record_json import BadRecord, from_json, to_json
from findspot.catalog.protocol import NewVersion
from findspot.core.digests import Digest, hash_bytes, is_digest
from findspot.core.errors import FindspotError
from findspot.core.ids import is_uid
from findspot.core.names import check_file_path, check_key, check_name, check_tag
from findspot.core.records import (
    KINDS,
    FileEntry,
    JobInput,
    JobOutput,
    JobRecord,
    Link,
    LogLine,
    MetricPoint,
    Signature,
    Snapshot,
    SourceRead,
    StepRecord,
    VersionRecord,
    manifest_digest,
)

T = TypeVar("T")

PREVIEW_LIMIT = 16 << 20
_TEXT = 1 << 20


def encode(shipment: Shipment) -> tuple[dict[str, Any], dict[Digest, bytes]]:
    """A shipment as JSON, and the blobs that its records are in."""
    blobs: dict[Digest, bytes] = dict(shipment.documents)

    def kept(records: Iterable[Any]) -> str | None:
        lines = [json.dumps(to_json(item), ensure_ascii=False) for item in records]
        if not lines:
            return None
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        digest = hash_bytes(data)
        blobs[digest] = data
        return digest

    document = {
        "origin": shipment.origin,
        "asked": list(shipment.asked),
        "versions": [{**to_json(v.record), "files": _files(v.files)} for v in shipment.versions],
        "jobs": [
            {
                **to_json(job.record),
                "steps": to_json(job.steps),
                "outputs": to_json(job.outputs),
                "inputs": to_json(job.inputs),
                "sources": to_json(job.sources),
                "metrics": kept(job.metrics),
                "log": kept(job.log),
            }
            for job in shipment.jobs
        ],
        "snapshots": [{**to_json(s), "files": _files(s.files)} for s in shipment.snapshots],
        "documents": list(shipment.documents),
        "links": to_json(shipment.links),
        "signatures": to_json(shipment.signatures),
    }
    return document, blobs


def decode(
    document: Mapping[str, Any], read: Callable[[Digest], bytes], inline: Callable[[int, int], bool]
) -> Shipment:
    """A shipment again; every record is checked.

    Args:
        read: the verified bytes of a blob of the bundle.
        inline: whether a file of that many bytes is kept in the catalog, where so many of the same
            version are already.

    Raises:
        BadRecord: the first mistake.
    """
    asked = tuple(_each(document, "asked", lambda value, path: _uid(value, path)))
    shipment = Shipment(_text(document.get("origin"), "$.origin"), asked)

    def entries(value: Any, path: str) -> tuple[FileEntry, ...]:
        files, total = [], 0
        for entry in _file_entries(value, path):
            if inline(entry.size, total):
                total += entry.size
                entry = replace(entry, inline=read(entry.digest))
            files.append(entry)
        return tuple(files)

    def version(value: Any, path: str) -> NewVersion:
        files = entries(value.get("files") if isinstance(value, dict) else None, f"{path}.files")
        record = from_json(VersionRecord, value, path)
        check_version(record, files, path)
        return NewVersion(record, files)

    def job(value: Any, path: str) -> JobShipment:
        record = from_json(JobRecord, value, path)
        check_job(record, path)
        mine = {"job": record.id}

        def parts(kind: type[T], name: str) -> list[T]:
            return _each(value, name, lambda v, p: _of_job(from_json(kind, v, p), mine, p), path)

        def lines(kind: type[T], name: str) -> list[T]:
            digest = value.get(name)
            if digest is None:
                return []
            if not isinstance(digest, str) or not is_digest(digest):
                raise BadRecord(f"{path}.{name}", "it is no digest")
            return [
                _of_job(
                    from_json(kind, _json(line, f"{path}.{name}"), f"{path}.{name}"), mine, path
                )
                for line in read(Digest(digest)).splitlines()
            ]

        steps = parts(StepRecord, "steps")
        if len({step.name for step in steps}) != len(steps):
            raise BadRecord(f"{path}.steps", "two steps have one name")
        return JobShipment(
            record,
            steps,
            parts(JobOutput, "outputs"),
            parts(JobInput, "inputs"),
            parts(SourceRead, "sources"),
            lines(MetricPoint, "metrics"),
            lines(LogLine, "log"),
        )

    def snapshot(value: Any, path: str) -> Snapshot:
        files = entries(value.get("files") if isinstance(value, dict) else None, f"{path}.files")
        record = from_json(Snapshot, {**value, "files": []}, path)
        _uid(record.id, f"{path}.id")
        _named(path, check_name, record.project, "project name")
        _named(path, check_name, record.name, "name of a snapshot")
        return replace(record, files=files)

    shipment.versions = _each(document, "versions", version)
    shipment.jobs = _each(document, "jobs", job)
    shipment.snapshots = _each(document, "snapshots", snapshot)
    for digest in _each(document, "documents", _digest):
        shipment.documents[digest] = read(digest)
    shipment.links = _each(document, "links", lambda v, p: from_json(Link, v, p))
    shipment.signatures = _each(document, "signatures", lambda v, p: from_json(Signature, v, p))
    _check_whole(shipment)
    return shipment


# --------------------------------------------------------------------------- checks


def check_version(record: VersionRecord, files: tuple[FileEntry, ...], path: str) -> None:
    """`BadRecord` where a version could not have been saved like this by any workspace."""
    _uid(record.uid, f"{path}.uid")
    _named(path, check_name, record.project, "project name")
    _named(path, check_key, record.key)
    for tag in (*record.tags, *([] if record.name is None else [record.name])):
        _named(path, check_tag, tag)
    for label in record.labels:
        _named(path, check_name, label, "label")
    if any(len(value) > LABEL_LENGTH for value in record.labels.values()):
        raise BadRecord(f"{path}.labels", f"a value has over {LABEL_LENGTH} characters")
    if record.kind not in KINDS:
        raise BadRecord(f"{path}.kind", f"it is none of {', '.join(KINDS)}")
    if not 0 <= record.iteration < 10**9 or record.number < 0:
        raise BadRecord(path, "its iteration or its number is out of range")
    if not record.handler or len(record.handler) > 500:
        raise BadRecord(f"{path}.handler", "it is empty, or too long")
    if manifest_digest(files, record.handler) != record.digest:
        raise BadRecord(f"{path}.digest", "it is not the digest of the version's files")
    if record.size != sum(f.size for f in files) or record.file_count != len(files):
        raise BadRecord(path, "its size and count are not those of its files")
    if record.preview is not None and len(record.preview.data) > PREVIEW_LIMIT:
        raise BadRecord(f"{path}.preview", f"it has over {PREVIEW_LIMIT} bytes")


def check_job(record: JobRecord, path: str) -> None:
    """`BadRecord` where a job could not have been recorded like this."""
    _uid(record.id, f"{path}.id")
    _named(path, check_name, record.project, "project name")
    if record.experiment is not None:
        _named(path, check_name, record.experiment, "experiment")
    for id in (*record.plugins.values(), *filter(None, [record.entrypoint, record.parent])):
        _uid(id, f"{path}.plugins")


def check_link(link: Link, path: str) -> None:
    """`BadRecord` where a link could not have been made like this."""
    _uid(link.version, f"{path}.version")
    _named(path, check_key, link.name, "name of a link")
    if not link.target or not link.target.isprintable():
        raise BadRecord(f"{path}.target", "it is empty, or holds control characters")


def _check_whole(shipment: Shipment) -> None:
    """What holds between records."""
    uids = [new.record.uid for new in shipment.versions]
    for ids, name in (
        (uids, "versions"),
        ([job.record.id for job in shipment.jobs], "jobs"),
        ([snapshot.id for snapshot in shipment.snapshots], "snapshots"),
    ):
        if len(set(ids)) != len(ids):
            raise BadRecord(f"$.{name}", "one identifier is there twice")
    for link in shipment.links:
        check_link(link, "$.links")
    for named, name in ((shipment.links, "links"), (shipment.signatures, "signatures")):
        for annotation in named:
            if annotation.version not in uids:
                raise BadRecord(f"$.{name}", "one is of a version that is not in the bundle")
    if not set(shipment.asked) <= set(uids):
        raise BadRecord("$.asked", "it names a version that is not in the bundle")


def _file_entries(value: Any, path: str) -> tuple[FileEntry, ...]:
    if not isinstance(value, list):
        raise BadRecord(path, "it is no list")
    files = []
    for i, item in enumerate(value):
        place = f"{path}[{i}]"
        if isinstance(item, dict) and "inline" in item:
            raise BadRecord(place, "it holds bytes; those are blobs of the bundle")
        entry = from_json(FileEntry, item, place)
        files.append(entry)
    check_files(files, path)
    return tuple(sorted(files, key=lambda entry: entry.path))


def check_files(files: Sequence[FileEntry], path: str) -> None:
    """`BadRecord` where files could not lie beside each other in one folder."""
    for i, entry in enumerate(files):
        place = f"{path}[{i}]"
        _named(place, check_file_path, entry.path)
        if entry.size < 0:
            raise BadRecord(place, "its size is negative")
    names = {entry.path for entry in files}
    if len(names) != len(files):
        raise BadRecord(path, "one path is there twice")
    for name in names:
        parts = name.split("/")
        if any("/".join(parts[:i]) in names for i in range(1, len(parts))):
            raise BadRecord(path, f"a folder of {name!r} is a file too")


def _files(files: Iterable[FileEntry]) -> list[dict[str, Any]]:
    return [{"path": f.path, "digest": f.digest, "size": f.size} for f in files]


def _each(
    document: Mapping[str, Any], name: str, read: Callable[[Any, str], T], path: str = "$"
) -> list[T]:
    value = document.get(name, [])
    place = f"{path}.{name}"
    if not isinstance(value, list):
        raise BadRecord(place, "it is no list")
    return [read(item, f"{place}[{i}]") for i, item in enumerate(value)]


def _of_job(record: T, mine: Mapping[str, str], path: str) -> T:
    if getattr(record, "job", None) != mine["job"]:
        raise BadRecord(path, "a part of it names another job")
    return record


def _named(path: str, check: Callable[..., str], *arguments: str) -> None:
    try:
        check(*arguments)
    except FindspotError as error:
        raise BadRecord(path, error.what) from None


def _uid(value: Any, path: str) -> str:
    if not isinstance(value, str) or not is_uid(value):
        raise BadRecord(path, "it is no uid")
    return value


def _digest(value: Any, path: str) -> Digest:
    if not isinstance(value, str) or not is_digest(value):
        raise BadRecord(path, "it is no digest")
    return Digest(value)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or len(value) > _TEXT:
        raise BadRecord(path, "it is no text, or too long")
    return value


def _json(line: bytes, path: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise BadRecord(path, "a line of it is no JSON") from None
