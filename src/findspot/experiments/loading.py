"""How the artifact of another experiment becomes the datum of a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.digests import Digest
from findspot.core.errors import FindspotError
from findspot.engine.code.fingerprint import fingerprint

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


@dataclass(frozen=True)
class Loader:
    """Turns a version into what the steps are given; lambdas travel to worker processes too.

    Args:
        how: None: a read-only path. ``"value"``: what the version's own handler loads. A function:
            what it makes of the path.
    """

    how: Callable[[Path], Any] | str | None = None

    def __post_init__(self) -> None:
        if self.how is not None and self.how != "value" and not callable(self.how):
            raise FindspotError(
                f"{self.how!r} says not how to load an artifact.",
                how='Leave it out for a path, or give "value" or a function of the path.',
            )

    def load(self, space: ArtifactSpace, uid: str) -> Any:
        """The datum; a running job notes that it read the version."""
        version = space.get_artifact(uid)
        if self.how == "value":
            return version.load()
        path = version.path()
        return self.how(path) if callable(self.how) else path

    def code(self) -> Digest | str:
        """What changes when it loads in another way."""
        return fingerprint(self.how).digest if callable(self.how) else str(self.how)
