"""Seeds make random numbers repeatable, and derived seeds are the same everywhere."""

from __future__ import annotations

import random
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from findspot.engine.seeds import LARGEST, InvalidSeed, derive_seed, seed_everything


def draw() -> tuple[float, list[float]]:
    return random.random(), np.random.random(3).tolist()


@pytest.mark.parametrize("seed", [0, 7, LARGEST, np.int64(7)])
def test_the_same_seed_draws_the_same_numbers(seed: int) -> None:
    seed_everything(seed)
    first = draw()
    assert draw() != first
    seed_everything(seed)
    assert draw() == first


def test_another_seed_draws_other_numbers() -> None:
    seed_everything(1)
    first = draw()
    seed_everything(2)
    assert draw() != first


def test_torch_is_seeded_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyTorch itself is far too large for the tests; this is the one function that is called.
    seeds: list[int] = []
    torch = ModuleType("torch")
    vars(torch)["manual_seed"] = seeds.append
    monkeypatch.setitem(sys.modules, "torch", torch)
    seed_everything(7)
    assert seeds == [7]


def test_numpy_is_seeded_before_its_generators_are_first_used() -> None:
    program = (
        "import numpy, sys\n"
        "from findspot.engine.seeds import seed_everything\n"
        "seed_everything(7)\n"
        "print(numpy.random.random())\n"
    )
    answers = [subprocess.check_output([sys.executable, "-c", program]) for _ in range(2)]
    assert answers[0] == answers[1]


def test_nothing_is_imported_for_it() -> None:
    program = (
        "import sys\n"
        "from findspot.engine.seeds import seed_everything\n"
        "seed_everything(7)\n"
        "sys.exit('numpy' in sys.modules or 'torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    "seed", [-1, LARGEST + 1, 1.0, "7", None, True, np.array([1, 2])], ids=repr
)
def test_what_is_no_seed_changes_nothing(seed: object) -> None:
    seed_everything(3)
    first = draw()
    seed_everything(3)
    with pytest.raises(InvalidSeed, match="is no seed") as caught:
        seed_everything(seed)  # type: ignore[arg-type]
    assert caught.value.value is seed
    assert draw() == first


def test_derived_seeds_never_change() -> None:
    # Recorded jobs depend on these numbers: a change would make them impossible to repeat.
    assert derive_seed() == 53360657
    assert derive_seed(7, "split", 0) == 387698012
    assert derive_seed("größe", [1, {"b": None, "a": 0.5}]) == 3462870976


@given(st.lists(st.integers() | st.text(st.characters(codec="utf-8")), max_size=4))
def test_a_derived_seed_is_a_seed(parts: list[int | str]) -> None:
    seed = derive_seed(*parts)
    assert seed == derive_seed(*parts)
    seed_everything(seed)


def test_parts_are_told_apart() -> None:
    given_parts: list[tuple[object, ...]] = [
        (1,),
        (1.0,),
        ("1",),
        (True,),
        (1, 2),
        (12,),
        ([1, 2],),
        ("a", "b"),
        ("ab",),
        ("a,b",),
        (),
        (None,),
    ]
    assert len({derive_seed(*parts) for parts in given_parts}) == len(given_parts)


def test_parts_are_plain_values() -> None:
    with pytest.raises(TypeError):
        derive_seed(7, object())
