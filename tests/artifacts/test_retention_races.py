"""Whatever runs beside a collection, and however it is cut off: nothing reachable is lost."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from findspot import Workspace
from findspot.artifacts.collecting import collect
from findspot.artifacts.retention import RetentionRule
from findspot.catalog.protocol import Batch, NewVersion
from findspot.catalog.sql_catalog import SqlCatalog
from findspot.core.errors import NotFound
from findspot.core.ids import new_uid
from findspot.core.records import Lease, Link, now
from findspot.store.local import LocalBlobStore
from retention_processes import collect_on_and_on, save_and_delete

DAY = timedelta(days=1)
# Few, so that saves find their bytes stored.
CONTENTS = [bytes([65 + i]) * 20 for i in range(2)]
contents = st.sampled_from(CONTENTS)
choice = st.integers(0, 9)
DEAD: dict[str, Any] = {"dead": True}
RULES = {
    "none": [],
    "last": [RetentionRule(keep_last=1)],
    "all": [RetentionRule(keep_last=0)],
}


class _Crash(BaseException):
    """The collector's process ends here."""


class _Save:
    """A save between the storing of its bytes and the recording of its version."""

    def __init__(self, new: NewVersion, content: bytes, held: Lease | None) -> None:
        self.new, self.content, self.held = new, content, held


