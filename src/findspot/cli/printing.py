"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

STATUS_COLOURS = {
    "finished": "green",
    "reused": "green",
    "running": "cyan",
    "queued": "blue",
    "failed": "red",
    "interrupted": "yellow",
    "cancelled": "yellow",
    "skipped": "dim",
}

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_NARROWEST = 16  # of a column that wants more
_BORDER = 3


def console(*, error: bool = False) -> Console:
    """A terminal, or a plain stream where the output is piped: then lines are not wrapped."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else 10_000
    return Console(stderr=error, width=width, highlight=False, soft_wrap=False)


def short_id(id: str) -> str:
    """An id for people: its end, which commands take too; the whole of it where output is piped."""
    return id[-8:] if sys.stdout.isatty() else id


def short_digest(digest: str) -> str:
    """A digest for people: its beginning; the whole of it where output is piped."""
    return f"{digest[:15]}…" if sys.stdout.isatty() else digest


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    from findspot.cli.json_values import plain

    json.dump(plain(document), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str,
    whole: Collection[str] = (),
) -> None:
    """Rows under headers.

    Args:
        empty: what is said, to people, where there are no rows.
        whole: headers of the columns whose cells are not broken into lines, unless very long.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    listed = [
        [cell if isinstance(cell, Text) else Text(printable(str(cell))) for cell in row]
        for row in rows
    ]
    if not listed:
        note(empty)
        return
    terminal = console()
    longest = [
        max(len(header), *(row[index].cell_len for row in listed))
        for index, header in enumerate(headers)
    ]
    room = terminal.width - _BORDER * len(headers)
    widths = _widths(longest, [header in whole for header in headers], room)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for header, width in zip(headers, widths, strict=True):
        table.add_column(header, overflow="fold", width=width)
    for row in listed:
        table.add_row(*row)
    with terminal.capture() as captured:
        terminal.print(table)
    # Without the empty lines and the padding that Rich puts around a table.
    lines = [line.rstrip() for line in captured.get().splitlines()]
    sys.stdout.write("\n".join(lines).strip("\n") + "\n")


def _widths(longest: Sequence[int], whole: Sequence[bool], room: int) -> list[int]:
    """Widths of columns that together fit into ``room``, or nearly so where it is very little.

    Columns that are whole have all that they want, unless the others would not fit beside them:
    then the widest of them gives way. What is left over goes to those that want more.
    """
    given = [
        wanted if kept else min(wanted, _NARROWEST)
        for wanted, kept in zip(longest, whole, strict=True)
    ]
    widest = given.index(max(given))
    excess = sum(given) - room
    if excess > 0:
        given[widest] = max(given[widest] - excess, min(given[widest], _NARROWEST))
    for index, wanted in enumerate(longest):
        given[index] += max(0, min(wanted - given[index], room - sum(given)))
    return given


def note(text: str) -> None:
    """A message that is no result: on standard error."""
    if text:
        sys.stdout.flush()
        sys.stderr.write(text + "\n")


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Names and values under each other; empty values are left out.

    A long value is left to the terminal to wrap, so that it can be copied whole.
    """
    from rich.text import Text

    shown = [
        (name, value)
        for name, value in fields
        if value is not None and value != "" and value != {} and value != []
    ]
    width = max((len(name) for name, _ in shown), default=0)
    terminal = console()
    for name, value in shown:
        text = value if isinstance(value, Text) else Text(printable(_readable(value)))
        padding = " " * (width + 2 - len(name))
        terminal.print(Text.assemble((name, "bold"), padding, text), soft_wrap=True)


def printable(text: str) -> str:
    """Text without what a terminal would obey: an artifact's words may come from anywhere.

    >>> printable("red: \\x1b[31m, a tab: \\t")
    'red: \\ufffd[31m, a tab: \\t'
    """
    return _CONTROL.sub("\ufffd", text)


def coloured(status: str) -> Any:
    """A status in its colour."""
    from rich.text import Text

    return Text(status, STATUS_COLOURS.get(status, ""))


def size(count: int) -> str:
    """Bytes in units of 1,000.

    >>> size(1_234_567)
    '1.2 MB'
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError(count)


def counted(count: int, noun: str) -> str:
    """So many of something.

    >>> counted(1, "version"), counted(2, "version")
    ('1 version', '2 versions')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def age(time: datetime | None) -> str:
    """How long ago, in one unit."""
    if time is None:
        return ""
    seconds = max(0, int((datetime.now(UTC) - time).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds}s ago"


def duration(span: timedelta | None) -> str:
    """A duration, readable from microseconds to days."""
    if span is None:
        return ""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={_short(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:197] + "..."
