"""Processes and threads at work on one workspace at once: nothing is lost, and nobody fails."""

from __future__ import annotations

import multiprocessing as mp
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from findspot import Conflict, Workspace

FORK = mp.get_context("fork")
COUNT = 25


def together(work: Any, *arguments: tuple[Any, ...]) -> list[Any]:
    """What ``work(*arguments)`` gives in a process for each, which all begin at once."""
    gate, answers = FORK.Barrier(len(arguments)), FORK.Queue()

    def run(index: int, given: tuple[Any, ...]) -> None:
        gate.wait(120)
        try:
            answers.put((index, work(*given)))
        except BaseException as error:
            answers.put((index, repr(error)))

    processes = [FORK.Process(target=run, args=item) for item in enumerate(arguments)]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=300) for _ in processes)
    for process in processes:
        process.join(120)
    return [found[index] for index in range(len(arguments))]


def save_many(url: str, name: str) -> list[int]:
    with Workspace(url) as space:
        return [
            space.save_artifact({"by": name, "n": n, "bytes": "x" * 5000}, "x", tags="last").version
            for n in range(COUNT)
        ]


def test_two_processes_save_to_one_key(space: Workspace) -> None:
    if space.overrides:
        return save_from_threads(space)  # a store in memory is seen by one process only
    first, second = together(save_many, (space.url, "a"), (space.url, "b"))
    assert sorted(first + second) == list(range(1, 2 * COUNT + 1))
    values = [v.load() for v in space.iterate(name="x")]
    assert sorted((v["by"], v["n"]) for v in values) == [
        (name, n) for name in "ab" for n in range(COUNT)
    ]
    assert space.get_artifact("x:last").version == 2 * COUNT
    assert len(space.tag_history("x", "last")) == 2 * COUNT
    return None


def save_from_threads(space: Workspace) -> None:
    with ThreadPoolExecutor(4) as pool:
        saved = list(pool.map(lambda n: space.save_artifact([n] * 3000, "x"), range(4 * COUNT)))
        assert sorted(v.version for v in saved) == list(range(1, 4 * COUNT + 1))
        assert list(pool.map(lambda v: v.load()[0], saved)) == list(range(4 * COUNT))


def test_threads_share_one_workspace(local: Workspace) -> None:
    save_from_threads(local)
    assert local.verify().sound


def make_and_save(folder: str) -> tuple[str, int]:
    with Workspace(folder) as space:
        version = space.save_artifact(b"x" * 10_000, "x", handler="pickle")
        assert space.load_artifact(version.uid) == b"x" * 10_000
        return space.id, version.version


@pytest.mark.slow
def test_two_processes_make_one_workspace_at_once(tmp_path: Path) -> None:
    for attempt in range(4):
        folder = str(tmp_path / str(attempt))
        first, second = together(make_and_save, (folder,), (folder,))
        assert {first[1], second[1]} == {1, 2}, (first, second)
        assert first[0] == second[0]  # one id, and one secret:
        with Workspace(folder) as space:
            assert all(space.trust.is_own(v.record) for v in space.iterate())
            assert not list(space.folder.glob("*.tmp"))


def move(url: str, version: int) -> bool:
    with Workspace(url) as space:
        try:
            space.tag("x", "golden", version=version, expected=1)
        except Conflict:
            return False
        return True


@pytest.mark.slow
def test_of_two_who_move_a_tag_at_once_one_wins(local: Workspace) -> None:
    for n in range(3):
        local.save_artifact(n, "x")
    for _ in range(4):
        local.tag("x:1", "golden")
        moved = together(move, (local.url, 2), (local.url, 3))
        assert sorted(moved) == [False, True]
        assert local.get_artifact("x:golden").version == 2 + moved.index(True)


def save_one(url: str, key: str) -> int:
    with Workspace(url) as space:
        return space.save_artifact(key * 1000, key).version


def test_twins_in_upper_and_lower_case_saved_at_once(local: Workspace) -> None:
    assert together(save_one, (local.url, "Key"), (local.url, "key")) == [1, 1]
    assert local.load_artifact("Key") == "Key" * 1000
    assert local.load_artifact("key") == "key" * 1000


def view(url: str, uid: str) -> bytes:
    with Workspace(url) as space:
        return space.get_artifact(uid).path().read_bytes()


@pytest.mark.slow
def test_two_processes_make_one_view_at_once(local: Workspace) -> None:
    for n in range(3):
        saved = local.save_artifact(b"%d" % n * 10_000, "x")
        assert (
            together(view, (local.url, saved.uid), (local.url, saved.uid))
            == [b"%d" % n * 10_000] * 2
        )
    assert not list((local.folder / "views").glob("*.tmp"))


@pytest.mark.parametrize("size", [10, 10_000, 9 << 20])
def test_a_workspace_survives_a_fork(local: Workspace, size: int) -> None:
    local.save_artifact(os.urandom(size), "x")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            local.save_artifact(os.urandom(size), "x")
            code = 0 if len(local.load_artifact("x")) == size else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert local.save_artifact(os.urandom(size), "x").version == 3
    assert local.verify().sound
