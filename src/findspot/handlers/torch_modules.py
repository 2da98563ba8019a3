"""torch's modules: the weights in safetensors, and the rest as a pickle that refers to them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any

import cloudpickle

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadValue, Untrusted
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.hugging_face import PretrainedHandler
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import chosen_names
from findspot.handlers.state_dicts import FILE, describe_tensors
from findspot.handlers.tensor_files import tensor_names
from findspot.handlers.torch_tensors import is_held, read, torch, write
from findspot.handlers.values import encode_json

_SKELETON, _ABOUT = "module.pkl", "module.json"


class ModuleHandler(Handler):
    """Modules of torch, of any class: ``weights.safetensors`` holds every tensor, under the names
    of the state dict, and ``module.pkl`` the module without them.

    Loading the module needs trust, as its class and attributes are pickled; the weights alone
    (``as_type=dict``) are safe to load from anywhere. The module comes back on the CPU. Tensors
    that share memory come back shared only where they are the same object.
    """

    name = "torch.module"
    types = ("torch.nn.Module",)
    kind = "model"
    deterministic = False
    representations = ("dict",)
    selections = ("keys",)

    def accepts(self, value: Any) -> bool:
        return not PretrainedHandler().accepts(value)

    def why_not(self, value: Any) -> str:
        return "it saves itself to a folder (save_pretrained)"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        pickler = _Pickler(io.BytesIO(), _names(value))
        try:
            pickler.dump(value)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise BadValue(
                f"The module cannot be pickled: {error}.",
                how="Save its weights: save_artifact(module.state_dict(), ...).",
            ) from error
        write(folder, FILE, pickler.tensors)
        folder.write(_SKELETON, pickler.sink.getvalue())
        cls = type(value)
        about = {
            "findspot": 1,
            "class": f"{cls.__module__}:{cls.__qualname__}",
            "torch": str(torch.__version__),
            "state": [name for name in value.state_dict() if name in pickler.tensors],
        }
        folder.write(_ABOUT, encode_json(about))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        if not folder.trusted:
            raise Untrusted(
                "A module of torch is made by pickle, which can run any code when it is loaded.",
                how="Load it as trusted if you know who made it; or load only its weights, which "
                "is always safe: as_type=dict.",
            )
        try:
            return _Unpickler(folder).load()
        except (pickle.UnpicklingError, EOFError, IndexError, KeyError, ValueError) as error:
            raise BadFiles(f"it is no pickle, or a damaged one: {error}", where=_SKELETON) from (
                error
            )
        except (ImportError, AttributeError) as error:
            raise BadFiles(
                f"the module needs something that is not here: {error}",
                where=_SKELETON,
                how="Make the modules of its classes importable; the weights alone can be loaded "
                "as they are: as_type=dict.",
            ) from error

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        """Some of the weights, by name, as a dict of tensors."""
        return self.load_as(folder, "dict", what)

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> dict[str, Any]:
        """The weights by name, without running any code."""
        keys = None
        if "keys" in what:
            keys = chosen_names(what["keys"], tensor_names(folder, FILE), what="keys")
        return {key: each.detach() for key, each in read(folder, FILE, only=keys).items()}

    def describe(self, value: Any) -> Mapping[str, Any]:
        cls = type(value)
        return {
            "class": f"{cls.__module__}.{cls.__qualname__}",
            "library": f"torch {torch.__version__}",
            "training": bool(value.training),
            **describe_tensors(dict(value.named_parameters())),
        }

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def _names(module: Any) -> dict[int, str]:
    """The names of the module's tensors by their identity, as the state dict has them."""
    names: dict[int, str] = {}
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        names.setdefault(id(tensor), name)
    return names


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    """Puts tensors aside, under their names."""

    def __init__(self, sink: io.BytesIO, names: Mapping[int, str]) -> None:
        super().__init__(sink, protocol=5)
        self.sink = sink
        self.tensors: dict[str, Any] = {}
        self._known = dict(names)

    def persistent_id(self, value: Any) -> str | None:
        if not isinstance(value, torch.Tensor) or not is_held(value):
            return None
        name = self._known.setdefault(id(value), f"other.{len(self._known)}")
        # Kept here, so that its identity stays its own.
        self.tensors[name] = value
        return name


class _Unpickler(pickle.Unpickler):
    """Puts the tensors back."""

    def __init__(self, folder: LoadFolder) -> None:
        super().__init__(io.BytesIO(folder.read(_SKELETON)))
        self._tensors = read(folder, FILE)

    def persistent_load(self, name: Any) -> Any:
        return self._tensors[name]
