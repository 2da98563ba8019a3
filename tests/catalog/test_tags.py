"""Tags: moved by compare-and-swap, never lost, every move remembered."""

from __future__ import annotations

import pytest

from catalog_records import save
from findspot.catalog.errors import TagMoved
from findspot.catalog.protocol import ANY_VERSION, Catalog
from findspot.core.errors import Conflict, NotFound


def move(
    catalog: Catalog, version: int | None, expected: object = ANY_VERSION, tag: str = "golden"
) -> int | None:
    event = catalog.set_tag(
        "default",
        "samples",
        tag,
        version,
        expected=expected,  # type: ignore[arg-type]
        owner="ada",
    )
    assert event.version == version
    return event.previous


def test_a_tag_moves_and_its_history_stays(catalog: Catalog) -> None:
    records = [save(catalog), save(catalog)]
    assert move(catalog, 1, expected=None) is None
    assert move(catalog, 2, expected=1) == 1
    assert catalog.tags("default", "samples") == {"golden": 2}
    assert move(catalog, None, expected=2) == 2
    assert catalog.tags("default", "samples") == {}
    history = catalog.tag_history("default", "samples", "golden")
    assert [(event.previous, event.version) for event in history] == [(None, 1), (1, 2), (2, None)]
    assert {(event.owner, event.project, event.key, event.tag) for event in history} == {
        ("ada", "default", "samples", "golden")
    }
    assert [event.time for event in history] == sorted(event.time for event in history)
    assert all(record.tags == () for record in catalog.versions(r.uid for r in records).values())


def test_a_move_from_elsewhere_than_expected_is_refused(catalog: Catalog) -> None:
    save(catalog)
    save(catalog)
    move(catalog, 1)
    for expected, version in ((None, 2), (2, 2), (2, None)):
        with pytest.raises(TagMoved, match="is on version 1") as caught:
            move(catalog, version, expected=expected)
        assert isinstance(caught.value, Conflict)
        assert (caught.value.expected, caught.value.found) == (expected, 1)
    assert catalog.tags("default", "samples") == {"golden": 1}
    assert len(catalog.tag_history("default", "samples", "golden")) == 1


def test_a_version_knows_its_tags(catalog: Catalog) -> None:
    record = save(catalog, tags=["b", "a"])
    save(catalog, tags=["b"])
    move(catalog, 1, tag="c")
    found = catalog.version(record.uid)
    assert found is not None
    assert found.tags == ("a", "c")
    assert catalog.tags("default", "samples") == {"a": 1, "b": 2, "c": 1}


def test_moving_to_where_it_is_changes_nothing(catalog: Catalog) -> None:
    save(catalog, tags=["golden"])
    assert move(catalog, 1) == 1
    assert move(catalog, None, tag="never") is None
    assert len(catalog.tag_history("default", "samples", "golden")) == 1
    assert catalog.tag_history("default", "samples", "never") == []


def test_a_tag_needs_a_version(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="samples:1"):
        move(catalog, 1)
    save(catalog, tags=["golden"])
    with pytest.raises(NotFound, match="samples:2"):
        move(catalog, 2)
    assert catalog.tags("default", "samples") == {"golden": 1}
