"""A job that repeats an earlier one as a whole is settled at once, without a look at its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from findspot.core.canonical import canonical_json
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import FindspotError
from findspot.engine.caching.keys import KEY_FORMAT, encoded, policy_parts
from findspot.engine.plans import Plan
from findspot.engine.targets.choosing import Chosen

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.records import Snapshot


def job_key(
    plan: Plan, chosen: Chosen, *, entrypoint: Snapshot, project: str, seed: int | None
) -> Digest | None:
    """The digest of all that determines what a job makes; None where a part of it is run each time.

    It covers the graph (with the handlers of its outputs and the plugins' snapshots), the arguments
    of every step, the code of every task with its policy, the values and versions that were chosen,
    and the seed.
    """
    tasks: dict[str, Any] = {}
    for step in plan.graph.steps.values():
        if step.cache is False:
            return None
        if step.task in tasks:
            continue
        source = plan.sources[step.task]
        policy = source.options.policy
        if policy is None or policy.expires is not None:
            return None
        try:
            code = source.fingerprint()
        except FindspotError:  # It cannot be imported; its steps will fail, and say so.
            return None
        if code.unfingerprintable:
            return None
        tasks[step.task] = policy_parts(policy, code.digest)
    parts = {
        "format": KEY_FORMAT,
        "graph": entrypoint.digest,
        # A snapshot is to be read: it does not tell a tuple from a list, nor has it every step.
        "steps": plan.digest,
        "project": project,
        "tasks": tasks,
        "given": {name: encoded(value) for name, value in chosen.given.items()},
        "live": [encoded(saved) for saved in chosen.opaque.values()],
        "seed": seed,
    }
    return hash_bytes(b"job " + canonical_json(parts))


def repeated_job(space: ArtifactSpace, key: Digest) -> str | None:
    """The id of a finished job of that key all of whose outputs are there, records and bytes."""
    found = space.catalog.repeatable(key)
    if found is None or (found.blobs and space.store.missing(found.blobs)):
        return None
    return found.job
