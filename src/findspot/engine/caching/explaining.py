"""Why a step ran or was reused: its key compared, part by part, with that of the run before."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from findspot.core.records import JobQuery, JobRecord, StepRecord
from findspot.engine.caching.keys import KEY_PARTS
from findspot.engine.code.fingerprint import without_fingerprint
from findspot.engine.errors import NoStep
from findspot.engine.jobs import get_job

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

Verdict = Literal["ran", "reused", "skipped", "running"]

_ABSENT: Any = object()
_LOOKED_AT = 200
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Change:
    """One part of a key that differs from the run before.

    Args:
        part: its name: ``arguments.x``, ``seed``, ``packages.numpy``.
        old, new: the values, as the key has them (an artifact as ``["artifact", digest]``); None
            where there was none.
        versions: the uids of the old and the new version, where the part is an artifact.
    """

    part: str
    old: Any
    new: Any
    versions: tuple[str | None, str | None] | None = None


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One function, class or constant that differs from the run before.

    Args:
        name: ``module:qualified name``.
        what: ``added``, ``removed`` or ``changed``.
        diff: the unified diff of its source; empty where the text is the same and what it refers to
            is another thing.
    """

    name: str
    what: Literal["added", "removed", "changed"]
    diff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepExplanation:
    """Why one step ran, or did not.

    Args:
        reason: in a sentence.
        source_job: where a reused step's outputs come from.
        compared: the job whose run of the step it is compared with; None: there is none.
    """

    step: str
    task: str
    status: str
    verdict: Verdict
    reason: str
    source_job: str | None = None
    compared: str | None = None
    changes: tuple[Change, ...] = ()
    code: tuple[CodeChange, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "task": self.task,
            "status": self.status,
            "verdict": self.verdict,
            "reason": self.reason,
            "source_job": self.source_job,
            "compared": self.compared,
            "changes": [
                {
                    "part": change.part,
                    "old": change.old,
                    "new": change.new,
                    **({"versions": list(change.versions)} if change.versions else {}),
                }
                for change in self.changes
            ],
            "code": [{"name": c.name, "what": c.what, "diff": c.diff} for c in self.code],
        }

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """As lines of text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.step}: {self.verdict}. {self.reason}"
        for change in self.changes:
            yield f"  {change.part}: {_shown(change.old)} -> {_shown(change.new)}"
        for part in self.code:
            said = part.what if part.diff else "what it refers to changed"
            yield f"  code {part.name}: {said}"
            for line in part.diff.splitlines():
                yield f"    {line}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the steps of a job ran or were reused; see `explain`."""

    job: str
    name: str
    steps: tuple[StepExplanation, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "job": self.job,
            "name": self.name,
            "steps": [step.to_json() for step in self.steps],
        }

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """As text to read: a line for each step, below it what changed."""
        return "\n".join([f"Job {self.job} {self.name}", *(step.render() for step in self.steps)])

    def __getitem__(self, step: str) -> StepExplanation:
        for found in self.steps:
            if found.step == step:
                return found
        raise NoStep(step, [found.step for found in self.steps])


def explain(space: ArtifactSpace, job: str, step: str | None = None) -> Explanation:
    """Why each step of a job ran or was reused, and if it ran, what was new.

    A step that ran is compared with the nearest earlier run of the step of that name in a job of
    the same name. Nothing is run or changed.

    Args:
        job: its id, as for `get_job`. step: only this one.

    Raises:
        NotFound: there is no such job, or no such step in it.
    """
    record = get_job(space, job).record
    steps = space.catalog.steps(record.id)
    if step is not None:
        chosen = [found for found in steps if found.name == step]
        if not chosen:
            raise NoStep(step, [found.name for found in steps])
        steps = chosen
    earlier = _Earlier(space, record, {found.name for found in steps})
    explained = tuple(_step(space, record, found, earlier) for found in steps)
    return Explanation(record.id, record.name, explained)


