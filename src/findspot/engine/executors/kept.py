"""Clusters that are slow to start: kept for a while between jobs, closed when Python ends."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most one started thing of a kind in this process, shared by the jobs that use it.

    A forked child starts one of its own and leaves its parent's alone. Any thread may use it.

    Args:
        close: ends a thing; called with each one exactly once, at the latest when Python ends.
        seconds: how long it is kept after its last use.
    """

    def __init__(self, close: Callable[[T], None], seconds: float = 60.0) -> None:
        self._close = close
        self._seconds = seconds
        self._lock = threading.RLock()
        self._thing: T | None = None
        self._key: Hashable = None
        self._users = 0
        self._pid = os.getpid()
        self._timer: threading.Timer | None = None
        self._leaving = False

    @property
    def kept(self) -> T | None:
        """What there is now."""
        with self._lock:
            self._own()
            return self._thing

    def take(self, key: Hashable, make: Callable[[], T]) -> T:
        """The kept thing, or a new one where none was made for an equal key; `give_back` it.

        One under another key is closed first, if nobody uses it; otherwise it is closed by its
        last user.
        """
        with self._lock:
            self._own()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._thing is not None and self._key != key:
                self.drop(self._thing)
            if self._thing is None:
                self._thing, self._key, self._users = make(), key, 0
                if not self._leaving:
                    self._leaving = True
                    atexit.register(self.close)
            self._users += 1
            return self._thing

    def give_back(self, thing: T) -> None:
        """It is not used any more by one of its users."""
        with self._lock:
            if thing is not self._thing:
                return
            self._users -= 1
            if self._users == 0:
                self._timer = threading.Timer(self._seconds, self._expire, [thing])
                self._timer.daemon = True
                self._timer.start()

    def drop(self, thing: T) -> None:
        """Close it now, whoever uses it."""
        with self._lock:
            if thing is not self._thing:
                return
            self._thing = None
        self._close(thing)

    def close(self) -> None:
        """Close what there is."""
        with self._lock:
            self._own()
            thing = self._thing
            if self._timer is not None:
                self._timer.cancel()
        if thing is not None:
            self.drop(thing)

    def _expire(self, thing: T) -> None:
        with self._lock:
            if self._users == 0:
                self.drop(thing)

    def _own(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._thing, self._timer, self._users = os.getpid(), None, None, 0
