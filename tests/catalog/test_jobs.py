"""Jobs, steps, events, metrics, logs, the step cache, snapshots."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from catalog_records import at, new_job, new_step, new_version, save
from findspot.catalog.errors import JobMoved, RecordExists
from findspot.catalog.protocol import Batch, Catalog
from findspot.core.digests import hash_bytes
from findspot.core.errors import NotFound
from findspot.core.ids import new_uid
from findspot.core.records import (
    Failure,
    FileEntry,
    JobInput,
    JobOutput,
    JobUpdate,
    LogLine,
    MetricPoint,
    Resource,
    Snapshot,
)


def test_a_job_comes_back_as_it_was(catalog: Catalog) -> None:
    job = new_job(
        "failed",
        experiment="compare",
        entrypoint="snapshot",
        plugins={"a": "b"},
        params={"lr": 0.1, "nan": None, "deep": [{"x": [1, "é"]}]},
        artifacts={"x": "uid"},
        options={"executor": "inline"},
        environment="blake3:e",
        seed=2**62,
        owner="ada",
        process={"pid": 12},
        labels={"a": "b"},
        parent="parent",
        started=at(1),
        ended=at(2.5),
        failure=Failure("ValueError", "no \0 good \ud800", "Traceback ..."),
    )
    catalog.write(Batch(jobs=[job]))
    assert catalog.job(job.id) == job
    assert catalog.job("other") is None
    assert catalog.projects() == ["default"]
    with pytest.raises(RecordExists):
        catalog.write(Batch(jobs=[new_job(), job]))
    assert catalog.counts()["jobs"] == 1


def test_a_job_changes_only_from_an_expected_state(catalog: Catalog) -> None:
    job = new_job("queued")
    catalog.write(Batch(jobs=[job]))
    start = JobUpdate(
        id=job.id,
        expected=("queued",),
        status="running",
        started=at(1),
        params={"lr": 1},
        artifacts={"x": "u"},
        labels={"l": "m"},
        process={"pid": 1},
        environment="e",
    )
    catalog.write(Batch(updates=[start]))
    with pytest.raises(JobMoved, match="is running, not queued") as caught:
        catalog.write(Batch(updates=[start], versions=[new_version()]))
    assert caught.value.found == "running"
    assert catalog.find_version("default", "samples") is None
    with pytest.raises(NotFound):
        catalog.write(Batch(updates=[replace(start, id="nobody")]))
    failure = Failure("E", "m", "t")
    catalog.write(
        Batch(
            updates=[
                JobUpdate(id=job.id, expected=("running", "queued"), params={"lr": 2}),
                JobUpdate(
                    id=job.id, expected=("running",), status="failed", ended=at(2), failure=failure
                ),
            ]
        )
    )
    assert catalog.job(job.id) == replace(
        job,
        status="failed",
        started=at(1),
        ended=at(2),
        failure=failure,
        params={"lr": 2},
        artifacts={"x": "u"},
        labels={"l": "m"},
        process={"pid": 1},
        environment="e",
    )


def test_labels_and_params_are_added_to_those_there_are(catalog: Catalog) -> None:
    job = new_job(params={"lr": 1, "n": [1]}, labels={"by": "me"})
    catalog.write(Batch(jobs=[job]))
    one = JobUpdate(id=job.id, expected=("running",), params={"n": 2}, labels={"a": "b"})
    other = JobUpdate(id=job.id, expected=("running",), params={"m": None}, labels={"by": "you"})
    catalog.write(Batch(updates=[one, other]))
    found = catalog.job(job.id)
    assert found is not None
    assert found.params == {"lr": 1, "n": 2, "m": None}
    assert found.labels == {"by": "you", "a": "b"}


def test_a_job_that_goes_on_has_no_failure(catalog: Catalog) -> None:
    job = new_job("failed", ended=at(1), failure=Failure("E", "m"))
    catalog.write(Batch(jobs=[job]))
    catalog.write(Batch(updates=[JobUpdate(id=job.id, expected=("failed",), status="running")]))
    found = catalog.job(job.id)
    assert found == replace(job, status="running", ended=None, failure=None)


def test_every_change_of_status_is_an_event(catalog: Catalog) -> None:
    job, other = new_job("queued"), new_job("running", project="p")
    catalog.write(Batch(jobs=[job]))
    catalog.write(Batch(jobs=[other], steps=[new_step(other.id, "x", "pending")]))
    catalog.write(
        Batch(
            steps=[new_step(job.id, "fit", "pending"), new_step(job.id, "fit", "running")],
            updates=[JobUpdate(id=job.id, expected=("queued",), status="running")],
        )
    )
    running = new_step(job.id, "fit", "running", attempt=2)
    catalog.write(Batch(steps=[running]))
    catalog.write(Batch(steps=[replace(running, status="finished")]))
    catalog.write(Batch(updates=[JobUpdate(id=job.id, expected=("running",), labels={"a": "b"})]))
    events = catalog.events()
    assert [(e.project, e.job == job.id, e.step, e.what) for e in events] == [
        ("default", True, None, "queued"),
        ("p", False, None, "running"),
        ("p", False, "x", "pending"),
        ("default", True, "fit", "pending"),
        ("default", True, "fit", "running"),
        ("default", True, None, "running"),
        ("default", True, "fit", "finished"),
    ]
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers))
    assert catalog.events(after=numbers[4]) == events[5:]
    assert catalog.events(limit=2) == events[:2]
    assert catalog.events(job=other.id) == events[1:3]
    assert catalog.events(job=other.id, after=numbers[1], limit=1) == events[2:3]


def test_a_step_is_written_again_as_a_whole(catalog: Catalog) -> None:
    job = new_job()
    first = new_step(job.id, "fit", "running", position=1, inputs={"x": "one"}, started=at(1))
    catalog.write(Batch(jobs=[job], steps=[first, new_step(job.id, "split", position=0)]))
    last = replace(
        first,
        status="failed",
        cached=True,
        key="key",
        parts={"code": "blake3:c"},
        source_job="earlier",
        params={"lr": 0.1},
        inputs={"x": "two"},
        outputs={"model": "three"},
        ended=at(2),
        attempt=3,
        failure=Failure("E", "m"),
    )
    catalog.write(Batch(steps=[last]))
    assert [step.name for step in catalog.steps(job.id)] == ["split", "fit"]
    assert catalog.steps(job.id)[1] == last
    assert catalog.steps("other") == []
    # What it was given before is no edge of a lineage any more.
    assert catalog.lineage("one", "downstream").edges == ()
    assert [edge.name for edge in catalog.lineage("two", "downstream").edges] == ["x", "model"]


def test_outputs_and_inputs_of_a_job(catalog: Catalog) -> None:
    inputs = [JobInput("job", "fit", "x", "v1"), JobInput("job", None, "y", "v2")]
    catalog.write(
        Batch(outputs=[JobOutput("job", "a", "v1"), JobOutput("job", "b", "v2")], inputs=inputs)
    )
    catalog.write(Batch(outputs=[JobOutput("job", "a", "v3")]))
    assert catalog.outputs("job") == {"a": "v3", "b": "v2"}
    assert catalog.inputs("job") == inputs
    assert catalog.outputs("other") == {}
    assert catalog.inputs("other") == []


def test_metrics_keep_every_number(catalog: Catalog) -> None:
    values = [0.1, math.inf, -math.inf, 1e-320, -0.0, 2.0**1000]
    points = [MetricPoint("job", "fit", "loss", v, i, at(i)) for i, v in enumerate(values)]
    points.append(MetricPoint("job", None, "accuracy", 0.9, None, at(0.123456)))
    catalog.write(Batch(metrics=points))
    catalog.write(Batch(metrics=[MetricPoint("job", None, "broken", math.nan, None, at(0))]))
    assert catalog.metrics("job")[:-1] == points
    assert math.isnan(catalog.metrics("job", name="broken")[0].value)
    assert catalog.metrics("job", name="accuracy") == points[-1:]
    assert catalog.metrics("other") == []


def test_log_lines_are_numbered_and_never_too_strange(catalog: Catalog) -> None:
    lines = [LogLine("job", "fit", at(i), "INFO", "print", f"Zeile {i} ✓") for i in range(5)]
    strange = LogLine("job", None, at(9), "ERROR", "stderr", "nul \0 surrogate \udcff end")
    catalog.write(Batch(log=[*lines, strange, replace(lines[0], job="other")]))
    numbered = catalog.log("job")
    assert [line for _, line in numbered[:5]] == lines
    assert numbered[5][1].text == "nul \\x00 surrogate \\udcff end"
    assert catalog.log("job", after=numbered[1][0], limit=2) == numbered[2:4]
    assert catalog.log("job", after=numbered[5][0]) == []


def test_the_cache_gives_the_newest_finished_step(catalog: Catalog) -> None:
    assert catalog.cached("key") is None
    stored = new_version("model", stored=True)
    inline = new_version("report")
    outputs = {"model": stored.record.uid, "report": inline.record.uid}
    catalog.write(
        Batch(
            jobs=[new_job(id="one"), new_job(id="two")],
            versions=[stored, inline],
            steps=[
                new_step("one", "fit", key="key", outputs={"report": inline.record.uid}),
                new_step("two", "fit", "running", key="key", outputs=outputs),
            ],
            cache=[("key", "one", "fit"), ("key", "two", "fit")],
        )
    )
    assert catalog.cached("key") is None
    logged = {"outputs": {"notes": "u"}, "labels": {"a": "b"}}
    parts = {"code": "c", "logged": logged}
    catalog.write(Batch(steps=[new_step("two", "fit", key="key", outputs=outputs, parts=parts)]))
    entry = catalog.cached("key")
    assert entry is not None
    assert (entry.key, entry.job, entry.step) == ("key", "two", "fit")
    assert entry.complete
    assert entry.in_store
    assert {name: record.uid for name, record in entry.outputs.items()} == outputs
    assert entry.logged == catalog.cached_in("two")["key"].logged == logged
    catalog.delete_version(stored.record.uid)
    entry = catalog.cached("key")
    assert entry is not None
    assert not entry.complete
    assert not entry.in_store
    assert list(entry.outputs) == ["report"]


def test_two_outputs_may_be_one_version(catalog: Catalog) -> None:
    record = save(catalog)
    catalog.write(
        Batch(
            steps=[new_step("job", "fit", outputs={"a": record.uid, "b": record.uid})],
            cache=[("key", "job", "fit")],
        )
    )
    entry = catalog.cached("key")
    assert entry is not None
    assert entry.complete
    assert set(entry.outputs) == {"a", "b"}


def new_snapshot(body: int, name: str = "tools", resource: Resource = "plugin") -> Snapshot:
    data = b"%d" % body
    return Snapshot(
        id=new_uid(),
        resource=resource,
        project="default",
        name=name,
        digest=hash_bytes(data),
        body={"n": body},
        files=(FileEntry("tools.py", hash_bytes(data), len(data), data),),
        owner="ada",
        created=at(body),
    )


def test_snapshots_are_numbered_and_equal_ones_recorded_once(catalog: Catalog) -> None:
    one, again, two, back = (new_snapshot(n) for n in (1, 1, 2, 1))
    numbers = catalog.write(Batch(snapshots=[one]))
    assert numbers == {one.id: 1}
    assert catalog.write(Batch(snapshots=[again, two, back])) == {
        again.id: 1,
        two.id: 2,
        back.id: 3,
    }
    other = new_snapshot(9, resource="entrypoint")
    assert catalog.write(Batch(snapshots=[other, new_snapshot(4, "zeta")]))[other.id] == 1
    assert catalog.snapshot(again.id) is None
    found = catalog.snapshot(two.id)
    assert found == replace(two, number=2, files=())
    assert catalog.files(two.id) == two.files
    assert [s.number for s in catalog.snapshots("plugin", "default", "tools")] == [1, 2, 3]
    newest = [(s.name, s.number) for s in catalog.snapshots("plugin", "default")]
    assert newest == [("tools", 3), ("zeta", 1)]
    assert catalog.find_snapshot("plugin", "default", "tools", 2) == found
    latest = catalog.find_snapshot("plugin", "default", "tools")
    assert latest is not None
    assert latest.id == back.id
    assert catalog.find_snapshot("plugin", "default", "none") is None
    assert catalog.find_snapshot("plugin", "other", "tools") is None
    assert catalog.check() == []


def test_jobs_are_counted_by_the_name_of_their_experiment(catalog: Catalog) -> None:
    jobs = [
        new_job(seconds=1, experiment="sweep"),
        new_job(seconds=2, experiment="trial"),
        new_job(seconds=3, experiment="sweep"),
        new_job(seconds=4),
        new_job(seconds=5, experiment="sweep", project="iris"),
    ]
    catalog.write(Batch(jobs=jobs))
    groups = catalog.job_groups(jobs[0].project)
    assert [(group.name, group.jobs) for group in groups] == [("sweep", 2), ("trial", 1)]
    assert groups[0].newest == jobs[2].created
    assert [group.jobs for group in catalog.job_groups("iris")] == [1]
    assert catalog.job_groups("nobody") == []
