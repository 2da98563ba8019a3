"""Zarr arrays and groups, as the store that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadSelection, BadValue, Untrusted
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import array_index
from findspot.handlers.values import decode_json

_STORE = "data.zarr"


class ZarrHandler(Handler):
    """Zarr arrays and groups: every chunk and all metadata, byte for byte, in ``data.zarr``.

    They are loaded as read-only arrays and groups over the stored files; a chunk is read when it
    is asked for. Arrays of Python objects that Zarr pickles need trust.
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
        refuse_pickles(folder)
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


def refuse_pickles(folder: LoadFolder) -> None:
    """Raise `Untrusted` where a Zarr would unpickle what it reads, unless the folder is trusted."""
    if folder.trusted:
        return
    for entry in folder.files:
        if entry.path.rpartition("/")[2] in _METADATA:
            found = _pickling(decode_json(folder.read(entry.path), where=entry.path))
            if found:
                raise Untrusted(
                    "An array in it is stored by pickle, which can run any code when it is read.",
                    [found],
                    where=entry.path,
                )


_METADATA = frozenset({".zarray", ".zmetadata", "zarr.json"})


def _pickling(node: Any) -> str | None:
    """The name of a codec that pickles, anywhere in Zarr's metadata but in attributes."""
    if isinstance(node, dict):
        for key in ("id", "name"):
            name = node.get(key)
            if isinstance(name, str) and "pickle" in name.lower():
                return name
        items = [item for key, item in node.items() if key != "attributes"]
    else:
        items = node if isinstance(node, list) else []
    return next(filter(None, map(_pickling, items)), None)


async def _keys(store: Any, prefix: str) -> list[str]:
    return [key async for key in store.list_prefix(prefix)]
