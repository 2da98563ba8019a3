"""The page of Python names says something of every public one."""

from __future__ import annotations

import re

import findspot
from docs_pages import DOCS
from findspot import Workspace


def test_the_page_names_everything_public() -> None:
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    assert len(findspot.__all__) > 50
    missing = [name for name in findspot.__all__ if not re.search(rf"\b{name}\b", page)]
    assert missing == []


def test_what_the_page_says_only_workspaces_have_they_have() -> None:
    page = (DOCS / "python.md").read_text(encoding="utf-8")
    named = [
        name
        for part in re.findall(r"Only as methods of a workspace:(.*?)\n\n", page, flags=re.DOTALL)
        for name in re.findall(r"`([a-z_]+)(?:\(.*?\))?`", part)
    ]
    assert len(named) > 15
    assert [name for name in named if not hasattr(Workspace, name)] == []
    assert [name for name in named if name in findspot.__all__] == []
