"""`Handler`: a base class for handlers, with a default for everything but `save` and `load`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from findspot.core.records import Preview
from findspot.handlers.protocol import LoadFolder, SaveFolder

if TYPE_CHECKING:
    from findspot.handlers.registry import HandlerRegistry

PREVIEW_TEXT = 4096
"""The most characters that a built-in handler puts into a text preview."""


class Handler:
    """Saves and loads one family of Python types; derive from it and write `save` and `load`.

    Without a `name` of its own a class is called by its module and qualified name; a version's
    record holds that name, so a class that may move should set one.

    >>> class Celsius:
    ...     def __init__(self, degrees: float) -> None:
    ...         self.degrees = degrees
    >>> class CelsiusHandler(Handler):
    ...     types = (Celsius,)
    ...     def save(self, value, folder):
    ...         folder.write("degrees.txt", repr(value.degrees).encode())
    ...     def load(self, folder):
    ...         return Celsius(float(folder.read("degrees.txt")))
    >>> from findspot.handlers import round_trip
    >>> round_trip(Celsius(21.5), CelsiusHandler).degrees
    21.5
    """

    name: ClassVar[str] = ""
    types: ClassVar[Sequence[type | str]] = ()
    kind: ClassVar[str] = "value"
    deterministic: ClassVar[bool] = True
    safe: ClassVar[bool] = True

    representations: ClassVar[Sequence[str]] = ()
    """Full dotted names of the other types that `load_as` gives."""

    selections: ClassVar[Sequence[str]] = ()
    """The names by which `load_part` and `load_as` are asked for a part."""

    renditions: ClassVar[Sequence[str]] = ()
    """Files that are drawn from the others where that can be done: two versions that differ only in
    them are equal."""

    registry: HandlerRegistry | None = None
    """The registry that made this instance, for handlers of values that hold other values."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = f"{cls.__module__}.{cls.__qualname__}"

    def accepts(self, value: Any) -> bool:
        """True: every value of its types."""
        return True

    def why_not(self, value: Any) -> str:
        """The reason why `accepts` said no, for the error that lists what was tried."""
        return "it does not take this value"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        raise NotImplementedError(f"{self.name} has no save")

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        raise NotImplementedError(f"{self.name} has no load")

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        """The value as another type; called only for those in `representations`."""
        raise NotImplementedError(f"{self.name} has no load_as")

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """A part of the value; called only with names in `selections`, at least one."""
        raise NotImplementedError(f"{self.name} has no load_part")

    def describe(self, value: Any) -> Mapping[str, Any]:
        """No metadata."""
        return {}

    def preview(self, value: Any) -> Preview | None:
        """None."""
        return None


def text_preview(text: str, limit: int = PREVIEW_TEXT) -> Preview:
    """``text`` as a plain-text preview, cut to ``limit`` characters (with an ellipsis)."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return Preview("text/plain", text.encode("utf-8", "replace"))
