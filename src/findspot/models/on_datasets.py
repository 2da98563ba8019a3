"""`evaluate_on`: a model is tested on a dataset by a job of its own, and updated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.current import current_space
from findspot.artifacts.kinds.models import Model
from findspot.artifacts.kinds.tables import Dataset
from findspot.artifacts.kinds.updates import described
from findspot.artifacts.version import ArtifactVersion
from findspot.core.errors import CheckFailed, InvalidReference, NotFound
from findspot.data.urls import without_secrets
from findspot.engine.jobs import Job, get_job
from findspot.engine.targets.scripts import start_job
from findspot.models.errors import NotEvaluable, WrongKind
from findspot.models.evaluation import Evaluation, evaluate_model
from findspot.models.handles import get_model
from findspot.models.updates import update_model

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace


@dataclass(frozen=True)
class EvaluatedModel:
    """What `evaluate_on` found.

    Args:
        version: the model, with what was added to it.
        job: the job that tested it.
        evaluation: metrics, and plots and tables by name.
    """

    version: ArtifactVersion
    job: Job
    evaluation: Evaluation


def evaluate_on(
    model: ArtifactLike,
    dataset: ArtifactLike | os.PathLike[str],
    *,
    target: str | None = None,
    prefix: str = "validation-",
    importance: bool = True,
    trust: bool = False,
    workspace: ArtifactSpace | None = None,
    project: str | None = None,
) -> EvaluatedModel:
    """Test a model on a table, in a job ``evaluate`` that has both as its inputs, and update the
    model with the metrics, plots and tables: `evaluate_model` and `update_model` in one.

    The columns that the model takes are those of its signature, else all but the target.

    Args:
        dataset: an artifact that is a table or the file of one, or a path or URL of such a file.
        target: the column with what is true; None: as the dataset says, else as the model says.
        prefix: before the names of metrics and extra data.
        importance, trust: see `evaluate_model`.

    Raises:
        NotFound, WrongKind: there is no such model or table; no job was made.
        NotEvaluable: the target is not known, a column is missing, or the model does not fit.
    """
    space = current_space() if workspace is None else workspace
    version = space.get_artifact(model, project=project)
    if version.kind != "model":
        raise WrongKind(version.uri, version.kind, "model")
    url, table = _table(space, dataset, project)
    fields = described(space, version)
    assert isinstance(fields, Model)
    if target is None and table is not None:
        about = described(space, table)
        target = about.target_column if isinstance(about, Dataset) else None
    target = fields.target_column if target is None else target
    if target is None:
        raise NotEvaluable(
            "Neither the dataset nor the model says which column is the target.",
            where=without_secrets(url),
            how="Name it: target= or --target.",
        )
    with start_job(
        space,
        "evaluate",
        params={"target": target, "prefix": prefix},
        project=version.project,
        inputs={"dataset": url},
    ) as job:
        frame = job.get_input("dataset").as_df()
        columns = _columns(fields, list(frame.columns), target, url)
        evaluation = evaluate_model(
            get_model(version, workspace=space),
            frame[columns],
            frame[target],
            prefix=prefix,
            name=f"{version.key}/evaluation",
            importance=importance,
            trust=trust,
        )
        updated = update_model(
            version,
            metrics=evaluation.metrics,
            extra_data={f"{prefix}{name}": found for name, found in evaluation.items()},
            workspace=space,
        )
    return EvaluatedModel(updated, get_job(space, job.id), evaluation)


def _table(
    space: ArtifactSpace, given: Any, project: str | None
) -> tuple[str, ArtifactVersion | None]:
    """What is to be read: its URL or path, and its version if it is an artifact's."""
    if isinstance(given, os.PathLike):
        path = Path(given).expanduser()
        if not path.exists():
            raise NotFound("file", str(path))
        return str(path), None
    if isinstance(given, str) and "://" in given and not given.startswith("store://"):
        return given, None
    try:
        found = space.get_artifact(given, project=project)
    except (InvalidReference, NotFound):
        if not isinstance(given, str) or not given or not Path(given).exists():
            raise
        return given, None
    if found.kind not in ("dataset", "table", "file", "value"):
        raise WrongKind(found.uri, found.kind, "dataset")
    return found.uri, found


def _columns(fields: Model, there: list[Any], target: str, url: str) -> list[Any]:
    """The columns that the model is given."""
    try:
        signature = fields.signature
    except CheckFailed:
        signature = None  # somebody else wrote the record; the model itself says what fits
    named = [column.name for column in signature.inputs] if signature is not None else []
    wanted = named if named and None not in named else [c for c in there if c != target]
    missing = [str(name) for name in [*wanted, target] if name not in there]
    if missing:
        raise NotEvaluable(
            f"The dataset has no column {', '.join(missing)}.",
            where=without_secrets(url),
            how=f"It has: {', '.join(map(str, there))[:500]}.",
        )
    return wanted
