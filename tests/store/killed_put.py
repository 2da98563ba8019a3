"""Run by `test_crashes`: stores bytes again and again, killed one call later each time.

``python killed_put.py SCENARIO FOLDER`` makes ``FOLDER/1/blobs``, ``FOLDER/2/blobs`` ... each by a
process that was killed right before its first, second ... call into the system, until one of them
lives to the end; that one's folder is ``FOLDER/whole``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from findspot.core.digests import hash_bytes
from findspot.store.local import LocalBlobStore

SMALL = b"sherds " * 100
LARGE = b"amphora " * (9 << 17)
SYSTEM_MODULES = frozenset({"posix", "fcntl", "_io", "io"})


def put_small(store: LocalBlobStore) -> None:
    store.put(SMALL)


def put_large(store: LocalBlobStore) -> None:
    store.put(LARGE)


def write_parts(store: LocalBlobStore) -> None:
    with store.writer(size_hint=2 * len(LARGE)) as writer:
        for start in range(0, len(LARGE), 3 << 20):
            writer.write(LARGE[start : start + (3 << 20)])
        writer.commit()


def put_file(store: LocalBlobStore) -> None:
    store.put_file(store.root.parent / "source")


def move_file(store: LocalBlobStore) -> None:
    store.put_file(store.root.parent / "source", move=True)


def move_from_scratch(store: LocalBlobStore) -> None:
    with store.scratch() as folder:
        (folder / "made").write_bytes(LARGE)
        store.put_file(folder / "made", move=True)


def mend(store: LocalBlobStore) -> None:
    store.put(LARGE)


SCENARIOS: dict[str, tuple[bytes, Callable[[LocalBlobStore], None]]] = {
    "put_small": (SMALL, put_small),
    "put_large": (LARGE, put_large),
    "write_parts": (LARGE, write_parts),
    "put_file": (LARGE, put_file),
    "move_file": (LARGE, move_file),
    "move_from_scratch": (LARGE, move_from_scratch),
    "mend": (LARGE, mend),
}


def prepare(folder: Path, scenario: str) -> LocalBlobStore:
    folder.mkdir()
    data, _ = SCENARIOS[scenario]
    if scenario.endswith("_file"):
        (folder / "source").write_bytes(data)
    store = LocalBlobStore(folder / "blobs")
    if scenario == "mend":
        digest = hash_bytes(data)
        blob = folder / "blobs" / "blake3" / digest[7:9] / digest[9:]
        blob.parent.mkdir(parents=True)
        blob.write_bytes(data[:-1])
    return store


def kill_before_call(number: int) -> None:
    """This process is killed right before its ``number``-th call into the system."""
    calls = 0

    def count(frame: FrameType, event: str, called: object) -> None:
        nonlocal calls
        if event != "c_call":
            return
        owner = getattr(called, "__self__", None)
        module = getattr(called, "__module__", None) or type(owner).__module__
        if module in SYSTEM_MODULES:
            calls += 1
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def main(scenario: str, base: Path) -> None:
    _, act = SCENARIOS[scenario]
    number = 0
    while True:
        number += 1
        store = prepare(base / str(number), scenario)
        child = os.fork()
        if child == 0:
            kill_before_call(number)
            act(store)
            sys.setprofile(None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            os.rename(base / str(number), base / "whole")
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
