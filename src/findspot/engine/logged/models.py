"""Models that code in a job logs: the model or its files, and what is to be known of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from findspot.artifacts.kinds.models import Model
from findspot.artifacts.kinds.signature import ModelSignature
from findspot.artifacts.kinds.signatures import columns_of
from findspot.artifacts.kinds.statistics import table_statistics
from findspot.artifacts.kinds.tables import Dataset
from findspot.artifacts.kinds.views import kind_of
from findspot.artifacts.version import ArtifactVersion
from findspot.catalog.protocol import NewVersion
from findspot.core.errors import CheckFailed, Problem
from findspot.core.names import check_key
from findspot.engine.logged.artifacts import (
    BadSource,
    LogOptions,
    existing,
    file_of_body,
    save_logged,
    with_metadata,
)
from findspot.engine.logged.datasets import column_names
from findspot.engine.targets.absent import ABSENT
from findspot.handlers import python_type_name

if TYPE_CHECKING:
    from findspot.engine.context import JobContext

_PICKLE_MARK = b"\x80"
_MODEL_SUFFIXES = (
    *(".skops", ".pkl", ".pickle", ".joblib", ".onnx", ".safetensors", ".pt", ".pth", ".keras"),
    *(".h5", ".ubj", ".bin", ".txt", ".json"),
)


def log_model(
    context: JobContext,
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
    """See `JobContext.log_model`."""
    key = check_key(key)
    chosen = LogOptions.of(options)
    if signature is not None:
        if inputs is not None or outputs is not None:
            raise BadSource(
                "A signature is given twice: as signature, and as inputs or outputs.",
                where=key,
                how="Leave one of them out.",
            )
        inputs, outputs = signature.inputs, signature.outputs
    fields = Model(
        framework=framework or _framework(value),
        algorithm=algorithm or _algorithm(value),
        metrics=metrics,
        parameters=parameters,
        inputs=None if inputs is None else list(columns_of(inputs)),
        outputs=None if outputs is None else list(columns_of(outputs)),
        target_column=label_column,
    )
    fields = _with_training_set(context, fields, training_set)
    fields.to_metadata()  # every mistake before a file is touched
    with _source(key, value, body, model_file, model_dir) as (source, name):
        if name is not None:
            fields = replace(fields, model_file=name)
        return save_logged(
            context,
            key,
            source,
            kind="model",
            fields=fields,
            options=chosen,
            finish=None if name is not None else _name_file,
        )


@contextmanager
def _source(
    key: str,
    value: Any,
    body: bytes | str | None,
    model_file: str | Path | None,
    model_dir: str | Path | None,
) -> Iterator[tuple[Any, str | None]]:
    """What is saved, and the name of the model's file in it where that is known before."""
    given = {
        "value": value is not ABSENT,
        "body": body is not None,
        "model_dir": model_dir is not None,
        "model_file": model_file is not None and body is None and model_dir is None,
    }
    named = [name for name, has in given.items() if has]
    if len(named) != 1:
        raise BadSource(
            f"A model is given by one of value, body, model_file and model_dir, not {len(named)} "
            "of them" + (f" ({', '.join(named)})." if named else "."),
            where=key,
            how="Write log_model(key, value=estimator), log_model(key, body=data, "
            "model_file='model.pkl'), log_model(key, model_file=path), or "
            "log_model(key, model_dir=folder, model_file='model.pkl').",
        )
    if body is not None:
        with file_of_body(body, _body_name(body, model_file)) as file:
            yield file, file.name
    elif model_dir is not None:
        folder = existing(model_dir)
        if not folder.is_dir():
            raise BadSource("model_dir is no folder.", where=str(folder))
        yield folder, None if model_file is None else _inside(folder, model_file)
    elif model_file is not None:
        file = existing(model_file)
        if file.is_dir():
            raise BadSource(
                "model_file is a folder.", where=str(file), how="Give it as model_dir=."
            )
        yield file, file.name
    else:
        yield value, None


