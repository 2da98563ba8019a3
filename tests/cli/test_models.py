"""`findspot model ...`"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commands import Command
from findspot import Workspace


@pytest.fixture
def model(workspace: Path) -> Workspace:
    """A workspace with a model that knows its columns, and the table that it was trained on."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    table = pd.DataFrame({"x": range(40), "y": [0, 1] * 20, "label": [n > 19 for n in range(40)]})
    features = table[["x", "y"]]
    table.to_csv(workspace / "points.csv", index=False)
    (workspace / "notes.txt").write_text("Bring a hat.")
    ws = Workspace(workspace)
    with ws.start_job("train") as job:
        data = job.log_dataset("points", table, label_column="label")
        job.log_model(
            "classifier",
            value=LogisticRegression(C=1.0).fit(features, table["label"]),
            inputs=features,
            metrics={"accuracy": 1.0},
            parameters={"C": 1.0},
            training_set=data,
            labels={"team": "demo"},
        )
    return ws


@pytest.mark.slow
def test_a_model_is_shown(model: Workspace, findspot: Command) -> None:
    document = findspot("model", "show", "classifier", "--json").document()
    assert document["framework"] == "sklearn"
    assert [column["name"] for column in document["inputs"]] == ["x", "y"]
    assert (document["metrics"], document["parameters"]) == ({"accuracy": 1.0}, {"C": 1.0})
    assert document["training_set"]["uri"] == model.get_artifact("points").uri
    assert (document["labels"], document["updates"]) == ({"team": "demo"}, [])
    assert [file["size"] > 0 for file in document["files"]] == [True]
    shown = findspot("model", "show", "classifier:1").out
    for text in ("sklearn", "x: integer, y: integer", "accuracy=1.0", "training set", "team=demo"):
        assert text in shown
    assert findspot("model", "show", "nothing").code == 3
    wrong = findspot("model", "show", "points")
    assert (wrong.code, "of kind dataset, not a model" in wrong.err) == (2, True)


def test_statistics_are_shown_in_a_line_for_each_column(
    model: Workspace, findspot: Command
) -> None:
    import pandas as pd

    with model.start_job("read") as job:
        job.log_dataset(
            "mixed",
            pd.DataFrame(
                {
                    "text": ["a", "b" * 90, "a", None],
                    "time": pd.to_datetime(pd.Series(["2026-01-01", "2026-01-02", None, None])),
                    "flag": [True, False, True, True],
                    "lists": [[1], [2], [3], [4]],
                }
            ),
        )
    shown = findspot("artifact", "show", "mixed").out
    for line in (
        rf"text +text +1 +2 distinct: a \(2\), {'b' * 20} \(1\)",
        r"time +time +2 +2026-01-01T00:00:00 to 2026-01-02T00:00:00",
        r"flag +boolean +0 +3 true, 1 false",
        r"lists +list\S* int64> +0$",
    ):
        assert re.search(rf"(?m)^ *{line}", shown), line
    shown = findspot("artifact", "show", "classifier").out
    assert re.search(r"(?m)^ *x +integer +0 +0 to 39, mean 19.5, std 11.69", shown)
    assert "histogram" not in shown
    whole = findspot("artifact", "show", "classifier", "--json").document()["fields"]
    assert "histogram" in whole["feature_statistics"]["x"]


@pytest.mark.slow
def test_a_model_is_updated(model: Workspace, findspot: Command) -> None:
    before = model.get_artifact("classifier")
    document = findspot(
        *("model", "update", "classifier", "-m", "accuracy=0.9", "-p", "lr=0.1", "-p", "how=fast"),
        *("--label", "stage=trial", "--label", "team=", "--extra", "notes=./notes.txt"),
        *("--extra", "data=points", "--extra", "page=https://example.org/card"),
        *("--prefix", "validation-", "--json"),
    ).document()
    assert document["metrics"] == {"accuracy": 1.0, "validation-accuracy": 0.9}
    assert document["parameters"] == {"C": 1.0, "lr": 0.1, "how": "fast"}
    assert document["labels"] == {"stage": "trial"}
    extra = document["extra_data"]
    assert set(extra) == {"validation-notes", "validation-data", "validation-page"}
    assert extra["validation-data"] == model.get_artifact("points").uri
    assert model.load_artifact(extra["validation-notes"]).read_text() == "Bring a hat."
    assert len(document["updates"]) == 1
    assert model.get_artifact("classifier").digest == before.digest
    assert "updates" in findspot("model", "update", "classifier", "-m", "f1=0.5").out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Nothing is to be added"),
        (["-m", "accuracy=high"], 2, "no number"),
        (["-m", "accuracy"], 2, "name=value"),
        (["-m", "accuracy=nan"], 2, "metrics"),
        (["--extra", "chart=nothing"], 3, "nothing"),
        (["--extra", "a b/../c=points"], 2, "extra"),
        (["--extra", "notes=./nothing.txt"], 2, "no file"),
    ],
)
def test_updates_that_are_wrong_change_nothing(
    model: Workspace, findspot: Command, arguments: list[str], code: int, message: str
) -> None:
    before = model.catalog.counts()
    done = findspot("model", "update", "classifier", "--label", "a=b", *arguments[:2])
    if not arguments:
        done = findspot("model", "update", "classifier")
    assert (done.code, message in done.err) == (code, True), done.err
    if arguments:
        assert model.catalog.counts() == before
        assert model.get_artifact("classifier").labels == {"team": "demo"}


@pytest.mark.slow
def test_a_model_is_evaluated(model: Workspace, findspot: Command) -> None:
    report = findspot(
        "model", "evaluate", "classifier", "points", "--no-importance", "--json"
    ).document()
    assert report["metrics"]["validation-accuracy"] == 1.0
    assert model.get_job(report["job"]).status == "finished"
    shown = findspot("model", "show", "classifier", "--json").document()
    assert shown["metrics"]["validation-accuracy"] == 1.0
    assert (
        shown["extra_data"].items()
        >= {f"validation-{name}": uri for name, uri in report["extra_data"].items()}.items()
    )
    done = findspot(
        *("model", "evaluate", "classifier", "points.csv", "--target", "label"),
        *("--prefix", "file-", "--no-importance"),
    )
    assert "file-accuracy" in done.out
    assert "confusion-matrix ->" in done.out
    wrong = findspot("model", "evaluate", "classifier", "points.csv", "--target", "kind")
    assert (wrong.code, "no column kind" in wrong.err) == (2, True)
