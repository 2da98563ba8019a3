"""Any sequence of calls leaves a store that agrees with a plain dictionary."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import BlobDamaged, BlobMissing
from findspot.store.cached_store import CachedBlobStore
from findspot.store.local import LocalBlobStore
from findspot.store.memory import MemoryBlobStore
from findspot.store.object_store import ObjectBlobStore
from findspot.store.protocol import Blob, BlobStore

MIB = 1 << 20
# Few, so that the same bytes come again; on both sides of every size that matters.
SIZES = (0, 1, 5000, MIB - 1, MIB, 8 * MIB - 1, 8 * MIB)
CONTENTS = {size: random.Random(size).randbytes(size) for size in SIZES}
DIGESTS = {hash_bytes(data): data for data in CONTENTS.values()}
# Sizes are drawn, not the bytes: what is drawn is printed, over and over.
sizes = st.sampled_from(SIZES)
digests = st.sampled_from(list(DIGESTS))
Flip = Callable[[BlobStore, Digest], None]


class StoreMachine(RuleBasedStateMachine):
    flip: Flip

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = self.new_store()
        self.stored: set[Digest] = set()
        self.damaged: set[Digest] = set()

    def new_store(self) -> BlobStore:
        raise NotImplementedError

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def was_stored(self, blob: Blob, data: bytes) -> None:
        assert blob == Blob(hash_bytes(data), len(data))
        self.stored.add(blob.digest)
        self.damaged.discard(blob.digest)

    @rule(size=sizes)
    def put(self, size: int) -> None:
        data = CONTENTS[size]
        self.was_stored(self.store.put(data), data)

    @rule(size=sizes, part=st.sampled_from([4096, 300_000, 3 * MIB]), hint=st.booleans())
    def write(self, size: int, part: int, hint: bool) -> None:
        data = CONTENTS[size]
        with self.store.writer(size_hint=len(data) if hint else None) as writer:
            for start in range(0, len(data), part):
                writer.write(data[start : start + part])
            self.was_stored(writer.commit(), data)

    @rule(size=sizes, move=st.booleans(), scratch=st.booleans())
    def put_file(self, size: int, move: bool, scratch: bool) -> None:
        data = CONTENTS[size]
        with self.store.scratch() as folder:
            file = (folder if scratch else self.folder) / "made"
            file.write_bytes(data)
            self.was_stored(self.store.put_file(file, move=move), data)
            assert file.exists() is not move

    @rule(size=sizes)
    def abandon(self, size: int) -> None:
        with self.store.writer() as writer:
            writer.write(CONTENTS[size])

    @rule(digest=digests)
    def delete(self, digest: Digest) -> None:
        assert self.store.delete(digest) is (digest in self.stored)
        self.stored.discard(digest)
        self.damaged.discard(digest)

    @precondition(lambda self: self.stored - self.damaged - {hash_bytes(b"")})
    @rule(choice=st.data())
    def damage(self, choice: st.DataObject) -> None:
        candidates = sorted(self.stored - self.damaged - {hash_bytes(b"")})
        digest = choice.draw(st.sampled_from(candidates))
        type(self).flip(self.store, digest)
        self.damaged.add(digest)

    @rule(digest=digests, way=st.sampled_from(["read", "open", "path", "verify"]))
    def look(self, digest: Digest, way: str) -> None:
        expected: type[BlobMissing | BlobDamaged] | None = None
        if digest not in self.stored:
            expected = BlobMissing
        elif digest in self.damaged:
            expected = BlobDamaged
        if way == "path" and isinstance(self.store, MemoryBlobStore | ObjectBlobStore):
            way = "read"  # it has no files
        if expected is not None:
            with pytest.raises(expected):
                self.bytes_by(way, digest)
        else:
            assert self.bytes_by(way, digest) == DIGESTS[digest]

    def bytes_by(self, way: str, digest: Digest) -> bytes:
        if way == "open":
            with self.store.open(digest) as file:
                return file.read()
        if way == "path":
            path = self.store.path(digest)
            assert path is not None
            return path.read_bytes()
        if way == "verify":
            assert self.store.verify(digest).size == len(DIGESTS[digest])
        return self.store.read(digest)

    @rule()
    def tidy(self) -> None:
        assert self.store.tidy(older_than_seconds=0) == 0, "nothing was left unfinished"

    @invariant()
    def the_listing_agrees(self) -> None:
        expected = {digest: len(DIGESTS[digest]) for digest in self.stored}
        listing = list(self.store.list())
        assert {stored.digest: stored.size for stored in listing} == expected
        assert len(listing) == len(expected)
        assert self.store.missing(DIGESTS) == DIGESTS.keys() - self.stored


class LocalMachine(StoreMachine):
    def new_store(self) -> BlobStore:
        return LocalBlobStore(self.folder / "blobs")

    @rule()
    def another_process(self) -> None:
        """One that knows only what is on the disk."""
        self.store = self.new_store()


class MemoryMachine(StoreMachine):
    def new_store(self) -> BlobStore:
        return MemoryBlobStore()


class ObjectMachine(StoreMachine):
    def new_store(self) -> BlobStore:
        from obstore.store import MemoryStore

        self.client = MemoryStore()
        return self.opened()

    def opened(self) -> BlobStore:
        scratch = self.folder / "scratch"
        return ObjectBlobStore("s3://test", client=self.client, scratch_folder=scratch)

    @rule()
    def another_process(self) -> None:
        """One that has sent and compared nothing yet."""
        self.store = self.opened()


class CachedMachine(ObjectMachine):
    """With room for some of the blobs only."""

    def opened(self) -> BlobStore:
        cache = self.folder / "cache"
        return CachedBlobStore(super().opened(), cache, 12 * MIB, path_grace_seconds=0)


def run(machine: type[StoreMachine], flip: Flip, examples: int) -> None:
    machine.flip = staticmethod(flip)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


MACHINES = [LocalMachine, MemoryMachine, ObjectMachine, CachedMachine]


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES[:3])
def test_any_sequence_of_calls(machine: type[StoreMachine], flip: Flip) -> None:
    run(machine, flip, 15)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_many_sequences_of_calls(machine: type[StoreMachine], flip: Flip) -> None:
    run(machine, flip, 150)
