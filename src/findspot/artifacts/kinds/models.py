"""Kind `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from findspot.artifacts.kinds.checks import Check, mapping_of, numbers, plain_mapping, text
from findspot.artifacts.kinds.fields import KindFields
from findspot.artifacts.kinds.signature import (
    Column,
    ModelSignature,
    check_columns,
    columns_from_json,
)
from findspot.core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Model(KindFields):
    """A trained model.

    Args:
        framework: the library that it is of, as ``sklearn``.
        algorithm: the name of the method, as ``LogisticRegression``.
        model_file: which of the version's files holds it.
        metrics: numbers that say how good it is.
        parameters: it was trained with.
        inputs, outputs: the columns that it takes and gives (mappings with name, type, shape).
        target_column: the column of the training set that it predicts.
        training_set: ``uri`` and ``uid`` of the version that it was trained on.
        feature_statistics: of the training set, by column.
    """

    KIND: ClassVar[str] = "model"
    CHECKS: ClassVar[Mapping[str, Check]] = {
        "framework": text,
        "algorithm": text,
        "model_file": text,
        "metrics": numbers,
        "parameters": plain_mapping,
        "inputs": check_columns,
        "outputs": check_columns,
        "target_column": text,
        "training_set": mapping_of(text),
        "feature_statistics": mapping_of(plain_mapping),
    }

    framework: str | None = None
    algorithm: str | None = None
    model_file: str | None = None
    metrics: Mapping[str, float] | None = None
    parameters: Mapping[str, Any] | None = None
    inputs: list[Mapping[str, Any]] | list[Column] | None = None
    outputs: list[Mapping[str, Any]] | list[Column] | None = None
    target_column: str | None = None
    training_set: Mapping[str, str] | None = None
    feature_statistics: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def signature(self) -> ModelSignature | None:
        """What it takes and gives; None where that was not said."""
        if self.inputs is None:
            return None
        return ModelSignature(
            columns_from_json(self.inputs, "The model's inputs"),
            columns_from_json(self.outputs or [], "The model's outputs"),
        )

    def contradictions(self) -> list[Problem]:
        names = [
            entry.name if isinstance(entry, Column) else entry.get("name")
            for entry in self.inputs or ()
        ]
        twice = sorted({str(name) for name in names if name is not None and names.count(name) > 1})
        return [Problem("inputs", f"the column {name!r} is given twice") for name in twice]
