"""Uids are unique and sort by time, in forked processes and for seeded programs too."""

from __future__ import annotations

import multiprocessing
import random
import re

from findspot.core.ids import is_uid, new_uid

_NUMBER_7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def _random_parts(count: int) -> list[str]:
    """The parts of new uids that do not depend on the time."""
    return [new_uid()[20:] for _ in range(count)]


def test_uids_are_of_version_7_unique_and_in_the_order_of_their_milliseconds() -> None:
    uids = [new_uid() for _ in range(5000)]
    assert all(is_uid(uid) and _NUMBER_7.fullmatch(uid) for uid in uids)
    assert len({uid[20:] for uid in uids}) == len(uids)
    moments = [uid[:13] for uid in uids]
    assert moments == sorted(moments)


def test_forked_processes_make_uids_of_their_own() -> None:
    _random_parts(1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        theirs = pool.map(_random_parts, [50, 50], chunksize=1)
    parts = [*_random_parts(50), *theirs[0], *theirs[1]]
    assert len(set(parts)) == 150


def test_a_program_that_seeds_its_generators_gets_other_uids_each_time() -> None:
    random.seed(7)
    before = _random_parts(10)
    random.seed(7)
    assert not set(before) & set(_random_parts(10))
