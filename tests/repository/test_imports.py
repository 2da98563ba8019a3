"""Every library that the code imports is one that the project asks for."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


@cache
def distributions() -> dict[str, set[str]]:
    """Import name to the names of the distributions that bring it."""
    return {
        name: {canonicalize_name(found) for found in names}
        for name, names in metadata.packages_distributions().items()
    }


@cache
def asked_for(*, tests: bool) -> frozenset[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {
        name: lines
        for name, lines in project["optional-dependencies"].items()
        if tests or name not in ("dev", "bench", "docs")
    }
    lines = chain(project["dependencies"], *extras.values())
    return frozenset(canonicalize_name(Requirement(line).name) for line in lines)


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """The top-level packages that a file imports, with the line of each; modules that a test writes
    itself are left out."""
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            if f'"{top}.py"' not in text:
                yield top, node.lineno


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_what_is_imported_is_asked_for(folder: str) -> None:
    allowed = asked_for(tests=folder != "src")
    if folder == "benchmarks":
        lines = (ROOT / "benchmarks" / "peers.txt").read_text().split()
        allowed |= {canonicalize_name(Requirement(line).name) for line in lines}
    own = {"findspot", "benchmarks"} | {
        path.stem for path in (ROOT / "tests").glob("*.py") if path.stem != "conftest"
    }
    surplus = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        for name, line in imports(file)
        if name not in own
        and name not in sys.stdlib_module_names
        and not distributions().get(name, {name}) & allowed
    ]
    assert surplus == []
