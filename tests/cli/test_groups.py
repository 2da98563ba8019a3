"""Groups of commands that are made late."""

from __future__ import annotations

import subprocess
import sys

from commands import Command


def test_help_of_everything_makes_no_group() -> None:
    probe = (
        "import sys; from typer.main import get_command; from findspot.cli.app import app; "
        "get_command(app); print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "rich" not in done.stdout.split()
    loaded = set(done.stdout.splitlines())
    assert "findspot.cli.groups" in loaded
    assert {"findspot.cli.naming_commands", "findspot.cli.link_commands"} & loaded == set()


def test_a_group_lists_and_suggests_its_commands(findspot: Command) -> None:
    assert " protect " in findspot("artifact", "--help").out
    wrong = findspot("artifact", "tga")
    assert (wrong.code, "'tag'" in wrong.err) == (2, True)
    assert " generate " in findspot("key").out + findspot("key").err
