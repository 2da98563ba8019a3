"""`findspot data ls`, `cat` and `stat`."""

from __future__ import annotations

from pathlib import Path

from commands import Command


def test_items_are_listed_read_and_described(folder: Path, findspot: Command) -> None:
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("x\n1\n")
    assert findspot("data", "ls", "data").out == "a.csv\ndeep/\n"
    assert findspot("data", "ls", "data", "--json").document() == ["a.csv", "deep/"]
    assert findspot("data", "cat", "data/a.csv").out == "x\n1\n"
    found = findspot("data", "stat", "data/a.csv", "--json").document()
    assert (found["size"], found["kind"]) == (4, "file")
    assert "4 B" in findspot("data", "stat", "data/a.csv").out


def test_a_version_is_an_item_too(workspace: Path, findspot: Command) -> None:
    (workspace / "note.txt").write_text("Bring a hat.")
    assert findspot("artifact", "save", "note", "note.txt").code == 0
    assert findspot("data", "cat", "store://artifacts/default/note").out == "Bring a hat."


def test_what_is_no_item(folder: Path, findspot: Command) -> None:
    for command in ("ls", "cat", "stat"):
        assert findspot("data", command, "nothing.csv").code == 3
        assert findspot("data", command, "strange://place/x").code == 2
