"""Dicts of torch tensors by name (state dicts), without importing anything to ask."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from findspot.handlers.handler import Handler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names
from findspot.handlers.values import decode_json, encode_json

FILE = "weights.safetensors"
_ABOUT = "state.json"


class StateDictHandler(Handler):
    """What `torch.nn.Module.state_dict` gives, and other dicts of tensors by name, in
    ``weights.safetensors``. Loading runs no code; the order of names and the class of the dict are
    kept. Tensors come back in memory of the CPU.

    Dicts with anything else in them are left to ``structure``, which saves each tensor by itself.
    """

    name = "torch.state-dict"
    types = (dict, OrderedDict)
    kind = "model"
    selections = ("keys",)

    def accepts(self, value: Any) -> bool:
        torch: Any = sys.modules.get("torch")
        if torch is None or not value or not hasattr(torch, "Tensor"):
            return False
        if not all(
            type(key) is str and isinstance(item, torch.Tensor) for key, item in value.items()
        ):
            return False
        return type(value) in (dict, OrderedDict) and _tensors().all_held(value)

    def why_not(self, value: Any) -> str:
        return "it is no dict of dense tensors by name"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        tensors = _tensors()
        tensors.write(folder, FILE, value)
        about: dict[str, Any] = {"names": list(value), "ordered": type(value) is OrderedDict}
        metadata = getattr(value, "_metadata", None)
        if isinstance(metadata, Mapping):
            about["metadata"] = {str(key): dict(item) for key, item in metadata.items()}
        folder.write(_ABOUT, encode_json(about))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        about = decode_json(folder.read(_ABOUT), where=_ABOUT)
        found = _tensors().read(folder, FILE)
        state: Any = OrderedDict() if about["ordered"] else {}
        for name in about["names"]:
            state[name] = found[name]
        if "metadata" in about:
            state._metadata = OrderedDict(about["metadata"])
        return state

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        from findspot.handlers.tensor_files import tensor_names

        keys = chosen_names(what["keys"], tensor_names(folder, FILE), what="keys")
        found = _tensors().read(folder, FILE, only=keys)
        return {key: found[key] for key in keys}

    def describe(self, value: Any) -> Mapping[str, Any]:
        return describe_tensors(value)


def describe_tensors(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """How many tensors and numbers there are, and the shapes of the first 50."""
    return {
        "tensors": len(tensors),
        "parameters": sum(int(each.numel()) for each in tensors.values()),
        "bytes": sum(int(each.numel() * each.element_size()) for each in tensors.values()),
        "shapes": {name: list(each.shape) for name, each in list(tensors.items())[:50]},
    }


def _tensors() -> Any:
    return import_module("findspot.handlers.torch_tensors")
