"""What holds of every place that items can be written to."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from findspot.core.errors import FindspotError, NotFound
from findspot.data import DataItem, get_dataitem

At = Callable[[str], DataItem]


@pytest.fixture(params=["path", "file", "memory", "s3"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> At:
    """The item of a name, in an empty folder of some place."""
    if request.param == "path":
        return lambda name: get_dataitem(tmp_path / "folder" / name)
    if request.param == "file":
        folder = (tmp_path / "folder").as_uri()
        return lambda name: get_dataitem(f"{folder}/{name.replace('%', '%25')}")
    if request.param == "memory":
        bucket = f"memory://{uuid4().hex}"
        return lambda name: get_dataitem(f"{bucket}/{name}")
    bucket = request.getfixturevalue("s3_bucket")
    return lambda name: get_dataitem(f"{bucket}/{name}")


def test_what_is_put_is_what_is_got(at: At) -> None:
    item = at("deep/in/data.bin")
    assert not item.exists()
    item.put(b"\x00bytes\xff")
    assert item.exists()
    assert item.get() == b"\x00bytes\xff"
    item.put("täxt")
    assert item.get(encoding="utf-8") == "täxt"
    assert at("deep/in/data.bin").get() == "täxt".encode()
    assert (item.name, item.suffix, item.key) == ("data.bin", ".bin", "data.bin")
    assert item.kind in ("file", "memory", "s3")


@pytest.mark.parametrize(
    ("size", "offset", "expected"),
    [
        (None, 0, b"0123456789"),
        (4, 0, b"0123"),
        (4, 3, b"3456"),
        (None, 7, b"789"),
        (100, 7, b"789"),
        (0, 3, b""),
        (5, 10, b""),
        (None, 10, b""),
        (None, 1000, b""),
    ],
)
def test_ranges(at: At, size: int | None, offset: int, expected: bytes) -> None:
    item = at("ten")
    item.put(b"0123456789")
    assert item.get(size, offset) == expected


def test_ranges_before_the_start_are_refused(at: At) -> None:
    item = at("ten")
    item.put(b"0123456789")
    with pytest.raises(FindspotError, match="offset"):
        item.get(1, -1)


def test_empty_items(at: At, tmp_path: Path) -> None:
    item = at("empty.csv")
    item.put(b"")
    assert item.exists()
    assert item.get() == b""
    assert item.stat().size == 0
    assert item.download(tmp_path / "copy").read_bytes() == b""
    with item.open() as reader:
        assert reader.read() == b""
    assert item.local().read_bytes() == b""


@pytest.mark.parametrize("name", ["ein Größe 表.txt", "100%25.txt", "a+b&c=d;e.txt", "x" * 200])
def test_names_of_all_sorts(at: At, name: str, tmp_path: Path) -> None:
    item = at(f"names/{name}")
    item.put(b"x")
    assert item.name == name
    assert item.get() == b"x"
    assert at("names").listdir() == [name]
    assert item.download(tmp_path / "here").read_bytes() == b"x"
    assert item.local().read_bytes() == b"x"


def test_what_is_known_of_an_item(at: At) -> None:
    item = at("table.csv")
    item.put("a,b\n")
    stat = item.stat()
    assert stat.size == 4
    assert stat.content_type == "text/csv"
    assert stat.etag is not None
    assert stat.modified is not None
    assert stat.modified.tzinfo is not None
    item.put("a,b\n1,2\n")
    assert item.stat().etag != stat.etag


def test_appending(at: At) -> None:
    item = at("log.txt")
    item.put("one\n", append=True)
    item.put("two\n", append=True)
    item.put(io.BytesIO(b"three\n"), append=True)
    item.put(iter([b"fo", b"ur\n"]), append=True)
    assert item.get(encoding="utf-8") == "one\ntwo\nthree\nfour\n"


def test_folders_are_listed_one_level_deep(at: At) -> None:
    for name in ("top/b.txt", "top/a.txt", "top/inner/c.txt", "topmost.txt"):
        at(name).put(name)
    folder = at("top")
    assert folder.listdir() == ["a.txt", "b.txt", "inner/"]
    items = folder.ls()
    assert [item.name for item in items] == ["a.txt", "b.txt", "inner"]
    assert items[0].get(encoding="utf-8") == "top/a.txt"
    assert [item.get() for item in items[2].ls()] == [b"top/inner/c.txt"]
    (itself,) = items[0].ls()
    assert itself.get(encoding="utf-8") == "top/a.txt"


def test_what_is_not_there(at: At, tmp_path: Path) -> None:
    at("folder/measurements.csv").put("x")
    item = at("folder/measurement.csv")
    assert not item.exists()
    for use in (
        item.get,
        item.stat,
        item.delete,
        item.open,
        item.local,
        item.as_df,
        item.ls,
        lambda: item.download(tmp_path / "never"),
    ):
        with pytest.raises(NotFound, match=r"measurement\.csv") as caught:
            use()
        assert caught.value.near == ("measurements.csv",)
    assert not (tmp_path / "never").exists()


def test_items_travel_to_other_processes(at: At) -> None:
    item = at("here.txt")
    item.put(b"here")
    item.get()
    again = pickle.loads(pickle.dumps(item))
    assert (again.get(), again.url, again.key) == (b"here", item.url, item.key)


def test_deleting(at: At) -> None:
    item = at("gone.txt")
    item.put(b"x")
    item.delete()
    assert not item.exists()
    with pytest.raises(NotFound):
        item.delete()


def test_upload_and_download(at: At, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(bytes(range(256)) * 40_000)
    item = at("large.bin")
    item.upload(source)
    assert item.stat().size == 256 * 40_000
    copy = item.download(f"{tmp_path}/new/folder/")
    assert copy == tmp_path / "new" / "folder" / "large.bin"
    assert copy.read_bytes() == source.read_bytes()
    assert [path.name for path in copy.parent.iterdir()] == ["large.bin"]
    item.download(copy.parent)
    with pytest.raises(NotFound):
        item.upload(tmp_path / "nothing")
    with pytest.raises(FindspotError, match="folder"):
        item.upload(tmp_path)


def test_readers_seek(at: At) -> None:
    data = bytes(range(256)) * 20_000
    item = at("large.bin")
    item.put(data)
    with item.open("rb") as reader:
        assert reader.read(10) == data[:10]
        reader.seek(4_000_000)
        assert reader.read(2_000) == data[4_000_000:4_002_000]
        reader.seek(-5, 2)
        assert reader.read() == data[-5:]
        reader.seek(100)
        assert reader.read() == data[100:]
        assert reader.read() == b""


def test_text_readers(at: At) -> None:
    item = at("lines.txt")
    item.put("erste\nzweite ü\n")
    with item.open("r") as lines:
        assert [line.rstrip() for line in lines] == ["erste", "zweite ü"]
    item.put("ü".encode("latin-1"))
    with item.open("r", encoding="latin-1") as lines:
        assert lines.read() == "ü"


def write_half(item: DataItem) -> None:
    with item.open("wb") as writer:
        writer.write(b"second")
        raise ZeroDivisionError


def test_writers_take_effect_when_they_are_closed(at: At, tmp_path: Path) -> None:
    item = at("out/result.txt")
    with item.open("wb") as writer:
        writer.write(b"first")
        writer.flush()
        assert not item.exists()
    assert item.get() == b"first"
    with pytest.raises(ZeroDivisionError):
        write_half(item)
    assert item.get() == b"first"
    writer = item.open("wb")
    writer.write(b"third")
    del writer
    assert item.get() == b"first"
    assert at("out").listdir() == ["result.txt"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_modes_that_there_are_not(at: At) -> None:
    with pytest.raises(FindspotError, match="rb, r or wb"):
        at("x").open("a")  # type: ignore[call-overload]


def test_what_cannot_be_put(at: At, tmp_path: Path) -> None:
    item = at("kept.txt")
    item.put(b"kept")
    with pytest.raises(FindspotError, match="int is nothing that can be put"):
        item.put(3)  # type: ignore[arg-type]
    (tmp_path / "text").write_text("x")
    with (tmp_path / "text").open() as text, pytest.raises(FindspotError, match="rb"):
        item.put(text)  # type: ignore[arg-type]

    def broken() -> object:
        yield b"begun"
        raise ZeroDivisionError

    with pytest.raises((ZeroDivisionError, FindspotError)):
        item.put(broken())  # type: ignore[arg-type]
    assert item.get() == b"kept"


def test_local_copies_follow_the_item(at: At) -> None:
    item = at("state.txt")
    item.put(b"old")
    first = item.local()
    assert first.read_bytes() == b"old"
    assert item.local() == first
    item.put(b"newer")
    assert at("state.txt").local().read_bytes() == b"newer"


def test_items_are_printed_by_their_url(at: At) -> None:
    item = at("a.txt")
    assert repr(item) == f"<DataItem {item.url}>"
    assert str(item).endswith("/a.txt")
    assert get_dataitem(item) is item
    assert item.meta is None
    with pytest.raises(FindspotError, match="store://"):
        item.load()


def test_the_key_is_the_input_that_it_is() -> None:
    assert get_dataitem("memory://k/a.csv", key="train").key == "train"


def test_an_item_is_copied_to_another_as_a_stream(at: At) -> None:
    data = bytes(range(256)) * 20_000
    at("from.bin").put(data)
    with at("from.bin").open() as reader:
        at("to.bin").put(reader)
    assert at("to.bin").get() == data
    with at("from.bin").open() as reader:
        at("to.bin").put(reader, append=True)
    assert at("to.bin").stat().size == 2 * len(data)
    assert at("to.bin").get(20, len(data) - 10) == data[-10:] + data[:10]
