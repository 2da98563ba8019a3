"""Where steps run: here, on threads, in worker processes, on a Dask or a Ray cluster.

An executor gets a `StepCall` for each step and gives a `StepResult`; digests and small values
travel with them, everything else through the store. `choosing` finds one by its name; `pooled` is
all that executors with worker processes have in common, and `processes`, `dask` and `ray` are the
pools behind it.
"""

from findspot.engine.executors.choosing import (
    EXECUTORS,
    check_executor,
    cores,
    executor_name,
    make_executor,
    stays_here,
)
from findspot.engine.executors.errors import ExecutorLibraryMissing, ExecutorUnavailable
from findspot.engine.executors.inline import InlineExecutor
from findspot.engine.executors.protocol import Executor
from findspot.engine.executors.threads import ThreadExecutor

__all__ = [
    "EXECUTORS",
    "Executor",
    "ExecutorLibraryMissing",
    "ExecutorUnavailable",
    "InlineExecutor",
    "ThreadExecutor",
    "check_executor",
    "cores",
    "executor_name",
    "make_executor",
    "stays_here",
]
