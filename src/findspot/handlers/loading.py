"""A saved version as another type, or only a part of it: what handlers offer, checked.

A handler says in `representations` which other types it can give, and in `selections` by which
names a part is asked for; both may be missing. Every version can also be had as `pathlib.Path`,
the file or folder itself, and as ``bytes`` where it is one file: these run no code.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from findspot.handlers.errors import BadSelection, CannotConvert
from findspot.handlers.hierarchy import public_name, type_name
from findspot.handlers.protocol import ArtifactHandler, LoadFolder

RAW = ("pathlib.Path", "bytes")
"""The types that every version can be loaded as, whatever saved it."""


def load_value(
    handler: ArtifactHandler,
    folder: LoadFolder,
    *,
    args: Mapping[str, Any] | None = None,
    as_type: type | str | None = None,
    python_type: str | None = None,
    what: Mapping[str, Any] | None = None,
) -> Any:
    """The value of a version, as the type and the part that were asked for.

    Args:
        args: the keyword arguments that the version was saved with.
        as_type: a class, or its full dotted name; None for the type that was saved.
        python_type: the dotted name of the saved value's class, which can always be asked for.
        what: the selection, such as ``{"columns": ["a"], "rows": slice(10, 20)}``; entries that
            are None stand for everything.

    Raises:
        CannotConvert: the version cannot be had as this type; lists those that are possible.
        BadSelection: the handler knows no such selection, or it does not fit the value.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from findspot.handlers import PlainLoadFolder, PlainSaveFolder, default_registry
    >>> text = default_registry().by_name("text")
    >>> with TemporaryDirectory() as root:
    ...     text.save("héllo", PlainSaveFolder(Path(root)))
    ...     load_value(text, PlainLoadFolder(Path(root)), as_type=bytes)
    b'h\\xc3\\xa9llo'
    """
    wanted = {name: item for name, item in (what or {}).items() if item is not None}
    known = selections_of(handler)
    for name in wanted:
        if name not in known:
            raise _unknown_selection(handler.name, name, known)
    given = args or {}
    target = None if as_type is None else dotted(as_type)
    if target is None or target == python_type:
        if not wanted:
            return handler.load(folder, **given)
        partly: Any = handler
        return partly.load_part(folder, wanted, **given)
    if target in _offered(handler):
        other: Any = handler
        try:
            return other.load_as(folder, target, wanted, **given)
        except ImportError as error:
            reason = f"{error.name or error} is not installed here"
            raise CannotConvert(
                handler.name, target, representations_of(handler), reason=reason
            ) from error
    if target in RAW and not wanted:
        return _raw(handler, folder, target)
    raise CannotConvert(handler.name, target, representations_of(handler), saved=python_type)


def representations_of(handler: ArtifactHandler) -> tuple[str, ...]:
    """Full dotted names of the types that a handler's versions can be loaded as, besides the one
    that was saved.

    >>> from findspot.handlers import default_registry
    >>> representations_of(default_registry().by_name("text"))
    ('bytes', 'pathlib.Path')
    """
    return tuple(dict.fromkeys((*sorted(_offered(handler)), *RAW)))


def selections_of(handler: ArtifactHandler) -> tuple[str, ...]:
    """The names by which a part of a handler's versions can be asked for: ``columns``, ``rows``."""
    return tuple(getattr(handler, "selections", ()))


def runs_code(handler: ArtifactHandler, as_type: type | str | None = None) -> bool:
    """Whether loading as this type may run code that the bytes name, so that it needs trust.

    Handlers that are safe may still raise `Untrusted` for some versions.
    """
    if handler.safe:
        return False
    target = None if as_type is None else dotted(as_type)
    return target not in RAW or target in _offered(handler)


def dotted(as_type: type | str) -> str:
    """The public dotted name of a class or of a name; `CannotConvert` never, TypeError if neither.

    >>> dotted(dict), dotted("pandas.core.frame.DataFrame")
    ('dict', 'pandas.DataFrame')
    """
    if isinstance(as_type, type):
        return type_name(as_type)
    if isinstance(as_type, str):
        return public_name(as_type)
    raise BadSelection(
        f"as_type is a {type_name(type(as_type))}, which is no class.",
        how="Give a class or its full dotted name: as_type='polars.DataFrame'.",
    )


def _offered(handler: ArtifactHandler) -> Sequence[str]:
    return tuple(getattr(handler, "representations", ()))


def _raw(handler: ArtifactHandler, folder: LoadFolder, target: str) -> Any:
    single = len(folder.files) == 1
    if target == "pathlib.Path":
        whole = folder.folder()
        return whole / folder.files[0].path if single else whole
    if not single:
        names = ", ".join(entry.path for entry in folder.files[:20])
        raise CannotConvert(
            handler.name,
            target,
            representations_of(handler),
            reason=f"it has {len(folder.files)} files ({names}), not one",
        )
    return folder.read(folder.files[0].path)


def _unknown_selection(handler: str, name: str, known: Sequence[str]) -> BadSelection:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    offered = (
        f"Parts of what {handler!r} saved are asked for by: {', '.join(known)}."
        if known
        else f"What {handler!r} saved can only be loaded whole."
    )
    return BadSelection(f"There is no selection {name!r} here.{hint}", how=offered)
