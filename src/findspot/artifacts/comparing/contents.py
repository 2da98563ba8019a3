"""Compares two files of versions by their formats, within limits."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from findspot.artifacts.comparing.changes import changes
from findspot.core.records import FileEntry
from findspot.handlers.protocol import LoadFolder

LARGEST: Final = {
    "text": 8 << 20,
    "json": 16 << 20,
    "image": 64 << 20,
    "table": 2 << 30,
    "array": 64 << 30,
}
"""Bytes of a file, by its form; larger ones are not compared."""

_FORMS: Final = {
    **dict.fromkeys(("parquet", "arrow", "feather", "csv"), "table"),
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"), "image"),
    **dict.fromkeys(("json", "ipynb", "geojson"), "json"),
    "npy": "array",
}
_TEXTS: Final = frozenset(
    [
        "txt",
        "md",
        "rst",
        "py",
        "yaml",
        "yml",
        "toml",
        "ini",
        "cfg",
        "html",
        "htm",
        "svg",
        "xml",
        "css",
        "js",
        "ts",
        "sql",
        "sh",
        "jsonl",
        "ndjson",
        "tsv",
        "log",
        "tex",
        "r",
        "jl",
    ]
)


@dataclass(frozen=True, slots=True)
class ContentDiff:
    """What differs within one file.

    Args:
        path: the file's path before, and after where it is another.
        form: ``text``, ``json``, ``image``, ``table``, ``array``, or "" where it is none of them.
        found: plain JSON; which fields there are depends on the form.
        reason: why the contents were not compared; "" where they were.
    """

    path: str
    form: str
    found: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"path": self.path, "form": self.form}
        if self.reason:
            document["not_compared"] = self.reason
        return document | self.found


def form_of(path: str) -> str:
    """How a file of this name is compared; "" where nothing is known of it."""
    ending = path.rpartition("/")[2].rpartition(".")[2].lower()
    return "text" if ending in _TEXTS else _FORMS.get(ending, "")


def compare_files(
    before: LoadFolder, old: FileEntry, after: LoadFolder, new: FileEntry, on: Sequence[str] = ()
) -> ContentDiff:
    """Compare two files; what cannot be compared is a reason, not an error.

    Damaged and missing blobs are errors (`BlobDamaged`, `BlobMissing`).
    """
    path = old.path if old.path == new.path else f"{old.path} -> {new.path}"
    form = form_of(new.path)
    if form != form_of(old.path) or not form:
        return ContentDiff(path, "", reason="bytes of no known form")
    if max(old.size, new.size) > LARGEST[form]:
        return ContentDiff(path, form, reason=f"a {form} of more than {LARGEST[form]} bytes")
    try:
        return ContentDiff(path, form, _compare(form, before, old, after, new, on))
    except ImportError as error:
        return ContentDiff(path, form, reason=f"the library {error.name} is not installed")
    except (ValueError, TypeError, EOFError, RecursionError, MemoryError) as error:
        return ContentDiff(path, form, reason=str(error)[:200] or type(error).__name__)


def _compare(
    form: str,
    before: LoadFolder,
    old: FileEntry,
    after: LoadFolder,
    new: FileEntry,
    on: Sequence[str],
) -> dict[str, Any]:
    if form == "table":
        from findspot.artifacts.comparing.tables import compare_tables

        return compare_tables(_table(before, old), _table(after, new), on)
    if form == "array":
        from findspot.artifacts.comparing.arrays import compare_arrays

        return compare_arrays(_array(before, old), _array(after, new))
    data = before.read(old.path), after.read(new.path)
    if form == "image":
        from findspot.artifacts.comparing.images import compare_images

        return compare_images(*data)
    if form == "json":
        places = changes(json.loads(data[0]), json.loads(data[1]))
        return {"changes": [_short(change.to_json()) for change in places]}
    from findspot.artifacts.comparing.texts import compare_texts

    return compare_texts(data[0].decode(), data[1].decode())


def _table(folder: LoadFolder, entry: FileEntry) -> Any:
    import pyarrow as pa

    # From memory where it is small: a path would need a folder of its own.
    source: Any = (
        io.BytesIO(entry.inline) if entry.inline is not None else str(folder.path(entry.path))
    )
    try:
        if entry.path.endswith(".parquet"):
            from pyarrow import parquet

            return parquet.ParquetFile(source).read()
        if entry.path.endswith(".csv"):
            from pyarrow import csv

            return csv.read_csv(source)
        opened = pa.memory_map(source) if isinstance(source, str) else pa.py_buffer(entry.inline)
        return pa.ipc.open_file(opened).read_all()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"no table that can be read: {error}") from error


def _array(folder: LoadFolder, entry: FileEntry) -> Any:
    import numpy as np

    if entry.inline is not None or entry.size < 1 << 20:
        return np.load(io.BytesIO(folder.read(entry.path)), allow_pickle=False)
    return np.load(folder.path(entry.path), mmap_mode="r", allow_pickle=False)


def _short(change: dict[str, Any]) -> dict[str, Any]:
    """A change without long values: those are to be looked at where they are."""
    for name in ("before", "after"):
        value = change.get(name)
        if isinstance(value, list | dict) or (isinstance(value, str) and len(value) > 500):
            text = value if isinstance(value, str) else json.dumps(value)
            if len(text) > 500:
                change[name] = text[:499] + "…"
    return change
