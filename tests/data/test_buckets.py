"""Items in buckets: what is special about them."""

from __future__ import annotations

import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from findspot.core.errors import NotFound
from findspot.data import (
    AccessDenied,
    BadUrl,
    DataItem,
    ItemChanged,
    NoListing,
    TransferFailed,
    Unreachable,
    get_dataitem,
)
from findspot.data.object_stores import azure_settings
from http_files import WebServer
from object_storage import S3Server


def test_a_large_object_takes_little_memory(s3_bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as sink:
        for _ in range(24):
            sink.write(bytes(1 << 20))
    item = get_dataitem(f"{s3_bucket}/large")
    item.exists()
    tracemalloc.start()
    try:
        item.upload(source)
        copy = item.download(tmp_path / "copy")
        item.put(b"x", append=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert copy.stat().st_size == 24 << 20
    assert item.stat().size == (24 << 20) + 1
    assert peak < 12 << 20


def test_a_reader_keeps_to_one_state(s3_bucket: str) -> None:
    item = get_dataitem(f"{s3_bucket}/data")
    item.put(bytes(4 << 20))
    with item.open() as reader:
        reader.read(10)
        item.put(b"\1" * (4 << 20))
        reader.seek(3 << 20)
        with pytest.raises(ItemChanged):
            reader.read(10)


@pytest.fixture
def cutting(s3_bucket: str, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """A server that speaks enough of S3 to be read from, and cuts connections when told to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", web.url)
    return web


def test_cut_connections_are_resumed(cutting: WebServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    cutting.add("/bucket/data.bin", data, cuts=[2_000_000, 0, 1_000_000, 0])
    item = get_dataitem("s3://bucket/data.bin")
    assert item.download(tmp_path / "copy").read_bytes() == data
    assert cutting.count("GET") == 5
    cutting.files["/bucket/data.bin"].statuses = [503, 500, 503]
    assert item.get() == data


def test_an_item_that_changes_under_way_is_never_mixed(cutting: WebServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    cutting.add("/bucket/data.bin", data, cuts=[2_000_000], then=bytes(len(data)))
    item = get_dataitem("s3://bucket/data.bin")
    with pytest.raises(ItemChanged):
        item.download(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_transfer_that_never_gets_on_fails_cleanly(cutting: WebServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    cutting.add("/bucket/data.bin", data, cuts=[2_000_000, *[0] * 50])
    item = get_dataitem("s3://bucket/data.bin")
    with pytest.raises(TransferFailed, match="of 5120000 bytes"):
        item.download(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_keys_are_taken_as_they_are_written(s3_bucket: str) -> None:
    keys = ["a b.txt", "a%20b.txt", "part#1.txt", "what?.txt"]
    for key in keys:
        item = get_dataitem(f"{s3_bucket}/{key}")
        item.put(key)
        assert item.get(encoding="utf-8") == key
    assert get_dataitem(s3_bucket).listdir() == keys


def test_hostile_keys_are_no_way_out(s3_bucket: str, s3_server: S3Server) -> None:
    bucket = s3_bucket.removeprefix("s3://")
    s3_server.ask("PUT", f"/{bucket}/folder/%2E%2E/evil.txt", b"x")
    with pytest.raises(NoListing, match="no path"):
        get_dataitem(f"{s3_bucket}/folder").ls()
    with pytest.raises(BadUrl, match=r"'\.\.' is not allowed"):
        get_dataitem(f"{s3_bucket}/folder/../evil.txt")


def test_media_types_are_kept(s3_bucket: str, s3_server: S3Server) -> None:
    item = get_dataitem(f"{s3_bucket}/table.parquet")
    item.put(b"x")
    assert item.stat().content_type == "application/vnd.apache.parquet"


def test_folders_and_buckets(s3_bucket: str) -> None:
    get_dataitem(f"{s3_bucket}/folder/a.txt").put(b"x")
    assert get_dataitem(s3_bucket).listdir() == ["folder/"]
    assert get_dataitem(f"{s3_bucket}/folder/").exists()
    assert not get_dataitem(f"{s3_bucket}/nothing/").exists()
    for url in (f"{s3_bucket}/folder/", s3_bucket):
        with pytest.raises(BadUrl, match="folder, not an object"):
            get_dataitem(url).get()
    assert get_dataitem(f"{s3_bucket}/folder").exists()
    assert get_dataitem(s3_bucket).exists()
    assert not get_dataitem("s3://no-such-bucket").exists()
    with pytest.raises(NotFound):
        get_dataitem("s3://no-such-bucket/a.txt").get()


def test_a_bucket_that_is_missing_is_told_from_an_item(s3_bucket: str) -> None:
    with pytest.raises(NotFound, match=f"no item '{s3_bucket}/a.txt'"):
        get_dataitem(f"{s3_bucket}/a.txt").get()
    gone: list[Callable[[DataItem], object]] = [
        lambda item: item.get(),
        lambda item: item.stat(),
        lambda item: item.put(b"x"),
    ]
    for ask in gone:
        with pytest.raises(NotFound, match=r"no bucket 's3://no-such-bucket'.*\n.*Make"):
            ask(get_dataitem("s3://no-such-bucket/folder/a.txt"))
    with pytest.raises(NotFound, match="no bucket 's3://no-such-bucket'"):
        get_dataitem("s3://no-such-bucket/folder/").ls()


def test_nobody_there(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match="refused"):
        get_dataitem(f"{s3_bucket}/a.txt").get()


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("s3://AKIA123:s3cr3t@bucket/key", "s3cr3t"),
        ("az://container/blob.csv?sv=2024&sig=s3cr3t", "s3cr3t"),
        ("gs://u:s3cr3t@bucket/key", "s3cr3t"),
    ],
)
def test_credentials_in_urls_are_refused_unseen(url: str, secret: str) -> None:
    with pytest.raises(BadUrl, match="environment variables") as caught:
        get_dataitem(url)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://", "gs:///key", "memory://", "az://"])
def test_urls_without_a_bucket(url: str) -> None:
    with pytest.raises(BadUrl, match="no bucket"):
        get_dataitem(url)


def test_an_account_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadUrl, match="AZURE_STORAGE_ACCOUNT_NAME"):
        get_dataitem("az://container/blob.csv").get()


def test_connection_strings() -> None:
    connection = (
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5PQ==;BlobEndpoint=http://h/a"
    )
    assert azure_settings(connection) == {
        "account_name": "a",
        "account_key": "a2V5PQ==",
        "endpoint": "http://h/a",
    }
    assert azure_settings("") == {}


def test_credentials_that_are_refused(
    s3_bucket: str, web_denying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", web_denying)
    with pytest.raises(AccessDenied, match="AWS_ACCESS_KEY_ID") as caught:
        get_dataitem(f"{s3_bucket}/a.txt").get()
    assert "test-secret" not in str(caught.value)


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['obstore'] = None\n"
        "from findspot.data import get_dataitem, MissingLibrary\n"
        "try: get_dataitem('memory://a/b')\n"
        "except MissingLibrary as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "pip install 'findspot[s3]'" in done.stdout
