"""Keras' models on torch, and a small model of transformers with its folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findspot.handlers import (
    BadFiles,
    PlainLoadFolder,
    PlainSaveFolder,
    Untrusted,
    default_registry,
    round_trip,
)

torch: Any = import_module("torch")
keras: Any = import_module("keras")
transformers: Any = import_module("transformers")

# Of Keras itself, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_models_of_keras_come_back(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu")])
    model.compile(optimizer="adam", loss="mse")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("f4")
    model.fit(x, x[:, :2], epochs=1, verbose=0)
    handler = default_registry().for_value(model)
    assert (handler.name, handler.kind) == ("keras.model", "model")
    loaded = round_trip(model)
    assert type(loaded) is type(model)
    assert (loaded.predict(x, verbose=0) == model.predict(x, verbose=0)).all()
    assert loaded.optimizer.iterations == model.optimizer.iterations
    assert handler.describe(model)["parameters"] == 8
    handler.save(model, PlainSaveFolder(tmp_path))
    (tmp_path / "model.keras").write_bytes(b"no archive")
    with pytest.raises(BadFiles, match="no model of Keras"):
        handler.load(PlainLoadFolder(tmp_path))


def test_code_in_a_model_of_keras_needs_trust(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    handler = default_registry().for_value(model)
    handler.save(model, PlainSaveFolder(tmp_path))
    with pytest.raises(Untrusted, match="code of its own"):
        handler.load(PlainLoadFolder(tmp_path))
    loaded = handler.load(PlainLoadFolder(tmp_path, trusted=True))
    x = np.ones((1, 3), dtype="f4")
    assert loaded.predict(x, verbose=0).tolist() == [[2.0, 2.0, 2.0]]


def test_models_of_transformers_come_back_from_their_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    torch.manual_seed(0)
    model = transformers.BertModel(config).eval()
    handler = default_registry().for_value(model)
    assert (handler.name, handler.kind) == ("huggingface.pretrained", "model")
    capfd.readouterr()
    handler.save(model, PlainSaveFolder(tmp_path))
    loaded = handler.load(PlainLoadFolder(tmp_path)).eval()
    assert capfd.readouterr().out == ""
    assert (tmp_path / "pretrained" / "model.safetensors").is_file()
    tokens = torch.tensor([[1, 2, 3]])
    assert loaded(tokens).last_hidden_state.equal(model(tokens).last_hidden_state)
    assert handler.describe(model)["model_type"] == "bert"
    assert round_trip(config).to_dict() == config.to_dict()
