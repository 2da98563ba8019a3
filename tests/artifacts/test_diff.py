"""What differs between two versions, as people see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from findspot import Workspace, pipeline, task
from findspot.artifacts.comparing.changes import changes
from findspot.artifacts.diffing import VersionDiff, diff
from findspot.core.errors import BlobDamaged, NotFound
from two_workspaces import Booby, make_workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    workspace = make_workspace(tmp_path, "one")
    yield workspace
    workspace.close()


def differ(ws: Workspace, before: Any, after: Any, **options: Any) -> VersionDiff:
    """The difference of two values, saved as two versions."""
    ws.save_artifact(before, "thing")
    ws.save_artifact(after, "thing")
    found = diff(ws, "thing:1", "thing:2", **options)
    # Whatever is compared, the answer can be sent and shown.
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()
    assert found.render().isprintable() or "\n" in found.render()
    return found


def content(found: VersionDiff) -> dict[str, Any]:
    assert len(found.content) == 1
    assert found.content[0].reason == ""
    return found.content[0].found


class TestRecords:
    def test_a_version_does_not_differ_from_itself(self, ws: Workspace) -> None:
        ws.save_artifact({"a": 1}, "thing", labels={"x": "y"}, tags=["t"])
        found = diff(ws, "thing", "thing:t")
        assert found.same_content
        document = found.to_json()
        assert document.pop("files") == {"added": [], "removed": [], "changed": [], "same": 1}
        del document["before"], document["after"], document["same_content"]
        assert set(map(str, document.values())) == {"[]"}
        assert found.render().splitlines()[-1] == "The contents are equal."

    def test_labels_tags_and_metadata(self, ws: Workspace) -> None:
        ws.save_artifact(1, "n", labels={"a": "1", "b": "2"}, metadata={"score": 0.5}, tags=["old"])
        ws.save_artifact(1, "n", labels={"a": "3", "c": "4"}, metadata={"score": 0.6}, tags=["new"])
        found = diff(ws, "n:1", "n:2")
        assert found.same_content
        assert [str(change) for change in found.labels] == ["~ a: 1 -> 3", "- b: 2", "+ c: 4"]
        assert [str(change) for change in found.tags] == ["- old: True", "+ new: True"]
        assert [str(change) for change in found.metadata] == ["~ score: 0.5 -> 0.6"]

    def test_two_artifacts_of_different_kinds(self, ws: Workspace) -> None:
        ws.save_artifact(np.arange(3), "array")
        ws.save_artifact("text", "text")
        found = diff(ws, "array", "text")
        record = {change.path: (change.before, change.after) for change in found.record}
        assert record["$.handler"] == ("numpy.array", "text")
        assert record["$.kind"] == ("dataset", "value")
        assert [entry.path for entry in found.files.added] == ["value.txt"]
        assert [entry.path for entry in found.files.removed] == ["array.npy"]
        assert found.content == ()

    def test_files_of_a_folder(self, ws: Workspace, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        for name in ("same.txt", "changed.txt", "gone.bin"):
            (folder / name).write_text(name)
        ws.save_artifact(folder, "data")
        (folder / "gone.bin").unlink()
        (folder / "changed.txt").write_text("changed.txt\nand more\n")
        (folder / "new.csv").write_text("a\n1\n")
        ws.save_artifact(folder, "data")
        found = diff(ws, "data:1", "data:2")
        assert [entry.path for entry in found.files.added] == ["new.csv"]
        assert [entry.path for entry in found.files.removed] == ["gone.bin"]
        assert [old.path for old, _ in found.files.changed] == ["changed.txt"]
        assert found.files.same == 1
        assert content(found)["lines_added"] == 1

    def test_an_unknown_version_is_not_found(self, ws: Workspace) -> None:
        ws.save_artifact(1, "n")
        with pytest.raises(NotFound):
            diff(ws, "n:1", "n:2")

    def test_damaged_bytes_are_an_error_rather_than_a_difference(self, ws: Workspace) -> None:
        before = ws.save_artifact(np.arange(5000), "a")
        ws.save_artifact(np.arange(5001), "a")
        stored = ws.store.path(before.files[0].digest)
        assert stored is not None
        stored.chmod(0o644)
        stored.write_bytes(b"x" * stored.stat().st_size)
        with pytest.raises(BlobDamaged):
            diff(ws, "a:1", "a:2")

    def test_control_characters_of_values_are_shown(self, ws: Workspace) -> None:
        found = differ(ws, {"a": "plain"}, {"a": "\x1b[31mred"})
        assert "\x1b" not in found.render()
        assert "\\x1b[31mred" in found.render()


class TestJobs:
    def test_parameters_code_and_metrics_of_the_jobs(self, ws: Workspace) -> None:
        from findspot import current_job

        def made(times: int) -> Any:
            @task(name="scale", cache=False)
            def scale(x: float) -> float:
                current_job().log_metric("loss", x / times)
                return x * times

            @pipeline(name="scaling")
            def scaling(x: float = 1.0) -> Any:
                return {"scaled": scale(x)}

            return scaling

        made(2).options(workspace=ws).run(x=1.0)
        made(3).options(workspace=ws).run(x=4.0)
        found = diff(ws, "scaled:1", "scaled:2")
        assert {change.path for change in found.params} == {"$.x", "$.steps.scale.x"}
        assert [change.path for change in found.code] == ["$.scale.code"]
        assert [str(change) for change in found.metrics] == ["~ loss: 0.5 -> 1.3333333333333333"]
        assert content(found)["changes"] == [
            {"path": "$", "what": "changed", "before": 2.0, "after": 12.0}
        ]

    def test_only_what_differs_of_the_environment(
        self, ws: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for threads in ("1", "2"):
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
            with ws.start_job("script"):
                ws.save_artifact(threads, "made")
        found = diff(ws, "made:1", "made:2", content=False)
        assert [str(change) for change in found.environment] == [
            "~ variables.OMP_NUM_THREADS: 1 -> 2"
        ]
        assert found.content == ()


class TestTables:
    def test_changed_cells_by_position(self, ws: Workspace) -> None:
        before = pd.DataFrame({"n": [1, 2, 3], "x": [0.5, np.nan, 1.5], "s": ["a", "b", None]})
        after = before.copy()
        after.loc[1, "n"] = 20
        after.loc[2, "s"] = "c"
        found = content(differ(ws, before, after))
        assert (found["rows_changed"], found["rows_added"], found["rows_removed"]) == (2, 0, 0)
        assert found["columns"]["n"]["changed"] == 1
        assert found["columns"]["n"]["max_difference"] == 18
        assert set(found["columns"]) == {"n", "s"}
        assert found["first"][0] == {"row_before": 1, "row_after": 1, "cells": {"n": [2, 20]}}
        assert found["first"][1]["cells"] == {"s": [None, "c"]}

    def test_rows_in_the_middle_do_not_move_the_others(self, ws: Workspace) -> None:
        before = pl.DataFrame({"n": list(range(100))})
        after = pl.DataFrame({"n": [*range(40), 1000, 1001, *range(40, 100)]})
        found = content(differ(ws, before, after))
        assert (found["rows_added"], found["rows_removed"], found["rows_changed"]) == (2, 0, 0)
        assert [row["cells"] for row in found["first_added"]] == [{"n": 1000}, {"n": 1001}]
        back = content(diff(ws, "thing:2", "thing:1"))
        assert (back["rows_added"], back["rows_removed"], back["rows_changed"]) == (0, 2, 0)

    @pytest.mark.parametrize("gone", ["first", "last"])
    def test_rows_at_an_end_and_a_change(self, ws: Workspace, gone: str) -> None:
        numbers = list(range(50))
        changed = [1000 if n == 25 else n for n in numbers]
        after = changed[5:] if gone == "first" else changed[:-5]
        found = content(differ(ws, pl.DataFrame({"n": numbers}), pl.DataFrame({"n": after})))
        assert (found["rows_added"], found["rows_removed"], found["rows_changed"]) == (0, 5, 1)
        assert found["first"][0]["row_before"] == 25
        removed = [row["cells"]["n"] for row in found["first_removed"]]
        assert removed == (numbers[:5] if gone == "first" else numbers[-5:])

    def test_by_key(self, ws: Workspace) -> None:
        before = pa.table({"id": ["a", "b", "c"], "v": [1, 2, 3]})
        after = pa.table({"id": ["d", "c", "a"], "v": [4, 30, 1]})
        found = content(differ(ws, before, after, on="id"))
        assert (found["rows_added"], found["rows_removed"], found["rows_changed"]) == (1, 1, 1)
        assert found["first"] == [{"row_before": 2, "row_after": 1, "cells": {"v": [3, 30]}}]
        assert found["first_removed"] == [{"row": 1, "cells": {"id": "b", "v": 2}}]

    def test_a_key_that_names_several_rows_is_a_reason(self, ws: Workspace) -> None:
        table = pa.table({"id": [1, 1], "v": [1, 2]})
        found = differ(ws, table, pa.table({"id": [1, 2], "v": [1, 2]}), on="id")
        assert "id name several rows in the table before" in found.content[0].reason
        found = diff(ws, "thing:1", "thing:2", on="nothing")
        assert "no single column 'nothing'" in found.content[0].reason

    def test_the_schema(self, ws: Workspace) -> None:
        before = pa.table({"a": [1, 2], "b": [1, 2], "old": [0, 0]})
        after = pa.table({"b": ["1", "2"], "a": pa.array([1, 2], pa.float64()), "new": [0, 0]})
        found = content(differ(ws, before, after))
        assert found["schema"] == {
            "added": {"new": "int64"},
            "removed": {"old": "int64"},
            "changed": {"a": ["int64", "double"], "b": ["int64", "string"]},
            "reordered": True,
        }
        # Equal numbers of another type are no changed cells; texts for numbers are.
        assert set(found["columns"]) == {"b"}

    def test_nested_and_categorical_columns(self, ws: Workspace) -> None:
        before = pa.table(
            {
                "list": [[1], [2, 3]],
                "struct": [{"a": 1}, None],
                "word": pa.array(["x", "y"]).dictionary_encode(),
            }
        )
        after = pa.table(
            {
                "list": [[1], [2, 4]],
                "struct": [{"a": 2}, None],
                "word": pa.array(["y", "y"]).dictionary_encode(),
            }
        )
        found = content(differ(ws, before, after))
        assert {name: c["changed"] for name, c in found["columns"].items()} == {
            "list": 1,
            "struct": 1,
            "word": 1,
        }

    def test_empty_tables(self, ws: Workspace) -> None:
        found = content(differ(ws, pa.table({"a": [1]}), pa.table({"a": pa.array([], pa.int64())})))
        assert (found["rows_removed"], found["rows_changed"]) == (1, 0)

    def test_the_same_table_of_two_libraries(self, ws: Workspace) -> None:
        ws.save_artifact(pd.DataFrame({"a": [1, 2]}), "pandas")
        ws.save_artifact(pa.table({"a": [1, 3]}), "arrow")
        found = diff(ws, "pandas", "arrow")
        assert found.content[0].path == "frame.parquet -> table.parquet"
        assert content(found)["columns"]["a"]["changed"] == 1

    def test_a_folders_csv(self, ws: Workspace, tmp_path: Path) -> None:
        file = tmp_path / "points.csv"
        file.write_text("a,b\n1,2\n3,4\n")
        ws.save_artifact(file, "points")
        file.write_text("a,b\n1,2\n3,5\n")
        ws.save_artifact(file, "points")
        assert content(diff(ws, "points:1", "points:2"))["rows_changed"] == 1


class TestArrays:
    def test_elements(self, ws: Workspace) -> None:
        before = np.zeros((4, 5))
        before[3, 4] = np.nan
        after = before.copy()
        after[1, 2] = -2.0
        after[2, 0] = np.inf
        found = content(differ(ws, before, after))
        assert (found["elements"], found["differing"], found["share_differing"]) == (20, 2, 0.1)
        assert found["max_difference"] == 2.0
        assert found["mean_difference"] == pytest.approx(2 / 19)
        assert found["first"] == [
            {"index": [1, 2], "before": 0.0, "after": -2.0},
            {"index": [2, 0], "before": 0.0, "after": "inf"},
        ]

    def test_memory_order_is_no_difference(self, ws: Workspace) -> None:
        array = np.arange(12.0).reshape(3, 4)
        found = content(differ(ws, array, np.asfortranarray(array)))
        assert found["differing"] == 0

    def test_shape_and_dtype(self, ws: Workspace) -> None:
        found = content(differ(ws, np.zeros((2, 3), "f4"), np.zeros((3, 2), "f8")))
        assert (found["shape_before"], found["shape_after"]) == ([2, 3], [3, 2])
        assert (found["dtype_before"], found["dtype_after"]) == ("float32", "float64")
        assert "differing" not in found

    @pytest.mark.parametrize(
        ("before", "after", "largest"),
        [
            (np.array([250], "u1"), np.array([5], "u1"), 245.0),
            (np.array([-(2**63)]), np.array([2**63 - 1]), float(2**64)),
            (np.array([True, False]), np.array([True, True]), 1.0),
            (np.array([1 + 1j]), np.array([4 + 5j]), 5.0),
        ],
    )
    def test_differences_do_not_wrap_around(
        self, ws: Workspace, before: Any, after: Any, largest: float
    ) -> None:
        assert content(differ(ws, before, after))["max_difference"] == pytest.approx(largest)

    def test_what_has_no_difference_is_counted(self, ws: Workspace) -> None:
        found = content(differ(ws, np.array(["a", "b"]), np.array(["a", "c"])))
        assert found["differing"] == 1
        assert "max_difference" not in found
        days = np.array(["2026-01-01", "NaT"], "M8[D]")
        ws.save_artifact(days, "days")
        ws.save_artifact(np.array(["2026-01-02", "NaT"], "M8[D]"), "days")
        assert content(diff(ws, "days:1", "days:2"))["differing"] == 1

    def test_mapped_arrays(self, ws: Workspace) -> None:
        before = np.zeros(1_500_000)
        after = before.copy()
        after[-1] = 1
        found = content(differ(ws, before, after))
        assert found["first"] == [{"index": [1_499_999], "before": 0.0, "after": 1.0}]


class TestOthers:
    def test_texts(self, ws: Workspace) -> None:
        found = content(differ(ws, "one\ntwo\nthree\n", "one\n2\nthree\n"))
        assert (found["lines_added"], found["lines_removed"]) == (1, 1)
        assert "-two" in found["diff"]
        assert "+2" in found["diff"]

    def test_texts_that_differ_in_their_end_only(self, ws: Workspace) -> None:
        assert content(differ(ws, "one\n", "one"))["only_line_ends"] is True

    def test_a_long_text_with_a_small_change_is_compared(self, ws: Workspace) -> None:
        lines = [f"line {i}" for i in range(30_000)]
        before = "\n".join(lines)
        lines[20_000] = "another"
        found = content(differ(ws, before, "\n".join(lines)))
        assert found["lines_added"] == 1

    def test_long_texts_that_differ_everywhere_are_not(self, ws: Workspace) -> None:
        before = "\n".join(f"a{i}" for i in range(30_000))
        found = content(differ(ws, before, before.replace("a", "b")))
        assert "not_compared" in found

    def test_json_values_by_path(self, ws: Workspace) -> None:
        before = {"layers": [{"units": 8}, {"units": 4}], "lr": 0.1}
        after = {"layers": [{"units": 8}, {"units": 6}, {"units": 2}], "lr": 0.1}
        assert content(differ(ws, before, after))["changes"] == [
            {"path": "$.layers[1].units", "what": "changed", "before": 4, "after": 6},
            {"path": "$.layers[2]", "what": "added", "after": {"units": 2}},
        ]

    def test_values_in_structures(self, ws: Workspace) -> None:
        found = differ(ws, {"x": np.arange(3)}, {"x": np.array([0, 1, 5])})
        assert [inner.path for inner in found.content] == ["parts/0/array.npy"]
        assert content(found)["max_difference"] == 3

    def test_images(self, ws: Workspace) -> None:
        before = Image.new("RGB", (8, 4), (10, 10, 10))
        after = before.copy()
        after.putpixel((3, 2), (10, 60, 10))
        found = content(differ(ws, before, after))
        assert (found["pixels"], found["differing"], found["max_difference"]) == (32, 1, 50)
        assert found["box"] == [3, 2, 4, 3]

    def test_images_of_two_sizes(self, ws: Workspace) -> None:
        found = content(differ(ws, Image.new("L", (8, 4)), Image.new("L", (4, 8))))
        assert (found["size_before"], found["size_after"]) == ([8, 4], [4, 8])
        assert "pixels" not in found

    def test_pickles_are_compared_by_their_bytes_and_never_run(
        self, ws: Workspace, tmp_path: Path
    ) -> None:
        traps = [tmp_path / "first", tmp_path / "second"]
        for trap in traps:
            ws.save_artifact(Booby(trap), "thing", handler="pickle")
        found = diff(ws, "thing:1", "thing:2")
        assert found.content[0].reason == "bytes of no known form"
        assert not any(trap.exists() for trap in traps)

    @pytest.mark.parametrize("name", ["a.png", "a.parquet", "a.npy", "a.json", "a.txt", "a.arrow"])
    def test_files_that_are_not_what_their_names_say(
        self, ws: Workspace, tmp_path: Path, name: str
    ) -> None:
        file = tmp_path / name
        for data in (b"\xff\x00 garbage", b"\xfe other garbage" * 200):
            file.write_bytes(data)
            ws.save_artifact(file, "file")
        assert diff(ws, "file:1", "file:2").content[0].reason

    def test_an_array_of_objects_is_not_unpickled(self, ws: Workspace, tmp_path: Path) -> None:
        file, trap = tmp_path / "evil.npy", tmp_path / "trap"
        np.save(file, np.array([1]))
        ws.save_artifact(file, "file")
        np.save(file, np.array([Booby(trap)], dtype=object), allow_pickle=True)
        ws.save_artifact(file, "file")
        found = diff(ws, "file:1", "file:2")
        assert "pickle" in found.content[0].reason.lower()
        assert not trap.exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, JSON)
@settings(deadline=None, derandomize=True)
def test_changes_lead_from_one_value_to_the_other(before: Any, after: Any) -> None:
    found = changes(before, after)
    assert changes(after, after) == ()
    assert (found == ()) == (repr(normal(before)) == repr(normal(after)))
    assert len({change.path for change in found}) == len(found)
    back = changes(after, before)
    swapped = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(c.path, swapped[c.what]) for c in found} == {(c.path, c.what) for c in back}


def normal(value: Any) -> Any:
    """A value whose repr is the same for equal values, whatever the order of keys."""
    if isinstance(value, dict):
        return {name: normal(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return 0.0 if isinstance(value, float) and value == 0 else value
