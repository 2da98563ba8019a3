"""Lists and searches, tags, labels, deletions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pytest

from findspot import CheckFailed, Conflict, FindspotError, NotFound, Workspace
from findspot.artifacts.location import NoWorkspace
from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import InvalidName


def names(listing: list[ArtifactVersion]) -> list[str]:
    return [f"{v.key}:{v.version}" for v in listing]


def fill(space: Workspace) -> Workspace:
    space.save_artifact([1], "samples", kind="dataset", labels={"split": "train", "fold": 1})
    space.save_artifact([2], "samples", kind="dataset", labels={"split": "test"}, tags="golden")
    space.save_artifact([3], "sample-sizes", labels={"split": "train"})
    space.save_artifact("text", "reports/samples", tags=["golden", "final"])
    space.save_artifact([4], "samples", project="other")
    return space


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Only for reading: shared by the tests of this file."""
    with Workspace(tmp_path_factory.mktemp("filled")) as space:
        yield fill(space)


SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["reports/samples:1", "sample-sizes:1", "samples:2", "samples:1"]),
    ({"kind": "dataset"}, ["samples:2", "samples:1"]),
    ({"kind": "model"}, []),
    ({"name": "samples"}, ["samples:2", "samples:1"]),
    ({"name": "sam*"}, ["sample-sizes:1", "samples:2", "samples:1"]),
    ({"name": "*samples"}, ["reports/samples:1", "samples:2", "samples:1"]),
    ({"name": "sample?"}, ["samples:2", "samples:1"]),
    ({"name": "SAM*"}, []),
    ({"name": "sam%"}, []),
    ({"name": "[rs]*"}, []),
    ({"labels": {"split": "train"}}, ["sample-sizes:1", "samples:1"]),
    ({"labels": {"split": "train", "fold": 1}}, ["samples:1"]),
    ({"labels": {"split": "train", "fold": "2"}}, []),
    ({"labels": {"none": "train"}}, []),
    ({"tag": "golden"}, ["reports/samples:1", "samples:2"]),
    ({"tag": "golden", "name": "sam*"}, ["samples:2"]),
    ({"tag": "latest"}, ["reports/samples:1", "sample-sizes:1", "samples:2"]),
    ({"latest": True, "kind": "dataset"}, ["samples:2"]),
    ({"project": "other"}, ["samples:1"]),
    ({"project": "nowhere"}, []),
    ({"limit": 2}, ["reports/samples:1", "sample-sizes:1"]),
    ({"job": "0199c0de-7a11-7000-8000-0123456789ab"}, []),
    ({"since": datetime(2020, 1, 1), "until": datetime(2021, 1, 1)}, []),
    ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, []),
    (
        {"kind": "dataset", "name": "s*", "labels": {"split": "test"}, "tag": "golden"},
        ["samples:2"],
    ),
]


@pytest.mark.parametrize(("conditions", "expected"), SEARCHES, ids=str)
def test_a_search(filled: Workspace, conditions: dict[str, Any], expected: list[str]) -> None:
    assert names(filled.list_artifacts(**conditions)) == expected


def test_every_search_finds_the_same_everywhere_and_page_by_page(space: Workspace) -> None:
    fill(space)
    for conditions, expected in SEARCHES:
        assert names(space.list_artifacts(**conditions)) == expected
        if "limit" not in conditions:
            assert names(list(space.iterate(**conditions, limit=1))) == expected


def test_a_search_by_time(space: Workspace) -> None:
    first = space.save_artifact(1, "a")
    second = space.save_artifact(2, "a")
    moment = second.created
    assert first.created < moment
    assert names(space.list_artifacts(since=moment)) == ["a:2"]
    assert names(space.list_artifacts(until=moment)) == ["a:1"]
    naive = moment.astimezone().replace(tzinfo=None)  # as the clock on the wall shows it
    assert names(space.list_artifacts(since=naive)) == ["a:2"]
    assert names(space.list_artifacts(since=first.created, until=moment)) == ["a:1"]
    assert names(space.list_artifacts(since=moment + timedelta(seconds=1))) == []


