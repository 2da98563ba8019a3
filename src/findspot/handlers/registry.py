"""Which handler takes a value: exact type, its bases in order, predicates, then the fallback."""

from __future__ import annotations

import copy
import difflib
import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING, Any

from findspot.core.errors import FindspotError
from findspot.handlers.builtin import BUILTINS, FALLBACK, Builtin
from findspot.handlers.errors import HandlerFailed, InvalidHandler, NoHandler, UnknownHandler
from findspot.handlers.handler import Handler
from findspot.handlers.hierarchy import public_name, type_name
from findspot.handlers.protocol import ArtifactHandler

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "findspot.handlers"
_MEMO_SIZE = 4096


class _Source:
    """A registered handler; a built-in one is imported when it is first needed."""

    __slots__ = ("_make", "extra", "handler", "name", "types")

    def __init__(
        self,
        name: str,
        types: tuple[str, ...],
        make: Callable[[], ArtifactHandler],
        *,
        extra: str | None = None,
        handler: ArtifactHandler | None = None,
    ) -> None:
        self.name, self.types, self.extra = name, types, extra
        self.handler, self._make = handler, make

    def load(self) -> ArtifactHandler:
        if self.handler is None:
            try:
                self.handler = self._make()
            except ImportError as error:
                raise UnknownHandler(self.name, extra=self.extra, cause=error) from error
        return self.handler


