"""What is written past Python: by child processes and C code, to the file descriptors themselves.

In a worker process, which runs one step at a time, standard output and error lead to two files
while it lives. What the files get is given to the step that runs, and passed on to where it was
meant for, a few times a second and when the step ends.

Files rather than pipes: whoever writes never waits for a reader, a child that outlives its step
does no harm, and of a worker that crashed the last words are still there.
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import ctypes
import faulthandler
import io
import math
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from findspot.engine.capturing.lines import LINE_BYTES, StepLines

POLL = 0.25
"""Seconds between two looks at what a running step's children have written."""

_PIECE = 1 << 20
_LAST_WORDS = 8192
_DYING = 1.0
_KEEP_SIZE_AND_PUNCH = 3
_STREAMS = ((1, "stdout", "print"), (2, "stderr", "stderr"))


class Descriptors:
    """Standard output and error of this process, from now on to its end.

    Python's own streams keep going where they went.

    Args:
        folder: for the files; they are named after the process (see `last_words`).
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._files = [_File(folder, *stream) for stream in _STREAMS]
        self._lock = threading.Lock()
        self._step: StepLines | None = None
        self._busy = threading.Event()
        self._flush = ctypes.CDLL(None).fflush
        faulthandler.enable(2, all_threads=False)  # where a crash in native code happened
        threading.Thread(target=self._watch, name="findspot-descriptors", daemon=True).start()

    def begin(self, step: StepLines) -> None:
        """What is written from now on belongs to the step."""
        self._drain()
        self._step = step
        self._busy.set()

    def end(self) -> None:
        """The step has ended: it gets what was written until now."""
        self._busy.clear()
        self._flush(None)
        with self._lock:
            for file in self._files:
                file.drain(self._step)
                file.finish(self._step)
            self._step = None

    def remove(self) -> None:
        """Remove the files, and the folder with the last of them; what is written goes nowhere."""
        with contextlib.suppress(OSError):
            for file in self._files:
                os.unlink(file.path)
            os.rmdir(os.path.dirname(self._files[0].path))

    def _drain(self) -> None:
        with self._lock:
            for file in self._files:
                file.drain(self._step)

    def _watch(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(POLL)
            self._drain()


class _File:
    """In the place of one descriptor."""

    def __init__(self, folder: str, number: int, stream: str, source: str) -> None:
        self.path = os.path.join(folder, f"{os.getpid()}-{number}")
        self._source = source
        self._meant = os.dup(number)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        self._offset = self._freed = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._rebase(number, stream)
        os.dup2(self._file, number)

    def drain(self, step: StepLines | None) -> None:
        """Pass on what was written since the last time."""
        if os.fstat(self._file).st_size == self._offset:
            return
        while data := os.pread(self._file, _PIECE, self._offset):
            self._offset += len(data)
            if step is None or step.rules.echo:
                self._pass_on(data)
            if step is not None:
                self._add(step, self._decoder.decode(data))
        if self._offset - self._freed > 16 * _PIECE:
            self._free()

    def finish(self, step: StepLines | None) -> None:
        """What is there of an unfinished line is a line."""
        rest = self._rest + self._decoder.decode(b"", True)
        self._rest = ""
        if step is not None and rest:
            step.add_text(self._source, rest + "\n")

    def _add(self, step: StepLines, text: str) -> None:
        # Only whole lines: a step holds unfinished ones for each thread, and this is called by two.
        whole, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            step.add_text(self._source, whole + newline)
        if "\r" in self._rest:  # a progress bar drawn over itself
            kept = self._rest.rstrip("\r")
            self._rest = self._rest[kept.rfind("\r") + 1 :]
        elif len(self._rest) > 4 * LINE_BYTES:
            step.add_text(self._source, self._rest + "\n")
            self._rest = ""

    def _pass_on(self, data: bytes) -> None:
        view = memoryview(data)
        with contextlib.suppress(OSError):  # nobody listens any more
            while view:
                view = view[os.write(self._meant, view) :]

    def _free(self) -> None:
        """Give back the disk space of what was read. The file stays as long as it is, since a child
        may be writing; where the system cannot do so, nothing happens."""
        free = getattr(ctypes.CDLL(None), "fallocate", None)
        if free is not None:
            size = self._offset - self._freed
            free(
                self._file,
                _KEEP_SIZE_AND_PUNCH,
                ctypes.c_int64(self._freed),
                ctypes.c_int64(size),
            )
        self._freed = self._offset

    def _rebase(self, number: int, stream: str) -> None:
        """Have Python's stream write to where the descriptor led."""
        before = getattr(sys, stream)
        try:
            if before is None or before.fileno() != number:
                return
            before.flush()
        except (AttributeError, OSError, ValueError):  # it is no file
            return
        raw = io.FileIO(self._meant, "w", closefd=False)
        setattr(
            sys,
            stream,
            io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=before.encoding,
                errors=before.errors,
                line_buffering=True,
                write_through=number == 2,
            ),
        )


_folders: dict[int, str] = {}


def words_folder() -> str:
    """The folder for the workers of this process; removed when Python ends. What dead workers left
    is removed now."""
    folder = _folders.get(os.getpid())
    if folder is None:
        folder = _folders[os.getpid()] = tempfile.mkdtemp(prefix="findspot-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        last_words(folder, math.inf)
    return folder


def last_words(folder: str, since: float) -> str:
    """The end of what a process of this folder wrote that has died, errors first; "" where there is
    none. The files of the dead are removed.

    Args:
        since: seconds since the epoch; what was written before does not count.
    """
    found = ""
    for file in sorted(Path(folder).glob("*-[12]"), key=lambda file: file.name[-1], reverse=True):
        pid = int(file.name.partition("-")[0])
        try:
            recent = file.stat().st_mtime >= since
            if not _ended(pid, _DYING if recent else 0.0):
                continue
            if recent:
                with file.open("rb") as stream:
                    stream.seek(max(0, file.stat().st_size - _LAST_WORDS))
                    text = stream.read().decode(errors="replace").replace("\0", "").strip()
                found = found or text
            file.unlink()
        except OSError:
            continue
    return found


def _ended(pid: int, patience: float) -> bool:
    """Whether a process has ended, perhaps only so many seconds from now: one that crashed is heard
    of before it is gone."""
    end = time.monotonic() + patience
    while _lives(pid):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat[stat.rfind(")") + 2] not in "ZX"
