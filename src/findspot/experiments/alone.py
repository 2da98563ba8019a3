"""One at a time adds to the runs of an experiment: it is announced by a lease."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from findspot.artifacts.leases import lease, release_dead
from findspot.catalog.errors import AlreadyLeased
from findspot.engine.process import is_alive, this_process
from findspot.experiments.errors import BeingRun
from findspot.experiments.history import runs

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

LASTS = 30.0
"""Seconds: the lease of a holder on another machine that died is over so much later at most."""


@contextmanager
def alone(space: ArtifactSpace, project: str, experiment: str) -> Iterator[None]:
    """In its block nobody else resumes the experiment, neither a process nor a thread. One that
    died on this machine is no hindrance.

    Raises:
        BeingRun: somebody does already.
    """
    with ExitStack() as stack:

        def take() -> None:
            held = lease(
                space,
                purpose=f"experiment {project}/{experiment}",
                seconds=LASTS,
                process=this_process(),
                exclusive=True,
            )
            stack.enter_context(held)

        try:
            take()
        except AlreadyLeased:
            release_dead(space, is_alive)
            try:
                take()
            except AlreadyLeased as error:
                jobs = runs(space, project, experiment)
                job = next((job.id for job in jobs if job.status == "running"), None)
                raise BeingRun(experiment, job) from error
        yield
