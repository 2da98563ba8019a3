"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"


def modules_with_examples() -> list[str]:
    """Dotted names of the modules whose source has a line of an interactive session."""
    return [
        ".".join(file.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
        for file in sorted(SOURCES.rglob("*.py"))
        if "\n    >>> " in file.read_text(encoding="utf-8") and file.stem != "__main__"
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    module = import_module(name)
    examples = 0
    for test in finder.find(module, name):
        examples += len(test.examples)
        runner.run(test, out=told.append)
    assert runner.failures == 0, "".join(told)
    assert examples > 0


def test_examples_are_found() -> None:
    assert "findspot.core.references" in modules_with_examples()
