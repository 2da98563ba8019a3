"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from findspot.core.errors import CheckFailed, FindspotError, Problem

if TYPE_CHECKING:
    from findspot.workspace import Workspace

# The words that `core.records` allows, written out here because its import would double the
# time of `findspot --help`.
Kind = Literal[
    "file",
    "directory",
    "dataset",
    "model",
    "plot",
    "table",
    "value",
    "feature-set",
    "feature-vector",
]
Status = Literal["queued", "running", "finished", "failed", "interrupted", "cancelled"]

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
    list[str] | None,
    typer.Option("--label", "-l", metavar="NAME=VALUE", help="A label; repeatable."),
]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; repeatable."),
]
Artifacts = Annotated[
    list[str] | None,
    typer.Option(
        "--artifact",
        "-a",
        metavar="NAME=REF",
        help="A saved version for an artifact input, looked up when a job starts; repeatable.",
    ),
]
ChosenKind = Annotated[Kind | None, typer.Option("--kind", help="What sort of artifact.")]
Executor = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="inline, threads, processes, dask:, ray:, or dask: and ray: with an address; by "
        "default as the workspace's settings say.",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=0, help="Steps at once; 0: one for each core.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class UsageMistake(FindspotError):
    """Arguments of a command that are wrong, or do not fit together."""

    exit_code = 2


class NotConfirmed(FindspotError):
    """The user was asked, and did not say yes."""


def open_workspace() -> Workspace:
    """The workspace that the command works in; made when something is saved, where it is not
    there."""
    from findspot.workspace import Workspace

    return Workspace()


def existing_workspace() -> Workspace:
    """The workspace that the command reads from; nothing is ever made.

    Raises:
        NoWorkspace: there is none.
    """
    from findspot.artifacts.location import FOLDER_NAME, NoWorkspace

    workspace = open_workspace()
    if not workspace.exists:
        folder = workspace.folder
        raise NoWorkspace(str(folder.parent if folder.name == FOLDER_NAME else folder))
    return workspace


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
    age = _seconds(text)
    if age is not None:
        try:
            return datetime.now(UTC) - timedelta(seconds=age)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageMistake(
            f"{text!r} is no time.", how="Write 2026-11-21, 2026-11-21T08:00, or an age: 12h, 7d."
        ) from None


def seconds(text: str) -> float:
    """A span of time from text such as ``90s``, ``15m``, ``12h`` or ``7d``."""
    found = _seconds(text)
    if found is None:
        raise UsageMistake(f"{text!r} is no span of time.", how="Write 90s, 15m, 12h or 7d.")
    return found


def _seconds(text: str) -> float | None:
    if text[-1:] in _UNITS and text[:-1].replace(".", "", 1).isdecimal():
        return float(text[:-1]) * _UNITS[text[-1]]
    return None


def confirm(question: str, *, undone: str) -> None:
    """Go on only if the user says yes.

    Args:
        undone: what did not happen then, as a sentence.
    """
    sys.stderr.write(f"{question} [y/N]: ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    agreed = answer.strip().lower() in ("y", "yes")
    if not agreed:
        raise NotConfirmed(undone, how="Where nobody can be asked, say --yes.")
