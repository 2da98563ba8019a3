"""Which texts are items, and what is shown of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.errors import FindspotError, NotFound
from findspot.data import AccessDenied, BadUrl, ItemRefused, NotAFile, UnknownScheme, get_dataitem
from findspot.data.urls import safe_file_name, without_secrets, without_secrets_in


def test_local_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b%20.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for written in (
        "a b%20.txt",
        "./a b%20.txt",
        "~/a b%20.txt",
        tmp_path / "a b%20.txt",
        (tmp_path / "a b%20.txt").as_uri(),
        f"file://localhost{tmp_path}/a%20b%2520.txt",
        f"FILE://{tmp_path}/a b%2520.txt",
    ):
        item = get_dataitem(written)
        assert item.get() == b"x"
        assert item.kind == "file"
        assert item.local() == tmp_path / "a b%20.txt"
        assert item.url == str(tmp_path / "a b%20.txt")


def test_unknown_schemes_list_the_known_ones() -> None:
    with pytest.raises(UnknownScheme, match="memory, store") as caught:
        get_dataitem("hdfs://me:secret@host/a?token=t0k3n")
    assert "secret" not in str(caught.value)
    assert "t0k3n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", None, 3, b""])
def test_what_is_no_text(text: object) -> None:
    with pytest.raises(FindspotError, match="neither a URL nor a path"):
        get_dataitem(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["file://host/a", "file://", "a\0b", "file:///a%00b", "\ud800", "http://h/\ud800"]
)
def test_bad_paths(url: str) -> None:
    with pytest.raises(BadUrl):
        get_dataitem(url)


def test_folders_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    folder = get_dataitem(tmp_path)
    assert folder.exists()
    for item in (folder, get_dataitem(tmp_path / "pipe"), get_dataitem("/dev/zero")):
        for use in (item.get, item.local, item.open, item.delete):
            with pytest.raises(NotAFile, match=r"It is a (folder|device)"):
                use()
    with pytest.raises(NotAFile):
        folder.put(b"x")
    assert tmp_path.is_dir()
    (tmp_path / "file").write_bytes(b"x")
    below = get_dataitem(tmp_path / "file" / "below")
    with pytest.raises(NotFound):
        below.get()
    with pytest.raises(FindspotError):
        below.put(b"x")


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    item = get_dataitem(tmp_path / "link.txt")
    item.put("new")
    with item.open("wb") as writer:
        writer.write(item.get() + b"er")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "newer"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640


def test_names_that_the_system_refuses(tmp_path: Path) -> None:
    item = get_dataitem(tmp_path / ("x" * 300))
    for use in (item.get, lambda: item.put(b"x")):
        with pytest.raises(ItemRefused, match="too long"):
            use()
    odd = get_dataitem(tmp_path / "line\nbreak.txt")
    odd.put(b"x")
    assert odd.get() == b"x"
    assert "line\nbreak.txt" in get_dataitem(tmp_path).listdir()


def test_files_of_the_system_that_do_not_know_their_size() -> None:
    assert b"Linux" in get_dataitem("/proc/version").get()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h/a", "https://***@h/a"),
        ("https://u@h/a", "https://***@h/a"),
        ("https://u:p@ss@h:80/a@b", "https://***@h:80/a@b"),
        ("https://h?token=x", "https://h?token=***"),
        ("https://h/a?year=2020&page=2", "https://h/a?year=2020&page=2"),
        ("https://h/a?X-Amz-Signature=0a&X-Amz-Expires=60", None),
        ("https://h/a?sig=ab%2Fc&se=2025-01-01", "https://h/a?sig=***&se=2025-01-01"),
        ("https://h/a?access_token=abc#token=def", "https://h/a?access_token=***"),
        ("https://h/a?Key=1", "https://h/a?Key=***"),
        ("https://h/a?q=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0", "https://h/a?q=***"),
        ("https://h/a?eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0", "https://h/a?***"),
        ("s3://bucket/a b?c#d", "s3://bucket/a b?c#d"),
        ("plain/path?token=x", "plain/path?token=x"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str | None) -> None:
    expected = shown or "https://h/a?X-Amz-Signature=***&X-Amz-Expires=60"
    assert without_secrets(url) == expected
    assert without_secrets(expected) == expected


def test_secrets_in_texts_are_not_shown() -> None:
    text = "failed (https://u:p@h/a?token=x): see 'http://h/b?sig=y'"
    assert without_secrets_in(text) == (
        "failed (https://***@h/a?token=***): see 'http://h/b?sig=***'"
    )


@given(st.text())
def test_file_names_are_safe(name: str) -> None:
    safe = safe_file_name(name)
    assert safe not in ("", ".", "..")
    assert "/" not in safe
    assert "\\" not in safe
    assert "\0" not in safe
    assert len(safe.encode()) <= 150


def test_long_file_names_keep_their_ending() -> None:
    assert safe_file_name("ü" * 300 + ".csv").endswith("ü.csv")
    assert len(safe_file_name("x." + "y" * 300).encode()) == 150


def test_what_may_not_be_read(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from findspot.data import AccessDenied, get_dataitem\n"
        "path = sys.argv[1]\n"
        "os.path.exists(path) and os.getuid() == 0 and os.setuid(65534)\n"
        "try: get_dataitem(path).get()\n"
        "except AccessDenied as error: print(error)\n"
    )
    (tmp_path / "closed.txt").write_text("x")
    (tmp_path / "closed.txt").chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "closed.txt")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Access is denied" in done.stdout
    assert issubclass(AccessDenied, FindspotError)


def test_importing_takes_no_libraries_along() -> None:
    program = (
        "import sys\n"
        "from findspot.data import get_dataitem\n"
        "get_dataitem('a.csv'); get_dataitem('https://h/a')\n"
        "print(*{'obstore', 'pandas', 'polars', 'numpy', 'pyarrow', 'sqlalchemy'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
