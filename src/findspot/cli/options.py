"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from findspot.core.errors import CheckFailed, FindspotError, Problem

if TYPE_CHECKING:
    from findspot.workspace import Workspace

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Project = Annotated[
    str | None, typer.Option("--project", help="The project; the workspace's own by default.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="From then on: 2026-11-21, 2026-11-21T08:00, or 90m, 12h, 7d."),
]
Until = Annotated[str | None, typer.Option("--until", help="Before then; written as --since.")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", "-l", help="A label, as name=value; repeatable.")
]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def open_workspace() -> Workspace:
    """The workspace that the command works in."""
    from findspot.workspace import Workspace

    return Workspace()


def pairs(texts: Iterable[str] | None, option: str) -> dict[str, str]:
    """``name=value`` texts as a mapping.

    Raises:
        CheckFailed: lists every text without ``=``, and every name that is given twice.
    """
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            problems.append(Problem(option, f"{text!r} is not of the form name=value"))
        elif name in found:
            problems.append(Problem(option, f"{name!r} is given twice"))
        else:
            found[name] = value
    if problems:
        raise CheckFailed(f"The option {option}", problems)
    return found


def moment(text: str | None) -> datetime | None:
    """A time from ISO text (local where it has no zone), or from an age such as ``12h``."""
    if text is None:
        return None
    if text[-1:] in _UNITS and text[:-1].replace(".", "", 1).isdigit():
        return datetime.now(UTC) - timedelta(seconds=float(text[:-1]) * _UNITS[text[-1]])
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise FindspotError(
            f"{text!r} is no time.", how="Write 2026-11-21, 2026-11-21T08:00, or an age: 12h, 7d."
        ) from None
