"""Other forms and parts of a version: the options that ask for them, and how they become files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from findspot.cli.options import UsageMistake

if TYPE_CHECKING:
    from findspot.artifacts.version import ArtifactVersion
    from findspot.workspace import Workspace

AsType = Annotated[
    str | None,
    typer.Option("--as", metavar="TYPE", help="As this type: polars.DataFrame, list, bytes ..."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="A,B", help="Only these columns; repeatable."),
]
Rows = Annotated[
    str | None, typer.Option("--rows", metavar="FROM:TO", help="Only these rows: 10:20, :5, 3.")
]


def chosen_part(columns: list[str] | None, rows: str | None) -> dict[str, Any]:
    """What `ArtifactVersion.load` takes as a part.

    >>> chosen_part(["a,b", "c"], "10:20")
    {'columns': ['a', 'b', 'c'], 'rows': slice(10, 20, None)}

    Raises:
        UsageMistake: no column is named, or the rows are no range.
    """
    part: dict[str, Any] = {}
    if columns:
        part["columns"] = [name for text in columns for name in text.split(",") if name]
        if not part["columns"]:
            raise UsageMistake("--columns names none.", how="Write --columns a,b.")
    if rows is not None:
        part["rows"] = _slice(rows)
    return part


def _slice(text: str) -> slice:
    first, colon, last = text.partition(":")
    try:
        if not colon:
            return slice(int(first), int(first) + 1)
        return slice(int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise UsageMistake(
            f"{text!r} are no rows.", how="Write --rows 10:20, --rows :5, or --rows 3."
        ) from None


def write_form(
    workspace: Workspace, version: ArtifactVersion, value: Any, folder: Path, *, replace: bool
) -> list[Path]:
    """Write a loaded form of a version into a folder, as the files that saving it would make; all
    of them or none. The paths written, sorted.

    Raises:
        UsageMistake: there are files of these names, and they are not to be replaced.
    """
    import tempfile

    from findspot.handlers import PlainSaveFolder

    handler = workspace.handler_for(value)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".findspot-", dir=folder) as draft:
        saved = PlainSaveFolder(Path(draft))
        handler.save(value, saved)
        names = sorted(entry.path for entry in saved.files())
        taken = [str(folder / name) for name in names if os.path.lexists(folder / name)]
        if taken and not replace:
            raise UsageMistake(
                f"There is already {', '.join(taken[:5])}.",
                where=version.uri,
                how="Choose another folder, or say that files may be replaced (--force).",
            )
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(draft) / name).replace(target)
    return [folder / name for name in names]
