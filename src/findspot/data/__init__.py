"""Data items: bytes behind a URL or a path, read, written and listed alike wherever they are.

`get_dataitem` is the way in. What a running job reads through an item becomes part of its lineage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findspot.data.errors import (
        AccessDenied,
        BadTable,
        BadUrl,
        ItemChanged,
        ItemReadOnly,
        ItemRefused,
        MissingLibrary,
        NoListing,
        NotAFile,
        TransferFailed,
        UnknownFormat,
        UnknownScheme,
        Unreachable,
    )
    from findspot.data.item import DataItem, get_dataitem
    from findspot.data.protocol import ItemStat

__all__ = [
    "AccessDenied",
    "BadTable",
    "BadUrl",
    "DataItem",
    "ItemChanged",
    "ItemReadOnly",
    "ItemRefused",
    "ItemStat",
    "MissingLibrary",
    "NoListing",
    "NotAFile",
    "TransferFailed",
    "UnknownFormat",
    "UnknownScheme",
    "Unreachable",
    "get_dataitem",
]

_HOMES = {"DataItem": "item", "get_dataitem": "item", "ItemStat": "protocol"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