def _body_name(body: Any, model_file: str | Path | None) -> str:
    if model_file is not None:
        return Path(model_file).name
    return "model.pkl" if isinstance(body, bytes) and body[:1] == _PICKLE_MARK else "model.bin"


def _inside(folder: Path, model_file: str | Path) -> str:
    """The path of the model's file below its folder."""
    file = folder / model_file
    try:
        name = file.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise BadSource(
            "The model's file is not in the model's folder.",
            where=str(file),
            how="Give model_file as a path below model_dir.",
        ) from None
    if not file.is_file():
        raise BadSource(
            f"There is no file {name!r} in the model's folder.",
            where=str(folder.absolute()),
            how="It holds "
            + (", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing")
            + ".",
        )
    return name


def _name_file(new: NewVersion) -> NewVersion:
    """Say which of the files that a handler wrote is the model's, where that is plain."""
    names = [file.path for file in new.files]
    found = names[0] if len(names) == 1 else principal_file(names)
    if found is None:
        return new
    return with_metadata(new, {"model_file": found})


def principal_file(names: list[str]) -> str | None:
    """The one of several files that most likely holds the model; None where none looks like it."""
    for suffix in _MODEL_SUFFIXES:
        for name in sorted(names, key=lambda name: (name.count("/"), name)):
            if name.endswith(suffix):
                return name
    return None


def _with_training_set(context: JobContext, fields: Model, given: Any) -> Model:
    """Note the training set: a version is named (and is an input of the job), a table is described
    by its columns and their statistics."""
    if given is None:
        return fields
    from findspot.data.item import DataItem

    item = given.meta if isinstance(given, DataItem) else None
    if item is not None:
        given = item
    if isinstance(given, str):
        given = context.space.get_artifact(given, project=context.project)
    target = fields.target_column
    if isinstance(given, ArtifactVersion):
        context.read(given.record)
        known = kind_of(given)
        found = replace(fields, training_set={"uri": given.uri, "uid": given.uid})
        if isinstance(known, Dataset):
            target = target or known.target_column
            statistics = known.statistics
            found = replace(found, target_column=target, feature_statistics=statistics)
        return found
    names = column_names(given)
    statistics = table_statistics(given)
    if statistics is None:
        raise BadSource(
            f"A training set is an artifact or a table, not a {python_type_name(given)}.",
            how="Give the ArtifactVersion that log_dataset returned, its URI, or a data frame.",
        )
    if target is not None and names is not None and target not in names:
        raise CheckFailed(
            "The model",
            [
                Problem(
                    "label_column",
                    f"the training set has no column {target!r}",
                    expected=", ".join(names[:20]),
                )
            ],
        )
    found = replace(fields, feature_statistics=statistics)
    if fields.inputs is None:
        columns = [column for column in columns_of(given) if column.name != target or not target]
        found = replace(found, inputs=columns)
    return found


def _framework(value: Any) -> str | None:
    """The library that a model's class is of; None for files and plain Python objects."""
    if value is ABSENT or isinstance(value, Path):
        return None
    for cls in type(value).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in ("builtins", "__main__") or library in sys.stdlib_module_names:
            continue
        if cls.__module__.startswith(_FRAMEWORKS):
            return library
    return None


_FRAMEWORKS: tuple[str, ...] = (
    *("sklearn.", "torch.", "xgboost.", "lightgbm.", "catboost.", "keras.", "tensorflow."),
    *("onnx", "transformers.", "statsmodels.", "jax.", "flax."),
)


def _algorithm(value: Any) -> str | None:
    if value is ABSENT or isinstance(value, Path | type | FunctionType):
        return None
    steps = getattr(value, "steps", None)
    if isinstance(steps, list) and steps and isinstance(steps[-1], tuple):  # a pipeline's last step
        last: Callable[..., Any] = steps[-1][-1]
        return type(last).__name__
    return type(value).__name__