class HandlerRegistry:
    """Finds the handler of a value or of a name; never imports a library in order to ask.

    Look-up goes by full dotted names: the value's own class, then its bases in the order of method
    resolution, then handlers without types (predicates), then pickle. Among handlers of one type
    the newest registered is asked first, so that yours come before built-in ones.

    Installed packages may offer handlers under the entry point group ``findspot.handlers``. For a
    type they come after the registered handlers of that type, and before those of its bases. They
    are loaded once, when the registered handlers of a value's own class do not take it. One that
    cannot be loaded is warned of, and named wherever a handler is missed.

    All methods may be called from any thread.

    Args:
        builtins: whether the built-in handlers are in it.
        plugins: whether handlers of installed packages (entry points) are looked for.
    """

    def __init__(self, *, builtins: bool = True, plugins: bool = True) -> None:
        self._lock = RLock()
        self._names: dict[str, _Source] = {}
        self._typed: dict[str, tuple[_Source, ...]] = {}
        self._predicates: tuple[_Source, ...] = ()
        self._fallback: _Source | None = None
        self._memo: dict[type, tuple[_Source, ...]] = {}
        self._plugins_pending = plugins
        self._loading = False
        self._broken: dict[str, BaseException] = {}
        if builtins:
            for entry in BUILTINS:
                if entry.only_by_name:
                    self._names[entry.name] = self._builtin(entry)
                else:
                    self._add(self._builtin(entry))
            self._fallback = self._builtin(FALLBACK)
            self._names[FALLBACK.name] = self._fallback

    def register(self, handler: type[Any] | ArtifactHandler | Handler) -> ArtifactHandler:
        """Add a handler: a class (derived from `Handler` or not), or an instance; returns the
        instance that will be used.

        A handler of the same name is replaced for `by_name`. Raises `InvalidHandler`.
        """
        made = self._adapt(handler)
        types = tuple(_dotted(entry) for entry in made.types)
        with self._lock:
            self._add(_Source(made.name, types, lambda: made, handler=made))
        return made

    def for_value(self, value: Any) -> ArtifactHandler:
        """The handler that takes ``value``; `NoHandler` says what was tried."""
        kind = type(value)
        sources = self._memo.get(kind)
        if sources is None:
            sources = self._of_type(kind)
        source = None
        try:
            for source in sources:
                handler = source.handler
                if handler is None:
                    handler = source.load()
                if handler.accepts(value):
                    return handler
            if self._plugins_pending and self._load_plugins():
                return self.for_value(value)
            for source in self._untyped():
                handler = source.load()
                if handler.accepts(value):
                    return handler
        except FindspotError as error:
            if not isinstance(error, UnknownHandler) or self._names.get(error.name) is not source:
                raise
            advice = f"{error.how}\nor save it as pickle on purpose: handler='pickle'"
            raise NoHandler(type_name(kind), [(error.name, error.what)], advice=advice) from error
        except Exception as error:
            name = source.name if source is not None else "?"
            raise HandlerFailed(name, "look at", error) from error
        raise NoHandler(type_name(kind), self.tried(value), advice=_advice(self._fallback, value))

    def for_type(self, dotted_name: str) -> ArtifactHandler | None:
        """The handler that is asked first for a type of this full name, None if there is none.

        Bases are not known from a name alone. `UnknownHandler` if its library is missing.
        """
        found = self._typed.get(public_name(dotted_name))
        if found is None:
            self._load_plugins()
            found = self._typed.get(public_name(dotted_name))
        return found[0].load() if found else None

    def by_name(self, name: str) -> ArtifactHandler:
        """The handler of this name, as a version's record holds it; `UnknownHandler` if none."""
        source = self._names.get(name)
        if source is None:
            self._load_plugins()
            source = self._names.get(name)
        if source is None:
            for entry, cause in self._broken.items():
                if entry == name or name.startswith(f"{entry}."):
                    raise UnknownHandler(name, cause=cause) from cause
            near = difflib.get_close_matches(name, self._names, n=3)
            raise UnknownHandler(name, near)
        return source.load()

    def names(self) -> tuple[str, ...]:
        """The names of all handlers, sorted; built-in ones also if their library is missing."""
        self._load_plugins()
        return tuple(sorted(self._names))

    def tried(self, value: Any) -> list[tuple[str, str]]:
        """(name, reason) of each handler that was asked for ``value`` and said no."""
        tried = []
        for source in (*self._of_type(type(value)), *self._untyped()):
            handler = source.load()
            if not handler.accepts(value):
                reason = getattr(handler, "why_not", None)
                text = reason(value) if reason is not None else "it does not take this value"
                tried.append((source.name, text))
        tried += [
            (name, f"its package could not be loaded: {type(cause).__name__}: {cause}")
            for name, cause in self._broken.items()
        ]
        return tried

    def copy(self) -> HandlerRegistry:
        """A registry with the same handlers, to which others can be added (a plugin's)."""
        other = HandlerRegistry(builtins=False, plugins=False)
        with self._lock:
            seen: dict[int, _Source] = {}

            def again(source: _Source) -> _Source:
                made = seen.get(id(source))
                if made is None:
                    made = seen[id(source)] = other._again(source)
                return made

            other._names = {name: again(source) for name, source in self._names.items()}
            other._typed = {name: tuple(map(again, found)) for name, found in self._typed.items()}
            other._predicates = tuple(map(again, self._predicates))
            other._fallback = None if self._fallback is None else again(self._fallback)
            other._plugins_pending = self._plugins_pending
            other._broken = dict(self._broken)
        return other

    # ------------------------------------------------------------------ inside

    def _again(self, source: _Source) -> _Source:
        handler = source.handler
        if handler is None or isinstance(handler, Handler):
            # An instance knows its registry, so the copy needs one of its own.
            def make() -> ArtifactHandler:
                return self._adopt(copy.copy(source.load()))

            return _Source(source.name, source.types, make, extra=source.extra)
        return _Source(source.name, source.types, lambda: handler, handler=handler)

    def _untyped(self) -> tuple[_Source, ...]:
        fallback = self._fallback
        return self._predicates if fallback is None else (*self._predicates, fallback)

    def _add(self, source: _Source, *, last: bool = False) -> None:
        self._names[source.name] = source
        for name in dict.fromkeys(source.types):
            self._typed[name] = _placed(source, self._typed.get(name, ()), last)
        if not source.types:
            self._predicates = _placed(source, self._predicates, last)
        self._memo = {}

    def _of_type(self, kind: type) -> tuple[_Source, ...]:
        """The handlers to ask; only those of the class itself while the plugins are not loaded."""
        found: dict[int, _Source] = {}
        pending = self._plugins_pending and not self._loading
        for base in kind.__mro__[:1] if pending else kind.__mro__:
            for source in self._typed.get(type_name(base), ()):
                found.setdefault(id(source), source)
        memo = self._memo
        if len(memo) >= _MEMO_SIZE:
            memo.clear()
        sources = memo[kind] = tuple(found.values())
        return sources

    def _builtin(self, entry: Builtin) -> _Source:
        def make() -> ArtifactHandler:
            module, _, attribute = entry.target.partition(":")
            made: ArtifactHandler = getattr(import_module(module), attribute)()
            return self._adopt(made)

        return _Source(entry.name, entry.types, make, extra=entry.extra)

    def _adopt(self, handler: ArtifactHandler) -> ArtifactHandler:
        if isinstance(handler, Handler):
            handler.registry = self
        return handler

    def _adapt(self, handler: type[Any] | ArtifactHandler | Handler) -> ArtifactHandler:
        cls = handler if isinstance(handler, type) else type(handler)
        full = f"{cls.__module__}.{cls.__qualname__}"
        mistakes = _mistakes(cls if isinstance(handler, type) else handler)
        if mistakes:
            raise InvalidHandler(full, mistakes)
        if not isinstance(handler, type):
            return self._adopt(handler)
        if not issubclass(handler, Handler):
            body = {
                "__module__": cls.__module__,
                "__qualname__": cls.__qualname__,
                "__doc__": cls.__doc__,
                "name": getattr(cls, "name", full),
            }
            handler = type(cls.__name__, (cls, Handler), body)
        made: ArtifactHandler = handler()
        return self._adopt(made)

    def _load_plugins(self) -> bool:
        """Load them if that is still to be done; False for a package that asks for a handler while
        it is being loaded itself."""
        with self._lock:
            if self._loading:
                return False
            if self._plugins_pending:
                # 15 ms, which programs without values of unknown types need not spend.
                from importlib.metadata import entry_points

                self._loading = True
                try:
                    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name):
                        self._load_plugin(entry)
                finally:
                    self._loading = False
                self._memo = {}
                self._plugins_pending = False
        return True

    def _load_plugin(self, entry: EntryPoint) -> None:
        try:
            made = self._adapt(entry.load())
        except Exception as error:  # whatever a package raises, the others' handlers still work
            self._broken[entry.name] = error
            package = "" if entry.dist is None else f" of the package {entry.dist.name}"
            warnings.warn(
                f"The handler {entry.name!r}{package} ({entry.value}) cannot be loaded: "
                f"{type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=4,
            )
            return
        if made.name not in self._names:
            types = tuple(_dotted(each) for each in made.types)
            self._add(_Source(made.name, types, lambda: made, handler=made), last=True)


