"""torch's tensors in safetensors files: written without copies, read as private maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder
from findspot.handlers.selecting import array_index
from findspot.handlers.tensor_files import Tensor, read_tensors, write_tensors

torch: Any = import_module("torch")

_FILE, _KEY = "tensor.safetensors", "value"
_TYPES: Mapping[Any, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.uint16: "U16",
    torch.uint32: "U32",
    torch.uint64: "U64",
    torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}
_OF_NAME = {name: dtype for dtype, name in _TYPES.items()}
_CLASSES = (torch.Tensor, torch.nn.Parameter)


class TensorHandler(Handler):
    """Dense tensors and parameters of every type that safetensors has, and whether they want a
    gradient; gradients and the graph that made them are not kept. They come back in memory of the
    CPU: a large one as a private map of the stored file, at once, and may be written to.
    """

    name = "torch.tensor"
    types = ("torch.Tensor",)
    kind = "dataset"
    representations = ("numpy.ndarray", "list")
    selections = ("rows", "index")

    def accepts(self, value: Any) -> bool:
        return is_held(value)

    def why_not(self, value: Any) -> str:
        return "it takes dense tensors that have data, no sparse or quantized ones or subclasses"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        write(folder, _FILE, {_KEY: value})

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        found = read(folder, _FILE)
        if found.keys() != {_KEY}:
            raise BadFiles("it holds other tensors", where=_FILE)
        return found[_KEY]

    def load_part(self, folder: LoadFolder, what: Mapping[str, Any], /, **args: Any) -> Any:
        whole = self.load(folder).detach()
        try:
            return whole[array_index(what, whole.shape)].clone()
        except IndexError as error:
            from findspot.handlers.errors import BadSelection

            raise BadSelection(
                f"A tensor of shape {tuple(whole.shape)} has no such part: {error}."
            ) from error

    def load_as(
        self, folder: LoadFolder, as_type: str, what: Mapping[str, Any], /, **args: Any
    ) -> Any:
        tensor = (self.load_part(folder, what) if what else self.load(folder)).detach()
        if as_type == "list":
            return tensor.tolist()
        # NumPy has no bfloat16 and no eight-bit floats; single precision holds them all.
        held = tensor.dtype not in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
        return (tensor if held else tensor.float()).numpy()

    def describe(self, value: Any) -> Mapping[str, Any]:
        return {
            "shape": list(value.shape),
            "dtype": str(value.dtype).removeprefix("torch."),
            "bytes": int(value.numel() * value.element_size()),
            "device": str(value.device),
        }

    def preview(self, value: Any) -> Preview | None:
        return text_preview(repr(value))


def is_held(value: Any) -> bool:
    """Whether a safetensors file holds the tensor."""
    return (
        type(value) in _CLASSES
        and value.layout == torch.strided
        and not value.is_quantized
        and value.device.type != "meta"
        and value.dtype in _TYPES
    )


def all_held(tensors: Mapping[str, Any]) -> bool:
    return "__metadata__" not in tensors and all(map(is_held, tensors.values()))


def write(folder: SaveFolder, name: str, tensors: Mapping[str, Any]) -> None:
    """Write tensors; which are parameters, and which want a gradient, is in the metadata."""
    about = {}
    for key, tensor in tensors.items():
        flags = "p" * isinstance(tensor, torch.nn.Parameter) + "g" * bool(tensor.requires_grad)
        if flags:
            about[key] = flags
    write_tensors(folder, name, {key: _taken(each) for key, each in tensors.items()}, about)


def _taken(tensor: Any) -> Tensor:
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    data = plain.reshape(-1).view(torch.uint8).numpy() if plain.numel() else np.empty(0, np.uint8)
    return Tensor(_TYPES[tensor.dtype], tuple(tensor.shape), data)


def read(folder: LoadFolder, name: str, only: Iterable[str] | None = None) -> dict[str, Any]:
    """The tensors of a file by name."""
    found, about = read_tensors(folder, name, writable=True, only=only)
    made = {}
    for key, each in found.items():
        if each.dtype not in _OF_NAME:
            raise BadFiles(f"torch has no type {each.dtype}", where=name)
        dtype = _OF_NAME[each.dtype]
        tensor = torch.empty(0, dtype=dtype)
        if each.data.size:
            tensor = torch.from_numpy(each.data).view(dtype)
        tensor = tensor.reshape(each.shape)
        flags = about.get(key, "")
        if "p" in flags:
            tensor = torch.nn.Parameter(tensor, requires_grad="g" in flags)
        elif "g" in flags:
            tensor.requires_grad_()
        made[key] = tensor
    return made
