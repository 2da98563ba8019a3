"""Pushes and pulls between two workspaces."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot import Workspace, pipeline, task
from findspot.artifacts.arrival import DifferentContent, UnsoundRecord, record
from findspot.artifacts.exchange import collect
from findspot.artifacts.kinds.updates import described
from findspot.artifacts.links import BrokenLink, link, links, resolve
from findspot.artifacts.transfer import pull, push
from findspot.artifacts.trust import UntrustedVersion
from findspot.catalog.protocol import Batch, NewVersion
from findspot.core.digests import hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing, FindspotError, NotFound
from findspot.core.records import FileEntry, manifest_digest, now
from findspot.models import update_model
from two_workspaces import Booby, everything


@task(name="double")
def double(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x * 2


@pipeline(name="doubling")
def doubling(x: Any, times: int = 2) -> Any:
    return {"doubled": double(x)}


def test_a_version_arrives_as_it_was(one: Workspace, two: Workspace) -> None:
    array = np.arange(10_000.0)
    sent = one.save_artifact(
        array,
        "samples",
        labels={"split": "train"},
        tags=["golden"],
        metadata={"source": "field"},
        version="first",
    )
    done = push(one, two, "samples")
    there = two.get_artifact("samples:golden")
    assert done.versions == (there.uri,)
    assert (done.blobs, done.size, done.conflicts) == (1, sent.size, ())
    assert there.uid == sent.uid
    assert there.record == sent.record
    assert there.record.origin == one.id
    assert np.array_equal(there.load(), array)


def test_numbers_go_on_and_tags_stay_where_they_are(one: Workspace, two: Workspace) -> None:
    two.save_artifact(1, "n", tags=["best"], version="alpha")
    two.save_artifact(2, "n")
    one.save_artifact(3, "n", tags=["best", "free"], version="alpha")
    one.save_artifact(4, "n", version="beta")
    done = push(one, two, ["n:1", "n:2"])
    assert [two.load_artifact("n", n) for n in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert len(done.conflicts) == 2
    assert "the tag 'best' stays on version 1" in " ".join(done.conflicts)
    assert "the name 'alpha' is taken" in " ".join(done.conflicts)
    assert two.catalog.tags("default", "n") == {"best": 1, "free": 3}
    assert two.get_artifact("n", 3).version_name is None
    assert two.get_artifact("n", "beta").version == 4
    assert two.catalog.check() == []


def test_a_protected_tag_is_not_set(one: Workspace, two: Workspace) -> None:
    two.save_artifact(1, "n", tags=["best"])
    two.catalog.protect_tag("default", "n", "best", True)
    one.save_artifact(2, "n", tags=["best"])
    done = push(one, two, "n")
    assert len(done.conflicts) == 1
    assert two.catalog.tags("default", "n") == {"best": 1}


def test_a_second_push_adds_nothing(one: Workspace, two: Workspace) -> None:
    one.save_artifact(np.arange(5000), "samples")
    doubling.options(workspace=one).run(x=one.get_artifact("samples"))
    assert push(one, two, "doubled")
    before = everything(two)
    again = push(one, two, "doubled")
    assert not again
    assert (again.known, again.blobs, again.blobs_known, again.jobs) == (2, 0, 2, 0)
    assert everything(two) == before
    assert one.catalog.leases(now()) == two.catalog.leases(now()) == []


class TestLineage:
    @pytest.fixture
    def made(self, one: Workspace) -> str:
        one.save_artifact(np.arange(5000), "samples")
        job = doubling.options(workspace=one).run(x=one.get_artifact("samples"))
        job.outputs["doubled"].load()
        return job.id

    def test_the_whole_lineage(self, one: Workspace, two: Workspace, made: str) -> None:
        push(one, two, "doubled")
        here, there = one.lineage("doubled"), two.lineage("doubled")
        assert set(there.versions) == set(here.versions)
        assert there.edges == here.edges
        assert there.steps == here.steps
        assert two.load_artifact("samples").shape == (5000,)
        job = two.get_job(made)
        assert job.record == one.get_job(made).record
        assert job.environment == one.get_job(made).environment
        assert job.steps["double"].record.parts == one.get_job(made).steps["double"].record.parts
        entrypoint = job.record.entrypoint
        assert entrypoint is not None
        assert two.catalog.snapshot(entrypoint) == one.catalog.snapshot(entrypoint)

    def test_records_only(self, one: Workspace, two: Workspace, made: str) -> None:
        done = push(one, two, "doubled", lineage="records")
        assert (len(done.versions), done.jobs) == (1, 1)
        lineage = two.lineage("doubled")
        assert set(lineage.jobs) == {made}
        assert len(lineage.edges) == 2
        with pytest.raises(NotFound):
            two.get_artifact("samples")
        # The rest can come later.
        assert len(push(one, two, "doubled").versions) == 1
        assert two.lineage("doubled").edges == one.lineage("doubled").edges

    def test_none(self, one: Workspace, two: Workspace, made: str) -> None:
        done = push(one, two, "doubled", lineage=False)
        assert (len(done.versions), done.jobs) == (1, 0)
        producer = two.get_artifact("doubled").producer
        assert producer is not None
        assert producer.job == made
        with pytest.raises(FindspotError, match="no choice of lineage"):
            push(one, two, "doubled", lineage="some")

    def test_the_cache_does_not_travel(self, one: Workspace, two: Workspace, made: str) -> None:
        push(one, two, "doubled")
        job = doubling.options(workspace=two).run(x=two.get_artifact("samples"))
        assert not job.steps["double"].cached

    def test_a_job_that_still_runs_is_brought_up_to_date_later(
        self, one: Workspace, two: Workspace
    ) -> None:
        with one.start_job("notebook") as context:
            context.log_metric("loss", 1.0, step=1)
            one.save_artifact(1, "early")
            push(one, two, "early")
            there = two.get_job(context.id)
            assert there.status == "interrupted"
            assert there.failure is not None
            assert there.failure.type == "StillRunning"
            context.log_metric("loss", 0.5, step=2)
        push(one, two, "early")
        here, there = one.get_job(context.id), two.get_job(context.id)
        assert (there.status, there.failure) == ("finished", None)
        assert there.metric_points == here.metric_points
        assert there.log_lines == here.log_lines
        before = everything(two)
        push(one, two, "early")
        assert everything(two) == before

    def test_plugins_travel_but_never_become_the_newest(
        self, one: Workspace, two: Workspace, tmp_path: Path
    ) -> None:
        plugin = tmp_path / "keeper"
        plugin.mkdir()
        source = (
            "from findspot.plugins import ArtifactTask, register\n"
            "@register\ndef make() -> dict:\n    return {'mark': MARK}\n"
        )
        (plugin / "tasks.py").write_text(source.replace("MARK", "'theirs'"))
        (tmp_path / "g.yaml").write_text(
            "plugins: [keeper]\ngraph:\n  s: {task: make}\n"
            "artifact_outputs:\n  made: {contents: $s}\n"
        )
        job = one.run(tmp_path / "g.yaml")
        (plugin / "tasks.py").write_text(source.replace("MARK", "'mine'"))
        mine = two.add_plugin(plugin)
        push(one, two, "made")
        assert two.get_plugin("keeper").id == mine.id
        travelled = two.get_job(job.id).record.plugins["keeper"]
        snapshot = two.catalog.snapshot(travelled)
        assert snapshot is not None
        assert snapshot.digest != mine.digest
        files = two.catalog.files(travelled)
        assert b"theirs" in b"".join(f.inline or b"" for f in files)
        # A second one from there is the same snapshot.
        count = two.catalog.counts()
        assert not push(one, two, "made")
        assert two.catalog.counts() == count

    def test_an_equal_plugin_is_not_recorded_again(
        self, one: Workspace, two: Workspace, tmp_path: Path
    ) -> None:
        plugin = tmp_path / "keeper"
        plugin.mkdir()
        (plugin / "tasks.py").write_text(
            "from findspot.plugins import register\n@register\ndef make() -> int:\n    return 1\n"
        )
        (tmp_path / "g.yaml").write_text(
            "plugins: [keeper]\ngraph:\n  s: {task: make}\n"
            "artifact_outputs:\n  made: {contents: $s}\n"
        )
        job = one.run(tmp_path / "g.yaml")
        mine = two.add_plugin(plugin)
        push(one, two, "made")
        assert two.get_job(job.id).record.plugins == {"keeper": mine.id}


class TestTrust:
    def test_a_pickle_is_foreign_in_the_target(
        self, one: Workspace, two: Workspace, tmp_path: Path
    ) -> None:
        trap = tmp_path / "trap"
        one.save_artifact(Booby(trap), "evil", handler="pickle")
        push(one, two, "evil")
        assert not trap.exists()
        with pytest.raises(UntrustedVersion):
            two.load_artifact("evil")
        assert not trap.exists()
        two.load_artifact("evil", trust=True)
        assert trap.exists()

    def test_and_its_own_again_at_home(self, one: Workspace, two: Workspace) -> None:
        saved = one.save_artifact({1, 2}, "mine", handler="pickle")
        push(one, two, "mine")
        one.delete_artifact("mine")
        done = pull(one, two, "mine")
        assert len(done.versions) == 1
        assert one.get_artifact("mine").uid == saved.uid
        assert one.load_artifact("mine") == {1, 2}

    def test_other_content_under_a_known_uid_is_refused(
        self, one: Workspace, two: Workspace
    ) -> None:
        mine = one.save_artifact("mine", "text")
        files = (FileEntry("value.txt", hash_bytes(b"theirs"), 6, b"theirs"),)
        digest = manifest_digest(files, "text")
        forged = replace(mine.record, digest=digest, size=6, number=0)
        two.catalog.write(Batch(versions=[NewVersion(forged, files)]))
        before = everything(one)
        with pytest.raises(DifferentContent):
            pull(one, two, "text")
        assert everything(one) == before


class TestFaults:
    def test_damaged_bytes_do_not_travel(self, one: Workspace, two: Workspace) -> None:
        saved = one.save_artifact(np.arange(5000), "a")
        stored = one.store.path(saved.files[0].digest)
        assert stored is not None
        stored.chmod(0o644)
        stored.write_bytes(b"x" * saved.size)
        with pytest.raises(BlobDamaged, match=r"array\.npy"):
            push(one, two, "a")
        assert everything(two)["versions"] == []
        assert list(two.store.list()) == []

    def test_missing_bytes_are_named(self, one: Workspace, two: Workspace) -> None:
        saved = one.save_artifact(np.arange(5000), "a")
        one.store.delete(saved.files[0].digest)
        with pytest.raises(BlobMissing, match=r"a:1.*array\.npy"):
            push(one, two, "a")
        assert everything(two)["versions"] == []

    def test_blobs_that_were_lost_there_are_sent_again(
        self, one: Workspace, two: Workspace
    ) -> None:
        saved = one.save_artifact(np.arange(5000), "a")
        push(one, two, "a")
        two.store.delete(saved.files[0].digest)
        done = push(one, two, "a")
        assert (len(done.versions), done.blobs) == (0, 1)
        assert two.verify().sound

    def test_a_workspace_is_not_pushed_to_itself(self, one: Workspace) -> None:
        one.save_artifact(1, "n")
        with pytest.raises(FindspotError, match="same workspace"):
            push(one, Workspace(one.folder), "n")

    def test_nothing_is_sent_where_one_reference_is_wrong(
        self, one: Workspace, two: Workspace
    ) -> None:
        one.save_artifact(1, "n")
        with pytest.raises(NotFound):
            push(one, two, ["n", "m"])
        assert everything(two)["versions"] == []

    def test_an_interrupted_push_leaves_nothing_and_goes_on(
        self, one: Workspace, two: Workspace
    ) -> None:
        rng = np.random.default_rng(0)
        for i in range(6):
            one.save_artifact(rng.random(1000), f"a{i}")
        seen: list[int] = []

        def stop(done: int, total: int) -> None:
            seen.append(done)
            if done:
                raise KeyboardInterrupt

        names = [f"a{i}" for i in range(6)]
        with pytest.raises(KeyboardInterrupt):
            push(one, two, names, progress=stop)
        assert everything(two)["versions"] == []
        arrived = len(list(two.store.list()))
        assert arrived >= 1
        done = push(one, two, names)
        assert (done.blobs, done.blobs_known) == (6 - arrived, arrived)
        assert len(done.versions) == 6
        assert two.verify().sound

    @pytest.mark.slow
    def test_a_killed_push_leaves_nothing_and_goes_on(self, one: Workspace, two: Workspace) -> None:
        rng = np.random.default_rng(0)
        names = [f"a{i}" for i in range(12)]
        for name in names:
            one.save_artifact(rng.random(20_000), name)
        code = (
            "import os, signal, sys\n"
            "from findspot import Workspace\n"
            "from findspot.artifacts.transfer import push\n"
            "def kill(done, total):\n"
            "    if done > total // 3: os.kill(os.getpid(), signal.SIGKILL)\n"
            "push(Workspace(sys.argv[1]), Workspace(sys.argv[2]), sys.argv[3:], progress=kill)\n"
        )
        killed = subprocess.run(
            [sys.executable, "-c", code, str(one.folder), str(two.folder), *names],
            env=os.environ.copy(),
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        assert everything(two)["versions"] == []
        arrived = len(list(two.store.list()))
        assert arrived >= 4
        done = push(one, two, names)
        assert done.blobs == 12 - arrived
        assert two.verify().sound
        for name in names:
            assert np.array_equal(two.load_artifact(name), one.load_artifact(name))

    def test_two_pushes_at_once(self, one: Workspace, two: Workspace) -> None:
        from concurrent.futures import ThreadPoolExecutor

        rng = np.random.default_rng(0)
        names = [f"a{i}" for i in range(5)]
        for name in names:
            one.save_artifact(rng.random(1000), name, version="v", tags=["t"])
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: push(one, two, names), range(4)))
        assert all(report.conflicts == () for report in done)
        assert everything(two)["versions"] == sorted(one.get_artifact(n).uid for n in names)
        assert all(two.get_artifact(name).version == 1 for name in names)
        assert two.catalog.check() == []


def test_links_and_signatures_added_later_travel_later(one: Workspace, two: Workspace) -> None:
    one.save_artifact(1, "chart")
    one.save_artifact(2, "model")
    push(one, two, ["model", "chart"])
    link(one, "model", "chart", one.get_artifact("chart"))
    link(one, "model", "page", "https://example.org/card")
    done = push(one, two, "model")
    assert (done.versions, done.links) == ((), 2)
    assert links(two, "model") == links(one, "model")
    assert not push(one, two, "model")


class TestLinks:
    """What a version links to travels with it."""

    @pytest.fixture
    def model(self, one: Workspace) -> str:
        """A model with a chart that a job made of samples; the chart links back to the model."""
        one.save_artifact(np.arange(5000), "samples")
        doubling.options(workspace=one).run(x=one.get_artifact("samples"))
        model = one.save_artifact(np.arange(3000), "model", kind="model")
        link(one, "model", "chart", "doubled")
        link(one, "model", "page", "https://example.org/card")
        link(one, "doubled", "drawn of", model)
        update_model(model, metrics={"accuracy": 0.5}, workspace=one)
        return model.uid

    def test_with_their_lineages(self, one: Workspace, two: Workspace, model: str) -> None:
        done = push(one, two, model)
        assert (len(done.versions), done.jobs, done.links) == (4, 1, 4)
        assert resolve(two, links(two, model)["chart"]) == two.get_artifact("doubled")
        assert two.load_artifact("samples").shape == (5000,)
        assert described(two, model).metrics == {"accuracy": 0.5}  # type: ignore[attr-defined]
        assert not push(one, two, model)
        assert two.verify().sound

    def test_of_what_they_came_from_only_as_much_as_asked(
        self, one: Workspace, two: Workspace, model: str
    ) -> None:
        assert len(push(one, two, model, lineage=False).versions) == 3
        with pytest.raises(NotFound):
            two.get_artifact("samples")
        assert push(one, two, model, lineage="records").jobs == 1

    def test_not_where_they_are_not_wanted(
        self, one: Workspace, two: Workspace, model: str
    ) -> None:
        done = pull(two, one, model, links=False)
        assert (len(done.versions), done.links) == (1, 3)
        assert set(links(two, model)) == set(links(one, model))
        with pytest.raises(BrokenLink):
            resolve(two, links(two, model)["chart"])
        # The rest can come later.
        assert len(pull(two, one, model).versions) == 3
        assert resolve(two, links(two, model)["chart"]) == two.get_artifact("doubled")

    def test_to_what_was_deleted(self, one: Workspace, two: Workspace, model: str) -> None:
        one.delete_artifact("doubled")
        done = push(one, two, model)
        assert {uri.split("/")[-1].split(":")[0] for uri in done.versions} == {"model", "updates"}
        assert "chart" in links(two, model)

    def test_names_of_links_are_checked(self, one: Workspace, two: Workspace, model: str) -> None:
        shipment = collect(one, [one.get_artifact(model).record], "full")
        shipment.links[0] = replace(shipment.links[0], name="../up")
        with pytest.raises(UnsoundRecord):
            record(two, shipment, refresh=True)
        assert everything(two)["versions"] == []


def test_the_environment_speaks_of_the_current_workspace_only(
    one: Workspace, two: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    sent = rng.random(5000)
    two.save_artifact("there", "theirs")
    monkeypatch.setenv("FINDSPOT_STORE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("FINDSPOT_CATALOG", str(tmp_path / "elsewhere.db"))
    monkeypatch.setenv("FINDSPOT_PROJECT", "mine")
    monkeypatch.setenv("FINDSPOT_INLINE_LIMIT", "0")
    with Workspace(one.folder) as here:
        here.save_artifact(sent, "samples")
        done = push(here, str(two.folder), "samples")
        assert [uri.split("/")[3] for uri in done.versions] == ["mine"]
        # Of a reference without a project the other one's own project is meant.
        assert pull(here, two.folder, "theirs").versions[0].split("/")[3] == "default"
    assert (tmp_path / "elsewhere.db").is_file()
    assert np.array_equal(two.load_artifact("samples", project="mine"), sent)
    assert (two.folder / "blobs" / "blake3").is_dir()
    assert one.catalog.counts()["versions"] == 0
    beside = Workspace(two.folder, ambient=False)
    again = pickle.loads(pickle.dumps(beside))
    assert again.settings == beside.settings == two.settings
    # As worker processes open it.
    assert Workspace(beside.url, **beside.overrides).settings == two.settings


def test_pull_by_folder_and_report(one: Workspace, two: Workspace) -> None:
    one.save_artifact([1, 2], "list")
    done = pull(two, str(one.folder), "list")
    assert two.load_artifact("list") == [1, 2]
    assert done.to_json()["versions"] == list(done.versions)


READING = """
import os, sys
sys.path[:0] = {search!r}
from findspot import Workspace
from findspot.artifacts.bundles import export_bundle
from findspot.artifacts.transfer import pull
source, first, second, bundle = {places!r}
# Everything once: afterwards Python's own folders may be out of reach.
pull(Workspace(first), Workspace(source), "a")
export_bundle(Workspace(first), "a", bundle + ".first")
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(len(pull(Workspace(second), Workspace(source), "a").versions))
print(os.path.basename(export_bundle(Workspace(source), "a", bundle)))
"""


@pytest.mark.slow
def test_a_source_that_can_only_be_read() -> None:
    """No lease can be taken on it, and none is needed: it is read all the same."""
    # pytest's own folders are root's alone if root runs it.
    top = Path(tempfile.mkdtemp(prefix="findspot-test-"))
    try:
        with Workspace(top / "source") as source:
            source.save_artifact(np.arange(5000), "a")
        (top / "open").mkdir()
        for folder in (top, top / "open"):
            folder.chmod(0o777)
        for folder in (top / "source", *(top / "source").rglob("*")):
            folder.chmod(0o555 if folder.is_dir() else 0o444)
        names = ("source", "open/first", "open/second", "open/a.findspot")
        places = [str(top / name) for name in names]
        code = READING.format(search=[p for p in sys.path if p], places=places)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
        )
        assert done.stdout.splitlines() == ["1", "a.findspot"], done.stderr
    finally:
        for folder in (top / "source", *(top / "source").rglob("*")):
            if folder.is_dir():
                folder.chmod(0o755)
        shutil.rmtree(top)


def test_what_is_being_pushed_is_kept(one: Workspace, two: Workspace) -> None:
    """Neither the versions that are read nor the blobs that arrive can be collected meanwhile."""
    uid = one.save_artifact(np.arange(5000), "a").uid
    seen: list[tuple[list[str], int]] = []

    def look(done: int, total: int) -> None:
        deleted = one.catalog.delete_versions([uid], now=now())
        seen.append((deleted, len(two.catalog.leases(now()))))

    push(one, two, "a", progress=look)
    assert seen == [([], 1), ([], 1)]
    assert one.catalog.delete_versions([uid], now=now()) == [uid]


@pytest.mark.slow
def test_between_backends(one: Workspace, space: Workspace) -> None:
    one.save_artifact(np.arange(5000), "samples", labels={"a": "b"}, tags=["t"])
    job = doubling.options(workspace=one).run(x=one.get_artifact("samples"))
    link(one, "doubled", "samples", "samples")
    push(one, space, "doubled")
    assert not push(one, space, "doubled")
    assert space.get_job(job.id).record == one.get_job(job.id).record
    one.delete_artifact("samples")
    one.delete_artifact("doubled")
    assert len(pull(one, space, "doubled").versions) == 2
    assert np.array_equal(one.load_artifact("doubled"), np.arange(5000) * 2)
    assert one.get_artifact("samples", "t").labels == {"a": "b"}
    assert one.catalog.check() == space.catalog.check() == []


def test_progress_counts_to_the_end(one: Workspace, two: Workspace) -> None:
    rng = np.random.default_rng(0)
    total = sum(one.save_artifact(rng.random(1000 * i), f"a{i}").size for i in (1, 2, 3))
    seen: list[tuple[int, int]] = []
    push(one, two, ["a1", "a2", "a3"], progress=lambda done, all_: seen.append((done, all_)))
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
