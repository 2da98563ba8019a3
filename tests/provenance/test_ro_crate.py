"""Crates that the RO-Crate library reads back."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from experiment_pieces import counted
from findspot import NotFound, Workspace, start_job
from findspot.core.errors import BlobDamaged
from findspot.provenance import FolderInUse, NotEnded, to_ro_crate
from provenance_pieces import COUNTING, Write, write_wordy


def read(folder: Path) -> Any:
    """The crate as the library has it; every file that it lists is there."""
    crate: Any = import_module("rocrate.rocrate").ROCrate(folder)
    for entity in crate.data_entities:
        if "://" not in entity.id and not entity.id.startswith("urn:"):
            assert (folder / unquote(entity.id)).exists(), entity.id
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    known = {entity["@id"] for entity in graph}
    for entity in graph:
        for name, values in entity.items():
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, dict) and not value["@id"].startswith("http"):
                    assert value["@id"] in known, (entity["@id"], name)
    return crate


def action_of(crate: Any) -> Any:
    (action,) = crate.get_by_type("CreateAction")
    return action


def test_a_pipelines_job(ws: Workspace, write: Write, tmp_path: Path) -> None:
    job = write("counting", COUNTING).count.run(text="a b", weight=2)
    path = to_ro_crate(ws, job.id, tmp_path / "crate")
    assert path.name == "ro-crate-metadata.json"
    crate = read(path.parent)
    workflow = crate.mainEntity
    assert "ComputationalWorkflow" in workflow.type
    assert workflow["name"] == "count"
    action = action_of(crate)
    assert action["instrument"] is workflow
    values = {e["name"]: e["value"] for e in action["object"] if e.type == "PropertyValue"}
    assert values == {"text": "a b", "weight": 2}
    made = {entity["identifier"][0]: entity for entity in action["result"]}
    number = job.outputs["number"]
    entity = made[number.uri]
    (file,) = number.files
    copied = (path.parent / entity.id).read_bytes()
    assert copied == (ws.store.read(file.digest) if file.inline is None else file.inline)
    assert "Completed" in json.dumps(action.properties())
    tasks = (path.parent / "workflow" / "tasks" / "counting.py").read_text()
    assert "return word.strip()" in tasks
    profiles = {e if isinstance(e, str) else e.id for e in crate.root_dataset["conformsTo"]}
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles


def test_a_yaml_entrypoint_with_its_plugin(ws: Workspace, project: Path, tmp_path: Path) -> None:
    job = ws.run(write_wordy(project, factor=2), params={"text": "one two"})
    crate = read(to_ro_crate(ws, job, tmp_path / "crate").parent)
    assert crate.mainEntity.id == "workflow/wordy.yaml"
    assert "artifact_outputs" in (tmp_path / "crate/workflow/wordy.yaml").read_text()
    assert (tmp_path / "crate/workflow/plugins/wordy/tasks.py").is_file()


def test_a_failed_script_with_folders(ws: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "many files"
    folder.mkdir()
    for name in ("a b.txt", "ü.txt"):
        (folder / name).write_text(name)
    given = ws.save_artifact(folder, "given")
    with suppress(ZeroDivisionError), start_job("failing", params={"deep": {"x": [1]}}) as job:
        ws.load_artifact("given")
        job.log_artifact("made", "text")
        _ = 1 / 0
    crate = read(to_ro_crate(ws, job.id, tmp_path / "crate").parent)
    action = action_of(crate)
    assert action["error"].startswith("ZeroDivisionError")
    (dataset,) = [entity for entity in action["object"] if entity.type == "Dataset"]
    assert given.uri in dataset["identifier"]
    names = {
        (tmp_path / "crate" / "data" / given.uid / file.path).read_text() for file in given.files
    }
    assert names == {"a b.txt", "ü.txt"}
    assert len(action["result"]) == 1


def test_only_references(ws: Workspace, write: Write, tmp_path: Path) -> None:
    job = write("counting", COUNTING).count.run(text="a b")
    crate = read(to_ro_crate(ws, job, tmp_path / "crate", contents=False).parent)
    assert not (tmp_path / "crate" / "data").exists()
    assert all(entity.id.startswith("urn:uuid:") for entity in action_of(crate)["result"])


def test_a_damaged_file_leaves_nothing_behind(ws: Workspace, tmp_path: Path) -> None:
    with start_job("damaged") as job:
        made = job.log_artifact("made", list(range(5000)))
    (entry,) = [file for file in made.files if file.inline is None]
    path = ws.store.path(entry.digest)
    assert path is not None
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    (tmp_path / "crates").mkdir()
    with pytest.raises(BlobDamaged):
        to_ro_crate(ws, job.id, tmp_path / "crates" / "crate")
    assert list((tmp_path / "crates").iterdir()) == []


def test_no_place_and_no_job(ws: Workspace, tmp_path: Path) -> None:
    with start_job("fine") as job, pytest.raises(NotEnded, match="running"):
        to_ro_crate(ws, job.id, tmp_path / "crate")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(FolderInUse, match="not empty"):
        to_ro_crate(ws, job.id, tmp_path / "used")
    with pytest.raises(NotFound):
        to_ro_crate(ws, "nothing", tmp_path / "crate")


def test_an_experiments_job(ws: Workspace, tmp_path: Path) -> None:
    result = counted(tmp_path, replicates=2).run()
    path = to_ro_crate(ws, result.job, tmp_path / "crate")
    crate = read(path.parent)
    made = {entity["identifier"][0] for entity in action_of(crate)["result"]}
    versions = [v for c in result.artifacts["save/data.json"].values() for v in c.values()]
    assert {version.uri for version in versions} <= made
