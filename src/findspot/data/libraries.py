"""Libraries that only some items need."""

from __future__ import annotations

from importlib.util import find_spec

from findspot.data.errors import MissingLibrary


def need(library: str, extra: str, purpose: str) -> None:
    """`MissingLibrary` where ``library`` is not there; it names the extra that brings it."""
    if not installed(library):
        raise MissingLibrary(purpose, library, f"'findspot[{extra}]'")


def installed(library: str) -> bool:
    """Whether a library could be imported; it is not imported to find out."""
    try:
        return find_spec(library) is not None
    except ValueError:  # something keeps it from being imported
        return False
