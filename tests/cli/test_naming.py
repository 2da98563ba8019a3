"""`findspot artifact protect`, `move`, `link`, `diff`, and what --force does to protected tags."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from commands import Command
from findspot import Workspace


@pytest.fixture
def golden(workspace: Path, findspot: Command) -> Path:
    """Two versions of ``data``; the first has the protected tag ``golden``."""
    for value in ("1", "2"):
        assert findspot("artifact", "save", "data", "--value", value).code == 0
    assert findspot("artifact", "tag", "data:1", "golden").code == 0
    assert findspot("artifact", "protect", "data", "golden").code == 0
    return workspace


@pytest.mark.slow
def test_a_protected_tag_moves_only_by_force(golden: Path, findspot: Command) -> None:
    assert findspot("artifact", "tag", "data:2", "golden").code == 4
    assert findspot("artifact", "untag", "data", "golden").code == 4
    assert "golden (protected)" in findspot("artifact", "show", "data:1").out
    moved = findspot("artifact", "tag", "data:2", "golden", "--force")
    assert moved.out == "data:golden is version 2 (was on 1)\n"
    taken = findspot("artifact", "untag", "data", "golden", "--force")
    assert taken.out == "data:golden is no more (was on 2)\n"
    assert findspot("artifact", "untag", "data", "golden", "--force").code == 3
    assert findspot("artifact", "protect", "data", "golden").code == 3


def test_a_version_under_a_protected_tag_goes_only_by_force(
    golden: Path, findspot: Command
) -> None:
    assert findspot("artifact", "delete", "data:golden", "-y").code == 4
    assert findspot("artifact", "delete", "data", "--all", "-y").code == 4
    assert findspot("artifact", "delete", "data:golden", "-y", "--force").code == 0
    assert findspot("artifact", "load", "data").out == "2\n"


def test_without_protection_a_tag_moves_again(golden: Path, findspot: Command) -> None:
    assert findspot("artifact", "unprotect", "data", "golden").code == 0
    assert findspot("artifact", "tag", "data:2", "golden").code == 0


def test_an_artifact_gets_another_name_and_project(golden: Path, findspot: Command) -> None:
    moved = findspot("artifact", "move", "data", "numbers", "--to-project", "iris")
    assert moved.out == "data is iris/numbers now, with 2 versions.\n"
    assert findspot("artifact", "load", "numbers:golden", "--project", "iris").out == "1\n"
    assert findspot("artifact", "show", "data").code == 3
    assert findspot("artifact", "move", "data", "other").code == 3
    assert findspot("artifact", "move", "numbers", "--project", "iris").code == 4


@pytest.mark.slow
def test_links_lead_to_versions_pages_and_files(golden: Path, findspot: Command) -> None:
    (golden / "chart.txt").write_text("a chart")
    for name, target in (
        ("before", "data:golden"),
        ("page", "https://example.org/data"),
        ("chart", "./chart.txt"),
    ):
        assert findspot("artifact", "link", "data", name, target).code == 0
    found = findspot("artifact", "links", "data", "--json").document()
    assert {link["name"]: link["kind"] for link in found} == {
        "before": "artifact",
        "page": "url",
        "chart": "file",
    }
    listed = findspot("artifact", "links", "data").out
    assert "store://values/default/data:1@" in listed
    assert str(golden / "chart.txt") in listed
    back = findspot("artifact", "links", "data:1", "--from", "--json").document()
    assert [link["name"] for link in back] == ["before"]
    extra = findspot("artifact", "show", "data", "--json").document()["extra_data"]
    assert extra["page"] == "https://example.org/data"
    assert "page ->" in findspot("artifact", "show", "data").out
    assert findspot("artifact", "unlink", "data", "page").code == 0
    assert findspot("artifact", "unlink", "data", "page").code == 3
    assert findspot("artifact", "link", "data", "lost", "./nothing.txt").code == 3


def test_diff_of_tables_matched_by_a_column(workspace: Path, findspot: Command) -> None:
    space = Workspace(workspace)
    space.save_artifact(pd.DataFrame({"id": [1, 2], "x": [0.5, 1.5]}), "table")
    space.save_artifact(pd.DataFrame({"id": [2, 1], "x": [1.5, 0.75]}), "table")
    said = findspot("artifact", "diff", "table:1", "table:2", "--on", "id")
    assert said.code == 0
    assert "0 rows added, 0 removed, 1 changed" in said.out
    document = findspot("artifact", "diff", "table:1", "table:2", "--json").document()
    assert document["same_content"] is False
    assert document["content"][0]["form"] == "table"
    bare = findspot("artifact", "diff", "table:1", "table:2", "--no-content", "--json").document()
    assert bare["content"] == []
    assert findspot("artifact", "diff", "table:1", "nothing").code == 3
