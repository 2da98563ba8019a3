"""`update_model`, `update_dataset`: what is learned of them later, beside the version itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.artifacts.current import current_space
from findspot.artifacts.kinds.fields import KindFields
from findspot.artifacts.kinds.models import Model
from findspot.artifacts.kinds.signatures import columns_of
from findspot.artifacts.kinds.statistics import table_statistics
from findspot.artifacts.kinds.tables import Dataset
from findspot.artifacts.kinds.updates import add_update
from findspot.artifacts.options import check_label_changes
from findspot.artifacts.version import ArtifactVersion
from findspot.engine.context import CURRENT
from findspot.engine.logged.extra_data import link_all, resolve_extra
from findspot.models.errors import WrongKind
from findspot.models.handles import ModelHandle

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace


def update_model(
    model: ArtifactLike | ModelHandle,
    *,
    metrics: Mapping[str, float] | None = None,
    parameters: Mapping[str, Any] | None = None,
    labels: Mapping[str, Any] | None = None,
    extra_data: Mapping[str, Any] | None = None,
    inputs: Any = None,
    outputs: Any = None,
    key_prefix: str = "",
    workspace: ArtifactSpace | None = None,
    project: str | None = None,
) -> ArtifactVersion:
    """Add to what is known of a model. Its version and bytes stay as they are.

    Metrics, parameters and columns are kept as an update (see `findspot.artifacts.kinds.updates`),
    which the job that runs has made; extra data are linked; labels are set. `described` shows all
    of it. Everything is checked before anything is recorded.

    Args:
        key_prefix: put before the names of metrics and extra data, as ``validation-``.
        inputs, outputs: samples to infer the columns from, or columns.
        labels: a value of None takes a label off.

    Returns:
        the version as it is then.

    Raises:
        WrongKind: it is no model.
        CheckFailed: lists every metric, parameter, column, name and label that is wrong.
    """
    space = current_space() if workspace is None else workspace
    version = _version(space, model, "model", project)
    fields = Model(
        metrics=_prefixed(metrics, key_prefix),
        parameters=parameters,
        inputs=None if inputs is None else list(columns_of(inputs)),
        outputs=None if outputs is None else list(columns_of(outputs)),
    )
    return _update(space, version, fields, labels, _prefixed(extra_data, key_prefix))


def update_dataset(
    dataset: ArtifactLike,
    *,
    df: Any = None,
    label_column: str | None = None,
    descriptions: Mapping[str, str] | None = None,
    labels: Mapping[str, Any] | None = None,
    extra_data: Mapping[str, Any] | None = None,
    key_prefix: str = "",
    workspace: ArtifactSpace | None = None,
    project: str | None = None,
) -> ArtifactVersion:
    """Add to what is known of a dataset, as `update_model` does of a model.

    Args:
        df: compute the statistics of this table: the dataset's own, loaded.
        label_column: the column that models are to predict.
        descriptions: what columns mean, by name.
        key_prefix: put before the names of extra data.
    """
    space = current_space() if workspace is None else workspace
    version = _version(space, dataset, "dataset", project)
    schema = version.metadata.get("schema")
    fields = Dataset(
        schema=schema if isinstance(schema, Mapping) else None,
        target_column=label_column,
        descriptions=descriptions,
        statistics=None if df is None else table_statistics(df),
    )
    fields.to_metadata()
    changed = Dataset(
        target_column=label_column, descriptions=descriptions, statistics=fields.statistics
    )
    return _update(space, version, changed, labels, _prefixed(extra_data, key_prefix))


def _version(
    space: ArtifactSpace, given: ArtifactLike | ModelHandle, kind: str, project: str | None
) -> ArtifactVersion:
    if isinstance(given, ModelHandle):
        if given.version is None:
            raise WrongKind(str(given.file), "a bare file", "model artifact")
        given = given.version
    version = space.get_artifact(given, project=project)
    if version.kind != kind:
        raise WrongKind(version.uri, version.kind, kind)
    return version


def _update(
    space: ArtifactSpace,
    version: ArtifactVersion,
    fields: KindFields,
    labels: Mapping[str, Any] | None,
    extra_data: Mapping[str, Any] | None,
) -> ArtifactVersion:
    changes = fields.to_metadata()
    check_label_changes(labels or {})
    job = CURRENT.get()
    if job is not None and job.space is not space:
        job = None
    extras = resolve_extra(space, version.key, extra_data or {}, project=version.project, job=job)
    if job is not None:
        job.read(version.record)
    if changes:
        add_update(space, version, changes)
    link_all(space, version, extras.values())
    if labels:
        return space.set_labels(version, labels)
    return space.get_artifact(version.uid)


def _prefixed(values: Any, prefix: str) -> Any:
    if not prefix or not isinstance(values, Mapping):
        return values
    return {f"{prefix}{name}": value for name, value in values.items()}