def _placed(source: _Source, others: tuple[_Source, ...], last: bool) -> tuple[_Source, ...]:
    others = tuple(other for other in others if other.name != source.name)
    return (*others, source) if last else (source, *others)


@cache
def default_registry() -> HandlerRegistry:
    """The registry that workspaces use unless they are given another; made when first asked for."""
    return HandlerRegistry()


def _dotted(entry: type | str) -> str:
    return type_name(entry) if isinstance(entry, type) else public_name(entry)


def _mistakes(handler: object) -> Sequence[str]:
    mistakes = []
    for method in ("save", "load"):
        found = getattr(handler, method, None)
        if not callable(found) or getattr(Handler, method) is found:
            mistakes.append(f"it has no method `{method}`")
    types = getattr(handler, "types", None)
    if types is None or isinstance(types, str) or not hasattr(types, "__iter__"):
        mistakes.append("its `types` is no tuple of classes or full dotted names")
    else:
        mistakes += [
            f"its `types` hold {entry!r}, which is neither a class nor a name"
            for entry in types
            if not isinstance(entry, type | str)
        ]
        if not types and not callable(getattr(handler, "accepts", None)):
            mistakes.append("it has neither `types` nor a method `accepts`")
    if isinstance(handler, type):
        if inspect.isabstract(handler):
            mistakes.append("it is abstract")
    else:
        for attribute in ("name", "kind", "accepts", "describe", "preview"):
            if not hasattr(handler, attribute):
                mistakes.append(f"the instance has no `{attribute}`; register its class instead")
    return mistakes


def _advice(fallback: _Source | None, value: Any) -> str | None:
    handler = None if fallback is None else fallback.load()
    advice = getattr(handler, "advice", None)
    return advice(value) if advice is not None else None
