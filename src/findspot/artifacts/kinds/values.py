"""Kind `value`, and the kinds that have no fields of their own here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from findspot.artifacts.kinds.checks import Check
from findspot.artifacts.kinds.fields import KindFields


@dataclass(frozen=True, kw_only=True)
class Value(KindFields):
    """Any Python value. What its handler found is in `other`."""

    KIND: ClassVar[str] = "value"
    CHECKS: ClassVar[Mapping[str, Check]] = {}
