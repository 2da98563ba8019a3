"""Sparse arrays, labelled arrays, Zarr, graphs, and dicts of arrays in safetensors."""

from __future__ import annotations

import datetime
import json
import pickle
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse
import xarray as xr
import zarr
from safetensors.numpy import load_file, save_file

from findspot.handlers import (
    BadFiles,
    BadSelection,
    BadValue,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    load_value,
    round_trip,
)

nx: Any = import_module("networkx")


def saved(value: Any, folder: Path, handler: str | None = None) -> Callable[..., Any]:
    """Save a value; what is returned loads it as a type or in part."""
    folder.mkdir(exist_ok=True)
    registry = default_registry()
    found = registry.for_value(value) if handler is None else registry.by_name(handler)
    found.save(value, PlainSaveFolder(folder))

    def load(as_type: Any = None, **what: Any) -> Any:
        return load_value(found, PlainLoadFolder(folder), as_type=as_type, what=what)

    return load


# --------------------------------------------------------------------------- SciPy


@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo", "dia", "dok", "lil"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse_arrays_of_every_format_come_back(form: str, kind: str) -> None:
    dense = np.array([[0, 1.5, 0, 0], [2, 0, 0, -1], [0, 0, 0, 0]])
    value = getattr(scipy.sparse, f"{form}_{kind}")(dense)
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded.dtype == value.dtype
    assert loaded.nnz == value.nnz
    assert (loaded.toarray() == dense).all()
    handler = default_registry().for_value(value)
    assert (handler.name, handler.kind) == ("scipy.sparse", "dataset")
    # The diagonals of DIA hold zeros too.
    assert handler.describe(value)["density"] == (7 / 12 if form == "dia" else 0.25)


def test_a_sparse_array_of_one_dimension_and_a_large_one_come_back() -> None:
    flat = scipy.sparse.coo_array(np.array([0, 3, 0, 4]))
    assert round_trip(flat).toarray().tolist() == [0, 3, 0, 4]
    large = scipy.sparse.random_array((4000, 500), density=0.1, rng=0, format="csr")
    loaded = round_trip(large)
    assert (loaded != large).nnz == 0
    loaded.data[0] = 5
    loaded.sum_duplicates()
    assert round_trip(scipy.sparse.csr_array((0, 5))).shape == (0, 5)


def test_rows_of_a_sparse_array_and_its_zeros(tmp_path: Path) -> None:
    value = scipy.sparse.csc_array(np.eye(5))
    load = saved(value, tmp_path)
    part = load(rows=slice(1, 3))
    assert part.format == "csc"
    assert (part.toarray() == np.eye(5)[1:3]).all()
    assert (load(np.ndarray) == np.eye(5)).all()
    assert load("pandas.DataFrame").sparse.density == 0.2
    (tmp_path / "sparse.json").write_text('{"stored": "csr"}')
    with pytest.raises(BadFiles, match="no sparse array"):
        load()


# --------------------------------------------------------------------------- xarray, Zarr


def weather() -> xr.Dataset:
    return xr.Dataset(
        {
            "rain": (("day", "place"), np.arange(6.0).reshape(3, 2), {"unit": "mm"}),
            "cold": (("day",), [True, False, True]),
            "count": (("day",), np.array([1, 2, 3], dtype="i4")),
        },
        coords={
            "day": np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="M8[ns]"),
            "place": ["Ulm", "Köln"],
            "height": ("place", [478.0, 52.5]),
            "since": np.timedelta64(5, "s").astype("m8[ns]"),
        },
        attrs={"source": "test", "levels": [1, 2]},
    )


@pytest.mark.slow
def test_datasets_of_xarray_come_back_as_they_were(tmp_path: Path) -> None:
    dataset = weather()
    loaded = round_trip(dataset)
    xr.testing.assert_identical(loaded, dataset)
    assert {name: each.dtype for name, each in loaded.variables.items()} == {
        name: each.dtype for name, each in dataset.variables.items()
    }
    xr.testing.assert_identical(round_trip(loaded), dataset)
    for name in ("rain", "cold", "place"):
        array = dataset[name]
        xr.testing.assert_identical(round_trip(array), array)
    nameless = xr.DataArray(np.eye(2))
    xr.testing.assert_identical(round_trip(nameless), nameless)
    first, second = tmp_path / "a", tmp_path / "b"
    saved(dataset, first)
    saved(weather(), second)
    assert PlainSaveFolder(first).files() == PlainSaveFolder(second).files()


