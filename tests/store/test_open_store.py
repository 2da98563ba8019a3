"""Blob stores by their URLs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from findspot.store import open_store
from findspot.store.cached_store import CachedBlobStore
from findspot.store.errors import ExtraMissing, UnknownStore
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore
from findspot.store.object_store import ObjectBlobStore


def test_a_path_and_a_file_url_are_the_same_local_store(tmp_path: Path) -> None:
    root = tmp_path / "größe #1?"
    for url in (str(root), root.as_uri(), root.as_uri().replace("file://", "file://localhost")):
        store = open_store(url)
        assert isinstance(store, LocalBlobStore)
        assert (store.root, store.url, store.durable) == (root, root.as_uri(), False)
        assert not root.exists(), "opening makes nothing"
    durable = open_store(str(root), durable=True)
    assert isinstance(durable, LocalBlobStore)
    assert durable.durable
    assert open_store(store.url).missing([durable.put(b"x").digest]) == set()


def test_a_relative_path_starts_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("blobs")
    monkeypatch.chdir("/")
    store.put(b"x")
    assert (tmp_path / "blobs" / "blake3").is_dir()


def test_a_path_may_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("~/blobs").url == (tmp_path / "blobs").as_uri()


def test_a_memory_store_is_shared_by_name() -> None:
    digest = open_store("memory://shared-by-name").put(b"x").digest
    again = open_store("memory://shared-by-name")
    assert isinstance(again, MemoryBlobStore)
    assert again.read(digest) == b"x"
    assert again.url == "memory://shared-by-name"
    assert open_store("memory://another-name").size(digest) is None
    assert open_store("memory://") is open_store("memory://")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host/blobs", "its scheme is 'ftp'"),
        ("", "names no folder"),
        ("file://", "names no folder"),
        ("file://elsewhere/blobs", "'elsewhere' is another machine"),
        ("file:///blobs?x=1", "%3F"),
        ("a\0b", "NUL"),
        ("file:///a%00b", "NUL"),
        ("s3://", "no name of a bucket"),
        ("s3:///prefix", "no name of a bucket"),
        ("gs://bucket name", "no name of a bucket"),
        ("s3://bucket/a?b=c", "prefix"),
        ("az://container/../other", "prefix"),
        ("S3://bucket", "its scheme is 'S3'"),
    ],
)
def test_what_is_no_store_is_refused_with_the_known_kinds(url: str, reason: str) -> None:
    with pytest.raises(UnknownStore, match=reason) as caught:
        open_store(url)
    assert caught.value.url == url
    for known in ("file:///<folder>", "memory://<name>", "s3://<bucket>/<prefix>"):
        assert known in caught.value.known
        assert known in str(caught.value)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnknownStore, match="a file, not a folder"):
        open_store(str(tmp_path / "file"))


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_a_bucket_is_opened_by_its_url(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_SKIP_SIGNATURE", "true")
    url = f"{scheme}://bucket/some/prefix"
    remote = open_store(url + "/")
    assert isinstance(remote, ObjectBlobStore)
    assert remote.url == url
    client = remote._transfers.client
    assert type(client).__name__ == {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}[scheme]
    cached = open_store(url, cache=tmp_path / "cache", cache_limit=1000)
    assert isinstance(cached, CachedBlobStore)
    assert (cached.url, cached.limit_bytes) == (url, 1000)
    assert cached.local.root == tmp_path / "cache"
    assert not (tmp_path / "cache").exists(), "opening makes nothing"


def test_a_local_store_needs_no_cache(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path), cache=tmp_path / "cache"), LocalBlobStore)


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    with pytest.raises(UnknownStore, match="no place for credentials") as caught:
        open_store("s3://key:secret@bucket/prefix")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(vars(caught.value))


def test_without_obstore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'findspot\[s3\]'"):
        open_store("s3://bucket/prefix")


def test_obstore_is_imported_when_the_store_is_used() -> None:
    code = "import sys; from findspot.store import open_store; open_store('s3://bucket/prefix');"
    code += "print('obstore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_package_imports_no_implementation() -> None:
    code = "import sys, findspot.store; print([m for m in sys.modules if 'blake3' in m or "
    code += "m.startswith('findspot.store.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
