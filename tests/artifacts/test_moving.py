"""Renaming and moving artifacts, and protected tags."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from findspot import Workspace, pipeline, task
from findspot.artifacts.moving import move_artifact, protect_tag, protected_tags
from findspot.core.errors import Conflict, InvalidName, NotFound


@task(name="double")
def double(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x * 2


@pipeline(name="doubling")
def doubling(x: Any) -> Any:
    return {"doubled": double(x)}


def test_everything_comes_along_and_no_byte_is_copied(local: Workspace) -> None:
    first = local.save_artifact(np.arange(5000), "old", labels={"a": "b"}, tags=["best"])
    second = local.save_artifact(np.arange(6000), "old", version="named")
    local.tag("old", "best")
    stored = {blob.digest: blob.modified for blob in local.store.list()}
    assert move_artifact(local, "old", "new/name") == 2
    assert {blob.digest: blob.modified for blob in local.store.list()} == stored
    with pytest.raises(NotFound):
        local.get_artifact("old")
    assert local.get_artifact("new/name:1").uid == first.uid
    assert local.get_artifact("new/name:best").uid == second.uid
    assert local.get_artifact("new/name", "named").uid == second.uid
    assert local.get_artifact(first.uid).labels == {"a": "b"}
    assert [event.version for event in local.tag_history("new/name", "best")] == [1, 2]
    assert [v.key for v in local.list_artifacts(labels={"a": "b"})] == ["new/name"]
    assert local.save_artifact(3, "new/name").version == 3
    assert local.catalog.check() == []


def test_to_another_project(local: Workspace) -> None:
    saved = local.save_artifact(1, "n")
    assert move_artifact(local, "n", to_project="archive") == 1
    moved = local.get_artifact("n", project="archive")
    assert moved.uid == saved.uid
    assert moved.load() == 1
    assert local.list_artifacts() == []
    assert move_artifact(local, "n", "m", project="archive", to_project="default") == 1
    assert local.get_artifact("m").uid == saved.uid


def test_lineage_and_cache_follow(local: Workspace) -> None:
    local.save_artifact(np.arange(5), "samples")
    run = doubling.options(workspace=local).run
    run(x=local.get_artifact("samples"))
    before = local.lineage("doubled").edges
    move_artifact(local, "samples", "inputs")
    move_artifact(local, "doubled", "outputs")
    assert local.lineage("outputs").edges == before
    again = run(x=local.get_artifact("inputs"))
    assert again.steps["double"].cached


def test_what_cannot_be_moved(local: Workspace) -> None:
    local.save_artifact(1, "one")
    local.save_artifact(2, "two")
    with pytest.raises(Conflict):
        move_artifact(local, "one", "two")
    with pytest.raises(NotFound, match="one"):
        move_artifact(local, "onr", "three")
    with pytest.raises(InvalidName):
        move_artifact(local, "one", "../up")
    with pytest.raises(InvalidName):
        move_artifact(local, "one", to_project="a/b")
    with pytest.raises(Conflict, match="there already"):
        move_artifact(local, "one")
    assert (local.load_artifact("one"), local.load_artifact("two")) == (1, 2)


def test_of_two_moves_at_once_one_wins(local: Workspace) -> None:
    local.save_artifact(1, "n")

    def move(name: str) -> str:
        try:
            move_artifact(local, "n", name)
        except (Conflict, NotFound):
            return ""
        return name

    with ThreadPoolExecutor(4) as pool:
        won = [name for name in pool.map(move, [f"m{i}" for i in range(8)]) if name]
    assert len(won) == 1
    assert local.load_artifact(won[0]) == 1
    assert local.catalog.keys("default") == won
    assert local.catalog.check() == []


class TestProtectedTags:
    def test_it_stays_until_the_protection_is_off(self, local: Workspace) -> None:
        local.save_artifact(1, "n", tags=["best"])
        second = local.save_artifact(2, "n")
        protect_tag(local, "n", "best")
        assert protected_tags(local, "n") == {"best"}
        with pytest.raises(Conflict, match="best"):
            local.tag(second, "best")
        with pytest.raises(Conflict):
            local.untag("n", "best")
        with pytest.raises(Conflict):
            local.save_artifact(3, "n", tags=["best"])
        with pytest.raises(Conflict):
            local.delete_version("n:1")
        assert local.load_artifact("n:best") == 1
        assert local.get_artifact("n").version == 2
        protect_tag(local, "n", "best", False)
        assert protected_tags(local, "n") == set()
        local.tag(second, "best")
        assert local.load_artifact("n:best") == 2

    def test_it_comes_along(self, local: Workspace) -> None:
        local.save_artifact(1, "n", tags=["best"])
        protect_tag(local, "n", "best")
        move_artifact(local, "n", "m")
        assert protected_tags(local, "m") == {"best"}
        local.save_artifact(2, "m")
        with pytest.raises(Conflict):
            local.tag("m", "best")

    def test_what_is_not_there(self, local: Workspace) -> None:
        local.save_artifact(1, "n", tags=["best"])
        with pytest.raises(NotFound, match="worst"):
            protect_tag(local, "n", "worst")
        with pytest.raises(NotFound):
            protect_tag(local, "m", "best")
        with pytest.raises(InvalidName):
            protect_tag(local, "n", "latest")
