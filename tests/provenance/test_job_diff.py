"""What differs between two jobs, and between two experiments."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from findspot import NotFound, Workspace, start_job
from findspot.catalog.protocol import Batch
from findspot.core.digests import hash_bytes
from findspot.core.records import JobUpdate
from findspot.provenance import JobDiff, diff_experiments, diff_jobs
from provenance_pieces import COUNTING, Write, write_wordy


def of(diff: JobDiff, part: str) -> dict[str, Any]:
    return {c.path.removeprefix("$."): (c.before, c.after) for c in getattr(diff, part)}


@pytest.fixture
def counting(write: Write) -> ModuleType:
    return write("counting", COUNTING)


def test_two_equal_jobs_differ_in_nothing_but_time(ws: Workspace, counting: ModuleType) -> None:
    first, second = (counting.count.run(text="a b", cache=False) for _ in range(2))
    diff = diff_jobs(ws, first, second)
    assert not diff
    assert diff.equal_outputs == ("number",)
    assert "Nothing differs" in diff.render()
    assert {d.step for d in diff.durations} == {"", "words", "weigh"}


def test_parameters_inputs_metrics_and_outputs(ws: Workspace, counting: ModuleType) -> None:
    first = counting.count.run(text="a b", weight=2, labels={"by": "me"})
    second = counting.count.run(text="a b c", weight=2, seed=3)
    diff = diff_jobs(ws, first.id, second.id[-12:])
    assert of(diff, "params") == {"text": ("a b", "a b c")}
    assert of(diff, "options") == {"seed": (None, 3)}
    assert of(diff, "record") == {"labels.by": ("me", None)}
    (metric,) = diff.metrics
    assert (metric.name, metric.before, metric.after, metric.difference) == ("words", 2, 3, 1)
    assert list(of(diff, "outputs")) == ["number"]
    assert diff.code == ()
    text = diff.render()
    assert "~ text: a b -> a b c" in text
    assert "~ words: 2 -> 3 (+1)" in text
    assert json.loads(json.dumps(diff.to_json()))["metrics"][0]["difference"] == 1


def test_edited_code_is_shown_function_by_function(ws: Workspace, write: Write) -> None:
    first = write("counting", COUNTING).count.run(text="a b")
    edited = COUNTING.replace("return word.strip()", "return word.strip().lower()")
    second = write("counting", edited).count.run(text="a b")
    diff = diff_jobs(ws, first, second)
    (code,) = diff.code
    assert code.step == "words"
    (change,) = code.changes
    assert (change.name, change.what) == ("counting:clean", "changed")
    assert "+    return word.strip().lower()" in change.diff
    assert "step words, counting:clean: changed" in diff.render()


def test_a_yaml_entrypoint_and_its_plugins(ws: Workspace, project: Path) -> None:
    file = write_wordy(project, factor=1)
    first = ws.run(file, params={"text": "two words"})
    write_wordy(project, factor=3)
    file.write_text(file.read_text().replace("number:", "count_of_words:"))
    second = ws.run(file, params={"text": "two words"})
    diff = diff_jobs(ws, first, second)
    changes = {c.name: c for code in diff.code if code.step == "" for c in code.changes}
    assert "+  count_of_words:" in changes["wordy.yaml"].diff
    assert "factor: int = 3" in changes["wordy/tasks.py"].diff
    assert {code.step for code in diff.code} == {"", "count"}
    assert set(of(diff, "outputs")) == {"number", "count_of_words"}


def test_another_version_and_another_source(ws: Workspace, write: Write, tmp_path: Path) -> None:
    module = write(
        "reading",
        """
        from findspot import DataItem

        def read(numbers: list, table: DataItem, scale: int = 1) -> int:
            return scale * sum(numbers) + len(table.get())
        """,
    )
    jobs = []
    for content in ([1, 2], [3]):
        ws.save_artifact(content, "numbers")
        (tmp_path / "table.csv").write_bytes(b"x" * len(content))
        inputs = {"numbers": "numbers", "table": str(tmp_path / "table.csv")}
        jobs.append(ws.run_function(module.read, inputs=inputs))
    assert [job.status for job in jobs] == ["finished", "finished"]
    diff = diff_jobs(ws, *jobs)
    assert "numbers.digest" in of(diff, "inputs")
    versions = of(diff, "inputs")["numbers.version"]
    assert [text.partition("numbers:")[2][:1] for text in versions] == ["1", "2"]
    assert of(diff, "sources")["table.size"] == (2, 1)
    assert "table.digest" in of(diff, "sources")


def test_the_edited_file_of_a_function(ws: Workspace, write: Write) -> None:
    source = "def double(x: int) -> int:\n    return 2 * x\n"
    first = ws.run_function(write("doubling", source).double, params={"x": 1})
    second = ws.run_function(
        write("doubling", source.replace("2 *", "x +")).double, params={"x": 1}
    )
    (code,) = diff_jobs(ws, first, second).code
    assert code.step == ""
    assert code.changes[0].name == "doubling:double"
    assert "+    return x + x" in code.changes[0].diff


def test_another_environment(
    ws: Workspace, counting: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # clusters set it for the whole process
    first, second = (counting.count.run(text="a", cache=False) for _ in range(2))
    document = dict(second.environment)
    document["packages"] = {**document["packages"], "blake3": "0.0.1"}
    document["variables"] = {**document["variables"], "OMP_NUM_THREADS": "7"}
    document["git"] = {"commit": "c0ffee", "dirty": True}
    data = json.dumps(document).encode()
    digest = hash_bytes(data)
    update = JobUpdate(id=second.id, expected=("finished",), environment=digest)
    ws.catalog.write(Batch(documents={digest: data}, updates=[update]))
    found = of(diff_jobs(ws, first.id, second.id), "environment")
    assert found["packages.blake3"][1] == "0.0.1"
    assert found["variables.OMP_NUM_THREADS"] == (None, "7")
    assert any(path.startswith("git") for path in found)


def test_a_failed_job_and_a_nan(ws: Workspace) -> None:
    with start_job("measure") as first:
        first.log_metric("loss", math.nan)
    with suppress(ZeroDivisionError), start_job("measure") as second:
        second.log_metric("loss", math.nan)
        _ = 1 / 0
    diff = diff_jobs(ws, first.id, second.id)
    assert of(diff, "record")["status"] == ("finished", "failed")
    assert "ZeroDivisionError" in of(diff, "record")["failure"][1]
    assert diff.metrics == ()


def test_control_characters_are_shown_not_obeyed(ws: Workspace, counting: ModuleType) -> None:
    jobs = [counting.count.run(text=text) for text in ("a", "\x1b[2J b")]
    assert "\x1b" not in diff_jobs(ws, *jobs).render()


def test_there_is_no_such_job(ws: Workspace) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        diff_jobs(ws, "nowhere", "nowhere")


def test_two_experiments_by_their_newest_finished_jobs(ws: Workspace, counting: ModuleType) -> None:
    counting.count.run(text="old", experiment="one")
    counting.count.run(text="a b", experiment="one")
    counting.count.run(text="a b c", experiment="two")
    with start_job("extra", experiment="two"):
        pass
    with start_job("one", experiment="one", params={"lr": 1}):
        pass
    with start_job("two", experiment="two", params={"lr": 2}):
        pass
    diff = diff_experiments(ws, "one", "two")
    assert set(diff.jobs) == {"count", "two"}
    assert of(diff.jobs["count"], "params") == {"text": ("a b", "a b c")}
    assert of(diff.jobs["two"], "params") == {"lr": (1, 2)}
    assert (diff.only_before, diff.only_after) == ((), ("extra",))
    assert "+ extra: only in two" in diff.render()
    assert diff.to_json()["only_after"] == ["extra"]
    with pytest.raises(NotFound, match="three"):
        diff_experiments(ws, "one", "three")
