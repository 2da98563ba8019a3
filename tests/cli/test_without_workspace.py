"""Commands in a folder that has no workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import FLOW, Command

LOOKS = [
    "jobs",
    "artifacts",
    "plugins",
    "entrypoints",
    "projects",
    "verify",
    "job show latest",
    "job log latest",
    "job resume latest",
    "artifact show x",
    "artifact load x",
    "artifact download x",
    "artifact history x y",
    "artifact tag x y",
    "artifact untag x y",
    "artifact label x a=b",
    "artifact trust x --yes",
    "artifact delete x --yes",
    "lineage x",
    "plugins show x",
]


@pytest.mark.parametrize("words", LOOKS)
def test_a_look_makes_nothing_and_says_how_to_make_a_workspace(
    folder: Path, findspot: Command, words: str
) -> None:
    outcome = findspot(*words.split())
    assert outcome.code == 3
    assert outcome.out == ""
    assert outcome.err == (
        f"findspot: {folder}: There is no Findspot workspace here.\nMake one: findspot init\n"
    )
    assert list(folder.iterdir()) == []


def test_doctor_says_that_there_is_none(folder: Path, findspot: Command) -> None:
    outcome = findspot("doctor")
    assert outcome.code == 1
    assert "not yet; make it: findspot init" in outcome.out
    assert list(folder.iterdir()) == []


def test_a_place_that_is_misspelt(folder: Path, findspot: Command) -> None:
    outcome = findspot("-w", "nowhere", "jobs")
    assert outcome.code == 3
    assert str(folder / "nowhere") in outcome.err
    assert list(folder.iterdir()) == []


def test_a_check_needs_none(folder: Path, findspot: Command) -> None:
    (folder / "flow.py").write_text(FLOW)
    outcome = findspot("check", "flow.py:halving")
    assert (outcome.code, outcome.out) == (0, "flow.py:halving: no mistakes.\n")
    assert not (folder / ".findspot").exists()


def test_a_run_with_mistakes_makes_none(folder: Path, findspot: Command) -> None:
    (folder / "flow.py").write_text(FLOW)
    assert findspot("run", "flow.py:wrong").code == 2
    assert findspot("run", "flow.py:halving", "-p", "x=five").code == 2
    assert findspot("run", "nothing.yaml").code == 3
    assert not (folder / ".findspot").exists()


def test_the_first_save_makes_one_and_says_so(folder: Path, findspot: Command) -> None:
    outcome = findspot("artifact", "save", "numbers", "--value", "[1, 2]")
    assert outcome.code == 0
    assert outcome.err == f"Made a new Findspot workspace in {folder / '.findspot'}\n"
    assert outcome.out.startswith("store://values/default/numbers:1@")
    assert findspot("artifact", "save", "numbers", "--value", "[3]").err == ""


def test_init_says_what_it_made(folder: Path, findspot: Command) -> None:
    place = folder / ".findspot"
    assert findspot("init").out == f"Made a workspace in {place}\n"
    assert findspot("init").out == f"There is already a workspace in {place}\n"
    assert findspot("projects").out == "default\n"


def test_init_in_another_folder_with_a_project(folder: Path, findspot: Command) -> None:
    assert findspot("init", "deep/er", "--project", "digits").code == 0
    assert findspot("-w", "deep/er", "artifact", "save", "a", "--value", "1").code == 0
    listed = findspot("-w", "deep/er", "artifacts", "--json").document()
    assert [item["project"] for item in listed] == ["digits"]
    assert not (folder / ".findspot").exists()


def test_init_makes_the_workspace_that_commands_will_use(
    folder: Path, findspot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findspot("-w", "chosen", "init").code == 0
    assert (folder / "chosen" / ".findspot").is_dir()
    monkeypatch.setenv("FINDSPOT_WORKSPACE", str(folder / "named"))
    assert str(folder / "named" / ".findspot") in findspot("init").out
    other = findspot("init", "other")
    assert (other.code, str(folder / "named") in other.err) == (0, True)
    assert not (folder / ".findspot").exists()


def test_init_refuses_a_name_that_is_none(folder: Path, findspot: Command) -> None:
    assert findspot("init", "--project", "../up").code == 2
    assert list(folder.iterdir()) == []


def test_init_where_a_file_is_in_the_way(folder: Path, findspot: Command) -> None:
    (folder / "file").write_text("")
    outcome = findspot("init", "file")
    assert outcome.code in (1, 2, 6)
    assert str(folder / "file") in outcome.err
    assert "Traceback" not in outcome.err


def test_doctor_counts(folder: Path, findspot: Command) -> None:
    findspot("artifact", "save", "a", "--value", "1")
    one = findspot("doctor").out
    assert "1 project, 1 artifact, 1 version, 0 jobs, 1 B of small files" in one
    findspot("artifact", "save", "b", "--value", "2")
    assert "1 project, 2 artifacts, 2 versions" in findspot("doctor").out
