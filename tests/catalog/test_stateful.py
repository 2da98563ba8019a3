"""Any sequence of saves, deletions and moves of tags agrees with a model of a few lines."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from catalog_records import new_version
from findspot.catalog import open_catalog
from findspot.catalog.protocol import ANY_VERSION, Batch
from findspot.core.errors import Conflict, NotFound

KEYS = st.sampled_from(["a", "b/c"])
TAGS = st.sampled_from(["golden", "best"])
NUMBERS = st.integers(1, 6)


class Tagging(RuleBasedStateMachine):
    """Versions, numbers and tags of two keys."""

    url: Callable[[], str]
    drop: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.catalog = open_catalog(type(self).url())
        self.versions: dict[tuple[str, int], str] = {}
        self.last: dict[str, int] = {}
        self.tags: dict[tuple[str, str], int] = {}
        self.history: dict[tuple[str, str], list[int | None]] = {}

    def teardown(self) -> None:
        assert self.catalog.check() == []
        self.catalog.close()
        type(self).drop()

    def move(self, key: str, tag: str, number: int | None) -> None:
        if number != self.tags.get((key, tag)):
            self.history.setdefault((key, tag), []).append(number)
        if number is None:
            self.tags.pop((key, tag), None)
        else:
            self.tags[key, tag] = number

    @rule(saved=st.lists(st.tuples(KEYS, st.sets(TAGS)), min_size=1, max_size=4))
    def save(self, saved: list[tuple[str, set[str]]]) -> None:
        new = [new_version(key, b"x", tags=sorted(tags)) for key, tags in saved]
        numbers = self.catalog.write(Batch(versions=new))
        for version in new:
            key = version.record.key
            self.last[key] = self.last.get(key, 0) + 1
            assert numbers[version.record.uid] == self.last[key]
            self.versions[key, self.last[key]] = version.record.uid
            for tag in version.record.tags:
                self.move(key, tag, self.last[key])

    @rule(key=KEYS, tag=TAGS, number=st.none() | NUMBERS, expected=st.none() | NUMBERS)
    def move_if(self, key: str, tag: str, number: int | None, expected: int | None) -> None:
        try:
            self.catalog.set_tag("default", key, tag, number, expected=expected)
        except Conflict:
            assert self.tags.get((key, tag)) != expected
        except NotFound:
            assert number is not None
            assert (key, number) not in self.versions
        else:
            assert self.tags.get((key, tag)) == expected
            self.move(key, tag, number)

    @rule(key=KEYS, tag=TAGS, number=NUMBERS)
    def move_anyway(self, key: str, tag: str, number: int) -> None:
        try:
            self.catalog.set_tag("default", key, tag, number, expected=ANY_VERSION)
        except NotFound:
            assert (key, number) not in self.versions
        else:
            self.move(key, tag, number)

    @rule(key=KEYS, number=NUMBERS)
    def delete(self, key: str, number: int) -> None:
        uid = self.versions.pop((key, number), None)
        if uid is not None:
            assert self.catalog.delete_version(uid)
            for tag in [t for (k, t), n in self.tags.items() if (k, n) == (key, number)]:
                self.move(key, tag, None)

    @rule(key=KEYS)
    def delete_all(self, key: str) -> None:
        gone = [number for k, number in self.versions if k == key]
        assert self.catalog.delete_artifact("default", key) == len(gone)
        for number in gone:
            del self.versions[key, number]
        for tag in [t for k, t in self.tags if k == key]:
            self.move(key, tag, None)

    @invariant()
    def agrees(self) -> None:
        for key in ("a", "b/c"):
            tags = {tag: number for (k, tag), number in self.tags.items() if k == key}
            assert self.catalog.tags("default", key) == tags
            numbers = [number for k, number in self.versions if k == key]
            newest = self.catalog.find_version("default", key)
            assert (newest.number if newest else None) == max(numbers, default=None)
            for tag, number in tags.items():
                record = self.catalog.find_version("default", key, tag)
                assert record is not None
                assert (record.number, tag in record.tags) == (number, True)
        for (key, tag), moves in self.history.items():
            events = self.catalog.tag_history("default", key, tag)
            assert [event.version for event in events] == moves
        found = self.catalog.versions(self.versions.values())
        assert set(found) == set(self.versions.values())
        assert sum(len(record.tags) for record in found.values()) == len(self.tags)


def run(url: Callable[[], str], drop: Callable[[], None], examples: int) -> None:
    machine = type("Machine", (Tagging,), {"url": staticmethod(url), "drop": staticmethod(drop)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_on_sqlite() -> None:
    folders: list[str] = []

    def url() -> str:
        folders.append(tempfile.mkdtemp())
        return f"sqlite:///{folders[-1]}/catalog.db"

    run(url, lambda: shutil.rmtree(folders.pop()), examples=25)


@pytest.mark.slow
def test_on_postgres(request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres_server")
    run(server.empty_catalog, lambda: None, examples=10)
