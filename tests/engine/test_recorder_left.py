"""What a worker said goes to the job's process, unless it is much."""

from __future__ import annotations

from findspot import Workspace
from findspot.catalog.protocol import Batch
from findspot.core.records import JobRecord, LogLine, MetricPoint, now
from findspot.engine.recorder import Recorder


def with_job(ws: Workspace) -> str:
    record = JobRecord(id="1" * 32, project="default", name="j", status="running", created=now())
    ws.catalog.write(Batch(jobs=[record]))
    return record.id


def test_what_is_left_is_recorded_by_another(ws: Workspace) -> None:
    job = with_job(ws)
    worker = Recorder(ws.catalog)
    worker.metric(MetricPoint(job, "fit", "loss", 0.5, 1, now()))
    worker.line(LogLine(job, "fit", now(), "INFO", "stdout", "hello"))
    left = worker.leave()
    assert left is not None
    with Recorder(ws.catalog) as recorder:
        recorder.merge(left)
    assert [(p.step, p.value) for p in ws.catalog.metrics(job)] == [("fit", 0.5)]
    assert [line.text for _, line in ws.catalog.log(job)] == ["hello"]


def test_what_is_much_is_recorded_at_once(ws: Workspace) -> None:
    job = with_job(ws)
    for lines, text in ((2000, "x"), (2, "x" * 200_000)):
        before = len(list(ws.catalog.log(job)))
        worker = Recorder(ws.catalog)
        for _ in range(lines):
            worker.line(LogLine(job, "fit", now(), "INFO", "stdout", text))
        assert worker.leave() is None
        assert len(list(ws.catalog.log(job))) == before + lines


def test_nothing_said_leaves_nothing(ws: Workspace) -> None:
    assert Recorder(ws.catalog).leave() is None
