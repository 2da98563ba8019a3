"""What can go wrong with experiments."""

from __future__ import annotations

from collections.abc import Iterable

from findspot.core.errors import FindspotError, NotFound
from findspot.graph.suggestions import suggestion


class ArtifactNotWritten(FindspotError):
    """A step ended without having written an artifact that it declares.

    Args:
        step, name: of the artifact.
    """

    def __init__(self, step: str, name: str) -> None:
        self.step, self.name = step, name
        super().__init__(
            f"The artifact {name!r} was declared, but never written.",
            where=f"step {step}",
            how="Call write() of it, put a file or folder at its path(), or take it out of the "
            "step's parameters.",
        )


class ArtifactWrittenTwice(FindspotError):
    """A step wrote an artifact a second time."""

    def __init__(self, step: str, name: str) -> None:
        self.step, self.name = step, name
        super().__init__(
            f"The artifact {name!r} is written already.",
            where=f"step {step}",
            how="Write it once, with all of its bytes; or open its path() and write as you like.",
        )


class NotBytes(FindspotError):
    """What was given to `Artifact.write` is neither bytes nor text.

    Args:
        step, name: of the artifact. value: what was given.
    """

    def __init__(self, step: str, name: str, value: object) -> None:
        self.step, self.name = step, name
        kind = type(value).__name__
        super().__init__(
            f"The artifact {name!r} cannot be a value of type {kind}: write() takes bytes or text.",
            where=f"step {step}",
            how="Have its library write a file to path() of the artifact; or return the value, and "
            f"keep it with outputs=[{step!r}]: its handler saves it.",
        )


class NoCell(FindspotError):
    """An artifact of an experiment was written where no step of one runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The artifact {name!r} has no place here: no step of an experiment is running, or "
            "none that declares it.",
            how="Declare it as the default of a parameter of the step "
            "(`def fit(data, ctx, out: Artifact = model)`), and write to that parameter.",
        )


class NoRun(FindspotError):
    """An experiment whose artifacts or results are asked for has not been run here."""

    exit_code = 3

    def __init__(
        self,
        experiment: str,
        workspace: str,
        number: int | None = None,
        known: tuple[int, ...] = (),
    ) -> None:
        self.experiment, self.number, self.known = experiment, number, known
        if known:
            listed = ", ".join(map(str, known[:10])) + (" ..." if len(known) > 10 else "")
            super().__init__(
                f"The experiment {experiment!r} has no run {number}.",
                where=workspace,
                how=f"There are: {listed}.",
            )
            return
        super().__init__(
            f"The experiment {experiment!r} has no run in this workspace.",
            where=workspace,
            how="Run it first: call run() of the experiment (findspot experiment run), or put both "
            "into an ExperimentGraph, which runs them in order.",
        )


class BadRunName(FindspotError):
    """What is given is neither an experiment's name nor ``name@2`` for a run of it."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        self.text = text
        name = text.partition("@")[0]
        super().__init__(f"{text!r} names no run.", how=f"Write the number of the run: {name}@2.")


class NoExperiment(NotFound):
    """No run of this name is on record.

    Args:
        known: names of experiments that are. grouped: jobs of other kinds carry the name.
    """

    def __init__(self, name: str, known: Iterable[str], *, grouped: bool) -> None:
        self.grouped = grouped
        how = suggestion(name, known) or "List those that are: findspot experiments"
        if grouped:
            how = f"Jobs of pipelines and scripts carry this name: findspot jobs -e {name}"
        super().__init__("run of an experiment", name, how=how)


class BeingRun(FindspotError):
    """Somebody else runs the same experiment right now.

    Args:
        job: the one that does; None: it is not on record yet.
    """

    exit_code = 4

    def __init__(self, experiment: str, job: str | None) -> None:
        self.experiment, self.job = experiment, job
        super().__init__(
            "The experiment is being run by "
            + ("somebody else, just now." if job is None else f"job {job}."),
            where=f"experiment {experiment}",
            how="Wait until it has ended"
            + ("." if job is None else f", or stop it: findspot job cancel {job}"),
        )


class NoMetric(FindspotError):
    """No cell of a run logged the metric that is asked for."""

    exit_code = 3

    def __init__(self, metric: str, known: tuple[str, ...]) -> None:
        self.metric, self.known = metric, known
        super().__init__(
            f"No step logged a metric {metric!r}.",
            how=f"There are: {', '.join(known) or 'none at all'}.",
        )


class ViewNotWritten(FindspotError):
    """The readable view of a run cannot be written; the run itself is whole, and recorded.

    Args:
        experiment, run: whose view. error: what the system said.
    """

    exit_code = 6

    def __init__(self, experiment: str, run: int, error: OSError) -> None:
        self.experiment, self.run, self.error = experiment, run, error
        super().__init__(
            f"The readable view of run {run} cannot be written: {error}",
            where=f"experiment {experiment}",
            how="Nothing is lost: the result and all artifacts are in the workspace. Mend the "
            "folder, or give another root, and run it with strategy='resume', which only writes "
            "the view.",
        )
