"""`KindFields`: what all typed kinds share. Their fields live in a version's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from findspot.artifacts.kinds.checks import Check, plain, text_mapping
from findspot.core.errors import CheckFailed, Problem

_SHARED: Mapping[str, Check] = {"extra_data": text_mapping}


@dataclass(frozen=True, kw_only=True)
class KindFields:
    """The fields of one kind, as they stand in a version's metadata under the same names.

    A field that is None is not in the metadata.

    Args:
        extra_data: what belongs to the version: names and ``store://`` references or URLs, as they
            were when it was saved. Links added later are in the catalog.
        other: the metadata that belong to no field: what a handler found, or the user gave.
    """

    KIND: ClassVar[str]
    CHECKS: ClassVar[Mapping[str, Check]]
    """For each field of the kind's own the check of its value."""

    extra_data: Mapping[str, str] | None = None

    other: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any], *, strict: bool = True) -> Self:
        """The fields that are in ``metadata``.

        Args:
            strict: raise for values that do not fit their field; without it they are in `other`,
                so that any version can be shown.

        Raises:
            CheckFailed: lists every value that does not fit.
        """
        problems: list[Problem] = []
        found: dict[str, Any] = {}
        other: dict[str, Any] = {}
        for name, value in metadata.items():
            check = _SHARED.get(name) or cls.CHECKS.get(name)
            if check is None:
                other[name] = value
                continue
            wrong: list[Problem] = []
            kept = check(value, name, wrong)
            if wrong:
                other[name] = value
            elif value is not None:
                found[name] = kept
            problems += wrong
        if strict and problems:
            raise CheckFailed(f"The metadata of a {cls.KIND}", problems)
        return cls(**found, other=other)

    def to_metadata(self) -> dict[str, Any]:
        """The metadata that hold these fields: plain JSON values only.

        Raises:
            CheckFailed: lists every field whose value does not fit.
        """
        problems: list[Problem] = []
        metadata = {
            str(name): plain(value, str(name), problems) for name, value in self.other.items()
        }
        for name, check in (*self.CHECKS.items(), *_SHARED.items()):
            value = getattr(self, name)
            if value is not None:
                metadata[name] = check(value, name, problems)
        if not problems:
            problems = self.contradictions()
        if problems:
            raise CheckFailed(f"The metadata of a {self.KIND}", problems)
        return metadata

    def contradictions(self) -> list[Problem]:
        """Fields that do not fit each other; none by default."""
        return []

    def present(self) -> dict[str, Any]:
        """The fields that have a value, by name, in the order in which they are shown."""
        return {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name != "other" and getattr(self, item.name) is not None
        }
