"""NumPy arrays, masked arrays and scalars, in npy files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib import format as npy

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadSelection, CannotConvert
from findspot.handlers.folders import write_parts
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import BinarySink, LoadFolder, SaveFolder
from findspot.handlers.selecting import array_index

MAPPED_FROM = 1 << 20
"""Files of this size (bytes) and more are memory-mapped when they are loaded."""

STATISTICS_UP_TO = 16 << 20
"""Smallest, largest and mean are found for arrays of up to this size (bytes)."""

_OTHERS = (
    *("list", "torch.Tensor", "pandas.DataFrame", "pandas.Series"),
    *("polars.DataFrame", "polars.Series", "pyarrow.Table", "pyarrow.Array"),
)
_BLOCK = 16 << 20
_ONE_WRITE = 64 << 10


def write_array(folder: SaveFolder, name: str, array: np.ndarray[Any, Any]) -> None:
    """Write an array as npy: without a copy if it is contiguous (in C or Fortran order), in blocks
    of 16 MiB if not."""
    header = io.BytesIO()
    about = npy.header_data_from_array_1_0(array)
    try:
        npy.write_array_header_1_0(header, about)
    except (
        ValueError
    ):  # a structured dtype of long or not Latin names: a newer npy, written by NumPy
        with folder.open(name) as sink:
            npy.write_array(_Writer(sink), array, version=(3, 0), allow_pickle=False)
        return
    if array.nbytes <= _ONE_WRITE:
        # Not `tobytes`, which leaves what it finds in memory between the fields of a structure.
        folder.write(name, b"".join([header.getvalue(), *_blocks(array)]))
        return
    if array.flags.forc:
        write_parts(folder, name, [header.getvalue(), *_blocks(array)])
        return
    with folder.open(name) as sink:
        sink.write(header.getvalue())
        for block in _blocks(array):
            sink.write(block)


class _Writer:
    """A sink as NumPy's writer wants it."""

    def __init__(self, sink: BinarySink) -> None:
        self._sink = sink

    def write(self, data: bytes, /) -> Any:
        return self._sink.write(data)


def _blocks(array: np.ndarray[Any, Any]) -> Iterator[memoryview]:
    if not array.flags.c_contiguous and array.flags.f_contiguous:
        array = array.T
    if array.flags.c_contiguous:
        yield _bytes_of(array)
        return
    row = array.nbytes // len(array)
    if row > _BLOCK:
        for part in array:
            yield from _blocks(part)
        return
    step = max(1, _BLOCK // row)
    for start in range(0, len(array), step):
        block = np.ascontiguousarray(array[start : start + step])
        yield _bytes_of(block)


def _bytes_of(array: np.ndarray[Any, Any]) -> memoryview:
    # As bytes, since the buffer protocol has no format for dates.
    view: Any = array.reshape(-1).view(np.uint8)
    return memoryview(view)


def read_array(folder: LoadFolder, name: str) -> np.ndarray[Any, Any]:
    """An array from npy: mapped read-only from 1 MiB on, otherwise in memory and writable."""
    size = next((entry.size for entry in folder.files if entry.path == name), 0)
    try:
        if size >= MAPPED_FROM:
            mapped = np.load(folder.path(name), mmap_mode="r", allow_pickle=False)
            # A plain view: the subclass memmap would follow into whatever is computed from it.
            return np.asarray(mapped)
        with io.BytesIO(folder.read(name)) as source:
            array = npy.read_array(source, allow_pickle=False)
            if source.read(1):
                raise ValueError("it goes on behind the array's end")
            return array
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError) as error:
        raise BadFiles(f"it is no npy file, or a damaged one: {error}", where=name) from error


