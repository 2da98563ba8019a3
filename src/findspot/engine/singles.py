"""One computation of a key at a time, across processes: the others wait, and reuse it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from findspot.catalog.errors import AlreadyLeased
from findspot.core.ids import new_uid
from findspot.core.records import Lease, now
from findspot.engine.process import is_alive, this_process

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

LASTS = 30.0
"""Seconds: the lease of a holder on another machine that died is over so much later at most."""


class Singles:
    """The keys that this job computes alone; see `CachePolicy.single`."""

    def __init__(self, space: ArtifactSpace) -> None:
        self._space = space
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, key: str) -> bool:
        """Whether this job may compute the key now. Where another process does, it is False; a
        holder that died is no hindrance."""
        if key in self._held:
            return True
        purpose = f"step {key}"
        time = now()
        lease = Lease(
            id=new_uid(),
            owner=self._space.owner,
            purpose=purpose,
            versions=(),
            process=this_process(),
            since=time,
            until=time + timedelta(seconds=LASTS),
        )
        try:
            self._space.catalog.take_lease(lease, exclusive=True)
        except AlreadyLeased:
            for other in self._space.catalog.leases(time):
                if other.purpose == purpose and is_alive(other.process) is False:
                    self._space.catalog.release_lease(other.id)
            return False
        with self._lock:
            self._held[key] = lease.id
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._renew, name="findspot-single", daemon=True
                )
                self._thread.start()
        return True

    def holds(self, key: str) -> bool:
        return key in self._held

    def release(self, key: str) -> None:
        """The key's outcome is recorded (or it failed): others may look."""
        with self._lock:
            lease = self._held.pop(key, None)
        if lease is not None:
            self._space.catalog.release_lease(lease)

    def close(self) -> None:
        """Give all of them up."""
        self._over.set()
        for key in list(self._held):
            self.release(key)

    def _renew(self) -> None:
        while not self._over.wait(LASTS / 3):
            with self._lock:
                held = list(self._held.values())
            for lease in held:
                self._space.catalog.renew_lease(lease, now() + timedelta(seconds=LASTS))
