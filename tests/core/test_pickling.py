"""Records that travel between processes come out as they went in."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass

import pytest

from findspot.core.digests import hash_bytes
from findspot.core.pickling import quick_to_pickle
from findspot.core.records import FileEntry


@quick_to_pickle
@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    name: str
    depth: float = 0.5
    near: Find | None = None


@dataclass(frozen=True, slots=True)
class Single:
    name: str


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_field_comes_back(protocol: int) -> None:
    find = Find(name="coin", depth=1.25, near=Find(name="sherd"))
    loaded = pickle.loads(pickle.dumps(find, protocol))
    assert loaded == find
    assert hash(loaded) == hash(find)
    assert copy.copy(find) == copy.deepcopy(find) == find


def test_what_is_not_compared_comes_back_too() -> None:
    entry = FileEntry("a", hash_bytes(b"x"), 1, b"x")
    assert pickle.loads(pickle.dumps(entry)).inline == b"x"


def test_the_class_stays_frozen() -> None:
    loaded = pickle.loads(pickle.dumps(Find(name="coin")))
    with pytest.raises(FrozenInstanceError):
        loaded.name = "other"


def test_a_state_of_other_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="3 fields, not 2"):
        Find.__new__(Find).__setstate__(("coin", 1.0))  # type: ignore[attr-defined]


def test_a_class_of_one_field_is_refused() -> None:
    with pytest.raises(TypeError, match="single field"):
        quick_to_pickle(Single)
