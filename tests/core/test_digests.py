"""Digests of any buffer, in any process."""

from __future__ import annotations

import io
import os
import signal
import struct

import numpy as np
import pytest
from blake3 import blake3

from findspot.core.digests import Hasher, flat, hash_bytes, hash_stream, is_digest, parse_digest

EMPTY = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_a_digest_names_its_algorithm() -> None:
    assert hash_bytes(b"") == EMPTY
    assert hash_bytes(b"sherds") == "blake3:" + blake3(b"sherds").hexdigest()


@pytest.mark.parametrize("size", [0, 1, 1023, 1 << 20, (8 << 20) - 1, 8 << 20, (8 << 20) + 1])
def test_every_size_has_the_digest_of_its_bytes(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    expected = "blake3:" + blake3(data).hexdigest()
    assert hash_bytes(data) == hash_bytes(bytearray(data)) == hash_bytes(memoryview(data))
    assert hash_bytes(data) == expected == hash_stream(io.BytesIO(data), block=1 << 18)
    hasher = Hasher(threads=2)
    for start in range(0, size, 1 << 20):
        hasher.update(data[start : start + (1 << 20)])
    assert (hasher.digest(), hasher.size) == (expected, size)


def views() -> dict[str, memoryview]:
    floats = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    records = np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    return {
        "floats": floats.data,
        "fortran": np.asfortranarray(floats).data,
        "sliced": floats[:, ::2].data,
        "scalar": np.float32(1.5).data,
        "records": records.data,
        "booleans": np.array([True, False]).data,
        "empty": np.zeros((0, 3)).data,
        "backwards": memoryview(b"abcd")[::-1],
        "words": memoryview(struct.pack("<4i", 1, 2, 3, 4)).cast("i", (2, 2)),
    }


@pytest.mark.parametrize("name", views())
def test_a_buffer_of_any_format_counts_by_its_bytes_in_c_order(name: str) -> None:
    view = views()[name]
    data = view.tobytes()
    assert bytes(flat(view)) == data
    assert hash_bytes(view) == hash_bytes(data)
    hasher = Hasher()
    hasher.update(view)
    assert (hasher.digest(), hasher.size) == (hash_bytes(data), len(data))


def test_a_contiguous_buffer_is_not_copied() -> None:
    array = np.zeros(1000)
    view = flat(array.data)
    array[0] = 1.5
    assert bytes(view[:8]) == struct.pack("<d", 1.5)


def test_a_forked_child_hashes_after_its_parent_did() -> None:
    data = b"amphora " * (2 << 20)
    expected = hash_bytes(data)
    child = os.fork()
    if child == 0:
        signal.alarm(120)  # a hash that hangs ends the child, not the test run
        os._exit(0 if hash_bytes(data) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY[7:],
        EMPTY.upper(),
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY + "\n",
        "sha256:" + EMPTY[7:],
        "blake3:../../etc/passwd",
    ],
)
def test_other_texts_are_no_digests(text: str) -> None:
    assert not is_digest(text)
    with pytest.raises(ValueError, match="no digest"):
        parse_digest(text)
    assert parse_digest(EMPTY) == EMPTY
