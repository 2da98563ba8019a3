"""What can go wrong between a value and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from findspot.core.errors import FindspotError

_EXAMPLE = """\
To save it, return a value of another type, or register a handler for it:
    class {short}Handler(Handler):
        name, types = "my.{lower}", ("{full}",)
        def save(self, value, folder): folder.write("value.bin", ...)
        def load(self, folder): return ...folder.read("value.bin")...
    default_registry().register({short}Handler)"""


class NoHandler(FindspotError):
    """No handler takes a value; lists each handler that was tried and why it did not.

    Args:
        value_type: the full dotted name of the value's class.
        tried: (handler's name, its reason) in the order of look-up.
        advice: what to do instead, where that is known; by default how to add a handler.
    """

    exit_code = 2

    def __init__(
        self,
        value_type: str,
        tried: Sequence[tuple[str, str]],
        *,
        advice: str | None = None,
        where: str | None = None,
    ) -> None:
        self.value_type, self.tried, self.advice = value_type, tuple(tried), advice
        listing = "".join(f"\n  {name}: {reason}" for name, reason in self.tried)
        short = value_type.rpartition(".")[2]
        example = _EXAMPLE.format(short=short.capitalize(), lower=short.lower(), full=value_type)
        super().__init__(
            f"No handler takes a value of type {value_type}."
            + (f" Tried:{listing}" if listing else ""),
            where=where,
            how=advice or example,
        )


class UnknownHandler(FindspotError):
    """No handler has this name, or the library that it needs is not installed.

    Args:
        near: names of handlers close to it.
        extra: the extra of Findspot that installs what the (known) handler needs.
        cause: the import error, where there was one.
    """

    exit_code = 3

    def __init__(
        self,
        name: str,
        near: Sequence[str] = (),
        *,
        extra: str | None = None,
        cause: BaseException | None = None,
    ) -> None:
        self.name, self.near, self.extra, self.cause = name, tuple(near), extra, cause
        if extra is not None:
            what = f"The handler {name!r} cannot be used here: {cause}."
            how = f"Install what it needs: pip install 'findspot[{extra}]'"
        elif cause is not None:
            what = f"The handler {name!r} cannot be imported: {type(cause).__name__}: {cause}."
            how = "Mend or uninstall the package that provides it."
        else:
            what = f"There is no handler {name!r}."
            how = (
                f"Did you mean {', '.join(self.near)}?"
                if near
                else "Register it, load the plugin that holds it, or see the names that exist: "
                "default_registry().names()"
            )
        super().__init__(what, how=how)


class InvalidHandler(FindspotError):
    """A class that was registered as a handler is none; every mistake in it is listed."""

    exit_code = 2

    def __init__(self, handler: str, mistakes: Sequence[str]) -> None:
        self.handler, self.mistakes = handler, tuple(mistakes)
        listing = "".join(f"\n  {mistake}" for mistake in self.mistakes)
        super().__init__(
            f"{handler} is no handler:{listing}",
            how="A handler has `types` (classes or full dotted names), "
            "`save(self, value, folder)` and `load(self, folder)`; "
            "findspot.handlers.Handler gives the rest.",
        )


class HandlerFailed(FindspotError):
    """A handler raised while it saved, loaded or described a value; nothing was recorded.

    ``__cause__`` and `cause` are what it raised.
    """

    def __init__(self, handler: str, action: str, cause: BaseException) -> None:
        self.handler, self.action, self.cause = handler, action, cause
        super().__init__(
            f"The handler {handler!r} could not {action} the value: "
            f"{type(cause).__name__}: {cause}",
            how="The traceback above shows the place in the handler's code.",
        )


class BadValue(FindspotError):
    """A value cannot be saved as it is: a cycle, a missing file, a link that leads outside ..."""

    exit_code = 2


class BadFiles(FindspotError):
    """The files of a version are not what its handler writes (bytes made by something else)."""


class CannotConvert(FindspotError):
    """A version cannot be loaded as the type that was asked for; lists the possible ones.

    Args:
        handler: the name of the handler that saved it.
        as_type: full dotted name of the type that was asked for.
        possible: full dotted names of the types that can be.
        saved: full dotted name of the type that was saved, where it is known.
        reason: why this very version cannot, where its handler can in general.
    """

    exit_code = 2

    def __init__(
        self,
        handler: str,
        as_type: str,
        possible: Sequence[str],
        *,
        saved: str | None = None,
        reason: str | None = None,
    ) -> None:
        self.handler, self.as_type, self.possible = handler, as_type, tuple(possible)
        self.saved, self.reason = saved, reason
        what = f"What {handler!r} saved cannot be loaded as {as_type}"
        others = [name for name in self.possible if name != as_type or reason is None]
        if saved is not None:
            others.insert(0, f"{saved} (as it was saved)")
        super().__init__(
            f"{what}: {reason}." if reason else f"{what}.",
            how=f"It can be loaded as: {', '.join(others)}.",
        )


class BadSelection(FindspotError):
    """The part of a value that was asked for does not exist: a column, a range, a file ..."""

    exit_code = 2


class Untrusted(FindspotError):
    """Loading would run code that the bytes name, and the trust policy does not allow it.

    Args:
        types: the types or functions that the bytes ask for.
    """

    exit_code = 7

    def __init__(
        self,
        what: str,
        types: Sequence[str] = (),
        how: str | None = None,
        *,
        where: str | None = None,
    ) -> None:
        self.types = tuple(types)
        listing = "".join(f"\n  {name}" for name in self.types)
        super().__init__(
            what + (f" It asks for:{listing}" if listing else ""),
            where=where,
            how=how or "Load it as trusted only if you know who made it.",
        )


class ClassNotFound(FindspotError):
    """The class of a saved object cannot be found; its plain fields are in `fields`.

    Args:
        name: ``module:qualname`` of the class.
        fields: field name to value, so that the data is not lost.
    """

    exit_code = 3

    def __init__(self, name: str, reason: str, fields: Mapping[str, Any]) -> None:
        self.name, self.reason, self.fields = name, reason, dict(fields)
        module = name.partition(":")[0]
        if module == "__main__":
            how = (
                "It was defined in the script or notebook that saved it: define it there again "
                "before loading, or move it to a module. "
            )
        else:
            how = f"Make the module {module!r} importable here (install it, or set PYTHONPATH). "
        super().__init__(
            f"The class {name} of the saved object cannot be found: {reason}",
            how=how + "The plain fields are a dict in this error's attribute `fields`.",
        )
