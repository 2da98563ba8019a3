"""`JobContext`: what code inside a job can say and ask; `current_job()` gives it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.active import ACTIVE
from findspot.artifacts.version import ArtifactVersion
from findspot.core.canonical import is_plain
from findspot.core.digests import Digest
from findspot.core.errors import CheckFailed, FindspotError, NotFound, Problem
from findspot.core.names import check_name
from findspot.core.records import (
    JobInput,
    JobUpdate,
    LogLine,
    MetricPoint,
    Producer,
    SourceRead,
    VersionRecord,
    now,
)
from findspot.engine.errors import JobEnded, NoJob
from findspot.engine.targets.absent import ABSENT

if TYPE_CHECKING:
    from findspot.artifacts.kinds.signature import ModelSignature
    from findspot.artifacts.space import ArtifactSpace
    from findspot.core.references import Reference
    from findspot.data.item import DataItem
    from findspot.engine.recorder import Recorder

CURRENT: ContextVar[JobContext | None] = ContextVar("findspot_job", default=None)


class JobContext:
    """A running job, or one step of it, as the code in it sees it.

    Args:
        space: the workspace.
        recorder: where metrics and notes go.
        job: the job's id.
        step: the step's name; None in a job without steps.
        params: the values chosen for the parameters.
        seed: of the step where it has one, else of the job.
        inputs: URLs or references by the names under which `get_input` gives them.
        artifact_path: where copies of what is logged are published; a path or URL with variables
            such as ``{{project}}``. None: where the project, the session or the workspace says.
    """

    def __init__(
        self,
        space: ArtifactSpace,
        recorder: Recorder,
        *,
        job: str,
        step: str | None,
        project: str,
        experiment: str | None,
        params: Mapping[str, Any],
        seed: int | None,
        inputs: Mapping[str, Any] | None = None,
        artifact_path: str | Path | None = None,
        path_variables: Mapping[str, str] | None = None,
    ) -> None:
        self.id = job
        self.step = step
        self.project = project
        self.experiment = experiment
        self.params: Mapping[str, Any] = params
        self.seed = seed
        self.space = space
        self._recorder = recorder
        self._ended = False
        self._labels: dict[str, str] = {}
        self._logged_params: dict[str, Any] = {}
        self._resolved: dict[str, Digest] = {}
        self.afterwards = ExitStack()
        """Closed when what was made is saved, or is not to be."""
        self._read: set[str] = set()
        self._inputs = dict(inputs or {})
        self.path_variables: Mapping[str, str] = path_variables or {}
        """Further variables of artifact paths: an experiment's ``condition`` and ``replicate``."""
        self._artifact_path = None if artifact_path is None else os.fspath(artifact_path)
        self._results: dict[str, Any] = {}
        self._outputs: dict[str, ArtifactVersion] = {}

    # What the code may ask.

    @property
    def results(self) -> dict[str, Any]:
        """The last value of each metric and result that was logged through this context."""
        return dict(self._results)

    @property
    def outputs(self) -> dict[str, ArtifactVersion]:
        """The artifacts that were logged through this context, by key."""
        return dict(self._outputs)

    @property
    def logged(self) -> dict[str, Any]:
        """What a later job that reuses this step takes over besides metrics: ``outputs`` (the uids
        of the artifacts by key), ``labels`` and ``params``, as far as any were logged; and
        ``resolved``, what the references of its code led to, which must still be so."""
        found = {
            "outputs": {key: version.uid for key, version in self._outputs.items()},
            "labels": dict(self._labels),
            "params": dict(self._logged_params),
            "resolved": dict(self._resolved),
        }
        return {name: said for name, said in found.items() if said}

    @property
    def parent(self) -> str | None:
        """The id of the job that this one was started from; None where there is none."""
        record = self.space.catalog.job(self.id)
        return None if record is None else record.parent

    @property
    def published(self) -> bool:
        """Whether an artifact path is set, so that copies of what is logged are published."""
        return self._path_in_force() is not None

    @property
    def artifact_path(self) -> str:
        """A readable place for files of this job: a path or URL, its variables filled in.

        It is the nearest that is set, of the job, the project, the session and the workspace; else
        a folder for this job in the workspace. ``{{name}}`` and ``{{version}}`` stay, as they
        differ with each artifact.
        """
        from findspot.artifacts.path_templates import expand
        from findspot.engine.logged.publishing import DEFAULT, path_values

        chosen = self._path_in_force()
        values = {name: f"{{{{{name}}}}}" for name in ("name", "version")} | path_values(self)
        if chosen is None:
            return os.path.join(self.space.folder, expand(DEFAULT, values))
        return expand(chosen, values)

    def _path_in_force(self) -> str | None:
        if self._artifact_path is not None:
            return self._artifact_path
        from findspot.engine.logged.publishing import inherited_path

        return inherited_path(self.space, self.project)

    def artifact_subpath(self, *parts: str) -> str:
        """A place below `artifact_path`, to be given as ``artifact_path=`` of a log call.

        Raises:
            BadArtifactPath: a part leads out of it.
        """
        from findspot.artifacts.path_templates import join

        return join(self.artifact_path, *parts)

    def get_dataitem(self, url: str | os.PathLike[str], *, key: str | None = None) -> DataItem:
        """The bytes behind a URL or a path; what is read of them is noted in the lineage.

        Args:
            key: what the input is called in the lineage; None: by its own name.
        """
        from findspot.data.item import get_dataitem

        return get_dataitem(url, key=key, space=self.space, project=self.project)

    def get_input(self, name: str, url: str | os.PathLike[str] | None = None) -> DataItem:
        """An input of the job as a data item.

        Args:
            url: where it is, if the job was given no input of this name.

        Raises:
            NotFound: the job has no such input, and no URL was given.
        """
        given = self._inputs.get(name, url)
        if given is None:
            raise NotFound(
                "input",
                name,
                near=list(self._inputs)[:5],
                how="Start the job with inputs={...}, or give the input's URL.",
            )
        return self.get_dataitem(given, key=name)

    # Numbers, parameters, labels, lines.

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Record a number; ``step`` counts training steps or epochs. Recorded within 50 ms."""
        self.log_metrics({name: value}, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record several numbers at once. NaN and infinities are kept as they are.

        Raises:
            CheckFailed: lists every name that is no name and every value that is no number.
        """
        numbers, at = checked_metrics(metrics, step)
        self.record_metrics(numbers, at, self.step)
        self._results.update(numbers)

    def record_metrics(
        self, numbers: Mapping[str, float], at: int | None, step: str | None
    ) -> None:
        """Record what is checked already, as of ``step``, which may be a part of this one."""
        self.log_allowed()
        time = now()
        for name, number in numbers.items():
            self._recorder.metric(MetricPoint(self.id, step, name, number, at, time))

    def log_result(self, name: str, value: Any) -> None:
        """Record a result: a number as a metric, any other value as an artifact of kind value."""
        self.log_results({name: value})

    def log_results(self, results: Mapping[str, Any]) -> None:
        """Record several results; see `log_result`."""
        from findspot.artifacts.kinds.checks import scalar

        plain = {name: scalar(value) for name, value in _named("The results", results).items()}
        numbers = {name: value for name, value in plain.items() if isinstance(value, int | float)}
        problems = list(_wrong_names(plain, "result"))
        if problems:
            raise CheckFailed("The results", problems)
        self.log_metrics(numbers)
        for name, value in plain.items():
            if name not in numbers:
                self.log_value(name, value)
            self._results[name] = value

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add to the job's parameters; plain JSON values only.

        Raises:
            CheckFailed: lists every name that is no text, and every value that is none of these.
        """
        from findspot.artifacts.kinds.checks import scalar

        self.log_allowed()
        params = {name: scalar(value) for name, value in _named("The parameters", params).items()}
        problems = wrong_params(params)
        if problems:
            raise CheckFailed("The parameters", problems)
        self._logged_params.update(params)
        self.params = {**self.params, **params}
        self._recorder.update(JobUpdate(id=self.id, expected=("running",), params=dict(params)))

    def set_label(self, name: str, value: object) -> None:
        """Set a label of the job."""
        self.log_allowed()
        said = {check_name(name, "label"): str(value)}
        self._labels.update(said)
        self._recorder.update(JobUpdate(id=self.id, expected=("running",), labels=said))

    def log(self, text: str, level: str = "INFO") -> None:
        """Write a line into the job's log."""
        self.log_allowed()
        self._recorder.line(LogLine(self.id, self.step, now(), level, "findspot", text))

    # Artifacts. Each call also takes the options of `LogOptions`: labels, tag, tags, extra_data,
    # metadata, artifact_path, version, handler ...

    def log_artifact(
        self,
        key: str,
        value: Any = ABSENT,
        *,
        body: bytes | str | None = None,
        local_path: str | Path | None = None,
        kind: str | None = None,
        **options: Any,
    ) -> ArtifactVersion:
        """Save an artifact as an output of this job. It is recorded when the call returns.

        Args:
            value: any value that a handler takes.
            body: the content of a file, instead; called as ``local_path`` or else as the key.
            local_path: a file or folder to save, instead.
            kind: None: what the handler says.
            options: see `findspot.engine.logged.artifacts.LogOptions`.

        Raises:
            BadSource: none or several of value, body and local_path are given, or there is no file.
            CheckFailed, InvalidName: a name or an option is wrong. NoHandler, HandlerFailed.
        """
        from findspot.engine.logged.artifacts import log_artifact

        return log_artifact(
            self, key, value, body=body, local_path=local_path, kind=kind, **options
        )

    def log_value(self, key: str, value: Any, **options: Any) -> ArtifactVersion:
        """Save any value as an artifact of kind value."""
        return self.log_artifact(key, value, kind="value", **options)

    def log_table(
        self, key: str, table: Any, *, columns: Sequence[str] | None = None, **options: Any
    ) -> ArtifactVersion:
        """Save a table.

        Args:
            table: a data frame, a list of mappings, a mapping of columns, or a list of rows.
            columns: the names of the columns of a list of rows.
        """
        from findspot.engine.logged.artifacts import log_table

        return log_table(self, key, table, columns=columns, **options)

    def log_plot(
        self, key: str, figure: Any, *, title: str | None = None, **options: Any
    ) -> ArtifactVersion:
        """Save a plot, so that it can be shown again.

        Args:
            figure: a matplotlib figure (or axes, or a scikit-learn display), saved as PNG and SVG;
                a Plotly figure; a Vega-Lite specification or an Altair chart; HTML; the path of a
                picture.

        Raises:
            NotAPlot: it is none of these.
        """
        from findspot.engine.logged.plots import log_plot

        return log_plot(self, key, figure, title=title, **options)

    def log_dataset(
        self,
        key: str,
        df: Any,
        *,
        stats: bool = True,
        preview: int | None = None,
        label_column: str | None = None,
        format: str | None = None,
        descriptions: Mapping[str, str] | None = None,
        **options: Any,
    ) -> ArtifactVersion:
        """Save a dataset with its schema, statistics of its columns, and some rows to look at.

        Args:
            df: a pandas, Polars or Arrow table, or a NumPy array.
            stats: compute statistics and histograms.
            preview: how many sample rows the record holds (0 to 1000); None: 20.
            label_column: the column that models are to predict.
            format: ``csv``, ``json`` or ``jsonl`` keep it as a file of that format, and then it is
                loaded as that file's path; None, ``parquet``: by the handler of its type.
            descriptions: what columns mean, by name.

        Raises:
            CheckFailed: lists columns that do not exist and options that cannot be.
        """
        from findspot.engine.logged.datasets import log_dataset

        return log_dataset(
            self,
            key,
            df,
            stats=stats,
            preview=preview,
            label_column=label_column,
            format=format,
            descriptions=descriptions,
            **options,
        )

    def log_model(
        self,
        key: str,
        value: Any = ABSENT,
        *,
        body: bytes | str | None = None,
        model_file: str | Path | None = None,
        model_dir: str | Path | None = None,
        framework: str | None = None,
        algorithm: str | None = None,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, Any] | None = None,
        inputs: Any = None,
        outputs: Any = None,
        signature: ModelSignature | None = None,
        training_set: Any = None,
        label_column: str | None = None,
        **options: Any,
    ) -> ArtifactVersion:
        """Save a model, and what is to be known of it.

        Args:
            value: the model itself.
            body: or the content of its file; ``model_file`` is the file's name then.
            model_file: or the path of its file; with ``model_dir``, its path in that folder.
            model_dir: or a folder that holds the model.
            framework, algorithm: None: by the class of ``value``.
            metrics: finite numbers. parameters: plain JSON values.
            inputs, outputs: samples to infer the columns from, or columns.
            signature: both of them, as `infer_signature` gives it.
            training_set: the dataset that it was trained on: an artifact or its URI, which becomes
                an input of the job, or a data frame.
            label_column: the column of it that the model predicts.

        Raises:
            BadSource: not exactly one source is given, or its file does not exist.
            CheckFailed: lists every metric, parameter and column that is wrong.
        """
        from findspot.engine.logged.models import log_model

        return log_model(
            self,
            key,
            value,
            body=body,
            model_file=model_file,
            model_dir=model_dir,
            framework=framework,
            algorithm=algorithm,
            metrics=metrics,
            parameters=parameters,
            inputs=inputs,
            outputs=outputs,
            signature=signature,
            training_set=training_set,
            label_column=label_column,
            **options,
        )

    def end(self) -> None:
        """The job has ended: what is logged from now on would be lost, and is refused."""
        self._ended = True

    def log_allowed(self) -> None:
        """Raises `JobEnded` where the job has ended."""
        if self._ended:
            raise JobEnded(self.id)

    def note_output(self, name: str, version: ArtifactVersion) -> None:
        """Take note of an artifact that was logged; `outputs` shows it."""
        self._outputs[name] = version

    def flush(self) -> None:
        """Record everything that was logged so far."""
        self._recorder.flush()

    @contextmanager
    def active(self) -> Iterator[JobContext]:
        """Make it the current job of the code in the ``with`` block."""
        current, active = CURRENT.set(self), ACTIVE.set(self)
        try:
            with self.afterwards:
                yield self
        finally:
            ACTIVE.reset(active)
            CURRENT.reset(current)

    # What the artifacts layer asks (`findspot.artifacts.active.Active`).

    def producer(self) -> Producer:
        return Producer(self.id, self.step, None)

    def resolved(self, reference: Reference, record: VersionRecord) -> None:
        """Note what the step depends on besides its arguments: it is reused only if that is so
        again."""
        self._resolved.setdefault(str(reference), record.digest)

    def read(self, record: VersionRecord) -> None:
        """Note that the code loaded a version by itself: it becomes an input in the lineage."""
        if record.uid not in self._read:
            self._read.add(record.uid)
            self._recorder.read(JobInput(self.id, self.step, record.key, record.uid))

    def read_source(
        self,
        url: str,
        *,
        name: str,
        size: int | None,
        etag: str | None,
        digest: str | None,
        modified: datetime | None,
    ) -> None:
        """Note that the code read bytes from outside the workspace; they are in the lineage."""
        self._recorder.source(
            SourceRead(self.id, self.step, name, url, size, etag, digest, modified, now())
        )

    def __repr__(self) -> str:
        return f"<JobContext {self.id}{f' step {self.step}' if self.step else ''}>"


