"""Run an experiment: find out which cells are missing, run them as a job, and gather the result."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.ids import new_uid
from findspot.core.records import Snapshot, StepRecord, document_digest, now
from findspot.engine.caching.reusing import leads_to
from findspot.engine.executors import check_executor, stays_here
from findspot.engine.launching import JobOptions, check_options, launch
from findspot.engine.logged.publishing import OF_A_CELL, path_of_job, values_of
from findspot.experiments.alone import alone
from findspot.experiments.cells import Cell, DataProgram, context_of, loaded_datum
from findspot.experiments.design import Design
from findspot.experiments.errors import BeingRun, NoRun, ViewNotWritten
from findspot.experiments.history import (
    DATA,
    RUN,
    RUN_LABELS,
    CellRecord,
    Run,
    lost,
    newest_run,
    run_after,
    runs,
)
from findspot.experiments.planning import data_cell, facts_of, plan_cells
from findspot.experiments.progress import Listener, Progress
from findspot.experiments.registration import registration_of
from findspot.experiments.results import Result
from findspot.experiments.run_index import write_index
from findspot.experiments.sources import ArtifactSource, Datum, FunctionSource, ListSource
from findspot.experiments.view import Item, complete, folder_of_run, item_of, write_view

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.catalog.protocol import NewVersion
    from findspot.experiments.experiment import Experiment, Strategy


class Running:
    """One call of `Experiment.run`."""

    def __init__(
        self,
        experiment: Experiment,
        design: Design,
        space: ArtifactSpace,
        project: str,
        *,
        strategy: Strategy,
        executor: str | None,
        workers: int | None,
        artifact_path: str | Path | None = None,
        progress: Listener | None,
        wanted: Callable[[str, int], bool] | None = None,
    ) -> None:
        self.experiment = experiment
        self.design = design
        self.space = space
        self.project = project
        self.strategy = strategy
        self.executor = executor
        self.workers = workers
        self.artifact_path = artifact_path
        self.progress = progress
        self.wanted = wanted
        self.notes: list[str] = []
        self.ahead: dict[str, Item] = {}

    def run(self) -> Result:
        """The result of all cells."""
        design, space = self.design, self.space
        # What is none must not take the number of a run.
        check_executor(self.executor or space.settings.executor)
        check_options(JobOptions(workers=self.workers))
        known = values_of("job", self.project, design.name, OF_A_CELL)
        path_of_job(space, self.artifact_path, known, self.project)
        cells = self._cells()
        with ExitStack() as held:
            said = len(self.notes)
            before, missing = self._before(cells)
            if self.strategy != "rerun" and (missing or before is None):
                held.enter_context(alone(space, self.project, design.name))
                if self._outdated(before):
                    del self.notes[said:]
                    before, missing = self._before(cells)
            self._tell_start(cells, missing)
            run = before
            if missing or run is None:
                number = self._number() if before is None else before.number
                run = self._launch(number, missing, len(cells), before)
                write_index(space, self.project, design.name, run)
        result = result_of(
            self.experiment,
            design,
            space,
            run,
            project=self.project,
            notes=self.notes,
            ran=len(missing),
            ahead=self.ahead,
        )
        if self.progress is not None:
            done, failed = len(result.cells), len(result.errors)
            self.progress(
                Progress(
                    experiment=design.name,
                    status=result.status,
                    done=done,
                    total=len(cells),
                    failed=failed,
                )
            )
        return result

    def _tell_start(
        self, cells: list[tuple[Cell, Datum]], missing: list[tuple[Cell, Datum]]
    ) -> None:
        if self.progress is None:
            return
        wanted = Counter(cell.condition for cell, _ in cells)
        waiting = Counter(cell.condition for cell, _ in missing)
        self.progress(
            Progress(
                experiment=self.design.name,
                status="started",
                done=len(cells) - len(missing),
                total=len(cells),
                conditions={name: (n - waiting[name], n) for name, n in wanted.items()},
            )
        )

    # ------------------------------------------------------------------ which cells

    def _cells(self) -> list[tuple[Cell, Datum]]:
        """All cells, replicate by replicate."""
        design = self.design
        places = [(c, r) for r in range(design.replicates) for c in design.conditions]
        data = data_of(self.space, self.project, design, self.notes)
        if design.unfingerprintable:
            self.notes.append(
                "Whether the code has changed cannot be told for sure: it uses "
                + ", ".join(design.unfingerprintable[:5])
            )
        found = []
        for condition, replicate in places:
            datum = data.get((condition, replicate), Datum())
            found.append((design.cell(condition, replicate, datum), datum))
        return found

    def _before(
        self, cells: list[tuple[Cell, Datum]]
    ) -> tuple[Run | None, list[tuple[Cell, Datum]]]:
        """The run that goes on (None: there is to be a new one), and the cells to run.

        Raises:
            BeingRun: another process runs it.
        """
        before = None
        if self.strategy != "rerun":
            before = newest_run(self.space, self.project, self.design.name)
            if before is not None and before.jobs[0].status == "running":
                raise BeingRun(self.design.name, before.jobs[0].id)
        missing = cells if before is None else self._missing(cells, before)
        if self.wanted is not None:
            missing = [(c, d) for c, d in missing if self.wanted(c.condition, c.replicate)]
        return before, missing

    def _outdated(self, before: Run | None) -> bool:
        """Whether somebody added to the newest run, or began one, since it was read."""
        jobs = list(runs(self.space, self.project, self.design.name))
        newest = max((job.params[RUN] for job in jobs), default=0)
        found = {(job.id, job.status) for job in jobs if job.params[RUN] == newest}
        return found != {(job.id, job.status) for job in (before.jobs if before else ())}

    def _missing(self, cells: list[tuple[Cell, Datum]], before: Run) -> list[tuple[Cell, Datum]]:
        """The cells without a result that stands."""
        done = {place: c for place, c in before.cells.items() if c.status == "finished"}
        gone = lost(self.space, done)
        loaded = {text for cell in done.values() for text in cell.resolved}
        leads = {text: leads_to(self.space, text) for text in loaded}
        missing = []
        reasons: dict[str, list[str]] = {}
        for cell, datum in cells:
            place = (cell.condition, cell.replicate)
            found = done.get(place)
            reason = self._reason(cell, found, place in gone, leads)
            if found is not None and reason == "":
                continue
            missing.append((cell, datum))
            if found is not None:
                reasons.setdefault(reason, []).append(cell.name)
        for reason, names in reasons.items():
            self.notes.append(f"{_counted(names)} run again, because {reason}.")
        kept = [c for c, _ in cells if (c.condition, c.replicate) in done]
        old = [c.name for c in kept if done[c.condition, c.replicate].code != c.code]
        if self.strategy == "fill" and old:
            self.notes.append(f"{_counted(old)} kept, though {self._changed(before)}.")
        return missing

    def _reason(
        self,
        cell: Cell,
        found: CellRecord | None,
        gone: bool,
        leads: Mapping[str, str | None],
    ) -> str:
        """Why a finished cell does not stand; "" where it does."""
        if found is None:
            return ""
        if found.identity != cell.identity:
            return "their data, parameters or outputs have changed"
        if gone:
            return "their artifacts are no longer there"
        moved = [text for text, digest in found.resolved.items() if leads[text] != digest]
        if moved:
            return f"what their code loads by its name has changed: {', '.join(moved)}"
        if found.code != cell.code and self.strategy == "resume":
            return "the code has changed"
        return ""

    def _changed(self, before: Run) -> str:
        codes = before.code
        names = [n for n, code in self.design.codes.items() if codes.get(n) not in (None, code)]
        return f"the code of {', '.join(names)} has changed" if names else "the code has changed"

    # ------------------------------------------------------------------ the job

    def _number(self) -> int:
        """The number of a new run: that of the version that says what it is to do."""
        design = self.design
        asked = {**facts_of(design), "description": self.experiment.description}
        del asked[RUN]
        key = f"{design.name}/run"
        version = self.space.save_artifact(
            asked, key, kind="value", labels=RUN_LABELS, project=self.project
        )
        return version.version

    def _launch(
        self, number: int, missing: list[tuple[Cell, Datum]], total: int, before: Run | None
    ) -> Run:
        """Run these cells as a job; the run as it is then."""
        design = self.design
        view = folder_of_run(self.experiment, self.space, number)
        facts = {
            RUN: number,
            "hypotheses": [hypothesis.plain() for hypothesis in self.experiment.hypotheses],
            "view": str(view),
        }
        # What a folder that is there says in its metadata may be of other files.
        written_here = not view.exists() and stays_here(
            self.executor or self.space.settings.executor
        )
        plan = plan_cells(design, missing, facts, str(view) if written_here else "")
        done, failed = total - len(missing), 0
        told = self.progress
        steps: dict[str, StepRecord] = {}

        def on_made(step: StepRecord, made: Mapping[str, NewVersion]) -> None:
            condition, _, replicate = step.name.rpartition("/")
            if condition != DATA and written_here:
                for place, new in made.items():
                    item = item_of(condition, int(replicate), place, step.job)
                    complete(item, new.record)
                    self.ahead[item["path"]] = item

        def on_step(step: StepRecord) -> None:
            nonlocal done, failed
            steps[step.name] = step
            condition, _, replicate = step.name.rpartition("/")
            if told is None or condition == DATA or step.status == "running":
                return
            done += 1
            failed += step.status in ("failed", "skipped")
            told(
                Progress(
                    experiment=design.name,
                    status=step.status,
                    condition=condition,
                    replicate=int(replicate),
                    done=done,
                    total=total,
                    failed=failed,
                )
            )

        options = JobOptions(
            project=self.project,
            experiment=design.name,
            executor=self.executor,
            workers=self.workers,
            artifact_path=self.artifact_path,
            cache="refresh" if self.strategy == "rerun" else "on",
            labels={RUN: number, "strategy": self.strategy},
            on_step=on_step,
        )
        job = launch(self.space, plan, {}, options, entrypoint=self._snapshot(), on_made=on_made)
        return run_after(self.space, job.record, steps.values(), before)

    def _snapshot(self) -> Snapshot:
        """What the experiment is, as the entrypoint that its jobs run."""
        from findspot.catalog.protocol import Batch

        design = self.design
        body: dict[str, Any] = {
            "format": 1,
            "syntax": "experiment",
            "experiment": design.name,
            "steps": [
                {
                    "name": step.name,
                    "source": f"{step.function.__module__}:"
                    f"{getattr(step.function, '__qualname__', type(step.function).__qualname__)}",
                    "artifacts": sorted(step.declared),
                }
                for step in design.steps
            ],
            "conditions": design.conditions,
            "seed": design.seed,
        }
        digest = document_digest(body)
        known = self.space.catalog.find_snapshot("entrypoint", self.project, design.name)
        if known is not None and known.digest == digest:
            return known
        snapshot = Snapshot(
            id=new_uid(),
            resource="entrypoint",
            project=self.project,
            name=design.name,
            digest=digest,
            body=body,
            owner=self.space.owner,
            created=now(),
        )
        numbers = self.space.catalog.write(Batch(snapshots=[snapshot]))
        found = self.space.catalog.find_snapshot(
            "entrypoint", self.project, design.name, numbers[snapshot.id]
        )
        return snapshot if found is None else replace(found)


def _counted(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    return f"{len(names)} finished cell{'' if len(names) == 1 else 's'} ({shown})"


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


def result_of(
    experiment: Experiment,
    design: Design,
    space: ArtifactSpace,
    run: Run,
    *,
    project: str,
    notes: list[str],
    ran: int,
    ahead: Mapping[str, Item] | None = None,
) -> Result:
    """The result of a run, with its readable view."""
    details = {
        "id": design.signature,
        "name": design.name,
        "description": experiment.description,
        "replicates": design.replicates,
        "conditions": design.conditions,
        "seed": design.seed,
        "code": design.codes,
    }
    try:
        folder = write_view(experiment, space, run, details, ahead)
    except OSError as error:
        raise ViewNotWritten(design.name, run.number, error) from error
    hypotheses = tuple(experiment.hypotheses)
    return Result(
        space,
        run,
        experiment=design.name,
        conditions=list(design.conditions),
        replicates=design.replicates,
        hypotheses=hypotheses,
        declared=design.metrics,
        registration=registration_of(space, project, run) if hypotheses else None,
        notes=notes,
        ran=ran,
        folder=folder,
    )


def recorded_result(
    experiment: Experiment, space: ArtifactSpace, project: str, number: int | None
) -> Result:
    """What is recorded of a run; its conditions and replicates are those of its newest job."""
    design = experiment.design()
    run = newest_run(space, project, design.name, number)
    if run is None:
        numbers = {job.params[RUN] for job in runs(space, project, design.name)}
        raise NoRun(design.name, space.url, number, tuple(sorted(numbers, reverse=True)))
    hypotheses = tuple(experiment.hypotheses)
    return Result(
        space,
        run,
        experiment=design.name,
        conditions=list(run.conditions),
        replicates=run.replicates,
        hypotheses=hypotheses,
        declared=run.jobs[0].params.get("metrics", ()),
        registration=registration_of(space, project, run) if hypotheses else None,
        folder=folder_of_run(experiment, space, run.number),
    )


def means_of(result: Result, condition: str) -> dict[str, float]:
    """The mean of each metric of a condition; NaN where it has none."""
    found = {}
    for metric, by_condition in result.metrics.items():
        known = [v for v in by_condition.get(condition, []) if not math.isnan(v)]
        found[metric] = math.fsum(known) / len(known) if known else math.nan
    return found
