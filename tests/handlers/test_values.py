"""JSON values, text, bytes and structures come back exactly as they were."""

from __future__ import annotations

import math
import timeit
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from time import thread_time
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.core.canonical import canonical_json, is_plain
from findspot.handlers import (
    BadFiles,
    BadValue,
    NoHandler,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    round_trip,
)
from findspot.handlers.values import NESTING

_SURROGATES = st.text(st.characters(), max_size=20) | st.just("a\ud800\udc00\udfff")
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _SURROGATES | st.just(10**4290)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_SURROGATES, inner, max_size=4),
    max_leaves=20,
)
_HASHABLE = st.recursive(
    _SCALARS
    | st.binary(max_size=10)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.complex_numbers(allow_nan=False)
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.times()
    | st.timedeltas()
    | st.dates()
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
_STRUCTURES = st.recursive(
    _HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.sets(_HASHABLE, max_size=4)
        | st.dictionaries(_HASHABLE, inner, max_size=4)
        | st.dictionaries(st.sampled_from(["$", "a", ""]), inner, max_size=3)
    ),
    max_leaves=15,
)


def same(a: Any, b: Any) -> bool:
    """Equal, of the same types all the way down, in the same order; NaN equals NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return bool(a.hex() == b.hex() if a == a else b != b)
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, set | frozenset):
        left, right = list(a), list(b)
        return len(left) == len(right) and all(any(same(x, y) for y in right) for x in left)
    if isinstance(a, Decimal):
        return str(a) == str(b)
    if isinstance(a, complex):
        return same([a.real, a.imag], [b.real, b.imag])
    return bool(a == b)


def assert_described(value: Any) -> None:
    """Metadata is plain JSON in UTF-8, and the preview is short text in UTF-8."""
    handler = default_registry().for_value(value)
    described = dict(handler.describe(value))
    assert is_plain(described)
    canonical_json(described)
    shown = handler.preview(value)
    assert shown is not None
    assert len(shown.data.decode()) <= 5000


@given(_JSON)
def test_json_values_come_back_exactly(value: Any) -> None:
    assert same(round_trip(value), value)
    assert_described(value)


@pytest.mark.slow
@given(_STRUCTURES)
def test_structures_come_back_exactly(value: Any) -> None:
    assert same(round_trip(value), value)
    assert_described(value)


class Colour(Enum):
    RED = "red"
    BLUE = (0, 0, 255)


class Level(IntEnum):
    LOW = 1


class Access(Flag):
    READ = 1
    WRITE = 2


def type_and_place(value: Any) -> str:
    """An id that is the same in every process (a set's order is not)."""
    return type(value).__name__


@pytest.mark.parametrize(
    "value",
    [
        float("inf"),
        -0.0,
        "lone \ud800 surrogate",
        "",
        b"",
        bytearray(b"abc"),
        b"\0" * 10_000,
        (),
        (1, [2], {3: (4,)}),
        {1: "int", "1": "text", (1,): "tuple", None: "none", True + 1: 2},
        {"$": "part", "part": "../../etc", "handler": "pickle"},
        {1, 2.5, "x", (1, 2), frozenset({3})},
        OrderedDict([("b", 1), ("a", 2)]),
        Counter("abracadabra"),
        defaultdict(list, {"a": [1]}),
        defaultdict(None, {"a": 1}),
        deque([1, 2, 3], maxlen=3),
        range(1, 10**30, 7),
        complex(float("inf"), -0.0),
        Decimal("-1.500"),
        Decimal("sNaN123"),
        Fraction(10**100, 3),
        UUID(int=7),
        date(2024, 2, 29),
        time(23, 59, 59, 999_999),
        timedelta(days=-1, microseconds=1),
        datetime(2024, 10, 27, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30), "IST")),
        PurePosixPath("/a/../b"),
        PureWindowsPath("C:/x"),
        Colour.RED,
        Colour.BLUE,
        Level.LOW,
        Access.READ | Access.WRITE,
        {"level": Level.LOW, "colours": [Colour.RED]},
    ],
    ids=type_and_place,
)
def test_a_table_of_values_comes_back_exactly(value: Any) -> None:
    loaded = round_trip(value)
    assert type(loaded) is type(value)
    if isinstance(value, Decimal) and value.is_snan():
        assert str(loaded) == str(value)
    else:
        assert same(loaded, value)
    if isinstance(value, deque):
        assert loaded.maxlen == value.maxlen
    if isinstance(value, defaultdict):
        assert loaded.default_factory is value.default_factory
    if isinstance(value, datetime):
        assert (loaded.utcoffset(), loaded.fold, loaded.tzname()) == (
            value.utcoffset(),
            value.fold,
            value.tzname(),
        )


