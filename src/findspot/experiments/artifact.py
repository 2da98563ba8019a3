"""`Artifact`: a file or folder that a step of an experiment writes.

The object is only a name, shared by all cells; where the bytes go is the running step's affair.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from findspot.core.names import check_key
from findspot.core.records import KINDS
from findspot.experiments.errors import ArtifactNotWritten, ArtifactWrittenTwice, NoCell, NotBytes

_SMALL = 1 << 20
"""Bytes: what is written at once and is not larger needs no file on the way to the store."""


class StepFiles:
    """Where one step's artifacts go while it runs: into memory, or a folder made when it is needed.

    Args:
        step: the step's name, for errors.
        names: of the artifacts that it declares.
        folder: where they go; None: a temporary folder.
        in_memory: what `write` is given stays in memory while it is small.
    """

    def __init__(
        self,
        step: str,
        names: Iterable[str],
        folder: Path | None = None,
        *,
        in_memory: bool = False,
    ) -> None:
        self.step = step
        self.names = frozenset(names)
        self.folder = folder
        self._in_memory = in_memory
        self._written: dict[str, bytes | None] = {}

    def write(self, name: str, data: bytes | bytearray | memoryview | str) -> None:
        if name not in self.names:
            raise NoCell(name)
        if name in self._written or (self.folder and os.path.lexists(self._place(name))):
            raise ArtifactWrittenTwice(self.step, name)
        if not isinstance(data, bytes | bytearray | memoryview | str):
            raise NotBytes(self.step, name, data)
        given = data.encode() if isinstance(data, str) else data
        if self._in_memory and len(given) <= _SMALL:
            self._written[name] = bytes(given)
            return
        self.path(name).write_bytes(given)
        self._written[name] = None

    def path(self, name: str) -> Path:
        """The place of an artifact on disk; what was written of it is there."""
        if name not in self.names:
            raise NoCell(name)
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="findspot-cell-"))
        place = self._place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        data = self._written.get(name)
        if data is not None:
            place.write_bytes(data)
            self._written[name] = None
        return place

    def _place(self, name: str) -> Path:
        assert self.folder is not None
        # A folder for each: a name may be the first part of another one.
        return self.folder / name.replace("/", "%2F") / name

    def written(self) -> dict[str, bytes | Path]:
        """What every declared artifact is: its bytes, or a path.

        Raises:
            ArtifactNotWritten: for the first that is not there.
        """
        found: dict[str, bytes | Path] = {}
        for name in sorted(self.names):
            data = self._written.get(name)
            if data is not None:
                found[name] = data
            elif self.folder is None or not self._place(name).exists():
                raise ArtifactNotWritten(self.step, name)
            else:
                found[name] = self._place(name)
        return found

    def clear(self) -> None:
        """Forget what was written, for another try."""
        self._written.clear()
        if self.folder is not None:
            for name in self.names:
                shutil.rmtree(self.folder / name.replace("/", "%2F"), ignore_errors=True)


FILES: ContextVar[StepFiles | None] = ContextVar("findspot_step_files", default=None)
"""The files of the step that this code runs in."""


@dataclass(frozen=True)
class Artifact:
    """An artifact that a step of an experiment writes; declared as a parameter's default.

    A step that ends without having written it fails. The name stays inside the step's folder.

    Args:
        name: a file's or folder's name, perhaps with ``/`` between its parts.
        kind: one of the kinds; None: ``file`` or ``directory``.

    Raises:
        InvalidName: the name could lead elsewhere.

    >>> Artifact("model.bin").name
    'model.bin'
    """

    name: str
    kind: str | None = None

    def __post_init__(self) -> None:
        check_key(self.name, "name of an artifact")
        if self.kind is not None and self.kind not in KINDS:
            from findspot.core.errors import FindspotError

            raise FindspotError(
                f"{self.kind!r} is no kind of artifact.", how=f"Kinds are {', '.join(KINDS)}."
            )

    def write(self, data: bytes | bytearray | memoryview | str) -> None:
        """Make these bytes (text: as UTF-8) the artifact.

        Raises:
            NoCell: no step runs here that declares it.
            ArtifactWrittenTwice: it is there already.
            NotBytes: it is something else.
        """
        self._files().write(self.name, data)

    def path(self) -> Path:
        """Where to put a file or a folder of your own; the folder around it exists.

        Raises:
            NoCell: no step runs here that declares it.
        """
        return self._files().path(self.name)

    def _files(self) -> StepFiles:
        files = FILES.get()
        if files is None or self.name not in files.names:
            raise NoCell(self.name)
        return files


class BoundArtifact(Artifact):
    """An artifact as the step gets it: it knows its place in every thread that the step starts."""

    def __init__(self, artifact: Artifact, files: StepFiles) -> None:
        object.__setattr__(self, "name", artifact.name)
        object.__setattr__(self, "kind", artifact.kind)
        object.__setattr__(self, "_own", files)

    def _files(self) -> StepFiles:
        own: StepFiles = self.__dict__["_own"]
        return own


def artifacts_in(values: Mapping[str, object]) -> dict[str, Artifact]:
    """Those of the given values that are artifacts."""
    return {name: value for name, value in values.items() if isinstance(value, Artifact)}