def _named(subject: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        found = type(values).__name__
        raise CheckFailed(subject, [Problem("$", "they are no mapping of names", found=found)])
    return values


def checked_metrics(metrics: Mapping[str, float], step: Any) -> tuple[dict[str, float], int | None]:
    """Metrics as numbers by their names, and the training step as Python's integer.

    Raises:
        CheckFailed: lists every name that is no name and every value that is no number.
    """
    numbers: dict[str, float] = {}
    problems: list[Problem] = []
    for name, value in _named("The metrics", metrics).items():
        try:
            numbers[check_name(name, "metric")] = number_of(value)
        except FindspotError as error:
            problems.append(Problem(str(name), error.what))
        except (TypeError, ValueError):
            kind = type(value).__name__
            problems.append(Problem(str(name), "a metric is a number", found=kind))
    if step is not None and not isinstance(step, bool) and hasattr(step, "__index__"):
        step = step.__index__()  # a NumPy integer
    if step is not None and type(step) is not int:
        problems.append(Problem("step", "it is no whole number", found=type(step).__name__))
    if problems:
        raise CheckFailed("The metrics", problems)
    return numbers, step


def number_of(value: Any) -> float:
    """A metric's value as a float; raises TypeError or ValueError where it is no number."""
    if isinstance(value, str | bytes):  # which float() would read
        raise TypeError
    return float(value)


def _wrong_names(values: Mapping[str, Any], role: str) -> Iterator[Problem]:
    for name in values:
        try:
            check_name(name, role)
        except FindspotError as error:
            yield Problem(str(name), error.what)


def wrong_params(params: Any) -> list[Problem]:
    """What is wrong with the parameters of a job."""
    if not isinstance(params, Mapping):
        return [Problem("$", "they are no mapping of names", found=type(params).__name__)]
    return [
        Problem(str(name), "a parameter is a plain JSON value", found=type(value).__name__)
        if isinstance(name, str)
        else Problem(str(name), "the name of a parameter is text", found=type(name).__name__)
        for name, value in params.items()
        if not (isinstance(name, str) and is_plain(value))
    ]


def current_job() -> JobContext:
    """The job (and step) that this code runs in.

    Raises:
        NoJob: none runs here.
    """
    context = CURRENT.get()
    if context is None:
        raise NoJob
    return context
