"""A version's record as a YAML document, and back. The bytes stay where they are, under their
digests; the document names them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from findspot.artifacts.kinds.checks import (
    Check,
    count,
    list_of,
    mapping_of,
    one_of,
    plain_mapping,
    text,
    text_mapping,
    texts,
)
from findspot.artifacts.version import ArtifactVersion, uri_of
from findspot.core.digests import Digest, is_digest
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.ids import is_uid
from findspot.core.names import check_file_path, check_key, check_name
from findspot.core.records import (
    KINDS,
    FileEntry,
    Preview,
    Producer,
    VersionRecord,
    manifest_digest,
)

FORMAT = 1
_LIMIT = 64 << 20
_REQUIRED = (
    *("findspot", "kind", "project", "key", "uid", "digest", "handler", "python_type"),
    *("created", "files"),
)
_TEXTUAL = ("text/", "application/vnd.", "application/json")


class BadDocument(FindspotError):
    """A text is no YAML document of a version."""

    exit_code = 2


@dataclass(frozen=True)
class VersionDocument:
    """A version as a document holds it: everything that is known of it, but not its bytes."""

    record: VersionRecord
    files: tuple[FileEntry, ...]
    extra_data: Mapping[str, str]

    @property
    def uri(self) -> str:
        """The full reference of the version."""
        return uri_of(self.record)


def to_yaml(version: ArtifactVersion, extra_data: Mapping[str, str] | None = None) -> str:
    """The record of a version as YAML; `from_yaml` reads it back to an equal record.

    Args:
        extra_data: targets of the version's links by name, to be written too.
    """
    record = version.record
    document: dict[str, Any] = {
        "findspot": FORMAT,
        "uri": uri_of(record),
        "kind": record.kind,
        "project": record.project,
        "key": record.key,
        "version": record.number,
        "name": record.name,
        "iteration": record.iteration,
        "uid": record.uid,
        "digest": record.digest,
        "handler": record.handler,
        "handler_args": dict(record.handler_args),
        "python_type": record.python_type,
        "labels": dict(record.labels),
        "tags": list(record.tags),
        "metadata": dict(record.metadata),
        "extra_data": dict(extra_data or {}),
        "files": [
            {"path": file.path, "digest": str(file.digest), "size": file.size}
            for file in version.files
        ],
        "owner": record.owner,
        "created": record.created.isoformat(),
        "producer": _producer(record.producer),
        "origin": record.origin,
        "seal": record.seal,
        "preview": _preview(record.preview),
    }
    kept = {
        name: value
        for name, value in document.items()
        if name in _REQUIRED or value not in (None, "", {}, [])
    }
    return yaml.dump(
        kept,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )


def from_yaml(source: str) -> VersionDocument:
    """The record that a YAML document holds.

    Nothing is saved, and nothing in the document is run or opened.

    Raises:
        BadDocument: the text is no YAML mapping, is too long, or of a newer format.
        CheckFailed: lists every field that is missing, unknown or wrong.
    """
    document = _mapping(source)
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for name in _REQUIRED:
        if name not in document:
            problems.append(Problem(f"$.{name}", "it is missing"))
    for name, value in document.items():
        check = _FIELDS.get(name)
        if check is None:
            problems.append(Problem(f"$.{name}", "a version has no such field"))
        else:
            found[name] = check(value, f"$.{name}", problems)
    if not problems:
        return _document(found, problems)
    raise CheckFailed("The document", problems)


class _Dumper(yaml.SafeDumper):
    """Without aliases, and with every text in a form that reads back as it was."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # Only between double quotes are breaks of lines (NEL is one in YAML) and controls escaped.
    style = None if value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text_node)


def _mapping(source: str) -> dict[Any, Any]:
    if len(source) > _LIMIT:
        raise BadDocument(f"The document is longer than {_LIMIT >> 20} MiB.")
    try:
        # An alias could make a short text into a huge value; `to_yaml` writes none.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(source, yaml.SafeLoader)):
            raise BadDocument("The document uses aliases (*name).", how="Write the values out.")
        document = yaml.safe_load(source)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadDocument(f"The text is no YAML: {error}") from error
    if not isinstance(document, dict):
        raise BadDocument(
            f"The document is a {type(document).__name__}, not a mapping.",
            how="Write one with to_yaml(version).",
        )
    form = document.get("findspot")
    if isinstance(form, int) and form > FORMAT:
        raise BadDocument(
            f"The document has format {form}; this Findspot reads formats up to {FORMAT}.",
            how="Upgrade Findspot: pip install --upgrade findspot",
        )
    return document


