"""XGBoost, LightGBM, ONNX and joblib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import pytest
import xgboost
from onnx import TensorProto, helper, numpy_helper

from findspot.handlers import (
    BadFiles,
    BadValue,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    load_value,
    round_trip,
)

X = np.random.default_rng(0).normal(size=(120, 4))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


def files_of(value: Any, folder: Path) -> Any:
    folder.mkdir()
    default_registry().for_value(value).save(value, PlainSaveFolder(folder))
    return PlainSaveFolder(folder).files()


# --------------------------------------------------------------------------- XGBoost


def booster(rounds: int = 4) -> Any:
    data = xgboost.DMatrix(X, Y, feature_names=["a", "b", "c", "d"])
    params = {"objective": "binary:logistic", "nthread": 1, "seed": 1}
    return xgboost.train(params, data, num_boost_round=rounds)


def test_boosters_of_xgboost_predict_the_same(tmp_path: Path) -> None:
    model = booster()
    model.set_attr(note="é")
    loaded = round_trip(model)
    data = xgboost.DMatrix(X, feature_names=["a", "b", "c", "d"])
    assert (loaded.predict(data) == model.predict(data)).all()
    assert loaded.feature_names == ["a", "b", "c", "d"]
    assert loaded.attr("note") == "é"
    handler = default_registry().for_value(model)
    assert (handler.name, handler.kind) == ("xgboost.booster", "model")
    assert handler.describe(model)["rounds"] == 4
    assert files_of(booster(), tmp_path / "a") == files_of(booster(), tmp_path / "b")


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("cls", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier"])
def test_estimators_of_xgboost_keep_parameters_and_trees(cls: str, fitted: bool) -> None:
    model = getattr(xgboost, cls)(
        n_estimators=3, max_depth=2, n_jobs=1, random_state=7, monotone_constraints=(1, 0, 0, 0)
    )
    if fitted:
        model.fit(X, Y)
    assert default_registry().for_value(model).name == "xgboost.estimator"
    loaded = round_trip(model)
    assert type(loaded) is type(model)
    given, found = model.get_params(), loaded.get_params()
    # XGBoost's default for what is missing is NaN, which equals nothing.
    assert np.isnan(given.pop("missing"))
    assert np.isnan(found.pop("missing"))
    assert found == given
    if fitted:
        assert (loaded.predict(X) == model.predict(X)).all()
        assert getattr(loaded, "n_classes_", None) == getattr(model, "n_classes_", None)
        assert loaded.fit(X, Y).get_booster().num_boosted_rounds() == (
            model.get_booster().num_boosted_rounds()
        )


def test_an_estimator_is_loaded_as_a_booster_and_damage_is_seen(tmp_path: Path) -> None:
    model = xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, Y)
    files_of(model, tmp_path / "m")
    handler = default_registry().for_value(model)
    loaded = load_value(handler, PlainLoadFolder(tmp_path / "m"), as_type=xgboost.Booster)
    assert loaded.num_boosted_rounds() == 2
    (tmp_path / "m" / "model.ubj").write_bytes(b"{}")
    with pytest.raises(BadFiles, match="no model of XGBoost"):
        handler.load(PlainLoadFolder(tmp_path / "m"))
    (tmp_path / "m" / "estimator.json").write_text('{"class": "train"}')
    with pytest.raises(BadFiles, match="no estimator"):
        handler.load(PlainLoadFolder(tmp_path / "m"))


# --------------------------------------------------------------------------- LightGBM


def light() -> Any:
    params = {"objective": "binary", "num_threads": 1, "verbose": -1, "seed": 1, "metric": "auc"}
    data = lightgbm.Dataset(X, Y, feature_name=["a", "b", "c", "d"])
    return lightgbm.train(
        params,
        data,
        num_boost_round=20,
        valid_sets=[data.create_valid(X[:60], Y[:60])],
        callbacks=[lightgbm.early_stopping(2, verbose=False)],
    )


def test_boosters_of_lightgbm_predict_the_same(tmp_path: Path) -> None:
    model = light()
    loaded = round_trip(model)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert loaded.best_iteration == model.best_iteration
    assert loaded.best_score == model.best_score
    assert loaded.num_trees() == model.num_trees()
    assert loaded.feature_name() == ["a", "b", "c", "d"]
    handler = default_registry().for_value(model)
    assert handler.name == "lightgbm.booster"
    assert files_of(light(), tmp_path / "a") == files_of(light(), tmp_path / "b")
    text = load_value(handler, PlainLoadFolder(tmp_path / "a"), as_type=str)
    assert text.startswith("tree\n")
    (tmp_path / "a" / "model.txt").write_text(text[: text.index("end of trees")])
    with pytest.raises(BadFiles, match="no model of LightGBM"):
        handler.load(PlainLoadFolder(tmp_path / "a"))


def test_estimators_of_lightgbm_predict_the_same() -> None:
    model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(X, Y)
    loaded = round_trip(model)
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()


# --------------------------------------------------------------------------- ONNX


def network() -> Any:
    weight = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [weight],
    )
    return helper.make_model(graph, producer_name="test")


def test_models_of_onnx_come_back_byte_for_byte(tmp_path: Path) -> None:
    model = network()
    loaded = round_trip(model)
    assert loaded == model
    onnx.checker.check_model(loaded)
    handler = default_registry().for_value(model)
    assert (handler.name, handler.kind) == ("onnx.model", "model")
    assert handler.describe(model)["inputs"] == {"x": "float[n, 2]"}
    assert files_of(network(), tmp_path / "a") == files_of(network(), tmp_path / "b")
    (tmp_path / "a" / "model.onnx").write_bytes(b"\xff\xff\xff")
    with pytest.raises(BadFiles, match="no ONNX model"):
        handler.load(PlainLoadFolder(tmp_path / "a"))


def test_an_onnx_model_with_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(network(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    alone = onnx.load(path, load_external_data=False)
    with pytest.raises(BadValue, match="are in other files"):
        round_trip(alone)
    onnx.load_external_data_for_model(alone, str(tmp_path))
    assert round_trip(alone) == alone


# --------------------------------------------------------------------------- joblib


def test_joblib_files_need_trust(tmp_path: Path) -> None:
    value = {"array": np.arange(1000.0), "function": np.mean}
    handler = default_registry().by_name("joblib")
    handler.save(value, PlainSaveFolder(tmp_path))
    loaded = handler.load(PlainLoadFolder(tmp_path, trusted=True))
    assert loaded["function"] is np.mean
    assert (loaded["array"] == value["array"]).all()
    with pytest.raises(Untrusted, match="joblib"):
        handler.load(PlainLoadFolder(tmp_path))
    assert not handler.safe
    small = tmp_path / "small"
    small.mkdir()
    handler.save(value, PlainSaveFolder(small), compress=3)
    assert (small / "value.joblib").stat().st_size < (tmp_path / "value.joblib").stat().st_size
    (tmp_path / "value.joblib").write_bytes(b"no pickle")
    with pytest.raises(BadFiles, match="no joblib file"):
        handler.load(PlainLoadFolder(tmp_path, trusted=True))


class Refusing:
    def __reduce__(self) -> Any:
        raise TypeError("not this one")


def test_joblib_refuses_what_no_pickle_holds(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="list"):
        round_trip((n for n in range(3)), "joblib")
    with pytest.raises(BadValue, match="joblib cannot save it: not this one"):
        round_trip(Refusing(), "joblib")


def test_handlers_that_are_only_named_are_never_looked_up() -> None:
    registry = default_registry()
    assert {"joblib", "safetensors"} <= set(registry.names())
    assert registry.for_value(object()).name == "pickle"
    assert registry.copy().by_name("joblib").name == "joblib"
    assert registry.for_value({"a": np.eye(2)}).name == "structure"
