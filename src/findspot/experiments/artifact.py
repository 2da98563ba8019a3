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
from findspot.experiments.errors import ArtifactNotWritten, ArtifactWrittenTwice, NoCell


class StepFiles:
    """Where one step's artifacts go while it runs: a folder that is made at the first write.

    Args:
        step: the step's name, for errors.
        folder: where to make the folder; None: a temporary one.
        names: of the artifacts that it declares.
    """

    def __init__(self, step: str, names: Iterable[str], folder: Path | None = None) -> None:
        self.step = step
        self.names = frozenset(names)
        self.folder = folder
        self._written: set[str] = set()

    def write(self, name: str, data: bytes | bytearray | memoryview | str) -> None:
        path = self.path(name)
        if name in self._written or os.path.lexists(path):
            raise ArtifactWrittenTwice(self.step, name)
        self._written.add(name)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def path(self, name: str) -> Path:
        if name not in self.names:
            raise NoCell(name)
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="findspot-cell-"))
        # A folder for each: a name may be the first part of another one.
        place = self.folder / name.replace("/", "%2F") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def written(self) -> dict[str, Path]:
        """The path of every declared artifact.

        Raises:
            ArtifactNotWritten: for the first that is not there.
        """
        found = {name: self.path(name) for name in sorted(self.names)}
        for name, path in found.items():
            if not path.exists():
                raise ArtifactNotWritten(self.step, name)
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
