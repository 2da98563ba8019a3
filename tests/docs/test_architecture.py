"""The architecture's map of the large folders is that of the folders."""

from __future__ import annotations

import re

import pytest

from docs_pages import DOCS, ROOT


@pytest.mark.parametrize("folder", ["artifacts", "engine", "experiments"])
def test_the_map_names_every_file_of_a_folder_once(folder: str) -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = re.search(rf"^`{folder}/`.*?\n\n((?:\|.*\n)+)", page, flags=re.MULTILINE)
    assert table is not None
    rows = table[1].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[2])]
    files = {file.stem for file in (ROOT / "src" / "findspot" / folder).glob("*.py")}
    assert sorted(named) == sorted(files - {"__init__"})


def test_the_map_names_every_folder_of_the_engine_once() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = re.search(
        r"^\| folder \| holds \|\n\|---\|---\|\n((?:\|.*\n)+)", page, flags=re.MULTILINE
    )
    assert table is not None
    named = re.findall(r"^\| `(\w+)` \|", table[1], flags=re.MULTILINE)
    folders = (ROOT / "src" / "findspot" / "engine").glob("*/__init__.py")
    assert sorted(named) == sorted(file.parent.name for file in folders)


def test_the_layers_on_the_page_are_those_that_are_checked() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    checked = re.search(r"^layers = \[(.*?)\]", project, flags=re.MULTILINE | re.DOTALL)
    shown = re.search(r"```text\n(cli .*?)```", page, flags=re.DOTALL)
    assert checked is not None
    assert shown is not None
    layers = [line.replace("findspot.", "") for line in re.findall(r'"([^"]+)"', checked[1])]
    assert [line.split("  ")[0] for line in shown[1].splitlines()] == layers
