"""The columns of a table in a record: names and types as people read them, of a bounded size."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable
from typing import Any

SCHEMA_COLUMNS = 200
_LENGTH = 200


def schema_of(columns: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """The types of the first 200 columns by name, as metadata.

    Names and types are cut where they are long (a type may list thousands of categories), and a
    name that comes again gets a number.

    >>> schema_of([("a", "int64"), ("a", "str")])
    {'a': 'int64', 'a (2)': 'str'}
    """
    schema: dict[str, str] = {}
    for name, kind in itertools.islice(columns, SCHEMA_COLUMNS):
        schema[label_of(name, schema)] = shortened(str(kind))
    return schema


def label_of(name: Any, taken: Container[str]) -> str:
    """A column's name, cut where it is long, and unlike those in ``taken``."""
    short = shortened(str(name))
    label, again = short, 1
    while label in taken:
        again += 1
        label = f"{short} ({again})"
    return label


def shortened(text: str) -> str:
    """At most 200 characters of a text, all of which UTF-8 can hold; what is cut ends in "…"."""
    if len(text) > _LENGTH:
        text = text[: _LENGTH - 1] + "…"
    return text.encode("utf-8", "replace").decode()
