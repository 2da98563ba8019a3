"""YAML text as nodes with line numbers. No object is ever built but text, numbers and the like.

The dialect is YAML 1.2's core schema (``yes`` and ``on`` are text, ``1e3`` is a number, dates are
text), without custom tags and merge keys; keys are text or whole numbers and stand once. Size,
depth and the growth by aliases are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from findspot.core.errors import Problem
from findspot.graph.paths import ROOT, child
from findspot.graph.yaml_scalars import scalar

MAX_CHARACTERS = 8 * 1024 * 1024
MAX_NODES = 200_000
MAX_DEPTH = 64

Key: TypeAlias = "str | int"

_PREFIX = "tag:yaml.org,2002:"
_TAGS = frozenset(_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Node:
    """One value of the document.

    ``value`` is a scalar, a list of nodes, or a dict from keys to nodes; ``line`` counts from 1;
    ``key_lines`` has the lines of a mapping's keys.
    """

    __slots__ = ("key_lines", "line", "value")

    def __init__(self, value: Any, line: int) -> None:
        self.value = value
        self.line = line
        self.key_lines: dict[Key, int] = {}


@dataclass(frozen=True, slots=True)
class YamlSource:
    """What was read.

    Args:
        root: None when the text could not be read to its end.
        problems: all mistakes of form, in the order of the text.
    """

    root: Node | None
    problems: tuple[Problem, ...]


def read_yaml(text: str, file: str) -> YamlSource:
    """The nodes of a YAML text, and all that is wrong with its form. Never raises, never hangs.

    Args:
        file: the name that locations begin with.

    >>> source = read_yaml("a: 1\\na: 2", "x.yaml")
    >>> print(source.problems[0])
    x.yaml:2 ($.a): The key 'a' stands twice in one mapping.
        found:    the first one at x.yaml:1
        Remove one of the two, or rename it.
    """
    return _Composer(text, file).read()


def plain(node: Node) -> Any:
    """The value of a node without its positions.

    >>> plain(read_yaml("{a: [1, yes]}", "x").root)
    {'a': [1, 'yes']}
    """
    value = node.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class _Stop(Exception):
    """Reading cannot go on; the reason is among the problems."""


class _Open:
    """A collection whose end has not been reached."""

    __slots__ = ("anchor", "key", "key_line", "node", "size", "wants_key")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Key | None = None  # None also where the key was refused
        self.key_line = 0
        self.wants_key = True
        self.size = 1


class _Composer:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.root: Node | None = None
        self.total = 0

    def read(self) -> YamlSource:
        try:
            self._check_text()
            for event in self._events():
                self._take(event)
        except _Stop:
            return YamlSource(None, tuple(self.problems))
        if self.root is None:
            self.root = Node(None, 1)
        return YamlSource(self.root, tuple(self.problems))

    def _check_text(self) -> None:
        if len(self.text) > MAX_CHARACTERS:
            self._stop(
                1,
                "The document is too long.",
                expected=f"at most {MAX_CHARACTERS:,} characters",
                found=f"{len(self.text):,} characters",
                hint="Data belongs into artifacts; the document only refers to them.",
            )
        bad = _FORBIDDEN.search(self.text)
        if bad is not None:
            self._stop(
                self.text.count("\n", 0, bad.start()) + 1,
                "The document holds a character that YAML does not allow.",
                found=f"the character U+{ord(bad[0]):04X}",
                hint='Remove it, or write it as an escape inside double quotes ("\\x07").',
            )

    def _events(self) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(self.text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            reason = error.problem or "it is malformed"
            start, mark = error.context_mark, error.problem_mark or error.context_mark
            if "end of stream" in reason:  # what counts is where the open quote is
                mark = start or mark
            line = mark.line + 1 if mark is not None else 1
            if error.context and start is not None and start.line + 1 < line:
                reason = f"{reason}, {error.context} that begins in line {start.line + 1}"
            self._stop(
                line,
                f"The document is not valid YAML: {reason}.",
                found=self._line(line).strip(),
                hint=_advice(reason, self._line(line)),
            )
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self._stop(1, f"The document is not valid YAML: {str(error).splitlines()[0][:200]}.")

    def _line(self, line: int) -> str:
        lines = self.text.split("\n", line)
        return lines[line - 1].rstrip()[:120] if line <= len(lines) else ""

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            done = self.stack.pop()
            if done.anchor is not None:
                self.anchors[done.anchor] = (done.node, done.size)
            if self.stack:
                self.stack[-1].size += done.size
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent and self.root is not None:
            self._stop(
                event.start_mark.line + 1,
                "The file holds a second YAML document.",
                found=f"another document after '---' (the first begins at line {self.root.line})",
                hint="Keep one document in each file.",
            )

    def _scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        tag = self._tag(event.tag, line)
        value: Any = event.value
        try:
            # An unquoted scalar has implicit[0]; a tag says what else it is.
            if (tag is None and event.implicit[0]) or (tag is not None and tag != "str"):
                value = scalar(value)
        except ValueError:  # more digits than Python converts
            self._problem(
                line,
                "The number is too long.",
                found=f"{len(event.value):,} digits",
                hint="Put it in quotes if it is text.",
            )
        if tag is not None and tag not in ("str", _tag_of(value)):
            self._problem(line, f"The value is tagged !!{tag}, but it is none.", found=repr(value))
        node = Node(value, line)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1)
        self._add(node, 1, event)

    def _open(self, event: Any, value: Any) -> None:
        line = event.start_mark.line + 1
        tag = self._tag(event.tag, line)
        if tag is not None and tag != ("map" if isinstance(value, dict) else "seq"):
            self._problem(line, f"The value is tagged !!{tag}, but it is none.")
        node = Node(value, line)
        if len(self.stack) >= MAX_DEPTH:
            self._stop(line, "The document is nested too deeply.", expected=f"{MAX_DEPTH} levels")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self._add(node, 1, event)
        self.stack.append(_Open(node, event.anchor))

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        name = event.anchor
        found = self.anchors.get(name)
        if found is None:
            inside = name in self.anchors
            self._problem(
                line,
                f"The alias *{name} stands inside of what it repeats."
                if inside
                else f"There is no anchor &{name} before this alias.",
                hint="" if inside else 'Put text that begins with "*" in quotes.',
            )
            found = (Node(None, line), 1)
        if self.stack:
            self.stack[-1].size += found[1]
        self._add(found[0], found[1], event)

    def _add(self, node: Node, size: int, event: Any) -> None:
        line = event.start_mark.line + 1
        self.total += size
        if self.total > MAX_NODES:
            self._stop(
                line,
                "The document is too large.",
                expected=f"at most {MAX_NODES:,} values, repetitions by aliases (*) included",
                hint="Data belongs into artifacts; the document only refers to them.",
            )
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif top.wants_key:
            self._key(top, node, event, line)
        else:
            if top.key is not None:
                top.node.value[top.key] = node
                top.node.key_lines[top.key] = top.key_line
            top.wants_key = True

    def _key(self, top: _Open, node: Node, event: Any, line: int) -> None:
        key = node.value
        top.key, top.key_line, top.wants_key = None, line, False
        if type(key) is not str and type(key) is not int:
            shown = "a list or mapping" if isinstance(key, list | dict) else _yaml_word(key)
            self._problem(
                line,
                "A key must be text or a whole number.",
                found=shown,
                hint="Put the key in quotes if it is text." if not isinstance(key, dict) else "",
            )
        elif key == "<<" and not getattr(event, "style", "'"):
            self._problem(
                line,
                "Merge keys (<<) are not part of YAML 1.2.",
                hint="Write the entries out.",
            )
        elif key in top.node.value:
            self._problem(
                line,
                f"The key {key!r} stands twice in one mapping.",
                found=f"the first one at {self.file}:{top.node.key_lines[key]}",
                hint="Remove one of the two, or rename it.",
                key=key,
            )
        else:
            top.key = key

    def _tag(self, tag: str | None, line: int) -> str | None:
        if tag is None:
            return None
        if tag == "!":
            return "str"
        if tag in _TAGS:
            return tag.removeprefix(_PREFIX)
        self._problem(
            line,
            "Tags that build objects are not allowed.",
            found=tag.replace(_PREFIX, "!!")[:120],
            hint="Write the value as plain YAML; objects are made by tasks.",
        )
        return None

    def _path(self) -> str:
        path = ROOT
        for level in self.stack[:8]:
            if isinstance(level.node.value, list):
                # The innermost list does not have its newest element yet.
                inner = level is not self.stack[-1]
                path = child(path, len(level.node.value) - (1 if inner else 0))
            elif level.key is not None:
                path = child(path, level.key)
        return path

    def _problem(
        self,
        line: int,
        message: str,
        *,
        expected: str = "",
        found: str = "",
        hint: str = "",
        key: Key | None = None,
    ) -> None:
        path = self._path()
        if key is not None:
            path = child(path, key)
        place = f"{self.file}:{line}"
        self.problems.append(Problem(path, message, place, expected, found, hint))

    def _stop(
        self, line: int, message: str, *, expected: str = "", found: str = "", hint: str = ""
    ) -> None:
        self._problem(line, message, expected=expected, found=found, hint=hint)
        raise _Stop


def _tag_of(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "str")


def _yaml_word(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


_ADVICE = (
    (r"cannot start any token", "\t", "Indent with spaces, not with tabs."),
    (r"cannot start any token", "", "Put text that begins with a special character in quotes."),
    (r"mapping values are not allowed", "", 'Put text that holds ": " in quotes.'),
    (r"expected ',' or|flow", "", "A bracket or brace is not closed, or a comma is missing."),
    (r"unexpected end of stream", "", "A quote is not closed."),
    (r"escape", "", "Inside double quotes \\ begins an escape; use single quotes."),
    (r"expected", "", "Look at the indentation of this line and of the ones before it."),
)


def _advice(reason: str, line: str) -> str:
    for pattern, in_line, advice in _ADVICE:
        if re.search(pattern, reason) and re.search(in_line, line):
            return advice
    return ""
