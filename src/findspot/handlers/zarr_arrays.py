"""Zarr arrays and groups, as the store that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadSelection, BadValue
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import array_index

_STORE = "data.zarr"


class ZarrHandler(Handler):
    """Zarr arrays and groups: every chunk and all metadata, byte for byte, in ``data.zarr``.

    They are loaded as read-only arrays and groups over the stored files; a chunk is read when it
    is asked for.
    """

    name = "zarr"
    types = ("zarr.Array", "zarr.Group")
    kind = "dataset"
    representations = ("numpy.ndarray",)
    selections = ("rows", "index")

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        store, prefix = value.store, value.path
        copied = 0
        for key in sorted(sync(_keys(store, f"{prefix}/" if prefix else ""))):
            data = sync(store.get(key, default_buffer_prototype()))
            if data is not None:
                name = key[len(prefix) + 1 :] if prefix else key
                folder.write(f"{_STORE}/{name}", data.to_bytes())
                copied += 1
        if not copied:
            raise BadValue("The store has no such array any more.", where=str(store))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        try:
            return zarr.open(folder.folder() / _STORE, mode="r")
        except (KeyError, ValueError, OSError, TypeError) as error:
            raise BadFiles(f"it is no Zarr, or a damaged one: {error}", where=_STORE) from error

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """The part as an array of NumPy; only the chunks that hold it are read."""
        value = self.load(folder)
        if not isinstance(value, zarr.Array):
            raise BadSelection("It is a group of arrays.", how="Load it, and index one of them.")
        try:
            return value[array_index(what, value.shape)]
        except IndexError as error:
            raise BadSelection(
                f"An array of shape {value.shape} has no such part: {error}."
            ) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        return self.load_part(folder, what or {"index": ...})

    def describe(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, zarr.Group):
            return {"members": sorted(value.keys())[:50]}
        return {
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "chunks": list(value.chunks),
            "bytes": int(value.nbytes),
            "zarr_format": int(value.metadata.zarr_format),
        }

    def preview(self, value: Any) -> Preview | None:
        return text_preview(str(value.info))


async def _keys(store: Any, prefix: str) -> list[str]:
    return [key async for key in store.list_prefix(prefix)]
