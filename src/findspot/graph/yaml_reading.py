"""What every part of reading a YAML task graph needs: problems with places, and gentle access."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from findspot.core.errors import Problem
from findspot.graph.paths import child
from findspot.graph.suggestions import Suggester
from findspot.graph.yaml_source import Key, Node, plain


class Reading:
    """Collects the problems of one document, and the lines of its places.

    Paths are canonical (``$.graph.a.args[0]``), also where a short form was written.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.locations: dict[str, str] = {}
        self.near = Suggester()

    def at(self, path: str, line: int) -> None:
        """Note the line of a path."""
        self.locations[path] = f"{self.file}:{line}"

    def problem(
        self,
        path: str,
        line: int,
        message: str,
        *,
        expected: str = "",
        found: str = "",
        hint: str = "",
    ) -> None:
        place = f"{self.file}:{line}"
        self.problems.append(Problem(path, message, place, expected, found, hint))

    def mapping(
        self, node: Node, path: str, role: str, expected: str = "a mapping"
    ) -> Mapping[Key, Node]:
        """The entries of a mapping; none, and a problem unless the place is empty, of another."""
        if isinstance(node.value, dict):
            return node.value
        if node.value is not None:
            self.problem(
                path,
                node.line,
                f"{role} must be a mapping.",
                expected=expected,
                found=describe(node),
            )
        return {}

    def named(
        self, node: Node, path: str, role: str, expected: str = "a mapping"
    ) -> list[tuple[str, Node, str, int]]:
        """Name, node, path and line of each entry of a mapping whose keys must be text."""
        entries = []
        for key, item in self.mapping(node, path, role, expected).items():
            line = node.key_lines[key]
            place = child(path, key)
            self.at(place, line)
            if isinstance(key, str):
                entries.append((key, item, place, line))
            else:
                self.problem(
                    place,
                    line,
                    f"The name {key} is a number.",
                    expected="text",
                    hint="Begin it with a letter.",
                )
        return entries

    def known_keys(self, node: Node, path: str, allowed: Collection[str], role: str) -> None:
        """A problem for each key of a mapping that is not among the allowed ones."""
        for key, line in node.key_lines.items():
            if key not in allowed:
                self.problem(
                    child(path, key),
                    line,
                    f"{role} has no key {key!r}.",
                    expected=f"one of {', '.join(allowed)}",
                    hint=self.near(str(key), allowed),
                )

    def text(self, node: Node, path: str, role: str) -> str | None:
        """The text of a node; None and a problem when it is something else."""
        if isinstance(node.value, str):
            return node.value
        self.problem(
            path, node.line, f"{role} must be text.", expected="text", found=describe(node)
        )
        return None

    def flag(self, node: Node, path: str, role: str) -> bool | None:
        """The truth of a node; None and a problem when it is neither true nor false."""
        if isinstance(node.value, bool):
            return node.value
        self.problem(
            path,
            node.line,
            f"{role} must be true or false.",
            expected="true or false",
            found=describe(node),
        )
        return None


def describe(node: Node) -> str:
    """What stands at a node, for the ``found`` of a problem.

    >>> describe(Node("a b", 1)), describe(Node({}, 1)), describe(Node(None, 1))
    ("the text 'a b'", 'an empty mapping', 'nothing')
    """
    value: Any = node.value
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        keys = ", ".join(map(str, list(value)[:4])) + (", ..." if len(value) > 4 else "")
        return f"a mapping with {keys}" if value else "an empty mapping"
    if isinstance(value, list):
        if not value:
            return "an empty list"
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {value[:80]!r}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"the number {plain(node)}"[:80]
