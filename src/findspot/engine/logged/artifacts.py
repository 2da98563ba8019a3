"""Artifacts that code in a job logs: saved, named as outputs of the job, linked, published."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.kinds.fields import KindFields
from findspot.artifacts.version import ArtifactVersion
from findspot.catalog.protocol import Batch, NewVersion
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.names import check_file_path, check_key
from findspot.core.records import JobOutput
from findspot.engine.logged.extra_data import link_all, resolve_extra
from findspot.engine.targets.absent import ABSENT

if TYPE_CHECKING:
    from findspot.engine.context import JobContext


class BadSource(FindspotError):
    """A log call names no value, or several."""

    exit_code = 2


@dataclass(frozen=True)
class LogOptions:
    """What all log calls take.

    Args:
        labels: names and values to search by.
        tags: movable names to set.
        extra_data: what belongs to the artifact, by name: artifacts, URLs, files, or values (a
            figure, a table), which are saved as artifacts ``<key>/<name>`` first.
        metadata: plain JSON values of the user's own.
        artifact_path: publish a copy there; None: where the job's artifact path says, if any.
        version: a name of the version's own.
        handler, handler_args: save by this handler, with these keyword arguments.
    """

    labels: Mapping[str, Any] = field(default_factory=dict)
    tags: Iterable[str] = ()
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    artifact_path: str | Path | None = None
    version: str | None = None
    handler: Any = None
    handler_args: Mapping[str, Any] | None = None
    iteration: int = 0
    project: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> LogOptions:
        """The options of a log call; ``tag="x"`` is short for ``tags=["x"]``, and None for nothing.

        Raises:
            CheckFailed: lists options that do not exist.
        """
        given = {name: value for name, value in options.items() if value is not None}
        tag = given.pop("tag", None)
        if tag is not None:
            tags = given.get("tags", ())
            given["tags"] = [tag, *([tags] if isinstance(tags, str) else tags)]
        known = ", ".join(["tag", *cls.__dataclass_fields__])
        problems = [
            Problem(name, "there is no such option", expected=known)
            for name in sorted(given.keys() - cls.__dataclass_fields__.keys())
        ]
        problems += [
            Problem(name, "it is no mapping", found=type(given[name]).__name__)
            for name in ("extra_data", "metadata")
            if not isinstance(given.get(name, {}), Mapping)
        ]
        if problems:
            raise CheckFailed("The call", problems)
        return cls(**given)


def save_logged(
    context: JobContext,
    key: str,
    value: Any,
    *,
    kind: str | None,
    fields: KindFields | None,
    options: LogOptions,
    finish: Callable[[NewVersion], NewVersion] | None = None,
    output: str | None = None,
) -> ArtifactVersion:
    """Save a value as an artifact of a job, and make it an output of the job under its key.

    Nothing is recorded before all is checked and the value's bytes are stored. Then values among
    the extra data become artifacts of their own, which the version names in the transaction that
    records it.

    Args:
        fields: of the kind; they become metadata.
        finish: what is to be changed of the version before it is recorded.
        output: what the job calls it, instead of the key.
    """
    context.log_allowed()
    key = check_key(key)
    name = key if output is None else check_key(output)
    metadata = {} if fields is None else fields.to_metadata()
    published = options.artifact_path is not None or context.published
    if published:
        from findspot.engine.logged.publishing import check_place, publish

        check_place(context, options.artifact_path, key)
    with context.active():  # also in threads of the job's, which do not know of it
        new = context.space.prepare(
            value,
            key,
            kind=kind,
            labels=options.labels,
            tags=options.tags,
            metadata={**metadata, **options.metadata},
            version=options.version,
            handler=options.handler,
            handler_args=options.handler_args,
            project=options.project or context.project,
            iteration=options.iteration,
        )
    if finish is not None:
        new = finish(new)
    extras = resolve_extra(
        context.space, key, options.extra_data, project=context.project, job=context
    )
    if extras:
        named = {name: extra.uri for name, extra in extras.items()}
        new = with_metadata(new, {"extra_data": named})
    numbers = context.space.catalog.write(
        Batch(versions=[new], outputs=[JobOutput(context.id, name, new.record.uid)])
    )
    record = replace(new.record, number=numbers[new.record.uid])
    version = ArtifactVersion(context.space, record, new.files)
    link_all(context.space, version, extras.values())
    context.note_output(name, version)
    if published:
        try:
            publish(context, version, options.artifact_path)
        except (FindspotError, OSError) as error:
            # Whoever asks for this copy wants to know; a path that was set farther out must not
            # decide what becomes of the job.
            if options.artifact_path is not None:
                raise
            context.log(f"The artifact {key!r} was not published: {error}", "WARNING")
    return version


def with_metadata(new: NewVersion, added: Mapping[str, Any]) -> NewVersion:
    """A version that is not recorded yet, with further metadata."""
    record = replace(new.record, metadata={**new.record.metadata, **added})
    return replace(new, record=record)


def log_artifact(
    context: JobContext,
    key: str,
    value: Any = ABSENT,
    *,
    body: bytes | str | None = None,
    local_path: str | Path | None = None,
    kind: str | None = None,
    fields: KindFields | None = None,
    **options: Any,
) -> ArtifactVersion:
    """See `JobContext.log_artifact`."""
    chosen = LogOptions.of(options)
    sources = [
        name
        for name, has in (
            ("value", value is not ABSENT),
            ("body", body is not None),
            ("local_path", local_path is not None and body is None),
        )
        if has
    ]
    if len(sources) != 1:
        raise BadSource(
            f"A log call takes one of value, body and local_path, not {len(sources)} of them"
            + (f" ({', '.join(sources)})." if sources else "."),
            where=str(key),
            how="Write log_artifact(key, value), log_artifact(key, body=data), or "
            "log_artifact(key, local_path=file).",
        )
    if body is not None:
        name = check_key(key).rpartition("/")[2] if local_path is None else Path(local_path).name
        with file_of_body(body, name) as file:
            return save_logged(context, key, file, kind=kind, fields=fields, options=chosen)
    if local_path is not None:
        value = existing(local_path)
    return save_logged(context, key, value, kind=kind, fields=fields, options=chosen)


@contextmanager
def file_of_body(body: bytes | str, name: str) -> Iterator[Path]:
    """A file with this name and content, for as long as the block lasts. Text is kept as UTF-8."""
    check_file_path(name)
    if "/" in name:
        raise BadSource(f"{name!r} is no name of a file.", how="Leave the folders out.")
    given: Any = body
    if not isinstance(given, bytes | bytearray | memoryview | str):
        raise BadSource(
            f"A body is bytes or text, not a {type(body).__name__}.",
            how="Give other values as value=, to be saved by the handler for their type.",
        )
    with tempfile.TemporaryDirectory(prefix="findspot-body-") as folder:
        file = Path(folder) / name
        file.write_bytes(given.encode() if isinstance(given, str) else given)
        yield file


def existing(path: str | Path) -> Path:
    """``path`` if there is something; `BadSource` if not."""
    if not isinstance(path, str | os.PathLike):
        raise BadSource(
            f"A value of type {type(path).__name__} is no path.", how="Give it as text or a Path."
        )
    found = Path(path)
    if not found.exists():
        raise BadSource(
            "There is no such file or folder.",
            where=str(found.absolute()),
            how="Write it before it is logged, or give its content as body= or value=.",
        )
    return found


def log_table(
    context: JobContext,
    key: str,
    table: Any,
    *,
    columns: Sequence[str] | None = None,
    **options: Any,
) -> ArtifactVersion:
    """See `JobContext.log_table`."""
    return log_artifact(context, key, _as_table(key, table, columns), kind="table", **options)


def _as_table(key: str, table: Any, columns: Sequence[str] | None) -> Any:
    """Rows as an Arrow table; what is a table already as it is."""
    if table is None or isinstance(table, str | bytes | int | float | complex):
        raise BadSource(
            f"A table is made of rows, not of a value of type {type(table).__name__}.",
            where=key,
            how="Give a data frame, a list of mappings, a mapping of columns, or a list of rows "
            "together with columns=[...]; log_value keeps a single value.",
        )
    if not isinstance(table, list | tuple | dict):
        return table
    import pyarrow as pa

    try:
        if isinstance(table, dict):
            return pa.table(table)
        if columns is not None:
            names = list(columns)
            return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in table])
        return pa.Table.from_pylist(list(table))
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        raise BadSource(
            f"The rows make no table: {error}",
            where=key,
            how="Give a data frame, a list of mappings, a mapping of columns, or a list of rows "
            "together with columns=[...].",
        ) from error
