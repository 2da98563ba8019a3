"""What differs between the code of two jobs, as far as its text was kept."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from findspot.core.errors import FindspotError
from findspot.core.records import JobRecord, StepRecord
from findspot.engine.caching.explaining import CodeChange

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace

Parts = Mapping[str, tuple[str, str]]
"""Digest and text of each function, class and constant, by ``module:qualified name``."""


@dataclass(frozen=True, slots=True)
class StepCode:
    """What differs in the code that one step ran.

    Args:
        step: its name; "" for code of the job as a whole: a function, a plugin, the graph's text.
        changes: the functions, classes, constants or files that differ.
    """

    step: str
    changes: tuple[CodeChange, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "changes": [{"name": c.name, "what": c.what, "diff": c.diff} for c in self.changes],
        }


def step_code(
    before: ArtifactSpace, old: StepRecord, after: ArtifactSpace, new: StepRecord
) -> StepCode | None:
    """What differs in the code of a step of two jobs, which may be of two workspaces; None where
    nothing does."""
    old, new = _that_ran(before, old), _that_ran(after, new)
    if old.task == new.task and old.parts.get("code") == new.parts.get("code"):
        return None
    texts = kept_parts(before, old), kept_parts(after, new)
    found = () if None in texts else tuple(part_changes(texts[0] or {}, texts[1] or {}))
    # The texts were not kept, or are the same and something that they refer to is not.
    return StepCode(new.name, found or (CodeChange(new.task, "changed", ""),))


def _that_ran(space: ArtifactSpace, step: StepRecord) -> StepRecord:
    """The step whose outputs a step reused: its record has the parts of the key."""
    if step.parts or step.source_job is None:
        return step
    earlier = space.catalog.steps(step.source_job)
    return next((found for found in earlier if found.key == step.key), step)


def kept_parts(space: ArtifactSpace, step: StepRecord) -> Parts | None:
    """The code of a step as it was kept when it ran; None where it was not."""
    digest = step.parts.get("sources")
    data = space.catalog.document(digest) if isinstance(digest, str) else None
    if data is None:
        return None
    return {str(name): (str(d), str(text)) for name, (d, text) in json.loads(data)["parts"].items()}


def part_changes(old: Parts, new: Parts) -> Iterator[CodeChange]:
    """The parts that are new, gone, or have another digest."""
    for name in sorted(old.keys() | new.keys()):
        left, right = old.get(name), new.get(name)
        if left is None:
            yield CodeChange(name, "added", unified(name, "", new[name][1]))
        elif right is None:
            yield CodeChange(name, "removed", unified(name, old[name][1], ""))
        elif left[0] != right[0]:
            yield CodeChange(name, "changed", unified(name, left[1], right[1]))


def job_code(space: ArtifactSpace, old: JobRecord, new: JobRecord) -> StepCode | None:
    """What differs in the code of jobs as a whole: the file of a function, the text of an
    entrypoint, the files of its plugins."""
    texts = _texts(space, old), _texts(space, new)
    found = tuple(part_changes(*texts))
    return StepCode("", found) if found else None


def unified(name: str, old: str, new: str) -> str:
    """The unified diff of two texts."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} (before)", f"{name} (after)", lineterm=""
    )
    return "\n".join(lines)


def _texts(space: ArtifactSpace, job: JobRecord) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    digest = job.options.get("code")
    if isinstance(digest, str):
        data = space.catalog.document(digest) or b""
        found[str(job.options.get("function", "code"))] = digest, data.decode(errors="replace")
    entrypoint = None if job.entrypoint is None else space.catalog.snapshot(job.entrypoint)
    if entrypoint is not None and entrypoint.body.get("syntax") == "yaml":
        text = str(entrypoint.body["text"])
        found[str(entrypoint.body.get("file", "entrypoint"))] = text, text
    elif entrypoint is not None:
        text = json.dumps(_unplaced(entrypoint.body), indent=1, ensure_ascii=False)
        found["the graph"] = text, text
    for name, id in job.plugins.items():
        for file in space.catalog.files(id):
            try:
                data = space.store.read(file.digest) if file.inline is None else file.inline
            except FindspotError as error:  # the difference is known, its text is not
                data = error.what.encode()
            found[f"{name}/{file.path}"] = file.digest, data.decode(errors="replace")
    return found


def _unplaced(graph: Any) -> Any:
    """A graph without the lines on which its tasks stand: they move with any edit above them."""
    if isinstance(graph, Mapping):
        return {name: _unplaced(item) for name, item in graph.items() if name != "location"}
    return [_unplaced(item) for item in graph] if isinstance(graph, list) else graph
