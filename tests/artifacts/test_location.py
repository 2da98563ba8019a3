"""Finding and making workspaces."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import findspot
from findspot import FindspotError, Workspace
from findspot.artifacts import current
from findspot.artifacts.location import BadWorkspaceUrl, locate, shown_url


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: dict[Any, Any] = {}
    monkeypatch.setattr(current, "_opened", opened)
    yield
    for space, _ in opened.values():
        space.close()


def test_the_first_save_makes_a_workspace_here_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    findspot.save_artifact([1], "x")
    assert (tmp_path / ".findspot" / "findspot.toml").is_file()
    told = capsys.readouterr()
    assert told.err.count("Made a new Findspot workspace") == 1
    assert str(tmp_path / ".findspot") in told.err
    assert told.out == ""
    findspot.save_artifact([2], "x")
    with Workspace() as again:
        again.save_artifact([3], "x")
    assert findspot.load_artifact("x") == [3]
    assert capsys.readouterr().err == ""


def test_a_workspace_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a" / ".findspot").mkdir()  # an empty folder is no workspace
    with Workspace(tmp_path) as space:
        space.init()
    monkeypatch.chdir(deep)
    findspot.save_artifact(1, "x")
    assert Workspace().folder == tmp_path / ".findspot"
    assert [v.key for v in findspot.list_artifacts()] == ["x"]
    # A nearer one hides it.
    with Workspace(deep) as nearer:
        nearer.init()
    assert findspot.list_artifacts() == []


def test_the_functions_work_in_the_current_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINDSPOT_WORKSPACE", str(tmp_path / "named"))
    saved = findspot.save_artifact([1], "x", labels={"a": 1})
    findspot.save_artifacts([([2], "x"), ([3], "y")])
    assert findspot.get_artifact("x", 1) == saved
    assert len(findspot.list_artifacts(name="x")) == 2
    findspot.tag("x:1", "golden")
    assert findspot.load_artifact("x:golden") == [1]
    findspot.untag("x", "golden")
    assert len(findspot.tag_history("x", "golden")) == 2
    assert findspot.delete_version("x", 1)
    assert findspot.delete_artifact("y") == 1
    assert [v.version for v in Workspace(tmp_path / "named").list_artifacts()] == [2]


def test_the_variable_wins_over_the_folder_and_an_argument_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINDSPOT_WORKSPACE", "named")  # counts from the current folder
    assert Workspace().folder == tmp_path / "named" / ".findspot"
    assert Workspace("given").folder == tmp_path / "given" / ".findspot"
    monkeypatch.setenv("FINDSPOT_WORKSPACE", "")
    assert Workspace().folder == tmp_path / ".findspot"


def test_ways_to_write_the_same_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "a b"
    with Workspace(place) as space:
        space.init()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for written in (
        place,
        str(place),
        str(place / ".findspot"),
        "a b",
        "~/a b",
        place.as_uri(),
        f"file://localhost{place.as_uri()[7:]}",
        space.url,
    ):
        assert Workspace(written).folder == place / ".findspot"


def test_a_workspace_that_was_removed_meanwhile_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    findspot.save_artifact("before", "x")
    findspot.save_artifact("again", "x")
    shutil.rmtree(tmp_path / ".findspot")
    assert findspot.save_artifact("after", "x").version == 1
    assert Workspace(tmp_path).load_artifact("x") == "after"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("ftp://host/x", "scheme 'ftp' is not known"),
        ("mysql://u:secret@h/db", "scheme 'mysql' is not known"),
        ("file://other-host/x", "three slashes"),
        ("file://", "three slashes"),
        ("file:///a%00b", "NUL"),
        ("file:///a?b", r"'\?' and '#' escaped"),
        ("postgresql://u:secret@h/db", "where the blobs are"),
        ("postgresql://h/db?store=", "where the blobs are"),
        ("postgresql://h/db?store=a&store=b", "where the blobs are"),
        ("postgresql://u:secret@h:port/db?store=a", "Port could not be cast"),
        ("postgresql://[::1/db?store=a", "Invalid IPv6"),
        (5, "neither text nor a path"),
    ],
)
def test_what_is_no_workspace_is_refused(url: Any, reason: str) -> None:
    with pytest.raises(BadWorkspaceUrl, match=reason) as caught:
        Workspace(url)
    assert "secret" not in str(caught.value)


def test_a_database_has_one_folder_on_this_machine(tmp_path: Path) -> None:
    environment = {"FINDSPOT_HOME": str(tmp_path)}
    place = locate("postgresql://ann:pw@db:5433/lab?store=/data", environment)
    same = locate("postgres://bob@db:5433/lab?store=/elsewhere&application_name=x", environment)
    assert place.folder == same.folder
    assert place.folder.parent == tmp_path
    others = [
        "postgresql://db/lab?store=/data",
        "postgresql://db:5433/lab2?store=/data",
        "postgresql:///lab?host=/run/a&store=/data",
        "postgresql:///lab?host=/run/b&store=/data",
        "postgresql:///lab?host=/run/b&port=2&store=/data",
    ]
    folders = {locate(other, environment).folder for other in others}
    assert len(folders | {place.folder}) == 6
    default = locate("postgresql://db/lab?store=x", {"XDG_DATA_HOME": str(tmp_path / "xdg")})
    assert default.folder.parent == tmp_path / "xdg" / "findspot"


def test_the_address_of_a_database_reaches_it_unchanged() -> None:
    text = (
        "postgresql://ann:p%40ss@db/lab?store=/data/a+b%20c&options=-c%20search_path%3Dx&sslmode="
    )
    location = locate(text, {})
    assert location.overrides["store"] == "/data/a+b c"
    assert location.overrides["catalog"] == (
        "postgresql://ann:p%40ss@db/lab?options=-c%20search_path%3Dx&sslmode="
    )
    assert location.url == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/data/lab", "/data/lab"),
        ("postgresql://db/lab", "postgresql://db/lab"),
        ("postgresql://ann@db/lab", "postgresql://ann@db/lab"),
        ("postgresql://ann:secret@db/lab", "postgresql://ann:***@db/lab"),
        ("postgresql://ann:s:e@cret@db/lab", "postgresql://ann:***@db/lab"),
        ("postgresql://:secret@db/lab", "postgresql://:***@db/lab"),
        ("postgresql://db/lab?password=secret&a=b", "postgresql://db/lab?password=***&a=b"),
        ("postgresql://db/lab?a=b&sslpassword=secret", "postgresql://db/lab?a=b&sslpassword=***"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_password_appears_in_no_text_that_people_see(tmp_path: Path) -> None:
    url = f"postgresql://ann:secret@127.0.0.1:1/lab?store={tmp_path}&connect_timeout=1"
    environment = {"FINDSPOT_HOME": str(tmp_path)}
    assert "secret" not in repr(locate(url, environment))
    space = Workspace(url, owner="x")
    assert "ann:***@127.0.0.1" in repr(space)
    with pytest.raises(FindspotError) as caught:
        space.list_artifacts()
    assert "secret" not in str(caught.value)
    for name in ("catalog", "store"):
        settings: dict[str, Any] = {name: "mysql://ann:secret@db/lab"}
        wrong = Workspace(tmp_path / name, **settings)
        with pytest.raises(FindspotError) as refused:
            wrong.save_artifact(b"x" * 10_000, "x")
        assert "mysql://ann:***@db/lab" in str(refused.value)
        assert "secret" not in str(refused.value)


def test_a_workspace_can_be_sent_to_another_process(space: Workspace) -> None:
    saved = space.save_artifact([1], "x")
    with pickle.loads(pickle.dumps(space)) as again:
        assert type(again) is Workspace
        assert again.url == space.url
        assert again.settings == space.settings
        assert again.id == space.id
        assert again.load_artifact("x") == [1]
        version = pickle.loads(pickle.dumps(saved))
        assert version.is_of(again)  # many versions share one workspace, and so one catalog
        assert version == saved
        assert version.load() == [1]
        assert version.files == saved.files


def test_what_was_given_as_argument_or_variable_reaches_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINDSPOT_WORKSPACE", "named")
    with Workspace(project="iris", store=tmp_path / "bytes", inline_limit=0) as space:
        space.save_artifact("text", "x")
        code = (
            "import sys, pickle; space = pickle.load(sys.stdin.buffer);"
            "print(space.project, space.load_artifact('x'), space.settings.store)"
        )
        environment = {k: v for k, v in os.environ.items() if k != "FINDSPOT_WORKSPACE"}
        run = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(space),
            capture_output=True,
            cwd="/",
            env=environment,
            check=True,
        )
    assert run.stdout.decode().split() == ["iris", "text", str(tmp_path / "bytes")]


def test_a_database_named_by_the_variable_is_opened_by_its_address(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{postgres_url}&store={tmp_path / 'blobs'}"
    monkeypatch.setenv("FINDSPOT_WORKSPACE", url)
    monkeypatch.setenv("FINDSPOT_HOME", str(tmp_path / "home"))
    with Workspace() as space:
        assert space.url == url
        space.save_artifact(b"x" * 10_000, "x")
    monkeypatch.delenv("FINDSPOT_WORKSPACE")
    with Workspace(space.url) as again:
        assert again.load_artifact("x") == b"x" * 10_000
    assert (tmp_path / "blobs" / "blake3").is_dir()
    assert not list((tmp_path / "home").rglob("catalog.db"))


def test_a_closed_workspace_opens_again_when_it_is_used(local: Workspace) -> None:
    local.save_artifact(1, "x")
    local.close()
    local.close()
    assert local.load_artifact("x") == 1
