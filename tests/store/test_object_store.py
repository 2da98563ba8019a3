"""What is special to blobs in a bucket: requests, retries, refusals, and what others leave."""

from __future__ import annotations

import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, ReadOnly, StorageFull
from findspot.store import buffers, object_clients, object_store, object_transfers, open_store
from findspot.store.errors import StoreUnreachable, StoreUnreadable, WriteRefused
from findspot.store.object_clients import Place
from findspot.store.object_store import ObjectBlobStore
from findspot.store.protocol import Blob
from findspot.store.s3_uploads import UnfinishedUploads
from object_storage import Answer, Asked, Cut, Proxy

MIB = 1 << 20
BIG = random.Random(7).randbytes(17 * MIB + 5)
SECRET = "test-secret"


def key(digest: Digest) -> str:
    return f"blake3/{digest[7:9]}/{digest[9:]}"


def overwrite(store: ObjectBlobStore, digest: Digest, data: bytes) -> None:
    import obstore

    obstore.put(store._transfers.client, key(digest), data)


# ----------------------------------------------------------------- what travels


def test_objects_lie_under_the_prefix_by_their_digests(s3_bucket: str) -> None:
    store = open_store(f"{s3_bucket}/some/where/")
    assert isinstance(store, ObjectBlobStore)
    digest = store.put(b"sherds").digest
    everything = ObjectBlobStore(s3_bucket)._transfers.listing("")
    assert [name for name, _, _ in everything] == [f"some/where/{key(digest)}"]
    assert store.url == f"{s3_bucket}/some/where"
    assert list(open_store(f"{s3_bucket}/some").list()) == []


@pytest.mark.parametrize("size", [100_000, pytest.param(9 * MIB, marks=pytest.mark.slow)])
@pytest.mark.parametrize("known", [True, False], ids=["same-process", "another-process"])
def test_what_is_stored_is_not_sent_again(
    s3_through_proxy: tuple[str, Proxy], tmp_path: Path, size: int, known: bool
) -> None:
    url, proxy = s3_through_proxy
    data, file = BIG[:size], tmp_path / "file"
    file.write_bytes(data)
    store = ObjectBlobStore(url)
    store.put(data)
    assert proxy.uploaded() >= size
    if not known:
        store = ObjectBlobStore(url)
    proxy.asked.clear()
    proxy.sent = 0
    assert store.put(data) == store.put_file(file) == Blob(hash_bytes(data), size)
    assert proxy.uploaded() == 0
    assert proxy.sent == 0, "and it was told by its mark, not by a download"


@pytest.mark.slow
def test_a_blob_whose_mark_says_nothing_is_compared_and_not_sent_again(
    s3_through_proxy: tuple[str, Proxy],
) -> None:
    """As where objects are encrypted, or the bucket is not S3's."""
    url, proxy = s3_through_proxy
    data = BIG[: 9 * MIB]
    store = ObjectBlobStore(url)
    digest = hash_bytes(data)
    import obstore

    # Stored in parts of another size than Findspot's.
    obstore.put(store._transfers.client, key(digest), data, chunk_size=6 * MIB)
    proxy.asked.clear()
    store.put(data)
    assert proxy.uploaded() == 0
    overwrite(store, digest, data[:-1] + b"!")
    store.put(data)
    assert store.verify(digest) == Blob(digest, len(data))


