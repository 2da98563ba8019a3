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


READ = """
from findspot import DataItem, load_artifact

def count(data: DataItem) -> dict[str, int]:
    return {"rows": len(data.as_df()) + load_artifact("extra")}
"""


def test_what_a_job_read_is_shown_with_it_and_in_the_lineage(
    workspace: Path, findspot: Command
) -> None:
    (workspace / "read.py").write_text(READ)
    (workspace / "data.csv").write_text("x\n1\n")
    assert findspot("artifact", "save", "extra", "--value", "5").code == 0
    run = ["run", "read.py:count", "-i", "data=data.csv", "--json"]
    job = findspot(*run).document()
    (source,) = job["sources"]
    assert (source["name"], source["size"]) == ("data", 4)
    assert source["digest"].startswith("blake3:")
    assert list(job["inputs"]) == ["extra"]
    shown = findspot("job", "show", "latest").out
    assert f"{source['url']} (4 B, {source['digest']})" in shown
    assert job["inputs"]["extra"] in shown
    (output,) = job["outputs"].values()
    assert f"data = {source['url']} (4 B" in findspot("lineage", output).out
    assert findspot("lineage", output, "--json").document()["sources"] == [source]


def test_a_copy_that_was_not_published_is_a_warning_at_the_end(
    workspace: Path, findspot: Command
) -> None:
    (workspace / "make.py").write_text("def make() -> dict[str, int]:\n    return {'a': 1}\n")
    (workspace / "taken").write_text("a file, where a folder is wanted")
    ran = findspot("run", "make.py:make", "--artifact-path", "taken/{{name}}")
    assert ran.code == 0
    assert "warning: The artifact 'make/output' was not published: " in ran.err
    assert (
        "warning: The artifact 'make/output' was not published: "
        in findspot("job", "show", "latest").out
    )


def test_what_is_no_item(folder: Path, findspot: Command) -> None:
    for command in ("ls", "cat", "stat"):
        assert findspot("data", command, "nothing.csv").code == 3
        assert findspot("data", command, "strange://place/x").code == 2
