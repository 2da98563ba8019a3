"""The far end of a `PeerProcess`: calls what it is told to, and answers with the figures.

Runs in the peers' environment: nothing here imports Findspot. A line in is a JSON object with
``folder`` and ``scale``; a line out is one with ``figures`` or with ``failure``.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TextIO

from benchmarks.measuring import Scale, Subject


def serve(subject: Subject, requests: TextIO, answers: TextIO) -> None:
    """Answer until the requests end."""
    for line in requests:
        asked = json.loads(line)
        answer: dict[str, object]
        try:
            answer = {"figures": dict(subject(Path(asked["folder"]), Scale(**asked["scale"])))}
        except Exception as error:
            answer = {"failure": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main(target: str) -> None:
    """Serve the function that is meant by ``module:function``."""
    # Libraries print what they like; the answers have a channel of their own.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        module, _, name = target.partition(":")
        serve(getattr(import_module(module), name), sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1])
