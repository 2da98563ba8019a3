"""The data of cells: what is known of them before they run, or a datum itself, here and now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from findspot.experiments.cells import DataProgram, context_of, loaded_datum
from findspot.experiments.design import Design
from findspot.experiments.planning import data_cell
from findspot.experiments.sources import ArtifactSource, Datum, FunctionSource, ListSource

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.experiments.experiment import Experiment


def data_of(
    space: ArtifactSpace, project: str, design: Design, notes: list[str]
) -> Mapping[tuple[str, int], Datum]:
    """What is known of the datum of each cell before it runs."""
    source = design.source
    if isinstance(source, ArtifactSource):
        run = source.run(space, project)
        return source.data(space, run, list(design.conditions), notes)
    if isinstance(source, ListSource):
        items = source.data(space, project, design.name)
        return {(c, r): item for r, item in enumerate(items) for c in design.conditions}
    return {}


def datum_of(experiment: Experiment, design: Design, condition: str, replicate: int) -> Any:
    """The datum of one cell, made or loaded here and now."""
    source = design.source
    if source is None:
        return None
    if isinstance(source, FunctionSource):
        return DataProgram(source.step).run(context_of(data_cell(design, replicate), None, None))
    space = experiment.space()
    project = experiment._project(space)
    if isinstance(source, ListSource):
        return source.item(replicate, space, project)
    data = source.data(space, source.run(space, project), [condition], [])
    found = data[condition, replicate].source
    assert found is not None
    return loaded_datum(space, source.loader, found)
