"""Previews of values in a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from findspot.cli.printing import print_table, printable

if TYPE_CHECKING:
    from findspot.core.records import Preview

TABLE = "application/vnd.findspot.table+json"


def print_preview(preview: Preview | None) -> None:
    """Text and tables are printed; of pictures only their kind and size is said."""
    if preview is None:
        return
    if preview.media_type == TABLE:
        typer.echo()
        table = json.loads(preview.data)
        print_table([str(c) for c in table["columns"]], table["rows"], empty="It has no rows.")
        total = table.get("total")
        if isinstance(total, int) and total > len(table["rows"]):
            typer.echo(f"({len(table['rows'])} of {total} rows)")
    elif preview.media_type.startswith("text/plain"):
        typer.echo("\n" + printable(preview.data.decode(errors="replace")))
    else:
        typer.echo(f"\n(preview: {preview.media_type}, {len(preview.data)} bytes)")
