"""`Experiment`: a question, answered by replicates of a baseline and of treatments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.core.errors import CheckFailed, FindspotError
from findspot.core.names import check_name
from findspot.experiments.artifact import Artifact
from findspot.experiments.cells import Activity, Cell, Outcome, Program
from findspot.experiments.checking import Checks, Strategy
from findspot.experiments.design import Design, outputs_of, signature_of
from findspot.experiments.loading import Loader
from findspot.experiments.pipelines import PipelineProgram, pipeline_steps
from findspot.experiments.sources import ArtifactSource, Source, read_source
from findspot.experiments.steps import ExperimentStep, read_step, read_steps
from findspot.experiments.treatments import BASELINE, Optimiser, Treatment

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.experiments.hypotheses import Hypothesis
    from findspot.experiments.progress import Listener
    from findspot.experiments.registration import Registration
    from findspot.experiments.results import Result


class Experiment:
    """A baseline and treatments, each run for every replicate, with all that they make on record.

    A cell (one condition of one replicate) depends only on its data, parameters, code and its seed,
    which is derived from experiment, condition and replicate: run alone it gives the same bytes.

    Args:
        name: new among the experiments of the project. None: made of the pipeline's signature, the
            same in every process.
        datasource: a function of ctx called once a replicate, a list with an item a replicate
            (values, versions, or `ExternalArtifact`: the version that it names when it runs), or
            the `artifact_datasource` of another experiment. None: the steps are given None.
        pipeline: tasks (or functions, or objects with ``__call__``) that are applied in turn to
            (data, ctx) or only to data; or a `@pipeline`.
        treatments: the conditions beside the baseline.
        replicates: how many; None: as many as the data source has, else 1.
        seed: what all seeds are derived from.
        parameters: values of the baseline, for the steps' parameters of those names.
        outputs: artifacts that the steps declare (a check), and names of steps whose returned value
            is to be kept; of a `@pipeline`, names in the mapping that it returns.
        metrics: names that are taken out of mappings that steps return, and shown in any case.
        hypotheses: tested on the result.
        root: folder of the readable view; None: ``experiments`` in the workspace's folder.
        versioned: False: the view is overwritten by each run.
        workspace: None: the current one, when it runs.

    >>> import tempfile
    >>> from findspot import Workspace, task
    >>> from findspot.experiments.treatments import Treatment
    >>> @task
    ... def measure(data, ctx, factor: int = 1):
    ...     ctx.log_metric("size", factor * len(data))
    >>> experiment = Experiment(
    ...     name="sizes",
    ...     datasource=["a", "bb"],
    ...     pipeline=[measure],
    ...     treatments=[Treatment("double", {"factor": 2})],
    ...     workspace=Workspace(tempfile.mkdtemp()),
    ... )
    >>> experiment.run().metrics["size"]
    {'baseline': [1.0, 2.0], 'double': [2.0, 4.0]}
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        datasource: Any = None,
        pipeline: Any,
        treatments: Sequence[Treatment] = (),
        replicates: int | None = None,
        seed: int = 0,
        parameters: Mapping[str, Any] | None = None,
        outputs: Iterable[Artifact | str] = (),
        metrics: Sequence[str] = (),
        hypotheses: Sequence[Hypothesis] = (),
        description: str = "",
        root: str | Path | None = None,
        versioned: bool = True,
        project: str | None = None,
        workspace: ArtifactSpace | None = None,
    ) -> None:
        self.datasource = datasource
        self.pipeline = pipeline
        self.treatments = treatments
        self.replicates = replicates
        self.seed = seed
        self.parameters: Mapping[str, Any] = {} if parameters is None else parameters
        self.outputs = outputs
        self.metrics = metrics
        self.hypotheses = hypotheses
        self.description = description
        self.root = Path(root) if isinstance(root, str) else root
        self.versioned = versioned
        self.project = project
        self.workspace = workspace
        self._name = name

    @property
    def name(self) -> str:
        """As given, or made of the pipeline's signature."""
        if self._name is not None:
            return self._name
        steps, _, _ = self._read_pipeline(Checks())
        return f"experiment-{signature_of(steps, self.parameters)[7:19]}"

    # ------------------------------------------------------------------ checking

    def validate(self) -> Experiment:
        """Check everything that can be checked before it runs; the experiment itself.

        Raises:
            CheckFailed: lists every mistake.
        """
        self.design()
        return self

    def design(
        self,
        *,
        replicates: int | None = None,
        treatments: Sequence[Treatment] | None = None,
    ) -> Design:
        """The experiment checked; arguments as of `run`.

        Raises:
            CheckFailed: lists every mistake.
        """
        return self._design(Checks(), replicates, treatments)

    def _design(
        self, checks: Checks, replicates: int | None, treatments: Sequence[Treatment] | None
    ) -> Design:
        """The same, beside mistakes that were found already."""
        from findspot.artifacts.space import ArtifactSpace

        checks.kinds(
            workspace=(self.workspace, ArtifactSpace, "a Workspace"),
            description=(self.description, str, "a text"),
            root=(self.root, Path, "a folder, as text or a Path"),
            versioned=(self.versioned, bool, "True or False"),
        )
        if self.project is not None:
            checks.name("project", self.project, "project name")
        if self._name is not None:
            checks.name("name", self._name, "name of an experiment")
        source = read_source(self.datasource, checks.problems)
        asked = self.replicates if replicates is None else replicates
        count = self._replicates(checks, source, asked)
        seed = checks.seed(self.seed)
        found = checks.treatments(self.treatments if treatments is None else treatments)
        steps, program, takers = self._read_pipeline(checks)
        parameters = checks.parameters(self.parameters, found, takers, source)
        kept = checks.outputs(self.outputs, steps, self._returned(steps, program))
        metrics = self._metrics(checks)
        self._hypotheses(checks, found)
        program = self._program(program, kept, metrics, steps, source)
        if not checks.found_in("name"):
            checks.keys(self.name, [BASELINE, *found], program.outputs)
        if checks.problems:
            named = "without a name" if self._name is None else repr(self._name)
            subject = f"The experiment {named}"
            raise CheckFailed(subject, checks.problems)
        return Design(
            name=check_name(self.name, "name of an experiment"),
            source=source,
            steps=steps,
            program=program,
            parameters=parameters,
            treatments=found,
            replicates=count,
            seed=seed,
            metrics=metrics,
            kept=kept,
        )

    def _replicates(self, checks: Checks, source: Source, asked: Any) -> int:
        count = checks.replicates(asked, source)
        nowhere = checks.found_in("workspace") or checks.found_in("project")
        if not isinstance(source, ArtifactSource) or nowhere:
            return count
        try:
            run = source.run(self.space(), self._project(self.space()))
        except FindspotError as error:
            checks.add("datasource", error.what, error.how or "")
            return count
        if asked is not None and not checks.problems and asked != run.replicates:
            checks.add(
                "replicates",
                f"{asked} are wanted, but run {run.number} of {source.producer.name!r} has "
                f"{run.replicates}",
                "Leave them out; they follow from the artifacts.",
            )
        return run.replicates

    def _read_pipeline(
        self, checks: Checks
    ) -> tuple[tuple[ExperimentStep, ...], Program, list[ExperimentStep]]:
        """The steps, the program that runs them, and what takes the parameters."""
        from findspot.engine.targets.pipelines import Pipeline

        given = self.pipeline
        if isinstance(given, Pipeline):
            try:
                whole = read_step(given.function, given.name)
                traced = given._traced()
            except FindspotError as error:
                checks.add("pipeline", error.what, error.how or "")
                return (), Program(()), []
            tasks = {name: traced.tasks[step.task] for name, step in traced.graph.steps.items()}
            steps = pipeline_steps(tasks)
            program = PipelineProgram(steps, function=given.function, whole=whole)
            return steps, program, [whole]
        if not isinstance(given, Sequence) or isinstance(given, str):
            given = [given]
        if not given:
            checks.add("pipeline", "it has no steps", "Give at least one task.")
        found = tuple(read_steps(given, checks.problems))
        return found, Program(found), list(found)

    def _returned(self, steps: Sequence[ExperimentStep], program: Program) -> Callable[[str], bool]:
        if isinstance(program, PipelineProgram):
            return set(self.pipeline.graph().outputs).__contains__
        return {step.name for step in steps}.__contains__

    def _program(
        self,
        program: Program,
        kept: tuple[str, ...],
        metrics: tuple[str, ...],
        steps: tuple[ExperimentStep, ...],
        source: Source,
    ) -> Program:
        loader = source.loader if isinstance(source, ArtifactSource) else None
        changed = replace(program, metrics=frozenset(metrics), loader=loader)
        if isinstance(changed, PipelineProgram):
            places = tuple((changed.whole.name, name) for name in kept)
            outputs = (*outputs_of(steps, ()), *places)
            return replace(changed, results=kept, outputs=outputs)
        return replace(changed, kept=frozenset(kept), outputs=outputs_of(steps, kept))

    def _metrics(self, checks: Checks) -> tuple[str, ...]:
        given = checks.listed("metrics", self.metrics, "a list of names")
        good = [m for m in given if checks.name("metrics", m, "metric")]
        return tuple(dict.fromkeys(good))

    def _hypotheses(self, checks: Checks, treatments: Mapping[str, Treatment]) -> None:
        from findspot.experiments.hypotheses import Hypothesis

        given = checks.listed("hypotheses", self.hypotheses, "a list of Hypothesis")
        for index, hypothesis in enumerate(given):
            path = f"hypotheses[{index}]"
            if isinstance(hypothesis, Hypothesis):
                checks.problems.extend(hypothesis.problems(path, treatments))
            else:
                checks.add(path, f"it is a {type(hypothesis).__name__}", expected="a Hypothesis")
        if given and not treatments and not checks.problems:
            checks.add("hypotheses", "there is no treatment to compare with the baseline")

    # ------------------------------------------------------------------ running

    def run(
        self,
        *,
        strategy: Strategy = "rerun",
        executor: str | None = None,
        workers: int | None = None,
        replicates: int | None = None,
        treatments: Sequence[Treatment] | None = None,
        workspace: ArtifactSpace | None = None,
        artifact_path: str | Path | None = None,
        register: bool = False,
        progress: Listener | None = None,
    ) -> Result:
        """Run the cells that the strategy asks for; the result has all of them.

        A cell that fails makes only itself fail; nothing raises for it.

        Args:
            strategy: ``rerun``: all cells, as a new run (``v2`` ...). ``resume``: the newest run
                goes on; cells whose parameters, data and code are the same as when they finished
                are kept, all others are run. ``fill``: so too, but a finished cell is kept even
                where its code has changed since.
            executor: ``inline``, ``threads``, ``processes``, ``dask:`` or ``ray:`` (a cluster of
                this machine's, or an address behind the colon); None: the workspace's. In threads
                the cells that run at once share the generators of ``random`` and NumPy: draw from
                ``ctx.rng()`` there. workers: how many cells at once.
            replicates, treatments: other ones than the experiment's.
            artifact_path: where copies of what steps log are published: a folder or URL, with
                variables such as ``{{condition}}`` and ``{{replicate}}``. What they write as
                declared artifacts is in the readable view.
            register: fix the hypotheses first, as `register` does.
            progress: told at the start, of each cell when it ends, and at the end.

        Raises:
            CheckFailed: lists every mistake; nothing has run.
            BeingRun: another process runs it right now (not with ``rerun``).
            BadArtifactPath, UnknownScheme: the artifact path is no good; nothing has run.
        """
        return self._run(
            strategy=strategy,
            executor=executor,
            workers=workers,
            replicates=replicates,
            treatments=treatments,
            workspace=workspace,
            artifact_path=artifact_path,
            register=register,
            progress=progress,
        )

    def _run(
        self,
        *,
        strategy: Strategy,
        executor: str | None = None,
        workers: int | None = None,
        replicates: int | None = None,
        treatments: Sequence[Treatment] | None = None,
        workspace: ArtifactSpace | None = None,
        artifact_path: str | Path | None = None,
        register: bool = False,
        progress: Listener | None = None,
        wanted: Callable[[str, int], bool] | None = None,
    ) -> Result:
        """As `run`, perhaps only of some of the cells: those whose condition and replicate are
        ``wanted``."""
        from findspot.experiments.running import Running

        checks = Checks()
        checks.options(strategy, workers, progress)
        checks.kinds(register=(register, bool, "True or False"))
        if register is True and not self.hypotheses:
            hint = 'Give it some: hypotheses=[Hypothesis("accuracy")].'
            checks.add("register", "there is no hypothesis to register", hint)
        design = self._with(workspace)._design(checks, replicates, treatments)
        space = self.space(workspace)
        return Running(
            self,
            design,
            space,
            self._project(space),
            strategy=strategy,
            executor=executor,
            workers=workers,
            artifact_path=artifact_path,
            register=register,
            progress=progress,
            wanted=wanted,
        ).run()

    def _with(self, workspace: ArtifactSpace | None) -> Experiment:
        if workspace is None or workspace is self.workspace:
            return self
        import copy

        twin = copy.copy(self)
        twin.workspace = workspace
        return twin

    def result(self, run: int | None = None) -> Result:
        """What is recorded of the newest run (or of another), without running anything.

        Raises:
            NoRun: there is none.
        """
        from findspot.experiments.gathering import recorded_result

        space = self.space()
        return recorded_result(self, space, self._project(space), run)

    def apply(self, condition: str = BASELINE, datum: Any = None, *, replicate: int = 0) -> Any:
        """Run one condition on one datum, here and now; what the last step returned.

        Nothing is recorded, and what a step raises is raised.
        """
        return self._alone(condition, replicate, datum, given=True).value

    def debug(
        self, condition: str = BASELINE, replicate: int = 0, *, folder: str | Path | None = None
    ) -> Outcome:
        """Run one cell alone, here and now, with its own seed and datum: as in a run, but errors
        are raised (so that a debugger stops there), and nothing is recorded.

        Args:
            folder: where its artifacts go; None: a temporary folder of each step.

        Returns:
            its value, context (with ``metrics``), and the paths of its artifacts by (step, name).
        """
        checks = Checks()
        checks.kinds(folder=(folder, (str, Path), "a folder, as text or a Path"))
        if checks.problems:
            raise CheckFailed("What is to be debugged", checks.problems)
        place = None if folder is None else Path(folder)
        return self._alone(condition, replicate, None, given=False, folder=place)

    def _alone(
        self, condition: str, replicate: int, datum: Any, *, given: bool, folder: Path | None = None
    ) -> Outcome:
        from findspot.experiments.cells import context_of
        from findspot.experiments.data import datum_of

        design = self.design()
        if condition not in list(design.conditions):
            raise FindspotError(
                f"There is no condition {condition!r}.",
                where=f"experiment {design.name}",
                how=f"Conditions are {', '.join(design.conditions)}.",
            )
        if type(replicate) is not int or (not given and not 0 <= replicate < design.replicates):
            raise FindspotError(
                f"There is no replicate {replicate!r}.",
                where=f"experiment {design.name}",
                how=f"Replicates are 0 to {design.replicates - 1}.",
            )
        if not given:
            datum = datum_of(self, design, condition, replicate)
        cell = Cell(
            experiment=design.name,
            condition=condition,
            replicate=replicate,
            seed=design.seed_of(condition, replicate),
            parameters=design.conditions[condition],
        )
        program = design.program_of(condition)
        context = context_of(cell.plain(), None, None)
        return program.run(Activity(context, program.metrics, program.kept, folder), datum)

    def optimise(
        self, optimiser: Optimiser, *, rounds: int | None = None, **options: Any
    ) -> Result:
        """Ask an optimiser for treatments, run them, and tell it what came of them, until it asks
        for no more; the result of all of them together.

        All rounds belong to one run. With ``strategy="resume"`` a search that was killed goes on:
        what its optimiser asks for again has its results already, and only the rest is run.

        Args:
            optimiser: an `OptunaSearch`, or an own one. One that is a `StagedOptimiser` may give
                treatments up after some replicates; these are not in the result.
            rounds: how often to ask at most.
            options: as of `run`.

        Raises:
            FindspotError: it asked for nothing at all.
        """
        from findspot.experiments.optimising import Search

        return Search(self, options).run(optimiser, rounds)

    # ------------------------------------------------------------------ before and after

    def register(
        self,
        *,
        replicates: int | None = None,
        treatments: Sequence[Treatment] | None = None,
        workspace: ArtifactSpace | None = None,
    ) -> Registration:
        """Fix, digest and date the hypotheses before the replicates that they are tested on; what
        is registered already keeps its date.

        Args:
            replicates, treatments, workspace: those that it will be run with, as of `run`.
        """
        from findspot.experiments.registration import register

        design = self._with(workspace).design(replicates=replicates, treatments=treatments)
        space = self.space(workspace)
        return register(space, self._project(space), design, self.hypotheses)

    def artifact_datasource(
        self,
        *,
        step: str,
        name: str,
        condition: str | None = None,
        require_metadata: bool = False,
        load: Callable[[Path], Any] | str | None = None,
    ) -> ArtifactSource:
        """What a step of this experiment wrote, as the data source of another one: an item for each
        replicate. It is looked up when the other one runs.

        Args:
            step, name: of the artifact; ``output`` is a step's returned value that was kept.
            condition: whose; None: those of the consumer's own conditions, and the baseline's where
                this experiment has no such condition.
            require_metadata: the readable view's ``metadata.json`` must be there.
            load: what the steps get: None for a path, ``"value"`` for what the artifact's own
                handler loads, or a function of the path.
        """
        return ArtifactSource(self, step, name, condition, Loader(load), require_metadata)

    def space(self, workspace: ArtifactSpace | None = None) -> ArtifactSpace:
        """The workspace that it runs in."""
        if workspace is not None:
            return workspace
        if self.workspace is not None:
            return self.workspace
        from findspot.artifacts.current import current_space

        return current_space()

    def _project(self, space: ArtifactSpace) -> str:
        return self.project or space.project

    def __repr__(self) -> str:
        return f"<Experiment {self.name}>"
