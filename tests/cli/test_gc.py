"""`findspot gc`."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Command
from findspot import Workspace


@pytest.fixture
def three(workspace: Path, findspot: Command) -> Workspace:
    """Three versions of ``data``, each a blob of its own; the first has a tag."""
    space = Workspace(workspace)
    for number in range(3):
        tags = ["golden"] if number == 0 else []
        space.save_artifact(bytes([number]) * 10_000, "data", tags=tags)
    return space


def test_a_dry_run_says_what_would_go_and_why(three: Workspace, findspot: Command) -> None:
    said = findspot("gc", "--keep-last", "1")
    assert said.code == 0, said.err
    assert "default/data:2" in said.out
    assert "not one of the newest 1" in said.out
    assert "default/data:3" not in said.out
    assert "1 of 3 versions would go, 2 stay" in said.out
    plan = findspot("gc", "--keep-last", "1", "--json").document()
    assert plan["dry_run"] is True
    assert {v["version"]: v["reason"] for v in plan["versions"]} == {
        1: "tagged golden",
        2: "not one of the newest 1",
        3: "one of the newest 1",
    }
    assert "tagged golden" in findspot("gc", "--keep-last", "1", "--all").out
    assert len(three.list_artifacts()) == 3


def test_applied_it_forgets_versions_and_later_deletes_their_blobs(
    three: Workspace, findspot: Command
) -> None:
    done = findspot("gc", "--keep-last", "1", "--apply", "--grace-hours", "0", "--json").document()
    assert (len(done["deleted"]), done["dry_run"]) == (1, False)
    assert len(three.list_artifacts()) == 2
    assert len(done["quarantined"]) == 1
    later = ("gc", "--apply", "--grace-hours", "0", "--quarantine-days", "0")
    done = findspot(*later, "--json").document()
    assert len(done["purged"]) == 1
    assert done["freed"] >= 10_000
    assert [len(version.load()) for version in three.list_artifacts()] == [10_000, 10_000]
    assert "Forgotten: 0 versions." in findspot(*later).out


def test_rules_come_from_the_settings(three: Workspace, findspot: Command) -> None:
    none = findspot("gc")
    assert "There are no rules of retention" in none.err
    assert "0 of 3 versions would go" in none.out
    with (three.folder / "findspot.toml").open("a") as settings:
        settings.write('\n[[retention]]\nkey = "da*"\nkeep_last = 2\nkeep_tagged = false\n')
    assert "default/data:1" in findspot("gc").out


def test_options_that_make_no_rule(three: Workspace, findspot: Command) -> None:
    lone = findspot("gc", "--key", "data")
    assert (lone.code, "--keep-last 3" in lone.err) == (2, True)
    assert findspot("gc", "--keep-last", "-1").code == 2
    assert findspot("gc", "--keep-days", "nan").code == 2
    assert findspot("gc", "--keep-last", "1", "--quarantine-days", "nan").code == 2
    assert "0 of 3" in findspot("gc", "--keep-last", "1", "--project", "iris").out
