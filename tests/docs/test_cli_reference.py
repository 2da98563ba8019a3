"""The command line's page names every command there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from docs_pages import DOCS
from findspot.cli.app import app


def commands(group: Any, parents: str = "") -> Iterator[str]:
    """Every command as it is typed, groups included."""
    for name, command in group.commands.items():
        yield f"{parents}{name}"
        if hasattr(command, "commands"):
            yield from commands(command, f"{parents}{name} ")


def test_the_page_names_every_command() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    known = list(commands(get_command(app)))
    assert "artifact save" in known
    missing = [name for name in known if not re.search(rf"`(findspot )?{name}\b", page)]
    assert [name for name in missing if name not in ("job", "artifact")] == []
