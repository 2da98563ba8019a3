"""Clients of buckets: signed URLs, other processes, and the environment that says where."""

from __future__ import annotations

import pickle
import subprocess
import sys
import urllib.request

import pytest

from findspot.core.digests import hash_bytes
from findspot.core.errors import BlobMissing
from findspot.store.errors import CannotSign
from findspot.store.object_clients import Place
from findspot.store.object_store import ObjectBlobStore
from object_storage import S3Server

SECRET = "test-secret"


def test_a_signed_url_gives_the_bytes_to_who_has_no_credentials(s3_bucket: str) -> None:
    store = ObjectBlobStore(s3_bucket)
    digest = store.put(b"sherds").digest
    url = store.presigned(digest, 60)
    assert "X-Amz-Signature" in url
    assert SECRET not in url
    with urllib.request.urlopen(url, timeout=120) as answer:
        assert answer.read() == b"sherds"
    with pytest.raises(BlobMissing):
        store.presigned(hash_bytes(b"absent"))
    for seconds in (0, -5, 8 * 86_400):
        with pytest.raises(ValueError, match="seconds"):
            store.presigned(digest, seconds)


def test_what_is_on_no_server_cannot_be_signed() -> None:
    from obstore.store import MemoryStore

    store = ObjectBlobStore("s3://test", client=MemoryStore())
    with pytest.raises(CannotSign):
        store.presigned(store.put(b"x").digest)


def test_a_store_travels_to_another_process(s3_bucket: str) -> None:
    store = ObjectBlobStore(s3_bucket)
    digest = store.put(b"sherds").digest
    code = (
        "import pickle, sys; store = pickle.load(sys.stdin.buffer); print(store.read(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, digest],
        input=pickle.dumps(store),
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == b"b'sherds'"


FORKED = """
import os, sys
from findspot.core.errors import FindspotError
from findspot.store import open_store
store = open_store(sys.argv[1])
digest = store.put(b"x").digest
if os.fork() == 0:
    try:
        store.read(digest)
    except FindspotError as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_forked_child_is_told_instead_of_waiting_for_ever(s3_bucket: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, s3_bucket], capture_output=True, text=True, timeout=300
    )
    assert "UsedInFork" in done.stdout
    assert "spawn" in done.stdout


def test_the_environment_says_where(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("s3", "bucket", "")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert place.endpoint == "https://s3.us-east-1.amazonaws.com"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert place.endpoint == "https://s3.eu-central-1.amazonaws.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    assert place.endpoint == s3_server.endpoint
