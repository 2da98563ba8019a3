"""torch's tensors, state dicts and modules."""

from __future__ import annotations

from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from findspot.handlers import (
    BadFiles,
    BadSelection,
    BadValue,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    load_value,
    round_trip,
)

torch: Any = import_module("torch")

_TYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "int64", "int32", "int16"),
    *("int8", "uint8", "uint16", "uint32", "uint64", "bool", "float8_e4m3fn", "float8_e5m2"),
)


class Net(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """A module with a buffer, a shared weight and an attribute."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.first = torch.nn.Linear(4, width)
        self.norm = torch.nn.BatchNorm1d(width)
        self.second = torch.nn.Linear(width, width)
        self.tied = torch.nn.Linear(width, width)
        self.tied.weight = self.second.weight
        self.first.bias.requires_grad_(False)
        self.extra = torch.arange(3)

    def forward(self, x: Any) -> Any:
        return self.tied(self.second(self.norm(self.first(x)).relu()))


def saved(value: Any, folder: Path, handler: str | None = None) -> Any:
    folder.mkdir(exist_ok=True)
    registry = default_registry()
    found = registry.for_value(value) if handler is None else registry.by_name(handler)
    found.save(value, PlainSaveFolder(folder))

    def load(as_type: Any = None, *, trusted: bool = False, **what: Any) -> Any:
        files = PlainLoadFolder(folder, trusted=trusted)
        return load_value(found, files, as_type=as_type, what=what)

    return load


@pytest.mark.parametrize("dtype", _TYPES)
def test_tensors_of_every_type_come_back(dtype: str) -> None:
    kind = getattr(torch, dtype)
    value = torch.arange(6).to(kind).reshape(2, 3)
    loaded = round_trip(value)
    assert loaded.dtype == kind
    assert loaded.shape == (2, 3)
    assert loaded.view(torch.uint8).equal(value.view(torch.uint8))
    assert default_registry().for_value(value).name == "torch.tensor"
    assert round_trip(torch.empty((0, 3), dtype=kind)).shape == (0, 3)
    assert round_trip(value[0, 1]).shape == ()


def test_layout_gradient_and_class_of_tensors(tmp_path: Path) -> None:
    turned = torch.arange(6.0).reshape(2, 3).T
    assert round_trip(turned).equal(turned)
    conjugate = torch.tensor([1 + 2j, 3 - 1j], dtype=torch.complex64).conj()
    assert round_trip(conjugate).equal(conjugate)
    wanting = torch.ones(3, requires_grad=True)
    assert round_trip(wanting).requires_grad
    assert round_trip(wanting * 2).is_leaf
    parameter = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    loaded = round_trip(parameter)
    assert type(loaded) is torch.nn.Parameter
    assert not loaded.requires_grad
    both = round_trip({"t": turned, "n": [1, torch.ones(2)]})
    assert both["n"][1].tolist() == [1.0, 1.0]
    for refused in (torch.eye(3).to_sparse(), torch.empty(2, device="meta")):
        assert default_registry().for_value(refused).name == "pickle"


def test_a_large_tensor_is_mapped_and_may_be_written_to(tmp_path: Path) -> None:
    value = torch.arange(1_000_000, dtype=torch.float32).reshape(1000, 1000)
    load = saved(value, tmp_path)
    before = PlainSaveFolder(tmp_path).files()
    loaded = load()
    loaded.mul_(0)
    assert load().equal(value)
    assert PlainSaveFolder(tmp_path).files() == before
    assert load(rows=slice(2, 4)).equal(value[2:4])
    assert load(index=np.s_[5, ::500]).tolist() == [5000.0, 5500.0]
    assert (load(np.ndarray) == value.numpy()).all()
    assert load(list, index=np.s_[0, :2]) == [0.0, 1.0]
    with pytest.raises(BadSelection, match="no such part"):
        load(index=1000)
    half = saved(torch.ones(2, dtype=torch.bfloat16), tmp_path / "half")
    assert half(np.ndarray).dtype == np.float32


def test_arrays_are_loaded_as_tensors(tmp_path: Path) -> None:
    load = saved(np.arange(300_000.0), tmp_path)
    tensor = load("torch.Tensor")
    tensor[0] = 7
    assert load("torch.Tensor", rows=slice(1, 3)).tolist() == [1.0, 2.0]
    assert load("torch.Tensor")[0] == 0


def test_state_dicts_are_safetensors_for_other_tools(tmp_path: Path) -> None:
    net = Net(5)
    state: Any = net.state_dict()
    handler = default_registry().for_value(state)
    assert (handler.name, handler.kind) == ("torch.state-dict", "model")
    load = saved(state, tmp_path / "a")
    loaded: Any = load()
    assert type(loaded) is OrderedDict
    assert list(loaded) == list(state)
    assert vars(loaded)["_metadata"] == state._metadata
    assert all(loaded[name].equal(state[name]) for name in state)
    Net(5).load_state_dict(loaded)
    with safe_open(tmp_path / "a" / "weights.safetensors", "pt") as opened:
        assert opened.get_tensor("first.weight").equal(state["first.weight"])
    assert list(load(keys=["first.bias"])) == ["first.bias"]
    with pytest.raises(BadSelection, match=r"did you mean 'first\.bias'"):
        load(keys=["first.bia"])
    saved(net.state_dict(), tmp_path / "b")
    assert PlainSaveFolder(tmp_path / "a").files() == PlainSaveFolder(tmp_path / "b").files()
    assert handler.describe(state)["shapes"]["first.weight"] == [5, 4]


def test_other_dicts_are_not_taken_for_weights() -> None:
    registry = default_registry()
    assert registry.for_value({}).name == "json"
    assert registry.for_value({"a": torch.ones(1)}).name == "torch.state-dict"
    assert registry.for_value({"a": torch.ones(1), "b": 2}).name == "structure"
    assert registry.for_value({1: torch.ones(1)}).name == "structure"
    assert round_trip({"a": torch.ones(1), "b": 2})["a"].tolist() == [1.0]


def test_modules_come_back_whole_where_they_are_trusted(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net(5)
    net(torch.randn(8, 4))
    net.eval()
    load = saved(net, tmp_path)
    loaded = load(trusted=True)
    assert type(loaded) is Net
    assert not loaded.training
    x = torch.randn(3, 4)
    assert loaded(x).equal(net(x))
    assert loaded.tied.weight is loaded.second.weight
    assert [p.requires_grad for p in loaded.parameters()] == [
        p.requires_grad for p in net.parameters()
    ]
    assert loaded.extra.tolist() == [0, 1, 2]
    loaded(x).sum().backward()
    skeleton = (tmp_path / "module.pkl").stat().st_size
    assert skeleton < 8000
    handler = default_registry().for_value(net)
    assert handler.describe(net)["parameters"] == sum(p.numel() for p in net.parameters())


def test_weights_of_a_module_need_no_trust(tmp_path: Path) -> None:
    net = Net(3)
    load = saved(net, tmp_path)
    with pytest.raises(Untrusted, match="as_type=dict"):
        load()
    weights = load(dict)
    assert weights["first.weight"].equal(net.first.weight)
    assert not weights["first.weight"].requires_grad
    assert list(load(keys=["norm.running_mean"])) == ["norm.running_mean"]


def test_modules_made_of_lambdas_and_local_classes_come_back() -> None:
    class Double(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        def forward(self, x: Any) -> Any:
            return 2 * x

    net = torch.nn.Sequential(torch.nn.Linear(2, 2), Double())
    net.activation = lambda x: x + 1
    loaded = round_trip(net)
    x = torch.ones(1, 2)
    assert loaded(x).equal(net(x))
    assert loaded.activation(1) == 2


def test_damaged_modules_and_what_cannot_be_pickled(tmp_path: Path) -> None:
    load = saved(torch.nn.Linear(2, 2), tmp_path)
    (tmp_path / "module.pkl").write_bytes(b"no pickle")
    with pytest.raises(BadFiles, match="no pickle"):
        load(trusted=True)
    (tmp_path / "weights.safetensors").write_bytes(b"none")
    with pytest.raises(BadFiles, match="safetensors"):
        load(dict)
    bad = torch.nn.Linear(2, 2)
    bad.file = (n for n in range(3))
    with pytest.raises(BadValue, match="cannot be pickled"):
        round_trip(bad)
