"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import findspot.plugins

MODULES = [f"findspot.plugins.{m.name}" for m in pkgutil.iter_modules(findspot.plugins.__path__)]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_are_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0
