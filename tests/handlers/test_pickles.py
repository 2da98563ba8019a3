"""The fallback: pickle, under the trust policy."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from findspot.handlers import (
    BadFiles,
    NoHandler,
    PlainLoadFolder,
    Untrusted,
    default_registry,
    round_trip,
)


class Thing:
    def __init__(self, content: Any) -> None:
        self.content = content


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_objects_and_functions_of_a_script_come_back() -> None:
    factor = 3
    assert round_trip(Thing({1, 2})).content == {1, 2}
    assert round_trip(lambda x: factor * x)(2) == 6


def test_a_pickle_is_not_loaded_without_trust(tmp_path: Path) -> None:
    (tmp_path / "value.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    handler = default_registry().by_name("pickle")
    assert not handler.safe
    assert not handler.deterministic
    with pytest.raises(Untrusted):
        handler.load(PlainLoadFolder(tmp_path, trusted=False))
    assert not (tmp_path / "exploded").exists()
    handler.load(PlainLoadFolder(tmp_path, trusted=True))
    assert (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no pickle"),
        (b"not a pickle", "no pickle"),
        (pickle.dumps([1] * 100)[:-20], "no pickle"),
        (b"cno_such_module\nThing\n.", "no_such_module"),
        (b"cos\nno_such_name\n.", "no_such_name"),
    ],
)
def test_a_damaged_pickle_gives_a_clear_error(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "value.pkl").write_bytes(data)
    with pytest.raises(BadFiles, match=message):
        default_registry().by_name("pickle").load(PlainLoadFolder(tmp_path, trusted=True))


def test_what_cannot_be_pickled_gives_an_error_that_says_how_to_add_a_handler() -> None:
    with pytest.raises(NoHandler, match="lock") as caught:
        round_trip(Thing(threading.Lock()))
    assert caught.value.value_type == f"{__name__}.Thing"
    assert "ThingHandler" in str(caught.value)


def test_metadata_and_preview() -> None:
    handler = default_registry().by_name("pickle")
    assert handler.preview(Thing(1)) is None
    shown = handler.preview(slice(1, 2))
    assert shown is not None
    assert shown.data == b"slice(1, 2, None)"
    assert set(handler.describe(Thing(1))) == {"python"}
