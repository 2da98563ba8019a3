"""Files as NumPy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from findspot.core.errors import FindspotError
from findspot.data.errors import BadTable, UnknownFormat
from findspot.data.libraries import need

FORMATS = ("npy", "npz", "csv", "tsv")


def array_format_of(name: str, given: str | None, url: str) -> str:
    """The format of an array's file: as given, else by the name's ending."""
    chosen = (given or Path(name).suffix).lower().lstrip(".")
    if chosen not in FORMATS:
        found = f"there is no format {chosen[:80]!r}" if chosen else "its name has no ending"
        raise UnknownFormat(url, found, "an array", FORMATS)
    return chosen


def read_array(path: Path, format: str, name: str | None, options: dict[str, Any], url: str) -> Any:
    """The array in a local file; pickled objects are never loaded.

    Args:
        name: which one of an ``.npz`` file that holds several.
        options: go to `numpy.load` or `numpy.loadtxt`.
    """
    need("numpy", "numpy", "An array")
    import numpy as np

    try:
        if format == "npy":
            return np.load(path, **{**options, "allow_pickle": False})
        if format == "npz":
            with np.load(path, **{**options, "allow_pickle": False}) as arrays:
                return arrays[_chosen(list(arrays.files), name, url)]
        delimiter = "\t" if format == "tsv" else ","
        given = {"delimiter": delimiter, "ndmin": 2, "encoding": "utf-8", **options}
        if "skiprows" not in given:
            given["skiprows"] = _header_lines(path, str(given["delimiter"]))
        return np.loadtxt(path, **given)
    except FindspotError:
        raise
    except Exception as error:
        raise BadTable(url, format, error) from error


def _chosen(names: list[str], name: str | None, url: str) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name is not None and name in names:
        return name
    what = "it holds several arrays" if name is None else f"it holds no array {name[:80]!r}"
    raise FindspotError(
        f"Which array is meant? {what.capitalize()}.",
        where=url,
        how=f"Say name=..., one of {', '.join(names[:20]) or 'none'}.",
    )


def _header_lines(path: Path, delimiter: str) -> int:
    """1 where the first line holds something else than numbers."""
    with path.open(encoding="utf-8", errors="replace") as reader:
        first = reader.readline(1 << 20).strip()
    try:
        for cell in first.split(delimiter):
            float(cell)
    except ValueError:
        return 1
    return 0
