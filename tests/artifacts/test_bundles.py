"""Bundles: export, import, and files that somebody meddled with."""

from __future__ import annotations

import json
import signal
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot import Workspace, pipeline, task
from findspot.artifacts import bundles
from findspot.artifacts.bundles import (
    BadBundle,
    BundleTooNew,
    export_bundle,
    import_bundle,
    read_bundle,
)
from findspot.artifacts.links import link, links
from findspot.artifacts.trust import UntrustedVersion
from findspot.core.digests import hash_bytes
from findspot.core.errors import BlobDamaged, FindspotError
from two_workspaces import Booby, make_workspace

UNKNOWN = "01a1fd00-0000-7000-8000-00000000000b"
GOLDEN = Path(__file__).parent / "golden" / "format1.findspot"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out.findspot"


def nothing_in(ws: Workspace) -> bool:
    """Whether nothing is recorded."""
    counts = ws.catalog.counts()
    return not any(v for name, v in counts.items() if name in ("versions", "jobs", "artifacts"))


def rewrite(
    file: Path,
    *,
    manifest: Callable[[dict[str, Any]], object] | None = None,
    raw_manifest: bytes | None = None,
    blobs: Callable[[str, bytes], bytes] | None = None,
    extra: Sequence[tuple[zipfile.ZipInfo | str, bytes]] = (),
    drop: Callable[[str], bool] = lambda name: False,
) -> Path:
    """A bundle with changes, otherwise well-formed."""
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
        kinds = {info.filename: info.compress_type for info in archive.infolist()}
    document = json.loads(entries["manifest.json"])
    if manifest is not None:
        changed = manifest(document)
        document = changed if isinstance(changed, dict) else document
    entries["manifest.json"] = json.dumps(document).encode()
    if raw_manifest is not None:
        entries["manifest.json"] = raw_manifest
    target = file.with_suffix(".changed")
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            if not drop(name):
                new = data if blobs is None or name == "manifest.json" else blobs(name, data)
                archive.writestr(name, new, compress_type=kinds[name])
        for info, data in extra:
            archive.writestr(info, data)
    return target


