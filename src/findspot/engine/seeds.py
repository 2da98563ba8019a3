"""Seeds: one number that makes a job repeatable, and others derived from it."""

from __future__ import annotations

import operator
import random
import sys
from typing import Any, SupportsIndex

from blake3 import blake3

from findspot.core.canonical import canonical_json
from findspot.core.errors import FindspotError

LARGEST = 2**32 - 1


class InvalidSeed(FindspotError):
    """A seed is no whole number from 0 to 2**32 - 1."""

    exit_code = 2

    def __init__(self, value: object) -> None:
        self.value = value
        shown = repr(value)
        super().__init__(
            f"{shown if len(shown) <= 80 else shown[:77] + '...'} is no seed.",
            how=f"Give a whole number from 0 to {LARGEST}; "
            "`derive_seed` makes one of anything else.",
        )


def seed_everything(seed: SupportsIndex) -> None:
    """Seed the global generators of ``random``, NumPy and PyTorch.

    NumPy and PyTorch are seeded if they are imported already, and never imported for it. The
    generators belong to the process: steps that run at the same time in threads share them, and
    should make generators of their own (``numpy.random.default_rng(seed)``).

    Args:
        seed: from 0 to 2**32 - 1, which all three take.

    Raises:
        InvalidSeed: nothing was seeded.

    >>> seed_everything(7)
    >>> first = random.random()
    >>> seed_everything(7)
    >>> random.random() == first
    True
    """
    number = _checked(seed)
    random.seed(number)
    # NumPy loads its generators when they are first asked for, which would be after this.
    # Each name is looked up with care: another thread may be importing the library right now.
    for library, path in (("numpy", ("random", "seed")), ("torch", ("manual_seed",))):
        found: Any = sys.modules.get(library)
        for name in path:
            found = getattr(found, name, None)
        if found is not None:
            found(number)


def derive_seed(*parts: object) -> int:
    """A seed from 0 to 2**32 - 1 that depends on all parts: on every machine and always the same.

    Args:
        parts: plain JSON values, such as the job's seed, a step's name and a replicate's number;
            ``1``, ``1.0`` and ``"1"`` are different parts.

    Raises:
        TypeError: a part is no plain JSON value.

    >>> derive_seed(7, "split", 0)
    387698012
    """
    digest = blake3(b"findspot seed " + canonical_json(list(parts))).digest()
    return int.from_bytes(digest[:4], "big")


def _checked(seed: object) -> int:
    if type(seed) is int:
        number = seed
    elif isinstance(seed, bool) or not isinstance(seed, SupportsIndex):
        raise InvalidSeed(seed)
    else:
        try:
            number = operator.index(seed)
        except TypeError:
            raise InvalidSeed(seed) from None
    if not 0 <= number <= LARGEST:
        raise InvalidSeed(seed)
    return number
