"""Values as plain JSON, for ``--json``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from findspot.cli.options import UsageMistake

# Methods that give the value of an array, a table or a model in plain Python; the library need not
# be known, let alone imported.
_METHODS = ("to_pylist", "to_dicts", "tolist", "to_list", "model_dump")


def plain(value: Any) -> Any:
    """The value in the types that JSON has. Numbers that JSON lacks (NaN, infinities) become null.

    Raises:
        UsageMistake: the value has no such form.
    """
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_name(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value, key=repr)]
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath | UUID | Decimal):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return _converted(value)


def _converted(value: Any) -> Any:
    kind = type(value)
    if kind.__name__ == "DataFrame" and kind.__module__.startswith("pandas"):
        return plain(value.to_dict(orient="records"))
    for name in _METHODS:
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            found = method()
            if type(found) is not kind:
                return plain(found)
    raise UsageMistake(
        f"A value of type {kind.__module__}.{kind.__qualname__} has no JSON form.",
        how="Leave --json out, or take its files: findspot artifact download <ref>",
    )


def _name(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float):
        return str(key)
    raise UsageMistake(f"A mapping with the key {key!r} has no JSON form.", how="Leave --json out.")