def test_newest_first_and_page_by_page(space: Workspace) -> None:
    space.save_artifacts([(n, f"k{n % 2}") for n in range(25)])
    whole = [v.uid for v in space.list_artifacts()]
    assert len(whole) == 25
    pages, cursor = [], None
    while True:
        page = space.list_artifacts(limit=10, cursor=cursor)
        pages.append([v.uid for v in page])
        cursor = page.next
        if cursor is None:
            break
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [uid for page in pages for uid in page] == whole
    assert [v.uid for v in space.iterate(limit=7)] == whole
    assert names(space.list_artifacts(name="k1", limit=3)) == ["k1:12", "k1:11", "k1:10"]
    # What is saved between two pages is not met on the second.
    page = space.list_artifacts(limit=10)
    space.save_artifact(99, "k0")
    assert [v.uid for v in space.list_artifacts(limit=10, cursor=page.next)] == whole[10:20]


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        ({"kind": "modle"}, CheckFailed),
        ({"labels": ["split"]}, CheckFailed),
        ({"labels": {3: "x"}}, CheckFailed),
        ({"labels": {"x": [1]}}, CheckFailed),
        ({"name": ""}, InvalidName),
        ({"name": 3}, InvalidName),
        ({"tag": "a b/c"}, InvalidName),
        ({"project": "../x"}, InvalidName),
        ({"limit": 0}, FindspotError),
        ({"limit": "5"}, FindspotError),
        ({"since": "yesterday"}, FindspotError),
        ({"until": date(2026, 1, 1)}, FindspotError),
        ({"cursor": "nonsense"}, FindspotError),
    ],
    ids=str,
)
def test_a_condition_that_cannot_be_is_an_error(
    local: Workspace, conditions: dict[str, Any], error: type[FindspotError]
) -> None:
    with pytest.raises(error):
        local.list_artifacts(**conditions)


def test_looking_never_makes_a_workspace(tmp_path: Any, capsys: Any) -> None:
    space = Workspace(tmp_path / "nothing")
    looks: list[Any] = [
        lambda: space.list_artifacts(),
        lambda: space.load_artifact("x"),
        lambda: space.get_artifact("0199c0de-7a11-7000-8000-0123456789ab"),
        lambda: space.untag("x", "t"),
        lambda: space.tag("x", "t"),
        lambda: space.tag_history("x", "t"),
        lambda: space.set_labels("x", {}),
        lambda: space.delete_artifact("x"),
        lambda: space.delete_version("x"),
        lambda: space.lineage("x"),
        lambda: space.verify(),
        lambda: space.projects(),
        lambda: space.download("x", tmp_path / "to"),
    ]
    for look in looks:
        with pytest.raises(NoWorkspace, match="findspot init"):
            look()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_a_tag_moves_and_its_history_stays(space: Workspace) -> None:
    for n in range(3):
        space.save_artifact(n, "x")
    assert space.tag("x", "golden", version=1).previous is None
    assert space.tag("x:2", "golden").previous == 1
    assert space.load_artifact("x:golden") == 1
    assert space.get_artifact("x", 1).tags == ()
    assert space.get_artifact("x", 2).tags == ("golden",)
    event = space.untag("x", "golden")
    assert (event.version, event.previous, event.owner) == (None, 2, space.owner)
    with pytest.raises(NotFound, match="x:golden"):
        space.load_artifact("x:golden")
    with pytest.raises(NotFound):
        space.untag("x", "golden")
    space.tag(space.get_artifact("x", 3), "golden")
    history = space.tag_history("x", "golden")
    assert [(e.previous, e.version) for e in history] == [(None, 1), (1, 2), (2, None), (None, 3)]
    assert [e.time for e in history] == sorted(e.time for e in history)
    assert space.tag_history("x", "never") == []


