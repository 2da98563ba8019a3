"""Nested values as a JSON document, and beside it a folder for each part that JSON cannot hold.

The document is ``{"findspot": 1, "value": <node>}``. None, bool, float, str, short integers,
lists, and dicts with text keys are nodes as they are; everything else is ``{"$": <tag>, ...}``. A
part's node names its folder below ``parts/`` and the handler that wrote it. The format may grow new
tags; a reader of an old document never changes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from findspot.handlers.atoms import DECODE, ENCODE, Node, encode_int, knows_zone
from findspot.handlers.classes import class_path, find_class
from findspot.handlers.errors import BadFiles, BadSelection, BadValue, NoHandler, Untrusted
from findspot.handlers.folders import PartLoadFolder, PartSaveFolder, parts_of
from findspot.handlers.objects import FAMILIES, Family
from findspot.handlers.protocol import ArtifactHandler, LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names
from findspot.handlers.values import INT_BITS, NESTING, decode_json, encode_json

DOCUMENT = "structure.json"
FORMAT = 1
_PARTS = "parts"
_INLINE_BYTES = 4096
"""Longer bytes inside a structure are a part, in a file of their own."""

_FACTORIES: dict[str, Any] = {
    kind.__name__: kind for kind in (list, dict, set, tuple, int, float, str, bool, bytes)
}
_SEQUENCES: dict[type, str] = {tuple: "tuple", set: "set", frozenset: "frozenset", deque: "deque"}
_MAPPINGS: dict[type, str] = {
    dict: "dict",
    OrderedDict: "ordered-dict",
    Counter: "counter",
    defaultdict: "default-dict",
}
EXACT = frozenset({int, list, *_SEQUENCES, *_MAPPINGS, *ENCODE})
"""The classes that a document holds exactly, whatever is in them."""


def is_structure(value: Any) -> bool:
    """Whether a document holds the value itself; what is in it may still be what nothing takes."""
    kind = type(value)
    if kind in EXACT:
        if hasattr(value, "tzinfo"):
            return knows_zone(value.tzinfo)
        if kind is defaultdict:
            factory = value.default_factory
            return factory is None or _FACTORIES.get(getattr(factory, "__name__", "")) is factory
        return True
    return isinstance(value, Enum) and class_path(kind) is not None


class Encoder:
    """Writes one value into a folder.

    Args:
        for_value: finds the handler of a part.
    """

    def __init__(self, folder: SaveFolder, for_value: Callable[[Any], ArtifactHandler]) -> None:
        self._folder, self._for_value = folder, for_value
        self._open: set[int] = set()
        # A part that occurs twice is stored once; the value is kept so that its id stays its own.
        self._parts: dict[int, tuple[Node, Any]] = {}
        self._count = 0

    def save(self, value: Any) -> None:
        node = self._node(value, "$")
        self._folder.write(DOCUMENT, encode_json({"findspot": FORMAT, "value": node}))

    def _node(self, value: Any, path: str) -> Node:
        kind = type(value)
        if kind is str or kind is float or kind is bool or value is None:
            return value
        if kind is int:
            return value if value.bit_length() <= INT_BITS else encode_int(value)
        if kind in (bytes, bytearray) and len(value) > _INLINE_BYTES:
            return self._part(value, path, self._for_value(value))
        atom = ENCODE.get(kind)
        if atom is not None and is_structure(value):
            return {"$": atom[0], **atom[1](value)}
        if kind is list:
            with self._inside(value, path):
                return [self._node(item, f"{path}[{i}]") for i, item in enumerate(value)]
        if kind in _SEQUENCES:
            return self._sequence(value, kind, path)
        if kind in _MAPPINGS and is_structure(value):
            return self._mapping(value, kind, path)
        return self._other(value, path)

    def _sequence(self, value: Any, kind: type, path: str) -> Node:
        with self._inside(value, path):
            items: Iterable[Any] = value
            if kind in (set, frozenset):
                items = sorted(value, key=_set_order)
            nodes = [self._node(item, f"{path}[{i}]") for i, item in enumerate(items)]
        if kind in (set, frozenset):
            nodes.sort(key=encode_json)
        node: dict[str, Any] = {"$": _SEQUENCES[kind], "items": nodes}
        if kind is deque and value.maxlen is not None:
            node["maxlen"] = value.maxlen
        return node

    def _mapping(self, value: Any, kind: type, path: str) -> Node:
        with self._inside(value, path):
            if kind is dict and "$" not in value and set(map(type, value)) <= {str}:
                return {key: self._node(item, f"{path}[{key!r}]") for key, item in value.items()}
            pairs = [
                [self._node(key, f"{path} (key {i})"), self._node(item, f"{path}[{key!r}]")]
                for i, (key, item) in enumerate(value.items())
            ]
        node: dict[str, Any] = {"$": _MAPPINGS[kind], "items": pairs}
        if kind is defaultdict and value.default_factory is not None:
            node["factory"] = value.default_factory.__name__
        return node

    def _other(self, value: Any, path: str) -> Node:
        """An enum, an object of named fields, a scalar of NumPy, or a part."""
        try:
            handler = self._for_value(value)
        except NoHandler as error:
            raise NoHandler(
                error.value_type, error.tried, advice=error.advice, where=path
            ) from error
        if type(handler).__module__.startswith("findspot.handlers."):
            family = FAMILIES.get(handler.name)
            if family is not None:
                return self._object(value, handler.name, family, path)
            if handler.name == "structure":
                return _enum_node(value)
            if handler.name == "numpy.scalar" and value.dtype.names is None:
                return {"$": "numpy", "dtype": value.dtype.str, "hex": value.tobytes().hex()}
        return self._part(value, path, handler)

    def _object(self, value: Any, name: str, family: Family, path: str) -> Node:
        fields = family.take(value)
        assert fields is not None, "the handler accepted it"
        with self._inside(value, path):
            nodes = {key: self._node(item, f"{path}.{key}") for key, item in fields.items()}
        return {"$": name, "class": class_path(type(value)), "fields": nodes}

    def _part(self, value: Any, path: str, handler: ArtifactHandler) -> Node:
        known = self._parts.get(id(value))
        if known is not None:
            return known[0]
        part = str(self._count)
        self._count += 1
        try:
            handler.save(value, PartSaveFolder(self._folder, f"{_PARTS}/{part}"))
        except NoHandler as error:
            raise NoHandler(
                error.value_type, error.tried, advice=error.advice, where=path
            ) from error
        node = {"$": "part", "part": part, "handler": handler.name}
        self._parts[id(value)] = node, value
        return node

    @contextmanager
    def _inside(self, value: Any, path: str) -> Iterator[None]:
        if id(value) in self._open:
            raise BadValue(
                "the value contains itself",
                where=path,
                how="Save it without the cycle, or as pickle on purpose: handler='pickle'.",
            )
        if len(self._open) >= NESTING:
            raise BadValue(
                f"the value is nested more than {NESTING} deep",
                where=path[:200],
                how="Save it as pickle on purpose: handler='pickle'.",
            )
        self._open.add(id(value))
        try:
            yield
        finally:
            self._open.discard(id(value))


class Decoder:
    """Reads what an `Encoder` wrote."""

    def __init__(self, folder: LoadFolder, by_name: Callable[[str], ArtifactHandler]) -> None:
        self._folder, self._by_name = folder, by_name
        self._files = parts_of(folder.files, _PARTS)
        self._parts: dict[str, Any] = {}

    def load(self, keys: Any = None) -> Any:
        """The value; with ``keys`` only these entries of a dict with text keys, in a dict: the
        parts of others are not read."""
        document = decode_json(self._folder.read(DOCUMENT), where=DOCUMENT)
        if not isinstance(document, dict) or document.get("findspot") != FORMAT:
            raise BadFiles(
                "it is no structure that this Findspot reads", where=DOCUMENT, how="Upgrade it."
            )
        try:
            node = document["value"]
            if keys is not None:
                if not isinstance(node, dict) or "$" in node:
                    raise BadSelection(
                        "It is no dict with text keys.", how="Load it whole, and choose from it."
                    )
                node = {key: node[key] for key in chosen_names(keys, list(node), what="keys")}
            return self._value(node)
        except ZoneInfoNotFoundError as error:
            raise BadFiles(
                f"it holds a time zone that is not known here: {error.args[0]}",
                where=DOCUMENT,
                how="Install the time zones of the IANA database: pip install tzdata",
            ) from error
        except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise BadFiles(f"the document is damaged: {reason}", where=DOCUMENT) from error

    def _value(self, node: Node) -> Any:
        kind = type(node)
        if kind is list:
            return [self._value(item) for item in node]
        if kind is not dict:
            return node
        tag = node.get("$")
        if tag is None:
            return {key: self._value(item) for key, item in node.items()}
        decode = DECODE.get(tag)
        if decode is not None:
            return decode(node)
        if tag == "part":
            return self._part(node["part"], node["handler"])
        if tag == "enum":
            return self._enum(node)
        if tag == "numpy":
            return _numpy_scalar(node)
        family = FAMILIES.get(tag)
        if family is not None:
            return self._object(node, family)
        return self._container(tag, node)

    def _container(self, tag: str, node: Node) -> Any:
        if tag in _SEQUENCES.values():
            items = [self._value(item) for item in node["items"]]
            if tag == "deque":
                return deque(items, node.get("maxlen"))
            return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](items)
        if tag in _MAPPINGS.values():
            pairs = [(self._value(key), self._value(item)) for key, item in node["items"]]
            if tag == "default-dict":
                factory = node.get("factory")
                return defaultdict(None if factory is None else _FACTORIES[factory], pairs)
            if tag == "counter":
                return Counter(dict(pairs))
            return OrderedDict(pairs) if tag == "ordered-dict" else dict(pairs)
        raise ValueError(f"unknown tag {tag!r}")

    def _object(self, node: Node, family: Family) -> Any:
        fields = {name: self._value(item) for name, item in node["fields"].items()}
        path = node["class"]
        cls = find_class(
            path, trusted=self._folder.trusted, right=family.has, role=family.role, fields=fields
        )
        return family.build(cls, fields, path)

    def _enum(self, node: Node) -> Any:
        fields = {"name": node.get("name"), "value": self._value(node["value"])}
        cls = find_class(
            node["class"],
            trusted=self._folder.trusted,
            right=lambda cls: issubclass(cls, Enum),
            role="enum",
            fields=fields,
        )
        return cls[node["name"]] if "name" in node else cls(fields["value"])

    def _part(self, part: str, handler_name: str) -> Any:
        if part not in self._parts:
            handler = self._by_name(handler_name)
            if not handler.safe and not self._folder.trusted:
                raise Untrusted(
                    f"A part of it was saved with {handler_name!r}, which can run any code when it "
                    "is loaded.",
                    where=f"{_PARTS}/{part}",
                )
            files = self._files.get(part, [])
            folder = PartLoadFolder(self._folder, f"{_PARTS}/{part}", files)
            self._parts[part] = handler.load(folder)
        return self._parts[part]


def _enum_node(value: Enum) -> Node:
    node: dict[str, Any] = {"$": "enum", "class": class_path(type(value))}
    if value.name in type(value).__members__:
        node["name"] = value.name
    plain = value.value
    node["value"] = plain if type(plain) in (int, str, float, bool) else None
    return node


def _numpy_scalar(node: Mapping[str, str]) -> Any:
    import numpy as np

    dtype = np.dtype(node["dtype"])
    if dtype.hasobject:
        raise ValueError("a scalar of Python objects")
    data = bytes.fromhex(node["hex"])
    if len(data) != dtype.itemsize:
        raise ValueError(f"{len(data)} bytes for a scalar of {dtype.itemsize}")
    if not data:
        return dtype.type()
    return np.frombuffer(data, dtype)[0]


def _set_order(item: Any) -> tuple[str, str]:
    """The order in which members of a set are written, so that equal sets give equal bytes: their
    parts are numbered in it. Nested sets have no parts of their own that could be put in order."""
    return (type(item).__name__, "" if isinstance(item, frozenset) else repr(item))
