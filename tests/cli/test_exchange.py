"""`findspot push`, `pull`, `export` and `import`."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Command
from findspot import Workspace

LARGE = "x" * 10_000


@pytest.fixture
def made(flow: Path, findspot: Command) -> Path:
    """A workspace with what a pipeline made, and a large text."""
    assert findspot("run", "flow:halving").code == 0
    (flow.parent / "large.txt").write_text(LARGE)
    assert findspot("artifact", "save", "large", "large.txt").code == 0
    return flow.parent


def test_push_sends_versions_with_their_lineage_once(made: Path, findspot: Command) -> None:
    sent = findspot("push", "other", "result", "large")
    assert sent.code == 0, sent.err
    assert {line.partition("@")[0] for line in sent.out.splitlines()} >= {
        "store://values/default/result:1",
        "store://files/default/large:1",
    }
    assert f"Made a workspace in {made / 'other' / '.findspot'}" in sent.err
    assert ", 1 job" in sent.err
    there = Workspace(made / "other")
    assert there.load_artifact("result") == {"value": 2}
    assert {version.key for version in there.lineage("result").versions.values()} > {"result"}
    again = findspot("push", "other", "result", "large", "--json").document()
    assert (again["versions"], again["blobs"]) == ([], 0)


def test_push_of_the_versions_alone(made: Path, findspot: Command) -> None:
    report = findspot("push", "other", "result", "--lineage", "none", "--json").document()
    assert (len(report["versions"]), report["jobs"]) == (1, 0)
    assert findspot("push", "other", "nothing").code == 3
    assert findspot("push", "other", "result", "--lineage", "some").code == 2
    assert findspot("push", str(made), "result").code == 1  # the same workspace


@pytest.mark.slow
def test_what_versions_link_to_comes_along(made: Path, findspot: Command) -> None:
    assert findspot("artifact", "link", "result", "text", "large").code == 0
    alone = findspot("push", "other", "result", "--lineage", "none", "--no-links", "--json")
    assert (len(alone.document()["versions"]), alone.document()["links"]) == (1, 1)
    report = findspot("push", "other", "result", "--lineage", "none", "--json").document()
    assert [uri.partition("@")[0] for uri in report["versions"]] == [
        "store://files/default/large:1"
    ]
    (made / "new").mkdir()
    assert findspot("-w", "new", "init").code == 0
    pulled = findspot("-w", "new", "pull", "other", "result", "--no-links", "--json").document()
    assert len(pulled["versions"]) == 1
    one, both = (
        findspot("export", "result", name, "--lineage", "none", *more, "--json").document()
        for name, more in (("one.findspot", ["--no-links"]), ("both.findspot", []))
    )
    assert one["size"] < both["size"]


@pytest.mark.slow
def test_the_environment_is_of_the_current_workspace_only(
    made: Path, findspot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINDSPOT_STORE", str(made / ".findspot" / "blobs"))
    assert findspot("push", "other", "large").code == 0
    monkeypatch.delenv("FINDSPOT_STORE")
    assert Workspace(made / "other").load_artifact("large").read_text() == LARGE


def test_pull_fetches_from_another_workspace(made: Path, findspot: Command) -> None:
    with Workspace(made / "other") as other:
        other.save_artifact([1, 2], "numbers", project="iris", tags=["golden"])
    pulled = findspot("pull", "other", "numbers:golden", "--project", "iris")
    assert pulled.out.startswith("store://values/iris/numbers:1@")
    assert findspot("artifact", "load", "numbers", "--project", "iris").out == "[1, 2]\n"
    assert findspot("pull", "nowhere", "numbers").code == 3
    assert not (made / "nowhere").exists()
    assert findspot("pull", "other", "numbers").code == 3  # not in that project


@pytest.mark.slow
def test_a_bundle_is_written_and_read(
    made: Path, findspot: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = findspot("export", "result", "large", "all.findspot", "--json").document()
    file = made / "all.findspot"
    assert written["size"] == file.stat().st_size
    assert findspot("export", "result", "all.findspot").code == 4
    assert findspot("export", "result", "large", "all.findspot", "--force").code == 0
    (made / "new").mkdir()
    monkeypatch.chdir(made / "new")
    assert findspot("init").code == 0
    report = findspot("import", str(file), "--json").document()
    assert len(report["versions"]) >= 2
    assert findspot("artifact", "load", "result").out == "{'value': 2}\n"
    assert "New here: 0 versions" in findspot("import", str(file)).err


def test_a_file_that_is_no_bundle_is_refused(made: Path, findspot: Command) -> None:
    refused = findspot("import", "large.txt")
    assert (refused.code, "no whole zip archive" in refused.err) == (5, True)
    assert findspot("import", "nothing.findspot").code == 3


@pytest.mark.parametrize(
    "words", ["export notes there", "key generate there", "artifact download notes --to folder"]
)
def test_a_file_that_is_there_is_a_conflict(workspace: Path, findspot: Command, words: str) -> None:
    assert findspot("artifact", "save", "notes", "--value", "1").code == 0
    (workspace / "there").write_text("mine")
    (workspace / "folder").mkdir()
    (workspace / "folder" / "value.json").write_text("mine")
    outcome = findspot(*words.split())
    assert outcome.code == 4
    assert "already" in outcome.err
    assert (workspace / "there").read_text() == "mine"
    assert (workspace / "folder" / "value.json").read_text() == "mine"