def test_variables_and_ranges_of_a_dataset(tmp_path: Path) -> None:
    dataset = weather()
    load = saved(dataset, tmp_path)
    part = load(variables=["rain"], index={"day": slice(1, None), "place": 0})
    xr.testing.assert_identical(part, dataset[["rain"]].isel(day=slice(1, None), place=0))
    assert load(dict, variables=["cold"])["data_vars"]["cold"]["data"] == [True, False, True]
    frame = load("pandas.DataFrame", variables=["rain"])
    assert frame["rain"].tolist() == list(range(6))
    with pytest.raises(BadSelection, match="did you mean 'rain'"):
        load(variables=["rains"])
    with pytest.raises(BadSelection, match="'date' is not there"):
        load(index={"date": slice(1)})
    with pytest.raises(BadSelection, match="has 3 entries"):
        load(index={"day": 3})


@pytest.mark.parametrize(
    "bad",
    [
        weather().stack(both=("day", "place")),
        weather().assign_attrs(bad=object()),
        weather().assign(things=("day", np.array([{1}, {2}, {3}], dtype=object))),
        xr.DataArray(np.eye(2), name=5),
    ],
    ids=["levels", "attribute", "objects", "name"],
)
def test_what_zarr_does_not_hold_is_refused(bad: Any, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"Zarr|is no text"):
        saved(bad, tmp_path / "x")


@pytest.mark.parametrize("form", [2, 3])
def test_zarr_arrays_come_back_chunk_by_chunk(form: Any, tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "source", shape=(100, 10), chunks=(10, 10), dtype="f4", zarr_format=form
    )
    array[:] = np.arange(1000, dtype="f4").reshape(100, 10)
    array.attrs["unit"] = "mm"
    load = saved(array, tmp_path / "saved")
    loaded = load()
    assert (loaded[:] == array[:]).all()
    assert (loaded.chunks, loaded.dtype, dict(loaded.attrs)) == ((10, 10), "f4", {"unit": "mm"})
    assert loaded.metadata == array.metadata
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 1
    for chunk in (tmp_path / "saved" / "data.zarr").rglob("*0"):
        if chunk.is_file() and not chunk.match("2*0") and "2" not in chunk.parts[-2:]:
            chunk.unlink()
    part = load(rows=slice(25, 27))
    assert type(part) is np.ndarray
    assert part.tolist() == [[*range(250, 260)], [*range(260, 270)]]
    with pytest.raises(BadSelection, match="no such part"):
        load(index=500)


def test_zarr_groups_come_back_from_any_store(tmp_path: Path) -> None:
    root = zarr.create_group(zarr.storage.MemoryStore())
    inner = root.create_group("deep/inner", attributes={"a": 1})
    inner.create_array("x", data=np.arange(5))
    loaded = saved(root, tmp_path / "root")()
    assert loaded["deep/inner/x"][:].tolist() == [0, 1, 2, 3, 4]
    part = saved(inner, tmp_path / "inner")()
    assert dict(part.attrs) == {"a": 1}
    assert part["x"][2] == 2
    with pytest.raises(BadSelection, match="a group of arrays"):
        saved(inner, tmp_path / "again")(rows=slice(1))


class Marked:
    """Leaves a mark where it is unpickled."""

    seen: ClassVar[list[int]] = []

    def __reduce__(self) -> Any:
        return Marked.seen.append, (1,)


