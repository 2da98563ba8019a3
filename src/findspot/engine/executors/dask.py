"""Steps on Dask: a cluster on this machine, or one that runs already."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from findspot.engine.capturing.descriptors import words_folder
from findspot.engine.code.project import changed_code
from findspot.engine.executors.deaths import Death
from findspot.engine.executors.errors import ExecutorUnavailable
from findspot.engine.executors.kept import Kept
from findspot.engine.executors.pooled import Outcome
from findspot.engine.resources.budgets import UNLIMITED, Claim, Need, Supply, supply_of
from findspot.engine.workers import Place, perform_batch

_LOST = Death("killed, out of memory, beyond Dask's limit of it, or a crash in native code")

CONNECT = 10
"""Seconds to wait for a scheduler to answer."""


class ClientPool:
    """The cluster of a ``distributed.Client``, which stays open.

    The cluster decides how often it tries a batch again whose worker died (its setting
    ``distributed.scheduler.allowed-failures``) before it says so. When a job is given up, its
    waiting batches are taken back, and its steps are interrupted at their next Python instruction.

    Args:
        workers: batches at once; 0: as many as the cluster has threads now.
        released: called when the job is over.
    """

    def __init__(
        self, client: Any, workers: int, released: Callable[[], None] = lambda: None
    ) -> None:
        self.workers = workers or max(1, sum(client.nthreads().values()))
        self._client = client
        self._released = released
        self._job = uuid.uuid4().hex
        self._futures: dict[str, Any] = {}
        self._lock = threading.Lock()

    def place(self, here: Place) -> Place:
        return here

    def supply(self) -> Supply:
        machines: defaultdict[str, list[Need]] = defaultdict(list)
        for worker in self._workers():
            machines[worker["host"]].append(
                Need(worker["nthreads"], worker["memory_limit"] or UNLIMITED, _gpus(worker))
            )
        return supply_of(machines)

    def submit(
        self, number: int, payload: bytes, claim: Claim | None, done: Callable[[Outcome], None]
    ) -> None:
        key = self._key(number)
        wanted = None if claim is None else self._declared(claim.need)
        future = self._client.submit(_perform, key, payload, key=key, pure=False, resources=wanted)
        with self._lock:
            self._futures[key] = future

        def ended(future: Any) -> None:
            outcome = _outcome(future)
            with self._lock:
                self._futures.pop(key, None)
            done(outcome)

        future.add_done_callback(ended)

    def _workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = list(
            self._client.scheduler_info(n_workers=-1)["workers"].values()
        )
        return found

    def _declared(self, need: Need) -> dict[str, float] | None:
        """What a step needs of the resources that workers declare; others Dask would wait for in
        vain.

        Raises:
            ExecutorUnavailable: no single worker declares enough of all of them.
        """
        offers = [worker.get("resources") or {} for worker in self._workers()]
        asked = {"CPU": need.cpus, "MEMORY": need.memory, "GPU": need.gpus}
        wanted = {n: v for n, v in asked.items() if v and any(n in offer for offer in offers)}
        if not wanted:
            return None
        if not any(all(offer.get(n, 0) >= v for n, v in wanted.items()) for offer in offers):
            text = ", ".join(f"{name}={value:g}" for name, value in wanted.items())
            raise ExecutorUnavailable(
                f"dask:{self._client.scheduler.address}",
                f"no worker declares the resources {text}.",
                "Start a worker with --resources, or ask for less in @task.",
            )
        return wanted

    def abort(self, number: int) -> None:
        """Nothing: other threads of the worker may belong to somebody else."""

    def exit_worker(self, number: int) -> None:
        """End the worker that runs a batch."""
        self._client.run(_exit, self._key(number), wait=False, on_error="ignore")

    def _key(self, number: int) -> str:
        return f"findspot-{self._job}-{number}"

    def died(self, error: BaseException) -> Death | None:
        from distributed.scheduler import KilledWorker

        return _LOST if isinstance(error, KilledWorker) else None

    def mend(self) -> None:
        """The cluster replaces its workers."""

    def stop(self) -> None:
        with self._lock:
            futures, self._futures = dict(self._futures), {}
        self._client.cancel(list(futures.values()), force=True)
        self._client.run(_interrupt, list(futures), wait=False, on_error="ignore")

    def release(self) -> None:
        self._released()


class LocalDaskPool:
    """A Dask cluster on this machine, started with the first step and kept for a minute.

    Another number of workers starts another one; changed environment variables and import paths
    travel with the steps.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._cluster: _Cluster | None = None
        self._pool: ClientPool | None = None

    def place(self, here: Place) -> Place:
        cluster = _CLUSTERS.kept
        here = replace(here, words=words_folder())
        return here if cluster is None else here.with_changes(cluster.environ)

    def supply(self) -> Supply:
        return Supply.here()

    def submit(
        self, number: int, payload: bytes, claim: Claim | None, done: Callable[[Outcome], None]
    ) -> None:
        if self._pool is None:
            kept = _CLUSTERS.kept
            if kept is not None and kept.process.poll() is not None:
                _CLUSTERS.drop(kept)
            self._cluster = _CLUSTERS.take(
                (self.workers, changed_code()), lambda: _start(self.workers)
            )
            self._pool = ClientPool(self._cluster.client, self.workers)
        # Its workers declare nothing: what is on this machine has been given out already.
        self._pool.submit(number, payload, None, done)

    def abort(self, number: int) -> None:
        if self._pool is not None:
            self._pool.exit_worker(number)

    def died(self, error: BaseException) -> Death | None:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        # Cancelled: another job of this process gave up and stopped the cluster.
        return _LOST if isinstance(error, KilledWorker | FutureCancelledError) else None

    def mend(self) -> None:
        if self._cluster is not None and self._cluster.process.poll() is not None:
            self.stop()

    def stop(self) -> None:
        if self._cluster is not None:
            _CLUSTERS.drop(self._cluster)
            self._cluster = self._pool = None

    def release(self) -> None:
        if self._cluster is not None:
            _CLUSTERS.give_back(self._cluster)
            self._cluster = self._pool = None


