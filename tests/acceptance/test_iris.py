"""The iris example: models with all that belongs to them, data behind URLs, external artifacts;
with the blobs in local files and in a bucket."""

from __future__ import annotations

import json
import runpy
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from findspot import Workspace
from findspot.models import described, extra_data_of
from object_storage import s3_bucket, s3_server

pytestmark = pytest.mark.slow
__all__ = ["s3_bucket", "s3_server"]


@pytest.fixture(params=["files", "bucket"])
def blobs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the bytes are; the environment says so to every process."""
    if request.param == "bucket":
        url: str = request.getfixturevalue("s3_bucket")
        monkeypatch.setenv("FINDSPOT_STORE", url)
    return str(request.param)


@pytest.fixture
def served(folder: Path) -> Iterator[str]:
    """The URL of a folder with the test set."""
    script = runpy.run_path(str(folder / "examples/iris/write_test_set.py"))
    script["write"](folder / "data")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "data")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_model_is_trained_logged_tested_and_described(
    folder: Path, findspot: Callable[..., str], blobs: str, served: str
) -> None:
    trained = json.loads(findspot("run", "examples/iris/train_iris.py:train_iris", "--json"))
    assert trained["status"] == "finished", trained["failure"]
    ws = Workspace()
    model = ws.get_artifact("iris_model")
    assert model.kind == "model"
    assert model.labels["class"] == "sklearn.linear_model.LogisticRegression"
    assert model.metadata["metrics"]["accuracy"] > 0.9
    extra = extra_data_of(ws, model)
    assert any("confusion" in name for name in extra)
    dataset = ws.get_artifact("iris")
    assert dataset.kind == "dataset"
    assert "scatter" in extra_data_of(ws, dataset)
    assert ws.store.url.startswith("s3://" if blobs == "bucket" else "file://")

    tested = json.loads(
        findspot(
            "run",
            "examples/iris/test_model.py:test_model",
            "-p",
            "label_column=label",
            "-i",
            "model=iris_model:latest",
            "-i",
            f"test_set={served}/iris_test.csv",
            "--json",
        )
    )
    assert tested["status"] == "finished", tested["failure"]
    (source,) = ws.catalog.sources(tested["id"])
    assert source.url == f"{served}/iris_test.csv"
    now_known = described(ws, ws.get_artifact("iris_model")).to_metadata()
    assert now_known["metrics"]["validation-accuracy"] > 0.9
    assert ws.get_artifact("iris_model").digest == model.digest


def test_the_preprocessing_of_the_training_is_used_on_new_data(
    folder: Path, findspot: Callable[..., str], blobs: str
) -> None:
    target = "examples/iris/batch_inference.py"
    training = json.loads(findspot("run", f"{target}:training", "--json"))
    assert training["status"] == "finished", training["failure"]
    inference = json.loads(findspot("run", f"{target}:batch_inference", "--json"))
    assert inference["status"] == "finished", inference["failure"]
    ws = Workspace()
    predictions = ws.get_artifact("predictions")
    assert len(predictions.load()) == 60
    assert set(predictions.lineage().jobs) == {training["id"], inference["id"]}
    used = predictions.lineage().versions
    assert ws.get_artifact("preprocess_pipeline").uid in used
    assert inference["metrics"]["largest_drift"] < 1
