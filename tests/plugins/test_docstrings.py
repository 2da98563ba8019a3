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


def test_every_public_name_is_there() -> None:
    for name in findspot.plugins.__all__:
        assert getattr(findspot.plugins, name) is not None
        assert name in dir(findspot.plugins)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = findspot.plugins.nothing