def test_documents_of_format_1_are_read_for_ever(tmp_path: Path) -> None:
    values = {
        "plain": '[null,true,1,1.5,"a",{"k":[]}]',
        "int": '{"$":"int","hex":"-ff"}',
        "tuple": '{"$":"tuple","items":[1,{"$":"frozenset","items":[2]}]}',
        "set": '{"$":"set","items":[1]}',
        "deque": '{"$":"deque","items":[1],"maxlen":2}',
        "dict": '{"$":"dict","items":[[1,2]]}',
        "ordered": '{"$":"ordered-dict","items":[["a",1]]}',
        "counter": '{"$":"counter","items":[["a",1]]}',
        "default": '{"$":"default-dict","items":[],"factory":"list"}',
        "complex": '{"$":"complex","parts":[1.0,-2.0]}',
        "range": '{"$":"range","hex":["0","a","1"]}',
        "bytes": '{"$":"bytes","base64":"AP8="}',
        "bytearray": '{"$":"bytearray","base64":"AP8="}',
        "decimal": '{"$":"decimal","text":"1.50"}',
        "fraction": '{"$":"fraction","hex":["-1","3"]}',
        "uuid": '{"$":"uuid","text":"00000000-0000-0000-0000-000000000007"}',
        "utc": '{"$":"datetime","iso":"2024-01-01T00:00:00","zone":{"offset":[0,0,0]}}',
        "zone": '{"$":"datetime","iso":"2024-10-27T02:30:00","fold":1,'
        '"zone":{"key":"Europe/Berlin"}}',
        "time": '{"$":"time","iso":"23:59:59.000001"}',
        "date": '{"$":"date","iso":"2024-02-29"}',
        "timedelta": '{"$":"timedelta","parts":[-1,5,7]}',
        "posix": '{"$":"posix-path","text":"a/b"}',
        "windows": '{"$":"windows-path","text":"C:\\\\a"}',
        "numpy": '{"$":"numpy","dtype":"<f4","hex":"0000003f"}',
    }
    body = ",".join(f'"{name}":{text}' for name, text in values.items())
    (tmp_path / "structure.json").write_text(f'{{"findspot":1,"value":{{{body}}}}}')
    found = default_registry().by_name("structure").load(PlainLoadFolder(tmp_path))
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    assert same(
        found,
        {
            "plain": [None, True, 1, 1.5, "a", {"k": []}],
            "int": -255,
            "tuple": (1, frozenset({2})),
            "set": {1},
            "deque": deque([1]),
            "dict": {1: 2},
            "ordered": OrderedDict(a=1),
            "counter": Counter(a=1),
            "default": defaultdict(list),
            "complex": 1 - 2j,
            "range": range(10),
            "bytes": b"\0\xff",
            "bytearray": bytearray(b"\0\xff"),
            "decimal": Decimal("1.50"),
            "fraction": Fraction(-1, 3),
            "uuid": UUID(int=7),
            "utc": datetime(2024, 1, 1, tzinfo=UTC),
            "zone": datetime(2024, 10, 27, 2, 30, tzinfo=berlin, fold=1),
            "time": time(23, 59, 59, 1),
            "date": date(2024, 2, 29),
            "timedelta": timedelta(-1, 5, 7),
            "posix": PurePosixPath("a/b"),
            "windows": PureWindowsPath("C:/a"),
            "numpy": np.float32(0.5),
        },
    )


def test_a_memoryview_comes_back_read_only() -> None:
    loaded = round_trip(memoryview(b"abc"))
    assert isinstance(loaded, memoryview)
    assert loaded.readonly
    assert loaded.tobytes() == b"abc"


