"""What the processes do that race with a collection; importable by processes that are started
anew."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Any

from findspot import Workspace
from findspot.artifacts import collecting
from findspot.artifacts.collecting import collect
from findspot.artifacts.leases import lease


def save_and_delete(folder: str, seconds: float, seed: int, collected: Any, answers: Any) -> None:
    """Save few different contents again and again, most of them deleted soon after, at least until
    there was something to collect."""
    rng = random.Random(seed)
    kept: dict[str, bytes] = {}
    with Workspace(folder, inline_limit=0) as space:
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end or not (collected.is_set() or time.monotonic() > end + 120):
            with lease(space, purpose=f"saver {seed}"):
                for _ in range(rng.randrange(1, 12)):
                    content = bytes([rng.randrange(6)]) * 50
                    version = space.save_artifact(content, f"saver/{seed}")
                    kept[version.uid] = content
                    count += 1
                    assert version.load() == content
            for uid in list(kept)[:-1]:
                if rng.random() < 0.6:
                    del kept[uid]
                    space.catalog.delete_version(uid)
        for uid, content in kept.items():
            assert space.get_artifact(uid).load() == content
    answers.put((count, kept))


def collect_on_and_on(folder: str, ended: Any, collected: Any, answers: Any) -> None:
    """Collect with neither grace nor much of a quarantine; all is by one clock here."""
    collecting.CLOCK_SLACK = timedelta(seconds=0.1)
    runs = quarantined = purged = restored = 0
    with Workspace(folder, inline_limit=0) as space:
        while not ended.is_set():
            report = collect(space, dry_run=False, grace_hours=0, quarantine_days=1e-7)
            runs += 1
            quarantined += len(report.quarantined)
            purged += len(report.purged)
            restored += len(report.restored)
            if quarantined and purged:
                collected.set()
    answers.put((runs, quarantined, purged, restored))
