"""One version, loaded in several forms and in part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from findspot import Workspace
from findspot.artifacts.trust import UntrustedVersion
from findspot.handlers import BadSelection, CannotConvert


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_table_as_other_tables_and_in_part(ws: Workspace) -> None:
    table = pd.DataFrame({"a": range(100), "b": [f"t{n}" for n in range(100)]})
    ws.save_artifact(table, "table")
    other = ws.load_artifact("table", as_type=pl.DataFrame)
    assert isinstance(other, pl.DataFrame)
    assert other["a"].to_list() == list(range(100))
    part = ws.load_artifact("table", columns=["b"], rows=slice(10, 13))
    assert part.to_dict("list") == {"b": ["t10", "t11", "t12"]}
    assert len(ws.load_artifact("table", as_type="polars.DataFrame", rows=slice(0, 5))) == 5


def test_an_array_by_slices_and_as_a_list(ws: Workspace) -> None:
    version = ws.save_artifact(np.arange(12).reshape(4, 3), "array")
    assert version.load(as_type=list) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    np.testing.assert_array_equal(version.load(rows=slice(1, 2)), [[3, 4, 5]])
    assert version.load(as_type=Path).read_bytes()[:6] == b"\x93NUMPY"


def test_an_impossible_form_or_part_says_which_there_are(ws: Workspace) -> None:
    version = ws.save_artifact(np.arange(3), "array")
    with pytest.raises(CannotConvert, match="list"):
        version.load(as_type=dict)
    with pytest.raises(BadSelection, match="columns"):
        version.load(columns=["a"])


def test_a_pickle_from_elsewhere_needs_trust_but_its_file_does_not(
    ws: Workspace, tmp_path: Path
) -> None:
    own = ws.save_artifact(object(), "thing")
    (ws.folder / "secret").unlink()
    foreign = Workspace(ws.folder).get_artifact(own.uid)
    with pytest.raises(UntrustedVersion):
        foreign.load()
    assert foreign.load(as_type=Path).is_file()
