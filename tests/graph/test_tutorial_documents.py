"""The two entrypoints of the tutorial, written as its text describes them."""

from __future__ import annotations

from pathlib import Path

from findspot.core.types import NUMBER, MappingOf
from findspot.graph.checking import check, unused
from findspot.graph.plan import order, predecessors
from findspot.graph.spec import HandlerSpec, InputSpec, OutputSpec, Ref, TaskGraph, TaskSpec
from findspot.graph.values import check_values
from findspot.graph.yaml_graph import build_graph, read_document
from findspot.plugins.analysis import analyse

MAKING = """
import numpy as np
from findspot.plugins import register

@register
def sample_normal(random_seed: int, mean: float, variance: float, size: int) -> np.ndarray:
    return np.random.default_rng(random_seed).normal(mean, variance**0.5, size)

@register
def add_noise(input_array: np.ndarray, random_seed: int, noise: float = 1.0) -> np.ndarray:
    return input_array + np.random.default_rng(random_seed).normal(0, noise, input_array.shape)

@register
def transform(input_array: np.ndarray, power: int = 2) -> np.ndarray:
    return input_array**power

@register
def log_statistics(stage: str, input_array: np.ndarray) -> None:
    print(stage, input_array.mean())
"""
RESCALING = """
import matplotlib.pyplot as plt
import numpy as np
from findspot.plugins import register

@register
def scale_array(input_array: np.ndarray) -> dict:
    return {"log1p": np.log1p(input_array)}

@register
def visualize_rescaling_multi(
    original: np.ndarray, scaled: dict, title: str = "Rescaled"
) -> plt.Figure:
    return plt.figure()
"""
SAVING = """
from pathlib import Path
import numpy as np
from matplotlib.figure import Figure
from findspot.plugins import ArtifactTask

class NumpyArrayArtifactTask(ArtifactTask):
    @staticmethod
    def serialize(working_dir: Path, name: str, contents: np.ndarray, **kwargs) -> Path:
        return working_dir / name
    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs) -> np.ndarray:
        return np.load(working_dir / path)

class MatplotlibArtifactTask(ArtifactTask):
    @staticmethod
    def serialize(working_dir: Path, name: str, contents: Figure, **kwargs) -> Path:
        return working_dir / name
    @staticmethod
    def deserialize(working_dir: Path, path: str, **kwargs):
        return None
    @staticmethod
    def validation() -> dict:
        return {"dpi": {"type": "integer"}}
"""
PART_4 = """\
plugins: [plugins/making_plugin, plugins/artifact_plugin]
parameters:
  seed: 10145783023
  mean: 0.0
  variance: 10
  size: {type: integer, default: 500}
graph:
  draws:
    task: sample_normal
    kwargs: {random_seed: $seed, mean: $mean, variance: $variance, size: $size}
  log_draws:
    log_statistics: [draws, $draws]
  noisy:
    add_noise: {input_array: $draws, random_seed: $seed}
  transformed:
    transform: $noisy
  log_transformed:
    log_statistics: [transformed, $transformed]
    dependencies: [log_draws]
artifacts:
  saved_array:
    contents: $transformed
    task: {name: NumpyArrayArtifactTask}
"""
PART_5 = """\
plugins: [plugins/rescaling_plugin, plugins/artifact_plugin]
parameters:
  figure_title: Rescaled
artifact_inputs:
  artifact_input_array: {array: ndarray}
graph:
  scale_step:
    task: scale_array
    args: [$artifact_input_array]
  viz_step:
    task: visualize_rescaling_multi
    args: [$artifact_input_array, $scale_step]
    kwargs: {title: $figure_title}
artifact_outputs:
  rescaled_figure:
    contents: $viz_step
    task: {name: MatplotlibArtifactTask, args: {dpi: 150}}
"""


