"""Types as YAML writes them: definitions under names, and expressions where a type is wanted.

A definition under a name is nothing at all or ``{is_a: other}`` (a simple type), or a structure:
``{list: T}``, ``{tuple: [T, U]}``, ``{mapping: {property: T}}``, ``{mapping: [string, T]}``,
``{union: [T, U]}``. Expressions are names or unnamed structures. Names are those of the document,
the builtin ones (``string integer number boolean null any``), Python's for the same
(``str int float bool``), ``unknown`` for what is not to be checked, and Python classes by full name
or as people call them (``numpy.ndarray``, ``np.ndarray``, ``ndarray``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from findspot.core.types import (
    ANY,
    BOOLEAN,
    BUILTINS,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    UNKNOWN,
    Builtin,
    ListOf,
    MappingOf,
    Record,
    Simple,
    TupleOf,
    Type,
    Union,
)
from findspot.graph.classes import find_class, well_known_names
from findspot.graph.paths import child
from findspot.graph.yaml_reading import Reading, describe
from findspot.graph.yaml_source import Node

RESERVED: Mapping[str, Type] = {**BUILTINS, UNKNOWN.name: UNKNOWN}
"""Names that a document cannot give to types of its own."""

_PYTHON_NAMES: Mapping[str, Type] = {
    "str": STRING,
    "int": INTEGER,
    "float": NUMBER,
    "bool": BOOLEAN,
    "None": NULL,
    "object": ANY,
    "list": ListOf(UNKNOWN),
    "dict": MappingOf(UNKNOWN, UNKNOWN),
}
_STRUCTURES = ("list", "tuple", "mapping", "union")
_SHAPES = (
    "a type's name, {list: T}, {tuple: [T, U]}, {mapping: {key: T}}, {mapping: [string, T]} "
    "or {union: [T, U]}"
)


class TypeNames:
    """The types that a document may name, resolved as they are asked for.

    Args:
        reading: takes the problems.
        seen: simple types in the signatures of the tasks at hand, which short names may mean.
    """

    def __init__(self, reading: Reading, seen: Iterable[Simple] = ()) -> None:
        self._reading = reading
        self._seen = tuple(seen)
        self._seen_by_name = {known.name: known for known in self._seen}
        self._definitions: dict[str, tuple[Node, str, int]] = {}
        self._classes: dict[str, tuple[Node, str, int]] = {}
        self._done: dict[str, Type] = {}
        self._doing: list[str] = []
        self._found: dict[str, Type] = {}

    def declare(self, types: Node | None, classes: Node | None) -> dict[str, Type]:
        """Take the sections ``types`` and ``classes``; the types that the first one declares."""
        reading = self._reading
        if types is not None:
            for name, node, path, line in reading.named(types, "$.types", "The types"):
                if name in RESERVED:
                    reading.problem(
                        path,
                        line,
                        f"{name!r} is the name of a builtin type.",
                        hint="Give your type another name.",
                    )
                elif not name or "$" in name:
                    reading.problem(path, line, f"{name!r} is no name for a type.")
                else:
                    self._definitions[name] = (node, path, line)
        if classes is not None:
            for name, node, path, line in reading.named(classes, "$.classes", "The classes"):
                self._classes[name] = (node, path, line)
        declared = {name: self._declared(name) for name in self._definitions}
        for name in self._classes:
            self._class(name)
        return declared

    def read(self, node: Node, path: str) -> Type:
        """The type that a node stands for; `UNKNOWN`, and a problem, where it cannot be told."""
        value = node.value
        if isinstance(value, str):
            return self._name(value, path, node.line)
        if isinstance(value, dict) and len(value) == 1:
            (key,) = value
            if key in _STRUCTURES:
                return self._structure(str(key), value[key], child(path, key), None)
        hint = ""
        if value is None:
            hint = "Put 'null' in quotes for the type of nothing, or write unknown."
        elif isinstance(value, dict) and "is_a" in value:
            hint = "Declare it under a name in the section types."
        elif isinstance(value, dict):
            near = [self._reading.near(str(key), _STRUCTURES) for key in value]
            hint = next(filter(None, near), "")
        self._reading.problem(
            path, node.line, "This is no type.", expected=_SHAPES, found=describe(node), hint=hint
        )
        return UNKNOWN

    def _name(self, name: str, path: str, line: int) -> Type:
        found = self._known(name)
        if found is not None:
            return found
        classes = find_class(name, self._seen)
        if len(classes) == 1:
            self._found[name] = classes[0]
            return classes[0]
        if not classes:
            own = self._plugin_class(name)
            if own is not None:
                return own
        else:
            self._reading.problem(
                path,
                line,
                f"The type name {name!r} may mean several classes.",
                found=", ".join(map(str, classes)),
                hint="Write the full name.",
            )
            return UNKNOWN
        options = dict.fromkeys(
            [*self._definitions, *BUILTINS, *self._seen_by_name, *well_known_names()]
        )
        hint = self._reading.near(name, options)
        if any(mark in name for mark in "[|"):
            hint = "Write it as YAML: {list: T}, {mapping: [string, T]}, {union: [T, U]}."
        self._reading.problem(
            path,
            line,
            f"There is no type {name!r}.",
            found=f"the text {name[:80]!r}",
            hint=hint or f"Declare it under types, as '{name[:40]}:' with nothing after it.",
        )
        return UNKNOWN

    def _plugin_class(self, name: str) -> Simple | None:
        """The one class of a plugin with that last name; such have no name to import."""
        found = [
            known
            for known in self._seen
            if known.python is None and known.name.rpartition(".")[2] == name
        ]
        return found[0] if len(found) == 1 else None

    def _known(self, name: str) -> Type | None:
        if name in RESERVED:
            return RESERVED[name]
        if name in self._definitions:
            return self._declared(name)
        seen = self._seen_by_name.get(name)
        if seen is not None:  # the source knows more of a class than a document says
            return seen
        if name in self._classes:
            return self._class(name)
        return _PYTHON_NAMES.get(name) or self._found.get(name)

    def _declared(self, name: str) -> Type:
        done = self._done.get(name)
        if done is not None:
            return done
        node, path, line = self._definitions[name]
        if name in self._doing:
            circle = [*self._doing[self._doing.index(name) :], name]
            self._reading.problem(
                path,
                line,
                f"The type {name!r} is defined by itself.",
                found=" -> ".join(circle),
                hint="Break the circle; types cannot be recursive.",
            )
            self._done[name] = UNKNOWN
            return UNKNOWN
        self._doing.append(name)
        found = self._definition(name, node, path)
        self._doing.pop()
        # A circle's members keep the problem, and are not checked further.
        return self._done.setdefault(name, found)

    def _definition(self, name: str, node: Node, path: str) -> Type:
        value = node.value
        if value is None:
            python = self._class_of(name)
            own = self._plugin_class(name) if python is None else None
            return own or Simple(name, python=python)
        if isinstance(value, dict):
            if value.keys() & {"is_a", "class"}:
                self._reading.known_keys(node, path, ("is_a", "class"), "A simple type")
                parents = value.get("is_a")
                python = self._class_of(name)
                if "class" in value:
                    python = self._class_name(value["class"], child(path, "class"))
                return Simple(
                    name,
                    () if parents is None else self._parents(parents, child(path, "is_a")),
                    python,
                )
            if len(value) == 1:
                (key,) = value
                if key in _STRUCTURES:
                    return self._structure(str(key), value[key], child(path, key), name)
        hint = ""
        if isinstance(value, str):
            hint = f"Write {{is_a: {value[:80]}}} for a kind of it."
        self._reading.problem(
            path,
            node.line,
            f"The definition of the type {name!r} cannot be read.",
            expected="nothing, {is_a: other}, {list: T}, {tuple: [T, U]}, {mapping: {key: T}}, "
            "{mapping: [string, T]} or {union: [T, U]}",
            found=describe(node),
            hint=hint,
        )
        return UNKNOWN

    def _class_of(self, name: str) -> str | None:
        found = find_class(name, self._seen)
        return found[0].python if len(found) == 1 else None

    def _class_name(self, node: Node, path: str) -> str | None:
        if node.value is None:
            return None
        text = self._reading.text(node, path, "The name of a Python class")
        return None if text is None else (self._class_of(text) or text)

    def _parents(self, node: Node, path: str) -> tuple[Simple | Builtin, ...]:
        nodes = node.value if isinstance(node.value, list) else [node]
        parents: list[Simple | Builtin] = []
        for index, item in enumerate(nodes):
            place = child(path, index) if item is not node else path
            if not isinstance(item.value, str):
                self._reading.text(item, place, "is_a")
                continue
            parent = self._name(item.value, place, item.line)
            if isinstance(parent, Simple):
                parents.append(parent)
            elif isinstance(parent, Builtin):
                if parent is not UNKNOWN:
                    parents.append(parent)
            else:
                self._reading.problem(
                    place,
                    item.line,
                    f"A simple type cannot be a kind of {parent}, which is a structure.",
                    expected="a simple or builtin type",
                )
        return tuple(parents)

    def _class(self, name: str) -> Type:
        done = self._done.get(name)
        if done is not None:
            return done
        node, path, line = self._classes[name]
        if name in self._doing:
            self._reading.problem(path, line, f"The class {name!r} is below itself.")
            return UNKNOWN
        self._doing.append(name)
        python: str | None = name
        parents: tuple[Simple | Builtin, ...] = ()
        if isinstance(node.value, dict):
            self._reading.known_keys(node, path, ("is_a", "class"), "A class")
            if "is_a" in node.value:
                parents = self._parents(node.value["is_a"], child(path, "is_a"))
            if "class" in node.value:
                python = self._class_name(node.value["class"], child(path, "class"))
        elif node.value is not None:
            parents = self._parents(node, path)
        self._doing.pop()
        return self._done.setdefault(name, Simple(name, parents, python))

    def _structure(self, kind: str, node: Node, path: str, name: str | None) -> Type:
        value = node.value
        reading = self._reading
        if kind == "list":
            return ListOf(self.read(node, path), name)
        if kind == "mapping":
            if isinstance(value, dict):
                entries = reading.named(node, path, "A mapping's properties")
                return Record(
                    {key: self.read(item, place) for key, item, place, _ in entries}, name
                )
            if isinstance(value, list) and len(value) == 2:
                return self._free_mapping(value, path, name)
            reading.problem(
                path,
                node.line,
                "A mapping type has its properties, or the types of its keys and values.",
                expected="{mapping: {key: T}} or {mapping: [string, T]}",
                found=describe(node),
            )
            return MappingOf(UNKNOWN, UNKNOWN, name)
        if not isinstance(value, list):
            reading.problem(
                path,
                node.line,
                f"The members of a {kind} must be a list.",
                expected=f"{{{kind}: [T, U]}}",
                found=describe(node),
            )
            return UNKNOWN
        members = tuple(self.read(item, child(path, i)) for i, item in enumerate(value))
        return TupleOf(members, name) if kind == "tuple" else Union(members, name)

    def _free_mapping(self, nodes: list[Node], path: str, name: str | None) -> Type:
        key = self.read(nodes[0], child(path, 0))
        if not (isinstance(key, Builtin) and key.name in ("string", "integer", "unknown", "any")):
            self._reading.problem(
                child(path, 0),
                nodes[0].line,
                "The keys of a mapping are text or whole numbers.",
                expected="string or integer",
                found=str(key),
            )
        return MappingOf(key, self.read(nodes[1], child(path, 1)), name)
