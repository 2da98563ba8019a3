"""The page of settings has a row for each of them, with its default."""

from __future__ import annotations

import re
from dataclasses import fields

from docs_pages import DOCS
from findspot.artifacts.settings import Settings

TABLES = {"projects": "[projects.", "trusted_modules": "[trust]"}
"""Settings that are tables of the file."""


def test_the_page_lists_every_setting_with_its_default() -> None:
    page = (DOCS / "workspaces.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, flags=re.MULTILINE))
    names = [field.name for field in fields(Settings) if field.name not in TABLES]
    assert rows == {name: f"FINDSPOT_{name.upper()}" for name in names}
    assert all(table in page for table in TABLES.values())
    shown = dict(re.findall(r"^\| `(\w+)` \| `\w+` \| `?([^`|]+?)`? \|", page, flags=re.MULTILINE))
    defaults = {name: str(getattr(Settings(), name)).lower() for name in names}
    assert {name: shown[name] for name in names if defaults[name]} == {
        name: default for name, default in defaults.items() if default
    }
