"""Models: found again, tested, described further, and checked when they predict.

`get_model` finds one, `update_model` adds to what is known of it, `evaluate_model` tests it inside
a job, `evaluate_on` in a job of its own, `load_checked_model` gives one that refuses data which do
not fit its signature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findspot.artifacts.kinds.signature import Column, ModelSignature
    from findspot.artifacts.kinds.signatures import DataDoesNotFit, infer_signature
    from findspot.artifacts.kinds.updates import described, extra_data_of, updates_of
    from findspot.models.checked import CheckedModel, load_checked_model
    from findspot.models.errors import (
        NoModelFile,
        NoSignature,
        NotEvaluable,
        NotLoadable,
        WrongKind,
    )
    from findspot.models.evaluation import Evaluation, evaluate_model
    from findspot.models.handles import ModelHandle, get_model
    from findspot.models.on_datasets import EvaluatedModel, evaluate_on
    from findspot.models.updates import update_dataset, update_model

_HOMES = {
    "CheckedModel": "models.checked",
    "Column": "artifacts.kinds.signature",
    "DataDoesNotFit": "artifacts.kinds.signatures",
    "Evaluation": "models.evaluation",
    "ModelHandle": "models.handles",
    "ModelSignature": "artifacts.kinds.signature",
    "NoModelFile": "models.errors",
    "NoSignature": "models.errors",
    "NotEvaluable": "models.errors",
    "NotLoadable": "models.errors",
    "WrongKind": "models.errors",
    "EvaluatedModel": "models.on_datasets",
    "described": "artifacts.kinds.updates",
    "evaluate_model": "models.evaluation",
    "evaluate_on": "models.on_datasets",
    "extra_data_of": "artifacts.kinds.updates",
    "get_model": "models.handles",
    "infer_signature": "artifacts.kinds.signatures",
    "load_checked_model": "models.checked",
    "update_dataset": "models.updates",
    "update_model": "models.updates",
    "updates_of": "artifacts.kinds.updates",
}

__all__ = [
    "CheckedModel",
    "Column",
    "DataDoesNotFit",
    "Evaluation",
    "ModelHandle",
    "ModelSignature",
    "NoModelFile",
    "NoSignature",
    "NotEvaluable",
    "NotLoadable",
    "EvaluatedModel",
    "WrongKind",
    "described",
    "evaluate_model",
    "evaluate_on",
    "extra_data_of",
    "get_model",
    "infer_signature",
    "load_checked_model",
    "update_dataset",
    "update_model",
    "updates_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"findspot.{_HOMES[name]}"), name)
