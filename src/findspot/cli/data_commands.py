"""`findspot data ls`, `cat` and `stat`."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from findspot.cli.options import AsJson

Url = Annotated[
    str,
    typer.Argument(help="A path, or a URL: https, s3, gs, az, file, store ...", metavar="URL"),
]
_BLOCK = 1 << 20


def ls(url: Url, as_json: AsJson = False) -> None:
    """List what is in a folder; names of folders end with a slash."""
    from findspot.cli.printing import print_json
    from findspot.data import get_dataitem

    names = get_dataitem(url).listdir()
    if as_json:
        print_json(names)
        return
    for name in names:
        typer.echo(name)


def cat(url: Url) -> None:
    """Write an item's bytes to standard output."""
    from findspot.data import get_dataitem

    with get_dataitem(url).open() as reader:
        sys.stdout.flush()
        shutil.copyfileobj(reader, sys.stdout.buffer, _BLOCK)
    sys.stdout.flush()


def stat(url: Url, as_json: AsJson = False) -> None:
    """Show an item's size, time and media type, without reading it."""
    from findspot.cli.printing import print_fields, print_json, size
    from findspot.data import get_dataitem

    item = get_dataitem(url)
    found = item.stat()
    if as_json:
        print_json(
            {
                "url": item.url,
                "kind": item.kind,
                "size": found.size,
                "modified": found.modified,
                "content_type": found.content_type,
                "etag": found.etag,
            }
        )
        return
    modified = found.modified and f"{found.modified.astimezone():%Y-%m-%d %H:%M:%S}"
    print_fields(
        [
            ("url", item.url),
            ("kind", item.kind),
            ("size", None if found.size is None else size(found.size)),
            ("modified", modified),
            ("type", found.content_type),
            ("etag", found.etag),
        ]
    )
