"""Where the data of an experiment come from: a function, a list, or another experiment's artifacts.

Each gives one datum a replicate; all conditions of a replicate get the same one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.canonical import canonical_json, is_plain
from findspot.core.digests import hash_bytes
from findspot.core.errors import CheckFailed, FindspotError, Problem
from findspot.core.records import VersionRecord
from findspot.experiments.errors import NoRun
from findspot.experiments.history import Run, newest_run
from findspot.experiments.loading import Loader
from findspot.experiments.steps import ExperimentStep, read_step
from findspot.experiments.treatments import BASELINE

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.artifacts.version import ArtifactVersion
    from findspot.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Datum:
    """What one cell is given.

    Args:
        digest: of what is known of it before the run.
        value: the value itself, where it is plain.
        version: the saved version that it is; loaded by the engine as a step's input.
        source: the uid of an artifact that the cell loads itself.
    """

    digest: str = ""
    value: Any = None
    version: ArtifactVersion | None = None
    source: str | None = None


@dataclass(frozen=True)
class FunctionSource:
    """A function of the context (or of nothing), called once a replicate."""

    step: ExperimentStep
    replicates: int | None = None


@dataclass(frozen=True)
class ListSource:
    """One item for each replicate."""

    items: tuple[Any, ...]

    @property
    def replicates(self) -> int:
        return len(self.items)

    def item(self, replicate: int, space: ArtifactSpace, project: str) -> Any:
        """One of them as a step is given it: what is done to it does nothing to the list."""
        from findspot.artifacts.version import ArtifactVersion

        item = _found(space, project, self.items[replicate])
        return item.load() if isinstance(item, ArtifactVersion) else copy.deepcopy(item)

    def data(self, space: ArtifactSpace, project: str, name: str) -> list[Datum]:
        """The items; what is not plain is saved, where it is not the newest version already.

        Raises:
            CheckFailed: lists the items that cannot be saved; none is then.
        """
        from findspot.artifacts.version import ArtifactVersion
        from findspot.catalog.protocol import Batch

        found: list[Datum] = []
        problems: list[Problem] = []
        batch = Batch()
        for index, given in enumerate(self.items):
            item = _found(space, project, given)
            if isinstance(item, ArtifactVersion):
                found.append(Datum(item.digest, version=item))
                continue
            if is_plain(item):
                found.append(Datum(hash_bytes(canonical_json(item)), value=item))
                continue
            key = f"{name}/data/{index}"
            try:
                new = space.prepare(item, key, project=project)
            except FindspotError as error:
                problems.append(Problem(f"datasource[{index}]", error.what, hint=error.how or ""))
                continue
            newest = space.catalog.find_version(project, key)
            if newest is None or newest.digest != new.record.digest:
                batch.versions.append(new)
                newest = new.record
            version = ArtifactVersion(space, newest, new.files)
            found.append(Datum(newest.digest, version=version))
        if problems:
            raise CheckFailed(f"The data of the experiment {name!r}", problems)
        if batch:
            space.catalog.write(batch)
        return found


def _found(space: ArtifactSpace, project: str, item: Any) -> Any:
    """What an item is: of an artifact that is named, the version that it is now.

    Raises:
        NotFound: there is none.
    """
    from findspot.artifacts.version import ArtifactVersion
    from findspot.engine.targets.external import ExternalArtifact

    if not isinstance(item, ExternalArtifact):
        return item
    return item.value if item.has_value else ArtifactVersion(space, item.find(space, project))


@dataclass(frozen=True)
class ArtifactSource:
    """What another experiment's step wrote, one item for each of its replicates.

    It is looked up when the consumer is checked or run: the producer may have run in another
    process, or may only be declared here.

    Args:
        producer: the other experiment.
        condition: whose artifacts; None: those of the consumer's own condition, and the baseline's
            where the producer has no such condition.
        loader: what the steps get of each.
        require_metadata: the run's ``metadata.json`` must be there in the readable view.
    """

    producer: Experiment
    step: str
    name: str
    condition: str | None = None
    loader: Loader = field(default_factory=Loader)
    require_metadata: bool = False

    def run(self, space: ArtifactSpace, project: str) -> Run:
        """The producer's newest run.

        Raises:
            NoRun: there is none.
        """
        found = newest_run(space, project, self.producer.name)
        if found is None:
            raise NoRun(self.producer.name, space.url)
        if self.require_metadata and not self._metadata(space, found).is_file():
            raise FindspotError(
                f"Run {found.number} of {self.producer.name!r} has no metadata.json.",
                where=str(self._metadata(space, found)),
                how="Write its readable view again: run(strategy='resume') of it.",
            )
        return found

    def _metadata(self, space: ArtifactSpace, run: Run) -> Path:
        from findspot.experiments.view import folder_of_run

        return folder_of_run(self.producer, space, run.number) / "metadata.json"

    def data(
        self, space: ArtifactSpace, run: Run, conditions: Sequence[str], notes: list[str]
    ) -> dict[tuple[str, int], Datum]:
        """The datum of each condition and replicate.

        Raises:
            CheckFailed: lists every artifact that is not there, with the reason.
        """
        problems: list[Problem] = []
        found: dict[tuple[str, int], VersionRecord] = {}
        wanted: dict[tuple[str, int], str] = {}
        self._check_names(run, problems)
        for condition in conditions:
            source = self.condition or condition
            if self.condition is None and source not in run.conditions:
                if condition != BASELINE:
                    notes.append(
                        f"{condition!r} is given the baseline's {self.name} of "
                        f"{self.producer.name!r}, which has no such condition."
                    )
                source = BASELINE
            if source not in list(run.conditions):
                continue  # which is among the problems
            for replicate in range(run.replicates):
                uid = self._uid(run, source, replicate, problems)
                if uid is not None:
                    wanted[condition, replicate] = uid
        versions = space.catalog.versions(set(wanted.values()))
        for place, uid in wanted.items():
            if uid in versions:
                found[place] = versions[uid]
            else:
                hint = f"Make it again: run(strategy='resume') of {self.producer.name!r}."
                what = f"its {self.step}/{self.name} was deleted"
                problems.append(Problem(f"{place[0]}/{place[1]}", what, hint=hint))
        if problems:
            unique = list(dict.fromkeys(problems))
            raise CheckFailed(f"The data source of {self.producer.name!r}", unique)
        return {place: Datum(record.digest, source=record.uid) for place, record in found.items()}

    def _check_names(self, run: Run, problems: list[Problem]) -> None:
        known = {name for cell in run.cells.values() for name in cell.outputs}
        ended = any(cell.status == "finished" for cell in run.cells.values())
        if ended and f"{self.step}/{self.name}" not in known:
            listed = ", ".join(sorted(known)[:10]) or "none; a step that writes some declares them"
            problems.append(
                Problem(f"{self.step}/{self.name}", "no step wrote it", hint=f"There are: {listed}")
            )
        if self.condition is not None and self.condition not in list(run.conditions):
            listed = ", ".join(run.conditions)
            problems.append(
                Problem(self.condition, "there is no such condition", hint=f"There are: {listed}")
            )

    def _uid(self, run: Run, condition: str, replicate: int, problems: list[Problem]) -> str | None:
        if problems and problems[0].path == f"{self.step}/{self.name}":
            return None
        cell = run.cells.get((condition, replicate))
        uid = None if cell is None else cell.outputs.get(f"{self.step}/{self.name}")
        if uid is None:
            why = "it has not run" if cell is None else f"it is {cell.status}"
            if cell is not None and cell.failure is not None:
                why = f"it failed with {cell.failure.type}: {cell.failure.message}"
            problems.append(
                Problem(
                    f"{condition}/{replicate}",
                    f"there is no {self.step}/{self.name}, because {why}",
                    hint=f"Complete the experiment: run(strategy='resume') of "
                    f"{self.producer.name!r}.",
                )
            )
        return uid


Source = FunctionSource | ListSource | ArtifactSource | None


def read_source(given: Any, problems: list[Problem]) -> Source:
    """A data source from what the user gave; what is wrong is added to the problems."""
    if given is None or isinstance(given, ArtifactSource):
        return given
    if isinstance(given, list | tuple):
        if not given:
            problems.append(Problem("datasource", "the list is empty"))
        return ListSource(tuple(given))
    if callable(given):
        try:
            return FunctionSource(read_step(given, source=True))
        except (FindspotError, TypeError, ValueError) as error:
            problems.append(Problem("datasource", str(error)))
            return None
    problems.append(
        Problem(
            "datasource",
            "it is none",
            expected="a function of ctx, a list, or artifact_datasource(...) of an experiment",
            found=type(given).__name__,
        )
    )
    return None


def parameters_of(source: Source, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the baseline's parameters that a function's data depend on."""
    if not isinstance(source, FunctionSource):
        return {}
    if source.step.context:
        return dict(parameters)
    return source.step.values(parameters)
