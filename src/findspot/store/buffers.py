"""Buffers as flat bytes, and the hashing of whole files, in bounded memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Final

from findspot.core.digests import Digest, Hasher

CORES: Final = os.cpu_count() or 1
# A pool of hashing threads costs about 0.1 ms to start; blake3's own shared pool would cost
# nothing but hangs in a forked child, so each large hash brings its own threads.
LARGE: Final = 8 << 20
READ_CHUNK: Final = 4 << 20


def flat(data: bytes | bytearray | memoryview) -> memoryview:
    """``data`` as one-dimensional bytes in C order; copied only where it is not contiguous."""
    view = memoryview(data)
    if view.format == "B" and view.ndim == 1 and view.contiguous:
        return view
    if view.nbytes == 0:
        return memoryview(b"")
    if view.c_contiguous:
        try:
            return view.cast("B")
        except (TypeError, ValueError):  # a structured element format: memoryview cannot cast it
            pass
    return memoryview(view.tobytes())


def hash_buffer(view: memoryview) -> Digest:
    """The digest of a flat buffer; with all cores where that is worth their start."""
    return hash_parts((view,), view.nbytes)


def hash_parts(views: Iterable[memoryview], size: int) -> Digest:
    """The digest of flat buffers, ``size`` bytes in all, as if they were one."""
    hasher = Hasher(threads=CORES if size >= LARGE else 1)
    for view in views:
        hasher.update(view)
    return hasher.digest()


def hash_open_file(fd: int) -> tuple[Digest, int]:
    """The digest and size of an open file from its first byte to its end, with all cores.

    It reads into a buffer of 4 MiB and does not map the file, because a mapped file that somebody
    truncates kills the process.
    """
    expected = os.fstat(fd).st_size
    hasher = Hasher(threads=CORES if expected >= LARGE else 1)
    buffer = memoryview(bytearray(min(READ_CHUNK, expected + 1)))
    offset = 0
    while count := os.preadv(fd, [buffer], offset):
        hasher.update(buffer[:count])
        offset += count
    return hasher.digest(), offset


class BackgroundHash:
    """Feeds one buffer to a hasher in a second thread while the caller writes the same buffer."""

    __slots__ = ("_failure", "_thread")

    def __init__(self, hasher: Hasher, view: memoryview) -> None:
        self._failure: BaseException | None = None

        def run() -> None:
            try:
                hasher.update(view)
            except BaseException as error:  # handed to the waiting thread
                self._failure = error

        self._thread = threading.Thread(target=run, name="findspot-hash", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when the whole buffer has been hashed."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure


_FALLOCATE: list[object] = []


def reserve(fd: int, offset: int, count: int) -> None:
    """Ask the file system for the blocks of a coming large write; twice as fast on ext4.

    Only a hint: where it is not supported or there is no room, nothing happens and the write itself
    tells. `os.posix_fallocate` is not used, because on file systems without the call the C library
    imitates it by writing to every block.
    """
    import ctypes

    if not _FALLOCATE:
        function = getattr(ctypes.CDLL(None), "fallocate", None)
        if function is not None:
            function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        _FALLOCATE.append(function)
    function = _FALLOCATE[0]
    if callable(function):
        function(fd, 0, offset, count)
