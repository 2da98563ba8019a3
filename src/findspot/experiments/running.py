"""Run the missing cells of an experiment as a job, and give the result of all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from findspot.core.ids import new_uid
from findspot.core.records import Snapshot, StepRecord, document_digest, now
from findspot.engine.executors import check_executor, stays_here
from findspot.engine.launching import JobOptions, check_supply, launch
from findspot.engine.logged.publishing import OF_A_CELL, path_of_job, values_of
from findspot.engine.targets.choosing import choose
from findspot.experiments.alone import alone
from findspot.experiments.design import Design
from findspot.experiments.gathering import result_of
from findspot.experiments.history import DATA, RUN, RUN_LABELS, Run, run_after
from findspot.experiments.missing import Grid, Missing
from findspot.experiments.planning import body_of, facts_of, plan_cells
from findspot.experiments.progress import Listener, Progress
from findspot.experiments.registration import register
from findspot.experiments.results import Result
from findspot.experiments.run_index import write_index
from findspot.experiments.sources import Datum
from findspot.experiments.view import Item, complete, folder_of_run, item_of

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.catalog.protocol import NewVersion
    from findspot.experiments.checking import Strategy
    from findspot.experiments.experiment import Experiment


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
        register: bool = False,
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
        self.register = register
        self.progress = progress
        self.wanted = wanted
        self.ahead: dict[str, Item] = {}

    def run(self) -> Result:
        """The result of all cells."""
        design, space = self.design, self.space
        known = values_of("job", self.project, design.name, OF_A_CELL)
        path_of_job(space, self.artifact_path, known, self.project)
        check_executor(self.executor or space.settings.executor)
        # Where there may be nothing to run, it need not be possible.
        at_once = self.strategy == "rerun" or not space.exists
        if at_once:
            self._check_supply()
        if self.register:
            register(space, self.project, design, self.experiment.hypotheses)
        grid = Grid.of(space, self.project, design, self.strategy)
        with ExitStack() as held:
            found = grid.missing(self.wanted)
            if self.strategy != "rerun" and (found.cells or found.before is None):
                held.enter_context(alone(space, self.project, design.name))
                if grid.outdated(found):
                    found = grid.missing(self.wanted)
            self._tell_start(grid, found)
            run = found.before
            if found.cells or run is None:
                if not at_once:
                    self._check_supply()
                number = self._number() if run is None else run.number
                run = self._launch(number, found, len(grid.cells))
                write_index(space, self.project, design.name, run)
        result = result_of(
            self.experiment,
            design,
            space,
            run,
            project=self.project,
            notes=[*grid.notes, *found.notes],
            ran=len(found.cells),
            ahead=self.ahead,
        )
        if self.progress is not None:
            done, failed = len(result.cells), len(result.errors)
            self.progress(
                Progress(
                    experiment=design.name,
                    status=result.status,
                    done=done,
                    total=len(grid.cells),
                    failed=failed,
                )
            )
        return result

    def _check_supply(self) -> None:
        """Refuse what can never run, before anything is recorded of it: the number of a run too."""
        design = self.design
        cells = [(design.cell(condition, 0, Datum()), Datum()) for condition in design.conditions]
        options = JobOptions(executor=self.executor, workers=self.workers)
        check_supply(self.space, plan_cells(design, cells, {}), options)

    def _tell_start(self, grid: Grid, found: Missing) -> None:
        if self.progress is None:
            return
        wanted = Counter(cell.condition for cell, _ in grid.cells)
        waiting = Counter(cell.condition for cell, _ in found.cells)
        self.progress(
            Progress(
                experiment=self.design.name,
                status="started",
                done=len(grid.cells) - len(found.cells),
                total=len(grid.cells),
                conditions={name: (n - waiting[name], n) for name, n in wanted.items()},
            )
        )

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

    def _launch(self, number: int, found: Missing, total: int) -> Run:
        """Run the missing cells as a job; the run as it is then."""
        design, missing = self.design, found.cells
        view = folder_of_run(self.experiment, self.space, number)
        facts = {
            RUN: number,
            "hypotheses": [hypothesis.plain() for hypothesis in self.experiment.hypotheses],
            "view": os.path.abspath(view),  # results are shown from other folders, too
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
        chosen = choose(self.space, plan.graph, {}, self.project)
        job = launch(
            self.space, plan, chosen, options, entrypoint=self._snapshot(), on_made=on_made
        )
        return run_after(self.space, job.record, steps.values(), found.before)

    def _snapshot(self) -> Snapshot:
        """What the experiment is, as the entrypoint that its jobs run."""
        from findspot.catalog.protocol import Batch

        design = self.design
        body = body_of(design)
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
        return snapshot if found is None else found
