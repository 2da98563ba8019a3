"""`ArtifactVersion`: what `get_artifact` and `save_artifact` return."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from findspot.artifacts.active import ACTIVE
from findspot.core.errors import FindspotError, NotFound
from findspot.core.records import FileEntry, Lineage, Preview, Producer, VersionRecord
from findspot.core.references import Reference

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def uri_of(record: VersionRecord) -> str:
    """The full reference of a version: kind, project, key, number and uid."""
    return str(
        Reference(
            kind=record.kind,
            project=record.project,
            key=record.key,
            iteration=record.iteration or None,
            version=str(record.number) if record.number else None,
            uid=record.uid,
        )
    )


class ArtifactVersion:
    """One immutable state of an artifact, as it was when it was looked up.

    Labels and tags may move afterwards; look the version up again to see them.
    """

    __slots__ = ("_files", "_space", "record")

    def __init__(
        self,
        space: ArtifactSpace,
        record: VersionRecord,
        files: tuple[FileEntry, ...] | None = None,
    ) -> None:
        self._space = space
        self._files = files
        self.record = record

    def is_of(self, space: ArtifactSpace) -> bool:
        """Whether it was looked up in this very workspace object."""
        return self._space is space

    @property
    def artifact(self) -> Reference:
        """The artifact that it is a version of."""
        return Reference(project=self.record.project, key=self.record.key)

    @property
    def uid(self) -> str:
        """The identifier, a UUID as text."""
        return self.record.uid

    @property
    def uri(self) -> str:
        """The full reference, as ``store://datasets/default/samples:3@<uid>``."""
        return uri_of(self.record)

    @property
    def project(self) -> str:
        return self.record.project

    @property
    def key(self) -> str:
        """The artifact's name in its project."""
        return self.record.key

    @property
    def version(self) -> int:
        """The version's number: 1, 2, 3 ..."""
        return self.record.number

    @property
    def version_name(self) -> str | None:
        """The version's own name, where it was given one."""
        return self.record.name

    @property
    def kind(self) -> str:
        return self.record.kind

    @property
    def digest(self) -> str:
        """The digest of the content: equal digests load as equal values."""
        return self.record.digest

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return self.record.size

    @property
    def handler(self) -> str:
        """The name of the handler that saved it, and that loads it."""
        return self.record.handler

    @property
    def python_type(self) -> str:
        return self.record.python_type

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.record.metadata

    @property
    def labels(self) -> Mapping[str, str]:
        return self.record.labels

    @property
    def tags(self) -> tuple[str, ...]:
        return self.record.tags

    @property
    def owner(self) -> str:
        return self.record.owner

    @property
    def created(self) -> datetime:
        return self.record.created

    @property
    def preview(self) -> Preview | None:
        return self.record.preview

    @property
    def producer(self) -> Producer | None:
        """The job, step and output that made it; None where it was saved by hand."""
        return self.record.producer

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Every file with its digest and size, sorted by path."""
        if self._files is None:
            files = self._space.catalog.files(self.record.uid)
            if len(files) != self.record.file_count:
                raise NotFound("version", self.uri, how="It was deleted after it was looked up.")
            self._files = files
        return self._files

    def load(self, *, trust: bool = False, as_type: type | str | None = None, **part: Any) -> Any:
        """The value, by the handler that saved it; every byte is verified.

        Args:
            trust: load it even if that may run code and it was not made by this workspace.
            as_type: as this type rather than the one it was saved from, where the handler can: a
                table as pandas, polars or Arrow, an array as a list, a picture as PNG bytes,
                anything as a `pathlib.Path` ...
            part: only this part of it: ``columns=["a"]`` and ``rows=slice(10, 20)`` of a table,
                ``rows=`` of an array, ``keys=`` of a mapping, ``file=`` of a folder.

        Raises:
            UntrustedVersion: it is a pickle (or alike) from elsewhere.
            CannotConvert: it has no such form; the error lists those that it has.
            BadSelection: it has no such parts.
            BlobMissing, BlobDamaged: its bytes are gone or differ from their digest.
        """
        self._note_read()
        return self._space.load_version(
            self.record, self.files, trust=trust, as_type=as_type, part=part
        )

    def path(self, name: str | None = None) -> Path:
        """A read-only local path: the file itself where it has one, else the folder of its files.

        Args:
            name: one file of several.
        """
        files = self.files
        if name is not None:
            self._file(name)
        self._note_read()
        folder = self._space.load_folder(self.record, files).folder()
        if name is not None:
            return folder / name
        if len(files) == 1 and self.kind != "directory":
            return folder / files[0].path
        return folder

    def open(self, name: str | None = None) -> AbstractContextManager[BinaryIO]:
        """A reader of a file's verified bytes; ``name`` may be left out where there is one."""
        if name is None:
            name = self._only_file().path
        self._note_read()
        return self._space.load_folder(self.record, self.files).open(name)

    def presigned(self, name: str | None = None, *, expires: float = 3600.0) -> str:
        """A URL by which anybody can fetch a file from the workspace's bucket, until it expires.

        Who has the URL can read the file: treat it as a password. The bytes are not verified.

        Args:
            name: of the file; may be left out where there is one.
            expires: seconds that it is valid, from 1 to 604,800 (a week).

        Raises:
            CannotSign: the workspace's blobs are in no bucket, or its credentials cannot sign.
            BlobMissing: the file's bytes are gone.
        """
        from findspot.artifacts.signed_urls import presigned

        entry = self._only_file() if name is None else self._file(name)
        return presigned(self._space, entry, expires)

    def _only_file(self) -> FileEntry:
        if len(self.files) != 1:
            raise FindspotError(
                f"The version has {len(self.files)} files; say which to open.",
                where=self.uri,
                how=f"Its files are {', '.join(f.path for f in self.files[:20])}.",
            )
        return self.files[0]

    def _file(self, name: str) -> FileEntry:
        found = next((entry for entry in self.files if entry.path == name), None)
        if found is None:
            raise FindspotError(
                f"The version has no file {name!r}.",
                where=self.uri,
                how=f"Its files are {', '.join(f.path for f in self.files[:20]) or 'none'}.",
            )
        return found

    def lineage(
        self,
        direction: Literal["upstream", "downstream"] = "upstream",
        *,
        depth: int | None = None,
    ) -> Lineage:
        """What the version came from, or what was made from it; ``depth`` counts steps."""
        return self._space.lineage(self.record.uid, direction, depth=depth)

    def _note_read(self) -> None:
        active = ACTIVE.get()
        if active is not None:
            active.read(self.record)

    def __repr__(self) -> str:
        return f"<ArtifactVersion {self.key}:{self.version} ({self.kind}, {self.size} bytes)>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactVersion) and other.uid == self.uid

    def __hash__(self) -> int:
        return hash(self.record.uid)

    def _repr_html_(self) -> str:
        """A table for notebooks. All that comes from a record is escaped; nothing in it runs."""
        from html import escape

        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(k)}</th><td>{escape(str(v))}</td></tr>"
            for k, v in (
                ("uri", self.uri),
                ("size", f"{self.size} bytes in {self.record.file_count} files"),
                ("handler", self.handler),
                ("created", f"{self.created:%Y-%m-%d %H:%M:%S} UTC by {self.owner}"),
                *((f"label {name}", value) for name, value in self.labels.items()),
                *(("tag", tag) for tag in self.tags),
                *self.metadata.items(),
            )
        )
        return f"<table>{rows}</table>{_preview_html(self.preview)}"


def _preview_html(preview: Preview | None) -> str:
    from base64 import b64encode
    from html import escape

    if preview is None:
        return ""
    if preview.media_type.startswith("text/plain"):
        return f"<pre>{escape(preview.data.decode(errors='replace'))}</pre>"
    if preview.media_type.startswith("image/"):
        # Scripts of an SVG picture do not run in an <img>.
        source = f"data:{preview.media_type};base64,{b64encode(preview.data).decode()}"
        return f'<img alt="preview" src="{escape(source, quote=True)}">'
    return ""
