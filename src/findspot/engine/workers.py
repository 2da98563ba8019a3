"""What runs in a worker process: the workspace opened once, and steps performed in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from findspot.artifacts.space import ArtifactSpace
from findspot.core.canonical import canonical_json
from findspot.engine.calls import StepCall, StepResult, perform
from findspot.engine.capture import Capture
from findspot.engine.recorder import Recorder


def perform_in_worker(
    url: str, overrides: Mapping[str, Any], folder: str, call: StepCall
) -> StepResult:
    """Run a call here, in the current folder of the job; its log and metrics are recorded when it
    returns."""
    if os.getcwd() != folder:
        os.chdir(folder)
    space = _space(url, canonical_json(dict(overrides)))
    with Recorder(space.catalog) as recorder, Capture(recorder.line) as capture:
        return perform(call, space, recorder, capture)


@lru_cache(maxsize=8)
def _space(url: str, overrides: bytes) -> ArtifactSpace:
    import json

    return ArtifactSpace(url, **json.loads(overrides))
