"""Snapshots of plugins in a real catalog and a real store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from findspot.catalog import open_catalog
from findspot.catalog.protocol import Catalog
from findspot.core.digests import hash_bytes
from findspot.core.errors import CheckFailed, FindspotError, FormatTooNew, InvalidName
from findspot.core.ids import new_uid
from findspot.core.records import Snapshot, now
from findspot.core.types import NULL, Simple, Union
from findspot.graph.spec import HandlerSpec, InputSpec, OutputSpec, TaskSpec
from findspot.plugins.analysis import Analysis, analyse
from findspot.plugins.loading import load_plugin
from findspot.plugins.snapshots import read_analysis, snapshot
from findspot.store.protocol import BlobStore

GOLDEN = Path(__file__).parent / "golden"
WritePlugin = Callable[[str, Mapping[str, str]], Path]
FILES = {
    "a.py": """\
        from pathlib import Path
        import numpy as np
        from findspot.plugins import ArtifactTask, register

        class Model: ...

        @register(outputs=["low", "high"])
        def split(x: np.ndarray, start: Model | None = None) -> tuple[np.ndarray, Model]:
            return x[:1], x[1:]

        class ArrayTask(ArtifactTask):
            @staticmethod
            def serialize(working_dir: Path, name: str, contents: np.ndarray, **kwargs): ...
            @staticmethod
            def deserialize(working_dir: Path, path: str, **kwargs): ...
            @staticmethod
            def validation():
                return {"level": {"type": "integer"}}
        """,
    "large.txt": "x" * 5000,
}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = open_catalog(f"sqlite:///{tmp_path}/catalog.db")
    yield opened
    opened.close()


def test_a_snapshot_holds_the_files_and_what_they_offer(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)
    made, found = snapshot(folder, store=store, catalog=catalog, project="iris", owner="ada")
    assert (made.resource, made.project, made.name, made.number) == ("plugin", "iris", "p", 1)
    assert made.owner == "ada"
    assert found == analyse(folder)

    recorded = catalog.snapshot(made.id)
    assert recorded is not None
    assert replace(recorded, files=made.files) == made
    assert catalog.files(made.id) == made.files
    small, large = made.files
    assert small.inline == (folder / "a.py").read_bytes()
    assert large.inline is None
    assert store.read(large.digest) == b"x" * 5000
    assert read_analysis(recorded) == found


def test_an_unchanged_folder_gives_the_same_snapshot(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)
    first, _ = snapshot(folder, store=store, catalog=catalog, project="iris", owner="ada")
    (folder / "a.py").touch()
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"x")
    again, _ = snapshot(folder, store=store, catalog=catalog, project="iris", owner="bob")
    assert again == first
    assert len(catalog.snapshots("plugin", "iris", "p")) == 1


def test_an_edit_makes_a_new_snapshot_and_leaves_the_old_one(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)
    first, _ = snapshot(folder, store=store, catalog=catalog, project="iris")
    write_plugin("p", {"b.py": "x = 1\n"})
    second, _ = snapshot(folder, store=store, catalog=catalog, project="iris")
    assert (first.number, second.number) == (1, 2)
    assert [f.path for f in catalog.files(first.id)] == ["a.py", "large.txt"]
    assert [f.path for f in catalog.files(second.id)] == ["a.py", "b.py", "large.txt"]
    (folder / "b.py").unlink()
    third, _ = snapshot(folder, store=store, catalog=catalog, project="iris")
    assert (third.number, third.digest) == (3, first.digest)


def test_projects_and_names_have_snapshots_of_their_own(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)
    here, _ = snapshot(folder, store=store, catalog=catalog, project="iris")
    there, _ = snapshot(folder, store=store, catalog=catalog, project="digits")
    named, found = snapshot(folder, store=store, catalog=catalog, project="iris", name="other")
    assert [s.number for s in (here, there, named)] == [1, 1, 1]
    assert here.digest == there.digest != named.digest
    assert found.tasks["split"].source == "plugin:other/a.py:split"
    with pytest.raises(InvalidName, match="plugin name"):
        snapshot(folder, store=store, catalog=catalog, project="iris", name="../other")


def test_a_plugin_with_mistakes_is_not_recorded(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", {"a.py": "def (\n", "b.py": "x = = 1\n"})
    with pytest.raises(CheckFailed) as caught:
        snapshot(folder, store=store, catalog=catalog, project="iris")
    assert [p.location for p in caught.value.problems] == ["p/a.py:1", "p/b.py:1"]
    assert list(catalog.snapshots("plugin", "iris")) == []
    assert list(store.list()) == []


def test_a_blob_that_went_missing_is_put_back(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)
    first, _ = snapshot(folder, store=store, catalog=catalog, project="iris")
    large = first.files[1].digest
    store.delete(large)
    snapshot(folder, store=store, catalog=catalog, project="iris")
    assert store.read(large) == b"x" * 5000


def test_nothing_inline_where_the_limit_is_zero(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)
    made, _ = snapshot(folder, store=store, catalog=catalog, project="iris", inline_limit=0)
    assert [f.inline for f in catalog.files(made.id)] == [None, None]


def test_threads_that_record_one_folder_at_once_get_one_snapshot(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    folder = write_plugin("p", FILES)

    def work(_: int) -> tuple[str, int]:
        made, _found = snapshot(folder, store=store, catalog=catalog, project="iris")
        return made.id, made.number

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(work, range(8)))) == 1


def test_a_recorded_plugin_is_loaded_from_the_catalog(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog, tmp_path: Path
) -> None:
    made, found = snapshot(write_plugin("p", FILES), store=store, catalog=catalog, project="iris")
    recorded = catalog.find_snapshot("plugin", "iris", "p")
    assert recorded is not None
    plugin = load_plugin(recorded, catalog.files(recorded.id), tmp_path / "ws", store=store)
    assert plugin.function(found.tasks["split"].source)([1, 2, 3]) == ([1], [2, 3])
    assert plugin.analysis == found == read_analysis(made)


def test_a_record_that_cannot_be_read_is_named(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    made, _ = snapshot(write_plugin("p", FILES), store=store, catalog=catalog, project="iris")
    newer = replace(made, body={**made.body, "format": 99})
    with pytest.raises(FormatTooNew, match="plugin p, snapshot 1"):
        read_analysis(newer)
    damages: list[dict[str, Any]] = [
        {"tasks": [{}]},
        {"tasks": 3},
        {"classes": {"a": "b"}},
        {"handlers": [None]},
    ]
    for damage in damages:
        with pytest.raises(FindspotError, match="damaged"):
            read_analysis(replace(made, body={**made.body, **damage}))


def test_what_format_1_wrote_is_still_read() -> None:
    """Never change the golden file; a new format gets one of its own."""
    body = json.loads((GOLDEN / "analysis-1.json").read_text(encoding="utf-8"))
    recorded = Snapshot(
        id=new_uid(),
        resource="plugin",
        project="iris",
        name="p",
        number=1,
        digest=hash_bytes(b""),
        body=body,
        created=now(),
    )
    array = Simple("numpy.ndarray", (), "numpy.ndarray")
    model = Simple("p.a.Model")
    assert read_analysis(recorded) == Analysis(
        "p",
        ("a.py", "large.txt"),
        {
            "split": TaskSpec(
                name="split",
                source="plugin:p/a.py:split",
                inputs=(
                    InputSpec("x", array),
                    InputSpec("start", Union((model, NULL)), required=False),
                ),
                outputs=(OutputSpec("low", array), OutputSpec("high", model)),
                unpack=True,
                location="p/a.py:8",
            )
        },
        {
            "ArrayTask": HandlerSpec(
                name="ArrayTask",
                source="plugin:p/a.py:ArrayTask",
                type=array,
                schema={"level": {"type": "integer"}},
                location="p/a.py:11",
            )
        },
        {"p.a.Model": model},
    )


def test_what_is_written_now_is_the_golden_format(
    write_plugin: WritePlugin, store: BlobStore, catalog: Catalog
) -> None:
    made, _ = snapshot(write_plugin("p", FILES), store=store, catalog=catalog, project="iris")
    assert made.body == json.loads((GOLDEN / "analysis-1.json").read_text(encoding="utf-8"))
