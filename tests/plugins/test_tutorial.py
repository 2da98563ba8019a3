"""The tutorial's plugins: read without running, run without Findspot, and saved and loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from findspot.catalog import open_catalog
from findspot.core.errors import CheckFailed
from findspot.core.types import MappingOf
from findspot.handlers import PlainLoadFolder, PlainSaveFolder
from findspot.plugins.analysis import analyse
from findspot.plugins.loading import LoadedPlugin, load_plugin
from findspot.plugins.snapshots import snapshot
from findspot.store.memory import MemoryBlobStore

TUTORIAL = Path(__file__).parents[2] / "examples" / "tutorial"
PLUGINS = TUTORIAL / "plugins"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LoadedPlugin]]:
    """All three, recorded and loaded as a job does it."""
    folder = tmp_path_factory.mktemp("tutorial")
    store, catalog = MemoryBlobStore(), open_catalog(f"sqlite:///{folder}/catalog.db")
    loaded = {}
    for path in sorted(PLUGINS.iterdir()):
        made, _ = snapshot(path, store=store, catalog=catalog, project="default")
        loaded[made.name] = load_plugin(made, made.files, folder, store=store)
    yield loaded
    catalog.close()


def call(plugin: LoadedPlugin, task: str, *args: Any, **kwargs: Any) -> Any:
    return plugin.function(plugin.analysis.tasks[task].source)(*args, **kwargs)


@pytest.fixture(scope="module")
def samples(plugins: dict[str, LoadedPlugin]) -> np.ndarray:
    parameters = entrypoint("entrypoint_4")["parameters"]
    sampling = plugins["sampling_plugin"]
    drawn = call(
        sampling,
        "draw_samples",
        **{name: parameters[name] for name in ("seed", "mean", "variance", "size")},
    )
    noisy = call(sampling, "add_noise", drawn, parameters["seed"], parameters["noise"])
    found: np.ndarray = call(sampling, "transform", noisy)
    return found


def entrypoint(name: str) -> dict[str, Any]:
    text = (TUTORIAL / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_the_plugins_have_no_mistakes_and_typed_signatures() -> None:
    rescaling = analyse(PLUGINS / "rescaling_plugin")
    assert rescaling.problems == ()
    scale, draw = rescaling.tasks["scale_array"], rescaling.tasks["visualize_rescaling_multi"]
    array = scale.inputs[0].type
    assert str(array) == "numpy.ndarray"
    assert scale.outputs[0].type == draw.inputs[1].type
    assert isinstance(scale.outputs[0].type, MappingOf)
    assert [(i.name, i.required) for i in draw.inputs] == [
        ("original", True),
        ("scaled", True),
        ("title", False),
    ]
    handlers = analyse(PLUGINS / "artifact_plugin").handlers
    assert handlers["NumpyArrayArtifactTask"].type == array
    assert handlers["MatplotlibArtifactTask"].type == draw.outputs[0].type
    assert set(handlers["MatplotlibArtifactTask"].schema) == {"format", "dpi", "transparent"}


@pytest.mark.parametrize("name", ["entrypoint_4", "entrypoint_5"])
def test_an_entrypoint_uses_what_its_plugins_offer(name: str) -> None:
    document = entrypoint(name)
    found = [analyse(TUTORIAL / path) for path in document["plugins"]]
    tasks = {task for plugin in found for task in plugin.tasks}
    handlers = {handler for plugin in found for handler in plugin.handlers}
    for step in document["graph"].values():
        assert set(step) <= tasks
    for output in document["artifact_outputs"].values():
        assert output["task"]["name"] in handlers


def test_equal_seeds_give_equal_samples(
    plugins: dict[str, LoadedPlugin], samples: np.ndarray
) -> None:
    sampling = plugins["sampling_plugin"]
    again = call(sampling, "draw_samples", 42, 10.0, 16.0, 1000)
    np.testing.assert_array_equal(again, call(sampling, "draw_samples", 42, 10.0, 16.0, 1000))
    assert not np.array_equal(again, call(sampling, "draw_samples", 43, 10.0, 16.0, 1000))
    assert (again.mean(), again.std()) == pytest.approx((10.0, 4.0), abs=0.3)
    assert samples.shape == (1000,)
    assert samples.min() == 0.0


def test_an_array_is_rescaled_three_ways(
    plugins: dict[str, LoadedPlugin], samples: np.ndarray
) -> None:
    scaled = call(plugins["rescaling_plugin"], "scale_array", samples)
    assert set(scaled) == {"Min-max", "Z-score", "Log1p"}
    assert (scaled["Min-max"].min(), scaled["Min-max"].max()) == (0.0, 1.0)
    assert (scaled["Z-score"].mean(), scaled["Z-score"].std()) == pytest.approx((0.0, 1.0))
    np.testing.assert_allclose(np.expm1(scaled["Log1p"]), samples, rtol=1e-9, atol=1e-9)
    # All three keep the order of the values.
    order = np.argsort(samples, kind="stable")
    for values in scaled.values():
        assert np.all(np.diff(values[order]) >= 0)


def test_a_constant_array_is_no_division_by_zero(plugins: dict[str, LoadedPlugin]) -> None:
    scaled = call(plugins["rescaling_plugin"], "scale_array", np.full(4, 3.0))
    assert scaled["Min-max"].tolist() == scaled["Z-score"].tolist() == [0.0] * 4


def test_the_figure_shows_one_scatter_plot_for_each_method(
    plugins: dict[str, LoadedPlugin], samples: np.ndarray
) -> None:
    rescaling = plugins["rescaling_plugin"]
    scaled = call(rescaling, "scale_array", samples)
    figure = call(rescaling, "visualize_rescaling_multi", samples, scaled, "Three ways")
    assert isinstance(figure, Figure)
    assert figure.get_suptitle() == "Three ways"
    assert [axes.get_title() for axes in figure.axes] == list(scaled)
    for axes, values in zip(figure.axes, scaled.values(), strict=True):
        points = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_array_equal(points, np.column_stack([samples, values]))


def test_the_array_is_saved_and_loaded(
    plugins: dict[str, LoadedPlugin], samples: np.ndarray, tmp_path: Path
) -> None:
    handler = plugins["artifact_plugin"].handler("NumpyArrayArtifactTask", name="samples")
    handler.save(samples, PlainSaveFolder(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["samples.npy"]
    np.testing.assert_array_equal(handler.load(PlainLoadFolder(tmp_path)), samples)
    assert (handler.kind, handler.safe) == ("dataset", True)


def test_arrays_of_objects_are_refused(plugins: dict[str, LoadedPlugin], tmp_path: Path) -> None:
    handler = plugins["artifact_plugin"].handler("NumpyArrayArtifactTask")
    with pytest.raises(ValueError, match="allow_pickle"):
        handler.save(np.array([object()]), PlainSaveFolder(tmp_path))


def test_the_figure_is_saved_and_loaded_as_a_picture(
    plugins: dict[str, LoadedPlugin], tmp_path: Path
) -> None:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [0, 1])
    handler = plugins["artifact_plugin"].handler("MatplotlibArtifactTask", name="figure")
    handler.save(figure, PlainSaveFolder(tmp_path), dpi=50)
    data = (tmp_path / "figure.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    loaded = handler.load(PlainLoadFolder(tmp_path), dpi=50)
    assert tuple(loaded.get_size_inches()) == (2.0, 1.0)
    # What the loaded figure draws is the picture that was saved.
    again = tmp_path / "again"
    again.mkdir()
    handler.save(loaded, PlainSaveFolder(again), dpi=50)
    from matplotlib.image import imread

    before, after = imread(tmp_path / "figure.png"), imread(again / "figure.png")
    np.testing.assert_allclose(after, before, atol=0.01)
    assert handler.kind == "plot"
    preview = handler.preview(figure)
    assert preview is not None
    assert preview.media_type == "image/png"


@pytest.mark.parametrize("args", [{"dpi": "high"}, {"dpi": 5}, {"format": "bmp"}, {"dip": 100}])
def test_wrong_arguments_of_the_figure(
    args: dict[str, Any], plugins: dict[str, LoadedPlugin], tmp_path: Path
) -> None:
    handler = plugins["artifact_plugin"].handler("MatplotlibArtifactTask")
    with pytest.raises(CheckFailed):
        handler.save(Figure(), PlainSaveFolder(tmp_path), **args)


@pytest.mark.slow
def test_the_readmes_links_and_its_example() -> None:
    text = (TUTORIAL / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert links
    for link in links:
        assert (TUTORIAL / link).is_file(), link
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-W", "error", "-c", example], env=environment, check=True)
