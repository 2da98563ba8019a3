"""scikit-learn estimators: skops, without running code from elsewhere."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from findspot.handlers import (
    BadFiles,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    round_trip,
)

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


class Mine(BaseEstimator):  # type: ignore[misc, unused-ignore]
    def __init__(self, c: float = 1.0) -> None:
        self.c = c

    def fit(self, x: Any, y: Any = None) -> Mine:
        self.mean_ = np.asarray(x).mean(axis=0)
        return self


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RandomForestClassifier(3, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
        make_pipeline(FunctionTransformer(np.abs), LogisticRegression()),
        make_pipeline(FunctionTransformer(lambda x: 2 * x), LogisticRegression()),
    ],
    ids=range(5),
)
def test_fitted_estimators_predict_the_same(model: Any) -> None:
    model.fit(X, Y)
    handler = default_registry().for_value(model)
    assert (handler.name, handler.kind) == ("model.skops", "model")
    loaded = round_trip(model)
    assert type(loaded) is type(model)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert handler.preview(model) is not None


def test_own_and_unfitted_estimators_come_back() -> None:
    loaded = round_trip(Mine(2.5).fit(X))
    assert type(loaded) is Mine
    assert loaded.c == 2.5
    assert (loaded.mean_ == X.mean(axis=0)).all()
    assert round_trip(LogisticRegression(C=3)).C == 3


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    saved = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        model = RandomForestClassifier(3, random_state=0).fit(X, Y)
        round_trip(model, folder=tmp_path / name)
        saved.append(PlainSaveFolder(tmp_path / name).files())
    assert [file.path for file in saved[0]] == ["model.skops"]
    assert saved[0] == saved[1]


def test_known_types_load_without_trust_and_unknown_ones_are_named(tmp_path: Path) -> None:
    handler = default_registry().by_name("model.skops")
    for name, model in (("known", LogisticRegression().fit(X, Y)), ("own", Mine().fit(X))):
        (tmp_path / name).mkdir()
        handler.save(model, PlainSaveFolder(tmp_path / name))
    assert handler.safe
    loaded = handler.load(PlainLoadFolder(tmp_path / "known", trusted=False))
    assert loaded.predict(X).shape == (60,)
    with pytest.raises(Untrusted) as caught:
        handler.load(PlainLoadFolder(tmp_path / "own", trusted=False))
    assert caught.value.types == (f"{__name__}.Mine",)


def test_a_pickled_model_needs_trust(tmp_path: Path) -> None:
    class Local(Mine):
        pass

    assert round_trip(Local(3.0), folder=tmp_path).c == 3.0
    handler = default_registry().by_name("model.skops")
    with pytest.raises(Untrusted, match="pickle"):
        handler.load(PlainLoadFolder(tmp_path, trusted=False))


def _forged(function: str, module: str) -> bytes:
    """A skops file whose transformer's function was exchanged for another."""
    data = skops.io.dumps(FunctionTransformer(np.abs))
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(sink, "w") as new:
        schema = json.loads(old.read("schema.json"))
        node = schema["content"]["content"]["func"]
        node["__class__"], node["__module__"] = function, module
        new.writestr("schema.json", json.dumps(schema))
    return sink.getvalue()


def test_a_forged_function_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(_forged("system", "os"))
    with pytest.raises(Untrusted) as caught:
        default_registry().by_name("model.skops").load(PlainLoadFolder(tmp_path, trusted=False))
    assert caught.value.types == ("os.system",)


@pytest.mark.parametrize("data", [b"", b"no zip", skops.io.dumps(StandardScaler())[:-30]])
def test_a_damaged_model_gives_a_clear_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.skops").write_bytes(data)
    with pytest.raises(BadFiles, match=r"model\.skops"):
        default_registry().by_name("model.skops").load(PlainLoadFolder(tmp_path, trusted=True))


def test_a_model_of_a_missing_library_gives_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(_forged("thing", "no_such_library"))
    with pytest.raises(BadFiles, match="no_such_library"):
        default_registry().by_name("model.skops").load(PlainLoadFolder(tmp_path, trusted=True))


def test_metadata() -> None:
    import pandas as pd

    model = LogisticRegression(C=0.5).fit(pd.DataFrame(X, columns=["a", "b", "c"]), Y)
    described = default_registry().for_value(model).describe(model)
    assert described["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert described["params"]["C"] == 0.5
    assert described["features"] == 3
    assert described["feature_names"] == ["a", "b", "c"]
    assert described["classes"] == ["0", "1"]
    assert described["library"].startswith("sklearn ")