class Collecting(RuleBasedStateMachine):
    """Saves in two halves, deletions, and collections in which others come in between any two of
    their steps, and which may be cut off at any of them. Days pass by making files older."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.space = Workspace(self.folder, inline_limit=0)
        self.space.init()
        assert isinstance(self.space.store, LocalBlobStore)
        self.store = self.space.store
        self.saves: list[_Save] = []
        self.recorded: dict[str, tuple[str, bytes]] = {}
        # Nobody needs these bytes any more, but every save finds them stored.
        for content in CONTENTS:
            self.space.catalog.delete_version(self.space.save_artifact(content, "old").uid)
        self.days_pass(3)

    def teardown(self) -> None:
        for uid, (_, content) in self.there().items():
            assert self.space.get_artifact(uid).load() == content
        assert self.space.catalog.check() == []
        self.space.close()
        shutil.rmtree(self.folder)

    def there(self) -> dict[str, tuple[str, bytes]]:
        found = self.space.catalog.versions(self.recorded)
        return {uid: self.recorded[uid] for uid in found}

    # ------------------------------------------------------------------ others

    @rule(content=contents, leased=st.booleans())
    def begin_save(self, content: bytes, leased: bool) -> None:
        held = None
        if leased:
            start = now()
            held = Lease(new_uid(), "", "save", (), {}, start, start + 3650 * DAY)
            self.space.catalog.take_lease(held)
        self.saves.append(_Save(self.space.prepare(content, "a"), content, held))

    @precondition(lambda self: self.saves)
    @rule(which=choice)
    def end_save(self, which: int) -> None:
        save = self.saves.pop(which % len(self.saves))
        self.space.catalog.write(Batch(versions=[save.new]))
        self.recorded[save.new.record.uid] = (save.new.record.key, save.content)
        if save.held is not None:
            self.space.catalog.release_lease(save.held.id)

    @precondition(lambda self: self.saves)
    @rule(which=choice)
    def save_dies(self, which: int) -> None:
        save = self.saves.pop(which % len(self.saves))
        if save.held is not None:
            # As its process would have described itself.
            database(self.space).run(
                "UPDATE leases SET process = ? WHERE id = ?", ('{"dead":true}', save.held.id)
            )

    @precondition(lambda self: self.recorded)
    @rule(which=choice)
    def delete(self, which: int) -> None:
        uid = sorted(self.recorded)[which % len(self.recorded)]
        self.space.catalog.delete_version(uid)

    @rule(content=contents, which=choice, linked=st.integers(0, 3))
    def save_linked(self, content: bytes, which: int, linked: int) -> None:
        """A version, some others that it links to, and then one that is newer than all of these."""
        uids = [self.space.save_artifact(content, "a").uid for _ in range(linked + 2)]
        self.recorded.update(dict.fromkeys(uids, ("a", content)))
        for target in uids[1:-1]:
            self.add_link(uids[0], target)
        there = sorted(self.there())
        self.add_link(uids[-1], there[which % len(there)])

    def add_link(self, uid: str, target: str) -> None:
        self.space.catalog.add_links([Link(uid, target, target, "artifact", "", now())])

    @precondition(lambda self: self.there())
    @rule(which=choice, to=choice)
    def link(self, which: int, to: int) -> None:
        there = sorted(self.there())
        self.add_link(there[which % len(there)], there[to % len(there)])

    @precondition(lambda self: self.recorded)
    @rule(which=choice)
    def load(self, which: int) -> None:
        uid = sorted(self.recorded)[which % len(self.recorded)]
        if uid in self.there():
            assert self.space.get_artifact(uid).load() == self.recorded[uid][1]

    @rule(days=st.sampled_from([0.5, 3, 8]))
    def days_pass(self, days: float) -> None:
        # A save that takes days has a lease; see the argument in `collecting`.
        for save in [save for save in self.saves if save.held is None]:
            self.saves.remove(save)
        older = days * 86_400
        for folder in ("blake3", "quarantine"):
            for file in (self.store.root / folder).rglob("*"):
                if file.is_file():
                    about = file.stat()
                    os.utime(file, (about.st_atime, about.st_mtime - older))
        database(self.space).run("UPDATE leases SET since = since - ?", (int(older * 1e6),))

    # ------------------------------------------------------------------ the collector

    @rule(
        rules=st.sampled_from(sorted(RULES)),
        grace_hours=st.sampled_from([0, 24]),
        between=st.lists(
            st.sampled_from(["begin", "leased", "end", "load", "link", "dies", "crash"])
            | st.none(),
            max_size=12,
        ),
        content=contents,
        which=choice,
    )
    def collection(
        self,
        rules: str,
        grace_hours: float,
        between: list[str | None],
        content: bytes,
        which: int,
    ) -> None:
        moments = iter(between)

        def meanwhile() -> None:
            match next(moments, None):
                case "begin":
                    self.begin_save(content, False)
                case "leased":
                    self.begin_save(content, True)
                case "end" if self.saves:
                    self.end_save(which)
                case "dies" if self.saves:
                    self.save_dies(which)
                case "link" if self.there():
                    self.link(which, which + 1)
                case "load" if self.recorded:
                    self.load(which)
                case "crash":
                    raise _Crash

        with interleaved(self.space, meanwhile):
            try:
                report = collect(
                    self.space,
                    RULES[rules],
                    dry_run=False,
                    grace_hours=grace_hours,
                    is_alive=lambda process: not process.get("dead"),
                )
            except _Crash:
                report = None
        there = self.there()
        if report is not None and rules == "none":
            assert report.deleted == []
        if report is not None:
            # What a version that was to stay links to has stayed. (One that was to go and was
            # spared at the last moment may have lost what it alone linked to.)
            for targets in self.space.catalog.linked(there.keys() - set(report.spared)).values():
                assert not targets & set(report.deleted)
        for uid in self.recorded.keys() - there.keys():
            del self.recorded[uid]

    @invariant()
    def every_version_has_its_bytes(self) -> None:
        # Looked for on the disk: to ask the store would bring a blob back from quarantine.
        for uid in self.there():
            for entry in self.space.catalog.files(uid):
                place = f"{entry.digest[7:9]}/{entry.digest[9:]}"
                assert any(
                    (self.store.root / folder / place).exists()
                    for folder in ("blake3", "quarantine")
                ), uid


def database(space: Workspace) -> Any:
    catalog = space.catalog
    assert isinstance(catalog, SqlCatalog)
    return catalog._database


@contextmanager
def interleaved(space: Workspace, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Others come in before and after each step in which a collection asks or changes something."""
    busy = False

    def between(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            nonlocal busy
            if busy:  # this is what somebody else does
                return method(*args, **kwargs)
            for step in (meanwhile, None, meanwhile):
                if step is None:
                    result = method(*args, **kwargs)
                    continue
                busy = True
                try:
                    step()
                finally:
                    busy = False
            return result

        return wrapped

    steps: list[tuple[Any, str]] = [
        (space.catalog, name) for name in ("delete_versions", "leases", "referenced")
    ]
    steps += [(space.store, name) for name in ("quarantine", "restore", "purge")]
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in steps:
            patch.setattr(owner, name, between(getattr(owner, name)))
        yield


def run(examples: int) -> None:
    run_state_machine_as_test(
        Collecting,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
def test_any_course_of_events() -> None:
    run(25)


@pytest.mark.slow
def test_many_courses_of_events() -> None:
    run(150)


@pytest.mark.parametrize("moment", range(12))
def test_a_save_that_ends_at_any_moment_of_a_purge(local: Workspace, moment: int) -> None:
    content = b"x" * 10_000
    local.catalog.delete_version(local.save_artifact(content, "a").uid)
    held = Lease(new_uid(), "", "save", (), {}, now(), now() + DAY)
    local.catalog.take_lease(held)
    new = local.prepare(content, "a")  # the bytes are stored, and not written
    later = now() + timedelta(seconds=1)
    assert local.store.quarantine(new.files[0].digest)
    assert [blob.digest for blob in local.store.quarantined()] == [new.files[0].digest]
    moments = iter(range(100))

    def end_save() -> None:
        if next(moments) == moment:
            local.catalog.write(Batch(versions=[new]))
            local.catalog.release_lease(held.id)

    with interleaved(local, end_save):
        collect(local, dry_run=False, now=later + 30 * DAY)
    assert next(moments) > 6
    if local.catalog.version(new.record.uid) is None:
        local.catalog.write(Batch(versions=[new]))
    assert local.load_artifact("a") == content


# --------------------------------------------------------------------------- two processes


def stress(folder: Path, seconds: float) -> None:
    # Not forked: the parent has threads.
    context = get_context("spawn")
    answers, told = context.Queue(), context.Queue()
    ended, collected = context.Event(), context.Event()
    with Workspace(folder, inline_limit=0) as space:
        space.init()
    savers = [
        context.Process(
            target=save_and_delete, args=(str(folder), seconds, seed, collected, answers)
        )
        for seed in range(2)
    ]
    collector = context.Process(
        target=collect_on_and_on, args=(str(folder), ended, collected, told)
    )
    for process in (*savers, collector):
        process.start()
    results = [answers.get(timeout=300) for _ in savers]
    ended.set()
    runs, quarantined, purged, _ = told.get(timeout=300)
    for process in (*savers, collector):
        process.join(120)
        assert process.exitcode == 0
    assert min(runs, quarantined, purged) > 0
    with Workspace(folder, inline_limit=0) as space:
        for count, kept in results:
            assert count > 0
            for uid, content in kept.items():
                try:
                    assert space.get_artifact(uid).load() == content
                except NotFound:
                    raise AssertionError(f"{uid} was lost") from None
        assert space.catalog.check() == []


@pytest.mark.slow
def test_savers_beside_a_collector(tmp_path: Path) -> None:
    stress(tmp_path, seconds=10)
