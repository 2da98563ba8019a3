"""`findspot artifact show`, `load` and `download` of other forms and parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from commands import Command
from findspot import Workspace, start_job, update_model
from findspot.artifacts.kinds import from_yaml


@pytest.fixture
def table(workspace: Path) -> Path:
    """A table of ten rows."""
    frame = pd.DataFrame({"a": range(10), "b": [f"t{n}" for n in range(10)], "c": 0.5})
    Workspace(workspace).save_artifact(frame, "table")
    return workspace


def test_columns_and_rows_of_a_table(table: Path, findspot: Command) -> None:
    part = ("--columns", "a,b", "--rows", "2:4", "--json")
    assert findspot("artifact", "load", "table", *part).document() == [
        {"a": 2, "b": "t2"},
        {"a": 3, "b": "t3"},
    ]
    as_dict = findspot(
        "artifact", "load", "table", "--as", "dict", "--columns", "a", "--rows", ":2", "--json"
    )
    assert as_dict.document() == {"a": [0, 1]}
    assert findspot("artifact", "load", "table", "--rows", "5", "--columns", "a").out
    assert findspot("artifact", "load", "table", "--rows", "a:b").code == 2
    assert findspot("artifact", "load", "table", "--columns", ",").code == 2
    assert findspot("artifact", "load", "table", "--columns", "none").code != 0
    impossible = findspot("artifact", "load", "table", "--as", "PIL.Image.Image")
    assert impossible.code != 0
    assert "polars.DataFrame" in impossible.err


def test_a_part_is_downloaded_as_files(table: Path, findspot: Command) -> None:
    part = ("--columns", "b", "--rows", "8:", "-o", "part")
    (file,) = findspot("artifact", "download", "table", *part, "--json").document()
    assert pq.read_table(file).column("b").to_pylist() == ["t8", "t9"]
    assert findspot("artifact", "download", "table", *part).code == 2
    assert findspot("artifact", "download", "table", *part, "--force").out == f"{file}\n"
    assert [path.name for path in Path("part").iterdir()] == [Path(file).name]


def test_an_array_as_a_list(workspace: Path, findspot: Command) -> None:
    Workspace(workspace).save_artifact(np.arange(6).reshape(3, 2), "array")
    options = ("--as", "list", "--rows", "1:", "--json")
    assert findspot("artifact", "load", "array", *options).document() == [[2, 3], [4, 5]]


def test_show_has_the_fields_of_the_kind_with_updates(workspace: Path, findspot: Command) -> None:
    with start_job("train") as job:
        version = job.log_model("model", value={"weights": [1.0]}, metrics={"accuracy": 0.9})
    update_model(version, metrics={"f1": 0.8})
    shown = findspot("artifact", "show", "model")
    assert "accuracy=0.9, f1=0.8" in shown.out
    fields = findspot("artifact", "show", "model", "--json").document()["fields"]
    assert fields["metrics"] == {"accuracy": 0.9, "f1": 0.8}


def test_show_as_yaml_can_be_read_back(table: Path, findspot: Command) -> None:
    written = findspot("artifact", "show", "table", "--yaml")
    document = from_yaml(written.out)
    assert document.record == Workspace(table).get_artifact("table").record
    assert findspot("artifact", "show", "table", "--yaml", "--json").code == 2
