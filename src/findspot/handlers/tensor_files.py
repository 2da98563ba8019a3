"""Safetensors files: named arrays after a JSON header, written without copies and read as maps.

The format is that of the safetensors library, which reads these files and whose files are read
here; nothing but NumPy is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from findspot.handlers.errors import BadFiles
from findspot.handlers.folders import write_parts
from findspot.handlers.protocol import LoadFolder, SaveFolder

MAPPED_FROM = 1 << 20
_LONGEST_HEADER = 100 << 20
_TYPES: tuple[tuple[str, int, str | None], ...] = (
    ("F64", 8, "<f8"),
    ("I64", 8, "<i8"),
    ("U64", 8, "<u8"),
    ("C64", 8, "<c8"),
    ("F32", 4, "<f4"),
    ("I32", 4, "<i4"),
    ("U32", 4, "<u4"),
    ("F16", 2, "<f2"),
    ("BF16", 2, None),
    ("I16", 2, "<i2"),
    ("U16", 2, "<u2"),
    ("I8", 1, "|i1"),
    ("U8", 1, "|u1"),
    ("BOOL", 1, "|b1"),
    ("F8_E4M3", 1, None),
    ("F8_E5M2", 1, None),
)
_SIZES = {name: size for name, size, _ in _TYPES}
_NUMPY = {name: text for name, _, text in _TYPES if text is not None}
_OF_NUMPY = {text: name for name, text in _NUMPY.items()}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array of the file: its type as safetensors names it, its shape, and its bytes.

    Args:
        data: one-dimensional array of uint8, in C order.
    """

    dtype: str
    shape: tuple[int, ...]
    data: Any

    def numpy(self) -> np.ndarray[Any, Any]:
        """The array; `BadFiles` for a type that NumPy does not have (BF16)."""
        if self.dtype not in _NUMPY:
            raise BadFiles(f"NumPy has no type {self.dtype}", how="Load it as tensors of torch.")
        return self.data.view(_NUMPY[self.dtype]).reshape(self.shape)  # type: ignore[no-any-return]


def tensor_of(array: np.ndarray[Any, Any]) -> Tensor | None:
    """A NumPy array as a `Tensor`; None if the format has no such type."""
    name = _OF_NUMPY.get(array.dtype.str)
    if name is None:
        return None
    flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return Tensor(name, array.shape, flat)


def write_tensors(
    folder: SaveFolder,
    name: str,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a safetensors file; equal tensors give equal bytes, in whatever order they come."""
    order = sorted(tensors, key=lambda key: (-_SIZES[tensors[key].dtype], key))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    place = 0
    for key in order:
        tensor = tensors[key]
        end = place + tensor.data.nbytes
        header[key] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [place, end],
        }
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = [len(text).to_bytes(8, "little") + text]
    write_parts(folder, name, [*parts, *(memoryview(tensors[key].data) for key in order)])


def read_tensors(
    folder: LoadFolder, name: str, *, writable: bool = False, only: Iterable[str] | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and its metadata, in the order of the file.

    Args:
        writable: the arrays may be changed: those of a mapped file are copied page by page when
            they are written to (the file itself never changes). Otherwise they are read-only.
        only: names of those to give; all by default.
    """
    size = next((entry.size for entry in folder.files if entry.path == name), None)
    if size is None:
        raise BadFiles(f"there is no file {name!r}")
    whole: Any
    if size >= MAPPED_FROM:
        path: Path = folder.path(name)
        whole = np.asarray(np.memmap(path, np.uint8, mode="c" if writable else "r"))
    else:
        data = folder.read(name)
        whole = np.frombuffer(bytearray(data) if writable else data, np.uint8)
    try:
        return _parsed(whole, None if only is None else frozenset(only))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BadFiles(f"it is no safetensors file, or a damaged one: {reason}", where=name) from (
            error
        )


def _parsed(whole: Any, only: frozenset[str] | None) -> tuple[dict[str, Tensor], dict[str, str]]:
    length = int.from_bytes(whole[:8].tobytes(), "little")
    if len(whole) < 8 or length > min(_LONGEST_HEADER, len(whole) - 8):
        raise ValueError("the header is longer than the file")
    header = json.loads(whole[8 : 8 + length].tobytes())
    metadata = header.pop("__metadata__", {})
    body = whole[8 + length :]
    found = {}
    for key, about in header.items():
        start, end = about["data_offsets"]
        shape = tuple(about["shape"])
        items = int(np.prod(shape, dtype=object))
        wrong = any(type(n) is not int or n < 0 for n in (start, end, *shape))
        if wrong or end > len(body) or end - start != items * _SIZES[about["dtype"]]:
            raise ValueError(f"the entry {key!r} does not fit: {about}")
        if only is None or key in only:
            found[key] = Tensor(about["dtype"], shape, body[start:end])
    return found, metadata


def tensor_names(folder: LoadFolder, name: str) -> list[str]:
    """The names in a file; no tensor is read."""
    return list(read_tensors(folder, name)[0])
