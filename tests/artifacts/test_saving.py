"""Saving and loading values, by hand and with no pipeline at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pytest

from findspot import (
    CheckFailed,
    Conflict,
    FindspotError,
    Handler,
    NotFound,
    Workspace,
    register_handler,
)
from findspot.core.errors import InvalidName, InvalidReference
from findspot.core.records import Preview
from findspot.core.references import parse_reference
from findspot.handlers import HandlerFailed, NoHandler, default_registry


def test_a_value_is_saved_and_loaded_as_the_next_version(space: Workspace) -> None:
    first = space.save_artifact([1, 2], "numbers")
    second = space.save_artifact([3], "numbers")
    assert (first.version, second.version) == (1, 2)
    assert space.load_artifact("numbers") == [3]
    assert space.load_artifact("numbers", 1) == [1, 2]
    assert space.load_artifact("numbers", "1") == [1, 2]
    assert space.load_artifact("numbers:1") == [1, 2]
    assert space.load_artifact("numbers", "latest") == [3]
    assert space.load_artifact(first.uri) == [1, 2]
    assert space.load_artifact(first.uid) == [1, 2]
    assert space.load_artifact(first) == [1, 2]
    assert space.load_artifact(parse_reference("store://values/default/numbers:1")) == [1, 2]
    assert first.load() == [1, 2]


def test_what_is_returned_is_what_is_found_later(space: Workspace) -> None:
    before = datetime.now(UTC)
    saved = space.save_artifact(
        np.arange(3.0),
        "samples",
        kind="dataset",
        labels={"split": "train", "fold": 3},
        tags=["golden", "best", "golden"],
        metadata={"note": "by hand", "sizes": [1, 2]},
        version="first",
        iteration=4,
    )
    found = space.get_artifact("samples")
    for name in (
        *("uid", "uri", "project", "key", "version", "version_name", "kind", "digest", "size"),
        *("handler", "python_type", "metadata", "labels", "tags", "owner", "producer", "files"),
        "preview",
    ):
        assert getattr(found, name) == getattr(saved, name), name
    assert found.kind == "dataset"
    assert found.labels == {"split": "train", "fold": "3"}
    assert found.tags == ("best", "golden")
    assert found.version_name == "first"
    assert found.metadata["note"] == "by hand"
    assert found.metadata["shape"] == [3]
    assert found.python_type == "numpy.ndarray"
    assert found.producer is None
    assert found.record.iteration == 4
    assert abs(found.created - before) < timedelta(minutes=5)
    assert found.size == sum(file.size for file in found.files)
    assert found.preview is None or len(found.preview.data) <= space.settings.preview_limit
    assert found.uri == f"store://datasets/default/samples#4:1@{found.uid}"
    assert found == saved
    assert hash(found) == hash(saved)


def test_a_batch_is_saved_whole_or_not_at_all(space: Workspace) -> None:
    saved = space.save_artifacts([({"n": n}, f"key {n % 3}") for n in range(9)], tags="batch")
    assert [v.version for v in saved] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert space.load_artifact("key 2:batch") == {"n": 8}
    with pytest.raises(NoHandler):
        space.save_artifacts([(1, "good"), (iter([]), "bad")])
    with pytest.raises(Conflict):
        space.save_artifacts([(1, "good"), (2, "good")], version="twice")
    with pytest.raises(NotFound):
        space.get_artifact("good")
    assert space.save_artifacts([]) == []


def test_equal_content_is_two_versions_of_one_digest(space: Workspace) -> None:
    first, second = space.save_artifact("x", "a"), space.save_artifact("x", "b")
    assert first.uid != second.uid
    assert first.digest == second.digest
    assert first != second


def test_versions_with_names(space: Workspace) -> None:
    space.save_artifact("one", "text", version="draft")
    space.save_artifact("two", "text")
    assert space.load_artifact("text:draft") == "one"
    with pytest.raises(Conflict, match="has a version named 'draft' already"):
        space.save_artifact("three", "text", version="draft")
    assert space.get_artifact("text").version == 2
    space.save_artifact("other", "note", version="draft")
    space.save_artifact("four", "text", tags="draft")
    assert space.load_artifact("text:draft") == "four"  # a tag wins


def test_projects_keep_their_names_apart(space: Workspace) -> None:
    space.save_artifact("mine", "text")
    space.save_artifact("theirs", "text", project="other")
    assert space.load_artifact("text") == "mine"
    assert space.load_artifact("text", project="other") == "theirs"
    assert space.load_artifact("store://artifacts/other/text") == "theirs"
    assert space.projects() == ["default", "other"]
    assert space.add_project("third")
    assert not space.add_project("third")
    assert [v.project for v in space.list_artifacts(project="other")] == ["other"]
    assert space.list_artifacts(project="third") == []
    for project in ("", "..", "a/b", "a\0"):
        with pytest.raises(InvalidName):
            space.save_artifact(1, "x", project=project)
        with pytest.raises(InvalidName):
            space.add_project(project)
    assert space.projects() == ["default", "other", "third"]


def test_iterations_are_found_by_their_number(space: Workspace) -> None:
    for iteration in (0, 1, 2):
        space.save_artifact(iteration, "loss", iteration=iteration)
    assert space.load_artifact("loss") == 2
    assert space.load_artifact("loss#1") == 1
    assert space.load_artifact("loss#0") == 0
    with pytest.raises(NotFound, match="loss#7:latest"):
        space.load_artifact("loss#7")


@pytest.mark.parametrize(
    "key", ["", "..", "a/../b", "/abs", "a\0b", "a\\b", "x" * 10_000, None, 3, "a:b", "a@b"]
)
def test_a_bad_key_changes_nothing(local: Workspace, key: Any) -> None:
    with pytest.raises(InvalidName):
        local.save_artifact("x" * 10_000, key)
    assert local.list_artifacts() == []
    assert list(local.store.list()) == []


@pytest.mark.parametrize("key", ["標本", "données/été", "عينة", "a b (copy)", "100%", "v1.2+x"])
def test_keys_of_other_alphabets(space: Workspace, key: str) -> None:
    saved = space.save_artifact({"key": key}, key, labels={key.replace("/", " "): key})
    assert space.load_artifact(key) == {"key": key}
    assert space.load_artifact(saved.uri) == {"key": key}
    assert [v.key for v in space.list_artifacts(name=key[:2] + "*")] == [key]
    assert saved.path().read_bytes()


def test_names_are_the_same_however_their_letters_were_typed(space: Workspace) -> None:
    composed, typed = "été", "e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}"
    space.save_artifact(1, typed, tags=[typed], labels={typed: "x"}, version=typed + "1")
    for name in (composed, typed):
        assert space.load_artifact(name) == 1
        assert space.load_artifact(f"{name}:{name}") == 1
        assert space.load_artifact(name, f"{name}1") == 1
        assert len(space.list_artifacts(name=name[:1] + "*" if name == composed else name)) == 1
        assert len(space.list_artifacts(tag=name)) == 1
        assert len(space.list_artifacts(labels={name: "x"})) == 1
        assert len(space.tag_history(name, name)) == 1
    space.untag(typed, typed)


def test_upper_and_lower_case_twins_are_two_artifacts(space: Workspace) -> None:
    upper = space.save_artifact(b"U" * 10_000, "Data/X")
    lower = space.save_artifact(b"l" * 10_000, "data/x")
    assert space.load_artifact("Data/X") == b"U" * 10_000
    assert space.load_artifact("data/x") == b"l" * 10_000
    assert (upper.version, lower.version) == (1, 1)
    assert upper.path() != lower.path()
    assert [v.key for v in space.list_artifacts(name="data*")] == ["data/x"]


def test_all_mistakes_in_the_options_are_listed_and_nothing_is_saved(local: Workspace) -> None:
    bad: dict[str, Any] = {
        "kind": "modell",
        "labels": {3: "a", "ok": [1], "": "x", "long": "x" * 2000},
        "tags": ["latest", "7", None],
        "metadata": {"array": np.zeros(2), "nan": float("inf"), "deep": [float("nan")], 5: 1},
        "version": "3",
        "iteration": -1,
        "handler_args": {"dtype": np.float32},
    }
    with pytest.raises(CheckFailed) as caught:
        local.save_artifact(1, "x", **bad)
    found = sorted(problem.path for problem in caught.value.problems)
    assert found == sorted(
        [
            *("kind", "labels", "labels.ok", "labels", "labels.long", "tags", "tags", "tags"),
            *("metadata.array", "metadata.nan", "metadata.deep", "metadata.5", "version"),
            *("iteration", "handler_args.dtype"),
        ]
    )
    assert "Did you mean model?" in str(caught.value)
    assert local.list_artifacts() == []


@pytest.mark.parametrize(
    "options",
    [
        {"labels": ["a"]},
        {"labels": "a"},
        {"tags": 3},
        {"metadata": [1]},
        {"iteration": 1.5},
        {"iteration": True},
        {"iteration": 10**12},
        {"kind": ["value"]},
        {"handler_args": "x"},
        {"version": ""},
    ],
)
def test_options_of_a_wrong_form_are_no_crash(local: Workspace, options: dict[str, Any]) -> None:
    with pytest.raises(CheckFailed):
        local.save_artifact(1, "x", **options)
    assert local.list_artifacts() == []


def test_a_value_that_no_handler_takes_is_not_saved(local: Workspace) -> None:
    with pytest.raises(NoHandler, match="generator"):
        local.save_artifact((n for n in range(3)), "x")
    assert local.list_artifacts() == []


def test_an_unknown_handler_is_named(local: Workspace) -> None:
    with pytest.raises(FindspotError, match="no handler 'jsn'"):
        local.save_artifact(1, "x", handler="jsn")


class Sherd:
    def __init__(self, size: int) -> None:
        self.size = size


class SherdHandler(Handler):
    name = "tests.sherd"
    types = (Sherd,)
    fails: ClassVar[str] = ""

    def save(self, value: Sherd, folder: Any, /, **args: Any) -> None:
        folder.write("first", b"x" * 10_000)
        with folder.open("size") as sink:
            sink.write(b"1" * 5_000)
            if self.fails == "save":
                raise RuntimeError("half-way")
        folder.path("scratch").write_bytes(b"y" * 10_000)
        if self.fails == "path":
            raise RuntimeError("half-way")
        folder.write("value", str(value.size + args.get("plus", 0)).encode())

    def load(self, folder: Any, /, **args: Any) -> Sherd:
        if self.fails == "load":
            raise RuntimeError("half-way")
        return Sherd(int(folder.read("value")))

    def describe(self, value: Sherd) -> dict[str, Any]:
        if self.fails == "describe":
            raise RuntimeError("half-way")
        return {"size": value.size} if self.fails != "metadata" else {"size": np.int64(3)}

    def preview(self, value: Sherd) -> Preview | None:
        if self.fails == "preview":
            raise RuntimeError("half-way")
        if self.fails == "text":
            return "no preview"  # type: ignore[return-value]
        return Preview("text/plain", b"x" * value.size)


@pytest.mark.parametrize("stage", ["save", "path", "describe", "metadata", "preview", "text"])
def test_a_handler_that_fails_half_way_leaves_nothing_recorded(
    space: Workspace, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SherdHandler, "fails", stage)
    with pytest.raises(HandlerFailed, match=r"'tests\.sherd' could not"):
        space.save_artifact(Sherd(3), "sherd", handler=SherdHandler, tags="t")
    assert space.list_artifacts() == []
    assert space.verify().sound
    monkeypatch.setattr(SherdHandler, "fails", "")
    assert space.save_artifact(Sherd(3), "sherd", handler=SherdHandler).version == 1


def test_a_handler_given_with_a_save_is_not_the_one_of_its_type_from_then_on(
    local: Workspace,
) -> None:
    class Shout(Handler):
        name = "tests.shout"
        types: ClassVar[Sequence[type | str]] = (str,)

        def save(self, value: str, folder: Any, /, **args: Any) -> None:
            folder.write("text", value.upper().encode())

        def load(self, folder: Any, /, **args: Any) -> str:
            return str(folder.read("text").decode())

    saved = local.save_artifact("quiet", "a", handler=Shout)
    assert local.save_artifact("quiet", "b").handler != "tests.shout"
    assert saved.handler == "tests.shout"
    assert local.load_artifact("a") == "QUIET"
    assert local.save_artifact("quiet", "c", handler=Shout()).load() == "QUIET"
    with pytest.raises(FindspotError, match=r"no handler 'tests\.shout'"):
        Workspace(local.url).load_artifact("a")  # where nobody told of it


def test_arguments_reach_the_handler_and_are_recorded(local: Workspace) -> None:
    saved = local.save_artifact(Sherd(3), "sherd", handler=SherdHandler, handler_args={"plus": 4})
    assert saved.load().size == 7
    assert saved.record.handler_args == {"plus": 4}


def test_a_large_preview_is_left_out(local: Workspace) -> None:
    limit = local.settings.preview_limit
    for size, kept in ((limit, True), (limit + 1, False)):
        saved = local.save_artifact(Sherd(size), "sherd", handler=SherdHandler)
        assert (saved.preview is not None) is kept
        assert (local.get_artifact("sherd").preview is not None) is kept


def test_a_registered_handler_serves_workspaces_opened_afterwards(
    local: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = default_registry().copy()
    monkeypatch.setattr("findspot.handlers.default_registry", lambda: registry)
    monkeypatch.setattr("findspot.artifacts.opening.default_registry", lambda: registry)
    assert register_handler(SherdHandler) is SherdHandler
    with Workspace(local.url) as later:
        assert later.save_artifact(Sherd(5), "sherd").handler == "tests.sherd"
        assert later.load_artifact("sherd").size == 5


def test_errors_name_the_nearest_key(space: Workspace) -> None:
    space.save_artifact(1, "samples", tags=["golden"])
    space.save_artifact(1, "reports/samples")
    with pytest.raises(NotFound) as caught:
        space.load_artifact("smaples")
    assert caught.value.near[0] == "samples"
    assert "Did you mean samples" in str(caught.value)
    for wanted in ("gloden", 2, 0, -1, 10**30, "9" * 40):
        with pytest.raises(NotFound) as missing:
            space.load_artifact("samples", wanted)
        assert "versions up to 1 (kind value); its tags: golden" in str(missing.value)
    with pytest.raises(NotFound, match="store://models/default/samples:latest"):
        space.load_artifact("store://models/default/samples")
    with pytest.raises(NotFound) as project:
        space.load_artifact("samples", project="defualt")
    assert project.value.near == ("default",)
    with pytest.raises(NotFound, match="samples"):
        space.delete_artifact("sample")


def test_a_version_cannot_be_given_twice_or_as_something_else(local: Workspace) -> None:
    local.save_artifact(1, "x")
    with pytest.raises(FindspotError, match="given twice"):
        local.load_artifact("x:1", version=1)
    for wrong in (True, 1.0, b"1"):
        with pytest.raises(FindspotError, match="is no version"):
            local.load_artifact("x", wrong)  # type: ignore[arg-type]
    for artifact in (3, None, b"x"):
        with pytest.raises(InvalidReference):
            local.load_artifact(artifact)  # type: ignore[arg-type]


def test_a_uid_must_fit_what_stands_beside_it(space: Workspace) -> None:
    first = space.save_artifact(1, "x", tags="t")
    second = space.save_artifact(2, "x", tags="t")
    assert space.load_artifact(f"x:1@{first.uid}") == 1
    assert space.load_artifact(f"x:t@{first.uid}") == 1  # a tag may have moved since
    assert space.load_artifact(f"store://values/default/x@{second.uid}") == 2
    for wrong in ("y", "x:2", "x#3", "store://values/other/x", "store://models/default/x"):
        with pytest.raises(NotFound):
            space.load_artifact(f"{wrong}@{first.uid}")
    with pytest.raises(NotFound):
        space.load_artifact(first.uid, version=2)
    assert space.load_artifact(first, version=2) == 2


def test_a_version_of_another_workspace_is_not_taken_for_one_of_this(
    local: Workspace, tmp_path: os.PathLike[str]
) -> None:
    other = Workspace(os.path.join(tmp_path, "other"))
    foreign = other.save_artifact("theirs", "x")
    local.save_artifact("mine", "x")
    with pytest.raises(NotFound):
        local.tag(foreign, "golden")
    assert local.get_artifact("x").tags == ()
    assert foreign.load() == "theirs"
    again = Workspace(local.url).get_artifact("x")
    assert local.get_artifact(again) == again


@pytest.mark.parametrize("value", [3, 2.5, True, None, np.int64(3)])
@pytest.mark.parametrize("kind", ["dataset", "table"])
def test_a_single_value_is_no_dataset(space: Workspace, value: object, kind: str) -> None:
    with pytest.raises(CheckFailed, match=f"a single value is no {kind}") as refused:
        space.save_artifact(value, "number", kind=kind)
    assert "a table, an array" in str(refused.value)
    assert list(space.list_artifacts()) == []
