"""`Workspace`: artifacts and jobs of one place, and the functions that work in the current one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from findspot.artifacts.space import ArtifactSpace, moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from findspot.artifacts.collecting import CollectionPlan, CollectionReport
    from findspot.artifacts.diffing import VersionDiff
    from findspot.artifacts.signing import SignatureCheck
    from findspot.artifacts.space import ArtifactLike
    from findspot.artifacts.transfer import TransferReport
    from findspot.catalog.protocol import JobGroup
    from findspot.core.errors import Problem
    from findspot.core.records import JobStatus, Link, Signature, Snapshot
    from findspot.engine.context import JobContext
    from findspot.engine.jobs import Job
    from findspot.engine.scheduling.schedules import JobSchedule
    from findspot.experiments.recorded import ExperimentListing, RecordedExperiment
    from findspot.experiments.results import Result


class JobListing(list["Job"]):
    """Jobs, newest first; `next` is the cursor of the next page, None on the last."""

    def __init__(self, items: Iterable[Job], next: str | None) -> None:
        super().__init__(items)
        self.next = next


class Workspace(ArtifactSpace):
    """One catalog, one blob store and settings: where artifacts and jobs are kept.

    Args:
        url: a folder, ``file:///folder`` or ``postgresql://...?store=...``; None: found by
            ``FINDSPOT_WORKSPACE`` or by walking up from the current folder.
        ambient: whether ``FINDSPOT_STORE``, ``FINDSPOT_PROJECT`` and the like count; False for
            another workspace beside the current one.
        settings: override what the settings file and the environment say.

    Raises:
        BadSettings, FormatTooNew, BadWorkspaceUrl

    >>> import tempfile
    >>> ws = Workspace(tempfile.mkdtemp())
    >>> ws.save_artifact([1, 2, 3], "numbers").version
    1
    >>> ws.load_artifact("numbers")
    [1, 2, 3]
    """

    def start_job(self, name: str, **options: Any) -> AbstractContextManager[JobContext]:
        """A job that lasts as long as a ``with`` block; see `targets.scripts.start_job`."""
        from findspot.engine.targets.scripts import start_job

        return start_job(self, name, **options)

    def run(
        self,
        what: str | Path | Callable[..., Any] | Snapshot,
        *,
        params: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Job:
        """Run an entrypoint, a pipeline or a function as a job, to its end.

        Args:
            what: a YAML file's path, ``module:name``, ``file.py:name``, a pipeline, a function; or
                the name of a recorded entrypoint (``name:3`` for its version 3), which runs as it
                was recorded.
            params: values of parameters.
            artifacts: saved versions for artifact inputs: references, uids, `ArtifactVersion`.
            options: as of `Pipeline.run` (project, experiment, executor, workers, cache, seed ...),
                or for a function as of `run_function`.

        Raises:
            NotFound: there is no such file, module, pipeline or entrypoint.
            CheckFailed: the graph or the values have mistakes; all are listed, nothing has run, and
                nothing is recorded.
        """
        from findspot.engine.targets.target_jobs import run_target

        return run_target(self, what, params=params, artifacts=artifacts, **options)

    def run_function(
        self,
        what: str | Path | Callable[..., Any],
        handler: str | None = None,
        **options: Any,
    ) -> Job:
        """Run a function of a file or module as a job; see
        `findspot.engine.targets.functions.run_function`.

        Args:
            what: ``file.py``, ``file.py:name``, ``module:name``, or the function itself.
            handler: the function's name where ``what`` is only a file.
            options: params, inputs, returns, artifact_path, name, project, experiment,
                labels, seed.
        """
        from findspot.engine.targets.functions import run_function
        from findspot.engine.targets.targets import find_function

        return run_function(self, find_function(what, handler), **options)

    def check(self, what: str | Path | Callable[..., Any] | Snapshot) -> list[Problem]:
        """Every mistake in an entrypoint or a pipeline; nothing is run or recorded."""
        from findspot.engine.targets.stored import find_runnable
        from findspot.engine.targets.target_jobs import mistakes_in_target

        return mistakes_in_target(self, find_runnable(self, what))

    def list_jobs(self, **conditions: Any) -> JobListing:
        """Jobs that fit all of the given conditions, newest first; see `list_jobs`."""
        return list_jobs(self, **conditions)

    def get_job(self, id: str) -> Job:
        """A job by its id; `NotFound` where there is none."""
        from findspot.engine.jobs import get_job

        return get_job(self, id)

    def add_schedule(
        self, name: str, target: str | Path, *, cron: str, replace: bool = False, **options: Any
    ) -> JobSchedule:
        """Have jobs started by the clock; see
        `findspot.engine.scheduling.schedules.add_schedule`."""
        from findspot.engine.scheduling.schedules import add_schedule

        return add_schedule(self, name, target, cron=cron, replace_it=replace, **options)

    def get_schedule(self, name: str, *, project: str | None = None) -> JobSchedule:
        """A schedule by its name; `NotFound` where there is none."""
        from findspot.engine.scheduling.schedules import get_schedule

        return get_schedule(self, name, project=project)

    def list_schedules(self, *, project: str | None = None) -> list[JobSchedule]:
        """The schedules of a project, by name."""
        from findspot.engine.scheduling.schedules import list_schedules

        return list_schedules(self, project=project)

    def run_schedules(self, **options: Any) -> None:
        """Start the jobs of schedules when they are due, until told to end; see
        `findspot.engine.scheduling.worker.run_schedules`."""
        from findspot.engine.scheduling.worker import run_schedules

        run_schedules(self, **options)

    def list_experiments(
        self, *, project: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> ExperimentListing:
        """Experiments that have been run, those with the newest runs first."""
        from findspot.experiments.recorded import list_experiments

        return list_experiments(self, project=project, limit=limit, cursor=cursor)

    def list_job_groups(self, *, project: str | None = None) -> list[JobGroup]:
        """The names that jobs share by ``run(..., experiment="sweep")`` and no `Experiment` has,
        those with the newest jobs first. Their jobs: ``list_jobs(experiment="sweep")``."""
        where, catalog = self._project(project), self.existing_catalog
        found = catalog.job_groups(where)
        return [g for g in found if catalog.find_version(where, f"{g.name}/run") is None]

    def get_experiment(self, name: str, *, project: str | None = None) -> RecordedExperiment:
        """An experiment as its runs recorded it, by its name; `NotFound` where there is none."""
        from findspot.experiments.recorded import get_experiment

        return get_experiment(self, name, project=project)

    def get_result(
        self, name: str, run: int | None = None, *, project: str | None = None
    ) -> Result:
        """What an experiment's newest run (or another one) found, by its name; `NotFound` or
        `NoRun` where there is none."""
        from findspot.experiments.recorded import get_result

        return get_result(self, name, run, project=project)

    def add_plugin(self, folder: str | Path, *, project: str | None = None) -> Snapshot:
        """Record a plugin's files as they are now; its code is read, not run.

        Raises:
            NotFound: there is no such folder.
            CheckFailed: its source has mistakes; all are listed.
        """
        from findspot.plugins.snapshots import checked_files, recorded

        where = self._project(project)
        files, found = checked_files(Path(folder))
        return recorded(
            files, found, store=self.store, catalog=self.catalog, project=where, owner=self.owner
        )

    def get_plugin(
        self, name: str, number: int | None = None, *, project: str | None = None
    ) -> Snapshot:
        """A plugin's snapshot; the newest where no number is given. `NotFound` where there is
        none."""
        from findspot.core.errors import NotFound

        where = self._project(project)
        found = self.existing_catalog.find_snapshot("plugin", where, name, number)
        if found is None:
            from difflib import get_close_matches

            known = [snapshot.name for snapshot in self.plugins(project=where)]
            near = [*get_close_matches(name, known, 3), *known[:3]]
            raise NotFound(
                "plugin",
                name if number is None else f"{name} {number}",
                near=list(dict.fromkeys(near))[:3],
            )
        return found

    def plugins(self, *, project: str | None = None) -> list[Snapshot]:
        """The newest snapshot of each plugin."""
        return list(self.existing_catalog.snapshots("plugin", self._project(project)))

    def entrypoints(self, *, project: str | None = None) -> list[Snapshot]:
        """The newest snapshot of each entrypoint and pipeline."""
        return list(self.existing_catalog.snapshots("entrypoint", self._project(project)))

    # ------------------------------------------------------------------ versions, side by side

    def diff(
        self, a: ArtifactLike, b: ArtifactLike, *, content: bool = True, on: Sequence[str] = ()
    ) -> VersionDiff:
        """What differs between two versions; see `findspot.artifacts.diffing.diff`."""
        from findspot.artifacts.diffing import diff

        return diff(self, a, b, content=content, on=on)

    def move_artifact(self, key: str, to_key: str | None = None, **places: Any) -> int:
        """Rename an artifact, or move it to another project; see `findspot.artifacts.moving`."""
        from findspot.artifacts.moving import move_artifact

        return move_artifact(self, key, to_key, **places)

    def protect_tag(
        self, key: str, tag: str, protected: bool = True, *, project: str | None = None
    ) -> None:
        """Let a tag be moved, and its version be deleted, only by force; or no longer."""
        from findspot.artifacts.moving import protect_tag

        protect_tag(self, key, tag, protected, project=project)

    def link(self, artifact: ArtifactLike, name: str, target: Any) -> Link:
        """Link a version to another one, a URL or a file, under a name; its bytes stay as they
        are."""
        from findspot.artifacts.links import link

        return link(self, artifact, name, target)

    def links(self, artifact: ArtifactLike) -> dict[str, Link]:
        """The links of a version, by name."""
        from findspot.artifacts.links import links

        return links(self, artifact)

    # ------------------------------------------------------------------ exchange, signatures

    def push(self, other: Any, artifacts: Any, **options: Any) -> TransferReport:
        """Send versions to another workspace; see `findspot.artifacts.transfer.push`."""
        from findspot.artifacts.transfer import push

        return push(self, other, artifacts, **options)

    def pull(self, other: Any, artifacts: Any, **options: Any) -> TransferReport:
        """Fetch versions from another workspace; see `findspot.artifacts.transfer.pull`."""
        from findspot.artifacts.transfer import pull

        return pull(self, other, artifacts, **options)

    def export_bundle(self, artifacts: Any, file: str | Path, **options: Any) -> Path:
        """Write versions with their lineage into one file; see `findspot.artifacts.bundles`."""
        from findspot.artifacts.bundles import export_bundle

        return export_bundle(self, artifacts, file, **options)

    def import_bundle(self, file: str | Path, **options: Any) -> TransferReport:
        """Take in what `export_bundle` wrote; every byte is verified, and nothing is run."""
        from findspot.artifacts.bundles import import_bundle

        return import_bundle(self, file, **options)

    def sign(self, artifact: ArtifactLike, key: Any) -> Signature:
        """Sign a version with a private key; see `findspot.artifacts.signing.sign`."""
        from findspot.artifacts.signing import sign

        return sign(self, artifact, key)

    def verify_signatures(self, artifact: ArtifactLike, keys: Any = None) -> list[SignatureCheck]:
        """Every signature of a version, and whether it is right."""
        from findspot.artifacts.signing import verify_signatures

        return verify_signatures(self, artifact, keys)

    # ------------------------------------------------------------------ retention

    def plan_collection(self, rules: Any = None, **options: Any) -> CollectionPlan:
        """What a collection would remove, and why the rest stays; changes nothing.

        Args:
            rules: `RetentionRule` objects; None: those of the workspace's ``findspot.toml``.
        """
        from findspot.artifacts.collecting import plan_collection
        from findspot.artifacts.retention import retention_rules
        from findspot.engine.process import is_alive

        chosen = retention_rules(self) if rules is None else rules
        return plan_collection(self, chosen, is_alive=is_alive, **options)

    def collect(self, rules: Any = None, **options: Any) -> CollectionReport:
        """Remove what the rules let go, and bytes that nothing needs; a dry run unless
        ``dry_run=False``. See `findspot.artifacts.collecting.collect`."""
        from findspot.artifacts.collecting import collect
        from findspot.artifacts.retention import retention_rules
        from findspot.engine.process import is_alive, this_process

        chosen = retention_rules(self) if rules is None else rules
        return collect(self, chosen, is_alive=is_alive, process=this_process(), **options)


def list_jobs(
    space: ArtifactSpace,
    *,
    project: str | None = None,
    experiment: str | None = None,
    name: str | None = None,
    status: JobStatus | None = None,
    labels: Mapping[str, Any] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> JobListing:
    """Jobs that fit all of the given conditions, newest first.

    Args:
        project: None: the current one.
        name: of the pipeline or entrypoint.
        since, until: created at or after, and before (naive times are local).
        limit: at most so many (from 1 up); `JobListing.next` is the cursor of the rest.

    Raises:
        CheckFailed: there is no such status, or a label is none. FindspotError: a time or the
            limit is none.
    """
    from findspot.artifacts.options import check_labels
    from findspot.core.errors import CheckFailed, FindspotError, Problem
    from findspot.core.names import check_name
    from findspot.core.records import JobQuery, JobStatus
    from findspot.engine.jobs import Job, settle

    known = get_args(JobStatus)
    if status is not None and status not in known:
        problem = Problem("status", f"{status!r} is no status", expected=", ".join(known))
        raise CheckFailed("The search", [problem])
    if type(limit) is not int or limit < 1:
        raise FindspotError(f"A page of {limit!r} jobs cannot be.", how="Say 1 or more.")
    page = space.existing_catalog.search_jobs(
        JobQuery(
            project=space.project if project is None else check_name(project, "project name"),
            experiment=experiment,
            name=name,
            status=status,
            labels=check_labels(labels),
            since=moment(since, "since"),
            until=moment(until, "until"),
            limit=limit,
            cursor=cursor,
        )
    )
    return JobListing((Job(space, settle(space, record)) for record in page.items), page.next)