def _document(found: Mapping[str, Any], problems: list[Problem]) -> VersionDocument:
    files = tuple(
        FileEntry(entry["path"], Digest(entry["digest"]), entry["size"]) for entry in found["files"]
    )
    record = VersionRecord(
        uid=found["uid"],
        project=found["project"],
        key=found["key"],
        kind=found["kind"],
        number=found.get("version", 0),
        name=found.get("name"),
        iteration=found.get("iteration", 0),
        digest=Digest(found["digest"]),
        size=sum(file.size for file in files),
        file_count=len(files),
        handler=found["handler"],
        handler_args=found.get("handler_args", {}),
        python_type=found["python_type"],
        metadata=found.get("metadata", {}),
        preview=found.get("preview"),
        labels=found.get("labels", {}),
        tags=tuple(found.get("tags", ())),
        owner=found.get("owner", ""),
        created=found["created"],
        producer=found.get("producer"),
        origin=found.get("origin", ""),
        seal=found.get("seal", ""),
    )
    if manifest_digest(files, record.handler) != record.digest:
        problems.append(
            Problem("$.digest", "it is not the digest of the files and the handler that are listed")
        )
    if "uri" in found and found["uri"] != uri_of(record):
        problems.append(Problem("$.uri", "it names another version", expected=uri_of(record)))
    if problems:
        raise CheckFailed("The document", problems)
    return VersionDocument(record, files, found.get("extra_data", {}))


def _producer(producer: Producer | None) -> dict[str, str] | None:
    if producer is None:
        return None
    parts = {"job": producer.job, "step": producer.step, "output": producer.output}
    return {name: part for name, part in parts.items() if part is not None}


def _preview(preview: Preview | None) -> dict[str, str] | None:
    if preview is None:
        return None
    if preview.media_type.startswith(_TEXTUAL):
        try:
            return {"media_type": preview.media_type, "text": preview.data.decode()}
        except UnicodeDecodeError:
            pass
    return {"media_type": preview.media_type, "base64": b64encode(preview.data).decode()}


def _named(check: Any, *args: Any) -> Check:
    """A check of a name by the rules of names."""

    def checked(value: Any, path: str, problems: list[Problem]) -> Any:
        try:
            return check(value, *args)
        except FindspotError as error:
            problems.append(Problem(path, error.what))
            return value

    return checked


def _fits(test: Any, expected: str) -> Check:
    def checked(value: Any, path: str, problems: list[Problem]) -> Any:
        if not isinstance(value, str) or not test(value):
            problems.append(Problem(path, f"it is no {expected}", found=repr(value)[:80]))
        return value

    return checked


def _time(value: Any, path: str, problems: list[Problem]) -> Any:
    # YAML reads a time that is written without quotes by itself.
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        problems.append(Problem(path, "it is no time", found=repr(value)[:80]))
        return value
    if moment.tzinfo is None:
        problems.append(Problem(path, "the time has no zone", found=str(value)))
    return moment


def _made_by(value: Any, path: str, problems: list[Problem]) -> Any:
    before = len(problems)
    parts = text_mapping(value, path, problems)
    if len(problems) > before:
        return value
    if "job" not in parts or parts.keys() - {"job", "step", "output"}:
        problems.append(Problem(path, "it holds a job, and perhaps a step and an output"))
        return value
    return Producer(parts["job"], parts.get("step"), parts.get("output"))


def _shown(value: Any, path: str, problems: list[Problem]) -> Any:
    before = len(problems)
    parts = text_mapping(value, path, problems)
    if len(problems) > before:
        return value
    if parts.keys() not in ({"media_type", "text"}, {"media_type", "base64"}):
        problems.append(Problem(path, "it holds a media_type, and either a text or base64"))
        return value
    try:
        data = (
            parts["text"].encode() if "text" in parts else b64decode(parts["base64"], validate=True)
        )
    except ValueError:
        problems.append(Problem(path, "its bytes cannot be read"))
        return value
    return Preview(parts["media_type"], data)


def _json(value: Any, path: str, problems: list[Problem]) -> Any:
    """As `plain`, but with NaN and infinities, since handlers may have noted some."""
    if isinstance(value, dict):
        return mapping_of(_json)(value, path, problems)
    if isinstance(value, list):
        return list_of(_json)(value, path, problems)
    if value is not None and not isinstance(value, bool | int | float | str):
        problems.append(Problem(path, "it is no JSON value", found=type(value).__name__))
    return value


def _file(value: Any, path: str, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping) or value.keys() != {"path", "digest", "size"}:
        problems.append(Problem(path, "it holds a path, a digest and a size"))
        return value
    return {
        "path": _named(check_file_path)(value["path"], f"{path}.path", problems),
        "digest": _DIGEST(value["digest"], f"{path}.digest", problems),
        "size": count(value["size"], f"{path}.size", problems),
    }


_DIGEST = _fits(is_digest, "digest (blake3: and 64 hexadecimal digits)")
_FIELDS: Mapping[Any, Check] = {
    "findspot": count,
    "uri": text,
    "kind": one_of(*KINDS),
    "project": _named(check_name, "project name"),
    "key": _named(check_key),
    "version": count,
    "name": text,
    "iteration": count,
    "uid": _fits(is_uid, "uid"),
    "digest": _DIGEST,
    "handler": text,
    "handler_args": plain_mapping,
    "python_type": text,
    "labels": text_mapping,
    "tags": texts,
    "metadata": mapping_of(_json),
    "extra_data": text_mapping,
    "files": list_of(_file),
    "owner": text,
    "created": _time,
    "producer": _made_by,
    "origin": text,
    "seal": text,
    "preview": _shown,
}
