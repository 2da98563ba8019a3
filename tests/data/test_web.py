"""Items of web servers, good and bad ones."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from findspot.core.errors import FindspotError, NotFound
from findspot.data import (
    AccessDenied,
    BadUrl,
    DataItem,
    ItemChanged,
    ItemReadOnly,
    ItemRefused,
    NoListing,
    TransferFailed,
    Unreachable,
    get_dataitem,
)
from findspot.data.http_files import _opener
from http_files import WebServer

DATA = bytes(range(256)) * 40_000


def read_all(item: DataItem) -> bytes:
    return item.get()


def read_open(item: DataItem) -> bytes:
    with item.open("rb") as reader:
        return reader.read()


def read_local(item: DataItem) -> bytes:
    return item.local().read_bytes()


ways = pytest.mark.parametrize("read", [read_all, read_open, read_local])


@ways
@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"etag": None},
        {"etag": 'W/"weak"'},
        {"etag": None, "modified": None},
        {"ranges": False},
        {"chunked": True},
        {"chunked": True, "etag": None, "modified": None, "ranges": False},
        {"head": False},
        {"statuses": [503, 500, 429]},
    ],
    ids=str,
)
def test_servers_of_all_sorts(
    web: WebServer, behaviour: dict[str, Any], read: Callable[[DataItem], bytes]
) -> None:
    url = web.add("/data.bin", DATA, **behaviour)
    assert read(get_dataitem(url)) == DATA


@pytest.mark.parametrize("ranges", [True, False])
def test_ranges(web: WebServer, ranges: bool) -> None:
    item = get_dataitem(web.add("/ten", b"0123456789", ranges=ranges))
    assert item.get(3, 4) == b"456"
    assert item.get(offset=8) == b"89"
    assert item.get(5, 10) == b""
    assert item.get(0) == b""
    assert item.get(100, 2) == b"23456789"
    with item.open() as reader:
        reader.seek(6)
        assert reader.read(2) == b"67"
        reader.seek(1)
        assert reader.read(2) == b"12"


def test_only_what_is_read_travels(web: WebServer) -> None:
    item = get_dataitem(web.add("/large", b"0123456789abcdef" * 4096, repeat=1000))
    with item.open() as reader:
        reader.seek(60_000_000)
        assert reader.read(4) == b"0123"
    (asked,) = [seen.headers["Range"] for seen in web.requests if seen.method == "GET"]
    assert asked == "bytes=60000000-61048575"


def test_without_ranges_a_reader_that_jumps_reads_a_copy(web: WebServer) -> None:
    item = get_dataitem(web.add("/data.bin", DATA, ranges=False))
    with item.open() as reader:
        for start in range(9_000_000, 0, -1_500_000):
            reader.seek(start)
            assert reader.read(5) == DATA[start : start + 5]
    assert web.count("GET") == 2
    with item.open() as reader:
        reader.read(5)
        web.files["/data.bin"].data = bytes(len(DATA))
        reader.seek(9_000_000)
        with pytest.raises(ItemChanged):
            reader.read(5)


@ways
def test_cut_connections_are_resumed(web: WebServer, read: Callable[[DataItem], bytes]) -> None:
    url = web.add("/data.bin", DATA, cuts=[3_000_000, 0, 2_000_000, 0, 0])
    assert read(get_dataitem(url)) == DATA
    asked = [seen.headers for seen in web.requests if seen.method == "GET"]
    assert len(asked) == 6
    assert "Range" not in asked[0] or asked[0]["Range"].startswith("bytes=0-")
    mark = web.files["/data.bin"].mark
    for headers in asked[1:]:
        assert headers["If-Match"] == mark
    assert asked[1]["Range"].startswith("bytes=3000000-")
    assert asked[5]["Range"].startswith("bytes=5000000-")


def test_without_ranges_the_rest_is_found_by_reading_again(web: WebServer) -> None:
    item = get_dataitem(web.add("/data.bin", DATA, ranges=False, cuts=[1_000_000, 5_000_000]))
    assert item.get() == DATA


@pytest.mark.parametrize("etag", ["", None, 'W/"same"'])
def test_an_item_that_changes_under_way_is_never_mixed(
    web: WebServer, tmp_path: Path, etag: str | None
) -> None:
    options: dict[str, Any] = {"etag": etag, "cuts": [3_000_000], "then": b"other" * 100_000}
    item = get_dataitem(web.add("/data.bin", DATA, **options))
    with pytest.raises(ItemChanged, match=r"data\.bin"):
        item.download(tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    assert item.get() == b"other" * 100_000


def test_a_reader_keeps_to_one_state(web: WebServer) -> None:
    url = web.add("/data.bin", DATA)
    with get_dataitem(url).open() as reader:
        assert reader.read(10) == DATA[:10]
        web.files["/data.bin"].data = bytes(len(DATA))
        reader.seek(8_000_000)
        with pytest.raises(ItemChanged):
            reader.read(10)


@ways
def test_a_transfer_that_never_gets_on_fails_cleanly(
    web: WebServer, tmp_path: Path, read: Callable[[DataItem], bytes]
) -> None:
    item = get_dataitem(web.add("/data.bin", DATA, cuts=[2_000_000, *[0] * 20]))
    with pytest.raises(TransferFailed, match=f"2000000 of {len(DATA)} bytes"):
        read(item)
    assert not [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()]


def test_what_cannot_be_recognised_is_downloaded_anew(web: WebServer, tmp_path: Path) -> None:
    url = web.add("/data.bin", DATA, etag=None, modified=None, cuts=[2_000_000, 3_000_000])
    assert get_dataitem(url).download(tmp_path / "copy").read_bytes() == DATA
    web.files["/data.bin"].cuts = [2_000_000]
    with pytest.raises(TransferFailed, match="the same bytes"):
        get_dataitem(url).get()


def test_a_cut_of_unknown_length_is_noticed(web: WebServer) -> None:
    url = web.add("/data.bin", DATA, chunked=True, cuts=[2_000_000])
    assert get_dataitem(url).get() == DATA
    assert web.count("GET") == 2


@pytest.mark.slow
def test_a_large_file_takes_little_memory(web: WebServer, tmp_path: Path) -> None:
    block = bytes(range(256)) * 256
    size = len(block) * 1600
    item = get_dataitem(web.add("/large", block, repeat=1600, cuts=[30_000_000]))
    item.exists()
    tracemalloc.start()
    try:
        path = item.download(tmp_path / "copy")
        with item.open() as reader:
            while reader.read(1 << 20):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == size
    assert size > 100_000_000
    assert peak < 12 << 20


def test_local_copies_are_downloaded_once_for_each_state(web: WebServer) -> None:
    url = web.add("/a/data.csv", b"old")
    first = get_dataitem(url).local()
    assert first.name == "data.csv"
    assert get_dataitem(url).local() == first
    assert web.count("GET") == 1
    web.files["/a/data.csv"].data = b"new"
    second = get_dataitem(url).local()
    assert (first.read_bytes(), second.read_bytes()) == (b"old", b"new")
    second.chmod(0o644)
    second.write_bytes(b"spoilt")
    assert get_dataitem(url).local().read_bytes() == b"new"


@pytest.mark.slow
def test_many_readers_share_a_copy(web: WebServer) -> None:
    url = web.add("/data.bin", DATA)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: get_dataitem(url).local(), range(16)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == DATA
    assert [path.name for path in paths[0].parents[1].iterdir()] == [paths[0].parent.name]


def test_answers_may_be_shorter_than_asked_for(web: WebServer) -> None:
    url = web.add("/data.bin", DATA, longest=3_000_000)
    assert get_dataitem(url).get(8_000_000, 1) == DATA[1:8_000_001]
    assert web.count("GET") == 3


def test_copies_that_nobody_uses_go(web: WebServer) -> None:
    first = get_dataitem(web.add("/first", b"1")).local()
    os.utime(first.parent, (1, 1))
    second = get_dataitem(web.add("/second", b"2")).local()
    assert second.exists()
    assert not first.exists()


def test_local_copies_keep_to_their_folder(web: WebServer, tmp_path: Path) -> None:
    url = web.add("/a/..%2F..%2Fescaped.csv", b"x")
    item = get_dataitem(url)
    assert item.name == "../../escaped.csv".rpartition("/")[2] or "/" in item.name
    for path in (item.local(), item.download(f"{tmp_path}/here/")):
        assert path.name == ".._.._escaped.csv"
    assert (tmp_path / "here").is_dir()


def test_others_cannot_have_the_folder_of_copies(web: WebServer, tmp_path: Path) -> None:
    item = get_dataitem(web.add("/x", b"x"))
    folder = item.local().parents[1]
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    with pytest.raises(FindspotError, match="TMPDIR"):
        get_dataitem(web.add("/y", b"y")).local()


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/a%20b%2Fc.csv", "/a%20b%2Fc.csv"),
        ("/a b.csv", "/a%20b.csv"),
        ("/größe/表.csv", "/gr%C3%B6%C3%9Fe/%E8%A1%A8.csv"),
        ("/q.csv?year=2020&name=a%26b", "/q.csv?year=2020&name=a%26b"),
        ("/q?x=ü y", "/q?x=%C3%BC%20y"),
        ("/dir/", "/dir/"),
        ("/a//b.csv", "/a//b.csv"),
        ("/a.csv#part", "/a.csv"),
        ("", "/"),
    ],
)
def test_urls_go_out_as_they_were_given(web: WebServer, written: str, sent: str) -> None:
    web.add(sent, b"x")
    assert get_dataitem(web.url + written).get() == b"x"
    assert web.requests[-1].path == sent


def test_names_are_decoded() -> None:
    item = get_dataitem("https://example.org/d/gr%C3%B6%C3%9Fe%20a.csv?x=1.json")
    assert (item.name, item.suffix, item.kind) == ("größe a.csv", ".csv", "https")
    assert get_dataitem("https://example.org").name == "example.org"


def test_redirects_are_followed(web: WebServer) -> None:
    web.add("/new/data.csv", DATA, cuts=[1_000_000])
    url = web.add("/old", redirect="/new/data.csv")
    assert get_dataitem(url).get() == DATA
    assert get_dataitem(url).stat().size == len(DATA)
    loop = get_dataitem(web.add("/loop", redirect="/loop"))
    with pytest.raises(ItemRefused, match="redirects"):
        loop.get()


def test_redirects_never_leave_the_web(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    url = web.add("/out", redirect="")
    for target in ((tmp_path / "secret").as_uri(), "ftp://127.0.0.1/x", "store://artifacts/a/b"):
        web.files["/out"].redirect = target
        with pytest.raises(ItemRefused, match=r"redirects to .* not followed"):
            get_dataitem(url).get()


def test_passwords_go_to_their_own_server_only(web: WebServer) -> None:
    other = WebServer()
    try:
        other.add("/data.csv", b"x")
        web.add("/moved", redirect=f"{other.url}/data.csv")
        web.add("/here", redirect="/kept")
        web.add("/kept", b"kept", password="ann:p@ss word")
        for path, expected in (("/moved", b"x"), ("/here", b"kept")):
            url = f"http://ann:p%40ss%20word@{web.place}{path}"
            assert get_dataitem(url).get() == expected
        assert "Authorization" in web.requests[0].headers
        assert [seen for seen in other.requests if "Authorization" in seen.headers] == []
    finally:
        other.close()


def test_passwords_are_never_shown(web: WebServer) -> None:
    web.add("/kept?token=tok1234&year=2020", b"kept", password="ann:right")
    item = get_dataitem(f"http://ann:wrong12@{web.place}/kept?token=tok1234&year=2020")
    with pytest.raises(AccessDenied, match="401") as caught:
        item.get()
    missing = get_dataitem(f"http://ann:wrong12@{web.place}/nothing?token=tok1234")
    with pytest.raises(NotFound) as also:
        missing.get()
    shown = [repr(item), str(item), item.url, str(caught.value), str(also.value), item.name]
    assert "year=2020" in item.url
    for text in shown:
        assert "wrong12" not in text
        assert "tok1234" not in text


def test_refusals(web: WebServer) -> None:
    for status in (401, 403):
        with pytest.raises(AccessDenied, match=str(status)):
            get_dataitem(web.add("/x", statuses=[status] * 9)).get()
    with pytest.raises(NotFound):
        get_dataitem(web.url + "/nothing").get()
    assert not get_dataitem(web.url + "/nothing").exists()
    with pytest.raises(ItemRefused, match="418"):
        get_dataitem(web.add("/x", statuses=[418])).get()
    with pytest.raises(ItemRefused, match="503"):
        get_dataitem(web.add("/x", statuses=[503] * 50)).get()
    assert web.count("GET", "/x") == 2 + 1 + 5


def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    item = get_dataitem(f"http://ann:secret@127.0.0.1:{port}/data.csv")
    for use in (item.get, item.stat, item.exists, item.local):
        with pytest.raises(Unreachable, match="refused") as caught:
            use()
        assert "secret" not in str(caught.value)
    with pytest.raises(Unreachable, match="host is not known"):
        get_dataitem("http://no-such-host.invalid/data.csv").get()


def certificate(folder: Path) -> Path:
    """A file with a new certificate for 127.0.0.1 that nobody has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    place = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    start = datetime.now(UTC) - timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([place]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        signed.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return file


def test_certificates_are_checked(
    tmp_path: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = WebServer(context)
    try:
        url = server.add("/data.bin", DATA, cuts=[1_000_000])
        _opener.cache_clear()
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            get_dataitem(url).get()
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        _opener.cache_clear()
        assert get_dataitem(url).get() == DATA
    finally:
        server.close()
        _opener.cache_clear()


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///data.csv",
        "http://host:port/x",
        "http://[::1/x",
        "http://h/a\r\nHost: evil",
        "http://h/\x00",
        "https://h\n/x",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(BadUrl, match="is no URL of a data item"):
        get_dataitem(url)


def test_putting_and_deleting(web: WebServer, tmp_path: Path) -> None:
    url = web.add("/up", b"")
    get_dataitem(url).put(b"0123")
    assert get_dataitem(url).get() == b"0123"
    get_dataitem(url).put(iter([b"45", b"67"]))
    assert get_dataitem(url).get() == b"4567"
    (tmp_path / "file").write_bytes(DATA)
    get_dataitem(url).upload(tmp_path / "file")
    assert get_dataitem(url).get() == DATA
    with get_dataitem(url).open("wb") as writer:
        writer.write(b"89")
    assert get_dataitem(url).get() == b"89"
    with pytest.raises(ItemReadOnly, match="append"):
        get_dataitem(url).put(b"x", append=True)
    get_dataitem(url).delete()
    assert not get_dataitem(url).exists()
    with pytest.raises(ItemReadOnly, match="405"):
        get_dataitem(web.url + "/nowhere").put(b"x")


def test_web_servers_have_no_listing(web: WebServer) -> None:
    with pytest.raises(NoListing, match="no listing"):
        get_dataitem(web.url + "/dir/").ls()