def read_array_part(folder: LoadFolder, name: str, what: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The part of an array that ``rows`` or ``index`` asks for; only its own bytes are read.

    A part of 1 MiB or more stays a read-only map of the stored file; a smaller one is in memory.
    """
    try:
        mapped = np.load(folder.path(name), mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError) as error:
        # NumPy maps no empty file, and an array without items has no bytes to map.
        mapped = read_array(folder, name)
        if mapped.size:
            raise BadFiles(f"it is no npy file, or a damaged one: {error}", where=name) from error
    try:
        part = np.asarray(mapped[array_index(what, mapped.shape)])
    except IndexError as error:
        raise BadSelection(
            f"An array of shape {mapped.shape} has no such part: {error}.",
            how="Give an index within the shape.",
        ) from None
    return part if part.nbytes >= MAPPED_FROM else np.array(part)


def holds(dtype: np.dtype[Any]) -> bool:
    """Whether npy holds a dtype exactly."""
    if dtype.hasobject or dtype.metadata or dtype.kind == "T" or dtype.type.__module__ != "numpy":
        return False
    if dtype.names is None and dtype.kind != "V":
        return True
    try:
        return bool(npy.descr_to_dtype(npy.dtype_to_descr(dtype)) == dtype)
    except (ValueError, TypeError):
        return False


def why_dtype_not(dtype: np.dtype[Any]) -> str:
    return f"npy does not hold the dtype {dtype} exactly (Python objects, texts of any length)"


class ArrayHandler(Handler):
    """NumPy arrays of any shape and of every dtype without Python objects, in ``array.npy``.

    The memory order is kept. An array whose file has 1 MiB or more is loaded as a read-only map of
    the stored file, at once and without memory of its own; copy it to change it.
    """

    name = "numpy.array"
    types = ("numpy.ndarray",)
    kind = "dataset"
    representations = _OTHERS
    selections = ("rows", "index")

    def accepts(self, value: Any) -> bool:
        kind = type(value)
        return (kind is np.ndarray or kind is np.memmap) and holds(value.dtype)

    def why_not(self, value: Any) -> str:
        if type(value) not in (np.ndarray, np.memmap):
            return "it is a subclass of ndarray, which would come back as a plain array"
        return why_dtype_not(value.dtype)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write_array(folder, "array.npy", value)

    def load(self, folder: LoadFolder, /, **args: Any) -> np.ndarray[Any, Any]:
        return read_array(folder, "array.npy")

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        array = self.load_part(folder, what) if what else self.load(folder)
        return array_as_other(array, as_type, self.name)

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        return read_array_part(folder, "array.npy", what)

    def describe(self, value: Any) -> Mapping[str, Any]:
        return describe_array(value)

    def preview(self, value: Any) -> Preview | None:
        return preview_array(value)


def array_as_other(array: np.ndarray[Any, Any], as_type: str, handler: str) -> Any:
    """An array as a list, a tensor, or one of the tables and columns of its shape."""
    if as_type == "list":
        return array.tolist()
    if as_type == "torch.Tensor":
        torch: Any = import_module("torch")
        # A copy where NumPy may not write: a tensor can always be written to.
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    wide = as_type.endswith(("DataFrame", "Table"))
    if array.ndim not in ((1, 2) if wide else (1,)):
        raise CannotConvert(
            handler,
            as_type,
            _OTHERS,
            reason=f"the array has the shape {array.shape}, and a "
            + ("table takes one of one or two dimensions" if wide else "column takes one of one"),
        )
    if as_type.startswith("pandas."):
        import pandas as pd

        return pd.DataFrame(array) if wide else pd.Series(array)
    if as_type.startswith("polars."):
        import polars as pl

        return pl.DataFrame(array) if wide else pl.Series(array)
    import pyarrow as pa

    if not wide:
        return pa.array(array)
    if array.dtype.names:
        return pa.table({name: pa.array(array[name]) for name in array.dtype.names})
    columns = array.T if array.ndim == 2 else [array]
    return pa.table({str(number): pa.array(column) for number, column in enumerate(columns)})


class MaskedArrayHandler(Handler):
    """Masked arrays: data, mask and fill value in an npy file each."""

    name = "numpy.masked"
    types = ("numpy.ma.MaskedArray",)
    kind = "dataset"

    def accepts(self, value: Any) -> bool:
        return type(value) is np.ma.MaskedArray and holds(value.dtype)

    def why_not(self, value: Any) -> str:
        return why_dtype_not(value.dtype)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write_array(folder, "data.npy", np.asarray(value.data))
        if value.mask is not np.ma.nomask:
            write_array(folder, "mask.npy", value.mask)
        if value._fill_value is not None:
            write_array(folder, "fill_value.npy", np.asarray(value.fill_value))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        names = {entry.path for entry in folder.files}
        data = read_array(folder, "data.npy")
        mask = read_array(folder, "mask.npy") if "mask.npy" in names else np.ma.nomask
        made: Any = np.ma.MaskedArray(data, mask=mask)
        if "fill_value.npy" in names:
            made.fill_value = read_array(folder, "fill_value.npy")[()]
        return made

    def describe(self, value: Any) -> Mapping[str, Any]:
        described = describe_array(np.asarray(value.data), statistics=False)
        return {**described, "masked": int(np.count_nonzero(np.ma.getmaskarray(value)))}

    def preview(self, value: Any) -> Preview | None:
        # NumPy's own text of an array does not know what to write for what is masked.
        with np.printoptions(threshold=200, edgeitems=3, linewidth=100):
            return text_preview(str(value))


class ScalarHandler(Handler):
    """NumPy's scalars (``numpy.float64(0.5)``), as an array without dimensions."""

    name = "numpy.scalar"
    types = ("numpy.generic",)

    def accepts(self, value: Any) -> bool:
        return type(value).__module__ == "numpy" and holds(value.dtype)

    def why_not(self, value: Any) -> str:
        return "it takes NumPy's own scalars without Python objects in them"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write_array(folder, "scalar.npy", np.asarray(value))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        array = read_array(folder, "scalar.npy")
        if array.ndim:
            raise BadFiles("it holds an array, not a scalar", where="scalar.npy")
        return array[()]

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {"dtype": str(value.dtype)}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(str(value))


def describe_array(array: np.ndarray[Any, Any], *, statistics: bool = True) -> dict[str, Any]:
    """Shape, dtype, size in bytes, and for numbers up to 16 MiB the smallest, largest and mean.

    NaN and infinities are left out of the statistics, and counted as ``not_finite``.
    """
    described: dict[str, Any] = {
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "bytes": array.nbytes,
    }
    if not statistics or array.dtype.kind not in "biuf" or array.dtype.names is not None:
        return described
    if not 0 < array.nbytes <= STATISTICS_UP_TO:
        return described
    if array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            mean = float(array.mean(dtype=max(array.dtype, np.dtype(np.float64))))
        if not np.isfinite(mean):
            finite = array[np.isfinite(array)]
            described["not_finite"] = int(array.size - finite.size)
            array = finite / 1
            if not array.size:
                return described
            with np.errstate(all="ignore"):
                mean = float(array.mean())
        numbers = {"min": float(array.min()), "max": float(array.max()), "mean": mean}
    else:
        low, high = array.min(), array.max()
        numbers = {"min": low.item(), "max": high.item(), "mean": float(array.mean())}
    described.update({k: v for k, v in numbers.items() if -1e308 < v < 1e308})
    return described


def preview_array(array: Any) -> Preview:
    """The array's corners as text."""
    return text_preview(
        np.array2string(array, threshold=200, edgeitems=3, max_line_width=100, separator=", ")
    )
