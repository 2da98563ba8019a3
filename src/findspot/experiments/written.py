"""Bytes that a step wrote, on their way to the store without a file between.

They are saved as a file is: under their name, by the handler of files, so that nobody who reads the
version can tell the difference.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
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


class WrittenFile:
    """A file that is only in memory.

    Its version is recorded as one of a path, which is what loading it gives.
    """

    __slots__ = ("data", "name")

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data


WrittenFile.__module__, WrittenFile.__qualname__ = "pathlib", "Path"


class WrittenFileHandler(FileHandler):
    """Saves what is in memory just as if it were in a file."""

    name = FileHandler.name

    def accepts(self, value: Any) -> bool:
        return type(value) is WrittenFile

    def save(self, value: WrittenFile, folder: SaveFolder, /, **args: Any) -> None:
        folder.write(value.name, value.data)

    def describe(self, value: WrittenFile) -> Mapping[str, Any]:
        described: dict[str, Any] = {"file_name": value.name, "bytes": len(value.data)}
        media_type = _media_type(value.name)
        return described | ({"media_type": media_type} if media_type else {})

    def preview(self, value: WrittenFile) -> Preview | None:
        head = value.data[:_PREVIEWED]
        try:
            text = head.decode()
        except UnicodeDecodeError:
            return None
        return None if "\0" in text else Preview("text/plain", head)


@lru_cache(maxsize=256)
def _media_type(name: str) -> str | None:
    import mimetypes

    return mimetypes.guess_type(name)[0]


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
        if self.handler is None and type(value) is WrittenFile:
            return _HANDLER
        return SavePlan.chosen(self, space, value)

    def saved(self, space: ArtifactSpace, new: NewVersion) -> None:
        """Write the file of the view while others still work. Where that fails it is written at the
        end, which says why it cannot be."""
        if self.view:
            with contextlib.suppress(Exception):
                write_anew(space, new.record, new.files, self.view)