def test_parts_are_saved_by_their_own_handlers(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    value = {"x": array, "again": array, "scores": (np.float32(0.5), [b"x" * 5000])}
    loaded = round_trip(value, folder=tmp_path)
    assert (loaded["x"] == array).all()
    assert loaded["again"] is loaded["x"], "a part that occurs twice is one object"
    assert type(loaded["scores"][0]) is np.float32
    assert loaded["scores"][1] == [b"x" * 5000]
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert files == ["parts/0/array.npy", "parts/1/value.bin", "structure.json"]


def test_equal_sets_give_equal_bytes(tmp_path: Path) -> None:
    saved = []
    for number, items in enumerate((["b", "a", "c", "ab"], ["ab", "c", "a", "b"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        default_registry().by_name("structure").save(
            {"s": set(items), "f": frozenset(items), "n": {frozenset(items)}},
            PlainSaveFolder(folder),
        )
        saved.append((folder / "structure.json").read_bytes())
    assert saved[0] == saved[1]


def test_a_value_that_contains_itself_is_refused() -> None:
    cycle: list[Any] = [(1, 2)]
    cycle.append(cycle)
    with pytest.raises(BadValue, match=r"\$\[1\]: the value contains itself"):
        round_trip(cycle)


def test_a_value_that_is_too_deep_is_refused() -> None:
    deep: Any = (1,)
    for _ in range(NESTING + 1):
        deep = (deep,)
    with pytest.raises(BadValue, match="nested more than"):
        round_trip(deep)


def test_the_error_for_a_part_that_nothing_takes_says_where_it_is() -> None:
    with pytest.raises(NoHandler, match=r"\$\['a'\]\[1\]") as caught:
        round_trip({"a": [1, (i for i in "x")]})
    assert caught.value.value_type == "generator"


def test_a_pickled_part_is_not_loaded_without_trust(tmp_path: Path) -> None:
    round_trip({"f": len}, folder=tmp_path)
    folder = PlainLoadFolder(tmp_path, trusted=False)
    with pytest.raises(Untrusted, match="pickle"):
        default_registry().by_name("structure").load(folder)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"not json",
        b"[1]",
        b'{"findspot": 99, "value": 1}',
        b'{"findspot": 1}',
        b'{"findspot": 1, "value": {"$": "no such tag"}}',
        b'{"findspot": 1, "value": {"$": ["list"]}}',
        b'{"findspot": 1, "value": {"$": "decimal", "text": "x"}}',
        b'{"findspot": 1, "value": {"$": "decimal"}}',
        b'{"findspot": 1, "value": {"$": "set", "items": [[1]]}}',
        b'{"findspot": 1, "value": {"$": "numpy", "dtype": "O", "hex": "0000000000000000"}}',
        b'{"findspot": 1, "value": {"$": "numpy", "dtype": "<f8", "hex": "00"}}',
        b'{"findspot": 1, "value": {"$": "part", "part": "0", "handler": "numpy.array"}}',
        b'{"findspot": 1, "value": {"$": "datetime", "iso": 3}}',
        b'{"findspot": 1, "value": {"$": "fraction", "hex": ["1", "0"]}}',
        b'{"findspot": 1, "value": ' + b"[" * 100_000,
    ],
    ids=range(16),
)
def test_a_damaged_structure_gives_a_clear_error(tmp_path: Path, document: bytes) -> None:
    (tmp_path / "structure.json").write_bytes(document)
    with pytest.raises(BadFiles):
        default_registry().by_name("structure").load(PlainLoadFolder(tmp_path, trusted=True))


@pytest.mark.parametrize(
    ("handler", "name", "data"),
    [
        ("json", "value.json", b'{"a"'),
        ("text", "value.txt", b"\xff\xfe"),
        ("json", "value.json", b""),
    ],
)
def test_damaged_plain_values_give_a_clear_error(
    tmp_path: Path, handler: str, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadFiles, match=name):
        default_registry().by_name(handler).load(PlainLoadFolder(tmp_path))


def test_a_subclass_is_not_saved_as_its_base() -> None:
    class Text(str):
        __slots__ = ()

    loaded = round_trip(Text("a"))
    assert type(loaded).__name__ == "Text"


@pytest.mark.parametrize(
    ("value", "metadata", "preview"),
    [
        (3, {}, b"3"),
        ([1, 2], {"length": 2}, b"[\n 1,\n 2\n]"),
        ({"a": 1}, {"length": 1, "keys": ["a"]}, b'{\n "a": 1\n}'),
        ("abc", {"characters": 3}, b"abc"),
        (b"\x01\xff", {"bytes": 2}, b"01 ff"),
        ((1, {2: "x"}), {"length": 2}, b"(1, {2: 'x'})"),
        ([np.zeros((2, 3))], {"length": 1}, b"[<numpy.ndarray (2, 3)>]"),
        (1 << 20_000, {}, b"<int of 20001 bits>"),
    ],
    ids=range(8),
)
def test_metadata_and_preview(value: Any, metadata: dict[str, Any], preview: bytes) -> None:
    handler = default_registry().for_value(value)
    assert handler.describe(value) == metadata
    shown = handler.preview(value)
    assert shown is not None
    assert (shown.media_type, shown.data) == ("text/plain", preview)


@pytest.mark.parametrize(
    "value", [["x" * 1000] * 100_000, "y" * 10_000_000, {"k": list(range(1_000_000))}], ids=range(3)
)
def test_previews_of_large_values_are_small(value: Any) -> None:
    shown = default_registry().for_value(value).preview(value)
    assert shown is not None
    assert len(shown.data) <= 4096 * 4
    assert shown.data.decode().endswith("…")


def test_finding_a_handler_and_describing_a_small_value_takes_microseconds() -> None:
    registry = default_registry()
    array = np.zeros(4)
    for value in (3, 0.5, "text", array):
        registry.for_value(value)
        found = partial(registry.for_value, value)
        seconds = min(timeit.repeat(found, thread_time, number=500, repeat=9))
        # Under 1 µs on a fast machine; of the processor's time, since it may be busy.
        assert seconds / 500 < 30e-6
    handler = registry.for_value(3)

    def look() -> None:
        handler.describe(3)
        handler.preview(3)

    assert min(timeit.repeat(look, thread_time, number=500, repeat=9)) / 500 < 150e-6


def test_an_unknown_time_zone_is_named(tmp_path: Path) -> None:
    (tmp_path / "structure.json").write_text(
        '{"findspot":1,"value":{"$":"datetime","iso":"2024-01-01","zone":{"key":"Mars/Base"}}}'
    )
    with pytest.raises(BadFiles, match=r"Mars/Base[^$]*tzdata"):
        default_registry().by_name("structure").load(PlainLoadFolder(tmp_path))


def test_nan_is_kept() -> None:
    assert math.isnan(round_trip(float("nan")))
    assert math.isnan(round_trip({"a": [float("nan"), (1,)]})["a"][0])
