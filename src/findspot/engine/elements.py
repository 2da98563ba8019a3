"""The lists that a mapped step takes element by element, known only when it is reached."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from findspot.artifacts.saving import prepare
from findspot.catalog.protocol import NewVersion
from findspot.core.canonical import canonical_json, is_plain
from findspot.core.digests import Digest, hash_bytes
from findspot.core.errors import FindspotError
from findspot.core.records import Producer
from findspot.engine.caching.keys import KEY_FORMAT, encoded
from findspot.engine.values import Saved, saved_in, shared
from findspot.graph.mapping import length_problem

if TYPE_CHECKING:
    from findspot.artifacts.space import ArtifactSpace
    from findspot.graph.spec import Step

_PLACE = re.compile(r"(?P<argument>.+)\[(?P<index>\d+)\]")


class WrongElements(FindspotError):
    """What a mapped step should take element by element is no list, or lists differ in length."""

    def __init__(self, step: str, what: str) -> None:
        self.step = step
        super().__init__(
            what, where=f"step {step}", how="Return lists of one length from the steps before it."
        )


@dataclass(slots=True)
class Elements:
    """The elements of a mapped step's lists.

    Args:
        count: how many calls there are.
        values: argument to its elements: plain values, or `Saved`.
        lists: argument to the uid of the version that it is the list of.
        made: versions that elements were saved as now; not recorded yet.
        outputs: ``argument[index]`` to the uid of every element that is a version of its own.
    """

    count: int
    values: Mapping[str, Sequence[Any]]
    lists: Mapping[str, str]
    made: list[NewVersion] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Calls:
    """The calls of a mapped step that are under way.

    Args:
        step: with the arguments that each call has in common.
        waiting: how many are not settled yet. failed, cached: how many of the others were so.
        resumed: its lists are those of an earlier attempt of the job.
    """

    step: Step
    elements: Elements
    waiting: int
    resumed: bool
    failed: int = 0
    cached: int = 0


def elements_key(graph: str, project: str, step: str, given: Mapping[str, Any]) -> Digest | None:
    """The key under which the elements of saved lists are found again; None where no list is a
    saved version."""
    lists = {name: encoded(value) for name, value in given.items() if type(value) is Saved}
    if not lists:
        return None
    parts = {
        "format": KEY_FORMAT,
        "graph": graph,
        "project": project,
        "step": step,
        "each": lists,
    }
    return hash_bytes(b"each " + canonical_json(parts))


def take_apart(
    space: ArtifactSpace,
    given: Mapping[str, Any],
    known: Mapping[str, Saved],
    *,
    job: str,
    project: str,
    graph: str,
    step: str,
) -> Elements:
    """The elements of the lists that a mapped step is given.

    A list inside the graph (of plain values, or of versions) is taken as it is. A list that is one
    saved version is loaded once; elements that are plain values are passed as such, so that equal
    ones are equal calls, and all others are saved as versions of their own.

    Args:
        known: elements that were saved before, by ``argument[index]``; their lists are not loaded.

    Raises:
        WrongElements: one is no list, or they differ in length.
    """
    before: dict[str, dict[int, Saved]] = {}
    for place, saved in known.items():
        found = _PLACE.fullmatch(place)
        if found is not None:
            before.setdefault(found["argument"], {})[int(found["index"])] = saved
    values: dict[str, Sequence[Any]] = {}
    lists: dict[str, str] = {}
    made: list[NewVersion] = []
    for name, value in given.items():
        if type(value) is Saved:
            lists[name] = value.record.uid
            if name in before:
                values[name] = [before[name][index] for index in range(len(before[name]))]
                continue
            loaded = value.load(space)
            if not isinstance(loaded, list | tuple):
                raise _no_list(step, name, loaded)
            if all(map(is_plain, loaded)):
                values[name] = list(loaded)
                continue
            new = [
                prepare(
                    space,
                    item,
                    f"{graph}/{step}/{name}/{index}",
                    project=project,
                    handler=space.handler_for(item, None),
                    handler_args={},
                    producer=Producer(job, step, f"{name}[{index}]"),
                )
                for index, item in enumerate(loaded)
            ]
            made += new
            values[name] = [
                Saved(version.record, version.files, shared(item))
                for version, item in zip(new, loaded, strict=True)
            ]
        elif isinstance(value, list | tuple):
            values[name] = value
        else:
            raise _no_list(step, name, value)
    lengths = {name: len(found) for name, found in values.items()}
    if len(set(lengths.values())) != 1:
        raise WrongElements(step, length_problem(lengths))
    outputs = {
        place: saved.record.uid
        for name in lists
        for index, item in enumerate(values[name])
        for place, saved in saved_in(item, f"{name}[{index}]")
    }
    return Elements(next(iter(lengths.values())), values, lists, made, outputs)


def _no_list(step: str, name: str, value: Any) -> WrongElements:
    return WrongElements(
        step,
        f"The step is called once for each element of {name!r}, which is of type "
        f"{type(value).__name__}, not a list.",
    )
