"""xarray's datasets, arrays and trees, in Zarr."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadSelection, BadValue
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import as_slice, chosen_names
from findspot.handlers.values import decode_json, encode_json
from findspot.handlers.zarr_arrays import refuse_pickles

_STORE, _ABOUT = "data.zarr", "xarray.json"
_VALUES = "values of the array"


class DatasetHandler(Handler):
    """Datasets and data arrays with coordinates, attributes and types, in the folder
    ``data.zarr``; compressed, and in memory after loading.

    What Zarr would change (an index of several levels, attributes that JSON does not hold, objects)
    is refused, and said. Dask arrays are written chunk by chunk.
    """

    name = "xarray.dataset"
    types = ("xarray.Dataset", "xarray.DataArray")
    kind = "dataset"
    representations = ("numpy.ndarray", "pandas.DataFrame", "dict")
    selections = ("variables", "index")

    def accepts(self, value: Any) -> bool:
        return type(value) in (xr.Dataset, xr.DataArray)

    def why_not(self, value: Any) -> str:
        return "it is of a class below xarray's own"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        array = isinstance(value, xr.DataArray)
        about: dict[str, Any] = {"findspot": 1, "array": array}
        if array:
            if value.name is not None and type(value.name) is not str:
                raise BadValue(f"The array's name {value.name!r} is no text.", how="Rename it.")
            about["name"] = value.name
            value = value.to_dataset(name=_VALUES)
        # How it was stored elsewhere says nothing of how it is stored here. Format 2, as 3 has not
        # settled yet how texts and times are stored.
        plain = value.drop_encoding()
        path = folder.path(_STORE)
        try:
            plain.to_zarr(path, mode="w-", consolidated=False, zarr_format=2)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise BadValue(
                f"Zarr does not take it: {error}",
                how="Name dimensions and variables by texts, reset_index() an index of several "
                "levels, and convert objects to texts or numbers.",
            ) from error
        _check_same(plain, path)
        folder.write(_ABOUT, encode_json(about))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        return self._open(folder, {})

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        return self._open(folder, what)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        value = self._open(folder, what)
        if as_type == "dict":
            return value.to_dict()
        if as_type == "pandas.DataFrame":
            return (
                value.to_dataset(name="values") if _is_nameless(value) else value
            ).to_dataframe()
        return value.to_numpy() if isinstance(value, xr.DataArray) else value.to_array().to_numpy()

    def _open(self, folder: LoadFolder, what: Mapping[str, Any]) -> Any:
        about = decode_json(folder.read(_ABOUT), where=_ABOUT)
        refuse_pickles(folder)
        try:
            with _open_store(folder.folder() / _STORE) as opened:
                chosen: Any = opened
                if "variables" in what:
                    chosen = opened[
                        chosen_names(what["variables"], _names(opened), what="variables")
                    ]
                if "index" in what:
                    chosen = chosen.isel(_checked_index(what["index"], chosen))
                loaded = chosen.load()
                loaded.encoding = {}
        except (KeyError, ValueError, OSError, TypeError) as error:
            raise BadFiles(f"it is no Zarr, or a damaged one: {error}", where=_STORE) from error
        for variable in loaded.variables.values():
            variable.encoding = {}
        if about.get("array"):
            return loaded[_VALUES].rename(about.get("name"))
        return loaded

    def describe(self, value: Any) -> Mapping[str, Any]:
        described: dict[str, Any] = {
            "dimensions": {str(name): int(size) for name, size in value.sizes.items()},
            "bytes": int(value.nbytes),
        }
        if isinstance(value, xr.DataArray):
            return described | {"dtype": str(value.dtype), "coordinates": _texts(value.coords)}
        types = {str(name): str(each.dtype) for name, each in list(value.data_vars.items())[:50]}
        return described | {"variables": types, "coordinates": _texts(value.coords)}

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def _open_store(path: Path) -> Any:
    # Without chunks, as Dask is not asked for; arrays are read when `load` is called.
    return xr.open_zarr(path, chunks=None, consolidated=False, decode_timedelta=True)


def _check_same(saved: Any, path: Path) -> None:
    """Raise `BadValue` where the store would give back something else; no values are read."""
    with _open_store(path) as found:
        changed = [
            f"{name}: {_outline(saved.variables[name])} would become "
            + (_outline(found.variables[name]) if name in found.variables else "nothing")
            for name in saved.variables
            if name not in found.variables
            or _outline(saved.variables[name]) != _outline(found.variables[name])
        ]
        if set(saved.coords) != set(found.coords):
            changed.append("its coordinates would be others")
        if dict(saved.attrs) != dict(found.attrs):
            changed.append("its attributes would be others")
    if changed:
        raise BadValue(
            "Zarr would not give it back as it is:\n  " + "\n  ".join(changed[:20]),
            how="Convert these to numbers, texts or times of nanoseconds, and attributes to JSON's "
            "types.",
        )


def _outline(variable: Any) -> str:
    attributes = {str(k): v for k, v in variable.attrs.items()}
    try:
        shown = encode_json(attributes).decode()
    except TypeError:
        shown = repr(attributes)
    return f"{variable.dims} {variable.dtype} {shown}"


def _names(dataset: Any) -> list[str]:
    return [str(name) for name in dataset.data_vars]


def _texts(names: Any) -> list[str]:
    return [str(name) for name in list(names)[:50]]


def _is_nameless(value: Any) -> bool:
    return isinstance(value, xr.DataArray) and value.name is None


def _checked_index(index: Any, dataset: Any) -> dict[str, Any]:
    """A slice or a whole number for each of some dimensions."""
    if not isinstance(index, Mapping):
        raise BadSelection(
            f"index is a {type(index).__name__}: {index!r}.",
            how="Give a slice or a number by dimension: index={'time': slice(0, 10)}.",
        )
    chosen_names(list(index), [str(name) for name in dataset.sizes], what="dimensions")
    made: dict[str, Any] = {}
    for name, part in index.items():
        if type(part) is int:
            size = dataset.sizes[name]
            if not -size <= part < size:
                raise BadSelection(f"{name} has {size} entries; {part} is none of them.")
            made[name] = part
        else:
            made[name] = as_slice(part)
    return made
