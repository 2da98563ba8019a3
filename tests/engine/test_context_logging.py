"""What code in a job logs: artifacts, datasets, models, plots, tables, results, inputs."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from findspot import CheckFailed, JobContext, NotFound, Workspace, current_job, pipeline, task
from findspot.artifacts.kinds import Dataset, Model, Plot, kind_of, show_plot
from findspot.artifacts.path_templates import BadArtifactPath
from findspot.core.errors import InvalidName
from findspot.data import UnknownScheme
from findspot.engine.logged.artifacts import BadSource
from findspot.engine.logged.plots import NotAPlot
from findspot.engine.logged.publishing import set_artifact_path
from findspot.handlers.errors import NoHandler

FRAME = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "label": [0, 0, 1, 1]})


def figure() -> Figure:
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([1, 2, 3])
    return drawn


def estimator() -> LogisticRegression:
    return LogisticRegression().fit(FRAME[["x"]], FRAME["label"])


# ------------------------------------------------------------------ artifacts


def test_what_is_logged_is_an_output_of_the_job(ws: Workspace) -> None:
    with ws.start_job("log") as job:
        made = job.log_artifact("numbers", [1, 2], labels={"a": 1}, tag="best", tags=["good"])
        assert job.outputs == {"numbers": made}
        # Visible before the job ends.
        assert ws.get_artifact("numbers:best").uid == made.uid
    assert ws.get_job(job.id).outputs["numbers"].load() == [1, 2]
    assert made.producer is not None
    assert made.producer.job == job.id
    assert ws.get_artifact("numbers").tags == ("best", "good")
    assert made.labels == {"a": "1"}


def test_bodies_and_files(ws: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("from a file")
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a.txt").write_text("a")
    with ws.start_job("log") as job:
        text = job.log_artifact("report", body="<p>ü</p>", local_path="out/report.html")
        data = job.log_artifact("raw", body=b"\0\1")
        copied = job.log_artifact("notes", local_path=file)
        folder = job.log_artifact("many", local_path=str(tmp_path / "many"))
    assert text.load().name == "report.html"
    assert text.load().read_text(encoding="utf-8") == "<p>ü</p>"
    assert data.load().read_bytes() == b"\0\1"
    assert (text.kind, copied.kind, folder.kind) == ("file", "file", "directory")
    assert copied.load().read_text() == "from a file"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "not 0"),
        ({"value": 1, "body": b""}, r"not 2 of them \(value, body\)"),
        ({"local_path": "/no/such/file"}, "no such file"),
        ({"local_path": 3}, "is no path"),
        ({"body": 7}, "a body is bytes or text"),
        ({"value": 1, "colour": "red"}, "no such option"),
        ({"value": 1, "extra_data": {"a/b": 1}}, "extra_data.a/b"),
        ({"value": 1, "extra_data": [1]}, "no mapping"),
        ({"value": 1, "labels": {"a": object()}}, "labels.a"),
    ],
)
def test_a_wrong_call_saves_nothing(ws: Workspace, given: dict[str, Any], message: str) -> None:
    with (
        ws.start_job("log") as job,
        pytest.raises((BadSource, CheckFailed), match=f"(?i){message}"),
    ):
        job.log_artifact("wrong", **given)
    assert ws.list_artifacts() == []
    assert ws.get_job(job.id).outputs == {}


def test_a_thread_of_the_jobs_logs_for_the_job(ws: Workspace) -> None:
    with ws.start_job("log", project="elsewhere") as job:
        thread = threading.Thread(target=lambda: job.log_value("said", 7))
        thread.start()
        thread.join()
    said = ws.get_job(job.id).outputs["said"]
    assert said.producer is not None
    assert (said.producer.job, said.project, said.kind) == (job.id, "elsewhere", "value")


@task
def logs(x: int, context: JobContext | None = None) -> int:
    assert context is not None
    context.log_metric("x", x)
    current_job().log_dataset("made", pd.DataFrame({"x": [x]}))
    return x + 1


@pipeline
def logging_pipeline(x: int) -> dict[str, Any]:
    return {"more": logs(x)}


def test_a_step_logs_outputs_of_its_job(ws: Workspace) -> None:
    job = logging_pipeline.options(workspace=ws).run(x=3)
    assert set(job.outputs) == {"made", "more"}
    made = job.outputs["made"]
    assert made.producer is not None
    assert made.producer.step == "logs"


# ------------------------------------------------------------------ results and inputs


def test_results_are_metrics_where_they_are_numbers(ws: Workspace) -> None:
    with ws.start_job("log") as job:
        job.log_metric("loss", 0.5)
        job.log_result("accuracy", np.float32(0.5))
        job.log_results({"best": "tree", "folds": [1, 2], "loss": 0.25, "done": True})
        assert job.results == {
            "loss": 0.25,
            "accuracy": 0.5,
            "best": "tree",
            "folds": [1, 2],
            "done": True,
        }
    found = ws.get_job(job.id)
    assert found.metrics == {"loss": 0.25, "accuracy": 0.5, "done": 1.0}
    assert found.outputs["best"].load() == "tree"
    assert found.outputs["folds"].load() == [1, 2]


def test_the_parent_is_the_job_around_it(ws: Workspace) -> None:
    with ws.start_job("outer") as outer:
        assert outer.parent is None
        with ws.start_job("inner") as inner:
            assert inner.parent == outer.id


def test_what_is_read_through_an_item_is_in_the_lineage(ws: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    FRAME.to_csv(file, index=False)
    saved = ws.save_artifact(FRAME, "frame")
    with ws.start_job("read") as job:
        assert job.get_input("train", str(file)).as_df().equals(FRAME)
        assert job.get_dataitem(saved.uri).as_df().equals(FRAME)
        with pytest.raises(NotFound, match="no input 'test'"):
            job.get_input("test")
    (source,) = ws.catalog.sources(job.id)
    assert (source.name, source.url, source.size) == ("train", str(file), file.stat().st_size)
    assert source.digest is not None
    assert job.id in saved.lineage("downstream").jobs


# ------------------------------------------------------------------ datasets


@pytest.mark.parametrize(
    "table", [FRAME, pl.from_pandas(FRAME), pa.Table.from_pandas(FRAME)], ids=["pd", "pl", "pa"]
)
def test_a_dataset_has_schema_statistics_and_a_target(ws: Workspace, table: Any) -> None:
    with ws.start_job("log") as job:
        saved = job.log_dataset(
            "train", table, label_column="label", descriptions={"x": "a length in mm"}
        )
    view = kind_of(saved)
    assert isinstance(view, Dataset)
    assert (view.rows, view.columns, view.target_column) == (4, 2, "label")
    assert list(view.schema or ()) == ["x", "label"]
    assert view.statistics is not None
    assert view.statistics["x"]["mean"] == 3.0
    assert view.histogram("x") is not None
    assert view.descriptions == {"x": "a length in mm"}
    loaded = saved.load()
    assert loaded.equals(table)


def test_an_array_is_a_dataset(ws: Workspace) -> None:
    with ws.start_job("log") as job:
        saved = job.log_dataset("array", np.array([[1, 2], [3, 4]]), preview=1)
        plain = job.log_dataset("plain", FRAME, stats=False, preview=0)
    view = kind_of(saved)
    assert isinstance(view, Dataset)
    assert (view.height, view.statistics and view.statistics["1"]["mean"]) == (2, 3.0)
    assert saved.preview is not None
    assert b'"rows":[[1,2]]' in saved.preview.data
    assert "statistics" not in plain.metadata
    assert plain.preview is None


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("table", [FRAME, pl.from_pandas(FRAME)], ids=["pandas", "polars"])
def test_formats_for_people(ws: Workspace, table: Any, format: str) -> None:
    with ws.start_job("log") as job:
        saved = job.log_dataset("sets/train", table, format=format, label_column="label")
        assert job.get_dataitem(saved.uri).as_df().equals(FRAME)
    assert saved.load().name == f"train.{format}"
    view = kind_of(saved)
    assert isinstance(view, Dataset)
    assert (view.format, view.rows, view.target_column) == (format, 4, "label")
    assert saved.preview is not None


@pytest.mark.parametrize(
    "table",
    [
        pl.Series("q", [1, 2, 3]),
        pd.Series([1, 2, 3], name="q"),
        pl.LazyFrame({"q": [1, 2, 3]}),
        pd.DataFrame(),
        pd.DataFrame([[1, 2]]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
        np.array([(1, 2.5)], dtype=[("a", int), ("b", float)]),
        np.zeros((2, 2, 2)),
        [1, 2, 3],
    ],
    ids=lambda table: type(table).__name__,
)
def test_unusual_tables(ws: Workspace, table: Any) -> None:
    with ws.start_job("log") as job:
        saved = job.log_dataset("d", table, preview=2)
    assert saved.kind == "dataset"
    assert isinstance(kind_of(saved), Dataset)
    assert saved.preview is not None


@pytest.mark.parametrize("value", [3, "table.csv", None, b"a,b", 1.5, True])
def test_what_is_no_dataset(ws: Workspace, value: Any) -> None:
    with ws.start_job("log") as job, pytest.raises(BadSource, match="is a table or an array"):
        job.log_dataset("d", value)
    assert ws.list_artifacts() == []


def test_all_mistakes_of_a_dataset_at_once(ws: Workspace) -> None:
    with ws.start_job("log") as job, pytest.raises(CheckFailed) as caught:
        job.log_dataset(
            "d", FRAME, label_column="y", format="xls", preview=-1, descriptions={"z": "?"}
        )
    assert {p.path for p in caught.value.problems} == {
        "label_column",
        "format",
        "preview",
        "descriptions.z",
    }
    assert ws.list_artifacts() == []


# ------------------------------------------------------------------ models


def test_a_model_and_what_is_known_of_it(ws: Workspace) -> None:
    model = estimator()
    with ws.start_job("train") as job:
        train = job.log_dataset("train", FRAME, label_column="label")
        saved = job.log_model(
            "model",
            value=model,
            metrics={"accuracy": 0.9},
            parameters={"C": np.float64(1.0)},
            training_set=train,
            inputs=FRAME[["x"]],
            outputs=FRAME["label"],
            labels={"class": "linear"},
            extra_data={"curve": figure(), "site": "https://example.org/x", "train": train},
        )
    view = kind_of(saved)
    assert isinstance(view, Model)
    assert (view.framework, view.algorithm, view.model_file) == (
        "sklearn",
        "LogisticRegression",
        "model.skops",
    )
    assert view.metrics == {"accuracy": 0.9}
    assert view.parameters == {"C": 1.0}
    assert view.training_set == {"uri": train.uri, "uid": train.uid}
    assert view.target_column == "label"
    assert str(view.signature) == "(x: number) -> (label: integer)"
    assert view.feature_statistics is not None
    curve = ws.get_artifact("model/curve")
    assert view.extra_data == {
        "curve": curve.uri,
        "site": "https://example.org/x",
        "train": train.uri,
    }
    links = {link.name: (link.kind, link.target) for link in ws.catalog.links(saved.uid)}
    assert links == {
        "curve": ("artifact", curve.uid),
        "site": ("url", "https://example.org/x"),
        "train": ("artifact", train.uid),
    }
    assert ws.load_artifact("model").predict(FRAME[["x"]]).tolist() == [0, 0, 1, 1]
    # Whoever takes the job's dataset as its input is below it.
    with ws.start_job("again") as again:
        again.log_model("other", value=model, training_set=train.uri)
    assert train.uid in ws.get_artifact("other").lineage().versions


def test_a_training_table_gives_inputs_and_statistics(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        saved = job.log_model(
            "m",
            value=make_pipeline(StandardScaler(), estimator()),
            training_set=FRAME,
            label_column="label",
        )
        with pytest.raises(CheckFailed, match="no column 'y'"):
            job.log_model("n", value=estimator(), training_set=FRAME, label_column="y")
        with pytest.raises(BadSource, match="training set"):
            job.log_model("n", value=estimator(), training_set=7)
    view = kind_of(saved)
    assert isinstance(view, Model)
    assert (view.framework, view.algorithm) == ("sklearn", "LogisticRegression")
    assert str(view.signature) == "(x: number) -> ()"


def test_models_by_body_file_and_folder(ws: Workspace, tmp_path: Path) -> None:
    data = pickle.dumps(estimator())
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "weights.bin").write_bytes(b"w")
    (tmp_path / "net" / "config.json").write_text("{}")
    (tmp_path / "tree.onnx").write_bytes(b"o")
    with ws.start_job("train") as job:
        pickled = job.log_model("a", body=data, model_file="model.pkl", framework="sklearn")
        unnamed = job.log_model("b", body=data)
        file = job.log_model("c", model_file=tmp_path / "tree.onnx")
        folder = job.log_model("d", model_dir=tmp_path / "net", model_file="weights.bin")
        whole = job.log_model("e", model_dir=tmp_path / "net")
    found = [(v.kind, v.metadata["model_file"]) for v in (pickled, unnamed, file, folder, whole)]
    assert found == [
        ("model", "model.pkl"),
        ("model", "model.pkl"),
        ("model", "tree.onnx"),
        ("model", "weights.bin"),
        ("model", "weights.bin"),
    ]
    assert pickled.load().read_bytes() == data
    assert pickled.metadata["framework"] == "sklearn"
    assert (folder.load() / "config.json").read_text() == "{}"


def test_a_model_without_its_file(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "a.bin").write_bytes(b"a")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "not 0"),
        ({"value": 1, "model_dir": tmp_path}, "not 2"),
        ({"model_file": tmp_path / "none.pkl"}, "no such file"),
        ({"model_file": tmp_path / "net"}, "is a folder"),
        ({"model_dir": tmp_path / "net" / "a.bin"}, "no folder"),
        ({"model_dir": tmp_path / "net", "model_file": "b.bin"}, "It holds a.bin"),
        ({"model_dir": tmp_path / "net", "model_file": "../../etc/passwd"}, "not in the model"),
    ]
    with ws.start_job("train") as job:
        for given, message in wrong:
            with pytest.raises(BadSource, match=message):
                job.log_model("m", **given)
        with pytest.raises(InvalidName):
            job.log_model("../m", value=estimator())
    assert ws.list_artifacts() == []


def test_all_mistakes_of_a_model_at_once(ws: Workspace) -> None:
    with ws.start_job("train") as job, pytest.raises(CheckFailed) as caught:
        job.log_model(
            "m",
            value=estimator(),
            metrics={"nan": float("nan"), "object": object()},  # type: ignore[dict-item]
            parameters={"f": print},
            framework=3,  # type: ignore[arg-type]
        )
    assert {p.path for p in caught.value.problems} == {
        "metrics.nan",
        "metrics.object",
        "parameters.f",
        "framework",
    }
    assert ws.list_artifacts() == []


# ------------------------------------------------------------------ plots and tables

SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "title": "Bars",
    "data": {"values": [{"a": 1}, {"a": 2}]},
    "mark": "bar",
}


def test_plots_of_every_library(ws: Workspace, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>page</p>")
    drawn = figure()
    with ws.start_job("draw") as job:
        saved = {
            "figure": job.log_plot("figure", drawn, title="A line"),
            "axes": job.log_plot("axes", drawn.axes[0]),
            "plotly": job.log_plot("plotly", go.Figure(go.Bar(y=[1]))),
            "spec": job.log_plot("spec", SPEC),
            "chart": job.log_plot("chart", alt.Chart.from_dict({**SPEC, "mark": {"type": "bar"}})),
            "html": job.log_plot("html", "<p>hello</p>"),
            "page": job.log_plot("page", page),
        }
    views = {name: kind_of(version) for name, version in saved.items()}
    assert all(isinstance(view, Plot) for view in views.values())
    assert {name: getattr(view, "format", "") for name, view in views.items()} == {
        "figure": "matplotlib",
        "axes": "matplotlib",
        "plotly": "plotly",
        "spec": "vega-lite",
        "chart": "vega-lite",
        "html": "html",
        "page": "html",
    }
    assert {file.path for file in saved["figure"].files} == {"figure.png", "figure.svg"}
    assert getattr(views["figure"], "title", "") == "A line"
    assert getattr(views["spec"], "title", "") == "Bars"
    shown = show_plot(saved["spec"])["application/vnd.vegalite.v5+json"]
    assert shown["data"]["values"] == [{"a": 1}, {"a": 2}]
    assert saved["spec"].load() == shown
    shows = show_plot(saved["chart"])
    (chart,) = [shows[kind] for kind in shows if kind.startswith("application/vnd.vegalite")]
    assert chart["mark"] == {"type": "bar"}
    assert isinstance(saved["chart"].load(), alt.Chart)
    assert saved["html"].files[0].path == "page.html"
    assert "hello" in show_plot(saved["html"])["text/html"]
    assert "page" in show_plot(saved["page"])["text/html"]
    again = saved["figure"].load()
    with ws.start_job("again") as job:
        assert job.log_plot("figure", again).digest != ""


@pytest.mark.parametrize("value", [7, "no such file.png", {"mark": "bar"}, Path("none.png"), None])
def test_what_is_no_plot(ws: Workspace, value: Any) -> None:
    with ws.start_job("draw") as job, pytest.raises(NotAPlot):
        job.log_plot("p", value)


def test_tables_of_rows(ws: Workspace) -> None:
    with ws.start_job("log") as job:
        tables = [
            job.log_table("a", [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]),
            job.log_table("b", {"x": [1, 2], "y": ["a", "b"]}),
            job.log_table("c", [(1, "a"), (2, "b")], columns=["x", "y"]),
            job.log_table("d", pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})),
        ]
        with pytest.raises(BadSource, match="no table"):
            job.log_table("e", [(1, 2, 3)], columns=["x"])
        for value in (5, "rows", None):
            with pytest.raises(BadSource, match="made of rows"):
                job.log_table("e", value)
    assert {table.kind for table in tables} == {"table"}
    assert [table.metadata["rows"] for table in tables] == [2] * 4
    assert tables[2].load().to_pylist()[1] == {"x": 2, "y": "b"}


# ------------------------------------------------------------------ artifact paths


def test_a_readable_copy_beside_the_store(ws: Workspace, tmp_path: Path) -> None:
    with ws.start_job("train") as job:
        place = job.artifact_subpath("models", "v1")
        job.log_model("m", value=estimator(), artifact_path=place)
        job.log_artifact("unpublished", 1)
        template = str(tmp_path / "{{project}}" / "{{ name }}-{{version}}")
        saved = job.log_artifact("note", body="hi", artifact_path=template)
    assert (Path(place) / "m.skops").is_file()
    assert job.id in place
    copy = tmp_path / "default" / "note-1" / "note"
    assert copy.read_text() == "hi"
    # It is a copy: changing it changes nothing in the store.
    copy.write_text("changed")
    assert saved.load().read_text() == "hi"


def test_copies_in_a_bucket(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "many" / "deep").mkdir(parents=True)
    (tmp_path / "many" / "deep" / "a.txt").write_text("a")
    with ws.start_job("train") as job:
        place = f"memory://{job.id}/out"
        job.log_artifact("note", body="hi", artifact_path=place)
        job.log_artifact("many", local_path=tmp_path / "many", artifact_path=place)
        assert job.get_dataitem(f"{place}/note").get() == b"hi"
        assert job.get_dataitem(f"{place}/many/deep/a.txt").get() == b"a"


def test_a_copy_that_cannot_be_made(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with ws.start_job("train") as job, pytest.raises(BadArtifactPath, match="itself is saved"):
        job.log_artifact("note", body="hi", artifact_path=tmp_path / "file")
    assert ws.get_artifact("note").load().read_text() == "hi"


def test_a_failed_save_leaves_no_extra_data(ws: Workspace) -> None:
    with ws.start_job("train") as job:
        with pytest.raises(NoHandler):
            job.log_artifact("note", threading.Lock(), extra_data={"a": [1]})
        for wrong in ([("loss", 1)], "loss", None):
            with pytest.raises(CheckFailed, match="no mapping"):
                job.log_metrics(wrong)  # type: ignore[arg-type]
            with pytest.raises(CheckFailed, match="no mapping"):
                job.log_results(wrong)  # type: ignore[arg-type]
    assert ws.list_artifacts() == []


def test_the_nearest_path_wins(ws: Workspace, tmp_path: Path) -> None:
    set_artifact_path(tmp_path / "session" / "{{job.id}}")
    try:
        with ws.start_job("train") as job:
            job.log_artifact("a", body="a")
            job.log_artifact("b", body="b", artifact_path=tmp_path / "call")
            assert job.artifact_path == str(tmp_path / "session" / job.id)
    finally:
        set_artifact_path(None)
    assert (tmp_path / "session" / job.id / "a").read_text() == "a"
    assert (tmp_path / "call" / "b").read_text() == "b"


def test_the_jobs_own_path(ws: Workspace, tmp_path: Path) -> None:
    with ws.start_job("train", artifact_path=tmp_path / "{{project}}" / "{{step}}") as job:
        job.log_artifact("a", body="a")
    assert (tmp_path / "default" / "train" / "a").read_text() == "a"
    for wrong, message in (("{{colour}}", "no such variable"), ("{{condition}}", "no value")):
        with (
            pytest.raises(CheckFailed, match=message),
            ws.start_job("train", artifact_path=wrong),
        ):
            pass
    assert len(ws.list_jobs()) == 1


def test_a_path_set_farther_out_does_not_decide_what_becomes_of_the_job(
    ws: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with ws.start_job("train", artifact_path=tmp_path / "file") as job:
        job.log_artifact("note", body="hi")
    found = ws.get_job(job.id)
    assert found.status == "finished"
    assert "'note' was not published" in found.log
    assert found.outputs["note"].load().read_text() == "hi"


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("{{color}}/{{shape}}", CheckFailed, "2 mistakes"),
        ("{{experiment}}", CheckFailed, "no value here"),
        ("../out", BadArtifactPath, "leaves its root"),
        ("", BadArtifactPath, "empty"),
        ("ftp://host/out", UnknownScheme, "ftp"),
    ],
)
def test_wrong_paths(ws: Workspace, path: str, error: type[Exception], message: str) -> None:
    with ws.start_job("train") as job, pytest.raises(error, match=message):
        job.log_artifact("a", 1, artifact_path=path)
    assert ws.list_artifacts() == []
    with ws.start_job("train") as job, pytest.raises(BadArtifactPath):
        job.artifact_subpath("..", "x")
