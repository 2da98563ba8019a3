"""The readable view of a run: its artifacts under names that people read, as files.

``<root>/<experiment>/v<run>/<replicate>/<condition>/<step>/<name>`` and ``metadata.json``. It is
only a view: the bytes are the store's, and deleting it loses nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from findspot.artifacts.views import copy_file
from findspot.core.digests import hash_bytes
from findspot.core.json_text import json_encoder
from findspot.core.records import FileEntry, VersionRecord
from findspot.core.references import Reference
from findspot.experiments.history import Run

if TYPE_CHECKING:
    from findspot.artifacts.folders import WorkspaceLoadFolder
    from findspot.artifacts.space import ArtifactSpace

_LINKED = 1 << 20
"""Files from this size on share the store's bytes on disk; smaller ones are copies of their own."""
_TOGETHER = 64
"""So many artifacts of one file are read from the catalog at once, and held in memory."""
FORMAT = 1
Item = dict[str, Any]
"""What the metadata list of one artifact."""
_line = json_encoder(sort_keys=False, ensure_ascii=False, separators=(", ", ": "))
_ITEM = {"path", "condition", "replicate", "job", "uri", "uid", "digest", "bytes"}


class Viewed(Protocol):
    """What the view must know of an experiment."""

    @property
    def name(self) -> str: ...
    @property
    def root(self) -> Path | None: ...
    @property
    def versioned(self) -> bool: ...


def folder_of_run(experiment: Viewed, space: ArtifactSpace, number: int) -> Path:
    """Where the view of a run is; the same for every run where it overwrites."""
    root = space.folder / "experiments" if experiment.root is None else experiment.root
    return root / experiment.name / (f"v{number}" if experiment.versioned else "v0")


def place_in_view(condition: str, replicate: int) -> str:
    """Where the artifacts of a cell are in the folder of its run."""
    return f"{replicate}/{condition}"


def item_of(condition: str, replicate: int, place: str, job: str) -> Item:
    """What the metadata list of an artifact before its file is written."""
    path = f"{place_in_view(condition, replicate)}/{place}"
    return {"path": path, "condition": condition, "replicate": replicate, "job": job}


def write_view(
    experiment: Viewed,
    space: ArtifactSpace,
    run: Run,
    details: Mapping[str, Any],
    ahead: Mapping[str, Item] | None = None,
) -> Path:
    """Write what is missing of the view of a run; what is there and whole stays.

    ``metadata.json`` is replaced last, so that it never speaks of files that are not there.

    Args:
        ahead: by its path, what should have been written while the cells ran.
    """
    folder = folder_of_run(experiment, space, run.number)
    metadata = folder / "metadata.json"
    written = _document(metadata)
    if not experiment.versioned and written.get("run") not in (None, run.number):
        shutil.rmtree(folder)
        written = {}
    before = {item["path"]: item for item in written.get("artifacts", ()) if item.keys() >= _ITEM}
    before.update(ahead or {})
    listed: list[Item] = []
    fresh: list[tuple[Item, str]] = []
    for cell in run.cells.values():
        if cell.status != "finished":
            continue
        for place, uid in cell.outputs.items():
            made = item_of(cell.condition, cell.replicate, place, cell.job)
            item = before.get(made["path"])
            if item is None or item["uid"] != uid or not os.path.exists(f"{folder}/{item['path']}"):
                item = made
                fresh.append((item, uid))
            listed.append(item)
    gone = _write_recorded(space, folder, fresh)
    document = {
        "format": FORMAT,
        "experiment": run.jobs[0].name,
        "run": run.number,
        "jobs": [job.id for job in run.jobs],
        **details,
        "artifacts": [item for item in listed if item["path"] not in gone],
    }
    if document != written:
        os.makedirs(folder, exist_ok=True)
        draft = metadata.with_name(f".{secrets.token_hex(6)}.tmp")
        draft.write_text(_text(document), encoding="utf-8")
        draft.replace(metadata)
    return folder


def complete(item: Item, record: VersionRecord) -> None:
    """Say which version an artifact of the view is."""
    item.update(uri=_uri(record), uid=record.uid, digest=record.digest, bytes=record.size)


