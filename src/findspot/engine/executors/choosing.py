"""From the name of an executor to the executor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from findspot.engine.calls import Perform
from findspot.engine.errors import UnknownExecutor
from findspot.engine.executors.errors import ExecutorLibraryMissing
from findspot.engine.executors.inline import InlineExecutor
from findspot.engine.executors.protocol import Executor
from findspot.engine.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.engine.executors.pooled import Pool

EXECUTORS: Final = ("inline", "threads", "processes", "dask:", "ray:")
"""The names that may be given; an address may follow a colon."""


def make_executor(
    name: str | Any, workers: int, space: ArtifactSpace, perform: Perform
) -> Executor:
    """An executor by its name.

    Args:
        name: one of `EXECUTORS`; ``dask:tcp://host:port`` and ``ray:host:port`` (or
            ``ray:ray://host:port``) use a cluster that runs already. A ``distributed.Client``
            stands for the cluster that it is connected to.
        workers: how many at once; 0: one for each core here, or all that a running cluster has.
        perform: runs a call in this process.

    Raises:
        UnknownExecutor: lists those there are.
        ExecutorLibraryMissing: says how to install it.
        ExecutorUnavailable: nobody answers at the address.
    """
    if name == "inline":
        return InlineExecutor(perform)
    if name == "threads":
        return ThreadExecutor(perform, workers or cores())
    pool = _pool(name, workers)
    # Only now: jobs that stay in this process need none of it.
    from findspot.engine.executors.pooled import PooledExecutor
    from findspot.engine.workers import Place

    return PooledExecutor(pool, Place.here(space))


def check_executor(executor: str | Any) -> None:
    """Whether there is such an executor, without starting anything.

    Raises:
        UnknownExecutor: lists those there are.
    """
    name = executor_name(executor)
    if name not in EXECUTORS and not name.startswith(("dask:", "ray:")):
        raise UnknownExecutor(name)


def executor_name(executor: str | Any) -> str:
    """What a job's record says of its executor: a name that chooses it again."""
    if isinstance(executor, str):
        return executor
    if _is_client(executor):
        return f"dask:{executor.scheduler.address}"
    raise UnknownExecutor(f"{type(executor).__module__}.{type(executor).__qualname__}")


def stays_here(executor: str | Any) -> bool:
    """Whether all steps run on this machine for sure, and see its files."""
    return executor_name(executor) in ("inline", "threads", "processes", "dask:")


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _pool(name: str | Any, workers: int) -> Pool:
    if not isinstance(name, str):
        if _is_client(name):
            from findspot.engine.executors.dask import ClientPool

            return ClientPool(name, workers)
        raise UnknownExecutor(executor_name(name))
    kind, colon, address = name.partition(":")
    if name == "processes":
        from findspot.engine.executors.processes import ProcessPool

        return ProcessPool(workers or cores())
    if kind == "dask" and colon:
        _require(name, "distributed", "dask")
        from findspot.engine.executors.dask import LocalDaskPool, connected_pool

        if not address:
            return LocalDaskPool(workers or cores())
        return connected_pool(name, address, workers)
    if kind == "ray" and colon:
        _require(name, "ray", "ray")
        from findspot.engine.executors.ray import RayPool

        return RayPool(name, address or None, workers, cores())
    raise UnknownExecutor(name)


def _require(name: str, library: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise ExecutorLibraryMissing(name, library, extra)


def _is_client(given: object) -> bool:
    """Without importing distributed: whoever has a client has imported it."""
    import sys

    module = sys.modules.get("distributed")
    return module is not None and isinstance(given, module.Client)
