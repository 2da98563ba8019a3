"""A workspace's versions compared, signed, sent, kept and collected, by its methods alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from findspot import Conflict, Workspace
from findspot.artifacts.retention import RetentionRule
from findspot.artifacts.signing import generate_key
from findspot.core.records import now


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "here")


def test_two_versions_are_compared_renamed_and_linked(ws: Workspace) -> None:
    a = ws.save_artifact({"depth": 3}, "settings")
    b = ws.save_artifact({"depth": 5}, "settings")
    assert "depth" in ws.diff(a, b).render()
    assert ws.move_artifact("settings", "choices") == 2
    assert ws.get_artifact("choices").uid == b.uid
    ws.link("choices", "before", a)
    assert ws.links("choices")["before"].target == a.uid


def test_a_protected_tag_is_moved_only_by_force(ws: Workspace) -> None:
    for value in (1, 2):
        ws.save_artifact(value, "model")
    ws.tag("model", "production", version=1)
    ws.protect_tag("model", "production")
    with pytest.raises(Conflict):
        ws.tag("model", "production", version=2)
    with pytest.raises(Conflict):
        ws.delete_version("model:1")
    assert ws.tag("model", "production", version=2, force=True).version == 2
    assert ws.delete_version("model:1", force=True)


def test_versions_travel_with_signatures_and_in_one_file(ws: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "there")
    version = ws.save_artifact({"x": [1, 2, 3]}, "data")
    public = generate_key(tmp_path / "key")
    ws.sign(version, tmp_path / "key")
    (check,) = ws.verify_signatures(version, [public])
    assert check.status == "valid"
    assert ws.push(other, ["data"])
    assert not ws.push(other, ["data"])
    assert other.load_artifact("data") == {"x": [1, 2, 3]}
    assert other.get_artifact("data").uid == version.uid
    file = ws.export_bundle(["data"], tmp_path / "data.findspot")
    third = Workspace(tmp_path / "third")
    assert third.import_bundle(file)
    assert third.load_artifact("data") == {"x": [1, 2, 3]}


def test_old_versions_go_and_what_is_needed_stays(ws: Workspace) -> None:
    for n in range(5):
        ws.save_artifact(bytes([n]) * 10_000, "blob", tags=["kept"] if n == 0 else ())
    rules = [RetentionRule(keep_last=2)]
    plan = ws.plan_collection(rules)
    assert len(plan.going) == 2
    assert ws.collect(rules).dry_run
    assert len(ws.list_artifacts(name="blob")) == 5
    ws.collect(rules, dry_run=False)
    assert [v.version for v in ws.list_artifacts(name="blob")] == [5, 4, 1]
    ws.collect(rules, dry_run=False, now=now() + timedelta(days=30))
    assert all(v.load() for v in ws.list_artifacts(name="blob"))
    assert ws.verify().sound
