"""`diff_experiments`: the jobs of two experiments, compared pipeline by pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from findspot.core.errors import NotFound
from findspot.core.records import JobQuery, JobRecord
from findspot.engine.jobs import Job
from findspot.provenance.job_diff import JobDiff, diff_jobs

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

_PAGE = 200


@dataclass(frozen=True, slots=True)
class ExperimentDiff:
    """What differs between two experiments.

    Args:
        before, after: their names.
        jobs: what differs between the newest finished jobs of a pipeline or entrypoint that both
            have run, by its name; the jobs that carry the experiments' own names are a pair too.
        only_before, only_after: names that only one of them has run to an end.
    """

    before: str
    after: str
    jobs: Mapping[str, JobDiff]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything but times differs."""
        return bool(self.only_before or self.only_after or any(self.jobs.values()))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "jobs": {name: diff.to_json() for name, diff in self.jobs.items()},
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
        }

    def render(self) -> str:
        """What differs, as text to be read."""
        from findspot.provenance.diff_text import visible

        lines = [visible(f"- {name}: only in {self.before}") for name in self.only_before]
        lines += [visible(f"+ {name}: only in {self.after}") for name in self.only_after]
        return "\n".join([*lines, *(diff.render() for diff in self.jobs.values())])

    def __str__(self) -> str:
        return self.render()


def diff_experiments(
    space: ArtifactSpace, a: str, b: str, *, project: str | None = None
) -> ExperimentDiff:
    """What differs from experiment ``a`` to experiment ``b``, by their newest finished jobs.

    Args:
        project: of both; None: the current one.

    Raises:
        NotFound: an experiment has no finished job.
    """
    where = project or space.project
    old, new = _newest(space, where, a), _newest(space, where, b)
    pairs = {
        name: diff_jobs(space, Job(space, record), Job(space, new[name]))
        for name, record in old.items()
        if name in new
    }
    # What an experiment runs itself has its name, and so another one in each.
    return ExperimentDiff(
        before=a,
        after=b,
        jobs={name or b: diff for name, diff in pairs.items()},
        only_before=tuple(name or a for name in old if name not in new),
        only_after=tuple(name or b for name in new if name not in old),
    )


def _newest(space: ArtifactSpace, project: str, experiment: str) -> dict[str, JobRecord]:
    """The newest finished job of each name; "" stands for the experiment's own."""
    found: dict[str, JobRecord] = {}
    cursor: str | None = None
    while True:
        page = space.existing_catalog.search_jobs(
            JobQuery(
                project=project,
                experiment=experiment,
                status="finished",
                limit=_PAGE,
                cursor=cursor,
            )
        )
        for job in page.items:
            found.setdefault("" if job.name == experiment else job.name, job)
        if page.next is None:
            break
        cursor = page.next
    if not found:
        raise NotFound("experiment with finished jobs", experiment, how="List them: findspot jobs")
    return found