@pytest.mark.slow
def test_a_file_that_changes_after_its_hash_is_stored_as_it_was_read(
    s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(BIG)
    changed = b"changed!" + BIG[8:]
    whole = buffers.hash_open_file

    def hash_and_change(fd: int) -> tuple[Digest, int]:
        found = whole(fd)
        file.write_bytes(changed)
        return found

    monkeypatch.setattr(object_store, "hash_open_file", hash_and_change)
    store = ObjectBlobStore(s3_bucket)
    blob = store.put_file(file)
    assert blob == Blob(hash_bytes(changed), len(changed))
    assert store.read(blob.digest) == changed
    assert [stored.digest for stored in store.list()] == [blob.digest]
    assert store.tidy(older_than_seconds=0) == 0


@pytest.mark.slow
def test_a_writer_of_a_large_blob_leaves_only_the_blob(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in (1 << 40, MIB):  # copied by the server; and too large for it
        monkeypatch.setattr(object_store, "COPY_LIMIT", limit)
        store = ObjectBlobStore(f"{s3_bucket}/{limit}")
        with store.writer() as writer:
            writer.write(BIG)
            digest = writer.commit().digest
        assert store.read(digest) == BIG
        assert list(store._transfers.listing("tmp")) == []
        assert list(UnfinishedUploads(store._place).list()) == []


def test_a_server_without_conditional_puts_is_asked_first(
    s3_through_proxy: tuple[str, Proxy],
) -> None:
    url, proxy = s3_through_proxy
    refused: list[Asked] = []

    def fault(asked: Asked) -> Answer | None:
        if asked.method == "PUT" and not refused:
            refused.append(asked)
            return Answer.error(501, "NotImplemented")
        return None

    proxy.fault = fault
    store = ObjectBlobStore(url, retries=0)
    digest = store.put(b"sherds").digest
    assert store.read(digest) == b"sherds"
    proxy.asked.clear()
    store.put(b"sherds")
    assert {asked.method for asked in proxy.asked} == {"HEAD"}


# ----------------------------------------------------------------- broken connections


@pytest.mark.parametrize("fast", [0, 1 << 60], ids=["one-connection", "several"])
def test_a_broken_download_goes_on_where_it_broke(
    s3_through_proxy: tuple[str, Proxy], monkeypatch: pytest.MonkeyPatch, fast: int
) -> None:
    monkeypatch.setattr(object_transfers, "FAST", fast)
    monkeypatch.setattr(object_transfers, "RANGE", 3 * MIB)
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url)
    digest = store.put(BIG).digest
    broken: list[str] = []

    def fault(asked: Asked) -> Cut | None:
        if asked.method == "GET" and len(broken) < 3:
            broken.append(asked.path)
            return Cut(5 * MIB // 2)
        return None

    proxy.fault = fault
    proxy.sent = 0
    proxy.asked.clear()
    assert store.read(digest) == BIG
    assert len(broken) == 3
    gets = [asked.method for asked in proxy.asked].count("GET")
    assert gets == 4 if not fast else gets >= 6
    assert proxy.sent < len(BIG) + 3 * 2 * MIB, "what had arrived was not fetched again"


def test_a_download_that_breaks_for_good_fails_cleanly(
    s3_through_proxy: tuple[str, Proxy],
) -> None:
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url, retries=1)
    digest = store.put(BIG[: 3 * MIB]).digest
    proxy.fault = lambda asked: Cut(1000) if asked.method == "GET" else None
    with pytest.raises(StoreUnreachable, match=proxy.endpoint):
        store.read(digest)
    proxy.fault = lambda asked: None
    assert store.read(digest) == BIG[: 3 * MIB]


@pytest.mark.slow
def test_a_server_that_is_overloaded_for_a_while_is_asked_again(
    s3_through_proxy: tuple[str, Proxy],
) -> None:
    url, proxy = s3_through_proxy
    turns = iter(range(100))

    def every_other_time(asked: Asked) -> Answer | None:
        return Answer.error(503, "SlowDown") if next(turns) % 2 == 0 else None

    proxy.fault = every_other_time
    store = ObjectBlobStore(url)
    for data in (b"sherds", BIG):
        assert store.read(store.put(data).digest) == data


def test_a_connection_that_went_silent_is_given_up_and_asked_anew(
    s3_through_proxy: tuple[str, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_clients, "SILENCE", timedelta(seconds=2))
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url)
    digest = store.put(b"sherds").digest
    let_go, silent = threading.Event(), iter([True])

    def fall_silent(asked: Asked) -> None:
        if asked.method == "GET" and next(silent, False):
            let_go.wait(120)

    proxy.fault = fall_silent
    began = time.monotonic()
    try:
        assert store.read(digest) == b"sherds"
        assert time.monotonic() - began < 60
    finally:
        let_go.set()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_so_is_one_by_which_little_is_sent(
    s3_through_proxy: tuple[str, Proxy], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(object_clients, "SILENCE", timedelta(seconds=2))
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url)
    let_go, silent = threading.Event(), iter([True])

    def fall_silent(asked: Asked) -> None:
        sent = "POST" if method == "DELETE" and "delete" in asked.path else asked.method
        if sent in (method, "POST") and next(silent, False):
            let_go.wait(120)

    proxy.fault = fall_silent
    began = time.monotonic()
    try:
        digest = store.put(b"sherds").digest
        assert store.read(digest) == b"sherds"
        assert store.delete(digest)
        assert store.size(digest) is None
        assert next(silent, None) is None, "it was silent once"
        assert time.monotonic() - began < 60
    finally:
        let_go.set()


@pytest.mark.slow
def test_an_upload_that_fails_for_good_leaves_nothing(s3_through_proxy: tuple[str, Proxy]) -> None:
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url, retries=0)
    proxy.fault = lambda asked: (
        Answer.error(500, "InternalError") if "partNumber=2" in asked.path else None
    )
    with pytest.raises(StoreUnreachable, match="status 500"):
        store.put(BIG)

    def write() -> None:
        with store.writer() as writer:
            writer.write(BIG)
            writer.commit()

    with pytest.raises(StoreUnreachable, match="status 500"):
        write()
    proxy.fault = lambda asked: None
    assert list(store.list()) == []
    assert list(UnfinishedUploads(store._place).list()) == []
    assert store.put(BIG).size == len(BIG)