def entrypoint(folder: Path, text: str, **plugins: str) -> TaskGraph:
    """A graph from a document and its plugins on disk, sound or the test fails."""
    for name, code in plugins.items():
        plugin = folder / "plugins" / name
        plugin.mkdir(parents=True, exist_ok=True)
        (plugin / "tasks.py").write_text(code)
    path = folder / "entrypoint.yaml"
    path.write_text(text)
    document = read_document(path)
    tasks: dict[str, TaskSpec] = {}
    handlers: dict[str, HandlerSpec] = {}
    for plugin in document.plugin_paths:
        analysis = analyse(plugin)
        assert analysis.problems == ()
        tasks.update(analysis.tasks)
        handlers.update(analysis.handlers)
    graph, problems = build_graph(document, tasks, handlers)
    assert problems == []
    assert check(graph) == []
    assert unused(graph) == []
    return graph


def test_part_4_makes_and_saves_an_array(tmp_path: Path) -> None:
    graph = entrypoint(tmp_path, PART_4, making_plugin=MAKING, artifact_plugin=SAVING)
    assert order(graph) == ["draws", "log_draws", "noisy", "transformed", "log_transformed"]
    assert predecessors(graph)["log_transformed"] == ("transformed", "log_draws")
    assert graph.steps["transformed"].args == (Ref("noisy"),)
    assert graph.outputs["saved_array"].handler == "NumpyArrayArtifactTask"
    assert graph.parameters["seed"].default == 10145783023
    assert check_values(graph, {"variance": 2}, {}) == []


def test_part_5_takes_a_saved_array_and_saves_a_figure(tmp_path: Path) -> None:
    graph = entrypoint(tmp_path, PART_5, rescaling_plugin=RESCALING, artifact_plugin=SAVING)
    assert order(graph) == ["scale_step", "viz_step"]
    assert predecessors(graph) == {"scale_step": (), "viz_step": ("scale_step",)}
    assert str(graph.artifact_inputs["artifact_input_array"].outputs[0].type) == "numpy.ndarray"
    assert graph.outputs["rescaled_figure"].args == {"dpi": 150}
    assert check_values(graph, {}, {"artifact_input_array": "numpy.ndarray"}) == []
    (problem,) = check_values(graph, {}, {"artifact_input_array": "pandas.DataFrame"})
    assert problem.location == f"{tmp_path}/entrypoint.yaml:5"


def test_the_document_may_declare_types_tasks_and_several_outputs(tmp_path: Path) -> None:
    # As entrypoints of Dioptra do, where nothing is read from annotations.
    text = """\
plugins: [plugins/rescaling_plugin, plugins/artifact_plugin]
types:
  ndarray:
  figure: {class: matplotlib.figure.Figure}
  scaled: {mapping: [string, number]}
artifact_inputs:
  samples:
    - array: ndarray
    - spread: number
tasks:
  scale:
    plugin: rescaling_plugin.tasks.scale_array
    inputs: [{input_array: ndarray}]
    outputs: {scaled: scaled}
  visualize_rescaling_multi:
    inputs:
      - original: ndarray
      - scaled: scaled
      - {name: title, type: string, required: false}
    outputs:
      figure: figure
graph:
  scaled:
    scale: $samples.array
  figure:
    visualize_rescaling_multi: {original: $samples.array, scaled: $scaled.scaled}
artifact_outputs:
  figure:
    contents: {picture: [$figure, $samples.spread]}
"""
    graph = entrypoint(tmp_path, text, rescaling_plugin=RESCALING, artifact_plugin=SAVING)
    scale = graph.tasks["scale"]
    assert scale.source == "plugin:rescaling_plugin/tasks.py:scale_array"
    assert scale.outputs[0].type == graph.types["scaled"]
    assert isinstance(graph.types["scaled"], MappingOf)
    assert graph.artifact_inputs["samples"].unpack
    assert graph.artifact_inputs["samples"].outputs[1] == OutputSpec("spread", NUMBER)
    title = graph.tasks["visualize_rescaling_multi"].inputs[2]
    assert isinstance(title, InputSpec)
    assert not title.required
