"""Which cells of an experiment are to be run: those without a result that stands, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from findspot.engine.caching.reusing import leads_to
from findspot.experiments.cells import Cell
from findspot.experiments.data import data_of
from findspot.experiments.design import Design
from findspot.experiments.errors import BeingRun
from findspot.experiments.history import RUN, CellRecord, Run, lost, newest_run, older, runs
from findspot.experiments.sources import Datum

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.experiments.checking import Strategy


@dataclass(frozen=True, slots=True)
class Missing:
    """What there is to do.

    Args:
        before: the run that goes on; None: there is to be a new one.
        cells: those to run.
        notes: why finished ones run again, or are kept.
    """

    before: Run | None
    cells: list[tuple[Cell, Datum]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Grid:
    """All cells of an experiment, replicate by replicate, beside what is on record of them.

    Args:
        strategy: as of `Experiment.run`.
        notes: what is to be said of the cells, whatever is done.
    """

    space: ArtifactSpace
    project: str
    design: Design
    strategy: Strategy
    cells: Sequence[tuple[Cell, Datum]]
    notes: list[str]

    @classmethod
    def of(cls, space: ArtifactSpace, project: str, design: Design, strategy: Strategy) -> Grid:
        notes: list[str] = []
        data = data_of(space, project, design, notes)
        if design.unfingerprintable:
            notes.append(
                "Whether the code has changed cannot be told for sure: it uses "
                + ", ".join(design.unfingerprintable[:5])
            )
        cells = []
        for replicate in range(design.replicates):
            for condition in design.conditions:
                datum = data.get((condition, replicate), Datum())
                cells.append((design.cell(condition, replicate, datum), datum))
        return cls(space, project, design, strategy, cells, notes)

    def missing(self, wanted: Callable[[str, int], bool] | None) -> Missing:
        """What there is to do now.

        Args:
            wanted: whether a cell, by condition and replicate, is to be run if it is missing.

        Raises:
            BeingRun: another process runs the experiment.
        """
        found = Missing(None, list(self.cells))
        if self.strategy != "rerun":
            before = newest_run(self.space, self.project, self.design.name)
            if before is not None and before.jobs[0].status == "running":
                raise BeingRun(self.design.name, before.jobs[0].id)
            if before is not None:
                found = self._missing(before)
        if wanted is not None:
            found.cells[:] = [(c, d) for c, d in found.cells if wanted(c.condition, c.replicate)]
        return found

    def outdated(self, found: Missing) -> bool:
        """Whether somebody added to the newest run, or began one, since it was read."""
        jobs = list(runs(self.space, self.project, self.design.name))
        newest = max((job.params[RUN] for job in jobs), default=0)
        now = {(job.id, job.status) for job in jobs if job.params[RUN] == newest}
        before = found.before
        return now != {(job.id, job.status) for job in (before.jobs if before else ())}

    def _missing(self, before: Run) -> Missing:
        done = {place: c for place, c in before.cells.items() if c.status == "finished"}
        gone = lost(self.space, done)
        expires = self.design.expires
        old = set() if expires is None else older(self.space, done, expires)
        loaded = {text for cell in done.values() for text in cell.resolved}
        leads = {text: leads_to(self.space, text) for text in loaded}
        missing = []
        kept: list[Cell] = []
        reasons: dict[str, list[str]] = {}
        for cell, datum in self.cells:
            place = (cell.condition, cell.replicate)
            found = done.get(place)
            reason = "" if found is None else self._reason(cell, found, place in gone, leads)
            if reason == "" and place in old:
                reason = f"the {expires:g} s are over that the cache policy of a task gives them"
            if found is not None and reason == "":
                kept.append(cell)
                continue
            missing.append((cell, datum))
            if found is not None:
                reasons.setdefault(reason, []).append(cell.name)
        notes = [
            f"{_counted(names)} run{'s' * (len(names) == 1)} again, because {reason}."
            for reason, names in reasons.items()
        ]
        changed = [c.name for c in kept if done[c.condition, c.replicate].code != c.code]
        if changed:
            notes.append(f"{_counted(changed)} kept, though {self._changed(before)}.")
        return Missing(before, missing, notes)

    def _reason(
        self, cell: Cell, found: CellRecord, gone: bool, leads: Mapping[str, str | None]
    ) -> str:
        """Why a finished cell does not stand; "" where it does."""
        if found.identity != cell.identity:
            return "data, parameters or outputs have changed"
        if gone:
            return "artifacts are no longer there"
        moved = [text for text, digest in found.resolved.items() if leads[text] != digest]
        if moved:
            return f"what the code loads by its name has changed: {', '.join(moved)}"
        if found.code != cell.code and self.strategy == "resume":
            return "the code has changed"
        return ""

    def _changed(self, before: Run) -> str:
        codes = before.code
        names = [n for n, code in self.design.codes.items() if codes.get(n) not in (None, code)]
        return f"the code of {', '.join(names)} has changed" if names else "the code has changed"


def _counted(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    return f"{len(names)} finished cell{'' if len(names) == 1 else 's'} ({shown})"
