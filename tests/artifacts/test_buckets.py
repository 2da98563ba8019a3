"""Workspaces with their blobs in a bucket: what is refused or cut off changes nothing, and goes on
when the bucket lets it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from findspot import Workspace
from findspot.artifacts.bundles import export_bundle, import_bundle
from findspot.artifacts.collecting import collect
from findspot.artifacts.retention import RetentionRule
from findspot.artifacts.transfer import pull, push
from findspot.core.errors import ReadOnly
from findspot.core.records import now
from findspot.store.errors import StoreUnreachable, StoreUnreadable
from findspot.store.object_store import ObjectBlobStore
from object_storage import Answer, Asked, Cut, Proxy
from two_workspaces import make_workspace

DAY = timedelta(days=1)
NAMES = ["a0", "a1", "a2", "a3", "a4", "a5"]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace on files with six large arrays."""
    workspace = make_workspace(tmp_path, "one")
    rng = np.random.default_rng(0)
    for name in NAMES:
        workspace.save_artifact(rng.random(20_000), name)
    yield workspace
    workspace.close()


@pytest.fixture
def far(tmp_path: Path, s3_through_proxy: tuple[str, Proxy]) -> Iterator[Workspace]:
    """An empty workspace whose own settings say that its blobs are in a bucket."""
    folder = tmp_path / "far"
    Workspace(folder).init()
    with (folder / ".findspot" / "findspot.toml").open("a") as file:
        file.write(f'store = "{s3_through_proxy[0]}/blobs"\n')
    with Workspace(folder) as workspace:
        yield workspace


@pytest.fixture
def proxy(s3_through_proxy: tuple[str, Proxy]) -> Proxy:
    return s3_through_proxy[1]


def impatient(far: Workspace) -> None:
    """Let the workspace give up at the first failure."""
    far.store = ObjectBlobStore(far.settings.store, retries=0)


def is_upload(asked: Asked) -> bool:
    return asked.method in ("PUT", "POST", "DELETE")


def versions(ws: Workspace) -> int:
    count: int = ws.catalog.counts()["versions"]
    return count


def test_a_push_that_is_cut_off_records_nothing_and_goes_on(
    one: Workspace, far: Workspace, proxy: Proxy
) -> None:
    impatient(far)
    uploads: list[str] = []

    def fault(asked: Asked) -> Cut | Answer | None:
        if asked.method != "PUT":
            return None
        uploads.append(asked.path)
        return None if len(uploads) <= 3 else Answer(500)

    proxy.fault = fault
    with pytest.raises(StoreUnreachable, match=proxy.endpoint):
        push(one, far, NAMES)
    assert versions(far) == 0
    assert far.catalog.leases(now()) == []
    arrived = len(list(far.store.list()))
    assert 0 < arrived < 6
    proxy.fault = lambda asked: None
    done = push(one, str(far.folder), NAMES)
    assert (len(done.versions), done.blobs, done.blobs_known) == (6, 6 - arrived, arrived)
    assert far.verify().sound


def test_a_pull_is_taken_up_where_it_broke(one: Workspace, far: Workspace, proxy: Proxy) -> None:
    push(one, far, NAMES)
    for name in NAMES:
        one.delete_artifact(name)
    collect(one, dry_run=False, grace_hours=0, now=now() + DAY)
    collect(one, dry_run=False, quarantine_days=0, now=now() + DAY)
    broken: list[str] = []

    def fault(asked: Asked) -> Cut | None:
        if asked.method == "GET" and len(broken) < 3:
            broken.append(asked.path)
            return Cut(50_000)
        return None

    proxy.fault = fault
    far.store = ObjectBlobStore(far.settings.store, retries=3)
    assert len(pull(one, far, NAMES).versions) == 6
    assert len(broken) == 3
    assert one.verify().sound