@pytest.mark.parametrize("handler", ["zarr", "xarray.dataset"])
def test_a_zarr_that_unpickles_needs_trust(handler: str, tmp_path: Path) -> None:
    store = tmp_path / "data.zarr"
    array = zarr.create_array(
        store / "x", shape=(1,), chunks=(1,), dtype="i8", zarr_format=2, compressors=None
    )
    array[:] = 1
    about = json.loads((store / "x" / ".zarray").read_text())
    about |= {"dtype": "|O", "fill_value": "", "filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]}
    (store / "x" / ".zarray").write_text(json.dumps(about).replace("pickle", r"p\u0069ckle"))
    (store / "x" / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["n"]}')
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    (store / "x" / "0").write_bytes(pickle.dumps(np.array([Marked()], dtype=object)))
    (tmp_path / "xarray.json").write_text('{"findspot": 1, "array": false}')
    found = default_registry().by_name(handler)
    with pytest.raises(Untrusted, match="stored by pickle"):
        found.load(PlainLoadFolder(tmp_path))
    assert Marked.seen == []


# --------------------------------------------------------------------------- graphs


@pytest.mark.parametrize("cls", ["Graph", "DiGraph", "MultiGraph", "MultiDiGraph"])
def test_graphs_come_back_with_anything_in_them(cls: str) -> None:
    graph = getattr(nx, cls)(name="net", made=datetime.date(2024, 1, 1))
    graph.add_node((0, "x"), weight=np.float32(0.5))
    graph.add_node("alone", vector=np.arange(3))
    graph.add_edge((0, "x"), 2, length=1.5)
    graph.add_edge(2, frozenset({1}), tags={"a", "b"})
    graph.add_edge(2, 2)
    if graph.is_multigraph():
        graph.add_edge(2, 2, key="second", length=2)
    loaded = round_trip(graph)
    assert type(loaded) is type(graph)
    assert loaded.graph == graph.graph
    assert list(loaded) == list(graph)
    assert list(loaded.edges(data=True)) == list(graph.edges(data=True))
    assert loaded.nodes[(0, "x")]["weight"].dtype == np.float32
    assert loaded.nodes["alone"]["vector"].tolist() == [0, 1, 2]
    assert default_registry().for_value(graph).describe(graph)["nodes"] == 4


def test_a_graph_as_a_dict_and_own_classes(tmp_path: Path) -> None:
    graph = nx.path_graph(3)
    assert saved(graph, tmp_path)(dict) == nx.node_link_data(graph)
    assert list(round_trip(graph.subgraph([0, 1]))) == [0, 1]
    own = type("Own", (nx.Graph,), {})()
    assert default_registry().for_value(own).name == "pickle"


# --------------------------------------------------------------------------- safetensors


def test_dicts_of_arrays_are_safetensors_for_other_tools(tmp_path: Path) -> None:
    arrays = {
        "weight": np.arange(6, dtype="f4").reshape(2, 3),
        "bias": np.array(1.5),
        "empty": np.empty((0, 4), dtype="i2"),
        "flags": np.array([True, False]),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "é": np.arange(200_000.0),
    }
    load = saved(arrays, tmp_path, "safetensors")
    for found in (load(), load_file(tmp_path / "arrays.safetensors")):
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert (found[name] == array).all()
    assert not load()["é"].flags.writeable
    assert load(keys=["bias"])["bias"] == 1.5
    with pytest.raises(BadSelection, match="did you mean 'bias'"):
        load(keys=["biased"])
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(plain, tmp_path / "arrays.safetensors")
    assert (load()["turned"] == arrays["turned"]).all()


def test_equal_dicts_give_equal_safetensors(tmp_path: Path) -> None:
    saved({"a": np.eye(2), "b": np.arange(3)}, tmp_path / "x", "safetensors")
    saved({"b": np.arange(3), "a": np.eye(2)}, tmp_path / "y", "safetensors")
    assert PlainSaveFolder(tmp_path / "x").files() == PlainSaveFolder(tmp_path / "y").files()


def test_what_safetensors_does_not_hold_is_listed(tmp_path: Path) -> None:
    with pytest.raises(BadValue) as caught:
        saved({1: np.eye(2), "a": [1], "b": np.array(["x"])}, tmp_path, "safetensors")
    for mistake in ("the key 1", "'a' is a list", "'b' has the dtype <U1"):
        assert mistake in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"\x02\0\0\0\0\0\0\0[]",
        b'\x33\0\0\0\0\0\0\0{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}',
        b'\x37\0\0\0\0\0\0\0{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}  \0',
    ],
    ids=range(5),
)
def test_damaged_safetensors_are_refused(data: bytes, tmp_path: Path) -> None:
    load = saved({"a": np.eye(2)}, tmp_path, "safetensors")
    (tmp_path / "arrays.safetensors").write_bytes(data)
    with pytest.raises(BadFiles, match="safetensors"):
        load()
