"""What can go wrong with jobs and steps."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from findspot.core.errors import FindspotError, NotFound


class StepTimeout(FindspotError, TimeoutError):
    """A step took longer than its task allows.

    Args:
        step: the step's name.
        seconds: what was allowed.
    """

    def __init__(self, step: str, seconds: float) -> None:
        self.step, self.seconds = step, seconds
        super().__init__(
            f"The step took longer than {seconds:g} s and was stopped.",
            where=f"step {step}",
            how="Give its task a longer timeout, or make it faster.",
        )


class WrongOutputs(FindspotError):
    """A task returned fewer values than it has outputs, or something that is no tuple."""

    def __init__(self, step: str, expected: tuple[str, ...], found: str) -> None:
        self.step, self.expected, self.found = step, expected, found
        super().__init__(
            f"The task has the outputs {', '.join(expected)}, but returned {found}.",
            where=f"step {step}",
            how="Return one value for each output, as a tuple in their order.",
        )


class NoJob(FindspotError):
    """`current_job` was called where no job runs."""

    def __init__(self) -> None:
        super().__init__(
            "No job is running here.",
            how="Call it inside a task, or inside `with start_job(...):`.",
        )


class JobEnded(FindspotError):
    """Something was logged in a job that has ended already.

    Args:
        job: the job's id.
    """

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(
            "The job has ended: nothing more can be logged in it.",
            where=f"job {job}",
            how="Log inside `with start_job(...):`; save_artifact works without a job.",
        )


class JobFailed(FindspotError):
    """An output was asked of a job that did not make it.

    Args:
        job: the job's id. status: what became of it.
    """

    def __init__(self, job: str, status: str, reason: str) -> None:
        self.job, self.status = job, status
        super().__init__(
            f"The job is {status}: {reason}",
            where=f"job {job}",
            how=f"See `findspot job log {job}`; after mending the cause, resume it: "
            f"`findspot job resume {job}`.",
        )


class CannotResume(FindspotError):
    """A job cannot be continued."""

    exit_code = 4

    def __init__(self, job: str, reason: str) -> None:
        self.job = job
        super().__init__(f"The job cannot be resumed: {reason}", where=f"job {job}")


class BadTarget(FindspotError):
    """What a run or a check was asked to work on is no entrypoint and no pipeline."""

    exit_code = 2


class CannotCancel(FindspotError):
    """A job cannot be cancelled."""

    exit_code = 4

    def __init__(self, job: str, reason: str) -> None:
        self.job = job
        super().__init__(f"The job cannot be cancelled: {reason}", where=f"job {job}")


class UnknownExecutor(FindspotError):
    """There is no executor of that name; the message lists those there are."""

    exit_code = 2

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no executor {name!r}.",
            how="Choose inline, threads or processes; dask: or ray: for a cluster on this machine; "
            "dask:<address> or ray:<address> for one that runs already.",
        )


class CannotSend(FindspotError):
    """A task or a value cannot be sent to a worker process.

    Args:
        step: the step whose task it is.
    """

    def __init__(self, step: str, reason: str) -> None:
        self.step, self.reason = step, reason
        super().__init__(
            f"Its task cannot be sent to a worker process: {reason}",
            where=f"step {step}",
            how="Define the task at the top level of a module, without live objects (open files, "
            "locks, connections) in its closure; or use the inline executor.",
        )


class NoStep(NotFound):
    """A job has no step of a name; the error names those that are like it, or else all."""

    def __init__(self, step: str, known: Iterable[str]) -> None:
        names = list(known)
        near = get_close_matches(step, names, 3)
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        how = None if near else f"The job has the steps {shown}." if names else "The job has none."
        super().__init__("step", step, near=near, how=how)
