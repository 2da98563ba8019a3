"""Which place a URL or a path means; its module is imported only now."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.errors import FindspotError
from findspot.data.errors import UnknownScheme
from findspot.data.local_files import LocalSource, path_of_url
from findspot.data.protocol import Source
from findspot.data.urls import SCHEMES, check_url, scheme_of, without_secrets

_CONTROL = re.compile(r"[\x01-\x1f\x7f]")
"""What file names may hold, and URLs may not."""

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace


def source_of(
    url: str | os.PathLike[str], space: ArtifactSpace | None, project: str | None
) -> Source:
    """The source behind a URL or a path; arguments as `get_dataitem`."""
    given: Any = url
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise FindspotError(f"{given!r} is neither a URL nor a path.", how="Give one as text.")
    text = os.fsdecode(url)
    scheme = scheme_of(text) if isinstance(url, str) else None
    if scheme is None:
        check_url(_CONTROL.sub("_", text))
        return LocalSource(Path(text))
    check_url(text)
    if scheme == "file":
        return LocalSource(path_of_url(text))
    if scheme in ("http", "https"):
        from findspot.data.http_files import HttpSource

        return HttpSource(text)
    if scheme in ("s3", "gs", "az", "memory"):
        from findspot.data.object_stores import ObjectSource

        return ObjectSource(scheme, text)
    if scheme == "store":
        from findspot.data.store_items import StoreSource

        return StoreSource(text, space, project)
    raise UnknownScheme(without_secrets(text), scheme, SCHEMES)
