"""Whatever a record holds, it survives YAML, and its view never fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from findspot.artifacts.kinds import from_yaml, kind_of, to_yaml
from findspot.artifacts.space import ArtifactSpace
from findspot.artifacts.version import ArtifactVersion
from findspot.core.digests import hash_bytes
from findspot.core.ids import new_uid
from findspot.core.records import (
    KINDS,
    FileEntry,
    Preview,
    Producer,
    VersionRecord,
    manifest_digest,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TRICKY = st.sampled_from(
    [
        "yes",
        "1",
        "1e5",
        "null",
        "~",
        "=",
        "2026-01-01",
        " a ",
        "a: b",
        "- a",
        "\x85",
        "\u2028",
        "\x07",
    ]
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | TRICKY, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["metrics", "schema", "rows", "inputs", "format", "extra_data", "title"])
METADATA = st.dictionaries(TEXTS | TRICKY | FIELDS, PLAIN, max_size=6)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda time: time.replace(tzinfo=UTC)
)


@st.composite
def records(draw: st.DrawFn) -> tuple[VersionRecord, tuple[FileEntry, ...]]:
    names = draw(st.lists(st.sampled_from(["a", "b/c", "ü.txt", "x y"]), unique=True, max_size=3))
    files = tuple(FileEntry(name, hash_bytes(name.encode()), len(name)) for name in names)
    handler = draw(st.sampled_from(["json", "pandas.dataframe", "plugin:x"]))
    preview = draw(st.none() | st.binary(max_size=30))
    media_type = draw(st.sampled_from(["text/plain", "image/png"]))
    record = VersionRecord(
        uid=new_uid(),
        project=draw(st.sampled_from(["default", "eins zwei"])),
        key=draw(st.sampled_from(["a", "a/b", "é%"])),
        kind=draw(st.sampled_from(KINDS)),
        number=draw(st.integers(0, 1000)),
        name=draw(st.none() | st.just("first")),
        iteration=draw(st.integers(0, 3)),
        digest=manifest_digest(files, handler),
        size=sum(file.size for file in files),
        file_count=len(files),
        handler=handler,
        handler_args=draw(
            st.dictionaries(TEXTS | TRICKY, TEXTS | TRICKY | st.integers(), max_size=3)
        ),
        python_type=draw(TEXTS | TRICKY),
        metadata=draw(METADATA),
        preview=None if preview is None else Preview(media_type, preview),
        labels=draw(st.dictionaries(TRICKY, TEXTS | TRICKY, max_size=3)),
        tags=tuple(draw(st.lists(st.sampled_from(["x", "y"]), unique=True))),
        owner=draw(TEXTS | TRICKY),
        created=draw(TIMES).astimezone(timezone(timedelta(hours=draw(st.integers(-5, 5))))),
        producer=draw(st.none() | st.just(Producer(new_uid(), "step", None))),
        origin=draw(TEXTS),
        seal=draw(TEXTS | TRICKY),
    )
    return record, files


@settings(deadline=None, max_examples=60, derandomize=True)
@given(records(), st.dictionaries(TEXTS | TRICKY, TEXTS | TRICKY, max_size=3))
def test_any_record_goes_to_yaml_and_back(
    made: tuple[VersionRecord, tuple[FileEntry, ...]], extra: dict[str, str]
) -> None:
    record, files = made
    version = ArtifactVersion(cast("ArtifactSpace", None), record, files)
    document = from_yaml(to_yaml(version, extra))
    assert document.record == record
    assert document.files == files
    assert document.extra_data == extra
    assert kind_of(version) is not None
