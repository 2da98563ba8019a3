"""What tests of pictures need: a browser, which not every machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from findspot.handlers.drawing import close_drawing, find_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    """A browser that draws; where there is none, tests that need it are left out, but not in CI."""
    found = find_browser()
    if found is None:
        missing = "no Chrome or Chromium was found: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    yield found
    close_drawing()