def connected_pool(name: str, address: str, workers: int) -> ClientPool:
    """A running cluster, by its scheduler's address. The connection is kept for a minute.

    Raises:
        ExecutorUnavailable: nobody answers there.
    """
    client = _CONNECTIONS.take(address, lambda: _connect(name, address))
    return ClientPool(client, workers, lambda: _CONNECTIONS.give_back(client))


def _gpus(worker: Mapping[str, Any]) -> float:
    """A worker's graphics cards: those it declares, else the one that Dask has seen there."""
    declared = worker.get("resources") or {}
    return float(declared.get("GPU", 1 if worker.get("gpu") else 0))


def _connect(name: str, address: str) -> Any:
    distributed: Any = import_module("distributed")
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorUnavailable(
            name,
            f"no Dask scheduler answers at {address} ({error}).",
            "Start one (dask scheduler), or say `dask:` for a cluster on this machine.",
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    process: subprocess.Popen[str]
    client: Any
    environ: Mapping[str, str]


def _start(workers: int) -> _Cluster:
    distributed: Any = import_module("distributed")
    environ = dict(os.environ)
    process = subprocess.Popen(
        [sys.executable, "-m", "findspot.engine.executors.dask_cluster", str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise ExecutorUnavailable(
                "dask:",
                "the local cluster did not start.",
                "Its error is in the terminal's output.",
            )
        client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except BaseException:
        _kill(process)
        raise
    return _Cluster(process, client, environ)


def _disconnect(client: Any) -> None:
    with contextlib.suppress(TimeoutError):  # a busy machine: its threads are daemons
        client.close(timeout=10)


def _close(cluster: _Cluster) -> None:
    # First the client: it would look for its scheduler, loudly.
    _disconnect(cluster.client)
    _kill(cluster.process)


def _kill(process: subprocess.Popen[str]) -> None:
    """Whatever its workers do just now: the workspace is made for kills."""
    with process:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


_CLUSTERS: Kept[_Cluster] = Kept(_close)
_CONNECTIONS: Kept[Any] = Kept(_disconnect)


def _outcome(future: Any) -> Outcome:
    try:
        result: bytes = future.result()
    except BaseException as error:
        return error
    return result


# ---------------------------------------------------------------------- in the worker

_RUNNING: dict[str, int] = {}
"""The threads of this worker that run batches, by their keys."""


def _perform(key: str, payload: bytes) -> bytes:
    _RUNNING[key] = threading.get_ident()
    try:
        return perform_batch(payload)
    finally:
        del _RUNNING[key]


async def _interrupt(keys: list[str]) -> None:
    for key in keys:
        thread = _RUNNING.get(key)
        if thread is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
            )


async def _exit(key: str) -> None:
    if key in _RUNNING:
        os._exit(1)