def test_no_connection_says_where_and_how(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = ObjectBlobStore(s3_bucket, retries=1)
    digest = hash_bytes(b"x")
    acts: list[Callable[[], object]] = [
        lambda: store.put(b"x"),
        lambda: store.put(BIG),
        lambda: store.read(digest),
        lambda: store.size(digest),
        lambda: store.missing([digest]),
        lambda: list(store.list()),
        lambda: store.delete(digest),
        lambda: store.tidy(),
    ]
    for act in acts:
        with pytest.raises(StoreUnreachable) as caught:
            act()
        assert caught.value.endpoint == "http://127.0.0.1:9"
        assert caught.value.where == s3_bucket
        assert "AWS_ENDPOINT_URL" in str(caught.value)


# ----------------------------------------------------------------- refusals


def test_a_bucket_that_does_not_exist_is_not_a_missing_blob(s3_bucket: str) -> None:
    store = ObjectBlobStore("s3://no-such-bucket/prefix")
    digest = hash_bytes(b"x")
    acts: list[Callable[[], object]] = [
        lambda: store.size(digest),
        lambda: store.missing([digest]),
        lambda: store.read(digest),
        lambda: store.put(b"x"),
        lambda: store.put(BIG),
        lambda: list(store.list()),
    ]
    for act in acts:
        with pytest.raises(StoreUnreachable, match="no such bucket"):
            act()


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_refused_credentials_are_named_by_the_servers_reason(
    s3_through_proxy: tuple[str, Proxy], code: str
) -> None:
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url)
    digest = store.put(b"x").digest
    proxy.fault = lambda asked: Answer.error(403, code)
    for data in (b"y", BIG):
        # A large blob is asked for before it is sent.
        with pytest.raises((ReadOnly, StoreUnreadable), match=f"{code}|status 403") as refused:
            store.put(data)
        assert "AWS_ACCESS_KEY_ID" in str(refused.value)
        assert SECRET not in str(refused.value)
    with pytest.raises(StoreUnreadable, match=code):
        store.read(digest)
    for look in (lambda: store.size(digest), lambda: store.missing([digest])):
        with pytest.raises(StoreUnreadable, match="403"):
            look()


