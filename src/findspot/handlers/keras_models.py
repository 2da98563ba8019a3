"""Keras' models, in Keras' own files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, Untrusted
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder

_FILE = "model.keras"


class ModelHandler(Handler):
    """Models of Keras 3, with weights, optimizer and compilation, in ``model.keras``.

    A model with layers of lambdas or of your own classes needs trust to be loaded. The file holds
    the time at which it was written.
    """

    name = "keras.model"
    types = ("keras.src.models.model.Model",)
    kind = "model"
    deterministic = False

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        value.save(folder.path(_FILE))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        keras: Any = import_module("keras")
        try:
            # By its own name, as Keras goes by the ending.
            return keras.saving.load_model(folder.folder() / _FILE, safe_mode=not folder.trusted)
        except (ValueError, TypeError, KeyError, OSError) as error:
            if "unsafe" in str(error).lower():
                raise Untrusted(
                    "The model holds code of its own (a Lambda layer).",
                    how="Load it as trusted if you know who made it.",
                ) from error
            raise BadFiles(
                f"it is no model of Keras, or a damaged one: {error}", where=_FILE
            ) from (error)

    def describe(self, value: Any) -> Mapping[str, Any]:
        keras: Any = import_module("keras")
        described: dict[str, Any] = {
            "library": f"keras {keras.__version__}",
            "backend": keras.backend.backend(),
            "class": type(value).__name__,
            "layers": [layer.name for layer in value.layers[:50]],
        }
        return described | ({"parameters": int(value.count_params())} if value.built else {})

    def preview(self, value: Any) -> Preview | None:
        if not value.built:
            return None
        lines: list[str] = []
        value.summary(print_fn=lambda line, **_: lines.append(line), line_length=80)
        return text_preview("\n".join(lines))
