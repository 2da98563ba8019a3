"""LightGBM's boosters, in LightGBM's own text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.values import decode_json, encode_json

_MODEL, _ABOUT = "model.txt", "booster.json"


class BoosterHandler(Handler):
    """Boosters with all their trees: ``model.txt``, and what the text does not hold (the best
    iteration, its scores) in ``booster.json``. Training data are not kept, so a loaded booster
    predicts, and is trained further by ``lightgbm.train(init_model=...)``.

    LightGBM's estimators for scikit-learn go to the handler of these.
    """

    name = "lightgbm.booster"
    types = ("lightgbm.Booster",)
    kind = "model"
    representations = ("str",)

    def accepts(self, value: Any) -> bool:
        return type(value) is lightgbm.Booster

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        text = value.model_to_string(num_iteration=-1)
        folder.write(_MODEL, text.encode())
        scores = {k: dict(v) for k, v in value.best_score.items()} if value.best_score else {}
        folder.write(
            _ABOUT, encode_json({"best_iteration": value.best_iteration, "best_score": scores})
        )

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        about = decode_json(folder.read(_ABOUT), where=_ABOUT)
        text = folder.read(_MODEL).decode(errors="replace")
        # LightGBM ends the process for some texts that are no models.
        if not text.startswith("tree\nversion=") or "end of trees" not in text:
            raise BadFiles("it is no model of LightGBM, or a damaged one", where=_MODEL)
        try:
            booster = lightgbm.Booster(model_str=text)
            booster.best_iteration = about["best_iteration"]
            booster.best_score = about["best_score"]
        except (lightgbm.basic.LightGBMError, KeyError, TypeError, ValueError) as error:
            raise BadFiles(
                f"it is no model of LightGBM, or a damaged one: {error}", where=_MODEL
            ) from error
        return booster

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> str:
        return folder.read(_MODEL).decode()

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "library": f"lightgbm {lightgbm.__version__}",
            "trees": int(value.num_trees()),
            "features": int(value.num_feature()),
            "feature_names": [str(name) for name in value.feature_name()[:50]],
            "best_iteration": int(value.best_iteration),
        }

    def preview(self, value: Any) -> Preview | None:
        return text_preview(value.model_to_string(num_iteration=1))
