"""A Dask cluster in a process of its own: ``python -m findspot.engine.executors.dask_cluster N``.

It prints the scheduler's address and lives until its standard input ends, so that no cluster
outlives the process that started it, however that one ended. Being apart from that process, its
scheduler does not compete for the interpreter, Ctrl-C in a terminal does not reach its workers, and
scripts need no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import Any


def main(workers: int) -> None:
    """Serve until standard input ends."""
    import dask

    # Nobody reads the pipe to the parent after the address: steps that print would fill it, and
    # wait for ever. What they print goes where errors go.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    distributed: Any = import_module("distributed")

    dask.config.set(
        {
            # A step that kills its worker is the executor's business: it tries once more, alone.
            "distributed.scheduler.allowed-failures": 0,
            # Steps may start processes.
            "distributed.worker.daemon": False,
            "distributed.admin.log-format": "%(message)s",
        }
    )
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        # Without an address its pages are served all the same: to everybody, on one fixed port.
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
        silence_logs=logging.CRITICAL,
    )
    answer.write(f"{cluster.scheduler_address}\n")
    answer.close()
    sys.stdin.read()
    cluster.close(timeout=5)


if __name__ == "__main__":
    main(int(sys.argv[1]))
