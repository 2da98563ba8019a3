"""Plain functions run as jobs: what they are given, and what becomes of what they return."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from findspot import (
    ArtifactVersion,
    CheckFailed,
    DataItem,
    JobContext,
    Workspace,
    run_function,
    set_environment,
)
from findspot.core.errors import FindspotError

TABLE = "x,label\n1,a\n2,b\n3,a\n"


def count(table: pd.DataFrame, column: str = "label") -> Annotated[int, "classes"]:
    return int(table[column].nunique())


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "table.csv"
    file.write_text(TABLE)
    return file


def test_it_is_a_job_with_inputs_parameters_and_outputs(ws: Workspace, csv: Path) -> None:
    job = run_function(count, params={"column": "label"}, inputs={"table": csv}, experiment="e")
    assert (job.status, job.name, job.experiment) == ("finished", "count", "e")
    assert job.params == {"column": "label"}
    assert job.outputs["classes"].load() == 2
    (source,) = ws.catalog.sources(job.id)
    assert source.name == "table"
    assert source.url.endswith("table.csv")
    assert source.digest is not None
    code = ws.catalog.document(job.record.options["code"])
    assert code is not None
    assert b"def count(" in code


def test_inputs_arrive_as_their_annotations_say(ws: Workspace, csv: Path) -> None:
    np.save(csv.with_suffix(".npy"), np.arange(3))
    saved = ws.save_artifact({"deep": [1]}, "saved")

    def takes(  # type: ignore[no-untyped-def]
        item: DataItem,
        plain,
        path: Path,
        text: str,
        data: bytes,
        pandas: pd.DataFrame,
        polars: pl.DataFrame,
        array: np.ndarray,
        loaded: dict[str, Any],
        version: ArtifactVersion,
        context: JobContext,
    ) -> list[str]:
        assert item.get(encoding="utf-8") == plain.get(encoding="utf-8") == text == TABLE
        assert path.read_text() == TABLE
        assert data == TABLE.encode()
        assert len(pandas) == len(polars) == len(array) == 3
        assert loaded == {"deep": [1]}
        assert version.uid == saved.uid
        assert context.params == {}
        return [type(table).__module__.partition(".")[0] for table in (pandas, polars)]

    names = ("item", "plain", "path", "text", "data", "pandas", "polars")
    job = run_function(
        takes,
        inputs={
            **dict.fromkeys(names, csv),
            "array": csv.with_suffix(".npy"),
            "loaded": "saved:latest",
            "version": saved,
        },
    )
    assert job.status == "finished", job.log
    assert job.outputs["output"].load() == ["pandas", "polars"]
    assert saved.uid in job.outputs["output"].lineage().versions


def test_log_hints_say_how_returned_values_are_kept(ws: Workspace) -> None:
    def several(context):  # type: ignore[no-untyped-def]
        context.log_metric("seen", 1)
        return pd.DataFrame({"a": [1, 2]}), 0.5, {"k": 1}

    job = run_function(several, returns=["rows: dataset", "score: result", "rest"])
    assert job.status == "finished", job.log
    assert job.outputs["rows"].kind == "dataset"
    assert job.metrics == {"seen": 1.0, "score": 0.5}
    assert job.outputs["rest"].load() == {"k": 1}
    # So that the job can be reproduced.
    assert job.record.options["returns"] == ["rows: dataset", "score: result", "rest"]
    assert run_function(lambda: 1, name="one", returns="x").record.options["returns"] == "x"
    assert "returns" not in run_function(lambda: 1, name="one").record.options


def test_what_nobody_named_is_kept_under_the_name_of_the_job(ws: Workspace, tmp_path: Path) -> None:
    def annotated() -> int:
        return 1

    def plain():  # type: ignore[no-untyped-def]
        return "text"

    first, second = run_function(annotated), run_function(plain, artifact_path=tmp_path / "out")
    third = run_function(plain, name="other")
    assert first.metrics == {"output": 1.0}
    assert [list(job.outputs) for job in (first, second, third)] == [["output"]] * 3
    keys = ["annotated/output", "plain/output", "other/output"]
    assert [job.outputs["output"].key for job in (first, second, third)] == keys
    assert [ws.load_artifact(key) for key in keys] == [1, "text", "text"]
    assert first.outputs["output"].producer is not None
    (published,) = (tmp_path / "out").rglob("*.txt")
    assert published.read_text() == "text"
    assert published.is_relative_to(tmp_path / "out" / "plain")
    assert run_function(plain, returns="output").outputs["output"].key == "output"


def test_an_error_makes_the_job_failed(ws: Workspace) -> None:
    def bad() -> None:
        raise ValueError("no luck")

    job = run_function(bad)
    assert job.status == "failed"
    assert "no luck" in job.log
    short = run_function(lambda: (1, 2, 3), name="short", returns=["a", "b"])
    assert short.status == "failed"
    assert "3 values, but 2" in short.log


def test_all_mistakes_at_once_and_no_job(ws: Workspace, csv: Path) -> None:
    with pytest.raises(CheckFailed) as caught:
        run_function(
            count, params={"colum": "x", "table": object()}, returns=["a/../b", "c: thing"]
        )
    text = str(caught.value)
    for said in ("colum", "Did you mean 'column'", "plain JSON", "'thing'", "a/../b"):
        assert said in text
    with pytest.raises(CheckFailed, match="needs a value"):
        run_function(count)
    assert ws.list_jobs() == []


def test_inputs_parameters_and_hints_that_are_none(ws: Workspace) -> None:
    def takes(a, b, c, d: int, e: int | None = None):  # type: ignore[no-untyped-def]
        return None

    inputs: dict[str, Any] = {"a": None, "b": "ftp://host/x", "c": "store://datasets/default/none"}
    with pytest.raises(CheckFailed) as caught:
        run_function(
            takes, inputs=inputs, params={"d": "three", "e": None}, returns=["x", "x: table"]
        )
    assert {problem.path for problem in caught.value.problems} == {"a", "b", "c", "d", "returns: x"}
    wrong: list[dict[str, Any]] = [{"inputs": [1]}, {"params": [1]}, {"returns": 3}]
    for options in wrong:
        with pytest.raises(CheckFailed, match=r"(no mapping|log hints)"):
            run_function(lambda: 1, **options)
    with pytest.raises(FindspotError, match="nothing that can be run"):
        run_function(3)  # type: ignore[arg-type]
    assert ws.list_jobs() == []


def test_a_reference_is_fixed_when_the_job_begins(ws: Workspace) -> None:
    first = ws.save_artifact({"n": 1}, "numbers")

    def reads(numbers: dict[str, int]) -> int:
        ws.save_artifact({"n": 2}, "numbers")
        return numbers["n"]

    job = run_function(reads, inputs={"numbers": "store://artifacts/default/numbers"})
    assert first.uid in job.record.options["inputs"]["numbers"]
    assert job.outputs["output"].load() == 1


def test_by_file_and_name(ws: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "function_file.py"
    file.write_text("def twice(x: int, context=None) -> int:\n    return 2 * x\n")
    assert run_function(file, "twice", params={"x": 4}).outputs["output"].load() == 8
    assert ws.run_function(f"{file}:twice", params={"x": 5}).outputs["output"].load() == 10
    assert ws.run(f"{file}:twice", params={"x": 6}).outputs["output"].load() == 12
    with pytest.raises(FindspotError, match="twice"):
        run_function(file, "thrice")
    with pytest.raises(FindspotError, match="which function"):
        run_function(file)


def test_copies_are_published_at_the_artifact_path(ws: Workspace, tmp_path: Path) -> None:
    def report(context: JobContext) -> None:
        context.log_artifact("notes", "all is well")

    place = tmp_path / "published"
    job = run_function(report, artifact_path=f"{place}/{{{{project}}}}/{{{{job.id}}}}")
    assert job.status == "finished", job.log
    (file,) = (place / "default" / job.id).iterdir()
    assert file.read_text() == "all is well"
    file.write_text("overwritten")
    assert job.outputs["notes"].load() == "all is well"


def test_the_environment_of_a_session(ws: Workspace, tmp_path: Path) -> None:
    try:
        found = set_environment(project="iris", artifact_path=tmp_path / "out")
        assert found == ("iris", str(tmp_path / "out"))
        job = run_function(lambda: 1, name="one")
        assert job.project == "iris"
        assert job.outputs["output"].project == "iris"
        with pytest.raises(FindspotError):
            set_environment(project="a/b")
        assert set_environment() == found
    finally:
        from findspot.engine.logged.publishing import set_artifact_path

        set_artifact_path(None)
