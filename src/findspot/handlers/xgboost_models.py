"""XGBoost's boosters and its estimators for scikit-learn, in XGBoost's own UBJSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xgboost

from findspot.core.records import Preview
from findspot.handlers.encoding import Decoder, Encoder
from findspot.handlers.errors import BadFiles
from findspot.handlers.folders import PartSaveFolder, part_of
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.registry import default_registry
from findspot.handlers.values import decode_json, encode_json

_MODEL, _ABOUT, _PARAMS = "model.ubj", "estimator.json", "params"
_ESTIMATORS = frozenset(
    {
        *("XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker"),
        *("XGBRFClassifier", "XGBRFRegressor"),
    }
)


class BoosterHandler(Handler):
    """Boosters with their attributes and the names and types of their features: ``model.ubj``."""

    name = "xgboost.booster"
    types = ("xgboost.Booster",)
    kind = "model"

    def accepts(self, value: Any) -> bool:
        return type(value) is xgboost.Booster

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        folder.write(_MODEL, value.save_raw("ubj"))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        booster = xgboost.Booster()
        _read_model(booster, folder)
        return booster

    def describe(self, value: Any) -> Mapping[str, Any]:
        described: dict[str, Any] = {
            "library": f"xgboost {xgboost.__version__}",
            "rounds": int(value.num_boosted_rounds()),
            "features": int(value.num_features()),
        }
        names = value.feature_names
        return described | ({"feature_names": list(names[:50])} if names else {})

    def preview(self, value: Any) -> Preview | None:
        return text_preview("\n".join(value.get_dump()[:1]))


class EstimatorHandler(Handler):
    """XGBoost's estimators with the interface of scikit-learn: the model in ``model.ubj``, the
    class and the parameters it was made with beside it. No code of the bytes is run.

    Classes of your own below them are left to the handler of scikit-learn's estimators.
    """

    name = "xgboost.estimator"
    types = ("xgboost.sklearn.XGBModel",)
    kind = "model"
    representations = ("xgboost.Booster",)

    def accepts(self, value: Any) -> bool:
        cls = type(value)
        return cls.__name__ in _ESTIMATORS and getattr(xgboost, cls.__name__, None) is cls

    def why_not(self, value: Any) -> str:
        return "it is of a class below XGBoost's own"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        fitted = value.__sklearn_is_fitted__()
        folder.write(_ABOUT, encode_json({"class": type(value).__name__, "fitted": fitted}))
        registry = self.registry or default_registry()
        params = dict(value.get_params(deep=False))
        Encoder(PartSaveFolder(folder, _PARAMS), registry.for_value).save(params)
        if fitted:
            folder.write(_MODEL, value.get_booster().save_raw("ubj"))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        about = decode_json(folder.read(_ABOUT), where=_ABOUT)
        name = about.get("class") if isinstance(about, dict) else None
        if name not in _ESTIMATORS:
            raise BadFiles(f"{name!r} is no estimator of XGBoost", where=_ABOUT)
        registry = self.registry or default_registry()
        params = Decoder(part_of(folder, _PARAMS), registry.by_name).load()
        if not isinstance(params, dict):
            raise BadFiles("they are no parameters", where=_PARAMS)
        made = getattr(xgboost, name)(**params)
        if about.get("fitted"):
            _read_model(made, folder)
            # What XGBoost reads back from a model would stand over the parameters given.
            made.set_params(**params)
        return made

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        return BoosterHandler().load(folder)

    def describe(self, value: Any) -> Mapping[str, Any]:
        params = {k: v for k, v in value.get_params(deep=False).items() if _is_plain(v)}
        described: dict[str, Any] = {"class": f"xgboost.{type(value).__name__}", "params": params}
        if value.__sklearn_is_fitted__():
            described |= BoosterHandler().describe(value.get_booster())
        return described

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def _is_plain(item: Any) -> bool:
    if isinstance(item, float):
        return -1e308 < item < 1e308
    return isinstance(item, bool | int | str)


def _read_model(target: Any, folder: LoadFolder) -> None:
    try:
        target.load_model(bytearray(folder.read(_MODEL)))
    except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise BadFiles(
            f"it is no model of XGBoost, or a damaged one: {reason}", where=_MODEL
        ) from (error)
