"""Listings of versions: every condition, and pages that neither skip nor repeat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog_records import at, made_by, new_job, new_version, save
from findspot.catalog import open_catalog, searching
from findspot.catalog.database import Row
from findspot.catalog.errors import InvalidCursor
from findspot.catalog.protocol import Batch, Catalog
from findspot.catalog.sql_catalog import SqlCatalog
from findspot.core.records import JobQuery, VersionQuery


def found(catalog: Catalog, **query: Any) -> list[str]:
    """``key:number`` of what a search finds, read in pages of two."""
    query = {"project": "default", "limit": 2, **query}
    names: list[str] = []
    cursor = None
    while True:
        page = catalog.search_versions(VersionQuery(**query, cursor=cursor))
        names += [f"{record.key}:{record.number}" for record in page.items]
        assert len(page.items) <= 2
        if page.next is None:
            return names
        assert len(page.items) == 2
        cursor = page.next


@pytest.fixture
def full(catalog: Catalog) -> Catalog:
    """Versions of several keys, one a second, one of them in another project."""
    rows: list[tuple[str, str, dict[str, str]]] = [
        ("samples", "dataset", {"split": "train", "size": "big"}),
        ("samples", "dataset", {"split": "test"}),
        ("scores", "table", {"split": "test", "size": "big"}),
        ("models/tree", "model", {}),
        ("samples", "dataset", {"split": "train"}),
        ("models/Tree", "model", {"split": "train"}),
    ]
    new = [
        new_version(key, kind=kind, labels=labels, seconds=i)
        for i, (key, kind, labels) in enumerate(rows)
    ]
    other = new_version("samples", project="other", labels={"split": "train"}, seconds=2.5)
    catalog.write(Batch(versions=[*new, other]))
    return catalog


ALL = ["models/Tree:1", "samples:3", "models/tree:1", "scores:1", "samples:2", "samples:1"]


CONDITIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ALL),
    ({"kind": "model"}, ["models/Tree:1", "models/tree:1"]),
    ({"kind": "plot"}, []),
    ({"key": "samples"}, ["samples:3", "samples:2", "samples:1"]),
    ({"key": "samples", "kind": "table"}, []),
    ({"key": "s*"}, ["samples:3", "scores:1", "samples:2", "samples:1"]),
    ({"key": "*/?ree"}, ["models/Tree:1", "models/tree:1"]),
    ({"key": "*tree"}, ["models/tree:1"]),
    ({"key": "mod*T*"}, ["models/Tree:1"]),
    ({"key": "S*"}, []),
    ({"key": "*"}, ALL),
    ({"labels": {"split": "train"}}, ["models/Tree:1", "samples:3", "samples:1"]),
    ({"labels": {"split": "test", "size": "big"}}, ["scores:1"]),
    ({"labels": {"split": "train"}, "key": "samples"}, ["samples:3", "samples:1"]),
    ({"labels": {"split": "train"}, "kind": "model"}, ["models/Tree:1"]),
    ({"labels": {"split": "none"}}, []),
    ({"since": at(4)}, ["models/Tree:1", "samples:3"]),
    ({"until": at(2)}, ["samples:2", "samples:1"]),
    ({"since": at(1), "until": at(3), "key": "s*"}, ["scores:1", "samples:2"]),
    ({"since": at(1), "until": at(4), "key": "samples"}, ["samples:2"]),
    ({"latest_only": True}, ["models/Tree:1", "samples:3", "models/tree:1", "scores:1"]),
    ({"latest_only": True, "key": "s*"}, ["samples:3", "scores:1"]),
    ({"latest_only": True, "labels": {"split": "test"}}, ["scores:1"]),
    ({"project": "other"}, ["samples:1"]),
    ({"project": "none"}, []),
    (
        {"project": None, "key": "samples"},
        ["samples:3", "samples:1", "samples:2", "samples:1"],
    ),
    (
        {"project": None, "labels": {"split": "train"}},
        ["models/Tree:1", "samples:3", "samples:1", "samples:1"],
    ),
    ({"project": None, "kind": "model"}, ["models/Tree:1", "models/tree:1"]),
]


@pytest.mark.parametrize("few", [0, 2000])
def test_every_condition(full: Catalog, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both ways of finding keys must find the same.
    monkeypatch.setattr(searching, "FEW", few)
    for query, expected in CONDITIONS:
        assert found(full, **query) == expected, query


def test_by_tag(full: Catalog) -> None:
    full.set_tag("default", "samples", "golden", 2)
    full.set_tag("default", "scores", "golden", 1)
    full.set_tag("other", "samples", "golden", 1)
    assert found(full, tag="golden") == ["scores:1", "samples:2"]
    assert found(full, tag="golden", project=None) == ["samples:1", "scores:1", "samples:2"]
    assert found(full, tag="golden", labels={"size": "big"}) == ["scores:1"]
    assert found(full, tag="none") == []
    full.set_tag("default", "samples", "golden", 3)
    assert found(full, tag="golden") == ["samples:3", "scores:1"]


def test_by_changed_labels(full: Catalog) -> None:
    record = full.find_version("default", "samples", 1)
    assert record is not None
    full.set_labels(record.uid, {"split": "test", "size": None, "checked": "yes"})
    assert found(full, labels={"split": "test"}) == ["scores:1", "samples:2", "samples:1"]
    assert found(full, labels={"size": "big"}) == ["scores:1"]
    assert found(full, labels={"checked": "yes"}) == ["samples:1"]


def test_by_producer_and_digest(catalog: Catalog) -> None:
    one = save(catalog, "a", producer=made_by("job", "fit", "model"), content=b"same")
    save(catalog, "b", producer=made_by("job"), seconds=1)
    save(catalog, "c", producer=made_by("other", "fit"), content=b"same", seconds=2)
    for project in ("default", None):
        assert found(catalog, job="job", project=project) == ["b:1", "a:1"]
        assert found(catalog, job="job", step="fit", project=project) == ["a:1"]
        assert found(catalog, digest=one.digest, project=project) == ["c:1", "a:1"]
    assert found(catalog, digest=one.digest, key="a", kind="value") == ["a:1"]
    assert found(catalog, job="job", key="?") == ["b:1", "a:1"]


def test_characters_that_mean_something_to_databases_mean_nothing(catalog: Catalog) -> None:
    keys = ["100%", "100_", "a[b]", "ab", "back'slash", "100x"]
    catalog.write(Batch(versions=[new_version(key) for key in keys]))
    assert found(catalog, key="100%*") == ["100%:1"]
    assert found(catalog, key="100_*") == ["100_:1"]
    assert found(catalog, key="a[b]*") == ["a[b]:1"]
    assert found(catalog, key="*'*") == ["back'slash:1"]
    assert sorted(found(catalog, key="100?")) == ["100%:1", "100_:1", "100x:1"]


def test_pages_neither_skip_nor_repeat_while_others_write(catalog: Catalog) -> None:
    # All at one time: the order is then that of recording.
    catalog.write(Batch(versions=[new_version(f"k{i}") for i in range(7)]))
    query: dict[str, Any] = {"project": "default", "limit": 3}
    first = catalog.search_versions(VersionQuery(**query))
    save(catalog, "new")
    gone = catalog.find_version("default", "k3")
    assert gone is not None
    catalog.delete_version(gone.uid)
    second = catalog.search_versions(VersionQuery(**query, cursor=first.next))
    pages = [[record.key for record in page.items] for page in (first, second)]
    assert pages == [["k6", "k5", "k4"], ["k2", "k1", "k0"]]
    assert second.next is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "ü", "[]", "W10", "WyJqb2JzIiwxLCJhIl0", "WyJ2ZXJzaW9ucyIsMWU5OSwxXQ"]
)
def test_a_cursor_from_elsewhere_is_refused(catalog: Catalog, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        catalog.search_versions(VersionQuery(cursor=cursor))


def test_a_cursor_of_one_listing_does_not_fit_another(full: Catalog) -> None:
    page = full.search_versions(VersionQuery(project="default", limit=1))
    assert page.next is not None
    with pytest.raises(InvalidCursor):
        full.search_jobs(JobQuery(cursor=page.next))
    with pytest.raises(InvalidCursor):
        full.search_versions(VersionQuery(project="default", key="samples", cursor=page.next))


def test_jobs(catalog: Catalog) -> None:
    jobs = [
        new_job(
            "running" if i % 2 else "finished",
            id=f"job{i}",
            seconds=i // 2,
            project="p" if i == 5 else "default",
            experiment="x" if i < 3 else None,
            name="train" if i < 4 else "score",
        )
        for i in range(6)
    ]
    catalog.write(Batch(jobs=jobs))

    def ids(**query: Any) -> str:
        text, cursor = "", None
        while True:
            page = catalog.search_jobs(JobQuery(**query, limit=2, cursor=cursor))
            text += "".join(job.id[-1] for job in page.items)
            if page.next is None:
                return text
            cursor = page.next

    assert ids() == "543210"
    assert ids(project="default") == "43210"
    assert ids(experiment="x") == "210"
    assert ids(name="score") == "54"
    assert ids(status="running", project="default") == "31"
    assert ids(since=at(1), until=at(2)) == "32"
    assert ids(project="none") == ""


@pytest.mark.parametrize("kind", [None, "value"])
def test_a_glob_with_a_prefix_looks_each_key_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    catalog = open_catalog(f"sqlite:///{tmp_path}/catalog.db")
    assert isinstance(catalog, SqlCatalog)
    catalog.write(Batch(versions=[new_version(f"sam{i}") for i in range(300)]))
    asked: list[tuple[str, Sequence[Any]]] = []
    rows = catalog._database.rows

    def noted(sql: str, params: Sequence[Any] = ()) -> list[Row]:
        asked.append((sql, params))
        return rows(sql, params)

    monkeypatch.setattr(catalog._database, "rows", noted)
    query = VersionQuery(project="default", key="sam*", kind=kind)
    assert len(catalog.search_versions(query).items) == 50
    sql, params = asked[-1]
    plan = [row[3] for row in rows(f"EXPLAIN QUERY PLAN {sql}", params)]
    assert any(line.startswith("SEARCH a USING PRIMARY KEY (project=? AND key>?") for line in plan)
    assert any("SEARCH v" in line and "(project=? AND key=?" in line for line in plan)
    catalog.close()