def test_a_tag_is_moved_only_from_where_it_is_expected(space: Workspace) -> None:
    for n in range(3):
        space.save_artifact(n, "x")
    space.tag("x:1", "golden", expected=None)
    with pytest.raises(Conflict, match="is on version 1, not on nothing"):
        space.tag("x:2", "golden", expected=None)
    with pytest.raises(Conflict, match="is on version 1, not on version 3"):
        space.tag("x:2", "golden", expected=3)
    assert space.get_artifact("x:golden").version == 1
    space.tag("x:2", "golden", expected=1)
    assert space.get_artifact("x:golden").version == 2


@pytest.mark.parametrize("tag", ["latest", "3", "a/b", "", "a:b", None])
def test_a_bad_tag_is_refused(local: Workspace, tag: Any) -> None:
    local.save_artifact(1, "x")
    with pytest.raises(InvalidName):
        local.tag("x", tag)
    with pytest.raises(InvalidName):
        local.untag("x", tag)
    assert local.get_artifact("x").tags == ()


def test_labels_are_set_and_taken_off(space: Workspace) -> None:
    saved = space.save_artifact(1, "x", labels={"a": 1, "b": "2"})
    changed = space.set_labels("x", {"a": None, "b": 3, "c": "new"})
    assert changed.labels == {"b": "3", "c": "new"}
    assert saved.labels == {"a": "1", "b": "2"}  # as it was when it was saved
    assert names(space.list_artifacts(labels={"c": "new"})) == ["x:1"]
    assert space.list_artifacts(labels={"a": "1"}) == []
    wrong: list[Any] = [{3: "x"}, {"": "x"}, {"x": [1]}, ["x"], {"x": "y" * 2000}, {3: None}]
    for bad in wrong:
        with pytest.raises(FindspotError):
            space.set_labels("x", bad)
    assert space.get_artifact("x").labels == {"b": "3", "c": "new"}


def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(space: Workspace) -> None:
    for n in range(3):
        space.save_artifact(n, "x", tags="last")
    last = space.get_artifact("x")
    held = space.get_artifact("x", 2)
    assert space.delete_version("x", 3)
    assert space.load_artifact("x") == 1
    for gone in ("x:3", "x:last", last.uid):
        with pytest.raises(NotFound):
            space.get_artifact(gone)
    with pytest.raises(NotFound):
        space.delete_version("x", 3)
    assert space.save_artifact(3, "x").version == 4
    assert space.delete_version(held)
    with pytest.raises(NotFound, match="deleted after it was looked up"):
        held.load()
    assert space.verify().sound


def test_a_deleted_artifact_is_gone_with_all_its_versions(space: Workspace) -> None:
    for n in range(3):
        space.save_artifact(n, "x")
    space.save_artifact(0, "x", project="other")
    assert space.delete_artifact("x") == 3
    with pytest.raises(NotFound):
        space.get_artifact("x")
    with pytest.raises(NotFound):
        space.delete_artifact("x")
    assert space.load_artifact("x", project="other") == 0
    assert space.save_artifact(4, "x").version == 4


def test_the_lineage_of_what_was_saved_by_hand_is_itself(space: Workspace) -> None:
    saved = space.save_artifact(1, "x")
    directions: tuple[Literal["upstream", "downstream"], ...] = ("upstream", "downstream")
    for direction in directions:
        lineage = saved.lineage(direction)
        assert lineage.root == saved.uid
        assert list(lineage.versions) == [saved.uid]
        assert (lineage.edges, lineage.jobs, lineage.steps) == ((), {}, {})
    with pytest.raises(FindspotError, match="Say upstream or downstream"):
        saved.lineage("sideways")  # type: ignore[arg-type]


def test_lineage_of_a_script_reaches_what_it_loaded(space: Workspace) -> None:
    raw = space.save_artifact([1, 2], "raw")
    with space.start_job("double") as job:
        values = space.load_artifact("raw")
        made = space.save_artifact([2 * v for v in values], "doubled")
    assert made.producer is not None
    assert made.producer.job == job.id
    assert set(made.lineage().versions) == {made.uid, raw.uid}
    assert set(raw.lineage("downstream").versions) == {made.uid, raw.uid}
    assert [e.direction for e in made.lineage().edges if e.version == raw.uid] == ["in"]
    assert names(space.list_artifacts(job=job.id)) == ["doubled:1"]
