"""Files and folders in the making: entries of one folder, each locked by the process at work on it.

The lock (``flock``) is what tells a living writer from one that was killed: the kernel releases it
with the process, whatever ended that, and no process number can be mistaken for another.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class UnfinishedFile:
    """A new file that is invisible to readers: give it its place, or else `discard` it.

    `path` is where it is, `fd` is open for writing and holds the lock; set `placed` once the file
    has been renamed. The file is read-only to all others from the start.
    """

    __slots__ = ("fd", "path", "placed")

    def __init__(self, path: str, fd: int) -> None:
        self.path, self.fd, self.placed = path, fd, False

    def discard(self) -> None:
        """Remove the file unless it was placed, and release the lock. May be called again."""
        if self.fd >= 0:
            if not self.placed:
                with suppress(FileNotFoundError):
                    os.unlink(self.path)
            fd, self.fd = self.fd, -1
            os.close(fd)


class Unfinished:
    """The folder of unfinished entries; made when the first one is.

    Args:
        folder: where the entries are. It may not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = f"{folder}/"

    def new_path(self) -> str:
        """A path in the folder that nothing has; unlocked."""
        return f"{self._prefix}{os.getpid()}-{os.urandom(12).hex()}"

    def file(self) -> UnfinishedFile:
        """A new, empty, locked file."""
        while True:
            path = self.new_path()
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
            try:
                fd = os.open(path, flags, 0o444)
            except FileNotFoundError:
                self.folder.mkdir(parents=True, exist_ok=True)
                fd = os.open(path, flags, 0o444)
            _lock(fd)
            # A `tidy` that came between the two calls has removed the file: take another.
            if os.fstat(fd).st_nlink:
                return UnfinishedFile(path, fd)
            os.close(fd)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new, empty, locked folder; removed with all it holds at the end of the block."""
        path, fd = self._new_folder()
        try:
            yield Path(path)
        finally:
            remove_tree(path)
            os.close(fd)

    def _new_folder(self) -> tuple[str, int]:
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = self.new_path()
            os.mkdir(path, 0o777)
            try:
                fd = os.open(path, _FOLDER_FLAGS)
            except FileNotFoundError:
                continue
            _lock(fd)
            if os.path.isdir(path):
                return path, fd
            os.close(fd)

    def tidy(self, older_than_seconds: float) -> int:
        """Remove entries that are older and that no living process holds; the bytes freed."""
        oldest = time.time() - older_than_seconds
        freed = 0
        try:
            entries = os.scandir(self.folder)
        except FileNotFoundError:
            return 0
        with entries:
            for entry in entries:
                # Gone meanwhile, or another user's, who will tidy it.
                with suppress(FileNotFoundError, PermissionError):
                    if entry.stat(follow_symlinks=False).st_mtime <= oldest:
                        freed += _remove_if_free(entry.path)
        return freed


def _remove_if_free(path: str) -> int:
    about = os.lstat(path)
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        os.unlink(path)
        return 0
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        except OSError:
            # A file system without locks: age alone decides, as it did before this call.
            pass
        if stat.S_ISDIR(about.st_mode):
            freed = tree_size(path)
            remove_tree(path)
            return freed
        os.unlink(path)
        return about.st_size
    finally:
        os.close(fd)


def _lock(fd: int) -> None:
    # Where the file system has no locks, `tidy` goes by age alone.
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX)


def tree_size(path: str) -> int:
    """The bytes in all regular files below a folder; links are not followed."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                about = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:
                    total += about.st_size
    return total


def remove_tree(path: str) -> None:
    """Remove a folder and all in it, also read-only folders; links are not followed."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except PermissionError:
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)
        shutil.rmtree(path)
