"""The seam between Python values and files: what a handler is, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol, TypeAlias

from findspot.core.records import FileEntry, Preview

Buffer: TypeAlias = bytes | bytearray | memoryview


class BinarySink(Protocol):
    """What a handler writes a file's bytes to; file-like enough for most libraries."""

    def write(self, data: Buffer, /) -> int: ...


class SaveFolder(Protocol):
    """An empty folder that a handler fills; what is in it when `save` returns is the version.

    File names are relative, with ``/`` between their parts; each is written once.
    """

    def open(self, name: str) -> AbstractContextManager[BinarySink]:
        """A sink for a file's bytes; they are hashed as they pass, and never wholly in memory."""
        ...

    def write(self, name: str, data: Buffer) -> None:
        """A whole file at once. The fastest way for one large buffer: it is hashed and written
        without a copy, and not written at all where the store has the bytes."""
        ...

    def path(self, name: str) -> Path:
        """A path to write a file (or a folder of files) to, for libraries that want one."""
        ...

    def add(self, name: str, source: Path) -> None:
        """Take a copy of an existing file or folder that belongs to somebody else."""
        ...


class LoadFolder(Protocol):
    """The files of a saved version. Every byte that is read from it has been verified."""

    files: Sequence[FileEntry]
    trusted: bool
    """Whether the trust policy lets bytes of this version run code; handlers whose formats may ask
    for that (skops, structures with pickled parts) raise `Untrusted` when it is False."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]: ...

    def read(self, name: str) -> bytes: ...

    def path(self, name: str) -> Path:
        """A read-only local file, without copying where the store has one. Its name may differ from
        ``name`` (see `folder` for a path with the right names)."""
        ...

    def folder(self) -> Path:
        """A local folder in which all files have their own names; read-only."""
        ...


class ArtifactHandler(Protocol):
    """A class that saves and loads one family of Python types.

    `findspot.handlers.Handler` is a base class with all the defaults; deriving from it is not
    required.
    """

    name: ClassVar[str]
    """What a version's record says it was saved with, as ``numpy.array``; never change it."""
    types: ClassVar[Sequence[type | str]]
    """The classes it takes (and those below them), or their full dotted names, so that their
    library need not be imported to ask: ``("numpy.ndarray",)``."""
    kind: ClassVar[str]
    """The kind of artifact that its values are by default."""
    deterministic: ClassVar[bool]
    """Whether equal values always give equal bytes."""
    safe: ClassVar[bool]
    """Whether loading bytes of unknown origin runs no code (False for pickle)."""

    def accepts(self, value: Any) -> bool:
        """Whether it takes a value of its types; for predicates finer than the class."""
        ...

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        """Write the value's files. ``args`` are the keyword arguments that the user gave."""
        ...

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        """The value again. ``args`` are those that `save` was given."""
        ...

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Plain JSON metadata: shape, dtype, rows, schema; cheap to compute."""
        ...

    def preview(self, value: Any) -> Preview | None:
        """A small picture of the value."""
        ...


class SelectiveHandler(ArtifactHandler, Protocol):
    """A handler that can also give other types than it saved, or only a part of a value.

    All of it is optional; `findspot.handlers.loading.load_value` asks for what is there.
    """

    representations: ClassVar[Sequence[str]]
    """Full dotted names of the types that `load_as` gives, besides the type that was saved."""
    selections: ClassVar[Sequence[str]]
    """The names that may be in ``what``, such as ``columns`` and ``rows``."""

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """The value, or the part ``what`` of it, as a type of `representations`.

        Raises `CannotConvert` where this very value is none of that type.
        """
        ...

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """A part of the value, in the type that was saved, reading no more bytes than it must.

        ``what`` is not empty. Raises `BadSelection` where the value has no such part.
        """
        ...
