"""Places in a document, as JSON paths (``$.graph.scale_step.args[0]``), and where they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

ROOT = "$"
_PLAIN = re.compile(r"[^\W\d][\w-]*")


def child(path: str, key: object) -> str:
    """The path of a mapping's entry or of a list's element.

    >>> child("$.graph", "scale_step"), child("$.types", "np.ndarray"), child("$.args", 0)
    ('$.graph.scale_step', "$.types['np.ndarray']", '$.args[0]')
    """
    if isinstance(key, str) and _PLAIN.fullmatch(key):
        return f"{path}.{key}"
    return f"{path}[{key!r}]"


def locate(locations: Mapping[str, str], path: str) -> str:
    """``file:line`` of a path, or of the nearest place around it that is known; "" if none is.

    >>> locate({"$.graph.a": "a.yaml:3"}, "$.graph.a.args[0]")
    'a.yaml:3'
    """
    while path:
        found = locations.get(path)
        if found is not None:
            return found
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return ""
