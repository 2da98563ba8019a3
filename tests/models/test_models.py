"""Models are found, updated beside their version, and checked when they predict."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from findspot import CheckFailed, NotFound, Workspace
from findspot.artifacts.kinds import Column, Dataset, Model, kind_of
from findspot.artifacts.links import link, unlink
from findspot.handlers.errors import Untrusted
from findspot.models import (
    DataDoesNotFit,
    NoModelFile,
    NoSignature,
    NotLoadable,
    WrongKind,
    described,
    extra_data_of,
    get_model,
    infer_signature,
    load_checked_model,
    update_dataset,
    update_model,
    updates_of,
)

FRAME = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "n": [1, 2, 3, 4], "label": [0, 0, 1, 1]})
TAKEN = FRAME[["x", "n"]]


def estimator() -> LogisticRegression:
    return LogisticRegression().fit(TAKEN, FRAME["label"])


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2, 3])
    return drawn


# ------------------------------------------------------------------ found


def test_a_model_is_a_triple(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        saved = job.log_model(
            "m",
            value=estimator(),
            extra_data={"rows": [1, 2], "site": "https://example.org/x"},
        )
    with ws.start_job("use") as use:
        file, version, extra = get_model(saved.uri)
        handle = get_model("m")
        assert handle.load().predict(TAKEN).tolist() == [0, 0, 1, 1]
    assert skops.io.load(file).predict(TAKEN).tolist() == [0, 0, 1, 1]
    assert version == saved
    assert extra["rows"].load() == [1, 2]
    assert extra["site"].url == "https://example.org/x"
    assert (handle.file, handle.fields.framework) == (file, "sklearn")
    assert use.id in saved.lineage("downstream").jobs


def test_a_pickled_body_of_this_workspace_is_loaded(ws: Workspace, tmp_path: Path) -> None:
    with ws.start_job("train") as job:
        saved = job.log_model("m", body=pickle.dumps(estimator()), model_file="model.pkl")
    handle = get_model("m")
    assert handle.file.name == "model.pkl"
    assert handle.load().predict(TAKEN).tolist() == [0, 0, 1, 1]
    # The same bytes where nobody vouches for them.
    copy = tmp_path / "copy.pkl"
    shutil.copyfile(handle.file, copy)
    with pytest.raises(Untrusted, match="pickle"):
        get_model(copy).load()
    assert get_model(copy).load(trust=True).predict(TAKEN).tolist() == [0, 0, 1, 1]
    assert saved.version == 1


def test_models_in_folders(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "readme.md").write_text("two models")
    (folder / "inner.pkl").mkdir()
    joblib.dump(estimator(), folder / "tree.joblib")
    skops.io.dump(estimator(), folder / "tree.skops")
    assert get_model(str(folder)).file.name == "tree.skops"
    assert get_model(folder, ".joblib").file.name == "tree.joblib"
    file, version, extra = get_model(folder / "tree.skops")
    assert (file.name, version, extra) == ("tree.skops", None, {})
    assert get_model(folder).load().predict(TAKEN).tolist() == [0, 0, 1, 1]
    with pytest.raises(Untrusted):
        get_model(folder, ".joblib").load()
    assert get_model(folder, ".joblib").load(trust=True).predict(TAKEN).tolist() == [0, 0, 1, 1]
    with pytest.raises(NoModelFile, match=r"ends in \.pkl: readme.md, tree.joblib, tree.skops"):
        get_model(folder, ".pkl")
    shutil.copyfile(folder / "tree.skops", folder / "other.skops")
    with pytest.raises(NoModelFile, match="2 files"):
        get_model(folder, ".skops")
    with pytest.raises(NotLoadable, match=r"end in \.md"):
        get_model(folder / "readme.md").load()
    (folder / "bad.pkl").write_bytes(b"no pickle")
    with pytest.raises(NotLoadable, match="damaged"):
        get_model(folder / "bad.pkl").load(trust=True)


def test_a_folder_that_is_an_artifact(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text("{}")
    (tmp_path / "net" / "weights.bin").write_bytes(b"w")
    with ws.start_job("train") as job:
        job.log_model("net", model_dir=tmp_path / "net", model_file="config.json")
    assert get_model("net").file.name == "config.json"
    assert get_model("net", ".bin").file.read_bytes() == b"w"


def test_what_is_no_model(ws: Workspace, tmp_path: Path) -> None:
    ws.save_artifact([1], "numbers")
    with pytest.raises(WrongKind, match="kind value"):
        get_model("numbers")
    with pytest.raises(NotFound, match="nothing-like-it"):
        get_model("nothing-like-it")
    with pytest.raises(NotFound):
        get_model(tmp_path / "none.pkl")


# ------------------------------------------------------------------ updated


def test_an_update_is_beside_the_version(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        saved = job.log_model(
            "m", value=estimator(), metrics={"accuracy": 0.9}, extra_data={"a": [1]}
        )
    with ws.start_job("validate") as check:
        found = update_model(
            saved.uri,
            metrics={"accuracy": 0.8},
            parameters={"seed": 7},
            labels={"stage": "tested"},
            extra_data={"curve": figure()},
            inputs=TAKEN,
            key_prefix="validation-",
        )
    update_model("m", metrics={"validation-accuracy": 0.7, "f1": 0.5})
    assert found.uid == saved.uid
    assert (found.digest, found.metadata) == (saved.digest, saved.metadata)
    assert found.labels == {"stage": "tested"}
    fields = described(ws, "m")
    assert isinstance(fields, Model)
    assert fields.metrics == {"accuracy": 0.9, "validation-accuracy": 0.7, "f1": 0.5}
    assert fields.parameters == {"seed": 7}
    assert str(fields.signature) == "(x: number, n: integer) -> ()"
    before = kind_of(saved)
    assert isinstance(before, Model)
    assert before.metrics == {"accuracy": 0.9}
    curve = ws.get_artifact("m/validation-curve")
    assert extra_data_of(ws, "m") == {
        "a": ws.get_artifact("m/a").uri,
        "validation-curve": curve.uri,
    }
    first, second = updates_of(ws, "m")
    assert first.record.producer is not None
    assert first.record.producer.job == check.id
    assert second.record.producer is None
    # The job that tested it is below it.
    assert check.id in saved.lineage("downstream").jobs
    handle = get_model("m")
    assert handle.fields.metrics == fields.metrics
    assert handle.extra_data["validation-curve"].load()._repr_png_().startswith(b"\x89PNG")
    update_model(handle, labels={"stage": None})
    assert ws.get_artifact("m").labels == {}


def test_a_wrong_update_changes_nothing(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        job.log_model("m", value=estimator())
    count = len(ws.list_artifacts())
    with pytest.raises(CheckFailed) as caught:
        update_model("m", metrics={"a": float("nan"), "b": "x"})  # type: ignore[dict-item]
    assert len(caught.value.problems) == 2
    with pytest.raises(CheckFailed, match="no file"):
        update_model("m", metrics={"a": 1}, extra_data={"ok": [1], "file": "none.txt"})
    with pytest.raises(CheckFailed, match=r"labels\.x"):
        update_model("m", metrics={"a": 1}, labels={"x": object()})
    with pytest.raises(WrongKind):
        update_dataset("m", label_column="x")
    assert len(ws.list_artifacts()) == count
    assert updates_of(ws, "m") == []


def test_extra_data_that_are_gone_or_moved(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        job.log_model("m", value=estimator(), extra_data={"a": [1], "b": [2]})
    ws.delete_artifact("m/a")
    ws.catalog.move_artifact("default", "m/b", "default", "charts/b")
    found = extra_data_of(ws, "m")
    assert found == {"b": ws.get_artifact("charts/b").uri}
    assert get_model("m").extra_data["b"].load() == [2]


def test_links_set_by_hand_are_extra_data(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "weights.bin").write_bytes(b"w")
    (tmp_path / "net" / "card.md").write_text("a card")
    with ws.start_job("train") as job:
        job.log_model("m", model_dir=tmp_path / "net", extra_data={"card": "https://example.org"})
    note = ws.save_artifact("a note", "note")
    link(ws, "m", "card", "card.md")
    link(ws, "m", "notes/first", note)
    extra = get_model("m").extra_data
    assert extra["card"].get() == b"a card"
    assert extra["notes/first"].load() == "a note"
    unlink(ws, "m", "notes/first")
    assert list(extra_data_of(ws, "m")) == ["card"]


def test_a_dataset_is_described_later(ws: Workspace) -> None:
    ws.save_artifact(FRAME, "d", kind="dataset")
    update_dataset(
        "d",
        df=FRAME,
        label_column="label",
        descriptions={"x": "a length"},
        labels={"split": "train"},
        extra_data={"chart": figure()},
    )
    update_dataset("d", descriptions={"n": "a count"})
    fields = described(ws, "d")
    assert isinstance(fields, Dataset)
    assert fields.target_column == "label"
    assert fields.descriptions == {"x": "a length", "n": "a count"}
    assert fields.statistics is not None
    assert fields.statistics["x"]["mean"] == 3.0
    assert list(extra_data_of(ws, "d")) == ["chart"]
    with pytest.raises(CheckFailed, match="no column 'y'"):
        update_dataset("d", label_column="y")


# ------------------------------------------------------------------ checked


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (TAKEN, "x: number, n: integer"),
        (pl.from_pandas(TAKEN), "x: number, n: integer"),
        (pl.from_pandas(TAKEN).to_arrow(), "x: number, n: integer"),
        (TAKEN.to_numpy(), "array: number[2]"),
        (np.zeros((5, 28, 28), dtype=np.uint8), "array: integer[28][28]"),
        ([1, 2, 3], "array: integer"),
        ([[1.0, 2.0]], "array: number[2]"),
        ([{"a": 1, "b": "x"}, {"a": 2}], "a: integer, b: any?"),
        ({"a": [1.0], "b": ["x"]}, "a: number, b: text"),
        (
            pd.DataFrame({"t": ["a", None], "c": pd.Categorical(["a", "b"])}),
            "t: text?, c: category",
        ),
        (pd.Series([True, False], name="flag"), "flag: boolean"),
        (["a", "b"], "array: text"),
    ],
)
def test_signatures_are_inferred(sample: Any, text: str) -> None:
    assert str(infer_signature(sample)) == f"({text}) -> ()"


def test_a_model_checks_its_data(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        saved = job.log_model(
            "m", value=estimator(), signature=infer_signature(TAKEN, FRAME["label"])
        )
        job.log_model("bare", value=estimator())
    model = load_checked_model(saved)
    assert str(model.signature) == "(x: number, n: integer) -> (label: integer)"
    # In another order, with one column more.
    assert model.predict(FRAME[["label", "n", "x"]]).tolist() == [0, 0, 1, 1]
    assert model.predict_proba(TAKEN).shape == (4, 2)
    assert model.classes_.tolist() == [0, 1]
    with pytest.raises(DataDoesNotFit) as caught:
        model.predict(pd.DataFrame({"n": ["a", "b"], "y": [1, 2]}))
    assert {p.path for p in caught.value.problems} == {"$.x", "$.n"}
    assert "missing" in str(caught.value)
    with pytest.raises(DataDoesNotFit, match="number of columns"):
        model.predict(np.zeros((1, 3)))
    with pytest.raises(DataDoesNotFit, match="values are missing"):
        model.predict(pd.DataFrame({"x": [1.0, 2.0], "n": pd.array([1, None], dtype="Int64")}))
    with pytest.raises(NoSignature):
        load_checked_model("bare")
    with pytest.raises(AttributeError):
        _ = model.no_such_method


def test_arrays_are_checked_by_shape_and_type() -> None:
    from findspot.artifacts.kinds import check_data

    signature = infer_signature(np.zeros((5, 2)))
    data = np.ones((1, 2), dtype=int)
    assert check_data(signature, data) is data
    assert check_data(signature, [[1, 2]]) == [[1, 2]]
    assert check_data(signature, TAKEN) is TAKEN
    for wrong in (np.zeros((1, 3)), np.zeros(2), np.array([["a", "b"]]), np.zeros((1, 2, 2))):
        with pytest.raises(DataDoesNotFit):
            check_data(signature, wrong)
    named = infer_signature(pl.DataFrame({"a": [1.0], "b": [2.0]}))
    assert check_data(named, pl.DataFrame({"b": [1], "c": [2], "a": [3]})).columns == ["a", "b"]
    assert infer_signature([Column("any", "a")]).inputs == (Column("any", "a"),)


@pytest.mark.parametrize("rubbish", [None, 5, 2.5, b"model", ["model"]])
def test_what_no_model_is_found_by(ws: Workspace, rubbish: Any) -> None:
    with pytest.raises(CheckFailed, match="an artifact's key or reference, a path"):
        get_model(rubbish, workspace=ws)


@pytest.mark.parametrize("name", ["dir/none.pkl", "./none.pkl", "/tmp/none-at-all.pkl", "none"])
def test_neither_an_artifact_nor_a_file(ws: Workspace, name: str) -> None:
    with pytest.raises(NotFound, match="There is no model") as missing:
        get_model(name, workspace=ws)
    assert missing.value.name == name
    assert "Neither an artifact nor a file is called so" in str(missing.value)


def test_a_file_where_there_is_no_workspace(tmp_path: Path) -> None:
    empty = Workspace(tmp_path / "empty")
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights")
    assert get_model(str(file), workspace=empty).file.read_bytes() == b"weights"
    with pytest.raises(NotFound, match="There is no model"):
        get_model("none.bin", workspace=empty)
    assert not empty.exists
