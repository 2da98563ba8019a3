"""Loaded values in a terminal."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from itertools import islice
from pprint import pformat
from typing import Any

import typer

from findspot.cli.options import UsageMistake
from findspot.cli.printing import note, print_table

SHOWN_ROWS = 20
SHOWN_ITEMS = 1000
_SHOWN_ELEMENTS = 100


def print_value(value: Any) -> None:
    """Text and bytes as they are; long arrays and tables in part, with what they are in all."""
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if isinstance(value, bytes | bytearray | memoryview):
        _print_bytes(bytes(value))
    elif isinstance(value, str):
        typer.echo(value)
    elif library == "numpy" and kind.__name__ in ("ndarray", "memmap"):
        shape = " x ".join(map(str, value.shape)) or "scalar"
        note(f"array of {value.dtype}, {shape}")
        with _short_arrays():
            typer.echo(str(value))
    elif library == "pyarrow" and kind.__name__ == "Table":
        names = value.column_names
        head = value.slice(0, SHOWN_ROWS).to_pylist()
        print_table(names, ([row[n] for n in names] for row in head), empty="It has no rows.")
        if value.num_rows > SHOWN_ROWS:
            note(f"({SHOWN_ROWS} of {value.num_rows} rows)")
    elif isinstance(value, dict | list | tuple | set | frozenset):
        _print_items(value)
    else:
        typer.echo(str(value))


def _print_bytes(value: bytes) -> None:
    if sys.stdout.isatty():
        try:
            value.decode()
        except UnicodeDecodeError:
            raise UsageMistake(
                f"The value is {len(value)} bytes that are no text.",
                how="Send them into a file: findspot artifact load <ref> > file",
            ) from None
    sys.stdout.flush()
    sys.stdout.buffer.write(value)


def _print_items(value: Any) -> None:
    count = len(value)
    if count > SHOWN_ITEMS:
        kept = islice(value.items() if isinstance(value, dict) else value, SHOWN_ITEMS)
        value = dict(kept) if isinstance(value, dict) else list(kept)
    with _short_arrays():
        typer.echo(pformat(value, width=80, sort_dicts=False))
    if count > SHOWN_ITEMS:
        note(f"({SHOWN_ITEMS} of {count} items; all of them: --json)")


def _short_arrays() -> Any:
    numpy = sys.modules.get("numpy")
    return nullcontext() if numpy is None else numpy.printoptions(threshold=_SHOWN_ELEMENTS)
