"""Events that OpenLineage's own classes take, and give back as they were."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiment_pieces import counted
from findspot import Workspace, start_job
from findspot.provenance import to_openlineage
from provenance_pieces import COUNTING, Write


def validated(event: dict[str, Any]) -> dict[str, Any]:
    """The event read into OpenLineage's classes and written by them again."""
    from openlineage.client import event_v2, facet_v2
    from openlineage.client.serde import Serde

    standard = {
        "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
        "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
        "jobType": facet_v2.job_type_job.JobTypeJobFacet,
        "sourceCode": facet_v2.source_code_job.SourceCodeJobFacet,
        "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
        "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet,
    }

    def facets(found: dict[str, Any]) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for name, facet in found.items():
            facts = {key: value for key, value in facet.items() if not key.startswith("_")}
            if name == "parent":
                parent = facet_v2.parent_run
                read[name] = parent.ParentRunFacet(
                    run=parent.Run(**facts["run"]), job=parent.Job(**facts["job"])
                )
            elif name in standard:
                read[name] = standard[name](**facts)
            else:
                assert name.startswith("findspot_")
                continue
            assert facet["_schemaURL"] == read[name]._get_schema()
        return read

    def datasets(found: list[dict[str, Any]], kind: Any) -> list[Any]:
        return [
            kind(namespace=d["namespace"], name=d["name"], facets=facets(d["facets"]))
            for d in found
        ]

    run, job = event["run"], event["job"]
    read = event_v2.RunEvent(
        eventType=event_v2.RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=event_v2.Run(runId=run["runId"], facets=facets(run["facets"])),
        job=event_v2.Job(job["namespace"], job["name"], facets=facets(job["facets"])),
        inputs=datasets(event["inputs"], event_v2.InputDataset),
        outputs=datasets(event["outputs"], event_v2.OutputDataset),
        producer=event["producer"],
    )
    written: dict[str, Any] = json.loads(Serde.to_json(read))
    assert written["schemaURL"] == event["schemaURL"]
    return written


def without_producers(found: Any) -> Any:
    if isinstance(found, dict):
        return {
            name: without_producers(value)
            for name, value in found.items()
            if name != "_producer" and not name.startswith("findspot_") and value != {}
        }
    return [without_producers(item) for item in found] if isinstance(found, list) else found


def test_a_finished_job_and_its_steps(ws: Workspace, write: Write) -> None:
    job = write("counting", COUNTING).count.run(text="a b", weight=2)
    events = to_openlineage(ws, job.id)
    assert to_openlineage(ws, job) == events
    json.dumps(events, allow_nan=False)
    for event in events:
        assert without_producers(validated(event)) == without_producers(event)
    assert [event["eventType"] for event in events] == [
        *("START", "START", "COMPLETE", "START", "COMPLETE", "COMPLETE")
    ]
    names = [event["job"]["name"] for event in events]
    assert names == ["count", *["count.words"] * 2, *["count.weigh"] * 2, "count"]
    first, last = events[0], events[-1]
    assert first["run"]["runId"] == last["run"]["runId"] == job.id
    made = {output["name"]: output for output in last["outputs"]}
    number = job.outputs["number"]
    facet = made[f"default/{number.key}"]["facets"]["findspot_version"]
    assert (facet["uid"], facet["digest"]) == (number.uid, number.digest)
    words = events[2]["outputs"][0]
    assert words["name"] in {input["name"] for input in events[3]["inputs"]}
    assert events[1]["run"]["facets"]["parent"]["run"]["runId"] == job.id
    metrics = last["run"]["facets"]["findspot_job"]["metrics"]
    assert metrics == [{"name": "words", "value": 2.0, "step": "words", "at": None}]


def test_a_failed_script_with_an_input_and_a_nan(ws: Workspace) -> None:
    version = ws.save_artifact([1, 2], "numbers")
    with suppress(ZeroDivisionError), start_job("failing", params={"most": math.inf}) as job:
        ws.load_artifact("numbers")
        job.log_metric("loss", math.nan)
        _ = 1 / 0
    start, fail = to_openlineage(ws, job.id)
    json.dumps(fail, allow_nan=False)
    assert without_producers(validated(fail)) == without_producers(fail)
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    error = fail["run"]["facets"]["errorMessage"]
    assert error["message"].startswith("ZeroDivisionError")
    assert "Traceback" in error["stackTrace"]
    (given,) = fail["inputs"]
    assert given["facets"]["findspot_version"]["uid"] == version.uid


def test_a_function_with_a_source(ws: Workspace, write: Write, tmp_path: Any) -> None:
    (tmp_path / "table.csv").write_bytes(b"a,b\n")
    source = """
    from findspot import DataItem
    def size(table: DataItem) -> int:
        return len(table.get())
    """
    job = ws.run_function(
        write("sizing", source).size, inputs={"table": str(tmp_path / "table.csv")}
    )
    last = to_openlineage(ws, job, steps=False)[-1]
    assert without_producers(validated(last)) == without_producers(last)
    assert "def size" in last["job"]["facets"]["sourceCode"]["sourceCode"]
    (read,) = last["inputs"]
    assert read["namespace"] == "file"
    assert read["name"].endswith("table.csv")
    assert read["facets"]["findspot_source"]["size"] == 4


def test_an_experiments_cells_are_runs_below_that_of_its_job(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "fail-double-1").touch()
    result = counted(tmp_path, replicates=2).run()
    events = to_openlineage(ws, result.job)
    for event in events:
        assert without_producers(validated(event)) == without_producers(event)
    ends = {e["job"]["name"]: e["eventType"] for e in events if e["eventType"] != "START"}
    cells = {name.split(".", 1)[-1]: end for name, end in ends.items() if "/" in name}
    assert sorted(cells.values()) == ["COMPLETE"] * 5 + ["FAIL"]
    made = [d["name"] for e in events for d in e["outputs"]]
    assert any("double/0/save/data.json" in name for name in made)
