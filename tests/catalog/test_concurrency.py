"""Many threads and processes on one catalog: nothing lost, nothing twice, no lock error."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

import catalog_records
from catalog_records import new_job, new_step, new_version, save
from findspot.catalog import open_catalog
from findspot.catalog.errors import TagMoved
from findspot.catalog.protocol import Batch, Catalog
from findspot.core.digests import hash_bytes
from findspot.core.errors import NotFound
from findspot.core.records import VersionQuery

SPAWN = multiprocessing.get_context("spawn")


def run_processes(target: Callable[..., None], arguments: list[tuple[Any, ...]]) -> None:
    """Run one process for each tuple of arguments; all must end well."""
    processes: list[BaseProcess] = [SPAWN.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def numbers_of(catalog: Catalog, key: str) -> list[int]:
    page = catalog.search_versions(VersionQuery(project="default", key=key, limit=10_000))
    return sorted(record.number for record in page.items)


def test_threads_write_and_read_one_key(catalog: Catalog) -> None:
    count, threads = 25, 6

    def work(i: int) -> list[int]:
        given = []
        for _ in range(count):
            new = new_version("shared", labels={"thread": str(i)}, tags=["newest"])
            given.append(catalog.write(Batch(versions=[new]))[new.record.uid])
            found = catalog.version(new.record.uid)
            assert found is not None
            assert found.number == given[-1]
        return given

    with ThreadPoolExecutor(threads) as pool:
        given = [number for numbers in pool.map(work, range(threads)) for number in numbers]
    assert sorted(given) == list(range(1, count * threads + 1))
    assert numbers_of(catalog, "shared") == sorted(given)
    newest = catalog.find_version("default", "shared", "newest")
    assert newest is not None
    assert newest.tags == ("newest",)
    assert len(catalog.tag_history("default", "shared", "newest")) == count * threads
    assert catalog.check() == []


def test_batches_in_opposite_orders_do_not_wait_for_each_other(catalog: Catalog) -> None:
    keys = [f"key {i}" for i in range(8)]

    def work(i: int) -> None:
        order = keys if i % 2 else keys[::-1]
        for _ in range(10):
            catalog.write(
                Batch(
                    documents={hash_bytes(b"same"): b"same"},
                    versions=[new_version(key, b"same bytes", tags=["t"]) for key in order],
                    steps=[new_step("job", key) for key in order],
                    cache=[(key, "job", key) for key in order],
                )
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for key in keys:
        assert numbers_of(catalog, key) == list(range(1, 41))
    assert catalog.check() == []


def test_writers_and_deleters_of_the_same_bytes(catalog: Catalog) -> None:
    def work(i: int) -> None:
        for _ in range(15):
            new = [new_version(f"key {i}", b"shared bytes"), new_version("common", b"shared bytes")]
            catalog.write(Batch(versions=new))
            catalog.delete_version(new[0].record.uid)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert numbers_of(catalog, "common") == list(range(1, 61))
    assert catalog.check() == []


def test_labels_tags_and_deletion_of_the_same_versions(catalog: Catalog) -> None:
    records = [save(catalog, labels={"a": "0", "b": "0"}, tags=[f"t{i}"]) for i in range(12)]

    def work(i: int) -> None:
        for n, record in enumerate(records):
            if i == 0 and n % 2:
                catalog.delete_version(record.uid)
                continue
            try:
                catalog.set_labels(record.uid, {"a": f"{i}", "b": None, f"c{i}": "1"})
                catalog.set_tag("default", "samples", "moving", record.number)
            except NotFound:
                assert n % 2

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert numbers_of(catalog, "samples") == [1, 3, 5, 7, 9, 11]
    for i in range(4):
        query = VersionQuery(project="default", labels={f"c{i}": "1"})
        assert len(catalog.search_versions(query).items) == 6
    assert catalog.check() == []


def test_the_write_ahead_log_stays_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.db"
    catalog = open_catalog(str(path))

    def fill() -> int:
        for _ in range(200):
            save(catalog)
        return Path(f"{path}-wal").stat().st_size

    monkeypatch.setattr("findspot.catalog.sqlite_database.CHECKPOINT_WRITES", 10)
    short = fill()
    monkeypatch.undo()
    assert short < fill() / 3
    catalog.close()


def test_events_are_never_missed_by_a_reader_who_follows(catalog: Catalog) -> None:
    jobs, done, seen = 40, threading.Event(), []

    def follow() -> None:
        after = 0
        while True:
            last_round = done.is_set()
            for event in catalog.events(after=after):
                assert event.number > after
                after = event.number
                seen.append(event.job)
            if last_round:
                return

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: catalog.write(Batch(jobs=[new_job(id=f"{i}")])), range(jobs)))
    done.set()
    reader.join()
    assert sorted(seen) == sorted(f"{i}" for i in range(jobs))


def test_one_of_many_threads_moves_a_tag(catalog: Catalog) -> None:
    threads = 8
    catalog.write(Batch(versions=[new_version() for _ in range(threads)]))
    gate = threading.Barrier(threads)

    def work(number: int) -> bool:
        gate.wait()
        try:
            catalog.set_tag("default", "samples", "golden", number, expected=None)
        except TagMoved:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        won = list(pool.map(work, range(1, threads + 1)))
    assert won.count(True) == 1
    assert catalog.tags("default", "samples") == {"golden": won.index(True) + 1}
    assert len(catalog.tag_history("default", "samples", "golden")) == 1


@pytest.mark.slow
def test_processes_write_one_key(catalog: Catalog) -> None:
    processes, count = 4, 100
    gate = SPAWN.Barrier(processes)
    run_processes(catalog_records.save_many, [(catalog.url, "shared", count, gate)] * processes)
    assert numbers_of(catalog, "shared") == list(range(1, processes * count + 1))
    assert catalog.check() == []


@pytest.mark.slow
def test_processes_open_a_new_catalog_at_once(new_url: str) -> None:
    processes = 4
    gate, answers = SPAWN.Barrier(processes), SPAWN.Queue()
    run_processes(catalog_records.open_and_save, [(new_url, gate, answers)] * processes)
    given = [answers.get(timeout=120) for _ in range(processes)]
    assert len({workspace for workspace, _ in given}) == 1
    assert sorted(number for _, number in given) == list(range(1, processes + 1))
    catalog = open_catalog(new_url)
    assert catalog.check() == []
    catalog.close()


@pytest.mark.slow
def test_one_of_many_processes_moves_a_tag(catalog: Catalog) -> None:
    processes = 3
    catalog.write(Batch(versions=[new_version() for _ in range(processes + 1)]))
    catalog.set_tag("default", "samples", "golden", processes + 1)
    gate, answers = SPAWN.Barrier(processes), SPAWN.Queue()
    run_processes(
        catalog_records.move_tag_once,
        [(catalog.url, number, processes + 1, gate, answers) for number in range(1, processes + 1)],
    )
    given = [answers.get(timeout=120) for _ in range(processes)]
    winners = [number for number in given if number is not None]
    assert len(winners) == 1
    assert catalog.tags("default", "samples") == {"golden": winners[0]}


@pytest.mark.slow
def test_a_forked_child_opens_connections_of_its_own(catalog: Catalog) -> None:
    save(catalog)
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            save(catalog, "busy")
            catalog.keys("default")

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        for i in range(5):
            child = os.fork()
            if child == 0:
                try:
                    saved = [save(catalog).number for _ in range(3)]
                    os._exit(0 if saved == [i * 4 + 2, i * 4 + 3, i * 4 + 4] else 1)
                except BaseException:
                    os._exit(2)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert save(catalog).number == i * 4 + 5
    finally:
        stop.set()
        thread.join()
    assert catalog.check() == []


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.05, 0.11, 0.23])
def test_what_was_acknowledged_survives_a_kill(
    catalog: Catalog, tmp_path: Path, seconds: float
) -> None:
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    code = f"""
import sys
sys.path.insert(0, {str(Path(catalog_records.__file__).parent)!r})
from catalog_records import save_until_killed
save_until_killed({catalog.url!r}, {str(acknowledged)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    end = time.monotonic() + 120
    while not acknowledged.read_text() and time.monotonic() < end:
        time.sleep(0.005)
    catalog_records.kill_after(process.pid, seconds)
    assert process.wait(120) == -signal.SIGKILL
    lines = [line.split() for line in acknowledged.read_text().splitlines()]
    assert lines
    uids = [uid for line in lines for uid in line]
    # The next write works at once, and all that was acknowledged is there, in whole batches.
    number = save(catalog, "killed").number
    assert set(catalog.versions(uids)) == set(uids)
    assert number % 5 == 1
    assert number - 1 - len(uids) in (0, 5)
    assert numbers_of(catalog, "killed") == list(range(1, number + 1))
    assert catalog.check() == []
