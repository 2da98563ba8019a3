"""One computation of a key at a time, across processes: the others wait, and reuse it.

A lease before every step would cost more than most steps do. So a step is announced, by a lease in
the catalog, only once it has run for a while; from then on nobody else begins an equal one. Steps
whose policy is ``single`` are announced before they begin, so that even two jobs that start at the
same moment run them once.
"""

from __future__ import annotations

import threading
import time
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

LONG = 0.5
"""Seconds after which a step that runs is announced."""

LOOK = 0.25
"""Seconds between two looks at what others have announced."""


class Singles:
    """The keys that this job computes, and those that others do.

    Args:
        patient: whether it waits for others that did not ask for it. A job inside a step does not:
            what it would wait for might wait for that step.
    """

    def __init__(self, space: ArtifactSpace, *, patient: bool) -> None:
        self._space = space
        self._patient = patient
        self._running: dict[str, float] = {}
        self._held: dict[str, str] = {}
        self._others: frozenset[str] = frozenset()
        self._looked: float | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, key: str) -> None:
        """A step of the key begins; it is announced if it takes long."""
        self._running[key] = time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="findspot-single", daemon=True)
            self._thread.start()

    def runs(self, key: str) -> bool:
        """Whether a step of the key runs in this job."""
        return key in self._running

    def take(self, key: str) -> bool:
        """Whether this job may compute the key now, alone. Where another one does, it is False; a
        holder that died is no hindrance."""
        if key in self._held:
            return True
        try:
            self._announce(key, exclusive=True)
        except AlreadyLeased:
            self._look()
            return False
        return True

    def elsewhere(self, key: str) -> bool:
        """Whether another job has announced, a moment ago at least, that it computes the key."""
        if not self._patient:
            return False
        if self._looked is None or time.monotonic() - self._looked > LOOK:
            self._look()
        return bool(self._others) and _purpose(key) in self._others

    def announced(self, key: str) -> bool:
        """Whether others may be waiting for the key."""
        return key in self._held

    def end(self, key: str) -> None:
        """The key's outcome is recorded (or it failed): others may look."""
        self._running.pop(key, None)
        if key in self._held:
            self._release(key)

    def _release(self, key: str) -> None:
        lease = self._held.pop(key, None)
        if lease is not None:
            self._space.catalog.release_lease(lease)

    def close(self) -> None:
        """Give all of them up."""
        self._over.set()
        for key in [*self._running, *self._held]:
            self.end(key)

    def _announce(self, key: str, *, exclusive: bool) -> None:
        since = now()
        lease = Lease(
            id=new_uid(),
            owner=self._space.owner,
            purpose=_purpose(key),
            versions=(),
            process=this_process(),
            since=since,
            until=since + timedelta(seconds=LASTS),
        )
        self._space.catalog.take_lease(lease, exclusive=exclusive)
        self._held[key] = lease.id

    def _look(self) -> None:
        """See what others have announced; leases of the dead are released."""
        own = set(self._held.values())
        others = set()
        for lease in self._space.catalog.leases(now()):
            if lease.id in own or not lease.purpose.startswith(_PURPOSE):
                continue
            if is_alive(lease.process) is False:
                self._space.catalog.release_lease(lease.id)
            else:
                others.add(lease.purpose)
        self._others = frozenset(others)
        self._looked = time.monotonic()

    def _watch(self) -> None:
        renewed = time.monotonic()
        while not self._over.wait(LONG / 2):
            time_now = time.monotonic()
            for key, began in list(self._running.items()):
                if time_now - began > LONG and key not in self._held:
                    self._announce(key, exclusive=False)
                    if key not in self._running:  # It ended meanwhile, without knowing of this.
                        self._release(key)
            if time_now - renewed > LASTS / 3:
                renewed = time_now
                for lease in list(self._held.values()):
                    self._space.catalog.renew_lease(lease, now() + timedelta(seconds=LASTS))


_PURPOSE = "step "


def _purpose(key: str) -> str:
    return f"{_PURPOSE}{key}"
