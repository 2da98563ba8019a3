"""The result of a run: gathered when it has ended, or from what is on record of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from findspot.experiments.design import Design
from findspot.experiments.errors import NoRun, ViewNotWritten
from findspot.experiments.history import RUN, Run, newest_run, runs
from findspot.experiments.registration import registration_of
from findspot.experiments.results import Result
from findspot.experiments.view import Item, folder_of_run, write_view

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.experiments.experiment import Experiment


def result_of(
    experiment: Experiment,
    design: Design,
    space: ArtifactSpace,
    run: Run,
    *,
    project: str,
    notes: list[str],
    ran: int,
    ahead: Mapping[str, Item] | None = None,
) -> Result:
    """The result of a run, with its readable view."""
    details = {
        "id": design.signature,
        "name": design.name,
        "description": experiment.description,
        "replicates": design.replicates,
        "conditions": design.conditions,
        "seed": design.seed,
        "code": design.codes,
    }
    try:
        folder = write_view(experiment, space, run, details, ahead)
    except OSError as error:
        raise ViewNotWritten(design.name, run.number, error) from error
    hypotheses = tuple(experiment.hypotheses)
    return Result(
        space,
        run,
        experiment=design.name,
        conditions=list(design.conditions),
        replicates=design.replicates,
        hypotheses=hypotheses,
        declared=design.metrics,
        registration=registration_of(space, project, run) if hypotheses else None,
        notes=notes,
        ran=ran,
        folder=folder,
    )


def recorded_result(
    experiment: Experiment, space: ArtifactSpace, project: str, number: int | None
) -> Result:
    """What is recorded of a run; its conditions and replicates are those of its newest job."""
    design = experiment.design()
    run = newest_run(space, project, design.name, number)
    if run is None:
        numbers = {job.params[RUN] for job in runs(space, project, design.name)}
        raise NoRun(design.name, space.url, number, tuple(sorted(numbers, reverse=True)))
    hypotheses = tuple(experiment.hypotheses)
    return Result(
        space,
        run,
        experiment=design.name,
        conditions=list(run.conditions),
        replicates=run.replicates,
        hypotheses=hypotheses,
        declared=run.jobs[0].params.get("metrics", ()),
        registration=registration_of(space, project, run) if hypotheses else None,
        folder=folder_of_run(experiment, space, run.number),
    )