def test_a_bucket_that_may_only_be_read_is_read_only(s3_through_proxy: tuple[str, Proxy]) -> None:
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url)
    digest = store.put(b"x").digest
    proxy.fault = lambda asked: (
        None if asked.method in ("GET", "HEAD") else Answer.error(403, "AccessDenied")
    )
    acts: list[Callable[[], object]] = [
        lambda: store.put(b"y"),
        lambda: store.put(BIG),
        lambda: store.delete(digest),
    ]
    for act in acts:
        with pytest.raises(WriteRefused, match="AccessDenied"):
            act()
    assert store.read(digest) == b"x"


def test_a_full_bucket_is_full(s3_through_proxy: tuple[str, Proxy]) -> None:
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url, retries=0)
    for answer in (Answer.error(507, "InsufficientStorage"), Answer.error(400, "QuotaExceeded")):
        proxy.fault = lambda asked, answer=answer: answer if asked.method == "PUT" else None  # type: ignore[misc]
        with pytest.raises(StorageFull):
            store.put(b"x")


def test_no_error_and_no_picture_of_a_store_shows_credentials(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import traceback

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:password@127.0.0.1:9")
    store = ObjectBlobStore(s3_bucket, retries=0)
    try:
        store.read(hash_bytes(b"x"))
    except StoreUnreachable as error:
        text = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert "password" not in text
        assert SECRET not in text
    else:
        pytest.fail("there is no server")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert SECRET not in repr(store)
    assert SECRET.encode() not in pickle.dumps(store)


# ----------------------------------------------------------------- damage


@pytest.mark.parametrize("size", [1000, pytest.param(9 * MIB, marks=pytest.mark.slow)])
def test_an_object_changed_behind_our_back_is_never_returned(s3_bucket: str, size: int) -> None:
    store = ObjectBlobStore(s3_bucket)
    data = BIG[:size]
    digest = store.put(data).digest
    for wrong in (data[:-1], data + b"+", data[: size // 2], b"", b"?" * size):
        overwrite(store, digest, wrong)
        acts: list[Callable[[], object]] = [
            lambda: store.read(digest),
            lambda: store.open(digest),
            lambda: store.verify(digest),
            lambda: ObjectBlobStore(s3_bucket).read(digest),
        ]
        for act in acts:
            with pytest.raises(BlobDamaged) as caught:
                act()
            assert caught.value.where == f"{s3_bucket}/{key(digest)}"
            assert caught.value.found == hash_bytes(wrong)
    ObjectBlobStore(s3_bucket).put(data)  # which has never read it
    assert store.read(digest) == data


@pytest.mark.slow
def test_an_object_that_shrinks_while_it_is_read_is_damaged(
    s3_through_proxy: tuple[str, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_transfers, "FAST", 1 << 60)
    monkeypatch.setattr(object_transfers, "RANGE", 3 * MIB)
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url)
    digest = store.put(BIG).digest
    seen: list[Asked] = []

    def shrink(asked: Asked) -> None:
        if asked.method == "GET":
            seen.append(asked)
            if len(seen) == 2:
                overwrite(direct, digest, BIG[: 10 * MIB])

    direct = ObjectBlobStore(url, client=store._transfers.client)
    proxy.fault = shrink
    with pytest.raises(BlobDamaged):
        store.read(digest)


# ----------------------------------------------------------------- leftovers

KILLED = """
import sys
from findspot.store import open_store
with open_store(sys.argv[1]).writer(size_hint=64 << 20) as writer:
    for _ in range(5):
        writer.write(bytes(8 << 20))
    print("half way", flush=True)
    sys.stdin.read()
"""


def test_a_killed_upload_is_invisible_and_tidied(s3_bucket: str, tmp_path: Path) -> None:
    store = ObjectBlobStore(f"{s3_bucket}/prefix", scratch_folder=tmp_path / "scratch")
    kept = store.put(b"kept").digest
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, store.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half way\n"
        child.send_signal(signal.SIGKILL)
    overwritten = store._transfers
    overwritten.put("tmp/left", memoryview(b"an object that was never published"), create=True)
    other = ObjectBlobStore(f"{s3_bucket}/other", scratch_folder=tmp_path / "scratch")
    with other.writer() as alive:
        alive.write(BIG)
        uploads = UnfinishedUploads(store._place)
        assert len(list(uploads.list())) == 1
        assert {stored.digest for stored in store.list()} == {kept}
        assert store.tidy(older_than_seconds=0) >= 8 * MIB
        assert list(uploads.list()) == []
        assert list(store._transfers.listing("tmp")) == []
        assert store.tidy(older_than_seconds=0) == 0
        assert alive.commit().size == len(BIG), "another prefix is another store"
    assert store.read(kept) == b"kept"


def test_tidy_leaves_what_is_young(s3_through_proxy: tuple[str, Proxy], tmp_path: Path) -> None:
    url, proxy = s3_through_proxy
    store = ObjectBlobStore(url, scratch_folder=tmp_path / "scratch")
    store._transfers.put("tmp/young", memoryview(b"young"), create=True)
    uploads = "".join(
        f"<Upload><Key>{name}</Key><UploadId>{name}</UploadId><Initiated>{time}</Initiated></Upload>"
        for name, time in [
            ("tmp/young", "2999-01-01T00:00:00.000Z"),
            ("tmp/strange", "yesterday"),
            ("foreign/old", "2001-01-01T00:00:00.000Z"),
        ]
    )
    listing = f"<List><IsTruncated>false</IsTruncated>{uploads}</List>".encode()
    proxy.fault = lambda asked: Answer(200, listing) if "uploads=" in asked.path else None
    proxy.asked.clear()
    assert store.tidy() == 0
    assert {asked.method for asked in proxy.asked} == {"GET"}
    assert len(list(store._transfers.listing("tmp"))) == 1


def test_unfinished_uploads_are_read_page_by_page(s3_through_proxy: tuple[str, Proxy]) -> None:
    url, proxy = s3_through_proxy

    def page(asked: Asked) -> Answer:
        last = "key-marker=tmp%2Fa" in asked.path
        name = "tmp/b" if last else "tmp/a"
        return Answer(
            200,
            f'<L xmlns="http://x"><IsTruncated>{"false" if last else "true"}</IsTruncated>'
            f"<NextKeyMarker>tmp/a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>"
            f"<Upload><Key>{name}</Key><UploadId>1</UploadId>"
            f"<Initiated>2020-01-01T00:00:00Z</Initiated></Upload></L>".encode(),
        )

    proxy.fault = page
    uploads = UnfinishedUploads(Place("s3", url.removeprefix("s3://"), ""))
    assert [upload.key for upload in uploads.list()] == ["tmp/a", "tmp/b"]
    proxy.fault = lambda asked: Answer.error(403, "AccessDenied")
    with pytest.raises(StoreUnreadable, match="unfinished uploads"):
        uploads.remove(0)
    proxy.fault = lambda asked: Answer(200, b"this is no XML")
    with pytest.raises(StoreUnreachable, match="unfinished uploads"):
        uploads.remove(0)


# ----------------------------------------------------------------- memory

MEASURED = """
import resource, sys
from pathlib import Path
from findspot.store import open_store
store = open_store(sys.argv[1])
store.put(b"warm")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = Path(sys.argv[2])
digest = store.put_file(file).digest
store.verify(digest)
with store.writer() as writer, file.open("rb") as source:
    writer.write(b"another ")
    while data := source.read(8 << 20):
        writer.write(data)
    writer.commit()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_large_file_goes_and_comes_in_constant_memory(s3_bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as target:
        for number in range(32):
            target.write(random.Random(number).randbytes(8 * MIB))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, s3_bucket, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 192 << 10, "KiB, of 256 MiB that went twice and came once"
