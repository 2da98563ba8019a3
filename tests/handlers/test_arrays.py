"""NumPy arrays: every dtype, order and shape; streamed out, mapped in."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from findspot.core.digests import hash_bytes
from findspot.core.records import FileEntry
from findspot.handlers import (
    BadFiles,
    PlainLoadFolder,
    PlainSaveFolder,
    default_registry,
    round_trip,
)
from findspot.handlers.numpy_arrays import MAPPED_FROM, read_array, write_array
from findspot.handlers.protocol import Buffer


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


@pytest.mark.slow
@given(
    npst.arrays(
        npst.scalar_dtypes() | npst.array_dtypes(allow_subarrays=False),
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    st.sampled_from(["C", "F"]),
)
def test_arrays_come_back_bit_for_bit(array: np.ndarray[Any, Any], order: Any) -> None:
    array = np.asarray(array, order=order)
    loaded = round_trip(array, "numpy.array")
    assert_same(loaded, array)
    assert loaded.flags.f_contiguous == array.flags.f_contiguous


LARGE = np.arange(600_000, dtype=np.float64)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5),
        np.zeros((0, 3)),
        np.zeros((3, 0, 2), order="F"),
        np.array(["a", "ü"]),
        np.array([b"x", b"yz"]),
        np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"),
        np.array([1, 2], dtype="timedelta64[s]"),
        np.array([(1, 2.5)], dtype=[("a", ">i4"), ("b", "<f8")]),
        np.zeros(2, dtype=[("名前", "f8")]),
        np.array([1 + 2j], dtype="c16"),
        np.array([1, 2], dtype=np.longdouble),
        np.arange(10)[::-2],
        np.broadcast_to(np.float32(1), (3, 4)),
        LARGE,
        LARGE.reshape(600, 1000).T,
        LARGE.reshape(600, 1000)[:, ::3],
        LARGE.reshape(2, 300, 1000)[:, :, ::-1].transpose(1, 0, 2),
        LARGE.astype("datetime64[s]"),
    ],
    ids=range(18),
)
def test_a_table_of_arrays(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    handler = default_registry().for_value(array)
    assert (handler.name, handler.kind, handler.deterministic) == ("numpy.array", "dataset", True)
    assert_same(round_trip(array, folder=tmp_path), array)
    # The file is the one that NumPy itself reads, and writes for the same array.
    assert_same(np.load(tmp_path / "array.npy"), array)
    expected = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that old readers cannot read
        np.save(expected, array)
    assert (tmp_path / "array.npy").read_bytes() == expected.getvalue()


def test_gaps_between_fields_are_kept_as_they_are(tmp_path: Path) -> None:
    array = np.zeros(2, dtype=np.dtype([("a", "u1"), ("b", "f8")], align=True))
    loaded = round_trip(array, folder=tmp_path)
    assert loaded.dtype == array.dtype
    assert (tmp_path / "array.npy").read_bytes().endswith(b"\0" * array.nbytes)


def test_large_arrays_are_mapped_read_only_and_small_ones_are_writable() -> None:
    large, small = round_trip(LARGE), round_trip(LARGE[:10])
    assert type(large) is np.ndarray
    assert isinstance(large.base, np.memmap)
    assert not large.flags.writeable
    assert small.flags.writeable
    assert not isinstance(small.base, np.memmap)


def test_a_mapped_array_can_be_saved_again() -> None:
    assert_same(round_trip(round_trip(LARGE)), LARGE)
    assert_same(round_trip(np.lib.format.open_memmap(_file(LARGE), mode="r")), LARGE)


def _file(array: np.ndarray[Any, Any]) -> Path:
    import tempfile

    path = Path(tempfile.mkdtemp()) / "a.npy"
    np.save(path, array)
    return path


class Recording(PlainSaveFolder):
    """Keeps what it is given instead of writing it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.parts: list[Buffer] = []

    def write_parts(self, name: str, parts: list[Buffer]) -> None:
        self.parts += parts