def test_a_pull_that_breaks_for_good_records_nothing(
    one: Workspace, far: Workspace, tmp_path: Path, proxy: Proxy
) -> None:
    push(one, far, NAMES)
    impatient(far)
    two = make_workspace(tmp_path, "two")
    proxy.fault = lambda asked: Cut(1000) if asked.method == "GET" else None
    with pytest.raises(StoreUnreachable):
        pull(two, far, NAMES)
    assert (versions(two), list(two.store.list())) == (0, [])
    file = tmp_path / "all.findspot"
    with pytest.raises(StoreUnreachable):
        export_bundle(far, NAMES, file)
    assert sorted(path.name for path in tmp_path.glob("*.findspot*")) == []
    proxy.fault = lambda asked: None
    assert len(pull(two, far, NAMES).versions) == 6
    assert two.verify().sound


def test_a_bucket_that_may_only_be_read(
    one: Workspace, far: Workspace, tmp_path: Path, proxy: Proxy
) -> None:
    push(one, far, NAMES[:2])
    export_bundle(one, NAMES, tmp_path / "all.findspot")
    proxy.fault = lambda asked: Answer.error(403, "AccessDenied") if is_upload(asked) else None
    for act in (
        lambda: far.save_artifact(np.arange(20_000), "new"),
        lambda: push(one, far, NAMES),
        lambda: import_bundle(far, tmp_path / "all.findspot"),
    ):
        with pytest.raises(ReadOnly, match="AccessDenied"):
            act()
        assert versions(far) == 2
    with pytest.raises(ReadOnly, match="AccessDenied"):
        collect(
            far,
            [RetentionRule(keep_last=0)],
            dry_run=False,
            grace_hours=0,
            now=now() + DAY,
        )
    two = make_workspace(tmp_path, "two")
    proxy.fault = lambda asked: None
    # The records were forgotten, the bytes wait for a collection that may move them.
    assert versions(far) == 0
    assert len(list(far.store.list())) == 2
    push(one, far, NAMES[:2])
    proxy.fault = lambda asked: Answer.error(403, "AccessDenied") if is_upload(asked) else None
    assert len(pull(two, far, NAMES[:2]).versions) == 2


def test_a_bucket_without_any_permission(one: Workspace, far: Workspace, proxy: Proxy) -> None:
    push(one, far, "a0")
    proxy.fault = lambda asked: Answer.error(403, "AccessDenied")
    for act in (
        lambda: push(one, far, NAMES),
        lambda: ObjectBlobStore(far.settings.store).read(far.get_artifact("a0").files[0].digest),
        lambda: collect(far, grace_hours=0),
    ):
        with pytest.raises((ReadOnly, StoreUnreadable), match=r"403|AccessDenied"):
            act()
    assert versions(far) == 1


def test_a_collection_that_loses_its_connection_goes_on(
    one: Workspace, far: Workspace, proxy: Proxy
) -> None:
    push(one, far, NAMES)
    impatient(far)
    kept = far.load_artifact("a0")
    rules = [RetentionRule(key="a0", keep_last=1), RetentionRule(keep_last=0)]
    copies: list[str] = []

    def fault(asked: Asked) -> Answer | None:
        if asked.method == "PUT" and "quarantine" in asked.path:
            copies.append(asked.path)
            return Answer(500) if len(copies) > 2 else None
        return None

    proxy.fault = fault
    with pytest.raises(StoreUnreachable):
        collect(far, rules, dry_run=False, grace_hours=0, now=now() + DAY)
    proxy.fault = lambda asked: None
    assert len(list(far.store.quarantined())) == 2
    collect(far, rules, dry_run=False, grace_hours=0, now=now() + DAY)
    assert len(list(far.store.quarantined())) == 5
    collect(far, rules, dry_run=False, grace_hours=0, now=now() + 9 * DAY)
    assert list(far.store.quarantined()) == []
    assert np.array_equal(far.load_artifact("a0"), kept)
    assert far.verify().sound
