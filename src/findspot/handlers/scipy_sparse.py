"""SciPy's sparse matrices and arrays of every format, as npy files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.numpy_arrays import describe_array, holds, read_array, write_array
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import as_slice, row_range
from findspot.handlers.values import decode_json, encode_json

_ABOUT = "sparse.json"
_PARTS: Mapping[str, tuple[str, ...]] = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "coo": ("data",),
}
_BY_WAY_OF = {"dok": "coo", "lil": "csr"}
"""Formats made of Python objects, and the format that holds the same numbers in arrays."""


class SparseHandler(Handler):
    """Sparse matrices and arrays (CSR, CSC, BSR, DIA, COO; DOK and LIL by way of these): an npy
    file for each of their arrays, and format, shape and class in ``sparse.json``.

    The arrays are in memory, writable, in the order in which they were.
    """

    name = "scipy.sparse"
    types = ("scipy.sparse.spmatrix", "scipy.sparse.sparray")
    kind = "dataset"
    representations = ("numpy.ndarray", "pandas.DataFrame")
    selections = ("rows",)

    def accepts(self, value: Any) -> bool:
        return (
            type(value).__module__.startswith("scipy.sparse.")
            and (value.format in _PARTS or value.format in _BY_WAY_OF)
            and holds(value.dtype)
        )

    def why_not(self, value: Any) -> str:
        return "it takes SciPy's own sparse classes of numbers, no classes below them"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        held = value.asformat(_BY_WAY_OF[value.format]) if value.format in _BY_WAY_OF else value
        about = {
            "findspot": 1,
            "format": value.format,
            "stored": held.format,
            "array": isinstance(value, scipy.sparse.sparray),
            "shape": list(value.shape),
        }
        folder.write(_ABOUT, encode_json(about))
        for part in _PARTS[held.format]:
            write_array(folder, f"{part}.npy", getattr(held, part))
        if held.format == "coo":
            for axis, coordinates in enumerate(held.coords):
                write_array(folder, f"coords-{axis}.npy", coordinates)

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        about = decode_json(folder.read(_ABOUT), where=_ABOUT)
        try:
            stored, shape = about["stored"], tuple(about["shape"])
            cls = getattr(scipy.sparse, f"{stored}_{'array' if about['array'] else 'matrix'}")
            parts = [_array(folder, part) for part in _PARTS[stored]]
            if stored == "coo":
                coords = tuple(_array(folder, f"coords-{axis}") for axis in range(len(shape)))
                made = cls((parts[0], coords), shape=shape)
            else:
                made = cls(tuple(parts), shape=shape)
            return made.asformat(about["format"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise BadFiles(f"it is no sparse array: {error}", where=_ABOUT) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """All the zeros written out; a frame of sparse columns."""
        value = self.load_part(folder, what) if what else self.load(folder)
        if as_type == "numpy.ndarray":
            return value.toarray()
        import pandas as pd

        sparse: Any = pd.DataFrame.sparse
        return sparse.from_spmatrix(value)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        value = self.load(folder)
        row_range(what["rows"], value.shape[0])
        return value.tocsr()[as_slice(what["rows"])].asformat(value.format)

    def describe(self, value: Any) -> Mapping[str, Any]:
        count = int(value.nnz)
        cells = int(np.prod(value.shape, dtype=object))
        return {
            **describe_array(np.empty(0, value.dtype), statistics=False),
            "shape": list(value.shape),
            "format": value.format,
            "stored_values": count,
            "density": count / cells if cells else 0.0,
            "bytes": count * value.dtype.itemsize,
        }

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def _array(folder: LoadFolder, part: str) -> np.ndarray[Any, Any]:
    array = read_array(folder, f"{part}.npy")
    # SciPy sorts and sums in place even where it only reads.
    return array if array.flags.writeable else array.copy()
