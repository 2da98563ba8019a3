"""A workspace for each test of models, and data to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from findspot import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace; also the current one."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path / "workspace"
        patch.setenv("FINDSPOT_WORKSPACE", str(folder))
        with Workspace(folder) as workspace:
            workspace.init()
            yield workspace


@pytest.fixture(scope="session")
def iris() -> pd.DataFrame:
    """Four measures of 150 flowers, and their species as text in ``species``."""
    data: Any = load_iris(as_frame=True)
    frame: pd.DataFrame = data.frame.drop(columns="target")
    return frame.assign(species=data.target_names[data.target])


@pytest.fixture(scope="session")
def diabetes() -> pd.DataFrame:
    """Ten features of 442 people, and how their illness went on in ``target``."""
    frame: pd.DataFrame = load_diabetes(as_frame=True).frame
    return frame
