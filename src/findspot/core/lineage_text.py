"""A `Lineage` as a few lines of text: what went into each step, and what came out of it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from findspot.core.records import Lineage, LineageEdge

_SHOWN = 50


def lineage_text(lineage: Lineage) -> str:
    """A line for each step, oldest first, such as ``samples:1 -> scale (job rescale) -> scaled:1``;
    of long lineages the newest ones. Where no step is known, the version alone."""
    places: defaultdict[tuple[str, str], list[LineageEdge]] = defaultdict(list)
    for edge in lineage.edges:
        places[edge.job, edge.step].append(edge)
    # Uids sort by time. Of a reused step, the outputs may be older than those of its neighbours;
    # whatever came of them is newer still.
    ordered = sorted(places, key=lambda place: max(edge.version for edge in places[place]))
    lines = [_line(lineage, place, places[place]) for place in ordered[-_SHOWN:]]
    if len(ordered) > _SHOWN:
        lines.insert(0, f"... and {len(ordered) - _SHOWN} more steps before")
    return "\n".join(lines) or _version(lineage, lineage.root)


def _line(lineage: Lineage, place: tuple[str, str], edges: list[LineageEdge]) -> str:
    job, step = place
    record = lineage.jobs.get(job)
    name = job if record is None else record.name
    what = f"{step} (job {name})" if step else f"job {name}"
    sources = [source.name for source in lineage.sources.get(place, ())]
    given = [_version(lineage, edge.version) for edge in edges if edge.direction == "in"]
    made = [_version(lineage, edge.version) for edge in edges if edge.direction == "out"]
    parts = (_list([*given, *sources]), what, _list(made))
    return " -> ".join(part for part in parts if part)


def _list(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - 5} more" if len(unique) > 5 else ""
    return ", ".join(unique[:5]) + more


def _version(lineage: Lineage, uid: str) -> str:
    record = lineage.versions.get(uid)
    return f"{uid} (deleted)" if record is None else f"{record.key}:{record.number}"
