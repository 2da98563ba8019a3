"""What another catalog claims is not believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from findspot import Workspace
from findspot.artifacts.arrival import UnsoundRecord, record
from findspot.artifacts.exchange import Shipment, collect
from findspot.catalog.protocol import NewVersion
from findspot.core.digests import hash_bytes
from findspot.core.records import FileEntry, manifest_digest
from two_workspaces import everything


@pytest.fixture
def shipment(one: Workspace, tmp_path: Path) -> Shipment:
    plugin = tmp_path / "keeper"
    plugin.mkdir()
    (plugin / "tasks.py").write_text(
        "from findspot.plugins import register\n@register\ndef make() -> int:\n    return 1\n"
    )
    (tmp_path / "g.yaml").write_text(
        "plugins: [keeper]\ngraph:\n  s: {task: make}\nartifact_outputs:\n  made: {contents: $s}\n"
    )
    one.run(tmp_path / "g.yaml")
    return collect(one, [one.get_artifact("made").record], "full")


def refused(two: Workspace, shipment: Shipment) -> None:
    before = everything(two)
    with pytest.raises(UnsoundRecord):
        record(two, shipment, refresh=True)
    assert everything(two) == before


def test_files_of_a_version(two: Workspace, shipment: Shipment) -> None:
    new = shipment.versions[0]
    forged = replace(new.files[0], digest=hash_bytes(b"other"))
    shipment.versions[0] = NewVersion(new.record, (forged,))
    refused(two, shipment)


@pytest.mark.parametrize(
    "change",
    [{"key": "../up"}, {"project": "a/b"}, {"kind": "thing"}, {"tags": ("latest",)}],
    ids=lambda change: next(iter(change)),
)
def test_names(two: Workspace, shipment: Shipment, change: dict[str, Any]) -> None:
    new = shipment.versions[0]
    shipment.versions[0] = NewVersion(replace(new.record, **change), new.files)
    refused(two, shipment)


def test_paths_of_files(two: Workspace, shipment: Shipment) -> None:
    new = shipment.versions[0]
    files = (replace(new.files[0], path="../../evil"),)
    digest = manifest_digest(files, new.record.handler)
    shipment.versions[0] = NewVersion(replace(new.record, digest=digest), files)
    refused(two, shipment)


def test_files_of_a_plugin(two: Workspace, shipment: Shipment) -> None:
    """Otherwise who registers the right files later would be given these."""
    for i, snapshot in enumerate(shipment.snapshots):
        if snapshot.resource == "plugin":
            data = b"print('evil')"
            file = FileEntry("tasks.py", hash_bytes(data), len(data), data)
            shipment.snapshots[i] = replace(snapshot, files=(file,))
    refused(two, shipment)


def test_the_graph_of_an_entrypoint(two: Workspace, shipment: Shipment) -> None:
    for i, snapshot in enumerate(shipment.snapshots):
        if snapshot.resource == "entrypoint":
            shipment.snapshots[i] = replace(snapshot, body={"evil": True})
    refused(two, shipment)


def test_documents(two: Workspace, shipment: Shipment) -> None:
    shipment.documents = dict.fromkeys(shipment.documents, b"{}")
    refused(two, shipment)


def test_sound_ones_arrive_and_plugins_stay_apart(
    one: Workspace, two: Workspace, shipment: Shipment, tmp_path: Path
) -> None:
    record(two, shipment, refresh=True)
    assert two.plugins() == []
    mine = two.add_plugin(tmp_path / "keeper")
    assert mine.id != one.get_plugin("keeper").id