class TestRoundTrip:
    def test_a_version_with_its_lineage(self, one: Workspace, two: Workspace, file: Path) -> None:
        @task(name="double")
        def double(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            from findspot import current_job

            current_job().log_metric("mean", float(x.mean()))
            return x * 2

        @pipeline(name="doubling")
        def doubling(x: Any) -> Any:
            return {"doubled": double(x)}

        one.save_artifact(np.arange(50_000.0), "samples", labels={"a": "b"})
        job = doubling.options(workspace=one).run(x=one.get_artifact("samples"))
        link(one, "doubled", "page", "https://example.org")
        assert export_bundle(one, "doubled", file) == file
        done = import_bundle(two, file)
        assert len(done.versions) == 2
        assert np.array_equal(two.load_artifact("doubled"), one.load_artifact("doubled"))
        assert two.get_artifact("samples").record == one.get_artifact("samples").record
        assert two.lineage("doubled").edges == one.lineage("doubled").edges
        here, there = one.get_job(job.id), two.get_job(job.id)
        assert there.record == here.record
        assert there.metric_points == here.metric_points
        assert there.log_lines == here.log_lines
        assert there.environment == here.environment
        assert links(two, "doubled") == links(one, "doubled")
        counts = two.catalog.counts()
        again = import_bundle(two, file)
        assert not again
        assert two.catalog.counts() == counts
        assert two.catalog.check() == []

    def test_what_it_links_to(self, one: Workspace, two: Workspace, file: Path) -> None:
        one.save_artifact("chart", "chart")
        gone = one.save_artifact("gone", "gone")
        one.save_artifact("model", "model")
        link(one, "model", "chart", "chart")
        link(one, "chart", "model", "model")
        link(one, "model", "gone", gone)
        one.delete_artifact("gone")
        export_bundle(one, "model", file, links=False)
        assert len(import_bundle(two, file).versions) == 1
        export_bundle(one, "model", file, replace=True)
        assert len(import_bundle(two, file).versions) == 1
        assert two.load_artifact("chart") == "chart"
        assert links(two, "model") == links(one, "model")

    def test_every_kind_of_file(self, one: Workspace, two: Workspace, file: Path) -> None:
        values: dict[str, Any] = {
            "empty": "",
            "text": "naïve\u2028",
            "nan": float("nan"),
            "structure": {"x": np.arange(3), "y": (1, 2)},
            "large": np.random.default_rng(0).random(100_000),
        }
        for key, value in values.items():
            one.save_artifact(value, key, metadata={"nested": {"n": [1, 2.5, None, True]}})
        export_bundle(one, list(values), file)
        import_bundle(two, file)
        for key in values:
            assert two.get_artifact(key).record == one.get_artifact(key).record
            assert two.get_artifact(key).files == one.get_artifact(key).files
        assert two.verify().sound

    def test_large_blobs_are_stored_and_small_ones_deflated(
        self, one: Workspace, file: Path
    ) -> None:
        one.save_artifact(np.zeros(100_000), "large")
        one.save_artifact("small " * 100, "small")
        export_bundle(one, ["large", "small"], file)
        with zipfile.ZipFile(file) as archive:
            kinds = {info.file_size: info.compress_type for info in archive.infolist()}
        assert kinds[600] == zipfile.ZIP_DEFLATED
        assert kinds[800_128] == zipfile.ZIP_STORED

    def test_a_file_is_not_overwritten(self, one: Workspace, file: Path) -> None:
        one.save_artifact(1, "n")
        file.write_text("mine")
        with pytest.raises(FindspotError, match="already"):
            export_bundle(one, "n", file)
        assert file.read_text() == "mine"
        export_bundle(one, "n", file, replace=True)
        assert len(read_bundle(file).versions) == 1

    def test_a_failed_export_leaves_no_file(self, one: Workspace, file: Path) -> None:
        saved = one.save_artifact(np.arange(5000), "a")
        stored = one.store.path(saved.files[0].digest)
        assert stored is not None
        stored.chmod(0o644)
        stored.write_bytes(b"x" * saved.size)
        with pytest.raises(BlobDamaged):
            export_bundle(one, "a", file)
        assert [path.name for path in file.parent.iterdir() if path.is_file()] == []

    def test_a_pickle_is_not_run(
        self, one: Workspace, two: Workspace, file: Path, tmp_path: Path
    ) -> None:
        trap = tmp_path / "trap"
        one.save_artifact(Booby(trap), "evil", handler="pickle")
        export_bundle(one, "evil", file)
        import_bundle(two, file)
        with pytest.raises(UntrustedVersion):
            two.load_artifact("evil")
        assert not trap.exists()

    def test_a_conflict_is_reported(self, one: Workspace, two: Workspace, file: Path) -> None:
        one.save_artifact(1, "n", tags=["best"])
        two.save_artifact(2, "n", tags=["best"])
        export_bundle(one, "n", file)
        done = import_bundle(two, file)
        assert len(done.conflicts) == 1
        assert two.load_artifact("n:best") == 2
        assert two.load_artifact("n:2") == 1


@pytest.mark.slow
class TestKilled:
    """A process that dies in between, at the worst of moments."""

    def killed(self, code: str, *arguments: str | Path) -> None:
        code = (
            "import os, signal, sys\n"
            "from findspot import Workspace\n"
            "from findspot.artifacts.bundles import export_bundle, import_bundle\n"
            "def kill(done, total):\n"
            "    if done > total // 2: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"{code}\n"
        )
        command = [sys.executable, "-c", code, *map(str, arguments)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL

    def test_an_export_leaves_no_bundle(self, one: Workspace, file: Path) -> None:
        names = [f"a{i}" for i in range(6)]
        for i, name in enumerate(names):
            one.save_artifact(np.arange(20_000) + i, name)
        code = "export_bundle(Workspace(sys.argv[1]), sys.argv[3:], sys.argv[2], progress=kill)"
        self.killed(code, one.folder, file, *names)
        assert not file.exists()
        export_bundle(one, names, file)
        assert len(read_bundle(file).versions) == 6

    def test_an_import_leaves_nothing_and_goes_on(
        self, one: Workspace, two: Workspace, file: Path
    ) -> None:
        names = [f"a{i}" for i in range(6)]
        for i, name in enumerate(names):
            one.save_artifact(np.arange(20_000) + i, name)
        export_bundle(one, names, file)
        code = "import_bundle(Workspace(sys.argv[1]), sys.argv[2], progress=kill)"
        self.killed(code, two.folder, file)
        assert nothing_in(two)
        arrived = len(list(two.store.list()))
        assert arrived >= 3
        done = import_bundle(two, file)
        assert (len(done.versions), done.blobs) == (6, 6 - arrived)
        assert two.verify().sound


class TestGolden:
    """Format 1, as it was first written. This file must be readable for ever."""

    def test_it_is_imported(self, two: Workspace) -> None:
        import_bundle(two, GOLDEN)
        version = two.get_artifact("report/doubled:best")
        assert version.uid == "01a1fd00-0000-7000-8000-000000000002"
        assert version.load() == {"values": [2, 4, 6], "mean": 4.0}
        assert version.metadata["note"] == "golden"
        assert version.labels == {"stage": "test"}
        assert version.created.isoformat() == "2026-11-21T09:00:01+00:00"
        assert two.load_artifact("numbers") == "1\n2\n3\n"
        job = two.get_job("01a1fd00-0000-7000-8000-000000000003")
        assert (job.status, job.params, job.metrics) == ("finished", {"times": 2}, {"mean": 4.0})
        assert [line.text for line in job.log_lines] == ["doubled three numbers"]
        assert job.environment == {"format": 1, "python": {"version": "3.11.2"}}
        step = job.steps["double"].record
        assert step.inputs == {"numbers": "01a1fd00-0000-7000-8000-000000000001"}
        assert links(two, version)["page"].target == "https://example.org/doubled"
        assert {edge.direction for edge in two.lineage(version).edges} == {"in", "out"}
        assert two.verify().sound


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle as it should be."""
    folder = tmp_path_factory.mktemp("good")
    one = make_workspace(folder, "one")
    one.save_artifact("some text", "text", labels={"a": "b"}, tags=["t"])
    one.save_artifact(np.arange(20_000), "array")
    with one.start_job("script") as job:
        job.log_metric("m", 1.0)
        one.save_artifact(3, "made")
    made = export_bundle(one, ["text", "array", "made"], folder / "good.findspot")
    one.close()
    return made.read_bytes()


@pytest.fixture
def good(bundle: bytes, file: Path) -> Path:
    file.write_bytes(bundle)
    return file


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One workspace that must stay without records through all attempts on it."""
    workspace = make_workspace(tmp_path_factory.mktemp("empty"), "two")
    yield workspace
    workspace.close()


class TestHostile:
    def refused(self, ws: Workspace, file: Path, words: str = ".") -> BadBundle:
        with pytest.raises(BadBundle, match=words) as caught:
            import_bundle(ws, file)
        assert nothing_in(ws)
        assert str(file) in str(caught.value)
        return caught.value

    def test_files_that_are_none(self, empty: Workspace, tmp_path: Path) -> None:
        for data in (b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18, b"PK\x03\x04" * 100):
            (tmp_path / "x").write_bytes(data)
            self.refused(empty, tmp_path / "x")
        assert self.refused(empty, tmp_path / "missing", "no such file").exit_code == 3
        self.refused(empty, tmp_path, "folder")

    def test_cut_short_anywhere(self, good: Path, empty: Workspace) -> None:
        data = good.read_bytes()
        for size in range(0, len(data), max(1, len(data) // 40)):
            good.write_bytes(data[:size])
            self.refused(empty, good)

    def test_a_byte_changed_anywhere(self, good: Path, empty: Workspace) -> None:
        whole = read_bundle(good)
        data = bytearray(good.read_bytes())
        unharmed = 0
        for place in range(0, len(data), max(1, len(data) // 60)):
            data[place] ^= 0x55
            good.write_bytes(data)
            data[place] ^= 0x55
            try:
                shipment = read_bundle(good)
            except BadBundle:
                continue
            # A time in a header, say: what was read is the same for all that.
            unharmed += 1
            assert shipment == whole
        assert unharmed < 10

    def test_newer_formats(self, good: Path, empty: Workspace) -> None:
        changed = rewrite(good, manifest=lambda d: d.update(format=2, versions="unknown"))
        with pytest.raises(BundleTooNew, match="Upgrade"):
            import_bundle(empty, changed)
        for number in (0, -1, "1", True, None, 1.0):
            self.refused(empty, rewrite(good, manifest=partial(dict.update, format=number)))

    @pytest.mark.parametrize(
        "name",
        [
            "../../evil",
            "/etc/passwd",
            "blobs/../manifest.json",
            "blobs/",
            "blobs/" + "g" * 64,
            "blobs/" + "A" * 64,
            "..\\evil",
            "blobs/" + "a" * 64 + "/x",
            "MANIFEST.JSON",
        ],
    )
    def test_names_of_entries(self, good: Path, empty: Workspace, name: str) -> None:
        self.refused(empty, rewrite(good, extra=[(name, b"x")]))
        assert not (good.parent / "evil").exists()

    def test_a_name_that_ends_at_a_nul(self, good: Path, empty: Workspace) -> None:
        good.write_bytes(good.read_bytes().replace(b"manifest.json", b"manifest.jso\0"))
        self.refused(empty, good, "which no bundle does")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_entries_there_twice(self, good: Path, empty: Workspace) -> None:
        with zipfile.ZipFile(good) as archive:
            name = archive.namelist()[1]
        self.refused(empty, rewrite(good, extra=[(name, b"x")]), "twice")
        self.refused(empty, rewrite(good, extra=[("manifest.json", b"{}")]), "twice")

    def test_entries_that_are_too_many_or_too_few(self, good: Path, empty: Workspace) -> None:
        extra = "blobs/" + hash_bytes(b"x")[7:]
        self.refused(empty, rewrite(good, extra=[(extra, b"x")]), "only in the archive")
        with zipfile.ZipFile(good) as archive:
            gone = archive.namelist()[2]
        self.refused(empty, rewrite(good, drop=lambda name: name == gone), "only in the manifest")
        self.refused(empty, rewrite(good, drop=lambda name: name == "manifest.json"), "no manifest")

    def test_links_and_devices(self, good: Path, empty: Workspace) -> None:
        for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFCHR):
            info = zipfile.ZipInfo("blobs/" + hash_bytes(b"/etc/passwd")[7:])
            info.external_attr = (kind | 0o777) << 16
            self.refused(empty, rewrite(good, extra=[(info, b"/etc/passwd")]), "regular")

    def test_bytes_that_are_not_those_of_the_digest(self, good: Path, empty: Workspace) -> None:
        changed = rewrite(good, blobs=lambda name, data: bytes(len(data)))
        self.refused(empty, changed, "should have the digest")
        # Not even blobs that nothing refers to are left behind under a wrong digest.
        assert empty.verify().sound

    def test_bombs(self, good: Path, empty: Workspace) -> None:
        bomb = bytes(32 << 20)
        name = "blobs/" + hash_bytes(bomb)[7:]
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        self.refused(empty, rewrite(good, extra=[(info, bomb)]), "compressed, though it is large")
        many = rewrite(
            good,
            raw_manifest=b" " * (65 << 20),
        )
        data = many.read_bytes()
        assert len(data) < 1 << 20
        self.refused(empty, many, "grow|manifest")

    def test_sizes_that_lie(self, good: Path, empty: Workspace) -> None:
        """A header that promises fewer bytes than the stream holds gives no more than promised."""
        data = bytearray(good.read_bytes())
        place = data.index(b"PK\x01\x02")  # the central entry of the manifest
        (size,) = struct.unpack_from("<I", data, place + 24)
        struct.pack_into("<I", data, place + 24, size - 10)
        good.write_bytes(data)
        self.refused(empty, good)
        struct.pack_into("<I", data, place + 24, size + 10)
        good.write_bytes(data)
        self.refused(empty, good)

    def test_entries_within_each_other(self, good: Path, empty: Workspace) -> None:
        data = bytearray(good.read_bytes())
        first = data.index(b"PK\x01\x02")
        second = data.index(b"PK\x01\x02", first + 4)
        third = data.index(b"PK\x01\x02", second + 4)
        (offset,) = struct.unpack_from("<I", data, second + 42)
        struct.pack_into("<I", data, third + 42, offset)
        good.write_bytes(data)
        self.refused(empty, good)

    def test_encrypted_entries(self, good: Path, empty: Workspace) -> None:
        data = bytearray(good.read_bytes())
        place = data.index(b"PK\x01\x02")
        data[place + 8] |= 1
        good.write_bytes(data)
        self.refused(empty, good, "encrypted")

    def test_manifests_that_are_no_json(self, good: Path, empty: Workspace) -> None:
        for raw in (b"", b"[]", b"{", b"\xff\xfe", b"[" * 200_000, b'{"format":' + b"1" * 5000):
            self.refused(empty, rewrite(good, raw_manifest=raw))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda v: v.update(uid="../../x"), r"versions\[\d\]\.uid"),
            (lambda v: v.update(uid=7), "uid"),
            (lambda v: v.update(key="../evil"), "key"),
            (lambda v: v.update(key="a//b"), "key"),
            (lambda v: v.update(project="a/b"), "project"),
            (lambda v: v.update(kind="thing"), "kind"),
            (lambda v: v.update(tags=["latest"]), "tag"),
            (lambda v: v.update(tags=["12"]), "tag"),
            (lambda v: v.update(name="latest"), "tag"),
            (lambda v: v.update(labels={"a/b": "c"}), "label"),
            (lambda v: v.update(labels={"a": 1}), "labels"),
            (lambda v: v.update(iteration=-1), "iteration"),
            (lambda v: v.update(number=1 << 70), "64 bits"),
            (lambda v: v.update(size=v["size"] + 1), "size"),
            (lambda v: v.update(handler="pickle"), "digest"),
            (lambda v: v.update(digest="blake3:" + "0" * 64), "digest"),
            (lambda v: v.update(digest="sha256:" + "0" * 64), "digest"),
            (lambda v: v.update(created="yesterday"), "time"),
            (lambda v: v.update(created="2026-01-01T00:00:00"), "time zone"),
            (lambda v: v.update(metadata=[]), "metadata"),
            (lambda v: v.pop("handler"), "handler"),
            (lambda v: v.update(files=None), "files"),
            (lambda v: v["files"].append(v["files"][0]), "twice"),
            (lambda v: v["files"][0].update(path="../../evil"), "path"),
            (lambda v: v["files"][0].update(path="/etc/passwd"), "path"),
            (lambda v: v["files"][0].update(path="a\\b"), "backslash"),
            (lambda v: v["files"][0].update(inline="eA=="), "bytes"),
            (lambda v: v["files"][0].update(size=-1), "negative"),
            (lambda v: v["files"][0].update(digest="blake3:" + "0" * 64), "digest|not in it"),
            (lambda v: v.update(producer={"step": "x"}), "job"),
        ],
    )
    def test_records_that_are_wrong(
        self, good: Path, empty: Workspace, change: Callable[[dict[str, Any]], object], words: str
    ) -> None:
        self.refused(empty, rewrite(good, manifest=lambda d: change(d["versions"][0])), words)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda d: d.update(versions={}), "no list"),
            (lambda d: d["versions"].append(d["versions"][0]), "twice"),
            (lambda d: d["jobs"].append(d["jobs"][0]), "twice"),
            (lambda d: d.update(asked=["01a1fd3e-6b4a-7675-9cca-fafd425614d5"]), "asked"),
            (lambda d: d["jobs"][0].update(id="x"), "uid"),
            (lambda d: d["jobs"][0].update(status="great"), "none of"),
            (lambda d: d["jobs"][0].update(plugins={"p": "../x"}), "uid"),
            (lambda d: d["jobs"][0].update(log="blake3:" + "0" * 64), "not in it"),
            (lambda d: d["jobs"][0].update(metrics=d["jobs"][0]["environment"]), "metrics"),
            (lambda d: d["jobs"][0]["outputs"].append({"job": "x", "name": "n", "version": "v"}),
             "another job"),
            (lambda d: d.update(documents=["x"]), "no digest"),
            (lambda d: d.update(blobs=[]), "lists no blobs"),
            (lambda d: d.update(blobs={"x": 1}), "lists the blob"),
            (lambda d: d["blobs"].update({"blake3:" + "0" * 64: 1}), "only in the manifest"),
            (lambda d: d["blobs"].update({next(iter(d["blobs"])): 7777}), "another size"),
            (lambda d: d.update(origin=None), "origin"),
        ],
    )  # fmt: skip
    def test_manifests_that_are_wrong(
        self, good: Path, empty: Workspace, change: Callable[[dict[str, Any]], object], words: str
    ) -> None:
        self.refused(empty, rewrite(good, manifest=change), words)

    def test_values_that_are_nested_too_deep(self, good: Path, empty: Workspace) -> None:
        deep: Any = 1
        for _ in range(500):
            deep = [deep]
        changed = rewrite(good, manifest=lambda d: d["versions"][0].update(metadata={"a": deep}))
        self.refused(empty, changed, "nested")

    def test_a_job_that_is_here_is_not_changed(self, good: Path, two: Workspace) -> None:
        import_bundle(two, good)
        record = two.get_artifact("made").producer
        assert record is not None
        before = two.get_job(record.job)

        def change(document: dict[str, Any]) -> None:
            document["jobs"][0].update(name="evil", params={"x": 1})
            document["jobs"][0]["steps"] = [
                {"job": record.job, "name": "s", "task": "t", "position": 0, "status": "failed"}
            ]

        done = import_bundle(two, rewrite(good, manifest=change))
        assert not done
        after = two.get_job(record.job)
        assert after.record == before.record
        assert dict(after.steps) == {}

    def test_where_a_version_came_from_is_not_changed(self, good: Path, two: Workspace) -> None:
        """A job in the file claims to have made a version that is here."""
        mine = two.save_artifact(1, "mine")
        import_bundle(two, good)
        other = "01a1fd00-0000-7000-8000-00000000000a"

        def change(document: dict[str, Any]) -> None:
            job = document["jobs"][0]
            job.update(id=other, log=None, metrics=None, inputs=[], outputs=[])
            job["steps"] = [
                {
                    "job": other,
                    "name": "s",
                    "task": "evil",
                    "position": 0,
                    "status": "finished",
                    "outputs": {"made": mine.uid, "new": UNKNOWN},
                }
            ]

        assert import_bundle(two, rewrite(good, manifest=change)).jobs == 1
        assert two.lineage("mine").steps == {}
        assert two.get_job(other).steps["s"].record.outputs == {"new": UNKNOWN}

    def test_other_content_under_a_known_uid(self, good: Path, two: Workspace) -> None:
        import_bundle(two, good)
        text = "some other text"

        def change(document: dict[str, Any]) -> None:
            from findspot.core.records import FileEntry, manifest_digest

            version = next(v for v in document["versions"] if v["key"] == "text")
            digest = hash_bytes(text.encode())
            entry = FileEntry("value.txt", digest, len(text))
            version["files"] = [{"path": "value.txt", "digest": digest, "size": len(text)}]
            version["digest"] = manifest_digest((entry,), "text")
            version["size"] = len(text)
            document["blobs"][digest] = len(text)

        name = "blobs/" + hash_bytes(text.encode())[7:]
        changed = rewrite(good, manifest=change, extra=[(name, text.encode())])
        with pytest.raises(FindspotError, match="other content"):
            import_bundle(two, changed)
        assert two.load_artifact("text") == "some text"


def test_limits_of_the_format() -> None:
    """Numbers that files out there depend on."""
    assert (bundles.FORMAT, bundles.MANIFEST, bundles.DEFLATED_UP_TO) == (1, "manifest.json", 65536)
