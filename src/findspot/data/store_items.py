"""Artifacts of a workspace as data items: ``store://`` references, read-only, bytes verified."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from findspot.core.records import FileEntry
from findspot.core.references import Reference, parse_reference
from findspot.data.errors import ItemReadOnly, NotAFile
from findspot.data.local_files import content_type_of
from findspot.data.protocol import CHUNK, Answer, Entry, ItemStat

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion

_HOW = "Save a new version instead: save_artifact(value, key)."


class StoreSource:
    """A version, or one file of it. The reference is resolved once; it stays at that version."""

    scheme = "store"

    def __init__(
        self,
        reference: str,
        space: ArtifactSpace | None,
        project: str | None,
        *,
        file: str | None = None,
    ) -> None:
        self._reference: Reference = parse_reference(reference)
        self._space = space
        self._project = project
        self._file = file
        self.url = reference
        self.identity = reference
        key = self._reference.key or reference
        self.name = (file or key).rpartition("/")[2]

    def __reduce__(self) -> tuple[Any, ...]:
        # The version that was found goes along, so that the copy stays at it too.
        found = self.__dict__.get("version")
        reference = self._reference if found is None else found.uri
        space = self._space if found is None else found._space
        return _made_again, (
            str(reference),
            None if space is None else space.url,
            self._project,
            self._file,
            self.url,
        )

    @cached_property
    def version(self) -> ArtifactVersion:
        from findspot.artifacts.current import current_space

        space = self._space or current_space()
        return space.get_artifact(self._reference, project=self._project)

    @property
    def file(self) -> FileEntry:
        """The one file that it is."""
        files = self.version.files
        if self._file is not None:
            return next(file for file in files if file.path == self._file)
        if len(files) != 1:
            raise NotAFile(
                self.url,
                f"a version with {len(files)} files",
                how="Use load(), or one of ls(): "
                f"{', '.join(file.path for file in files[:20]) or 'there are none'}.",
            )
        return files[0]

    def stat(self) -> ItemStat:
        version = self.version
        if self._file is None and len(version.files) != 1:
            return ItemStat(version.size, version.created, None, version.digest)
        file = self.file
        return ItemStat(file.size, version.created, content_type_of(file.path), file.digest)

    def open(self, start: int, stop: int | None, pinned: ItemStat | None) -> Answer:
        file = self.file
        opened = self.version.open(file.path)
        reader = opened.__enter__()

        def close() -> None:
            opened.__exit__(None, None, None)

        start = min(start, file.size)
        end = file.size if stop is None else max(start, min(stop, file.size))
        first = start
        if start and reader.seekable():
            reader.seek(start)
        elif start:
            first = 0
        return Answer(self.stat(), first, end, _chunks(reader, end - first), close)

    def path(self) -> Path:
        return self.version.path(self.file.path)

    def write(self, reader: BinaryIO, *, append: bool) -> None:
        raise ItemReadOnly(self.url, "put", how=_HOW)

    def delete(self) -> None:
        raise ItemReadOnly(
            self.url, "delete", how="Delete the version: Workspace.delete_version(reference)."
        )

    def entries(self) -> list[Entry]:
        if self._file is not None:
            return [Entry(self._file)]
        return [Entry(file.path) for file in self.version.files]

    def child(self, entry: Entry) -> StoreSource:
        return StoreSource(self.version.uri, self.version._space, None, file=entry.name)


def _made_again(
    reference: str, place: str | None, project: str | None, file: str | None, url: str
) -> StoreSource:
    from findspot.artifacts.space import ArtifactSpace

    space = None if place is None else ArtifactSpace(place)
    source = StoreSource(reference, space, project, file=file)
    source.url = source.identity = url
    return source


def _chunks(reader: BinaryIO | io.BufferedIOBase, left: int) -> Iterator[bytes]:
    while left > 0 and (data := reader.read(min(CHUNK, left))):
        left -= len(data)
        yield data