def _uri(record: VersionRecord) -> str:
    """A version's reference: by its uid, since it may not have its number yet."""
    reference = Reference(kind=record.kind, project=record.project, key=record.key, uid=record.uid)
    return str(reference)


def _write_recorded(
    space: ArtifactSpace, folder: Path, fresh: Sequence[tuple[Item, str]]
) -> set[str]:
    """Write artifacts by the uids of their versions; the paths of those that are not there."""
    gone = set()
    for item, record, files in _found(space, fresh):
        if record is None:
            gone.add(item["path"])
        else:
            write_anew(space, record, files, f"{folder}/{item['path']}")
            complete(item, record)
    return gone


def _found(
    space: ArtifactSpace, fresh: Sequence[tuple[Item, str]]
) -> Iterator[tuple[Item, VersionRecord | None, tuple[FileEntry, ...]]]:
    """Each with its version and that one's files, asked for many at once."""
    for start in range(0, len(fresh), _TOGETHER):
        part = fresh[start : start + _TOGETHER]
        versions = space.catalog.versions({uid for _, uid in part})
        alone = [uid for uid, record in versions.items() if record.file_count == 1]
        files = space.catalog.files_of(alone)
        for item, uid in part:
            record = versions.get(uid)
            if record is None:
                yield item, None, ()
            else:
                yield item, record, files.get(uid) or space.catalog.files(uid)


def write_anew(
    space: ArtifactSpace, record: VersionRecord, files: tuple[FileEntry, ...], target: str
) -> None:
    """Make a file or folder a copy of a version, whatever is there; nothing half-written stays."""
    if not _make_folder(os.path.dirname(target)):
        _remove(target)
    try:
        _write(space, record, files, target)
    except BaseException:
        _remove(target)
        raise


def _make_folder(folder: str) -> bool:
    """As `os.makedirs`, for a step's folder in a cell's, which mostly are not there: it does not
    look first. Whether the folder is new, and thus empty."""
    cell = os.path.dirname(folder)
    try:
        os.mkdir(cell)
    except FileNotFoundError:
        os.makedirs(cell, exist_ok=True)
    except FileExistsError:
        pass
    try:
        os.mkdir(folder)
    except FileExistsError:
        os.makedirs(folder, exist_ok=True)  # which tells a folder from a file
        return False
    return True


def _remove(target: str) -> None:
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(target)
    else:
        os.unlink(target)


def _write(
    space: ArtifactSpace, record: VersionRecord, files: tuple[FileEntry, ...], target: str
) -> None:
    single = len(files) == 1 and record.kind != "directory" and "/" not in files[0].path
    if single and files[0].inline is not None and hash_bytes(files[0].inline) == files[0].digest:
        _write_small(target, files[0].inline)
        return
    source = space.load_folder(record, files)
    if single:
        _place(source, 0, Path(target))
        return
    os.makedirs(target, exist_ok=True)
    for index, entry in enumerate(source.files):
        place = Path(target, entry.path)
        os.makedirs(place.parent, exist_ok=True)
        _place(source, index, place)


def _write_small(target: str, data: bytes) -> None:
    file = os.open(
        target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666
    )
    try:
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)


def _place(source: WorkspaceLoadFolder, index: int, target: Path) -> None:
    entry = source.files[index]
    if entry.inline is not None:
        target.write_bytes(source.read(entry.path))
        return
    if entry.size >= _LINKED:
        stored = source.stored(entry)
        if stored is not None:
            try:
                os.link(stored, target)
                return
            except OSError:
                pass  # another file system, or one without links
    copy_file(source, entry, target)


def _text(document: Mapping[str, Any]) -> str:
    """The document for people: a line for each artifact, as there may be many thousands."""
    items = document["artifacts"]
    head = json.dumps({**document, "artifacts": []}, ensure_ascii=False, indent=1)
    lines = ",\n".join([f"  {_line(item)}" for item in items])
    return head.removesuffix("[]\n}") + (f"[\n{lines}\n ]\n}}\n" if items else "[]\n}\n")


def _document(metadata: Path) -> dict[str, Any]:
    try:
        found = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    items = found.get("artifacts") if isinstance(found, dict) else None
    good = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    return found if good else {}  # people may have edited it
