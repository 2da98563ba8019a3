"""Leases: promises that versions, and blobs that are being written, stay while they last.

A lease is renewed by a thread of its owner's process as long as that lives. When the process dies
the lease runs out by itself, and on the same machine the collector sees at once that it is dead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from findspot.core.errors import CheckFailed, Conflict, FindspotError, NotFound, Problem
from findspot.core.ids import new_uid
from findspot.core.records import Lease, now

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion
    from findspot.catalog.protocol import Catalog

SHORTEST = 1.0
"""Seconds; a lease must outlast the pauses between its renewals."""

LONGEST = 7 * 86_400.0
"""Seconds; it is renewed as long as its process lives, and should not outlast that by much."""

Liveness = Callable[[Mapping[str, Any]], bool | None]
"""Whether a process that a record describes still runs; None where that cannot be known."""


class LeaseLost(Conflict):
    """A lease was not renewed in time: what it kept may be gone."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        super().__init__(
            f"The lease for {purpose!r} ended before its time.",
            how="Was the machine asleep, or the catalog out of reach? Begin this work again.",
        )


class HeldLease:
    """A lease that this process holds and a thread renews.

    Args:
        catalog: where it is recorded.
        lease: as it was recorded.
        seconds: how long each renewal makes it last.
    """

    def __init__(self, catalog: Catalog, lease: Lease, seconds: float) -> None:
        self._catalog, self._seconds = catalog, seconds
        self.id, self.purpose, self.since = lease.id, lease.purpose, lease.since
        self._until = lease.until
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._renewing, name="findspot-lease", daemon=True)
        self._thread.start()

    def keep(self, versions: Iterable[str | ArtifactVersion]) -> None:
        """Keep more versions, from now on until the lease ends.

        Raises:
            NotFound: one of them does not exist any more.
            LeaseLost: the lease itself does not.
        """
        uids = _uids(versions)
        self._renew(uids)
        _check_all_there(self._catalog, uids)

    def check(self) -> None:
        """`LeaseLost` unless the lease has lasted all the time until now."""
        if self.lost:
            raise LeaseLost(self.purpose)

    @property
    def lost(self) -> bool:
        """Whether it ended before it was released."""
        return now() >= self._until

    def release(self) -> None:
        """End the lease. May be called again."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._catalog.release_lease(self.id)

    def _renew(self, uids: Iterable[str] = ()) -> None:
        with self._lock:
            self.check()  # an expired one must not come back to life: its versions may be gone
            until = now() + timedelta(seconds=self._seconds)
            if not self._catalog.renew_lease(self.id, until, uids):
                self._until = now()
                raise LeaseLost(self.purpose)
            self._until = until

    def _renewing(self) -> None:
        while not self._ended.wait(self._seconds / 4):
            try:
                self._renew()
            except LeaseLost:
                return
            except FindspotError:
                continue  # the catalog cannot be reached: tried again until it is too late


@contextmanager
def lease(
    space: ArtifactSpace,
    versions: Iterable[str | ArtifactVersion] = (),
    purpose: str = "",
    seconds: float = 60.0,
    *,
    process: Mapping[str, Any] | None = None,
    exclusive: bool = False,
) -> Iterator[HeldLease]:
    """In its block the versions are not collected, and blobs that are written are no orphans.

    Args:
        versions: uids, or versions; more can be added by `HeldLease.keep`. None of them are needed
            to protect what is being written.
        purpose: what for, in a person's words.
        seconds: after so long without a renewal the lease ends; a thread renews it four times as
            often.
        process: this process, as the engine describes it, so that others can see that it died.
        exclusive: only one lease for this purpose at a time.

    Raises:
        CheckFailed: the purpose is no text, the seconds are too few, or what is to be kept is none.
        NotFound: one of the versions does not exist.
        AlreadyLeased: somebody has the exclusive lease.
    """
    versions = _checked(versions, purpose, seconds)
    uids = _uids(versions)
    since = now()
    record = Lease(
        id=new_uid(),
        owner=space.owner,
        purpose=purpose,
        versions=uids,
        process=process or {},
        since=since,
        until=since + timedelta(seconds=seconds),
    )
    catalog = space.catalog
    catalog.take_lease(record, exclusive=exclusive)
    held = HeldLease(catalog, record, seconds)
    try:
        _check_all_there(catalog, uids)
        yield held
    finally:
        held.release()


def release_dead(
    space: ArtifactSpace, is_alive: Liveness, *, forget: bool = True
) -> tuple[list[Lease], list[Lease]]:
    """The leases that last now, and those whose processes are surely dead; the latter are released
    unless ``forget`` is False."""
    live: list[Lease] = []
    dead: list[Lease] = []
    for found in space.existing_catalog.leases(now()):
        gone = bool(found.process) and is_alive(found.process) is False
        (dead if gone else live).append(found)
    if forget:
        for found in dead:
            space.catalog.release_lease(found.id)
    return live, dead


def _checked(versions: Any, purpose: Any, seconds: Any) -> list[str | ArtifactVersion]:
    """What is to be kept, as a list; `CheckFailed` lists what is wrong with a lease."""
    from findspot.artifacts.version import ArtifactVersion

    problems = []
    if not isinstance(purpose, str):
        problems.append(Problem("purpose", "it is no text", found=repr(purpose)[:80]))
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not SHORTEST <= seconds <= LONGEST:
        expected = f"a number from {SHORTEST:g} (at least) to {LONGEST:g}"
        problems.append(Problem("seconds", f"it is {seconds!r}", expected=expected))
    single = isinstance(versions, str | ArtifactVersion) or not isinstance(versions, Iterable)
    listed = [] if single else list(versions)
    if single:
        problems.append(Problem("versions", "they are no list", found=repr(versions)[:80]))
    for index, version in enumerate(listed):
        if not isinstance(version, str | ArtifactVersion):
            message = "it is neither a uid nor an ArtifactVersion"
            problems.append(Problem(f"versions[{index}]", message, found=repr(version)[:80]))
    if problems:
        raise CheckFailed("The lease", problems)
    return listed


def _uids(versions: Iterable[str | ArtifactVersion]) -> tuple[str, ...]:
    return tuple(v if isinstance(v, str) else v.uid for v in versions)


def _check_all_there(catalog: Catalog, uids: Iterable[str]) -> None:
    # After the lease was recorded: from then on none of them can go.
    there = catalog.versions(uids)
    for uid in uids:
        if uid not in there:
            raise NotFound("version", uid)
