"""Steps on Ray: on this machine, or on a cluster that runs already."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from math import ceil
from typing import Any

from findspot.engine.capturing.descriptors import words_folder
from findspot.engine.code.project import changed_code
from findspot.engine.executors.deaths import Death
from findspot.engine.executors.errors import ExecutorUnavailable
from findspot.engine.executors.kept import Kept
from findspot.engine.executors.pooled import Outcome
from findspot.engine.resources.budgets import UNLIMITED, Claim, Need, Supply, supply_of
from findspot.engine.resources.cards import VISIBLE, cards_here
from findspot.engine.workers import Place, perform_batch

_OWN = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Off: Ray keeps to the loopback address, as it does elsewhere than on Linux. It is read when
    # Ray is imported, so a process that imported Ray before has chosen for itself.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Seconds until Ray has started: 30 are too few on a busy machine.
    "RAY_gcs_server_port_wait_time_s": "120",
}

OBJECTS = 100 * 2**20
"""Bytes of a local cluster's object store, which hardly anything goes through."""


class RayPool:
    """Ray tasks, each of which runs a batch on one CPU.

    Ray knows one cluster a process. Where the process is connected already, that connection is used
    and left open; otherwise ``ray:`` starts a cluster on this machine with the first step, on the
    loopback address, without dashboard and usage statistics, and keeps it for a minute.

    Args:
        name: the executor as it was asked for. address: of a running cluster; None: a local one.
        workers: batches at once; 0: one for each core here, or all CPUs of a running cluster.

    Raises:
        ExecutorUnavailable: nobody answers at the address, or this process is connected elsewhere.
    """

    def __init__(self, name: str, address: str | None, workers: int, cores: int) -> None:
        self._ray = ray = _library()
        self._name = name
        self._address = address
        self._session: _Session | None = None
        self._remote: Any = None
        self._refs: dict[int, Any] = {}
        self._lock = threading.Lock()
        kept = _SESSIONS.kept
        self._foreign = address is not None or (
            ray.is_initialized() and not (kept is not None and kept.own)
        )
        if address is not None:
            self._connect(0)
            workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.workers = workers or cores

    def place(self, here: Place) -> Place:
        if self._foreign:
            return here
        here = replace(here, words=words_folder())
        session = _SESSIONS.kept
        if session is None or not session.own:
            return here
        placed = here.with_changes(session.environ)
        # Which cards a step sees is for Ray to say.
        variables = {n: v for n, v in placed.variables.items() if n != VISIBLE}
        return replace(placed, variables=variables)

    def supply(self) -> Supply:
        if not self._foreign:
            # Ray gives out this machine's cards; it was told of them.
            return replace(Supply.here(), cards=None)
        machines = {
            node["NodeID"]: [
                Need(has.get("CPU", 0.0), int(has.get("memory", UNLIMITED)), has.get("GPU", 0.0))
            ]
            for node in self._ray.nodes()
            if node["Alive"] and (has := node["Resources"])
        }
        return supply_of(machines)

    def submit(
        self, number: int, payload: bytes, claim: Claim | None, done: Callable[[Outcome], None]
    ) -> None:
        if self._session is None:
            self._connect(self.workers)
        if self._remote is None:
            self._remote = self._ray.remote(num_cpus=1, max_retries=0)(perform_batch)
        remote = self._remote
        if claim is not None:
            remote = remote.options(**self._options(claim.need))
        ref = remote.remote(payload)
        with self._lock:
            self._refs[number] = ref

        def ended(future: Any) -> None:
            with self._lock:
                self._refs.pop(number, None)
            done(future.exception() or future.result())

        ref.future().add_done_callback(ended)

    def _options(self, need: Need) -> dict[str, Any]:
        """What Ray is to reserve. On a cluster of our own only cards: the rest of this machine is
        given out here, and the cluster's CPUs stand for its workers."""
        asked: dict[str, Any] = {"num_gpus": need.gpus} if need.gpus else {}
        if self._foreign:
            if need.cpus:
                asked["num_cpus"] = ceil(need.cpus) if need.cpus > 1 else need.cpus
            if need.memory:
                asked["memory"] = need.memory
        return asked

    def abort(self, number: int) -> None:
        with self._lock:
            ref = self._refs.get(number)
        if ref is not None:
            self._ray.cancel(ref, force=True)

    def died(self, error: BaseException) -> Death | None:
        gone = self._ray.exceptions
        if isinstance(error, gone.OutOfMemoryError):
            return Death("by Ray, before the machine had none left", memory=True)
        if isinstance(error, gone.NodeDiedError):
            return Death("its whole machine was lost", killed=False)
        if isinstance(error, gone.WorkerCrashedError | gone.TaskCancelledError):
            return Death("killed, out of memory, or a crash in native code")
        return None

    def mend(self) -> None:
        """Ray replaces its workers."""

    def stop(self) -> None:
        with self._lock:
            refs, self._refs = self._refs, {}
        for ref in refs.values():
            self._ray.cancel(ref, force=True)

    def release(self) -> None:
        if self._session is not None:
            _SESSIONS.give_back(self._session)
            self._session = self._remote = None

    def _connect(self, workers: int) -> None:
        kept = _SESSIONS.kept
        if kept is not None and not self._ray.is_initialized():
            _SESSIONS.drop(kept)  # the user called ray.shutdown()
        cards = cards_here() if self._address is None else ()
        key = (self._address, workers, cards, changed_code())
        self._session = _SESSIONS.take(key, lambda: _session(self._name, self._address, workers))


def _library() -> Any:
    with _variables(**_OWN):
        return import_module("ray")


@dataclass(frozen=True, slots=True, eq=False)
class _Session:
    """Args:
    own: started by us; otherwise the user's, which is never closed.
    """

    own: bool
    environ: Mapping[str, str]


def _session(name: str, address: str | None, workers: int) -> _Session:
    ray = _library()
    environ = dict(os.environ)
    if ray.is_initialized():
        here = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", here):
            raise ExecutorUnavailable(
                name,
                f"this process is connected to Ray at {here}.",
                "Say `ray:` to use that one, or call ray.shutdown() before.",
            )
        return _Session(False, environ)
    quiet = {"configure_logging": False, "log_to_driver": False}
    if address is None:
        with _variables(**_OWN):
            ray.init(
                address="local",
                num_cpus=workers,
                num_gpus=len(cards_here()),
                include_dashboard=False,
                object_store_memory=OBJECTS,
                **quiet,
            )
        return _Session(True, environ)
    try:
        _knock(address)
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise ExecutorUnavailable(
            name,
            f"no Ray cluster answers at {address} ({error}).",
            "Start one (ray start --head), or say `ray:` for one on this machine. For a cluster "
            "with tokens set RAY_AUTH_MODE=token here too, with the token in ~/.ray/auth_token.",
        ) from error
    return _Session(True, environ)


def _knock(address: str) -> None:
    """Raise `OSError` where nobody listens at ``host:port``: Ray itself tries for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _close(session: _Session) -> None:
    if session.own:
        _library().shutdown()


_SESSIONS: Kept[_Session] = Kept(_close)


@contextmanager
def _variables(**changed: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
