"""Making a version again in a new virtual environment, from packages in a folder: nothing is asked
of a package index."""

from __future__ import annotations

import json
import os
import re
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from findspot import Workspace
from findspot.catalog.protocol import Batch
from findspot.core.digests import hash_bytes
from findspot.core.records import JobUpdate
from findspot.engine.jobs import Job
from findspot.provenance import reproduce
from provenance_pieces import COUNTING, Write

pytestmark = pytest.mark.slow


def needed() -> dict[str, Distribution]:
    """What Findspot itself needs, as it is installed here."""
    found: dict[str, Distribution] = {}
    waiting = list(distribution("findspot").requires or ())
    while waiting:
        requirement = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found or not _applies(requirement):
            continue
        found[name] = distribution(name)
        waiting += found[name].requires or ()
    return found


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def pack(package: Distribution, folder: Path) -> None:
    """An installed package as a wheel."""
    tags = re.findall(r"^Tag: (\S+)$", package.read_text("WHEEL") or "", re.MULTILINE)
    name = re.sub(r"[-_.]+", "_", package.metadata["Name"])
    with zipfile.ZipFile(folder / f"{name}-{package.version}-{tags[-1]}.whl", "w") as wheel:
        rows = []
        for file in package.files or ():
            path = file.as_posix()
            if path.startswith("..") or path.endswith((".pyc", "/INSTALLER", "/REQUESTED")):
                continue
            if path.endswith(".dist-info/RECORD"):
                record = path
                continue
            wheel.write(str(file.locate()), path)
            rows.append(f"{path},,")
        wheel.writestr(record, "\n".join([*rows, f"{record},,", ""]))


@pytest.fixture
def only_local_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and from nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def recorded_with(ws: Workspace, job: Job, packages: dict[str, str]) -> None:
    """Let the record say that the job ran with these packages."""
    document: dict[str, Any] = {**job.environment, "packages": packages}
    data = json.dumps(document).encode()
    digest = hash_bytes(data)
    update = JobUpdate(id=job.id, expected=("finished",), environment=digest)
    ws.catalog.write(Batch(documents={digest: data}, updates=[update]))


def test_it_runs_with_the_recorded_packages(
    ws: Workspace, write: Write, only_local_wheels: Path, tmp_path: Path
) -> None:
    job = write("counting", COUNTING).count.run(text="a b")
    packages = needed()
    for package in packages.values():
        pack(package, only_local_wheels)
    versions = {name: package.version for name, package in packages.items()}
    recorded_with(ws, job, {**versions, "findspot": "0.0.7"})
    found = reproduce(ws, job.outputs["number"], fresh_environment=True, folder=tmp_path / "again")
    assert found.outcome == "identical", found.render()
    assert found.to_json()["folder"] == str(tmp_path / "again")
    assert (tmp_path / "again" / "environment" / "pyvenv.cfg").is_file()
    changed = {change.path for change in found.environment if "packages" in change.path}
    assert not {path for path in changed if path.removeprefix("$.packages.") in versions}


def test_a_version_that_cannot_be_had_is_reported(
    ws: Workspace, write: Write, only_local_wheels: Path
) -> None:
    assert list(only_local_wheels.iterdir()) == []
    job = write("counting", COUNTING).count.run(text="a b")
    recorded_with(ws, job, {"no-such-package": "9.9"})
    found = reproduce(ws, job.outputs["number"], fresh_environment=True)
    assert found.outcome == "failed"
    assert "no-such-package==9.9 cannot be had" in found.failure
    assert "cannot be had" in found.render()
