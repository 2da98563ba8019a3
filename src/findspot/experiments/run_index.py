"""A list of a run's cells in one document, beside the steps' records that it is made of.

Reading the records of thousands of steps takes seconds, reading this takes milliseconds. It is an
artifact, ``<experiment>/cells``, written when a run of many cells has ended, and counts only as
long as the run has exactly the jobs that it names, all of them ended; else the records are read.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from findspot.core.errors import FindspotError
from findspot.core.records import ENDED, Failure
from findspot.experiments.history import CellRecord, Run

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

KEY = "cells"
FEWEST = 1000
"""Cells of a run from which on the list is written: to read fewer records takes no longer."""
FORMAT = 2


def write_index(space: ArtifactSpace, project: str, experiment: str, run: Run) -> None:
    """Save the list of a run that has ended, if it is long enough to be worth it."""
    if len(run.cells) < FEWEST:
        return
    document = {
        "format": FORMAT,
        "run": run.number,
        "jobs": [job.id for job in run.jobs],
        "cells": [_row(cell) for cell in run.cells.values()],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    space.save_artifact(text, f"{experiment}/{KEY}", project=project, labels={"run": run.number})


def read_index(
    space: ArtifactSpace, project: str, experiment: str, run: Run
) -> dict[tuple[str, int], CellRecord] | None:
    """The cells of a run, from its list; None where there is no list of just these jobs."""
    if any(job.status not in ENDED for job in run.jobs):
        return None
    record = space.catalog.find_version(project, f"{experiment}/{KEY}")
    if record is None or record.labels.get("run") != str(run.number):
        return None
    try:
        text = space.load_version(record, space.catalog.files(record.uid))
        document = json.loads(text)
    # Its bytes are gone, or it is something of the user's: the steps' records still say it all.
    except (FindspotError, ValueError, TypeError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    if document.get("jobs") != [job.id for job in run.jobs]:
        return None
    cells = [_cell(row) for row in document["cells"]]
    return {(cell.condition, cell.replicate): cell for cell in cells}


def _row(cell: CellRecord) -> list[Any]:
    failure = cell.failure
    return [
        cell.condition,
        cell.replicate,
        cell.job,
        cell.step,
        cell.status,
        dict(cell.outputs),
        None if failure is None else [failure.type, failure.message, failure.traceback],
        cell.identity,
        cell.code,
        cell.seed,
        None if cell.started is None else cell.started.isoformat(),
        None if cell.ended is None else cell.ended.isoformat(),
        dict(cell.resolved),
    ]


def _cell(row: list[Any]) -> CellRecord:
    return CellRecord(
        condition=row[0],
        replicate=row[1],
        job=row[2],
        step=row[3],
        status=row[4],
        outputs=row[5],
        failure=None if row[6] is None else Failure(*row[6]),
        identity=row[7],
        code=row[8],
        seed=row[9],
        started=None if row[10] is None else datetime.fromisoformat(row[10]),
        ended=None if row[11] is None else datetime.fromisoformat(row[11]),
        resolved=row[12],
    )
