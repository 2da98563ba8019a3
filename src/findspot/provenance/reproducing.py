"""`reproduce`: make a version again from its record, and say whether it is the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findspot.artifacts.comparing.changes import changes
from findspot.artifacts.settings import ENVIRONMENT_PREFIX
from findspot.core.records import JobQuery
from findspot.engine.environment.document import VARIABLES
from findspot.engine.jobs import Job, get_job
from findspot.provenance.code import StepCode, step_code
from findspot.provenance.code_place import CodePlace, place_code
from findspot.provenance.equality import compare_output
from findspot.provenance.errors import CannotReproduce, FolderInUse
from findspot.provenance.job_diff import job_sources
from findspot.provenance.made import first_different, made_by
from findspot.provenance.materials import Recipe, make_scratch, recipe_of
from findspot.provenance.reproduction import OutputComparison, Reproduction

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactLike, ArtifactSpace

_LAST_CHARACTERS = 20_000
# They say where this process's packages are, not how it computes.
_PLACES = frozenset({"PYTHONPATH", "VIRTUAL_ENV", "CONDA_DEFAULT_ENV"})
_COMPARED = ("python", "packages", "platform", "cpus", "variables")


def reproduce(
    space: ArtifactSpace,
    version: ArtifactLike,
    *,
    fresh_environment: bool = False,
    folder: str | os.PathLike[str] | None = None,
    tolerance: float = 0.0,
    timeout: float | None = None,
) -> Reproduction:
    """Run the job again that made a version, and compare what it makes with what it made.

    It runs in a process of its own and in a scratch workspace, which holds the recorded inputs
    (verified) and nothing else; nothing is reused, and this workspace is only read. The code is
    that of the job's snapshots (YAML, plugins), the kept file (functions), or the recorded commit
    where the repository is at hand and was clean; otherwise what can be imported now, with a note,
    and with the difference where the code is not the recorded one. It can do what the job could:
    what it writes outside of the workspace it writes again.

    Args:
        fresh_environment: run in a new virtual environment with the recorded packages, made by pip.
        folder: where to keep the scratch workspace, the code and the log; it must be new or empty.
            None: a temporary folder, removed at the end.
        tolerance: the largest difference of two numbers in an array, a table or JSON that counts as
            none.
        timeout: seconds after which it is stopped.

    Returns:
        a `Reproduction`; true where the version was made again.

    Raises:
        NotFound: there is no such version.
        CannotReproduce: no job made it, or what is needed was deleted, damaged or never recorded;
            nothing has run.
        FolderInUse: ``folder`` is not empty.
    """
    wanted = space.get_artifact(version)
    producer = wanted.producer
    if producer is None:
        raise CannotReproduce(
            wanted.uri,
            "no job made it: it was saved by hand.",
            how="Save it in a job: a pipeline, `run_function` or start_job.",
        )
    if space.catalog.job(producer.job) is None:
        raise CannotReproduce(wanted.uri, "the record of its job is gone.", missing=[producer.job])
    job = get_job(space, producer.job)
    recipe = recipe_of(space, job, wanted.uri)
    with ExitStack() as stack:
        place = _folder(folder, stack)
        code = place_code(job, recipe, place / "code", wanted.uri)
        scratch = make_scratch(space, job, recipe, place / "workspace", wanted.uri)
        stack.callback(scratch.close)
        again = _Again(space, job, recipe, code, scratch, place)
        run = again.run(fresh_environment, timeout)
        found = again.compare(wanted.uri, wanted.uid, run, tolerance)
    return found if folder is None else _kept(found, place)


@dataclass(frozen=True, slots=True)
class _Run:
    """How the process ended. ``failure``: why it did not get to run the job to its end."""

    failure: str
    log: str
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Again:
    space: ArtifactSpace
    job: Job
    recipe: Recipe
    code: CodePlace
    scratch: ArtifactSpace
    folder: Path

    def run(self, fresh_environment: bool, timeout: float | None) -> _Run:
        python, path, notes = sys.executable, self.code.path, tuple(self.code.notes)
        if fresh_environment:
            from findspot.provenance.fresh_environment import make_environment

            made = make_environment(self.folder / "environment", self.job.environment)
            notes += made.notes
            if made.python is None:
                return _Run(made.problem, "", 0.0, notes)
            python, path = os.fspath(made.python), (*made.path, *path)
        began = time.monotonic()
        failure, log = self._process([python, *self._command()], path, timeout)
        return _Run(failure, log, time.monotonic() - began, notes)

    def compare(self, uri: str, uid: str, run: _Run, tolerance: float) -> Reproduction:
        """What was made beside what is recorded."""
        after = self._job_again()
        failure = run.failure
        if run.failure and after is not None and after.status == "interrupted":
            failure = run.failure  # it was stopped, or did not get so far as to run the job
        elif after is not None and after.failure is not None:
            failure = f"{after.failure.type}: {after.failure.message}"
        elif after is None and not failure:
            failure = "It ran without starting the job."
        old = made_by(self.job)
        new = {} if after is None else made_by(after)
        outputs: dict[str, OutputComparison] = {}
        outcome: Any = "failed"
        for name, version in old.items():
            outputs[name] = compare_output(
                name,
                self.space,
                version,
                self.scratch,
                new.get(name),
                tolerance=tolerance,
                reason="the job did not get that far" if failure else "",
            )
            if version.uid == uid:
                outcome = outputs[name].outcome
        return Reproduction(
            version=uri,
            job=self.job.id,
            outcome=outcome,
            outputs=outputs,
            first_different=first_different(self.job, outputs) if self._ran(after) else (),
            failure="" if outcome in ("identical", "equal") and not run.failure else failure,
            log=after.log if after is not None and after.log else run.log,
            code=self._code(after),
            environment=self._environment(after),
            notes=(*run.notes, *self._sources(after)),
            seconds=run.seconds,
        )

    # ------------------------------------------------------------------ the process

    def _command(self) -> list[str]:
        if self.recipe.kind == "script":
            arguments = list(self.job.environment.get("argv") or ())[1:]
            if self.recipe.module:
                return ["-m", self.recipe.module, *arguments]
            return [os.fspath(self.code.script or self.recipe.script), *arguments]
        request = self.folder / "request.json"
        request.write_text(json.dumps(self._request()), encoding="utf-8")
        return ["-m", "findspot.provenance.rerun", os.fspath(request)]

    def _request(self) -> dict[str, Any]:
        record = self.job.record
        request: dict[str, Any] = {
            "workspace": self.scratch.url,
            "project": record.project,
            "kind": self.recipe.kind,
            "target": self.recipe.target,
            "job": record.id,
            "script": None if self.code.script is None else os.fspath(self.code.script),
        }
        if self.recipe.kind == "function":
            file = self.folder / "function.py"
            file.write_bytes(self.space.catalog.document(record.options["code"]) or b"")
            published = record.options.get("artifact_path")
            request |= {
                "code": os.fspath(file),
                "name": record.name,
                "params": dict(record.params),
                "inputs": dict(record.options.get("inputs") or {}),
                "returns": record.options.get("returns"),
                # Not where the job published it: that is in use.
                "artifact_path": os.fspath(self.folder / "published") if published else None,
                "experiment": record.experiment,
                "labels": dict(record.labels),
                "seed": record.seed,
            }
        return request

    def _process(
        self, command: list[str], path: tuple[str, ...], timeout: float | None
    ) -> tuple[str, str]:
        """Run the program; why it failed ("" where it did not), and what it printed."""
        output = self.folder / "output.txt"
        with output.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=self.code.cwd,
                env=self._variables(path),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            failure = ""
            try:
                code = process.wait(timeout)
                if code:
                    failure = f"The process ended with exit code {code}."
            except subprocess.TimeoutExpired:
                failure = f"It was stopped after {timeout:g} s."
            finally:
                _end(process)
        log = output.read_bytes()[-_LAST_CHARACTERS:].decode(errors="replace")
        if failure and log.strip():
            failure += f" {log.strip().splitlines()[-1]}"
        return failure, log

    def _variables(self, path: tuple[str, ...]) -> dict[str, str]:
        recorded: Mapping[str, Any] = self.job.environment.get("variables") or {}
        found = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ENVIRONMENT_PREFIX)
            and (name not in VARIABLES or name in _PLACES)
        }
        found |= {name: str(v) for name, v in recorded.items() if name not in _PLACES}
        found |= {
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
            f"{ENVIRONMENT_PREFIX}WORKSPACE": self.scratch.url,
            f"{ENVIRONMENT_PREFIX}PROJECT": self.job.project,
        }
        return found

    # ------------------------------------------------------------------ what it made

    def _job_again(self) -> Job | None:
        """The job that ran, in the scratch workspace."""
        if self.recipe.kind == "graph":
            return get_job(self.scratch, self.job.id)
        jobs = self.scratch.catalog.search_jobs(
            JobQuery(project=self.job.project, name=self.job.name, limit=1000)
        ).items
        oldest_first = list(reversed(jobs))
        alike = [job for job in oldest_first if job.params == self.job.params]
        found = next(iter(alike or oldest_first), None)
        return None if found is None else get_job(self.scratch, found.id)

    @staticmethod
    def _ran(after: Job | None) -> bool:
        return after is not None and bool(after.steps)

    def _code(self, after: Job | None) -> tuple[StepCode, ...]:
        if after is None:
            return ()
        found = [
            step_code(self.space, step.record, self.scratch, after.steps[name].record)
            for name, step in self.job.steps.items()
            if name in after.steps and "code" in after.steps[name].record.parts
        ]
        return tuple(code for code in found if code is not None)

    def _environment(self, after: Job | None) -> Any:
        if after is None or not after.environment:
            return ()
        documents = [
            {name: document[name] for name in _COMPARED if name in document}
            for document in (self.job.environment, after.environment)
        ]
        for document in documents:
            facts = {n: v for n, v in document.get("variables", {}).items() if n not in _PLACES}
            document["variables"] = facts
            document["python"] = {
                n: v for n, v in document.get("python", {}).items() if n != "executable"
            }
        return changes(*documents)

    def _sources(self, after: Job | None) -> list[str]:
        if after is None:
            return []
        old, new = job_sources(self.job), job_sources(after)
        return [
            f"What it read from {old[name]['url']} is not what it read then."
            for name in old
            if name in new
            and old[name].get("digest") != new[name].get("digest")
            and old[name].get("digest")
        ]


def _folder(folder: str | os.PathLike[str] | None, stack: ExitStack) -> Path:
    if folder is None:
        made = tempfile.mkdtemp(prefix="findspot-reproduce-")
        stack.callback(shutil.rmtree, made, ignore_errors=True)
        return Path(made).resolve()
    place = Path(folder).resolve()
    place.mkdir(parents=True, exist_ok=True)
    if any(place.iterdir()):
        raise FolderInUse(str(place))
    return place


def _kept(found: Reproduction, folder: Path) -> Reproduction:
    from dataclasses import replace

    return replace(found, folder=folder)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running: neither the process nor what it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
