"""Tests that need torch: collected only where it is installed (`make test-torch`)."""

from __future__ import annotations

import os
from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["*"]

os.environ.setdefault("KERAS_BACKEND", "torch")
