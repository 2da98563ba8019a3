"""Blob stores by their URLs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from findspot.store import open_store
from findspot.store.errors import UnknownStore
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore


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
    ],
)
def test_what_is_no_store_is_refused_with_the_known_kinds(url: str, reason: str) -> None:
    with pytest.raises(UnknownStore, match=reason) as caught:
        open_store(url)
    assert caught.value.url == url
    for known in ("file:///<folder>", "memory://<name>"):
        assert known in caught.value.known
        assert known in str(caught.value)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnknownStore, match="a file, not a folder"):
        open_store(str(tmp_path / "file"))


def test_the_package_imports_no_implementation() -> None:
    code = "import sys, findspot.store; print([m for m in sys.modules if 'blake3' in m or "
    code += "m.startswith('findspot.store.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
