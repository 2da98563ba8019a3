"""ONNX models, as the protocol buffers that they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import onnx

from findspot.core.records import Preview
from findspot.handlers.errors import BadFiles, BadValue
from findspot.handlers.handler import Handler, text_preview
from findspot.handlers.protocol import LoadFolder, SaveFolder

_FILE = "model.onnx"
_LIMIT = (1 << 31) - 1
_messages: Any = import_module("google.protobuf.message")


class ModelHandler(Handler):
    """ONNX models with their weights, in ``model.onnx``. Weights in other files are refused, as
    the model alone would be of no use."""

    name = "onnx.model"
    types = ("onnx.ModelProto",)
    kind = "model"

    def save(self, value: Any, folder: SaveFolder, /, **args: Any) -> None:
        outside = [
            tensor.name
            for tensor in value.graph.initializer
            if tensor.data_location == onnx.TensorProto.EXTERNAL
        ]
        if outside:
            raise BadValue(
                f"The model's weights {', '.join(outside[:5])} are in other files.",
                how="Load them into it first: onnx.load_external_data_for_model(model, folder). "
                "A model of 2 GiB or more is saved as its folder (pathlib.Path).",
            )
        if value.ByteSize() > _LIMIT:
            raise BadValue(
                "The model has 2 GiB or more, which a protocol buffer does not hold.",
                how="Save it with its weights beside it (onnx.save(..., "
                "save_as_external_data=True)), and that folder as pathlib.Path.",
            )
        folder.write(_FILE, value.SerializeToString(deterministic=True))

    def load(self, folder: LoadFolder, /, **args: Any) -> Any:
        try:
            return onnx.load_model_from_string(folder.read(_FILE))
        except _messages.DecodeError as error:
            raise BadFiles(f"it is no ONNX model, or a damaged one: {error}", where=_FILE) from (
                error
            )

    def describe(self, value: Any) -> Mapping[str, Any]:
        operators = Counter(node.op_type for node in value.graph.node)
        return {
            "producer": f"{value.producer_name} {value.producer_version}".strip(),
            "opsets": {each.domain or "ai.onnx": each.version for each in value.opset_import},
            "operators": dict(operators.most_common(50)),
            "inputs": {each.name: _type_of(each) for each in value.graph.input[:50]},
            "outputs": {each.name: _type_of(each) for each in value.graph.output[:50]},
        }

    def preview(self, value: Any) -> Preview | None:
        nodes = [
            f"{', '.join(node.output)} = {node.op_type}({', '.join(node.input)})"
            for node in value.graph.node[:50]
        ]
        return text_preview("\n".join(nodes))


def _type_of(info: Any) -> str:
    tensor = info.type.tensor_type
    if not tensor.elem_type:
        return str(info.type.WhichOneof("value"))
    dims = [each.dim_param or str(each.dim_value) for each in tensor.shape.dim]
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}[{', '.join(dims)}]"