def _step(
    space: ArtifactSpace, job: JobRecord, step: StepRecord, earlier: _Earlier
) -> StepExplanation:
    def said(verdict: Verdict, reason: str, **more: Any) -> StepExplanation:
        return StepExplanation(
            step=step.name,
            task=step.task,
            status=step.status,
            verdict=verdict,
            reason=reason,
            **more,
        )

    if step.status == "skipped":
        lost = "A condition was false: its own, or that of a step that it needs."
        if job.status != "finished":
            lost = "A step that it needs failed."
        return said("skipped", str(step.parts.get("skipped", lost)))
    if step.cached and step.source_job is None:
        return said("reused", "All its calls were reused.")
    if step.cached:
        reason = f"Its key is that of a step of job {step.source_job}."
        return said("reused", reason, source_job=step.source_job)
    if "elements" in step.parts:
        reason = f"It is called for each of {step.parts['elements']} elements."
        return said("ran", f"{reason} See {step.name}[0] and so on.")
    verdict: Verdict = "running" if step.status in ("running", "pending") else "ran"
    unfingerprintable = step.parts.get("unfingerprintable")
    before = earlier.run_of(step.name)
    compared: dict[str, Any] = {}
    if before is not None:
        changes = tuple(_changes(before, step))
        compared = {"compared": before.job, "changes": changes}
        if before.parts.get("code") != step.parts.get("code"):
            compared["code"] = tuple(_code_changes(space, before, step))
    if unfingerprintable:
        reason = without_fingerprint(unfingerprintable)
        return said(verdict, f"It runs each time: {reason}", **compared)
    uncached = step.parts.get("uncached")
    if uncached == "job":
        return said(verdict, "The job was run with the cache off.", **compared)
    if uncached:
        return said(verdict, "Its task, or the step itself, is not to be reused.", **compared)
    if not step.parts:
        return said(verdict, "It is a step of a script; such steps are not reused.")
    if before is None:
        return said(verdict, f"It is the first run of the step in a job named {job.name!r}.")
    if before.key != step.key:
        return said(verdict, _why(compared, before), **compared)
    return said(verdict, _same_key(space, job, before, step), **compared)


def _why(compared: Mapping[str, Any], before: StepRecord) -> str:
    parts = [change.part for change in compared["changes"]]
    if compared.get("code"):
        parts.append(f"the code ({', '.join(part.name for part in compared['code'][:3])})")
    changed = ", ".join(parts) or "what its code refers to"
    text = f"Changed since job {before.job}: {changed}."
    if before.status != "finished":
        text += f" That run was {before.status}."
    return text


def _same_key(space: ArtifactSpace, job: JobRecord, before: StepRecord, step: StepRecord) -> str:
    """Why a step ran though nothing had changed."""
    asked = job.options.get("cache")
    if asked in ("refresh", "off"):
        return f"Nothing changed; the job was run with cache={asked!r}."
    if before.status != "finished":
        return f"Nothing changed, but the run in job {before.job} was {before.status}."
    if before.parts.get("uncached"):
        return f"Nothing changed, but the run in job {before.job} was not kept for reuse."
    then = before.parts.get("logged", {}).get("resolved", {})
    now = step.parts.get("logged", {}).get("resolved", {})
    moved = [text for text, digest in then.items() if now.get(text) != digest]
    if moved:
        loaded = ", ".join(moved)
        return f"What its code loads by itself has changed since job {before.job}: {loaded}."
    logged = before.parts.get("logged", {}).get("outputs", {})
    made = {*before.outputs.values(), *logged.values()}
    if len(space.catalog.versions(made)) < len(made):
        return f"Nothing changed, but an output that job {before.job} made was deleted."
    begin, end = step.started or job.created, before.ended or job.created
    if begin < end:
        return f"Nothing changed, but the run in job {before.job} had not ended yet."
    age, limit = (begin - end).total_seconds(), step.parts.get("expires")
    if limit is not None and age > limit:
        return (
            f"Nothing changed, but what job {before.job} made was too old: by {age - limit:.3g} s "
            f"for a policy of expires={limit:g}."
        )
    return f"Nothing changed, but bytes of what job {before.job} made were gone from the store."


