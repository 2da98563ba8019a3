"""`diff`: what differs between two versions, and between the jobs that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from findspot.artifacts.comparing.changes import Change, changes
from findspot.artifacts.comparing.contents import ContentDiff, compare_files, form_of
from findspot.core.records import FileEntry, JobRecord, StepRecord, VersionRecord

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace

FILES = 100
"""So many files are compared inside, and listed."""


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Files by their paths. Where both versions have one under the same path, its bytes decide.

    Args:
        added, removed: only in the version after, and before.
        changed: the same path with other bytes: before and after.
        same: how many have the same path and bytes.
    """

    added: tuple[FileEntry, ...]
    removed: tuple[FileEntry, ...]
    changed: tuple[tuple[FileEntry, FileEntry], ...]
    same: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDiff:
    """What differs between two versions; empty where nothing does.

    Args:
        before, after: the records.
        files: by path and bytes.
        record: kind, handler, its arguments, Python type, size, owner, origin.
        metadata, labels, tags: of the versions.
        params: of the jobs, and (``steps.<name>``) of the steps that made the versions.
        metrics: of the jobs: the last value of each.
        code: key parts of the steps upstream that have the same name, and steps that only one has.
        environment: of the jobs: packages, Python, git commit, machine ...
        content: what differs inside the files, where their form is known.
    """

    before: VersionRecord
    after: VersionRecord
    files: FileChanges
    record: tuple[Change, ...] = ()
    metadata: tuple[Change, ...] = ()
    labels: tuple[Change, ...] = ()
    tags: tuple[Change, ...] = ()
    params: tuple[Change, ...] = ()
    metrics: tuple[Change, ...] = ()
    code: tuple[Change, ...] = ()
    environment: tuple[Change, ...] = ()
    content: tuple[ContentDiff, ...] = ()

    @property
    def same_content(self) -> bool:
        """Whether both load as equal values: equal bytes, read by the same handler."""
        return self.before.digest == self.after.digest

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        document: dict[str, Any] = {
            "before": _named(self.before),
            "after": _named(self.after),
            "same_content": self.same_content,
            "files": {
                "added": [_file(entry) for entry in self.files.added],
                "removed": [_file(entry) for entry in self.files.removed],
                "changed": [
                    {"path": old.path, "before": _file(old), "after": _file(new)}
                    for old, new in self.files.changed
                ],
                "same": self.files.same,
            },
        }
        for name in _PARTS:
            document[name] = [change.to_json() for change in getattr(self, name)]
        document["content"] = [content.to_json() for content in self.content]
        return document

    def render(self) -> str:
        """All of it as text to be read."""
        from findspot.artifacts.diff_text import render

        return render(self)

    def __str__(self) -> str:
        return self.render()


_PARTS = ("record", "metadata", "labels", "tags", "params", "metrics", "code", "environment")


def diff(
    space: ArtifactSpace,
    a: ArtifactLike,
    b: ArtifactLike,
    *,
    content: bool = True,
    on: Sequence[str] | str = (),
) -> VersionDiff:
    """What differs from version ``a`` to version ``b``, of one artifact or of two.

    Nothing is noted in any lineage, and no code that the versions bring along is run: files are
    compared by their formats (tables, arrays, pictures, JSON, texts), pickles only by their bytes.

    Args:
        content: also look inside the files that differ.
        on: columns whose values together name a row of a table; without them rows are compared by
            position.

    Raises:
        NotFound: there is no such version.
        BlobMissing, BlobDamaged: bytes that are to be compared.
    """
    first, second = space.get_artifact(a), space.get_artifact(b)
    before, after = first.record, second.record
    names = (on,) if isinstance(on, str) else tuple(on)
    files = _files(first.files, second.files)
    made = _Made(space, before), _Made(space, after)
    return VersionDiff(
        before=before,
        after=after,
        files=files,
        record=changes(_fields(before), _fields(after)),
        metadata=changes(dict(before.metadata), dict(after.metadata)),
        labels=changes(dict(before.labels), dict(after.labels)),
        tags=changes(dict.fromkeys(before.tags, True), dict.fromkeys(after.tags, True)),
        params=changes(made[0].params, made[1].params),
        metrics=changes(made[0].metrics, made[1].metrics),
        code=changes(made[0].code, made[1].code),
        environment=changes(made[0].environment, made[1].environment),
        content=_contents(space, first.files, second.files, before, after, files, names)
        if content
        else (),
    )


