"""Canonical JSON: equal values give equal bytes, so their digests can be compared.

Keys are sorted, there is no white space, text is UTF-8, and numbers are written as Python's
`json` writes them (`1` and `1.0` differ on purpose: they are different values to a task).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from findspot.core.json_text import json_encoder

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

_encode = json_encoder(sort_keys=True, ensure_ascii=False)


def canonical_json(value: object) -> bytes:
    """``value`` (None, bool, int, float, str, list, dict with text keys) as canonical bytes.

    Raises TypeError for objects that JSON does not know. NaN and infinities are written as `json`
    writes them, tuples as lists and other keys as texts: where ``(1,)`` and ``[1]`` must not be
    the same, ask `is_plain` first. Raises ValueError for texts that are no Unicode (lone
    surrogates), and for cycles.

    >>> canonical_json({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return _encode(value).encode()


def is_plain(value: object, *, depth: int = 64) -> bool:
    """Whether ``value`` survives a JSON round trip exactly: type for type, key for key.

    Tuples, NumPy scalars, subclasses of str and int, mappings with keys other than text, and texts
    that are no Unicode (lone surrogates) do not.
    """
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return True
    if isinstance(value, str):
        return kind is str and _is_unicode(value)
    if kind is float:
        return value == value
    if depth == 0:
        return False
    if isinstance(value, list) and kind is list:
        return all(is_plain(item, depth=depth - 1) for item in value)
    if isinstance(value, Mapping) and kind is dict:
        return all(
            type(k) is str and _is_unicode(k) and is_plain(v, depth=depth - 1)
            for k, v in value.items()
        )
    return False


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
