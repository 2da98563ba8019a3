"""Typed kinds: fields in a version's metadata, all mistakes at once, YAML and back."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import yaml
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from findspot import CheckFailed, Workspace
from findspot.artifacts.kinds import (
    BadDocument,
    Column,
    Dataset,
    Directory,
    File,
    Model,
    ModelSignature,
    NotShown,
    Plot,
    Table,
    Value,
    from_yaml,
    kind_of,
    show_plot,
    to_yaml,
)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "workspace")
    workspace.init()
    return workspace


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2, 3])
    drawn.axes[0].set_title("Rising")
    return drawn


def test_every_kind_has_its_view(ws: Workspace, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_text("x\n1\n")
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    saves: list[tuple[Any, dict[str, Any]]] = [
        (note, {}),
        (folder, {}),
        (frame, {}),
        (frame, {"kind": "dataset", "metadata": {"target_column": "y"}}),
        (LogisticRegression(), {}),
        (figure(), {}),
        ([1], {}),
        (np.zeros((3, 2)), {}),
    ]
    views: list[Any] = [
        kind_of(ws.save_artifact(value, f"v{i}", **options))
        for i, (value, options) in enumerate(saves)
    ]
    kinds = [File, Directory, Table, Dataset, Model, Plot, Value, Dataset]
    assert [type(view) for view in views] == kinds
    assert (views[0].file_name, views[0].bytes, views[0].media_type) == (
        "note.txt",
        5,
        "text/plain",
    )
    assert (views[1].folder_name, views[1].files) == ("folder", 1)
    assert (views[2].rows, views[2].columns, list(views[2].schema)) == (2, 2, ["x", "y"])
    assert views[3].target_column == "y"
    assert views[4].other["class"].endswith("LogisticRegression")
    assert (views[5].format, views[5].titles) == ("matplotlib", ["Rising"])
    assert (views[7].height, views[7].shape) == (3, [3, 2])


def test_fields_and_metadata_are_the_same() -> None:
    model = Model(
        framework="sklearn",
        metrics={"accuracy": np.float64(0.5), "n": 3},
        parameters={"sizes": (1, 2), "tol": None},
        inputs=[Column("number", "x"), Column("text", "t", missing=True)],
        other={"class": "C"},
    )
    metadata = model.to_metadata()
    assert metadata["metrics"] == {"accuracy": 0.5, "n": 3}
    assert metadata["inputs"][1] == {"name": "t", "type": "text", "missing": True}
    again = Model.from_metadata(metadata)
    assert again.to_metadata() == metadata
    assert again.other == {"class": "C"}
    assert again.signature == ModelSignature(
        (Column("number", "x"), Column("text", "t", missing=True))
    )
    assert Model().signature is None
    assert list(again.present()) == ["framework", "metrics", "parameters", "inputs"]


def test_all_mistakes_at_once() -> None:
    wrong: dict[str, Any] = {
        "framework": 3,
        "metrics": {"nan": float("nan"), "text": "x", 4: 1.0},
        "parameters": {"object": object()},
        "inputs": [{"name": "x", "type": "float"}, {"name": "y"}, 7],
        "training_set": {"uri": None},
    }
    with pytest.raises(CheckFailed) as caught:
        Model.from_metadata(wrong)
    assert {problem.path for problem in caught.value.problems} == {
        "framework",
        "metrics.nan",
        "metrics.text",
        "metrics[4]",
        "parameters.object",
        "inputs[0].type",
        "inputs[1]",
        "inputs[2]",
        "training_set.uri",
    }
    with pytest.raises(CheckFailed) as again:
        Model(**wrong).to_metadata()
    assert len(again.value.problems) == len(caught.value.problems)


def test_fields_that_contradict_each_other() -> None:
    with pytest.raises(CheckFailed, match="no column 'z'"):
        Dataset(schema={"x": "int64"}, target_column="z").to_metadata()
    with pytest.raises(CheckFailed, match="'x' is given twice"):
        Model(inputs=[Column("number", "x"), Column("text", "x")]).to_metadata()


def test_a_view_never_fails(ws: Workspace) -> None:
    saved = ws.save_artifact([1], "odd", kind="model", metadata={"metrics": 7, "framework": "f"})
    view = kind_of(saved)
    assert isinstance(view, Model)
    assert (view.framework, view.metrics, view.other["metrics"]) == ("f", None, 7)


def test_the_histogram_of_a_column() -> None:
    dataset = Dataset(statistics={"x": {"histogram": {"edges": [0, 1, 2], "counts": [3, 4]}}})
    assert dataset.histogram("x") == ([0, 1, 2], [3, 4])
    assert dataset.histogram("y") is None


def test_plots_are_shown_again(ws: Workspace) -> None:
    drawn = show_plot(ws.save_artifact(figure(), "drawn"))
    assert drawn["image/png"].startswith(b"\x89PNG")
    assert b"<svg" in drawn["image/svg+xml"]
    # Pictures would be drawn by a browser, whose start takes seconds.
    chart = ws.save_artifact(go.Figure(go.Bar(y=[1, 2])), "chart", handler_args={"pictures": False})
    assert show_plot(chart)["application/vnd.plotly.v1+json"]["data"][0]["y"] == [1, 2]
    page = ws.save_artifact(
        '<b onclick="x()">hi</b>', "page", kind="plot", metadata={"format": "html"}
    )
    html = show_plot(page)["text/html"]
    assert html.startswith('<iframe sandbox="allow-scripts"')
    assert "<b" not in html
    with pytest.raises(NotShown, match="no picture"):
        show_plot(ws.save_artifact([1], "value"))


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"x": [1, 2]}),
        figure(),
        {"é": [1, None, "ü: - x"]},
        LogisticRegression(),
        np.arange(3),
    ],
)
def test_a_record_goes_to_yaml_and_back(ws: Workspace, value: Any) -> None:
    with ws.start_job("make"):
        saved = ws.save_artifact(
            value, "a/b", labels={"x": "yes", "n": 1}, tags=["golden"], version="first"
        )
    found = ws.get_artifact("a/b")
    text = to_yaml(found, {"chart": "store://plots/default/chart"})
    document = from_yaml(text)
    assert document.record == found.record
    assert document.files == found.files
    assert document.uri == saved.uri
    assert document.extra_data == {"chart": "store://plots/default/chart"}
    assert yaml.safe_load(text)["metadata"] == dict(found.metadata)


def test_a_wrong_document_lists_every_mistake(ws: Workspace) -> None:
    saved = ws.save_artifact([1, 2], "numbers")
    document = yaml.safe_load(to_yaml(saved))
    document.update(kind="modell", uid="../x", created="yesterday", colour="red")
    document["files"][0]["path"] = "../../escape"
    document["metadata"]["day"] = date(2026, 1, 1)
    del document["key"]
    with pytest.raises(CheckFailed) as caught:
        from_yaml(yaml.safe_dump(document))
    assert {problem.path for problem in caught.value.problems} == {
        "$.kind",
        "$.uid",
        "$.created",
        "$.metadata.day",
        "$.colour",
        "$.files[0].path",
        "$.key",
    }


def test_files_that_are_not_the_digests(ws: Workspace) -> None:
    document = yaml.safe_load(to_yaml(ws.save_artifact([1, 2], "numbers")))
    document["files"][0]["digest"] = "blake3:" + "0" * 64
    with pytest.raises(CheckFailed, match=r"\$\.digest"):
        from_yaml(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "not a mapping"),
        ("a: [", "no YAML"),
        ("!!python/object/apply:os.system [echo]", "no YAML"),
        ("findspot: 2", "format 2"),
        ("a: &x [1]\nb: *x", "aliases"),
    ],
)
def test_what_is_no_document(text: str, message: str) -> None:
    with pytest.raises(BadDocument, match=message):
        from_yaml(text)