class _Made:
    """How a version was made, as JSON to compare; empty where it was saved by hand."""

    def __init__(self, space: ArtifactSpace, record: VersionRecord) -> None:
        self.params: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.code: dict[str, Any] = {}
        self.environment: dict[str, Any] = {}
        producer = record.producer
        job = None if producer is None else space.catalog.job(producer.job)
        if producer is None or job is None:
            return
        self.params = dict(job.params)
        self.metrics = {point.name: point.value for point in space.catalog.metrics(job.id)}
        self.environment = _environment(space, job)
        lineage = space.catalog.lineage(record.uid, "upstream")
        for (_, name), step in lineage.steps.items():
            if step is None or not name:
                continue
            self.code[name] = _code(step)
            if (step.job, name) == (producer.job, producer.step) and step.params:
                self.params["steps"] = {name: dict(step.params)}


def _code(step: StepRecord) -> dict[str, Any]:
    """What a step's outputs depend on, without its inputs, which the lineage shows."""
    parts: Mapping[str, Any] = step.parts
    kept = {name: parts[name] for name in ("code", "outputs", "seed", "handlers") if name in parts}
    return {"task": step.task, **kept}


def _environment(space: ArtifactSpace, job: JobRecord) -> dict[str, Any]:
    if job.environment is None:
        return {}
    data = space.catalog.document(job.environment)
    document = None if data is None else json.loads(data)
    return document if isinstance(document, dict) else {}


def _fields(record: VersionRecord) -> dict[str, Any]:
    return {
        "project": record.project,
        "key": record.key,
        "kind": record.kind,
        "handler": record.handler,
        "handler_args": dict(record.handler_args),
        "python_type": record.python_type,
        "size": record.size,
        "owner": record.owner,
        "origin": record.origin,
    }


def _files(before: Sequence[FileEntry], after: Sequence[FileEntry]) -> FileChanges:
    old = {entry.path: entry for entry in before}
    new = {entry.path: entry for entry in after}
    both = [(old[path], new[path]) for path in old if path in new]
    changed = tuple((left, right) for left, right in both if left.digest != right.digest)
    return FileChanges(
        added=tuple(entry for path, entry in new.items() if path not in old),
        removed=tuple(entry for path, entry in old.items() if path not in new),
        changed=changed,
        same=len(both) - len(changed),
    )


def _contents(
    space: ArtifactSpace,
    old_files: tuple[FileEntry, ...],
    new_files: tuple[FileEntry, ...],
    before: VersionRecord,
    after: VersionRecord,
    files: FileChanges,
    on: tuple[str, ...],
) -> tuple[ContentDiff, ...]:
    pairs = list(files.changed)
    if len(files.removed) == len(files.added) == 1:
        old, new = files.removed[0], files.added[0]
        # The same kind of thing, saved by two libraries or under another name.
        if old.digest != new.digest and form_of(old.path) == form_of(new.path) != "":
            pairs.append((old, new))
    if not pairs:
        return ()
    left = space.load_folder(before, old_files)
    right = space.load_folder(after, new_files)
    return tuple(compare_files(left, old, right, new, on) for old, new in pairs[:FILES])


def _named(record: VersionRecord) -> dict[str, Any]:
    from findspot.artifacts.version import uri_of

    return {
        "uri": uri_of(record),
        "uid": record.uid,
        "version": record.number,
        "digest": record.digest,
        "created": record.created.isoformat(),
        "job": None if record.producer is None else record.producer.job,
    }


def _file(entry: FileEntry) -> dict[str, Any]:
    return {"path": entry.path, "digest": entry.digest, "size": entry.size}
