"""`run_function`: a plain function of a file or module, run as a job of its own."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.version import ArtifactVersion, uri_of
from findspot.core.canonical import is_plain
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_key
from findspot.core.references import parse_reference
from findspot.core.types import Builtin
from findspot.engine.jobs import Job, get_job
from findspot.engine.logged.artifacts import LogOptions, save_logged
from findspot.engine.targets.external import ExternalArtifact
from findspot.engine.targets.scripts import start_job
from findspot.graph.annotations import annotations_of, from_annotation
from findspot.graph.spec import DEFAULT_OUTPUT, Parameter, TaskGraph
from findspot.graph.suggestions import suggestion
from findspot.graph.task_specs import annotated_name, is_context, output_specs
from findspot.graph.tasks import Task
from findspot.graph.values import check_values

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.data.item import DataItem
    from findspot.engine.context import JobContext

LOGGED_AS = ("artifact", "dataset", "file", "model", "plot", "result", "table", "value")


@dataclass(frozen=True, slots=True)
class LogHint:
    """How one returned value is logged: its key, and as what (None: by its type).

    Args:
        output: what the job calls it, where that is not its key.
    """

    key: str
    kind: str | None = None
    output: str | None = None

    @classmethod
    def read(cls, text: str) -> LogHint:
        """A hint from its text, ``key`` or ``key: kind``.

        Raises:
            FindspotError: the kind does not exist, or the key is no key.

        >>> LogHint.read("scores: table")
        LogHint(key='scores', kind='table', output=None)
        """
        key, colon, kind = (part.strip() for part in text.partition(":"))
        if colon and kind not in LOGGED_AS:
            raise FindspotError(
                f"{kind!r} is nothing that a value is logged as.",
                where=f"log hint {text!r}",
                how=f"Choose one of {', '.join(LOGGED_AS)}.",
            )
        return cls(check_key(key), kind or None)


def run_function(
    space: ArtifactSpace,
    function: Callable[..., Any],
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    returns: Sequence[str] | str | None = None,
    artifact_path: str | Path | None = None,
    project: str | None = None,
    experiment: str | None = None,
    labels: Mapping[str, Any] | None = None,
    seed: int | None = None,
    job_id: str | None = None,
) -> Job:
    """Run a function as a job, to its end; what it returns becomes outputs of the job.

    A parameter annotated `JobContext` (or called ``context`` without an annotation) is given the
    job. An input arrives as its parameter is annotated: as a `DataItem` (also without an
    annotation), a path, text, bytes, a table, an array, or what a ``store://`` version loads as.

    Args:
        name: of the job; None: the function's.
        params: plain values by parameter.
        inputs: URLs, paths, references or versions by parameter.
        job_id: a uid for the job, that no other has; None: a new one.
        returns: a log hint for each returned value, ``"key"`` or ``"key: kind"``; None: by the
            return annotation. A value that none of them names is the output ``output``, and the
            artifact ``<name>/output``.
        artifact_path: where copies of what it returns and logs are published.

    Returns:
        the job; an error in the function makes it ``failed`` and goes no further.

    Raises:
        CheckFailed: lists every parameter that is missing, unknown or given twice, and every hint
            that is wrong, every parameter of a wrong type and every input that is none or leads to
            no artifact; nothing has run.
    """
    if isinstance(function, Task):
        function = function.function
    where = project or space.project
    called = name or str(getattr(function, "__name__", "function"))
    call = _Call(space, where, function, params or {}, inputs or {}, returns, called)
    code = _source(function)
    job = start_job(
        space,
        called,
        params=call.params,
        project=project,
        experiment=experiment,
        labels=labels,
        seed=seed,
        job_id=job_id,
        inputs=call.urls,
        artifact_path=artifact_path,
        function=f"{function.__module__}:{getattr(function, '__qualname__', called)}",
        code=code,
        returns=returns,
    )
    context: JobContext | None = None
    try:
        with job as context:
            call.log(context, function(**call.arguments(context)))
    except Exception:
        if context is None:
            raise
    assert context is not None
    return get_job(space, context.id)


def check_call(
    space: ArtifactSpace,
    function: Callable[..., Any],
    *,
    params: Mapping[str, Any],
    inputs: Mapping[str, Any],
    project: str,
) -> None:
    """Check what `run_function` would be given; nothing is run.

    Raises:
        CheckFailed: as there.
    """
    _Call(space, project, function, params, inputs, None)


class _Call:
    """The arguments of one call, checked before the job begins, made when it has begun."""

    def __init__(
        self,
        space: ArtifactSpace,
        project: str,
        function: Callable[..., Any],
        params: Mapping[str, Any],
        inputs: Mapping[str, Any],
        returns: Sequence[str] | str | None,
        job: str = "function",
    ) -> None:
        name = getattr(function, "__name__", "function")
        self._unnamed = LogHint(f"{job}/{DEFAULT_OUTPUT}", output=DEFAULT_OUTPUT)
        sources: dict[str, object] = {"params": params, "inputs": inputs}
        for role, given in sources.items():
            if not isinstance(given, Mapping):
                mistake = Problem(role, "they are no mapping of names", found=type(given).__name__)
                raise CheckFailed(f"The call of {name!r}", [mistake])
        self.params = dict(params)
        self._hints = annotations_of(function).hints
        self._parameters = inspect.signature(function).parameters
        self._problems: list[Problem] = []
        self._check(params, inputs)
        self.urls = self._read_inputs(space, project, inputs)
        self._returns = self._read_hints(returns)
        if self._problems:
            raise CheckFailed(f"The call of {name!r}", self._problems)

    def arguments(self, context: JobContext) -> dict[str, Any]:
        """The keyword arguments; inputs are loaded now, and noted in the job's lineage."""
        found: dict[str, Any] = dict(self.params)
        for name in self._parameters:
            if self._is_context(name):
                found[name] = context
        for name in self.urls:
            found[name] = _loaded(context.get_input(name), self._hints.get(name))
        return found

    def log(self, context: JobContext, returned: Any) -> None:
        """Save what the function returned as outputs of the job.

        Raises:
            FindspotError: it returned another number of values than it was to.
        """
        hints = self._returns
        if not hints:
            if returned is not None and self._hints.get("return", None) is None:
                _log(context, self._unnamed, returned)
            return
        values = (returned,)
        if len(hints) > 1 or self._unpack:
            values = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
        if len(values) != len(hints):
            raise FindspotError(
                f"It returned {len(values)} values, but {len(hints)} are to be logged.",
                how=f"Return one value for each of {', '.join(hint.key for hint in hints)}.",
            )
        for hint, value in zip(hints, values, strict=True):
            _log(context, hint, value)

    def _check(self, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
        collects = any(p.kind is p.VAR_KEYWORD for p in self._parameters.values())
        known = [n for n, p in self._parameters.items() if p.kind not in (p.VAR_KEYWORD,)]
        for name in (*params, *inputs):
            if self._is_context(name):
                self._problem(name, "it is filled in with the job")
            elif name not in known and not collects:
                self._problem(
                    name, "there is no such parameter", suggestion(name, known, role="parameters")
                )
            elif name in params and name in inputs:
                self._problem(name, "it is given as a parameter and as an input")
        for name, value in params.items():
            if not is_plain(value):
                self._problem(
                    name,
                    "a parameter is a plain JSON value",
                    "Save other objects as artifacts, and give these as inputs.",
                )
            else:
                self._check_type(name, value)
        for name, parameter in self._parameters.items():
            if parameter.kind is parameter.POSITIONAL_ONLY:
                self._problem(name, "it can be given by position only, which a job cannot")
            elif (
                parameter.default is parameter.empty
                and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
                and name not in params
                and name not in inputs
                and not self._is_context(name)
            ):
                self._problem(name, "it has no default and needs a value")

    def _check_type(self, name: str, value: Any) -> None:
        """Check a value against an annotation such as int or str; of classes, the function sees
        for itself."""
        hint, parameter = self._hints.get(name), self._parameters.get(name)
        if hint is None or parameter is None:
            return
        wanted = from_annotation(hint)
        if not isinstance(wanted, Builtin):
            return
        optional = {} if parameter.default is parameter.empty else {"default": parameter.default}
        asked = Parameter(name=name, type=wanted, required=not optional, **optional)
        for problem in check_values(
            TaskGraph(name="", parameters={name: asked}), {name: value}, {}
        ):
            self._problems.append(replace(problem, path=name, message="it is not of its type"))

    def _read_inputs(
        self, space: ArtifactSpace, project: str, inputs: Mapping[str, Any]
    ) -> dict[str, str]:
        """Inputs as URLs and paths; references are fixed to the versions that they mean now."""
        from findspot.data.item import get_dataitem

        urls: dict[str, str] = {}
        for name, value in inputs.items():
            try:
                urls[name] = _url(space, project, value)
                get_dataitem(urls[name], space=space, project=project)  # nothing is read yet
            except FindspotError as error:
                self._problem(name, error.what, error.how or "")
            except TypeError:
                self._problem(
                    name,
                    f"a value of type {type(value).__name__} is no input",
                    "Give a path, a URL, a reference or a version; save a value as an artifact.",
                )
        return urls

    def _read_hints(self, returns: Sequence[str] | str | None) -> list[LogHint]:
        self._unpack = False
        if returns is None:
            annotation = self._hints.get("return")
            if annotation is None:
                return []
            specs, self._unpack = output_specs(annotation)
            if specs and not self._unpack and annotated_name(annotation) is None:
                return [self._unnamed]
            return [LogHint(spec.name) for spec in specs]
        given: object = returns
        if not isinstance(given, str | list | tuple) or not all(
            isinstance(text, str) for text in given
        ):
            self._problem("returns", "they are log hints such as 'key' or 'key: kind'")
            return []
        texts = [returns] if isinstance(returns, str) else list(returns)
        hints: list[LogHint] = []
        for text in texts:
            try:
                hints.append(LogHint.read(text))
            except FindspotError as error:
                self._problem(f"returns: {text}", error.what, error.how or "")
        keys = [hint.key for hint in hints]
        for key in dict.fromkeys(key for key in keys if keys.count(key) > 1):
            self._problem(f"returns: {key}", "two values cannot have one key")
        return hints

    def _is_context(self, name: str) -> bool:
        if name not in self._parameters:
            return False
        hint = self._hints.get(name)
        return is_context(hint) if hint is not None else name == "context"

    def _problem(self, name: str, message: str, hint: str = "") -> None:
        if not any(problem.path == name for problem in self._problems):
            self._problems.append(Problem(name, message, hint=hint))


def _url(space: ArtifactSpace, project: str, value: Any) -> str:
    """What is given as an input, as a URL or path; a text that is neither is a reference."""
    if isinstance(value, ArtifactVersion):
        return value.uri
    if isinstance(value, ExternalArtifact):
        return uri_of(value.find(space, project))
    url = getattr(value, "url", None)
    text = url if isinstance(url, str) else os.fspath(value)
    if isinstance(value, str) and text.startswith("store://"):
        return uri_of(space.resolve(parse_reference(text), project=project))
    if not isinstance(value, str) or "://" in text or os.path.lexists(text):
        return text
    try:
        return uri_of(space.resolve(parse_reference(text), project=project))
    except FindspotError:
        return text  # No artifact either: reading it will say that there is no such file.


def _loaded(item: DataItem, hint: Any) -> Any:
    """An input as its parameter's annotation wants it."""
    names = {kind.__name__ for kind in inspect.getmro(hint)} if isinstance(hint, type) else set()
    module = getattr(hint, "__module__", "")
    if hint is None or "DataItem" in names:
        return item
    if "ArtifactVersion" in names:
        return item.meta
    if "Path" in names:
        return item.local()
    if item.kind == "store":
        return item.load()
    if hint is str:
        return item.get(encoding="utf-8")
    if hint is bytes:
        return item.get()
    if "DataFrame" in names:
        return item.as_df(engine="polars" if module.startswith("polars") else "pandas")
    if "ndarray" in names:
        return item.as_array()
    raise FindspotError(
        f"It cannot be loaded as {getattr(hint, '__name__', hint)}.",
        where=item.url,
        how="Annotate the parameter as DataItem, Path, str, bytes, a table or an array; or save "
        "the value as an artifact and give its store:// reference.",
    )


def _log(context: JobContext, hint: LogHint, value: Any) -> None:
    match hint.kind:
        case "dataset":
            context.log_dataset(hint.key, value)
        case "model":
            context.log_model(hint.key, value=value)
        case "plot":
            context.log_plot(hint.key, value)
        case "table":
            context.log_table(hint.key, value)
        case "value":
            context.log_value(hint.key, value)
        case "result":
            context.log_result(hint.key, value)
        case _:
            name = hint.output or hint.key
            if isinstance(value, int | float) and not isinstance(value, bool):
                context.log_result(name, value)
            options = LogOptions()
            save_logged(
                context, hint.key, value, kind=None, fields=None, options=options, output=name
            )


def _source(function: Callable[..., Any]) -> bytes | None:
    """The text of the file that a function is in; None where there is none."""
    try:
        file = inspect.getsourcefile(function)
        return None if file is None else Path(file).read_bytes()
    except (OSError, TypeError):
        return None
