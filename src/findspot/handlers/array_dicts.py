"""Dicts of arrays in one safetensors file, where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from findspot.handlers.errors import BadValue
from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names
from findspot.handlers.tensor_files import read_tensors, tensor_names, tensor_of, write_tensors

_FILE = "arrays.safetensors"


class ArrayDictHandler(Handler):
    """Dicts of NumPy arrays by name, in ``arrays.safetensors``, which other tools read.

    It is used only where it is named: ``save_artifact(weights, "weights",
    handler="safetensors")``. Keys are sorted; a large file is loaded as read-only maps.
    """

    name = "safetensors"
    types = ("dict",)
    kind = "dataset"
    selections = ("keys",)

    def accepts(self, value: Any) -> bool:
        return isinstance(value, dict) and not _mistakes(value)

    def why_not(self, value: Any) -> str:
        return "it takes dicts of NumPy arrays of numbers"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        if not isinstance(value, dict):
            raise BadValue(f"It is a {type(value).__name__}, not a dict of arrays.")
        if mistakes := _mistakes(value):
            listing = "\n  ".join(mistakes[:20])
            raise BadValue(
                f"A safetensors file cannot hold it:\n  {listing}",
                how="Save it without handler='safetensors'.",
            )
        tensors = {key: tensor_of(array) for key, array in value.items()}
        write_tensors(folder, _FILE, {k: each for k, each in tensors.items() if each is not None})

    def load(self, folder: LoadFolder, /, **args: Any) -> dict[str, Any]:
        tensors, _ = read_tensors(folder, _FILE)
        return {key: tensors[key].numpy() for key in sorted(tensors)}

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        keys = chosen_names(what["keys"], tensor_names(folder, _FILE), what="keys")
        tensors, _ = read_tensors(folder, _FILE, only=keys)
        return {key: tensors[key].numpy() for key in keys}

    def describe(self, value: Any) -> Mapping[str, Any]:
        shapes = {key[:100]: list(array.shape) for key, array in list(value.items())[:50]}
        total = sum(array.nbytes for array in value.values())
        return {"arrays": len(value), "bytes": total, "shapes": shapes}


def _mistakes(value: Mapping[Any, Any]) -> list[str]:
    mistakes = []
    for key, array in value.items():
        if type(key) is not str or key == "__metadata__":
            mistakes.append(f"the key {key!r} is no name")
        elif type(array) not in (np.ndarray, np.memmap):
            mistakes.append(f"{key!r} is a {type(array).__name__}, not an array")
        elif tensor_of(array[:0] if array.ndim else array) is None:
            mistakes.append(f"{key!r} has the dtype {array.dtype}")
    return mistakes
