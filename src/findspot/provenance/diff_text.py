"""A `JobDiff` as text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from findspot.artifacts.comparing.changes import Change
from findspot.provenance.code import StepCode

if TYPE_CHECKING:
    from findspot.provenance.job_diff import Duration, JobDiff, MetricChange

_LINES = 60
"""Lines of one section."""
_SHARE, _SECONDS = 1.5, 0.1
"""A step is listed where it took so many times longer, and so many seconds."""

_TITLES = (
    ("Job", "record"),
    ("Parameters", "params"),
    ("Options", "options"),
    ("Inputs", "inputs"),
    ("Sources", "sources"),
    ("Environment", "environment"),
)


def render_job_diff(diff: JobDiff) -> str:
    """Sections for what differs; control characters in names and values are shown, not obeyed."""
    lines = [f"--- {diff.before.name}, job {diff.before.id}"]
    lines.append(f"+++ {diff.after.name}, job {diff.after.id}")
    if not diff:
        lines.append("Nothing differs but the time they took.")
    for title, name in _TITLES:
        lines += section(title, [change_line(change) for change in getattr(diff, name)])
    lines += section("Code", [line for code in diff.code for line in code_lines(code)])
    lines += section("Metrics", [_metric(metric) for metric in diff.metrics])
    outputs = [change_line(change) for change in diff.outputs]
    if diff.equal_outputs:
        outputs.append(f"equal: {', '.join(diff.equal_outputs)}")
    lines += section("Outputs", outputs)
    lines += section("Durations", [_duration(d) for d in diff.durations if _tells(d)])
    return "\n".join(visible(line) for line in lines)


def section(title: str, lines: Sequence[str]) -> list[str]:
    """A title with lines below it; nothing where there are none."""
    if not lines:
        return []
    left_out = [f"  ... and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    return [f"{title}:", *(f"  {line}" for line in lines[:_LINES]), *left_out]


def change_line(change: Change) -> str:
    """A change in one line; of digests only the beginnings."""
    both = change.before, change.after
    if all(isinstance(value, str) and value.startswith("blake3:") for value in both):
        return f"~ {change.path.removeprefix('$.')}: {change.before[:19]} -> {change.after[:19]}"
    return str(change)


def code_lines(code: StepCode) -> list[str]:
    """The changed parts of a step's code, each with its diff."""
    lines = []
    for change in code.changes:
        said = change.what if change.diff else "changed, but its text was not kept or is the same"
        lines.append(f"{f'step {code.step}, ' if code.step else ''}{change.name}: {said}")
        lines += [f"  {line}" for line in change.diff.splitlines()]
    return lines


def visible(line: str) -> str:
    """A line without control characters."""
    if line.isprintable():
        return line
    hidden = ("Cc", "Cf", "Cs")
    return "".join(c if unicodedata.category(c) not in hidden else repr(c)[1:-1] for c in line)


def _metric(metric: MetricChange) -> str:
    if metric.before is None:
        return f"+ {metric.name}: {metric.after:g}"
    if metric.after is None:
        return f"- {metric.name}: {metric.before:g}"
    return f"~ {metric.name}: {metric.before:g} -> {metric.after:g} ({metric.difference:+g})"


def _duration(duration: Duration) -> str:
    both = ("not run" if t is None else f"{t:.2f} s" for t in (duration.before, duration.after))
    return f"{duration.step or 'in all'}: {' -> '.join(both)}"


def _tells(duration: Duration) -> bool:
    if duration.before is None or duration.after is None:
        return duration.step != ""
    short, long = sorted((duration.before, duration.after))
    return long - short >= _SECONDS and long >= _SHARE * short
