"""A lineage as a tree for the terminal."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from rich.text import Text
from rich.tree import Tree

from findspot.cli.job_text import source_text
from findspot.cli.printing import printable, short_id

if TYPE_CHECKING:
    from findspot.core.records import Lineage, LineageEdge

Place = tuple[str, str]


def lineage_tree(lineage: Lineage, direction: Literal["upstream", "downstream"]) -> Tree:
    """The lineage from its root on: versions, and below each the step that made it (or the steps
    that used it). What was shown already is not unfolded again."""
    return _Tree(lineage, direction).grow()


class _Tree:
    def __init__(self, lineage: Lineage, direction: Literal["upstream", "downstream"]) -> None:
        self._lineage = lineage
        towards = "out" if direction == "upstream" else "in"
        self._steps: defaultdict[str, list[LineageEdge]] = defaultdict(list)
        self._versions: defaultdict[Place, list[LineageEdge]] = defaultdict(list)
        for edge in lineage.edges:
            if edge.direction == towards:
                self._steps[edge.version].append(edge)
            else:
                self._versions[edge.job, edge.step].append(edge)
        self._shown: set[str | Place] = set()

    def grow(self) -> Tree:
        tree = Tree(self._version(self._lineage.root, ""))
        # By hand, not by recursion: a lineage may be thousands of steps deep.
        waiting: list[tuple[Tree, str]] = [(tree, self._lineage.root)]
        self._shown.add(self._lineage.root)
        while waiting:
            branch, uid = waiting.pop()
            for edge in self._steps[uid]:
                place = (edge.job, edge.step)
                if place in self._shown:
                    branch.add(Text.assemble(self._step(place), (" (see above)", "dim")))
                    continue
                self._shown.add(place)
                below = branch.add(self._step(place))
                for source in self._lineage.sources.get(place, ()):
                    below.add(Text(printable(f"{source.name} = {source_text(source)}")))
                for follower in self._versions[place]:
                    label = self._version(follower.version, follower.name)
                    if follower.version in self._shown:
                        below.add(Text.assemble(label, (" (see above)", "dim")))
                        continue
                    self._shown.add(follower.version)
                    waiting.append((below.add(label), follower.version))
        return tree

    def _version(self, uid: str, name: str) -> Text:
        record = self._lineage.versions.get(uid)
        prefix = f"{name} = " if name else ""
        if record is None:
            return Text.assemble(prefix, (uid, "bold"), (" (deleted)", "red"))
        return Text.assemble(
            prefix, (f"{record.key}:{record.number}", "bold"), (f"  {record.kind}", "dim")
        )

    def _step(self, place: Place) -> Text:
        job_id, step_name = place
        step = self._lineage.steps.get(place)
        job = self._lineage.jobs.get(job_id)
        what = f"step {step_name}" if step_name else "job"
        if step is not None and step.task != step_name:
            what += f" (task {step.task})"
        id = short_id(job_id)
        where = id if job is None else f"{job.name} {id}"
        if job is not None and job.experiment:
            where += f", experiment {job.experiment}"
        params = ""
        if step is not None and step.params:
            params = "  " + ", ".join(f"{k}={v!r}" for k, v in list(step.params.items())[:6])
        return Text.assemble((what, "cyan"), (f"  job {where}", ""), (params, "dim"))
