"""Bytes that a step wrote, on their way to the store without a file between.

They are saved as a file is: under their name, by the handler of files, so that nobody who reads the
version can tell the difference.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from findspot.core.pickling import quick_to_pickle
from findspot.core.records import Preview
from findspot.engine.calls import SavePlan
from findspot.experiments.view import write_anew
from findspot.handlers.paths import FileHandler
from findspot.handlers.protocol import ArtifactHandler, SaveFolder

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.catalog.protocol import NewVersion

_PREVIEWED = 2000

_held: dict[Path, bytes] = {}
_number = itertools.count()
_FOLDER = f"/findspot-in-memory/{secrets.token_hex(8)}"


def hold(name: str, data: bytes) -> Path:
    """A path that stands for these bytes in this process, until `release`; no file is there."""
    path = Path(f"{_FOLDER}/{next(_number)}/{name}")
    _held[path] = data
    return path


def release(path: Path) -> None:
    """The bytes are saved, or wanted no more."""
    _held.pop(path, None)


class WrittenFileHandler(FileHandler):
    """Saves files, and what is held in memory just as if it were in a file."""

    name = FileHandler.name

    def accepts(self, value: Any) -> bool:
        return value in _held or super().accepts(value)

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        data = _held.get(value)
        if data is None:
            super().save(value, folder, **args)
        else:
            folder.write(value.name, data)

    def describe(self, value: Any) -> Mapping[str, Any]:
        data = _held.get(value)
        if data is None:
            return super().describe(value)
        import mimetypes

        described: dict[str, Any] = {"file_name": value.name, "bytes": len(data)}
        media_type = mimetypes.guess_type(value.name)[0]
        return described | ({"media_type": media_type} if media_type else {})

    def preview(self, value: Any) -> Preview | None:
        data = _held.get(value)
        if data is None:
            return super().preview(value)
        head = data[:_PREVIEWED]
        try:
            text = head.decode()
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else Preview("text/plain", head)


_HANDLER = cast("ArtifactHandler", WrittenFileHandler())


@quick_to_pickle
@dataclass(frozen=True, slots=True)
class ArtifactSave(SavePlan):
    """How an artifact that a step wrote is saved.

    Args:
        view: the file in the run's readable view; "": it is written when all cells have ended.
    """

    view: str = ""

    def chosen(self, space: ArtifactSpace, value: Any) -> ArtifactHandler:
        if self.handler is None and isinstance(value, Path) and value in _held:
            return _HANDLER
        return SavePlan.chosen(self, space, value)

    def saved(self, space: ArtifactSpace, new: NewVersion) -> None:
        """Write the file of the view while others still work. Where that fails it is written at the
        end, which says why it cannot be."""
        if self.view:
            with contextlib.suppress(Exception):
                write_anew(space, new.record, new.files, self.view)