def _changes(before: StepRecord, step: StepRecord) -> Iterator[Change]:
    """The parts of the key, the code apart, that differ; arguments and the like one by one."""
    for part in KEY_PARTS:
        if part == "code":
            continue
        old, new = before.parts.get(part), step.parts.get(part)
        if old == new and repr(old) == repr(new):  # 1 and 1.0 and True are different arguments
            continue
        if not isinstance(old, dict | None) or not isinstance(new, dict | None):
            yield Change(part, old, new)
            continue
        old, new = old or {}, new or {}
        for name in dict.fromkeys([*new, *old]):
            left, right = old.get(name, _ABSENT), new.get(name, _ABSENT)
            if left is right or (left == right and repr(left) == repr(right)):
                continue
            versions = None
            if part == "arguments":
                uids = (before.inputs.get(name), step.inputs.get(name))
                versions = uids if any(uids) else None
            yield from _inside(f"{part}.{name}", left, right, versions)


def _inside(
    path: str, left: Any, right: Any, versions: tuple[str | None, str | None] | None
) -> Iterator[Change]:
    """A change, or those within a mapping that both sides are."""
    old, new = _entries(left), _entries(right)
    if old is None or new is None:
        yield Change(path, _or_none(left), _or_none(right), versions)
        return
    for name in dict.fromkeys([*new, *old]):
        before, now = old.get(name, _ABSENT), new.get(name, _ABSENT)
        if before is not now and (before != now or repr(before) != repr(now)):
            yield from _inside(f"{path}.{name}", before, now, versions)


def _entries(value: Any) -> dict[str, Any] | None:
    """What a mapping with names as its keys holds, in the form that a key's parts have."""
    if not isinstance(value, list) or len(value) != 2 or value[0] != "mapping":
        return None
    entries = value[1]
    named = isinstance(entries, list) and all(
        isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)
        for entry in entries
    )
    return dict(entries) if named else None


def _or_none(value: Any) -> Any:
    return None if value is _ABSENT else value


def _code_changes(
    space: ArtifactSpace, before: StepRecord, step: StepRecord
) -> Iterator[CodeChange]:
    old, new = _sources(space, before), _sources(space, step)
    if old is None or new is None:
        return
    for name in sorted(old.keys() | new.keys()):
        left, right = old.get(name), new.get(name)
        if left is None:
            yield CodeChange(name, "added", _diff(name, "", new[name][1]))
        elif right is None:
            yield CodeChange(name, "removed", _diff(name, old[name][1], ""))
        elif left[0] != right[0]:
            yield CodeChange(name, "changed", _diff(name, left[1], right[1]))


def _sources(space: ArtifactSpace, step: StepRecord) -> dict[str, list[str]] | None:
    digest = step.parts.get("sources")
    data = space.catalog.document(digest) if isinstance(digest, str) else None
    return None if data is None else dict(json.loads(data)["parts"])


def _diff(name: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} (before)", f"{name} (now)", lineterm=""
    )
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) >= 2 and value[0] == "artifact":
        return f"artifact {str(value[1])[:19]}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "..."


class _Earlier:
    """The nearest earlier run of each of some steps: that finished, else one that did not."""

    def __init__(self, space: ArtifactSpace, job: JobRecord, names: set[str]) -> None:
        self._space = space
        self._job = job
        self._missing = names
        self._found: dict[str, StepRecord] = {}
        self._unfinished: dict[str, StepRecord] = {}
        self._jobs = self._before()

    def run_of(self, name: str) -> StepRecord | None:
        while name not in self._found:
            job = next(self._jobs, None)
            if job is None:
                return self._unfinished.get(name)
            self._look(job)
        return self._found[name]

    def _look(self, job: str) -> None:
        for step in self._space.catalog.steps(job):
            if step.name not in self._missing or step.name in self._found or step.cached:
                continue
            if step.parts and step.status == "finished":
                self._found[step.name] = step
            elif step.parts and step.status != "skipped":
                self._unfinished.setdefault(step.name, step)

    def _before(self) -> Iterator[str]:
        """Ids of jobs of the same name that were created before, newest first."""
        cursor: str | None = None
        looked_at = 0
        while looked_at < _LOOKED_AT:
            page = self._space.catalog.search_jobs(
                JobQuery(
                    project=self._job.project,
                    name=self._job.name,
                    until=self._job.created,
                    limit=_PAGE,
                    cursor=cursor,
                )
            )
            for job in page.items:
                looked_at += 1
                if job.id != self._job.id:
                    yield job.id
            cursor = page.next
            if cursor is None:
                return
