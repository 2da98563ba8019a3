"""The command line's page names every command there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from docs_pages import DOCS
from findspot.cli.app import app


def named(group: Any, parents: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by how it is typed, groups included."""
    for name, command in group.commands.items():
        yield f"{parents}{name}", command
        if hasattr(command, "commands"):
            yield from named(command, f"{parents}{name} ")


def test_the_page_names_every_command() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    known = [name for name, _ in named(get_command(app))]
    assert "artifact save" in known
    missing = [name for name in known if not re.search(rf"`(findspot )?{name}\b", page)]
    assert [name for name in missing if name not in ("job", "artifact")] == []


def test_the_options_on_the_page_are_those_of_the_commands() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    every = dict(named(get_command(app)))
    rows = re.findall(r"^\| (`findspot .*?) \| (.*) \|$", page, flags=re.MULTILINE)
    wrong = []
    for commands_of_row, said in rows:
        known = {
            option
            for name in re.findall(r"`(?:findspot )?([a-z ]+[a-z])", commands_of_row)
            if name in every
            for parameter in every[name].params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        options = re.findall(r"(?<=`)--?[a-z][a-z-]*|(?<= )--[a-z][a-z-]*", commands_of_row + said)
        wrong += [(commands_of_row, option) for option in options if option not in known]
    assert len(rows) > 40
    assert wrong == []