@pytest.mark.parametrize("array", [LARGE, LARGE.reshape(600, -1).T], ids=["C", "F"])
def test_a_large_array_is_handed_on_without_a_copy(
    array: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    folder = Recording(tmp_path)
    write_array(folder, "array.npy", array)
    _, data = folder.parts
    view = np.frombuffer(data, np.uint8)
    assert np.shares_memory(view, array)
    assert view.nbytes == array.nbytes


def test_object_arrays_are_left_to_pickle() -> None:
    for array in (
        np.array([1, "a", None], dtype=object),
        np.array(["a"], dtype=np.dtypes.StringDType()),
    ):
        assert default_registry().for_value(array).name == "pickle"
        assert round_trip(array).tolist() == array.tolist()


def test_subclasses_are_left_to_pickle() -> None:
    record = np.zeros(3, dtype=[("a", "f8")]).view(np.recarray)
    assert isinstance(round_trip(record), np.recarray)


@pytest.mark.parametrize(
    "array",
    [
        np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
        np.ma.masked_array([[1.0, 2.0]], fill_value=-1.0),
        np.ma.masked_array([1, 2]),
    ],
    ids=range(3),
)
def test_masked_arrays_keep_mask_and_fill_value(array: Any) -> None:
    loaded = round_trip(array)
    assert type(loaded) is np.ma.MaskedArray
    assert loaded.data.tolist() == array.data.tolist()
    assert np.ma.getmaskarray(loaded).tolist() == np.ma.getmaskarray(array).tolist()
    assert loaded.fill_value == array.fill_value


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64("nan"),
        np.int8(-3),
        np.bool_(True),
        np.str_("ü"),
        np.bytes_(b"x"),
        np.datetime64("2024-01-01T00:00", "m"),
        np.complex64(1j),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0],
    ],
    ids=repr,
)
@pytest.mark.parametrize("nested", [False, True])
def test_scalars_keep_their_type(scalar: Any, nested: bool) -> None:
    loaded = round_trip({"x": (scalar,)})["x"][0] if nested else round_trip(scalar)
    assert type(loaded) is type(scalar)
    assert loaded.dtype == scalar.dtype
    assert loaded.tobytes() == scalar.tobytes()


def _npy(array: np.ndarray[Any, Any], *, pickled: bool = False) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=pickled)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no npy",
        _npy(LARGE)[:500],
        _npy(LARGE)[:-8],
        _npy(np.arange(3)) + b"more",
        _npy(np.array([len]), pickled=True),
        _npy(np.arange(3)).replace(b"(3,)", b"(9,)"),
        _npy(np.arange(3)).replace(b"'<i8'", b"'|O' "),
        _npy(np.arange(3)).replace(b"(3,)", b"-3, "),
    ],
    ids=range(9),
)
def test_a_damaged_file_gives_a_clear_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "array.npy").write_bytes(data)
    with pytest.raises(BadFiles, match=r"array\.npy: it is no npy file"):
        default_registry().by_name("numpy.array").load(PlainLoadFolder(tmp_path, trusted=True))


def test_a_damaged_mapped_file_gives_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "array.npy").write_bytes(_npy(LARGE)[:-8])
    with pytest.raises(BadFiles, match=r"array\.npy"):
        read_array(PlainLoadFolder(tmp_path), "array.npy")
    entry = FileEntry("array.npy", hash_bytes(b""), MAPPED_FROM)
    (tmp_path / "array.npy").write_bytes(_npy(np.array([len]), pickled=True))
    with pytest.raises(BadFiles, match=r"array\.npy"):
        read_array(PlainLoadFolder(tmp_path, [entry]), "array.npy")


@pytest.mark.parametrize(
    ("array", "metadata"),
    [
        (np.array([1, 2, 6]), {"dtype": "int64", "min": 1, "max": 6, "mean": 3.0}),
        (np.array([0.5, 1.5]), {"dtype": "float64", "min": 0.5, "max": 1.5, "mean": 1.0}),
        (
            np.array([1.0, np.nan, np.inf, 3.0]),
            {"dtype": "float64", "not_finite": 2, "min": 1.0, "max": 3.0, "mean": 2.0},
        ),
        (np.array([np.nan]), {"dtype": "float64", "not_finite": 1}),
        (np.array([True, False]), {"dtype": "bool", "min": False, "max": True, "mean": 0.5}),
        (np.full(3, 60_000, np.float16), {"dtype": "float16", "min": 6e4, "max": 6e4, "mean": 6e4}),
        (np.array(["a"]), {"dtype": "<U1"}),
        (np.zeros(0), {"dtype": "float64"}),
    ],
    ids=range(8),
)
def test_metadata(array: np.ndarray[Any, Any], metadata: dict[str, Any]) -> None:
    described = default_registry().for_value(array).describe(array)
    shape = {"shape": list(array.shape), "bytes": array.nbytes}
    assert described == {**shape, **metadata}


def test_large_arrays_are_described_without_reading_them() -> None:
    array = np.broadcast_to(np.float64(1), (1 << 40,))
    handler = default_registry().by_name("numpy.array")
    assert "mean" not in handler.describe(array)
    shown = handler.preview(array)
    assert shown is not None
    assert len(shown.data) < 200


def test_the_files_are_the_same_every_time(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    digests = []
    for folder in folders:
        folder.mkdir()
        round_trip({"x": LARGE[:1000], "y": [np.eye(3)]}, folder=folder)
        digests.append([(file.path, file.digest) for file in PlainSaveFolder(folder).files()])
    assert digests[0] == digests[1]
