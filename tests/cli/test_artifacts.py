"""`findspot artifacts` and `findspot artifact ...`."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from commands import Command
from findspot import Workspace


class Lens:
    """Nothing but pickle saves it."""

    def __repr__(self) -> str:
        return "<a lens>"


def test_save_show_and_load_a_value(workspace: Path, findspot: Command) -> None:
    saved = findspot(
        "artifact", "save", "limits", "--value", '{"low": 1}', "-l", "use=test", "-t", "golden"
    )
    assert saved.out.startswith("store://values/default/limits:1@")
    shown = findspot("artifact", "show", "limits")
    fields = dict(line.split(maxsplit=1) for line in shown.out.splitlines()[:9])
    assert fields["uri"] == saved.out.strip()
    assert (fields["tags"], fields["labels"]) == ("golden", "use=test")
    document = findspot("artifact", "show", "limits:golden", "--json").document()
    assert (document["version"], document["tags"]) == (1, ["golden"])
    assert [file["size"] > 0 for file in document["files"]] == [True]
    assert findspot("artifact", "load", "limits").out == "{'low': 1}\n"
    assert findspot("artifact", "load", "limits", "--json").document() == {"low": 1}


def test_save_a_file_and_a_folder(workspace: Path, findspot: Command) -> None:
    (workspace / "data").mkdir()
    (workspace / "data" / "a.txt").write_text("alpha")
    file = findspot("artifact", "save", "one", "data/a.txt", "--json").document()
    assert (file["kind"], [entry["path"] for entry in file["files"]]) == ("file", ["a.txt"])
    folder = findspot("artifact", "save", "all", "data", "--kind", "dataset", "--json").document()
    assert folder["kind"] == "dataset"
    written = findspot("artifact", "download", "all", "-o", "copy", "--json").document()
    assert [Path(path).read_text() for path in written] == ["alpha"]
    missing = findspot("artifact", "save", "none", "nothing.txt")
    assert (missing.code, str(workspace / "nothing.txt") in missing.err) == (2, True)


@pytest.mark.slow
def test_artifacts_are_chosen_and_counted(workspace: Path, findspot: Command) -> None:
    for key, kind, label in (("a1", "model", "x"), ("a2", "plot", "y"), ("b", "plot", "x")):
        options = ("--value", "1", "--kind", kind, "-l", f"for={label}")
        assert findspot("artifact", "save", key, *options).code == 0
    assert findspot("artifact", "save", "b", "--value", "2", "-t", "good").code == 0

    def keys(*options: str) -> list[str]:
        listed = findspot("artifacts", "--json", *options).document()
        return [f"{item['key']}:{item['version']}" for item in listed]

    assert keys() == ["b:2", "a2:1", "a1:1"]
    assert keys("--all") == ["b:2", "b:1", "a2:1", "a1:1"]
    assert keys("a*") == ["a2:1", "a1:1"]
    assert keys("--kind", "model") == ["a1:1"]
    assert keys("--all", "-l", "for=x") == ["b:1", "a1:1"]
    assert keys("--tag", "good") == ["b:2"]
    assert keys("--since", "1h", "-n", "1") == ["b:2"]
    assert keys("--until", "1h") == []
    page = findspot("artifacts", "-n", "2")
    assert [line.split()[0] for line in page.out.splitlines()[2:]] == ["b:2", "a2:1"]
    assert page.err == "There are more: --limit 4\n"
    assert findspot("artifacts", "nothing").err == "There are no such artifacts.\n"


def test_what_a_job_made(flow: Path, findspot: Command) -> None:
    findspot("run", "flow:halving")
    listed = findspot("artifacts", "--job", "latest", "--json").document()
    assert {item["producer"]["step"] for item in listed} == {"start", "halve", "publish"}
    job = listed[0]["producer"]["job"]
    assert f"publish of {job}" in findspot("artifacts", "result").out
    assert findspot("artifacts", "--job", "nothing").code == 3


@pytest.mark.slow
def test_tags_and_their_history(workspace: Path, findspot: Command) -> None:
    for value in "12":
        findspot("artifact", "save", "a", "--value", value)
    assert findspot("artifact", "tag", "a:1", "good").out == "a:good is version 1\n"
    assert findspot("artifact", "tag", "a", "good").out == "a:good is version 2 (was on 1)\n"
    stale = findspot("artifact", "tag", "a:1", "good", "--expected", "1")
    assert (stale.code, "is on version 2, not on version 1" in stale.err) == (4, True)
    assert findspot("artifact", "tag", "a:1", "new", "--expected", "0").code == 0
    assert findspot("artifact", "untag", "a", "good").out == "a:good is no more (was on 2)\n"
    moves = findspot("artifact", "history", "a", "good", "--json").document()
    assert [(move["previous"], move["version"]) for move in moves] == [(None, 1), (1, 2), (2, None)]
    assert len(findspot("artifact", "history", "a", "good").out.splitlines()) == 2 + 3
    assert findspot("artifact", "history", "a", "never").err == "The tag was never set.\n"
    assert findspot("artifact", "history", "nothing", "good").code == 3
    assert findspot("artifact", "untag", "a", "good").code == 3
    assert findspot("artifact", "tag", "a", "latest").code == 2


def test_labels(workspace: Path, findspot: Command) -> None:
    findspot("artifact", "save", "a", "--value", "1", "-l", "old=1", "--project", "other")
    changed = findspot("artifact", "label", "a", "new=2", "old=", "--project", "other")
    assert (changed.code, changed.out) == (0, "new=2\n")
    assert findspot("artifact", "label", "a", "new=", "--project", "other").out == "no labels\n"
    assert findspot("artifact", "label", "a", "new", "--project", "other").code == 2


def test_delete_asks(workspace: Path, findspot: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in "123":
        findspot("artifact", "save", "a", "--value", value)
    for answer in ("n\n", ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        kept = findspot("artifact", "delete", "a:1")
        assert (kept.code, kept.out) == (1, "")
        assert kept.err.endswith("findspot: Nothing is deleted.\n" + SAY_YES)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert findspot("artifact", "delete", "a:1").out.startswith(
        "Deleted store://values/default/a:1"
    )
    assert findspot("artifact", "show", "a:1").code == 3
    assert findspot("artifact", "delete", "a", "--all", "-y").out == "Deleted 2 versions of a.\n"
    assert findspot("artifact", "delete", "a", "-y").code == 3


SAY_YES = "Where nobody can be asked, say --yes.\n"


def test_verify_finds_a_flipped_byte(workspace: Path, findspot: Command) -> None:
    (workspace / "big.bin").write_bytes(b"0123456789" * 10_000)
    findspot("artifact", "save", "big", "big.bin")
    sound = findspot("verify")
    assert sound.out.endswith("Everything is as recorded.\n")
    assert findspot("verify", "--json").document()["faults"] == []
    blobs = [p for p in (workspace / ".findspot" / "blobs").rglob("*") if p.is_file()]
    blob = max(blobs, key=lambda path: path.stat().st_size)
    blob.chmod(0o644)
    blob.write_bytes(b"1" + blob.read_bytes()[1:])
    damaged = findspot("verify")
    assert damaged.code == 5
    assert "damaged" in damaged.out
    assert "store://files/default/big:1@" in damaged.out
    assert findspot("verify", "big").code == 5
    assert findspot("artifact", "download", "big", "-o", "out").code == 5


def test_a_pickle_from_elsewhere(workspace: Path, findspot: Command) -> None:
    import shutil

    Workspace(workspace).save_artifact(pickle_of(Lens), "lens")
    assert findspot("artifact", "load", "lens").code == 0
    shutil.copytree(workspace / ".findspot", workspace / "copy" / ".findspot")
    (workspace / "copy" / ".findspot" / "secret").unlink()
    refused = findspot("-w", "copy", "artifact", "load", "lens")
    assert (refused.code, refused.out) == (7, "")
    assert "findspot artifact trust store://" in refused.err
    assert findspot("-w", "copy", "artifact", "load", "lens", "--trust").code == 0
    assert findspot("-w", "copy", "artifact", "trust", "lens", "--yes").code == 0
    assert findspot("-w", "copy", "artifact", "load", "lens").code == 0


def pickle_of(kind: type) -> Callable[[], Any]:
    """Something that only pickle can save."""
    import functools

    return functools.partial(pickle.loads, pickle.dumps(kind.__name__))


def load(findspot: Command, workspace: Path, value: Any) -> tuple[str, str]:
    Workspace(workspace).save_artifact(value, "value")
    loaded = findspot("artifact", "load", "value")
    assert loaded.code == 0
    return loaded.out, loaded.err


def test_arrays_are_printed_in_part(workspace: Path, findspot: Command) -> None:
    out, err = load(findspot, workspace, np.arange(3_000.0).reshape(1000, 3))
    assert err == "array of float64, 1000 x 3\n"
    assert out.startswith("[[0.000e+00 1.000e+00 2.000e+00]")
    assert "..." in out
    assert out.count("\n") < 20
    document = findspot("artifact", "load", "value", "--json").document()
    assert (len(document), document[1]) == (1000, [3.0, 4.0, 5.0])
    out, _ = load(findspot, workspace, {"x": np.zeros(1000), "y": 1})
    assert "..." in out


def test_tables_are_printed_in_part(workspace: Path, findspot: Command) -> None:
    frame = pd.DataFrame({"n": range(100), "word": "ab"})
    out, _ = load(findspot, workspace, frame)
    assert "[100 rows x 2 columns]" in out
    document = findspot("artifact", "load", "value", "--json").document()
    assert (len(document), document[7]) == (100, {"n": 7, "word": "ab"})
    out, err = load(findspot, workspace, pa.table({"n": range(100), "word": ["ab"] * 100}))
    assert [line.split() for line in out.splitlines()[2:4]] == [["0", "ab"], ["1", "ab"]]
    assert (len(out.splitlines()), err) == (22, "(20 of 100 rows)\n")


def test_text_bytes_and_long_lists(workspace: Path, findspot: Command) -> None:
    assert load(findspot, workspace, "naïve\ntext") == ("naïve\ntext\n", "")
    assert load(findspot, workspace, b"no newline") == ("no newline", "")
    out, err = load(findspot, workspace, list(range(5000)))
    assert err == "(1000 of 5000 items; all of them: --json)\n"
    assert out.endswith(" 999]\n")
    assert findspot("artifact", "load", "value", "--json").document() == list(range(5000))


REFERENCES = [
    ("nothing", 3, "There is no artifact 'default/nothing'."),
    ("smples", 3, "samples"),
    ("samples:7", 3, "has versions up to 1"),
    ("samples:golden", 3, "its tags: none"),
    ("store://artifacts/other/samples", 3, "There is no project 'other'"),
    ("../../etc/passwd", 2, "'..' is not allowed as a part"),
    ("", 2, "it is empty"),
    ("store://nonsense/default/samples", 2, "nonsense"),
]


@pytest.mark.parametrize(("ref", "code", "words"), REFERENCES)
def test_references_that_lead_nowhere(
    workspace: Path, findspot: Command, ref: str, code: int, words: str
) -> None:
    findspot("artifact", "save", "samples", "--value", "1")
    commands = (["artifact", "show"], ["artifact", "load"], ["lineage"], ["verify"])
    for command in (*commands, ["artifact", "download"], ["artifact", "delete", "-y"]):
        outcome = findspot(*command, ref)
        assert (outcome.code, outcome.out) == (code, ""), command
        assert words in outcome.err


MISTAKES = [
    (["artifact", "save", "a"], "Say what to save"),
    (["artifact", "save", "a", "file", "--value", "1"], "Say what to save"),
    (["artifact", "save", "a", "--value", "{x"], "The value is no JSON"),
    (["artifact", "save", "../a", "--value", "1"], "is no artifact key"),
    (["artifact", "save", "a", "--value", "1", "--kind", "thing"], "'feature-vector'"),
    (["artifact", "save", "a", "--value", "1", "-l", "x"], "name=value"),
    (["artifact", "tag", "a"], "TAG"),
    (["artifact", "nothing"], "nothing"),
    (["artifacts", "--kind", "thing"], "'feature-vector'"),
    (["artifacts", "--since", "soon"], "Write 2026-11-21"),
    (["artifacts", "-n", "0"], "--limit"),
    (["jobs", "--status", "done"], "'finished'"),
    (["lineage", "a", "-d", "sideways"], "'downstream'"),
    (["lineage", "a", "--depth", "0"], "--depth"),
    (["nothing"], "nothing"),
    (["jobs", "--nothing"], "--nothing"),
    (["-w", "http://x", "jobs"], "is no workspace"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES)
def test_mistakes_of_usage(workspace: Path, findspot: Command, words: list[str], said: str) -> None:
    outcome = findspot(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert findspot("artifacts", "--json").document() == []


def test_doctor(workspace: Path, findspot: Command) -> None:
    outcome = findspot("doctor")
    assert outcome.code == 0
    assert "takes and gives bytes" in outcome.out
    assert all(finding["good"] for finding in findspot("doctor", "--json").document())


def test_a_download_to_where_nothing_can_be(workspace: Path, findspot: Command) -> None:
    (workspace / "file").write_text("text")
    findspot("artifact", "save", "a", "file")
    outcome = findspot("artifact", "download", "a", "-o", "file")
    assert outcome.code == 1
    assert outcome.err.startswith("findspot: ")
    assert "file: The folder cannot be written to" in outcome.err
    assert "workspace" not in outcome.err
    assert "Traceback" not in outcome.err


def test_nothing_of_an_artifact_commands_the_terminal(workspace: Path, findspot: Command) -> None:
    with Workspace(workspace) as space:
        space.save_artifact("\x1b]0;owned\x07 text", "text", metadata={"note": "\x1b[2J"})
        space.save_artifact(pd.DataFrame({"name": ["\x1b[31m"]}), "rows")
    for key in ("text", "rows"):
        shown = findspot("artifact", "show", key)
        assert shown.code == 0
        assert "\ufffd" in shown.out
        assert "\x1b" not in shown.out


def test_a_url_of_a_workspace_on_files(workspace: Path, findspot: Command) -> None:
    findspot("artifact", "save", "limits", "--value", "[1]")
    outcome = findspot("artifact", "url", "limits")
    assert (outcome.code, outcome.out) == (2, "")
    assert "keeps its blobs on no server" in outcome.err
    wrong = findspot("artifact", "url", "limits", "--expires", "soon")
    assert (wrong.code, "'soon' is no span of time." in wrong.err) == (2, True)
